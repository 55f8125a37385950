//! Handing a turn to the shell of a session, and waiting for it.
//!
//! ```text
//!   ┌──(it is long, or has input)──► Storing: into a file of the container ──┐
//! Begin ◄────────────────────────────────────────────────────────────────────┘
//!   └──► Queued ──► Done
//! ```
//! Storing has no time of its own, however much there is, as long as the container takes it: it ends when none of it was
//! taken within the engine's limit for an answer.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::shared::Shell;
use super::turn::{Pending, TurnResult};
use crate::command::Command;
use crate::error::{CloseReason, Error};
use crate::link::Link;
use crate::op::live::over::quietly;
use crate::op::live::{Seat, Wish};
use crate::op::{Op, Run, Step, after_the_end, ready};
use crate::result::ExecResult;
use crate::session::Files;

/// Puts its input into a file that it prints the name of, which ends in `$1`.
const STORE: &str = r#"for d in /dev/shm /tmp "$TMPDIR" "$HOME" .; do
    f=$d/.pocket-dock-$1
    if (umask 077 && : >"$f") 2>/dev/null; then cat >"$f" && printf %s "$f" && exit 0; rm -f "$f"; exit 1; fi
done
exit 2"#;
/// Bash reads what it is sent a byte at a time: a longer command is put into a file first.
const SENT_BYTES: usize = 128 * 1024;

/// The way of a turn into the queue.
#[derive(Debug)]
pub(crate) struct Entry {
    shell: Arc<Shell>,
    turn: Arc<Pending>,
    /// What is still to be stored.
    text: Option<Bytes>,
    stdin: Option<Bytes>,
    files: Files,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    /// With how many bytes of it were left to be sent.
    Storing(Box<Run>, What, usize),
    Queued,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Text,
    Stdin,
}

impl Entry {
    /// `stdin`: what is stored for it first.
    pub(crate) fn new(shell: &Arc<Shell>, turn: &Arc<Pending>, stdin: Option<Bytes>) -> Self {
        let is_long = turn.text.len() > SENT_BYTES;
        Self {
            shell: Arc::clone(shell),
            turn: Arc::clone(turn),
            text: is_long.then(|| Bytes::copy_from_slice(turn.text.as_bytes())),
            stdin,
            files: Files::default(),
            state: State::Begin,
        }
    }

    /// What is to be stored next.
    fn store(&mut self) -> Option<State> {
        let (data, what, end) = match (self.text.take(), self.stdin.take()) {
            (Some(data), stdin) => {
                self.stdin = stdin;
                (data, What::Text, ".sh")
            }
            (None, Some(data)) => (data, What::Stdin, ""),
            (None, None) => return None,
        };
        let live = &self.shell.live;
        let file = format!("{}{end}", self.turn.id);
        let mut command = Command::argv(["/bin/sh", "-c", STORE, "pocket-dock", &file]).stdin(data);
        command.user.clone_from(&live.user);
        command.timeout = Some(live.target.answer_limit());
        let (id, mark) = (&self.turn.id, self.shell.random());
        let run = Run::new(&live.target, live.place.clone(), command, id.clone(), mark);
        Some(State::Storing(Box::new(run), what, 0))
    }

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin => match self.store() {
                    Some(storing) => storing,
                    None => {
                        self.shell.push(&self.turn, std::mem::take(&mut self.files))?;
                        self.turn.live.attended();
                        State::Queued
                    }
                },
                State::Storing(run, what, left) => {
                    let limit = self.shell.live.target.answer_limit();
                    if std::mem::replace(left, link.pending_bytes()) != link.pending_bytes() {
                        run.extend(now, limit);
                    }
                    let stored = ready!(run.poll(now, link));
                    link.hang_up();
                    if stored.timed_out {
                        let what = "store input";
                        return Err(Error::Deadline { what, limit });
                    }
                    let file = match what {
                        What::Text => &mut self.files.text,
                        What::Stdin => &mut self.files.stdin,
                    };
                    *file = Some(path(&stored)?);
                    State::Begin
                }
                State::Queued => return Ok(Step::Done(())),
            };
        }
    }

    /// Nobody waits for it any more. Whether there is something to wait for all the same: what was stored is removed by the
    /// shell, in its turn.
    fn abandon(&mut self) -> bool {
        let begun = !matches!(self.state, State::Begin);
        if begun {
            self.turn.live.wish(Wish::Kill);
            self.shell.live.nudge();
        }
        begun
    }
}

