//! Gives the shell of a session one command after the other, and takes apart what it says.
//!
//! ```text
//! Idle ──(a turn waits)──► Running ──(both borders)──────────────────────────────► Idle
//!                             │ time over, or dropped                                 ▲
//!                             ▼                                                       │
//!                          Ending: its shell is told to go on no further, and its     │
//!                             │    processes are killed ──(both borders, and a report)┤
//!                             └──(the shell does not come back)──► the session is closed, or its shell replaced
//! ```
//! Behind one that was told to end, the shell is first put back to what it was.
//! A turn keeps the shell for as long as anything signals its processes: what is meant for one is not to hit the next.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::kill::KillTurn;
use super::shared::{OnStuck, Shell};
use super::turn::{Pending, ShellState};
use crate::command::Command;
use crate::error::{CloseReason, Error};
use crate::op::live::{Input, Sort, Wish};
use crate::op::{KillReport, after};
use crate::result::ExecSummary;
use crate::session::{Borders, Files, Flags, Kind, Line, Piece, again, hello};
use crate::signal::Signal;
use crate::stream::Channel;

/// How long a shell is given to come back once the processes of its command are killed.
const STUCK: Duration = Duration::from_secs(5);
/// How long a program is given to show that it is a shell.
const GREETING: Duration = Duration::from_secs(60);
/// 128 and SIGURG: what a builtin that waits is left with by the signal that tells the shell to go on no further.
const TOLD: i32 = 151;

/// What a kill in the background found.
pub(super) type Report = Arc<Mutex<Option<KillReport>>>;

/// The turns of one session.
#[derive(Debug)]
pub(crate) struct Turns {
    shell: Arc<Shell>,
    /// Begins a shell.
    command: Command,
    input: Option<Bytes>,
    flags: Flags,
    kind: Kind,
    current: Option<Current>,
    /// Finds what the shell says behind the first lines, or behind a command that was told to end.
    hello: Option<Borders>,
    /// Until when it must have said that.
    greets: Option<Instant>,
    /// The shell is being killed, and another one comes.
    replaces: bool,
    over: bool,
    /// When it was looked at last.
    now: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    turn: Arc<Pending>,
    borders: Borders,
    began: Instant,
    deadline: Option<Instant>,
    timed_out: bool,
    kill: Option<Report>,
    stuck: Option<Instant>,
    /// Its exit code, once it has ended; and when.
    ended: Option<(i32, Instant)>,
}

impl Current {
    fn report(&self) -> Option<KillReport> {
        let report = self.kill.as_ref()?;
        report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No border will come any more.
    fn finish(&mut self) {
        let own = &self.turn.live;
        self.borders.finish(&mut |piece| {
            let (Piece::Own(frame) | Piece::Late(frame)) = piece;
            own.push(frame.channel, frame.data);
        });
    }
}

impl Turns {
    /// `command`: begins a shell.
    pub(crate) fn new(shell: &Arc<Shell>, command: &Command) -> Self {
        let mut turns = Self {
            shell: Arc::clone(shell),
            command: command.clone(),
            input: None,
            flags: Flags::default(),
            kind: Kind::default(),
            current: None,
            hello: None,
            greets: None,
            replaces: false,
            over: false,
            now: None,
        };
        turns.greet();
        turns
    }

    /// What a new shell is asked first.
    fn greet(&mut self) {
        self.flags = Flags::default();
        self.ask(hello);
    }

    /// The shell is asked something that is no turn, and whose answer is waited for.
    fn ask(&mut self, what: impl FnOnce(&str) -> String) {
        let border = self.shell.random();
        self.input = Some(what(&border).into());
        self.hello = Some(Borders::new(&border));
        self.greets = None;
    }

    fn begin(&mut self, now: Instant) {
        while self.current.is_none() && self.hello.is_none() && self.input.is_none() {
            let Some((pending, files)) = self.shell.next() else {
                return;
            };
            let dropped = pending.live.orders(Waker::noop()).wish > Wish::GoOn;
            if dropped && files == Files::default() {
                self.shell.turn_over();
                pending.live.end(Ok(ExecSummary::default()));
                continue;
            }
            // What was dropped before it began has files to be removed at most.
            let (text, files) = if dropped {
                files.removal()
            } else {
                (pending.text.clone(), files)
            };
            let line = Line {
                id: &pending.id,
                border: &pending.border,
                text: &text,
                files: &files,
                flags: self.flags,
                kind: self.kind,
            };
            self.input = Some(line.write().into());
            pending.live.begin("");
            self.current = Some(Current {
                borders: Borders::new(&pending.border),
                began: now,
                deadline: pending.timeout.map(|limit| after(now, limit)),
                timed_out: false,
                kill: None,
                stuck: None,
                ended: None,
                turn: pending,
            });
        }
    }

    /// Sees to a turn that is to end. Whether output is wanted.
    fn see_to(&mut self, now: Instant, waker: &Waker) -> bool {
        let Some(current) = &mut self.current else { return true };
        let orders = current.turn.live.orders(waker);
        if current.ended.is_some() {
            return true;
        }
        let late = current.deadline.is_some_and(|deadline| now >= deadline);
        if current.kill.is_none() && (late || orders.wish > Wish::GoOn) {
            current.timed_out = late;
            let report = Report::default();
            let kill = KillTurn::new(&self.shell, &current.turn, Signal::Kill, Some(Arc::clone(&report)));
            current.kill = Some(report);
            self.shell.attend(kill);
        }
        if current.report().is_some() && now >= *current.stuck.get_or_insert(now + STUCK) {
            match self.shell.on_stuck() {
                OnStuck::Close => self.shell.close(CloseReason::Stuck),
                OnStuck::Replace => self.replaces = true,
            }
        }
        orders.reads || current.kill.is_some()
    }

