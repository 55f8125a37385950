//! Removes a container and sees that it is gone.
//!
//! ```text
//! Delete ──► Look ──(404)──► Done
//!    ▲        ▲ │ still there: wait a little, and a little longer each time
//!    └────────┴─┘
//! ```
//! By name, it looks first whether the container is ours, and goes on looking for a while where the engine may still be
//! making it.
//!
//! One that nobody waits for, or without which something would be left, perseveres: an engine that cannot be reached, or
//! whose connection breaks, is asked again until the time is over, as it may be starting again.
//!
//! Engines answer oddly while a container removes itself; only an inspect that finds nothing is believed. Podman leaves
//! the main process of what it removes as long as the container's own stop timeout says, so ours are made with none.

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Need, Op, Step, after, ready};
use crate::engine_api::{Target, container, json, refusal};
use crate::error::{ContainerError, Error};
use crate::http::Answer;
use crate::link::Link;

const LIMIT: Duration = Duration::from_secs(30);
/// The first wait, and the longest; each is twice as long as the one before.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(30)];
/// Between two tries to reach an engine.
const FAILURE_PAUSE: Duration = Duration::from_millis(250);
/// Between two looks for one that may still be made.
const LATE_PAUSE: Duration = Duration::from_millis(100);

/// Removes a container and sees that it is gone.
#[derive(Debug)]
pub struct Remove {
    target: Target,
    id: String,
    /// Only if it has this label: a name alone may have become another's.
    instance: Option<String>,
    /// How long one that is not there may still appear.
    late: Duration,
    limit: Duration,
    /// Whether a connection that fails is tried again, as long as the limit lasts.
    perseveres: bool,
    state: State,
    began: Option<Instant>,
    pause: Duration,
    /// What the engine said when it refused last.
    words: Option<String>,
}

#[derive(Debug)]
enum State {
    Check(Option<Call>),
    Delete(Option<Call>),
    Look(Option<Call>),
    Rest(Instant),
    /// Before the next check.
    RestUnknown(Instant),
}

impl Remove {
    pub(crate) fn new(target: &Target, id: &str) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            instance: None,
            late: Duration::ZERO,
            limit: LIMIT,
            perseveres: false,
            state: State::Delete(None),
            began: None,
            pause: Duration::ZERO,
            words: None,
        }
    }

    /// By name, and only if the container has this instance label. One that is not there may appear within `late`.
    pub(crate) fn ours(target: &Target, name: &str, instance: &str, late: Duration) -> Self {
        Self {
            instance: Some(instance.to_owned()),
            late,
            state: State::Check(None),
            ..Self::new(target, name)
        }
    }

    /// A shorter limit.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Goes on for so long where the engine cannot be reached or its connection breaks.
    pub(crate) fn persevering(self, limit: Duration) -> Self {
        Self {
            limit,
            perseveres: true,
            ..self
        }
    }

    /// Looks only, as the container is ending by itself.
    pub(crate) fn look(target: &Target, id: &str) -> Self {
        Self {
            state: State::Look(None),
            ..Self::new(target, id)
        }
    }

    fn note(&mut self, answer: &Answer) {
        if !answer.is_success() && answer.status() != 404 {
            self.words = Some(refusal::words(&answer.body));
        }
    }

    fn still_there(&self, now: Instant, began: Instant) -> Result<(), Error> {
        if now < after(began, self.limit) {
            return Ok(());
        }
        let (name, after) = (self.id.clone(), self.limit);
        let message = self.words.clone().unwrap_or_else(|| "(nothing)".to_owned());
        Err(ContainerError::StillThere { name, after, message }.into())
    }
}

/// Whether this says nothing about the container.
fn is_the_connections(error: &Error) -> bool {
    matches!(
        error,
        Error::Socket(_) | Error::Deadline { .. } | Error::Protocol { .. }
    )
}

fn call<'a>(
    slot: &'a mut Option<Call>,
    target: &Target,
    what: &'static str,
    request: Result<crate::http::Request, Error>,
) -> Result<&'a mut Call, Error> {
    if slot.is_none() {
        *slot = Some(Call::new(what, target, &request?).within(LIMIT));
    }
    slot.as_mut().ok_or_else(super::ask::after_the_end)
}

impl Remove {
    fn step(&mut self, now: Instant, began: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Check(slot) => {
                    let request = container::inspect(&self.id);
                    let answer = ready!(call(slot, &self.target, "inspect container", request)?.poll(now, link));
                    if answer.status() == 404 && now >= after(began, self.late) {
                        return Ok(Step::Done(()));
                    }
                    if answer.status() != 200 {
                        // Only an answer that says so is believed.
                        self.note(&answer);
                        self.still_there(now, began)?;
                        self.state = State::RestUnknown(after(now, LATE_PAUSE));
                        continue;
                    }
                    let found: container::Inspected = json("inspect container", &answer.body)?;
                    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
                    if labels.get(container::INSTANCE) != self.instance.as_ref() {
                        return Ok(Step::Done(()));
                    }
                    self.id = found.id;
                    State::Delete(None)
                }
                State::Delete(slot) => {
                    let request = container::remove(&self.id);
                    let answer = ready!(call(slot, &self.target, "remove container", request)?.poll(now, link));
                    self.note(&answer);
                    State::Look(None)
                }
                State::Look(slot) => {
                    let request = container::inspect(&self.id);
                    let answer = ready!(call(slot, &self.target, "inspect container", request)?.poll(now, link));
                    if answer.status() == 404 {
                        return Ok(Step::Done(()));
                    }
                    self.note(&answer);
                    self.still_there(now, began)?;
                    self.pause = (2 * self.pause).clamp(PAUSES[0], PAUSES[1]);
                    State::Rest(after(now, self.pause))
                }
                State::Rest(until) | State::RestUnknown(until) if now < *until => {
                    return Ok(Need::Wait {
                        read: false,
                        until: Some(*until),
                    }
                    .into());
                }
                // What was accepted may take its time; what was refused is asked for again.
                State::Rest(_) if self.pause < PAUSES[1] => State::Look(None),
                State::Rest(_) => State::Delete(None),
                State::RestUnknown(_) => State::Check(None),
            }
        }
    }
}

impl Op for Remove {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let began = *self.began.get_or_insert(now);
        loop {
            let error = match self.step(now, began, link) {
                Err(error) if self.perseveres && is_the_connections(&error) => error,
                outcome => return outcome,
            };
            if now >= after(began, self.limit) {
                return Err(error);
            }
            tracing::debug!(%error, id = self.id, "a container could not be removed yet");
            link.hang_up();
            let until = after(now, FAILURE_PAUSE);
            self.pause = PAUSES[1]; // what was accepted before may have been lost: it is asked for again
            self.state = match self.state {
                State::Check(_) | State::RestUnknown(_) => State::RestUnknown(until),
                State::Delete(_) | State::Look(_) | State::Rest(_) => State::Rest(until),
            };
        }
    }

    fn abandon(&mut self) -> bool {
        true
    }
}
