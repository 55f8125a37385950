//! Waits for the end of a container's main process.
//!
//! ```text
//! Waiting ──(its answer)──────────────────────────► Done
//!    │ ▲ the head has come: the engine watches now
//!    ▼ │ runs
//!  Aside: inspect ──(has ended)───────────────────► Done
//! ```
//! The next exit is asked for: an end between the question and the look is not missed, and Podman 4 forgets the code of a
//! container that removes itself when it is asked in any other way. Of one that has ended already no engine answers that,
//! so it is looked at, too; twice, as Podman begins to watch a little after its head.

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Need, Op, Step, after, after_the_end, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, json};
use crate::error::Error;
use crate::http::Answer;
use crate::link::Link;

/// Before the second look, and before another one while it is ending.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(100)];

/// Waits for the end of a container's main process.
#[derive(Debug)]
pub struct Wait {
    target: Target,
    id: String,
    name: String,
    state: State,
    wait: Option<Call>,
    /// It was seen running before.
    seen: bool,
}

#[derive(Debug)]
enum State {
    Begin,
    /// Until when, if it is to be looked at again.
    Waiting(Option<Instant>),
    Aside(Box<Call>),
}

impl Wait {
    pub(crate) fn new(target: &Target, id: &str, name: &str) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            state: State::Begin,
            wait: None,
            seen: false,
        }
    }

    fn refused(&self, what: &'static str, answer: &Answer) -> Error {
        refusal::refused(what, &Subject::Container(self.name.clone()), answer)
    }

    /// The exit code if it has ended, else when to look again.
    fn looked(&mut self, now: Instant, answer: &Answer) -> Result<Result<i64, Option<Instant>>, Error> {
        if answer.status() == 404 && self.seen {
            return Err(self.refused("inspect container", answer));
        }
        let state = if answer.is_success() {
            json::<container::Inspected>("inspect container", &answer.body)?.state
        } else {
            None
        };
        let state = state.unwrap_or_default();
        let has_ended = matches!(state.status.as_deref(), Some("exited" | "removing" | "dead"));
        Ok(match state.exit_code {
            Some(code) if has_ended && state.running != Some(true) => Ok(code),
            _ if state.running == Some(true) && self.seen => Err(None),
            _ if state.running == Some(true) => {
                self.seen = true;
                Err(Some(after(now, PAUSES[0])))
            }
            // In the middle of its end, Podman does not know the code yet.
            _ if answer.is_success() => Err(Some(after(now, PAUSES[1]))),
            _ => {
                self.seen = true;
                Err(Some(after(now, PAUSES[0])))
            }
        })
    }
}

impl Op for Wait {
    type Output = i64;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<i64>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin => {
                    let request = container::wait(&self.id)?;
                    self.wait = Some(Call::new("wait for container", &self.target, &request).patient());
                    State::Waiting(Some(now))
                }
                State::Waiting(look) => {
                    let look = *look;
                    let wait = self.wait.as_mut().ok_or_else(after_the_end)?;
                    match (wait.poll(now, link)?, look) {
                        (Step::Done(answer), _) if !answer.is_success() => {
                            return Err(self.refused("wait for container", &answer));
                        }
                        (Step::Done(answer), _) => {
                            let waited: container::Waited = json("wait for container", &answer.body)?;
                            return Ok(Step::Done(waited.status_code));
                        }
                        (Step::Need(_), Some(at)) if wait.has_head() && now >= at => {
                            let request = container::inspect(&self.id)?;
                            self.state = State::Aside(Box::new(Call::new("inspect container", &self.target, &request)));
                            return Ok(Need::Swap.into());
                        }
                        (Step::Need(need), look) => {
                            let look = look.filter(|_| wait.has_head());
                            return Ok(need.by(look).into());
                        }
                    }
                }
                State::Aside(call) => {
                    let answer = ready!(call.poll(now, link));
                    match self.looked(now, &answer)? {
                        Ok(code) => return Ok(Step::Done(code)),
                        Err(again) => {
                            link.hang_up();
                            self.state = State::Waiting(again);
                            return Ok(Need::Swap.into());
                        }
                    }
                }
            };
        }
    }
}
