//! Waits for the end of a container's main process.
//!
//! ```text
//! Waiting ──(its answer)──────────────────────────► Done
//!    │ ▲ the head has come: the engine watches now
//!    ▼ │ runs
//!  Aside: inspect ──(had ended before)────────────► Done
//!    │ has ended, or is gone, since it was seen running
//!    ▼
//!  Waiting, 1 s more ──(nothing)──────────────────► Done, as it was seen
//! ```
//! The next exit is asked for: an end between the question and the look is not missed, and Podman 4 forgets the code of a
//! container that removes itself when it is asked in any other way. Of one that has ended already no engine answers that,
//! so it is looked at, too; twice, as Podman begins to watch a little after its head.
//!
//! Engines lose an end now and then, and would leave us waiting for ever: it is looked at again every 10 s. An end that is
//! seen so is the engine's to tell first, as it may be about to.

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
/// Between two looks at one that runs.
const ROUND: Duration = Duration::from_secs(10);
/// How long the engine has to tell of an end that was seen.
const TELL: Duration = Duration::from_secs(1);

/// Waits for the end of a container's main process.
#[derive(Debug)]
pub struct Wait {
    target: Target,
    id: String,
    name: String,
    state: State,
    wait: Option<Call>,
    /// It was looked at before, and had not ended.
    seen: bool,
}

#[derive(Debug)]
enum State {
    Begin,
    Waiting(Until),
    Aside(Box<Call>),
}

/// What is done when the engine says nothing until then.
#[derive(Debug)]
struct Until(Instant, Then);

#[derive(Debug)]
enum Then {
    Look,
    /// It ends as it was seen.
    End(Option<Result<i64, Error>>),
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

    /// The exit code if it had ended before, else what is waited for.
    fn looked(&mut self, now: Instant, answer: &Answer) -> Result<Result<i64, Until>, Error> {
        let look = |pause| Ok(Err(Until(after(now, pause), Then::Look)));
        let seen = std::mem::replace(&mut self.seen, true);
        if answer.status() == 404 && seen {
            let gone = self.refused("inspect container", answer);
            return Ok(Err(Until(after(now, TELL), Then::End(Some(Err(gone))))));
        }
        if !answer.is_success() {
            return look(PAUSES[0]);
        }
        let state = json::<container::Inspected>("inspect container", &answer.body)?
            .state
            .unwrap_or_default();
        let has_ended = matches!(state.status.as_deref(), Some("exited" | "removing" | "dead"));
        match state.exit_code {
            _ if state.running == Some(true) => look(if seen { ROUND } else { PAUSES[0] }),
            Some(code) if has_ended && seen => Ok(Err(Until(after(now, TELL), Then::End(Some(Ok(code)))))),
            Some(code) if has_ended => Ok(Ok(code)),
            // In the middle of its end, Podman does not know the code yet.
            _ => {
                self.seen = seen;
                look(PAUSES[1])
            }
        }
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
                    State::Waiting(Until(now, Then::Look))
                }
                State::Waiting(Until(at, then)) => {
                    let wait = self.wait.as_mut().ok_or_else(after_the_end)?;
                    match (wait.poll(now, link)?, then) {
                        (Step::Done(answer), _) if !answer.is_success() => {
                            return Err(self.refused("wait for container", &answer));
                        }
                        (Step::Done(answer), _) => {
                            let waited: container::Waited = json("wait for container", &answer.body)?;
                            return Ok(Step::Done(waited.status_code));
                        }
                        (Step::Need(need), _) if !wait.has_head() => return Ok(need.into()),
                        (Step::Need(need), _) if now < *at => return Ok(need.by(Some(*at)).into()),
                        (Step::Need(_), Then::End(end)) => {
                            let end = end.take().unwrap_or_else(|| Err(after_the_end()));
                            return end.map(Step::Done);
                        }
                        (Step::Need(_), Then::Look) => {
                            let request = container::inspect(&self.id)?;
                            self.state = State::Aside(Box::new(Call::new("inspect container", &self.target, &request)));
                            return Ok(Need::Swap.into());
                        }
                    }
                }
                State::Aside(call) => {
                    let answer = ready!(call.poll(now, link));
                    match self.looked(now, &answer)? {
                        Ok(code) => return Ok(Step::Done(code)),
                        Err(until) => {
                            link.hang_up();
                            self.state = State::Waiting(until);
                            return Ok(Need::Swap.into());
                        }
                    }
                }
            };
        }
    }
}
