//! Runs the main process of a container again, and puts the container on its leash again.
//!
//! ```text
//! Restart ──────────────────────────────────────► Attach ──(keep)──► Done
//! Stop ──► Settle ⟲                                   ▲
//!             ├───(Docker)──► Attach ──(keep)──► Start ──► Done
//!             └───(Podman)──► Start ──────────────────┘
//! Inspect ─(stopped)─┘
//!    ├─────(runs)──► Done
//!    └─────(paused)──► Unpause ──► Done
//! ```
//! Podman may say yes to an attach to a container that is stopped and forget it, so there it is started first.
//!
//! The engine's own restart is for containers that remove themselves: a stop would be their end. The others are stopped
//! and started, which avoids what Docker 20 does to a container in 1 of 20
//! restarts: it mistakes the end of the old process for that of the new one, closes its input, and never notices that it
//! ended.
//!
//! A restart ends the connection that holds the main process's standard input on some engines (Docker 28, Podman) and
//! leaves it open, of no use, on others: it is opened anew on all. A program that is killed between the two leaves a
//! container without a leash; the next program that uses the engine sweeps it, as it does one that never started.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::Call;
use super::unpaused::Unpaused;
use super::{Need, Op, Slot, Step, after, ready};
use crate::end_reason::Sent;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{EngineKind, Target, container, json};
use crate::error::{ContainerError, Error};
use crate::http::Answer;
use crate::link::Link;

/// Between two looks at whether the main process has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the main process of a container again.
#[derive(Debug)]
pub struct Restart {
    target: Target,
    id: String,
    /// None for a container that is on no leash.
    leash: Option<Slot>,
    told: Arc<Sent>,
    state: State,
    /// How long the main process may take to end, and since when.
    limit: Duration,
    began: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// What was asked cannot be asked.
    Refused(Option<Error>),
    Restart(Unpaused),
    Stop(Unpaused),
    Settle(Option<Call>, Instant),
    Inspect(Call),
    Unpause(Call),
    Attach(Call, Then),
    Keep(Then),
    Start(Call, Then),
}

/// What is left to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Start,
    Attach,
}

impl Restart {
    /// Ends the main process of a container that removes itself, which has `grace` for that, and runs it again.
    pub(crate) fn at_once(target: &Target, id: &str, leash: Option<&Slot>, grace: Duration) -> Self {
        let limit = target.answer_limit().saturating_add(grace);
        let state = match container::restart(id, grace) {
            Ok(request) => State::Restart(Unpaused::new("restart container", target, id, request).within(limit)),
            Err(error) => State::Refused(Some(error)),
        };
        Self::new(target, id, leash, state)
    }

    /// The same for a container that stays when it is stopped.
    pub(crate) fn stop_and_start(target: &Target, id: &str, leash: Option<&Slot>, grace: Duration) -> Self {
        let limit = target.answer_limit().saturating_add(grace);
        let state = match container::stop(id, grace) {
            Ok(request) => State::Stop(Unpaused::new("stop container", target, id, request).within(limit)),
            Err(error) => State::Refused(Some(error)),
        };
        Self {
            limit,
            ..Self::new(target, id, leash, state)
        }
    }

    /// Not on this engine: nothing is asked of it.
    pub(crate) fn refused_here(target: &Target, id: &str, why: String) -> Self {
        Self::new(target, id, None, State::Refused(Some(Error::misuse(why))))
    }

    /// Says there what it told the main process, and that another one was started.
    pub(crate) fn telling(self, told: &Arc<Sent>) -> Self {
        let told = Arc::clone(told);
        Self { told, ..self }
    }

    /// Whether nothing will be asked of the engine.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }

    /// Runs the main process unless it runs.
    pub(crate) fn start(target: &Target, id: &str, leash: Option<&Slot>) -> Self {
        let state = match container::inspect(id) {
            Ok(request) => State::Inspect(Call::new("inspect container", target, &request)),
            Err(error) => State::Refused(Some(error)),
        };
        Self::new(target, id, leash, state)
    }

