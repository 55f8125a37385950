//! The stream of a command, and when the engine is asked about one that has no marks.
//!
//! What a direct command leaves behind may keep its output open, and may go on printing. So the engine is asked every
//! second, however much is printed; and once the command has ended, what is left in the pipes is waited for until they
//! are quiet, or for two seconds.

use std::time::{Duration, Instant};

use super::super::Need;
use super::super::call::Answer;
use super::after::{self, Asking};
use super::{Exec, Next, PATIENCE, QUIET, State, verdict};
use crate::engine_api::{exec, json};
use crate::error::{Error, ExecError, SocketError};
use crate::link::Link;
use crate::stream::{Channel, Demux};

/// How often it is asked whether a direct command still runs, after the first time.
const EVERY: Duration = Duration::from_secs(1);
/// How long output is taken in behind the end of a direct command that left something chatty behind.
const GRACE: Duration = Duration::from_secs(2);

/// The output of a command as it comes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) demux: Demux,
    pub(super) watch: Watch,
}

impl Stream {
    pub(super) fn take(&mut self) -> Self {
        Self {
            demux: std::mem::replace(&mut self.demux, Demux::raw()),
            watch: self.watch,
        }
    }
}

/// When to look after a direct command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    due: Instant,
    /// Once it has ended: when the wait for the rest of its output ends, whatever comes.
    last: Option<Instant>,
    /// Whether it was looked for more since it is due.
    looked: bool,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        let due = now + QUIET;
        Self {
            due,
            last: None,
            looked: false,
        }
    }

    /// The engine was asked about the exec. Whether it runs: an engine that is still to start it knows no process of it.
    pub(super) fn heard(&mut self, answer: &Answer, now: Instant) -> bool {
        let exec: Option<exec::Inspected> = json("inspect exec", &answer.body).ok();
        let exec = exec.filter(|_| answer.is_success());
        let over = exec.as_ref().is_some_and(|exec| !exec.running);
        if over {
            self.last = Some(now + GRACE);
        }
        let runs = exec.is_some_and(|exec| exec.running && exec.pid != 0);
        self.due = now + if over || !runs { QUIET } else { EVERY };
        runs
    }

    /// Something came.
    pub(super) fn printed(&mut self, now: Instant) {
        if let Some(last) = self.last {
            self.due = last.min(now + QUIET);
            self.looked &= self.due <= now;
        }
    }

    /// Nobody reads, so what waits may be the command's own, however long that is.
    fn hold(&mut self, now: Instant) {
        self.last = Some(now + GRACE);
        self.due = now + QUIET;
    }

    fn looks_again(&mut self) -> bool {
        !std::mem::replace(&mut self.looked, true)
    }

    pub(super) fn knows_the_end(&self) -> bool {
        self.last.is_some()
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }
}

impl Exec {
    /// Takes one frame, if there is one, and sees whether the command has ended.
    pub(super) fn stream(
        &mut self,
        stream: &mut Stream,
        now: Instant,
        link: &mut Link,
        reads: bool,
    ) -> Result<Next, Error> {
        let eof = link.is_eof() && reads;
        let next = if reads {
            stream.demux.next(link.received(), eof)
        } else {
            Ok(None)
        };
        let frame = match next {
            Ok(frame) => frame,
            Err(source) => {
                let error = match link.failure() {
                    Some(why) => SocketError::Broken {
                        what: "read output",
                        why,
                    }
                    .into(),
                    None => Error::protocol("read output", source),
                };
                return self.give_up(now, link, error);
            }
        };
        let more = frame.is_some();
        if let Some(frame) = frame {
            stream.watch.printed(now);
            self.printed |= frame.channel == Channel::Stdout && self.command.tty.is_none();
            self.marks.push(frame, !self.is_unmarked());
            self.begun |= self.marks.is_believed();
            if let Some(code) = self.marks.code() {
                link.hang_up();
                let (code, out_of_memory) = match verdict::of_marks(&self.command, &code) {
                    // No supervisor of ours says so, and the command may run.
                    Err(error @ Error::Exec(ExecError::Lost { .. })) => return self.give_up(now, link, error),
                    code => code?,
                };
                return Ok(Next::To(State::Exited(code, self.ran(now), out_of_memory)));
            }
        } else if eof {
            return self.inquire(now, link);
        }
        if self.is_late(now) {
            return self.kill(now, link).map(Next::To);
        }
        if self.is_unmarked() && stream.watch.is_due(now) && stream.watch.knows_the_end() {
            if !reads {
                stream.watch.hold(now);
            } else if stream.watch.looks_again() {
                // What came while this machine was busy elsewhere has not been read yet.
                return Ok(Next::Stay(Need::Wait {
                    read: true,
                    until: Some(now),
                }));
            } else {
                return self.inquire(now, link); // something it left behind keeps the output open
            }
        } else if self.is_unmarked() && stream.watch.is_due(now) {
            let left = self.deadline().map(|deadline| deadline.saturating_duration_since(now));
            let limit = left.into_iter().chain([self.target.answer_limit()]).min();
            let call = after::inspect(&self.target, &self.exec)?.within(limit.unwrap_or_default());
            return Ok(Next::Via(State::Aside(Some(stream.take()), call), Need::Swap));
        }
        if more {
            return Ok(Next::Again);
        }
        let look = self.is_unmarked().then(|| stream.watch.due());
        let until = self.deadline().into_iter().chain(look).min();
        Ok(Next::Stay(Need::Wait { read: reads, until }))
    }

    /// Nothing more comes, or nothing more of what comes is the command's.
    fn inquire(&mut self, now: Instant, link: &mut Link) -> Result<Next, Error> {
        // Without a supervisor, a program may close its output and run on.
        let patience = if self.is_unmarked() && link.failure().is_none() {
            None
        } else {
            Some(PATIENCE)
        };
        link.hang_up();
        self.marks.finish();
        let asking = Asking::new(&self.target, &self.exec, patience, now)?;
        Ok(Next::To(State::Inspect(asking)))
    }
}
