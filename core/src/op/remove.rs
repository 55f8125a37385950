//! Removes a container and sees that it is gone.
//!
//! ```text
//! Delete ──► Look ──(404)──► Done
//!    ▲        ▲ │ still there: wait a little, and a little longer each time
//!    └────────┴─┘
//! ```
//! One that nobody waits for any more, or that failed, is removed whatever becomes of the connection: a call that is not
//! answered, or breaks, is made again on a fresh one, as long as [`PERSISTENCE`] says. So an engine that comes back in time
//! keeps nothing.
//!
//! By name, it looks first whether the container is ours, and goes on looking for a while where the engine may still be
//! making it.
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
/// Between two looks for one that may still be made.
const LATE_PAUSE: Duration = Duration::from_millis(100);
/// Between two tries on an engine that cannot be reached, or breaks off.
const BROKEN_PAUSE: Duration = Duration::from_millis(250);
/// How long calls that broke, or were not answered, are made again: one that is never answered, once.
const PERSISTENCE: Duration = Duration::from_secs(45);
/// How long a container may take to go once the engine is back.
const BACK: Duration = Duration::from_secs(10);

/// Removes a container and sees that it is gone.
#[derive(Debug)]
pub struct Remove {
    target: Target,
    id: String,
    /// Only if it has this label: a name alone may have become another's.
    instance: Option<String>,
    /// How long one that is not there may still appear.
    late: Duration,
    /// Whether it goes on where the connection does not.
    persistent: bool,
    limit: Duration,
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
    /// Before the next try, behind one that the engine did not answer.
    RestBroken(Instant),
}

impl Remove {
    pub(crate) fn new(target: &Target, id: &str) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            instance: None,
            late: Duration::ZERO,
            persistent: false,
            limit: LIMIT,
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

    /// It goes on where an engine cannot be reached, breaks off or does not answer, for a while.
    pub(crate) fn persistent(self) -> Self {
        let persistent = true;
        Self { persistent, ..self }
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
    /// The same without an end of the connection.
    fn go_on(&mut self, now: Instant, began: Instant, link: &mut Link) -> Result<Step<()>, Error> {
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
                State::Rest(until) | State::RestUnknown(until) | State::RestBroken(until) if now < *until => {
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
                State::RestBroken(_) => State::Delete(None),
            }
        }
    }
}

impl Op for Remove {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let began = *self.began.get_or_insert(now);
        loop {
            let error = match self.go_on(now, began, link) {
                Err(error @ (Error::Socket(_) | Error::Deadline { .. } | Error::Protocol { .. })) => error,
                outcome => {
                    if matches!(outcome, Ok(Step::Done(()))) {
                        self.target.set_lost(false);
                    }
                    return outcome;
                }
            };
            // What is tried for all that is left, one after the other, is bounded too.
            if !self.persistent || self.target.is_lost() {
                return Err(error);
            }
            if now >= after(began, PERSISTENCE) {
                self.target.set_lost(true);
                return Err(error);
            }
            tracing::debug!(%error, "a removal is tried again");
            link.hang_up();
            self.limit = self.limit.max(now.saturating_duration_since(began) + BACK);
            let until = after(now, BROKEN_PAUSE);
            self.state = match self.state {
                // Whether it is ours is not known yet.
                State::Check(_) => State::RestUnknown(until),
                _ => State::RestBroken(until),
            };
        }
    }

    fn abandon(&mut self) -> bool {
        self.persistent = true;
        true
    }
}