    /// Ends a turn that has ended, once nothing signals it any more.
    fn settle(&mut self, now: Instant) {
        let Some(current) = &self.current else { return };
        let Some((code, at)) = current.ended else { return };
        let signalled = current.kill.is_some() && current.report().is_none();
        if !signalled && self.shell.turn_over() {
            self.end(code, ShellState::Lives, at);
            if self.flags.stopped {
                let kind = self.kind;
                self.ask(|border| again(border, kind));
            }
            self.begin(now);
        }
    }

    fn end(&mut self, code: i32, shell: ShellState, now: Instant) {
        let Some(current) = self.current.take() else { return };
        current.turn.set_shell(shell);
        let killed = current.report();
        current.turn.live.end(Ok(ExecSummary {
            exit_code: code,
            duration: now.saturating_duration_since(current.began),
            timed_out: current.timed_out,
            killed,
            ..ExecSummary::default()
        }));
    }
}

/// The exit code of a command that its shell did not go on with, though nothing that it had begun was ended by a signal.
fn told(signal: Option<Signal>) -> i32 {
    128 + match signal {
        Some(Signal::Hup) => 1,
        Some(Signal::Int) => 2,
        Some(Signal::Quit) => 3,
        Some(Signal::Term) => 15,
        _ => 9,
    }
}

impl Sort for Turns {
    fn tick(&mut self, now: Instant, waker: &Waker) -> bool {
        self.now = Some(now);
        if self.hello.is_some() && now >= *self.greets.get_or_insert(now + GREETING) {
            self.shell.close(CloseReason::Stuck);
        }
        self.settle(now);
        self.begin(now);
        self.see_to(now, waker)
    }

    fn due(&self) -> Option<Instant> {
        if self.hello.is_some() {
            return self.greets;
        }
        let current = self.current.as_ref()?;
        match (&current.ended, &current.kill) {
            (Some(_), _) => None,
            (None, None) => current.deadline,
            (None, Some(_)) => current.stuck,
        }
    }

    fn input(&mut self) -> Option<Input> {
        self.input.take().map(Input::Data)
    }

    fn kills(&self) -> bool {
        self.replaces
    }

    fn again(&mut self, outcome: &Result<ExecSummary, Error>, now: Instant) -> Option<(Command, String)> {
        if !std::mem::take(&mut self.replaces) || self.shell.said().is_some() {
            return None;
        }
        let summary = outcome.as_ref().ok()?;
        if let Some(current) = &mut self.current {
            current.finish();
            self.shell.turn_over();
            self.end(summary.exit_code, ShellState::Replaced, now);
        }
        self.greet();
        Some((self.command.clone(), self.shell.random()))
    }

    fn output(&mut self, channel: Channel, data: Bytes, now: Instant) {
        if let Some(hello) = &mut self.hello {
            // What an image's shell says of itself before the first command is no command's, nor is what one says of jobs
            // that were killed.
            let late = &self.shell.live;
            hello.push(channel, data, &mut |piece| {
                let (Piece::Own(frame) | Piece::Late(frame)) = piece;
                late.push(frame.channel, frame.data);
            });
            if let Some((pid, kind)) = hello.hello() {
                self.shell.set_pid(pid);
                self.kind = kind;
                self.hello = None;
                self.begin(now);
            }
            return;
        }
        let Some(current) = &mut self.current else {
            self.shell.live.push(channel, data);
            return;
        };
        let (own, late) = (&current.turn.live, &self.shell.live);
        current.borders.push(channel, data, &mut |piece| match piece {
            Piece::Own(frame) => own.push(frame.channel, frame.data),
            Piece::Late(frame) => late.push(frame.channel, frame.data),
        });
        if current.ended.is_some() {
            return;
        }
        if let Some((code, flags)) = current.borders.ended() {
            self.flags = flags;
            let code = match code {
                0 | TOLD if flags.stopped => told(current.turn.live.told()),
                code => code,
            };
            current.ended = Some((code, now));
            self.settle(now);
        }
    }

    fn over(&mut self, outcome: &Result<ExecSummary, Error>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(hello) = &mut self.hello {
            let late = &self.shell.live;
            hello.finish(&mut |piece| {
                let (Piece::Own(frame) | Piece::Late(frame)) = piece;
                late.push(frame.channel, frame.data);
            });
        }
        if let Some(current) = &mut self.current {
            current.finish();
            let (turn, began) = (Arc::clone(&current.turn), current.began);
            let now = self.now.unwrap_or(began);
            match (current.ended, outcome, self.shell.said()) {
                // It had ended, and was only being signalled.
                (Some((code, at)), ..) => self.end(code, ShellState::Exited, at),
                // It ended with its shell, by itself or by its time limit.
                (None, Ok(summary), None | Some(CloseReason::Stuck)) => {
                    self.end(summary.exit_code, ShellState::Exited, now);
                }
                (None, Ok(_), Some(reason)) => turn.live.end(Err(Error::SessionClosed { reason })),
                (None, Err(error), _) => {
                    let reason = CloseReason::Failed(Box::new(error.clone()));
                    turn.live.end(Err(Error::SessionClosed { reason }));
                }
            }
        }
        self.shell.over(outcome);
    }
}
