//! Finds a container of ours by its name or id.
//!
//! ```text
//! Inspect ──(its labels say that it is ours)──► Image ──(they are its own)──► Done
//! ```

use std::time::Instant;

use super::call::Call;
use super::inherited::Inherited;
use super::{Step, ready};
use crate::engine_api::container::{self, Ours};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, json};
use crate::error::{ContainerError, Error};
use crate::link::Link;

/// Finds a container of ours by its name or id.
#[derive(Debug)]
pub(crate) struct Find {
    target: Target,
    reference: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// What was asked cannot be asked.
    Refused(Option<Error>),
    Inspect(Box<Call>),
    Image(Option<Ours>, Box<Inherited>),
}

impl Find {
    pub(crate) fn new(target: &Target, reference: &str) -> Self {
        let state = match container::inspect_by(reference) {
            Ok(request) => State::Inspect(Box::new(Call::new("inspect container", target, &request))),
            Err(error) => State::Refused(Some(error)),
        };
        Self {
            target: target.clone(),
            reference: reference.to_owned(),
            state,
        }
    }

    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Ours>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Refused(error) => return Err(error.take().unwrap_or_else(super::after_the_end)),
                State::Inspect(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        let subject = Subject::Container(self.reference.clone());
                        return Err(refusal::refused("inspect container", &subject, &answer));
                    }
                    let found: container::Inspected = json("inspect container", &answer.body)?;
                    let ours = found.ours(&self.reference)?;
                    // An engine that names no image, or one that cannot be asked for, is believed.
                    match Inherited::new(&self.target, &ours.image_id) {
                        Ok(ask) => State::Image(Some(ours), Box::new(ask)),
                        Err(_) => return Ok(Step::Done(ours)),
                    }
                }
                State::Image(ours, ask) => {
                    let handed = ready!(ask.poll(now, link));
                    let ours = ours.take().ok_or_else(super::after_the_end)?;
                    // Its image may have been removed, while it was stopped: who names it means it.
                    if handed.made(&ours.instance) == Some(true) {
                        let name = self.reference.clone();
                        return Err(ContainerError::Foreign { name }.into());
                    }
                    return Ok(Step::Done(ours));
                }
            };
        }
    }
}
