//! One command, from the creation of its exec to its end, with its output as it comes: the sub-machine of every call that
//! runs something.
//!
//! ```text
//! Create ──► Start ──► Stream ──(both marks)─────────────► Exited
//!              │          ├──(end of the stream, no mark)─► Inspect ──► Exited | Create, directly
//!              │          │      it may have ended with its container ──► Look ──► Exited | Err
//!              │          └──(deadline, or stop)──► Kill ─► Killed
//!              └──(abandoned)────────────► Kill
//! ```
//! From the start on, no way out but `Exited` leaves the command running: its deadline counts also while the engine is
//! asked, and an error is told after the kill. Only the creation of the exec, which starts nothing, is bounded by the
//! engine's own limit alone.
//!
//! The command runs under a small shell script that says on both streams that it has begun and that it has ended, so a
//! child in the background that keeps the output open is not waited for, and an engine that could not start it is not
//! taken for its output. An image without a shell has its programs started directly; then the end of the stream is the
//! end, and while it is quiet the engine is asked over a second connection.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::call::Call;
use super::kill_tree::{KillReport, KillTree};
use super::{Need, Op as _, Step};
use crate::command::Command;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, exec, json};
use crate::error::Error;
use crate::link::Link;
use crate::stream::{Channel, Demux};

mod after;
mod aside;
mod form;
mod marks;
mod verdict;
pub(crate) use after::Place;
use after::{Asking, Looking};
use aside::{Stream, Watch};
use form::Form;
use marks::Marks;

/// How long something is left alone before the engine is asked about it.
const QUIET: Duration = Duration::from_millis(250);
/// How long a command may run behind the end of its output, where that cannot be its own doing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The end of the input, as a terminal is told it.
pub(crate) const END_OF_INPUT: &[u8] = b"\x04";

/// What a command does.
#[derive(Debug)]
pub(crate) enum Event {
    /// It wrote something. At least one byte.
    Output(Channel, Bytes),
    /// It has ended, and all its output was given out.
    Ended(Ended),
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// 128 and the signal's number if a signal ended it.
    pub(crate) exit_code: i32,
    pub(crate) duration: Duration,
    /// Whether its time was over.
    pub(crate) timed_out: bool,
    /// What became of its processes, if they were killed.
    pub(crate) killed: Option<KillReport>,
    /// Whether the kernel killed anything in its container meanwhile for want of memory, as far as that is known.
    pub(crate) out_of_memory: Option<bool>,
}

/// One command, from the creation of its exec to its end.
#[derive(Debug)]
pub(crate) struct Exec {
    target: Target,
    place: Place,
    command: Command,
    id: String,
    mark: String,
    exec: String,
    direct: bool,
    /// Whether it is certain that the command runs, as far as its marks do not tell.
    begun: bool,
    /// Whether anything came on stdout. What Podman says of a start that failed comes on stderr.
    printed: bool,
    marks: Marks,
    started: Option<Instant>,
    state: State,
    abandoned: bool,
    /// Told once the command is killed.
    failure: Option<Error>,
}

#[derive(Debug)]
enum State {
    Begin,
    Create(Call),
    Start(Call),
    Stream(Stream),
    /// The stream is set aside while the engine is asked whether a direct command still runs.
    Aside(Option<Stream>, Call),
    /// The stream is back; nothing more is wanted of it if there is none.
    Back(Option<Stream>),
    /// The stream is over, and the exec asked about.
    Inspect(Asking),
    Look(Looking),
    /// With its exit code, how long it ran, and whether anything was killed for want of memory meanwhile.
    Exited(i32, Duration, Option<bool>),
    Kill(Box<KillTree>, Duration),
}

/// What a state leads to.
enum Next {
    To(State),
    Via(State, Need),
    Stay(Need),
    Again,
    Done(Ended),
}

impl Exec {
    /// `id`: what its processes are found by, in their environment. `mark`: what its supervisor marks its end with. Each
    /// is 32 lower-case hex digits that the container cannot guess, and neither tells the other.
    pub(crate) fn new(target: &Target, place: Place, command: Command, id: String, mark: String) -> Self {
        Self {
            target: target.clone(),
            place,
            command,
            marks: Marks::new(&mark),
            id,
            mark,
            exec: String::new(),
            direct: false,
            begun: false,
            printed: false,
            started: None,
            state: State::Begin,
            abandoned: false,
            failure: None,
        }
    }

