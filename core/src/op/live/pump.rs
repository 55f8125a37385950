//! The operation in the background: follows one command to its end, and gives what it prints to whoever wants it.
//!
//! ```text
//! Following ──(the command's end, or an error)──► Done
//!    │  ▲ wishes, input, room
//!    └──(to be left, or its container is being ended)──► Away ──(the end of the stream, or told to hang up)──► Done
//! ```

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::shared::{Input, Live, Wish};
use crate::command::Command;
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::op::exec::{END_OF_INPUT, Event, Exec};
use crate::op::{Need, Op, Step};
use crate::result::ExecSummary;
use crate::stream::Channel;

/// Events of one poll.
const BURST: usize = 64;
/// How long the connection of a command that is left is kept for the input that is on its way.
const PARTING: Duration = Duration::from_secs(2);

/// What becomes of what a command prints, and what it is sent.
pub(crate) trait Sort: std::fmt::Debug + Send + Unpin + 'static {
    /// Before anything else, each time. Whether output is wanted; the waker is woken when that changes.
    fn tick(&mut self, _: Instant, _: &Waker) -> bool {
        true
    }

    /// When to look again at the latest.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// What is to be sent next.
    fn input(&mut self) -> Option<Input>;

    fn output(&mut self, channel: Channel, data: Bytes, now: Instant);

    /// Whether what is followed is to be killed, and then [begun again](Self::again).
    fn kills(&self) -> bool {
        false
    }

    /// What is to be followed instead, now that this has ended: a command, and a mark as [`Exec::new`] takes it.
    fn again(&mut self, _: &Result<ExecSummary, Error>, _: Instant) -> Option<(Command, String)> {
        None
    }

    /// Nothing more will come. Called before its end is told to anyone.
    fn over(&mut self, _: &Result<ExecSummary, Error>) {}
}

/// All of it goes to the reader of the command, and comes from its writer.
#[derive(Debug)]
pub(crate) struct Plain(Arc<Live>);

impl Sort for Plain {
    fn input(&mut self) -> Option<Input> {
        self.0.take_input()
    }

    fn output(&mut self, channel: Channel, data: Bytes, _: Instant) {
        self.0.push(channel, data);
    }
}

/// Follows one command to its end.
#[derive(Debug)]
pub(crate) struct Pump<S: Sort> {
    live: Arc<Live>,
    sort: S,
    exec: Exec,
    /// Once it is followed no more; until when at the latest.
    away: Option<Option<Instant>>,
    killed: bool,
}

impl Pump<Plain> {
    /// `mark`: as [`Exec::new`] takes it.
    pub(crate) fn new(live: &Arc<Live>, command: Command, mark: String) -> Self {
        Self::sorted(live, command, mark, Plain(Arc::clone(live)))
    }
}

impl<S: Sort> Pump<S> {
    pub(crate) fn sorted(live: &Arc<Live>, command: Command, mark: String, sort: S) -> Self {
        let id = live.origin.process.clone();
        let exec = Exec::new(&live.target, live.place.clone(), command, id, mark);
        Self {
            live: Arc::clone(live),
            sort,
            exec,
            away: None,
            killed: false,
        }
    }

    /// Sends what was written, a piece at a time: what waits in the link is out of anyone's sight.
    fn feed(&mut self, link: &mut Link) {
        if !self.exec.takes_input() {
            return;
        }
        if link.failure().is_some() {
            self.live.refuse_input();
            return;
        }
        while !link.has_pending() {
            match self.sort.input() {
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
        let waker = link.waker();
        let wanted = self.sort.tick(now, &waker);
        if self.sort.kills() && !std::mem::replace(&mut self.killed, true) {
            self.exec.abandon();
        }
        self.feed(link);
        let reads = wanted && self.live.orders(&waker).reads;
        let step = self.exec.poll(now, link, reads);
        if self.exec.has_begun() {
            self.live.begin(self.exec.exec_id().unwrap_or_default());
        }
        let outcome = match step {
            Ok(Step::Done(Event::Output(channel, data))) => {
                self.sort.output(channel, data, now);
                return None;
            }
            Ok(Step::Need(need)) => {
                self.feed(link); // it may just have begun to take some
                return Some(need.by(self.sort.due()).into());
            }
            Ok(Step::Done(Event::Ended(ended))) => Ok(ExecSummary {
                exit_code: ended.exit_code,
                duration: ended.duration,
                timed_out: ended.timed_out,
                killed: ended.killed,
                out_of_memory: ended.out_of_memory,
                ..ExecSummary::default()
            }),
            Err(error) => Err(error),
        };
        if let Some((command, mark)) = self.sort.again(&outcome, now) {
            link.hang_up();
            let (live, id) = (&self.live, self.live.origin.process.clone());
            self.exec = Exec::new(&live.target, live.place.clone(), command, id, mark);
            self.killed = false;
            return None;
        }
        self.end(outcome);
        Some(Step::Done(()))
    }

    fn end(&mut self, outcome: Result<ExecSummary, Error>) {
        self.sort.over(&outcome);
        self.live.end(outcome);
    }
}

impl<S: Sort> Op for Pump<S> {
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
                        self.end(Err(ExecError::Lost { message }.into()));
                        return Ok(Step::Done(()));
                    }
                }
                // What is being killed is not left, and ends by itself.
                Wish::Leave if self.exec.is_being_killed() => {}
                Wish::Leave | Wish::Drain | Wish::HangUp => {
                    self.away = Some((wish == Wish::Leave).then(|| now + PARTING));
                    if let Some(outcome) = self.live.outcome() {
                        self.sort.over(&outcome);
                    }
                    if wish == Wish::Leave {
                        self.feed_all(link);
                        self.live.let_go();
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

impl<S: Sort> Pump<S> {
    /// What was written reaches a command that is left.
    fn feed_all(&mut self, link: &mut Link) {
        if !self.exec.takes_input() {
            return;
        }
        while let Some(input) = self.sort.input() {
            match input {
                Input::Data(data) => link.send(data),
                Input::End if self.live.terminal => link.send(Bytes::from_static(END_OF_INPUT)),
                Input::End => link.finish(),
            }
        }
    }
}

impl<S: Sort> Drop for Pump<S> {
    /// Whatever became of its driver, nobody waits for ever.
    fn drop(&mut self) {
        if !self.live.has_ended() && self.away.is_none() {
            let message = "what followed it was ended".to_owned();
            self.end(Err(ExecError::Lost { message }.into()));
        }
    }
}
