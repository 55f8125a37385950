//! Something that is done to a container, which goes on first where it is paused.
//!
//! ```text
//! Look ──(paused)─────────────────────► Unpause ──► Again ──► Done(its answer)
//!   └──► Do ──(refused: it is paused)──────┘
//!        └──(any other answer)────────────────────────────► Done
//! ```
//! | of a paused container | Docker | Podman |
//! |---|---|---|
//! | stop, restart | as of any other | 500, and it stays paused |
//! | a signal | comes at once, or not before it goes on where the image names another one to stop with | comes when it goes on |
//! | SIGKILL | as of any other | 500 after 5 s, and its exit code is lost |
//! | remove by force | as of any other | as of any other |
//!
//! So a stop is asked for as ever, and asked for again; before a signal, it is looked at. That the unpausing is refused says
//! that it goes on by now, or that it is gone: what is asked for then says which.

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Step, ready};
use crate::engine_api::{Target, container, json, refusal};
use crate::error::Error;
use crate::http::{Answer, Request};
use crate::link::Link;

/// Something that is done to a container, which goes on first where it is paused.
#[derive(Debug)]
pub(crate) struct Unpaused {
    target: Target,
    id: String,
    what: &'static str,
    request: Request,
    limit: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin { look: bool },
    Look(Call),
    Do(Call),
    Unpause(Call),
    Again(Call),
}

impl Unpaused {
    /// `what` says in errors what was asked, as in `"stop container"`.
    pub(crate) fn new(what: &'static str, target: &Target, id: &str, request: Request) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            what,
            request,
            limit: target.answer_limit(),
            state: State::Begin { look: false },
        }
    }

    /// It is looked at first, as the engine does not refuse.
    pub(crate) fn looking(self) -> Self {
        let state = State::Begin { look: true };
        Self { state, ..self }
    }

    /// A longer limit for what is done than the engine's own.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Whether the engine may have seen the request.
    pub(crate) fn is_sent(&self) -> bool {
        match &self.state {
            State::Begin { .. } | State::Look(_) => false,
            State::Do(call) => call.is_sent(),
            State::Unpause(_) | State::Again(_) => true,
        }
    }

    fn call(&self) -> Call {
        Call::new(self.what, &self.target, &self.request).within(self.limit)
    }

    fn unpause(&self) -> Result<State, Error> {
        let request = container::unpause(&self.id)?;
        Ok(State::Unpause(Call::new("unpause container", &self.target, &request)))
    }

    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Answer>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin { look: true } => {
                    let request = container::inspect(&self.id)?;
                    State::Look(Call::new("inspect container", &self.target, &request))
                }
                State::Begin { look: false } => State::Do(self.call()),
                State::Look(call) => {
                    let answer = ready!(call.poll(now, link));
                    if is_paused(&answer)? {
                        self.unpause()?
                    } else {
                        State::Do(self.call())
                    }
                }
                State::Do(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !refusal::is_paused(&answer) {
                        return Ok(Step::Done(answer));
                    }
                    self.unpause()?
                }
                State::Unpause(call) => {
                    ready!(call.poll(now, link));
                    State::Again(self.call())
                }
                State::Again(call) => return call.poll(now, link),
            };
        }
    }
}

fn is_paused(answer: &Answer) -> Result<bool, Error> {
    if !answer.is_success() {
        return Ok(false);
    }
    let found: container::Inspected = json("inspect container", &answer.body)?;
    Ok(found.state.and_then(|state| state.paused).unwrap_or(false))
}
