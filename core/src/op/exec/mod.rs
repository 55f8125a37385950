//! One command, from the creation of its exec to its end, with its output as it comes: the sub-machine of every call that
//! runs something.
//!
//! ```text
//! Create ──► Start ──► Stream ──(both marks)─────────────► Exited
//!              │          ├──(end of the stream, no mark)─► Inspect ──► Exited | Direct
//!              │          └──(deadline, or stop)──► Kill ─► Killed
//!              └──(abandoned)────────────► Kill
//! ```
//! The command runs under a small shell script that says on both streams that it has begun and that it has ended, so a
//! child in the background that keeps the output open is not waited for, and an engine that could not start it is not
//! taken for its output. An image without a shell has its programs started directly; then the end of the stream is the
//! end, and while it is quiet the engine is asked over a second connection.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ask::after_the_end;
use super::call::Call;
use super::kill_tree::{KillReport, KillTree};
use super::{Need, Op as _, Step};
use crate::command::Command;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{EngineKind, Target, container, exec, json};
use crate::error::Error;
use crate::link::Link;
use crate::stream::{Channel, Demux};

mod form;
mod marks;
mod verdict;
use form::Form;
use marks::Marks;
use verdict::{Said, Verdict};

/// How long a direct exec may be quiet before the engine is asked whether it still runs.
const QUIET: Duration = Duration::from_millis(250);

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
}

/// One command, from the creation of its exec to its end.
#[derive(Debug)]
pub(crate) struct Exec {
    target: Target,
    container: String,
    command: Command,
    id: String,
    exec: String,
    direct: bool,
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
    Stream {
        demux: Demux,
        look: Instant,
        /// What a direct command's exit code was: something it left behind keeps the output open.
        ended: Option<i32>,
    },
    /// The stream is set aside while the engine is asked.
    Aside {
        demux: Option<Demux>,
        call: Call,
    },
    Back {
        demux: Option<Demux>,
        ended: Option<i32>,
    },
    Inspect(Call),
    Exited(i32, Duration),
    Kill(Box<KillTree>, Duration),
}

/// What a state leads to.
enum Next {
    To(State),
    Via(State, Need),
    Stay(Need),
    Done(Ended),
}