fn path(stored: &ExecResult) -> Result<String, Error> {
    let path = stored.stdout_text().into_owned();
    if stored.success() && !path.is_empty() {
        return Ok(path);
    }
    Err(Error::Misuse(format!(
        "the command, or its input, can be stored nowhere in the container: it needs a place that can be written to, \
         such as /tmp, and room there ({})",
        stored.stderr_text().trim()
    )))
}

/// Hands a command to a session, and waits for what it gives.
#[derive(Debug)]
pub struct SendAndWait {
    refused: Option<Error>,
    entry: Entry,
    seat: Seat,
}

impl SendAndWait {
    pub(crate) fn new(shell: &Arc<Shell>, turn: Pending, stdin: Option<Bytes>, checked: Result<(), Error>) -> Self {
        let turn = Arc::new(turn);
        Self {
            refused: checked.err(),
            seat: turn.live.seat(),
            entry: Entry::new(shell, &turn, stdin),
        }
    }
}

impl Op for SendAndWait {
    type Output = TurnResult;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<TurnResult>, Error> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        ready!(self.entry.poll(now, link));
        let Some(outcome) = self.seat.outcome(&link.waker()) else {
            return Ok(quietly(None));
        };
        let summary = outcome?;
        let turn = &self.entry.turn;
        let (stdout, stderr) = turn.live.take_gathered();
        Ok(Step::Done(TurnResult {
            exit_code: summary.exit_code,
            stdout,
            stderr,
            duration: summary.duration,
            timed_out: summary.timed_out,
            killed: summary.killed,
            shell: turn.shell(),
        }))
    }

    fn abandon(&mut self) -> bool {
        self.entry.abandon()
    }
}

/// Hands a command to a session, and gives a handle of it once it has begun.
pub struct StartTurn<T> {
    refused: Option<Error>,
    entry: Entry,
    seat: Seat,
    handle: Option<T>,
}

impl<T> StartTurn<T> {
    pub(crate) fn new(
        shell: &Arc<Shell>,
        turn: Pending,
        stdin: Option<Bytes>,
        checked: Result<(), Error>,
        handle: T,
    ) -> Self {
        let turn = Arc::new(turn);
        Self {
            refused: checked.err(),
            seat: turn.live.seat(),
            entry: Entry::new(shell, &turn, stdin),
            handle: Some(handle),
        }
    }
}

impl<T: Send + Unpin + 'static> Op for StartTurn<T> {
    type Output = T;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<T>, Error> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        ready!(self.entry.poll(now, link));
        match self.seat.beginning(&link.waker()) {
            None => Ok(quietly(None)),
            Some(begun) => {
                begun?;
                self.handle.take().map(Step::Done).ok_or_else(after_the_end)
            }
        }
    }

    /// What was begun ends with the handle.
    fn abandon(&mut self) -> bool {
        let queued = matches!(self.entry.state, State::Queued);
        self.entry.abandon() && !queued
    }
}

impl<T> fmt::Debug for StartTurn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartTurn")
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

/// Ends a session and waits until it has.
#[derive(Debug)]
pub struct Closing {
    shell: Arc<Shell>,
    seat: Seat,
    begun: bool,
}

impl Closing {
    pub(crate) fn new(shell: &Arc<Shell>) -> Self {
        Self {
            shell: Arc::clone(shell),
            seat: shell.live.seat(),
            begun: false,
        }
    }
}

impl Op for Closing {
    type Output = ();

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        if !std::mem::replace(&mut self.begun, true) {
            self.shell.close(CloseReason::ByCaller);
        }
        // However it ended, it has.
        match self.seat.outcome(&link.waker()) {
            Some(_) => Ok(Step::Done(())),
            None => Ok(quietly(None)),
        }
    }

    fn abandon(&mut self) -> bool {
        self.begun
    }
}
