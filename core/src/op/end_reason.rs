//! Finds out why a container ended.
//!
//! ```text
//! Inspect ──(it runs)────────────────────────────────────► Done: it has not ended
//!    └─(it has ended, or is gone)──► Events ─────────────► Done
//!                                       └─(no start)──► All ──► Done
//! ```
//! Podman goes on after what it remembers: once that knows the end, and nothing more has come for a moment, it is left.
//!
//! A Docker remembers the last 256 things that befell any container, for as long as it runs: if it remembers fewer, and our
//! start is not among them, it was restarted since.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::call::Call;
use super::{Op, Place, Step, after, ready};
use crate::end_reason::{EndReason, Here, Known};
use crate::engine_api::details::Details;
use crate::engine_api::events::{self, Happened, Heard};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{EngineKind, Target, container, json};
use crate::error::{ContainerError, Error};
use crate::http::Answer;
use crate::link::Link;
use crate::runtime::Host;

/// How long the engine may take to remember.
const LIMIT: Duration = Duration::from_secs(10);
/// How long nothing comes behind the last that is remembered: Podman then waits for what is to come.
const QUIET: Duration = Duration::from_millis(300);
/// How many things a Docker remembers.
const REMEMBERED: usize = 256;

const INSPECT: &str = "inspect container";
const EVENTS: &str = "ask for events";

/// Finds out why a container ended.
pub struct WhyEnded {
    target: Target,
    id: String,
    name: String,
    host: Arc<dyn Host>,
    here: Here,
    removes_itself: bool,
    hides_memory: bool,
    details: Option<Details>,
    events: Option<Vec<Happened>>,
    state: State,
}

enum State {
    Begin,
    Inspect(Box<Call>),
    /// When all that is remembered has come, if it knows the end.
    Events(Box<Call>, Heard, Option<Instant>),
    All(Box<Call>, Heard),
}

impl WhyEnded {
    /// `hides_memory`: the engine does not say that memory was used up.
    pub(crate) fn new(target: &Target, place: Place, host: Arc<dyn Host>, here: Here, hides_memory: bool) -> Self {
        Self {
            target: target.clone(),
            id: place.id,
            name: place.name,
            host,
            here,
            removes_itself: place.removes_itself,
            hides_memory,
            details: None,
            events: None,
            state: State::Begin,
        }
    }

    /// The details, or none if it is gone.
    fn inspected(&self, answer: &Answer) -> Result<Option<Details>, Error> {
        if answer.is_success() {
            return json(INSPECT, &answer.body).map(Some);
        }
        match refusal::refused(INSPECT, &Subject::Container(self.name.clone()), answer) {
            Error::Container(ContainerError::Gone { .. }) => Ok(None),
            error => Err(error),
        }
    }

    fn ask(&self, container: Option<&str>) -> (Box<Call>, Heard) {
        let now = self
            .host
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let request = events::until(self.target.kind(), container, now);
        let call = Call::new(EVENTS, &self.target, &request).within(LIMIT);
        (Box::new(call), Heard::new(container, self.target.limits()))
    }

    fn judge(&self, forgot: bool) -> Option<EndReason> {
        let known = Known {
            hides_memory: self.hides_memory,
            details: self.details.as_ref(),
            events: self.events.as_deref(),
            here: self.here,
            removes_itself: self.removes_itself,
            forgot,
        };
        known.judge()
    }
}

impl Op for WhyEnded {
    type Output = Option<EndReason>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Option<EndReason>>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin => {
                    let request = container::inspect(&self.id)?;
                    State::Inspect(Box::new(Call::new(INSPECT, &self.target, &request)))
                }
                State::Inspect(call) => {
                    let answer = ready!(call.poll(now, link));
                    self.details = self.inspected(&answer)?;
                    if self.here.ended || self.details.as_ref().is_some_and(Known::has_not_ended) {
                        return Ok(Step::Done(self.judge(false)));
                    }
                    let (call, heard) = self.ask(Some(&self.id));
                    State::Events(call, heard, None)
                }
                State::Events(call, heard, quiet) => {
                    let before = heard.all.len();
                    let step = call.poll_into(now, link, Some(heard));
                    if heard.all.len() > before {
                        *quiet = heard.knows_the_end().then(|| after(now, QUIET));
                    }
                    // An engine that does not remember is no error.
                    match step {
                        Ok(Step::Need(need)) if quiet.is_none_or(|quiet| now < quiet) => {
                            return Ok(need.by(*quiet).into());
                        }
                        Ok(Step::Need(_)) => {
                            link.hang_up();
                            self.events = Some(std::mem::take(&mut heard.all));
                        }
                        Ok(Step::Done(answer)) if answer.is_success() => {
                            self.events = Some(std::mem::take(&mut heard.all));
                        }
                        Ok(Step::Done(answer)) => {
                            let error = refusal::refused(EVENTS, &Subject::Engine, &answer);
                            tracing::warn!(%error, "why a container ended may not be known");
                        }
                        Err(error) => {
                            tracing::warn!(%error, "why a container ended may not be known");
                            link.hang_up();
                        }
                    }
                    let remembers = |events: &Vec<Happened>| events.iter().any(|one| one.action == "start");
                    let forgot = self.events.as_ref().is_some_and(|events| !remembers(events));
                    if self.target.kind() != EngineKind::Docker || !forgot {
                        return Ok(Step::Done(self.judge(false)));
                    }
                    let (call, heard) = self.ask(None);
                    State::All(call, heard)
                }
                State::All(call, heard) => {
                    let count = match call.poll_into(now, link, Some(heard)) {
                        Ok(Step::Need(need)) => return Ok(need.into()),
                        Ok(Step::Done(answer)) if answer.is_success() => heard.all.len(),
                        _ => REMEMBERED,
                    };
                    return Ok(Step::Done(self.judge(count < REMEMBERED)));
                }
            };
        }
    }
}

impl fmt::Debug for WhyEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhyEnded").field("id", &self.id).finish_non_exhaustive()
    }
}
