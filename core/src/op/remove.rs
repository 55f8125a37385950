//! Removes a container and sees that it is gone.
//!
//! ```text
//! Delete ──► Look ──(404)──► Done
//!    ▲        ▲ │ still there: wait a little, and a little longer each time
//!    └────────┴─┘
//! ```
//! Engines answer oddly while a container removes itself; only an inspect that finds nothing is believed. Podman leaves
//! the main process of what it removes as long as the container's own stop timeout says, so ours are made with none.

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Need, Op, Step, ready};
use crate::engine_api::{Target, container};
use crate::error::{ContainerError, Error};
use crate::link::Link;

const LIMIT: Duration = Duration::from_secs(30);
/// The first wait, and the longest; each is twice as long as the one before.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(30)];

/// Removes a container and sees that it is gone.
#[derive(Debug)]
pub struct Remove {
    target: Target,
    id: String,
    /// Only if it has this label: a name alone may have become another's.
    instance: Option<String>,
    state: State,
    deadline: Option<Instant>,
    pause: Duration,
}

#[derive(Debug)]
enum State {
    Check(Option<Call>),
    Delete(Option<Call>),
    Look(Option<Call>),
    Rest(Instant),
}

impl Remove {
    pub(crate) fn new(target: &Target, id: &str) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            instance: None,
            state: State::Delete(None),
            deadline: None,
            pause: Duration::ZERO,
        }
    }

    /// By name, and only if the container has this instance label.
    pub(crate) fn ours(target: &Target, name: &str, instance: &str) -> Self {
        let instance = Some(instance.to_owned());
        Self {
            target: target.clone(),
            id: name.to_owned(),
            instance,
            state: State::Check(None),
            deadline: None,
            pause: Duration::ZERO,
        }
    }

    /// Looks only, as the container is ending by itself.
    pub(crate) fn look(target: &Target, id: &str) -> Self {
        Self {
            state: State::Look(None),
            ..Self::new(target, id)
        }
    }
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

impl Op for Remove {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let deadline = *self.deadline.get_or_insert(now + LIMIT);
        loop {
            self.state = match &mut self.state {
                State::Check(slot) => {
                    let request = container::inspect(&self.id);
                    let answer = ready!(call(slot, &self.target, "inspect container", request)?.poll(now, link));
                    if answer.status() == 404 {
                        return Ok(Step::Done(()));
                    }
                    let found: container::Inspected = crate::engine_api::json("inspect container", &answer.body)?;
                    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
                    if labels.get(container::INSTANCE) != self.instance.as_ref() {
                        return Ok(Step::Done(()));
                    }
                    self.id = found.id;
                    State::Delete(None)
                }
                State::Delete(slot) => {
                    let request = container::remove(&self.id);
                    ready!(call(slot, &self.target, "remove container", request)?.poll(now, link));
                    State::Look(None)
                }
                State::Look(slot) => {
                    let request = container::inspect(&self.id);
                    let answer = ready!(call(slot, &self.target, "inspect container", request)?.poll(now, link));
                    if answer.status() == 404 {
                        return Ok(Step::Done(()));
                    }
                    if now >= deadline {
                        let name = self.id.clone();
                        return Err(ContainerError::StillThere { name, after: LIMIT }.into());
                    }
                    self.pause = (2 * self.pause).clamp(PAUSES[0], PAUSES[1]);
                    State::Rest(now + self.pause)
                }
                State::Rest(until) if now < *until => {
                    return Ok(Need::Wait {
                        read: false,
                        until: Some(*until),
                    }
                    .into());
                }
                // What was accepted may take its time; what was refused is asked for again.
                State::Rest(_) if self.pause < PAUSES[1] => State::Look(None),
                State::Rest(_) => State::Delete(None),
            }
        }
    }

    fn abandon(&mut self) -> bool {
        true
    }
}