    /// Whether it runs, or has run.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun || self.marks.has_begun()
    }

    /// The id of its exec on the engine, once there is one.
    pub(crate) fn exec_id(&self) -> Option<&str> {
        Some(self.exec.as_str()).filter(|id| !id.is_empty())
    }

    /// Whether what is sent now is its input.
    pub(crate) fn takes_input(&self) -> bool {
        matches!(self.state, State::Stream(_))
    }

    pub(crate) fn is_being_killed(&self) -> bool {
        matches!(self.state, State::Kill(..))
    }

    /// Its output is of no interest any more, nor is its end: from now on the connection is the caller's to drain and to
    /// close. It may have to be exchanged before that.
    pub(crate) fn release(&mut self, link: &mut Link) -> Option<Need> {
        match std::mem::replace(&mut self.state, State::Begin) {
            State::Stream(_) | State::Back(_) => None,
            State::Aside(..) => {
                link.hang_up();
                Some(Need::Swap)
            }
            _ => {
                link.hang_up();
                None
            }
        }
    }

    /// `reads`: whether output is wanted. Where it is not, it stays where it is, and the command is held up.
    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link, reads: bool) -> Result<Step<Event>, Error> {
        if self.abandoned {
            match self.state {
                State::Aside(..) => {
                    link.hang_up();
                    self.state = State::Back(None);
                    return Ok(Need::Swap.into());
                }
                State::Stream(_) | State::Back(_) | State::Inspect(_) | State::Look(_) => {
                    self.state = self.kill(now, link)?;
                }
                _ => {}
            }
        }
        loop {
            if let Some((channel, data)) = self.marks.pop() {
                return Ok(Step::Done(Event::Output(channel, data)));
            }
            let mut state = std::mem::replace(&mut self.state, State::Begin);
            match self.go_on(&mut state, now, link, reads)? {
                Next::To(next) => self.state = next,
                Next::Again => self.state = state,
                Next::Stay(need) => {
                    self.state = state;
                    return Ok(need.into());
                }
                Next::Via(next, need) => {
                    self.state = next;
                    return Ok(need.into());
                }
                Next::Done(ended) => return Ok(Step::Done(Event::Ended(ended))),
            }
        }
    }

    /// Nobody waits for it any more. Whether it must be polled on until it has ended.
    pub(crate) fn abandon(&mut self) -> bool {
        self.abandoned = true;
        match &self.state {
            State::Begin | State::Create(_) | State::Exited(..) => false,
            State::Start(call) => call.is_sent(),
            State::Stream(_) | State::Aside(..) | State::Back(_) => true,
            State::Inspect(_) | State::Look(_) | State::Kill(..) => true,
        }
    }

    fn subject(&self) -> Subject {
        Subject::Exec {
            container: self.place.name.clone(),
            user: self.command.user.clone(),
        }
    }

    fn create(&self) -> Result<State, Error> {
        form::create(
            &self.target,
            &self.place.id,
            &self.command,
            &self.id,
            &self.mark,
            self.direct,
        )
        .map(State::Create)
    }

    /// The head of the start was read: only now may input be sent.
    fn feed(&self, link: &mut Link) {
        if let Some(code) = Form::of(&self.command).code {
            link.send(Bytes::copy_from_slice(code.as_bytes()));
        }
        if let Some(stdin) = &self.command.stdin {
            link.send(stdin.clone());
        }
        if self.command.keep_stdin_open {
            return;
        }
        if self.command.tty.is_none() {
            link.finish();
            return;
        }
        // Podman loses the output of a command that ends while it is sent something: nothing is sent unasked.
        let Some(stdin) = &self.command.stdin else {
            return;
        };
        // In the middle of a line, a terminal takes the first for the end of the line.
        if !stdin.is_empty() && !stdin.ends_with(b"\n") {
            link.send(Bytes::from_static(END_OF_INPUT));
        }
        link.send(Bytes::from_static(END_OF_INPUT));
    }

    /// It may run for so long from now on.
    pub(crate) fn extend(&mut self, now: Instant, limit: Duration) {
        self.command.timeout = Some(self.ran(now).saturating_add(limit));
    }

    fn deadline(&self) -> Option<Instant> {
        self.started?.checked_add(self.command.timeout?)
    }

    /// Whether no marks are to be expected of it.
    fn is_unmarked(&self) -> bool {
        self.direct || self.command.tty.is_some()
    }

    fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    fn ran(&self, now: Instant) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| now.saturating_duration_since(started))
    }

    fn kill(&mut self, now: Instant, link: &mut Link) -> Result<State, Error> {
        link.hang_up(); // an unread stream would hold the engine up
        self.marks.finish();
        self.marks.believe();
        // Engines say that they started a command before they did.
        let patient = !self.marks.has_begun();
        let user = self.command.user.as_deref();
        let kill = KillTree::new(
            &self.target,
            &self.place.id,
            &self.id,
            user,
            crate::signal::Signal::Kill,
            patient,
        )?;
        Ok(State::Kill(Box::new(kill), self.ran(now)))
    }

    /// What the engine says makes no sense any more, and the command may run: it is killed before the error is told.
    fn give_up(&mut self, now: Instant, link: &mut Link, error: Error) -> Result<Next, Error> {
        self.failure = Some(error);
        self.kill(now, link).map(Next::To)
    }

    fn go_on(&mut self, state: &mut State, now: Instant, link: &mut Link, reads: bool) -> Result<Next, Error> {
        macro_rules! poll {
            ($op:expr) => {
                match $op.poll(now, link)? {
                    Step::Done(value) => value,
                    Step::Need(need) => return Ok(Next::Stay(need)),
                }
            };
        }
        Ok(match state {
            State::Begin => {
                self.command.check()?;
                Next::To(self.create()?)
            }
            State::Create(call) => {
                let answer = poll!(call);
                if !answer.is_success() {
                    return Err(refusal::refused("create exec", &self.subject(), &answer));
                }
                let created: container::CreatedAnswer = json("create exec", &answer.body)?;
                self.exec = created.id;
                Next::To(State::Start(Call::new(
                    "start exec",
                    &self.target,
                    &exec::start(&self.exec, self.command.tty)?,
                )))
            }
            State::Start(call) => {
                self.started.get_or_insert(now);
                let answer = match call.poll(now, link) {
                    Ok(Step::Done(answer)) => answer,
                    // A command may run before the engine says so.
                    Ok(Step::Need(_)) if call.is_sent() && self.is_late(now) => {
                        return self.kill(now, link).map(Next::To);
                    }
                    Ok(Step::Need(need)) => return Ok(Next::Stay(need.by(self.deadline()))),
                    Err(error) if call.is_sent() => return self.give_up(now, link, error),
                    Err(error) => return Err(error),
                };
                if !answer.upgraded {
                    let error = refusal::refused("start exec", &self.subject(), &answer);
                    if answer.status() != 404 {
                        return Err(error);
                    }
                    // The container ended a moment ago; perhaps it is gone.
                    return Looking::new(&self.target, &self.place, Err(error)).map(|look| Next::To(State::Look(look)));
                }
                self.feed(link);
                let demux = if self.command.tty.is_some() {
                    Demux::raw()
                } else {
                    Demux::new(self.target.limits())
                };
                let watch = Watch::new(now);
                Next::To(State::Stream(Stream { demux, watch }))
            }
            State::Stream(stream) => return self.stream(stream, now, link, reads),
            State::Aside(stream, call) => {
                let late = self.is_late(now);
                let answer = match call.poll(now, link) {
                    Ok(Step::Done(answer)) => answer,
                    Ok(Step::Need(need)) if !late => return Ok(Next::Stay(need)),
                    Err(error) if !late => {
                        self.failure = Some(error);
                        link.hang_up();
                        return Ok(Next::Via(State::Back(None), Need::Swap));
                    }
                    _ => {
                        link.hang_up();
                        return Ok(Next::Via(State::Back(None), Need::Swap));
                    }
                };
                link.hang_up();
                let mut stream = stream.take();
                if stream.as_mut().is_some_and(|stream| stream.watch.heard(&answer, now)) {
                    self.begun = true;
                    self.marks.believe();
                }
                Next::Via(State::Back(stream), Need::Swap)
            }
            State::Back(stream) => match stream.take() {
                Some(stream) => Next::To(State::Stream(stream)),
                None => Next::To(self.kill(now, link)?),
            },
            State::Inspect(asking) => {
                let deadline = self.deadline().map(|deadline| deadline.max(asking.fair()));
                let found = match asking.poll(now, link) {
                    Ok(Step::Done(found)) => found,
                    Ok(_) | Err(_) if deadline.is_some_and(|deadline| now >= deadline) => {
                        return self.kill(now, link).map(Next::To);
                    }
                    Ok(Step::Need(need)) => return Ok(Next::Stay(need.by(deadline))),
                    Err(error) => return self.give_up(now, link, error),
                };
                return self.judge(&found, now, link);
            }
            State::Look(looking) => match looking.poll(now, link) {
                Ok(Step::Need(need)) => Next::Stay(need),
                Ok(Step::Done(Ok(code))) => Next::To(State::Exited(code, self.ran(now), None)),
                // With its container it has ended.
                Ok(Step::Done(Err(error @ Error::Container(_)))) => return Err(error),
                Ok(Step::Done(Err(error))) | Err(error) => return self.give_up(now, link, error),
            },
            State::Exited(exit_code, duration, out_of_memory) => Next::Done(Ended {
                exit_code: *exit_code,
                duration: *duration,
                timed_out: false,
                killed: None,
                out_of_memory: *out_of_memory,
            }),
            State::Kill(kill, ran) => {
                let report = match kill.poll(now, link) {
                    Ok(Step::Need(need)) => return Ok(Next::Stay(need)),
                    Ok(Step::Done(report)) => report,
                    Err(error) => KillReport {
                        unknown: Some(error.to_string()),
                        ..KillReport::default()
                    },
                };
                if let Some(error) = self.failure.take() {
                    return Err(error);
                }
                Next::Done(Ended {
                    exit_code: 137,
                    duration: *ran,
                    timed_out: !self.abandoned,
                    killed: Some(report),
                    out_of_memory: None,
                })
            }
        })
    }
}
