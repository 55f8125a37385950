//! Gives the shell of a session one command after the other, and takes apart what it says.
//!
//! ```text
//! Idle ──(a turn waits)──► Running ──(both borders)──────────────────────────► Idle
//!                             │ time over, or dropped                             ▲
//!                             ▼                                                   │
//!                          Ending: its processes are killed ──(both borders)──────┘
//!                             └──(the shell does not come back)──► the session is closed
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::kill::KillTurn;
use super::shared::Shell;
use super::turn::Pending;
use crate::error::{CloseReason, Error};
use crate::op::live::{Input, Sort, Wish};
use crate::op::{KillReport, after};
use crate::result::ExecSummary;
use crate::session::{Borders, Flags, HELLO, Piece, pid, turn};
use crate::signal::Signal;
use crate::stream::Channel;

/// How long a shell is given to come back once the processes of its command are killed.
const STUCK: Duration = Duration::from_secs(5);

/// What a kill in the background found.
pub(super) type Report = Arc<Mutex<Option<KillReport>>>;

/// The turns of one session.
#[derive(Debug)]
pub(crate) struct Turns {
    shell: Arc<Shell>,
    input: Option<Bytes>,
    flags: Flags,
    current: Option<Current>,
    /// Finds the shell's process id behind the first line.
    hello: Option<Borders>,
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
}

impl Turns {
    /// `id`: 32 hex digits that the container cannot guess.
    pub(crate) fn new(shell: &Arc<Shell>, id: &str) -> Self {
        Self {
            shell: Arc::clone(shell),
            input: Some(HELLO.replace("ID", id).into()),
            flags: Flags::default(),
            current: None,
            hello: Some(Borders::new(id)),
            over: false,
            now: None,
        }
    }

    fn begin(&mut self, now: Instant) {
        while self.current.is_none() && self.hello.is_none() && self.input.is_none() {
            let Some((pending, stdin)) = self.shell.next() else {
                return;
            };
            if pending.live.orders(Waker::noop()).wish > Wish::GoOn {
                self.shell.turn_over();
                pending
                    .live
                    .end(Err(Error::misuse("the turn was dropped before it began")));
                continue;
            }
            let line = turn(&pending.id, &pending.text, self.flags, stdin.as_deref());
            self.input = Some(line.into());
            pending.live.begin("");
            self.current = Some(Current {
                borders: Borders::new(&pending.id),
                began: now,
                deadline: pending.timeout.map(|limit| after(now, limit)),
                timed_out: false,
                kill: None,
                stuck: None,
                turn: pending,
            });
        }
    }

    /// Sees to a turn that is to end.
    fn see_to(&mut self, now: Instant, waker: &Waker) -> bool {
        let Some(current) = &mut self.current else { return true };
        let orders = current.turn.live.orders(waker);
        let late = current.deadline.is_some_and(|deadline| now >= deadline);
        if current.kill.is_none() && (late || orders.wish > Wish::GoOn) {
            current.timed_out = late;
            let report = Report::default();
            let kill = KillTurn::new(&self.shell, &current.turn, Signal::Kill, Some(Arc::clone(&report)));
            current.kill = Some(report);
            self.shell.attend(kill);
        }
        if let Some(report) = &current.kill {
            let known = report.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            if known && now >= *current.stuck.get_or_insert(now + STUCK) {
                self.shell.close(CloseReason::Stuck);
            }
        }
        orders.reads || current.kill.is_some()
    }

    fn end(&mut self, code: i32, exited: bool, now: Instant) {
        let Some(current) = self.current.take() else { return };
        if exited {
            current.turn.exit();
        }
        self.shell.turn_over();
        let killed = current
            .kill
            .and_then(|report| report.lock().unwrap_or_else(PoisonError::into_inner).clone());
        current.turn.live.end(Ok(ExecSummary {
            exit_code: code,
            duration: now.saturating_duration_since(current.began),
            timed_out: current.timed_out,
            killed,
            ..ExecSummary::default()
        }));
    }
}

impl Sort for Turns {
    fn tick(&mut self, now: Instant, waker: &Waker) -> bool {
        self.now = Some(now);
        self.begin(now);
        self.see_to(now, waker)
    }

    fn due(&self) -> Option<Instant> {
        let current = self.current.as_ref()?;
        match current.kill {
            None => current.deadline,
            Some(_) => current.stuck,
        }
    }

    fn input(&mut self) -> Option<Input> {
        self.input.take().map(Input::Data)
    }

    fn output(&mut self, channel: Channel, data: Bytes, now: Instant) {
        if let Some(hello) = &mut self.hello {
            // What an image's shell says of itself before the first command is no command's.
            let late = &self.shell.live;
            hello.push(channel, data, &mut |piece| {
                let (Piece::Own(frame) | Piece::Late(frame)) = piece;
                late.push(frame.channel, frame.data);
            });
            if let Some(found) = hello.words() {
                self.shell.set_pid(pid(&found));
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
        if let Some((code, flags)) = current.borders.ended() {
            self.flags = flags;
            self.end(code, false, now);
            self.begin(now);
        }
    }

    fn over(&mut self, outcome: &Result<ExecSummary, Error>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(current) = &mut self.current {
            let own = &current.turn.live;
            current.borders.finish(&mut |piece| {
                let (Piece::Own(frame) | Piece::Late(frame)) = piece;
                own.push(frame.channel, frame.data);
            });
            let (turn, began) = (Arc::clone(&current.turn), current.began);
            match (outcome, self.shell.said()) {
                // It ended with its shell, by itself or by its time limit.
                (Ok(summary), None | Some(CloseReason::Stuck)) => {
                    self.end(summary.exit_code, true, self.now.unwrap_or(began));
                }
                (Ok(_), Some(reason)) => turn.live.end(Err(Error::SessionClosed { reason })),
                (Err(error), _) => {
                    let reason = CloseReason::Failed(Box::new(error.clone()));
                    turn.live.end(Err(Error::SessionClosed { reason }));
                }
            }
        }
        self.shell.over(outcome);
    }
}
