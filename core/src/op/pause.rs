//! Freezes a container.
//!
//! ```text
//! Ask ──(refused: it could not be frozen)──► Rest ──► Ask
//!  └──(any other answer)──► Done
//! ```
//! Docker fails at it now and then where processes begin or end in the middle, such as the last of a command that was run
//! right before: then everything goes on as before, and another attempt has every chance.

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Need, Op, Step, after, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container};
use crate::error::Error;
use crate::link::Link;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// No attempt is begun later than this after the first.
const LIMIT: Duration = Duration::from_secs(10);

/// Freezes a container.
#[derive(Debug)]
pub struct Pause {
    target: Target,
    id: String,
    name: String,
    state: State,
    until: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Begin,
    Ask(Box<Call>),
    Rest(Instant),
}

impl Pause {
    pub(crate) fn new(target: &Target, id: &str, name: &str) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            state: State::Begin,
            until: None,
        }
    }
}

impl Op for Pause {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let until = *self.until.get_or_insert(after(now, LIMIT));
        loop {
            self.state = match &mut self.state {
                State::Begin => {
                    let request = container::pause(&self.id)?;
                    State::Ask(Box::new(Call::new("pause container", &self.target, &request)))
                }
                State::Ask(call) => {
                    let answer = ready!(call.poll(now, link));
                    if answer.is_success() {
                        return Ok(Step::Done(()));
                    }
                    if !refusal::could_not_freeze(&answer) || now >= until {
                        let subject = Subject::Container(self.name.clone());
                        return Err(refusal::refused("pause container", &subject, &answer));
                    }
                    State::Rest(after(now, PAUSE))
                }
                State::Rest(at) if now < *at => {
                    let until = Some(*at);
                    return Ok(Need::Wait { read: false, until }.into());
                }
                State::Rest(_) => State::Begin,
            };
        }
    }
}
