//! Removes a container of ours by its name or id, whatever it does.
//!
//! ```text
//! Find ──(it is ours)──► Remove ──► Done
//! ```

use std::time::Instant;

use super::call::Call;
use super::{Op, Remove, Step, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, json};
use crate::error::Error;
use crate::link::Link;

/// Removes a container of ours by its name or id.
#[derive(Debug)]
pub struct Destroy {
    target: Target,
    reference: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// What was asked cannot be asked.
    Refused(Option<Error>),
    Find(Box<Call>),
    Remove(Box<Remove>),
}

impl Destroy {
    pub(crate) fn new(target: &Target, reference: &str) -> Self {
        let state = match container::inspect_by(reference) {
            Ok(request) => State::Find(Box::new(Call::new("inspect container", target, &request))),
            Err(error) => State::Refused(Some(error)),
        };
        Self {
            target: target.clone(),
            reference: reference.to_owned(),
            state,
        }
    }
}

impl Op for Destroy {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Refused(error) => return Err(error.take().unwrap_or_else(super::after_the_end)),
                State::Find(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        let subject = Subject::Container(self.reference.clone());
                        return Err(refusal::refused("inspect container", &subject, &answer));
                    }
                    let found: container::Inspected = json("inspect container", &answer.body)?;
                    // By its id: its name may become another's.
                    let id = found.ours(&self.reference)?.id;
                    State::Remove(Box::new(Remove::new(&self.target, &id)))
                }
                State::Remove(remove) => return remove.poll(now, link),
            };
        }
    }

    fn abandon(&mut self) -> bool {
        matches!(self.state, State::Remove(_))
    }
}