impl Exec {
    /// `id`: 32 lower-case hex digits that the container cannot guess.
    pub(crate) fn new(target: &Target, container: &str, command: Command, id: String) -> Self {
        Self {
            target: target.clone(),
            container: container.to_owned(),
            command,
            marks: Marks::new(&id),
            id,
            exec: String::new(),
            direct: false,
            started: None,
            state: State::Begin,
            abandoned: false,
            failure: None,
        }
    }

    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Event>, Error> {
        if self.abandoned && self.is_streaming() {
            // The engine may have said that it started the command before it did.
            self.state = self.kill(now, link, self.target.kind() == EngineKind::Docker)?;
        }
        loop {
            if let Some((channel, data)) = self.marks.pop() {
                return Ok(Step::Done(Event::Output(channel, data)));
            }
            let mut state = std::mem::replace(&mut self.state, State::Begin);
            match self.go_on(&mut state, now, link)? {
                Next::To(next) => self.state = next,
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
            State::Begin | State::Create(_) | State::Inspect(_) | State::Exited(..) => false,
            State::Start(call) => call.is_sent(),
            State::Stream { .. } | State::Aside { .. } | State::Back { .. } | State::Kill(..) => true,
        }
    }

    fn is_streaming(&self) -> bool {
        matches!(
            self.state,
            State::Stream { .. } | State::Aside { .. } | State::Back { .. }
        )
    }

    fn subject(&self) -> Subject {
        Subject::Exec {
            container: self.container.clone(),
            user: self.command.user.clone(),
        }
    }

    fn create(&self) -> Result<State, Error> {
        let stdin = self.command.stdin.is_some();
        form::create(
            &self.target,
            &self.container,
            &self.command,
            &self.id,
            stdin,
            self.direct,
        )
        .map(State::Create)
    }

    fn inspect(&self) -> Result<Call, Error> {
        Ok(Call::new("inspect exec", &self.target, &exec::inspect(&self.exec)?))
    }

    /// The head of the start was read: only now may input be sent.
    fn feed(&self, link: &mut Link) {
        if let Some(code) = Form::of(&self.command).code {
            link.send(Bytes::copy_from_slice(code.as_bytes()));
        }
        if let Some(stdin) = &self.command.stdin {
            link.send(stdin.clone());
        }
        link.finish();
    }

    fn deadline(&self) -> Option<Instant> {
        self.started?.checked_add(self.command.timeout?)
    }

    fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    fn ran(&self, now: Instant) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| now.saturating_duration_since(started))
    }

    fn kill(&mut self, now: Instant, link: &mut Link, patient: bool) -> Result<State, Error> {
        link.hang_up(); // an unread stream would hold the engine up
        self.marks.finish();
        let user = self.command.user.as_deref();
        let kill = KillTree::new(&self.target, &self.container, &self.id, user, patient)?;
        Ok(State::Kill(Box::new(kill), self.ran(now)))
    }

    /// What the engine says makes no sense any more, and the command may run: it is killed before the error is told.
    fn give_up(&mut self, now: Instant, link: &mut Link, error: Error) -> Result<Next, Error> {
        self.failure = Some(error);
        self.kill(now, link, true).map(Next::To)
    }

    fn go_on(&mut self, state: &mut State, now: Instant, link: &mut Link) -> Result<Next, Error> {
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
                    &exec::start(&self.exec)?,
                )))
            }
            State::Start(call) => {
                self.started.get_or_insert(now);
                let answer = match call.poll(now, link) {
                    Ok(Step::Done(answer)) => answer,
                    // A command may run before the engine says so.
                    Ok(Step::Need(_)) if call.is_sent() && self.is_late(now) => {
                        return self.kill(now, link, true).map(Next::To);
                    }
                    Ok(Step::Need(need)) => return Ok(Next::Stay(need.by(self.deadline()))),
                    Err(error) if call.is_sent() => return self.give_up(now, link, error),
                    Err(error) => return Err(error),
                };
                if !answer.upgraded {
                    return Err(refusal::refused("start exec", &self.subject(), &answer));
                }
                self.feed(link);
                let demux = Demux::new(self.target.limits());
                Next::To(State::Stream {
                    demux,
                    look: now + QUIET,
                    ended: None,
                })
            }
            State::Stream { demux, look, ended } => return self.stream(demux, look, *ended, now, link),
            State::Aside { demux, call } => {
                let answer = poll!(call);
                let exec: exec::Inspected = json("inspect exec", &answer.body).unwrap_or_default();
                let over = answer.is_success() && !exec.running;
                link.hang_up();
                let (demux, ended) = (demux.take(), exec.exit_code.filter(|_| over));
                Next::Via(State::Back { demux, ended }, Need::Swap)
            }
            State::Back { demux, ended } => {
                let demux = demux.take().ok_or_else(after_the_end)?;
                let rest = if ended.is_some() { QUIET } else { 4 * QUIET };
                let (look, ended) = (now + rest, *ended);
                Next::To(State::Stream { demux, look, ended })
            }
            State::Inspect(call) => {
                let answer = poll!(call);
                let said = Said {
                    answer: &answer,
                    words: self.marks.words(),
                    begun: self.marks.has_begun(),
                    direct: self.direct,
                };
                match said.means(&self.container, &self.command)? {
                    Verdict::Exited(code) => Next::To(State::Exited(code, self.ran(now))),
                    Verdict::Directly => {
                        self.direct = true;
                        self.marks = Marks::new(&self.id);
                        Next::To(self.create()?)
                    }
                }
            }
            State::Exited(exit_code, duration) => Next::Done(Ended {
                exit_code: *exit_code,
                duration: *duration,
                timed_out: false,
                killed: None,
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
                    timed_out: true,
                    killed: Some(report),
                })
            }
        })
    }

    /// Takes one frame, if there is one, and sees whether the command has ended.
    fn stream(
        &mut self,
        demux: &mut Demux,
        look: &mut Instant,
        ended: Option<i32>,
        now: Instant,
        link: &mut Link,
    ) -> Result<Next, Error> {
        let keep = |demux: &mut Demux, look| State::Stream {
            demux: std::mem::replace(demux, Demux::raw()),
            look,
            ended,
        };
        let eof = link.is_eof();
        let over = match demux.next(link.received(), eof) {
            Ok(Some(frame)) => {
                self.marks.push(frame, !self.direct);
                if let Some(code) = self.marks.code() {
                    link.hang_up();
                    let code = verdict::of_marks(&self.command, &code)?;
                    return Ok(Next::To(State::Exited(code, self.ran(now))));
                }
                if !self.is_late(now) {
                    return Ok(Next::To(keep(demux, now + QUIET)));
                }
                false
            }
            Ok(None) => eof,
            Err(_) if link.failure().is_some() => true,
            Err(source) => return self.give_up(now, link, Error::protocol("read output", source)),
        };
        if over {
            link.hang_up();
            self.marks.finish();
            return Ok(Next::To(State::Inspect(self.inspect()?)));
        }
        if self.is_late(now) {
            return self.kill(now, link, false).map(Next::To);
        }
        if let (Some(code), true) = (ended, now >= *look) {
            link.hang_up();
            self.marks.finish();
            return Ok(Next::To(State::Exited(code, self.ran(now))));
        }
        if self.direct && now >= *look {
            let call = self.inspect()?;
            let demux = Some(std::mem::replace(demux, Demux::raw()));
            return Ok(Next::Via(State::Aside { demux, call }, Need::Swap));
        }
        let look = Some(*look).filter(|_| self.direct);
        let until = self.deadline().into_iter().chain(look).min();
        Ok(Next::Stay(Need::Wait { read: true, until }))
    }
}
