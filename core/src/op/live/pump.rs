//! The operation in the background: follows one command to its end, and gives what it prints to whoever wants it.
//!
//! ```text
//! Following ──(the command's end, or an error)──► Done
//!    │  ▲ wishes, input, room
//!    └──(to be left, or its container is being ended)──► Away ──(the end of the stream, or told to hang up)──► Done
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::shared::{Input, Live, Wish};
use crate::command::Command;
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::op::exec::{END_OF_INPUT, Event, Exec};
use crate::op::{Need, Op, Step};
use crate::result::ExecSummary;

/// Events of one poll.
const BURST: usize = 64;
/// How long the connection of a command that is left is kept for the input that is on its way.
const PARTING: Duration = Duration::from_secs(2);

/// Follows one command to its end.
#[derive(Debug)]
pub(crate) struct Pump {
    live: Arc<Live>,
    exec: Exec,
    /// Once it is followed no more; until when at the latest.
    away: Option<Option<Instant>>,
    killed: bool,
}

impl Pump {
    /// `mark`: as [`Exec::new`] takes it.
    pub(crate) fn new(live: &Arc<Live>, command: Command, mark: String) -> Self {
        let id = live.origin.process.clone();
        let exec = Exec::new(&live.target, live.place.clone(), command, id, mark);
        Self {
            live: Arc::clone(live),
            exec,
            away: None,
            killed: false,
        }
    }

    /// Sends what was written, a piece at a time: what waits in the link is out of anyone's sight.
    fn feed(&self, link: &mut Link) {
        if !self.exec.takes_input() {
            return;
        }
        if link.failure().is_some() {
            self.live.refuse_input();
            return;
        }
        while !link.has_pending() {
            match self.live.take_input() {
                Some(Input::Data(data)) => link.send(data),
                Some(Input::End) if self.live.terminal => link.send(Bytes::from_static(END_OF_INPUT)),
                Some(Input::End) => return link.finish(),
                None => return,
            }
        }
    }

    /// Throws away what comes, until nothing more does or it is told to hang up.
    fn drain(until: Option<Instant>, wish: Wish, now: Instant, link: &mut Link) -> Step<()> {
        link.received().clear();
        let late = until.is_some_and(|until| now >= until);
        if !link.is_open() || link.is_eof() || late || wish == Wish::HangUp {
            link.hang_up();
            return Step::Done(());
        }
        Need::Wait { read: true, until }.into()
    }

    fn follow(&mut self, now: Instant, link: &mut Link) -> Option<Step<()>> {
        self.feed(link);
        let reads = self.live.orders(&link.waker()).reads;
        let step = self.exec.poll(now, link, reads);
        if self.exec.has_begun() {
            self.live.begin(self.exec.exec_id().unwrap_or_default());
        }
        let outcome = match step {
            Ok(Step::Done(Event::Output(channel, data))) => {
                self.live.push(channel, data);
                return None;
            }
            Ok(Step::Need(need)) => {
                self.feed(link); // it may just have begun to take some
                return Some(need.into());
            }
            Ok(Step::Done(Event::Ended(ended))) => Ok(ExecSummary {
                exit_code: ended.exit_code,
                duration: ended.duration,
                timed_out: ended.timed_out,
                killed: ended.killed,
                ..ExecSummary::default()
            }),
            Err(error) => Err(error),
        };
        self.live.end(outcome);
        Some(Step::Done(()))
    }
}

impl Op for Pump {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        for _ in 0..BURST {
            let wish = self.live.orders(&link.waker()).wish;
            if let Some(until) = self.away {
                return Ok(Self::drain(until, wish, now, link));
            }
            match wish {
                Wish::GoOn => {}
                Wish::Kill => {
                    if !std::mem::replace(&mut self.killed, true) && !self.exec.abandon() {
                        link.hang_up();
                        let message = "it was dropped before it was started".to_owned();
                        self.live.end(Err(ExecError::Lost { message }.into()));
                        return Ok(Step::Done(()));
                    }
                }
                // What is being killed is not left, and ends by itself.
                Wish::Leave if self.exec.is_being_killed() => {}
                Wish::Leave | Wish::Drain | Wish::HangUp => {
                    self.away = Some((wish == Wish::Leave).then(|| now + PARTING));
                    if wish == Wish::Leave {
                        self.feed_all(link);
                    }
                    if let Some(need) = self.exec.release(link) {
                        return Ok(need.into());
                    }
                    continue;
                }
            }
            if let Some(step) = self.follow(now, link) {
                return Ok(step);
            }
        }
        // Others have their turn.
        Ok(Need::Wait {
            read: false,
            until: Some(now),
        }
        .into())
    }

    /// Never dropped before its end but with its runtime: then nobody is left to be told.
    fn abandon(&mut self) -> bool {
        self.live.wish(Wish::Kill);
        true
    }
}

impl Pump {
    /// What was written reaches a command that is left.
    fn feed_all(&self, link: &mut Link) {
        if !self.exec.takes_input() {
            return;
        }
        while let Some(input) = self.live.take_input() {
            match input {
                Input::Data(data) => link.send(data),
                Input::End if self.live.terminal => link.send(Bytes::from_static(END_OF_INPUT)),
                Input::End => link.finish(),
            }
        }
    }
}

impl Drop for Pump {
    /// Whatever became of its driver, nobody waits for ever.
    fn drop(&mut self) {
        if !self.live.has_ended() && self.away.is_none() {
            let message = "what followed it was ended".to_owned();
            self.live.end(Err(ExecError::Lost { message }.into()));
        }
    }
}