    fn new(target: &Target, id: &str, leash: Option<&Slot>, state: State) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            leash: leash.cloned(),
            told: Arc::default(),
            state,
            limit: target.answer_limit(),
            began: None,
        }
    }

    fn attach(&self, then: Then) -> Result<State, Error> {
        let request = container::attach_stdin(&self.id)?;
        Ok(State::Attach(
            Call::new("attach to container", &self.target, &request),
            then,
        ))
    }

    fn begin(&self) -> Result<State, Error> {
        match self.target.kind() {
            _ if self.leash.is_none() => self.start_now(Then::Nothing),
            EngineKind::Docker => self.attach(Then::Start),
            EngineKind::Podman => self.start_now(Then::Attach),
        }
    }

    fn start_now(&self, then: Then) -> Result<State, Error> {
        let request = container::start(&self.id)?;
        Ok(State::Start(Call::new("start container", &self.target, &request), then))
    }

    fn refused(&self, what: &'static str, answer: &Answer) -> Error {
        refusal::refused(what, &Subject::Container(self.id.clone()), answer)
    }

    /// How it is.
    fn state(&self, answer: &Answer) -> Result<container::State, Error> {
        if !answer.is_success() {
            return Err(self.refused("inspect container", answer));
        }
        let found: container::Inspected = json("inspect container", &answer.body)?;
        Ok(found.state.unwrap_or_default())
    }

    fn start_failed(&self, what: &'static str, answer: &Answer) -> Error {
        match self.refused(what, answer) {
            Error::Refused { message, .. } => {
                let name = self.id.clone();
                ContainerError::StartFailed { name, message }.into()
            }
            error => error,
        }
    }
}

impl Op for Restart {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let deadline = after(*self.began.get_or_insert(now), self.limit);
        loop {
            self.state = match &mut self.state {
                State::Refused(error) => return Err(error.take().unwrap_or_else(super::ask::after_the_end)),
                State::Restart(call) => {
                    let step = call.poll(now, link);
                    if call.is_sent() {
                        self.told.stop();
                    }
                    let answer = ready!(step);
                    if !answer.is_success() {
                        return Err(self.start_failed("restart container", &answer));
                    }
                    self.told.nothing();
                    if self.leash.is_none() {
                        return Ok(Step::Done(()));
                    }
                    self.attach(Then::Nothing)?
                }
                State::Stop(call) => {
                    let step = call.poll(now, link);
                    if call.is_sent() {
                        self.told.stop();
                    }
                    let answer = ready!(step);
                    if !answer.is_success() {
                        return Err(self.refused("stop container", &answer));
                    }
                    State::Settle(None, now)
                }
                State::Settle(..) if now >= deadline => {
                    return Err(Error::Deadline {
                        what: "wait for the end of the main process",
                        limit: self.limit,
                    });
                }
                State::Settle(None, when) if now < *when => {
                    let until = Some(*when);
                    return Ok(Need::Wait { read: false, until }.into());
                }
                State::Settle(None, when) => {
                    let request = container::inspect(&self.id)?;
                    let call = Call::new("inspect container", &self.target, &request).within(deadline - now);
                    State::Settle(Some(call), *when)
                }
                State::Settle(Some(call), _) => {
                    let answer = ready!(call.poll(now, link));
                    if self.state(&answer)?.running == Some(true) {
                        State::Settle(None, after(now, PAUSE).min(deadline))
                    } else {
                        self.begin()?
                    }
                }
                State::Inspect(call) => {
                    let answer = ready!(call.poll(now, link));
                    let state = self.state(&answer)?;
                    if state.paused == Some(true) {
                        let request = container::unpause(&self.id)?;
                        State::Unpause(Call::new("unpause container", &self.target, &request))
                    } else if state.running == Some(true) {
                        return Ok(Step::Done(()));
                    } else {
                        self.begin()?
                    }
                }
                State::Unpause(call) => {
                    let answer = ready!(call.poll(now, link));
                    // It may go on by now without us.
                    if answer.is_success() || refusal::is_not_paused(&answer) {
                        return Ok(Step::Done(()));
                    }
                    return Err(self.refused("unpause container", &answer));
                }
                State::Attach(call, then) => {
                    let then = *then;
                    let answer = ready!(call.poll(now, link));
                    if answer.upgraded {
                        self.state = State::Keep(then);
                        return Ok(Need::Keep(self.leash.clone().unwrap_or_default()).into());
                    }
                    return Err(self.start_failed("attach to container", &answer));
                }
                State::Keep(Then::Start) => self.start_now(Then::Nothing)?,
                State::Keep(_) => return Ok(Step::Done(())),
                State::Start(call, then) => {
                    let then = *then;
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        self.leash.iter().for_each(Slot::clear);
                        return Err(self.start_failed("start container", &answer));
                    }
                    self.told.nothing();
                    match then {
                        Then::Attach => self.attach(Then::Nothing)?,
                        _ => return Ok(Step::Done(())),
                    }
                }
            };
        }
    }

    /// A container that was restarted must not stay without its leash.
    fn abandon(&mut self) -> bool {
        match &self.state {
            State::Refused(_) | State::Inspect(_) | State::Unpause(_) => false,
            State::Restart(call) | State::Stop(call) => call.is_sent(),
            State::Settle(..) | State::Attach(..) | State::Keep(_) | State::Start(..) => true,
        }
    }
}
