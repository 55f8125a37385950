//! What became of a command whose output is over: asked of the engine, first about the exec, then about its container.
//!
//! ```text
//! Asking ──(it has ended, or is unknown)──► Found::Ended | Found::Unknown
//!   ▲ │  ──(it runs, and no longer waited for)──► Found::Runs
//!   │ └──(it runs)──► rest ─┐
//!   └───────────────────────┘
//! ```

use std::time::{Duration, Instant};

use super::super::call::{Answer, Call};
use super::super::{Need, Step, after_the_end, ready};
use super::QUIET;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, exec, json};
use crate::error::{ContainerError, Error};
use crate::link::Link;

/// How long an engine may take to see the end of a container behind the end of what ran in it.
const NEWS: Duration = Duration::from_millis(500);
/// How long a container that ended, and removes itself, is given for that.
const REMOVAL: Duration = Duration::from_secs(5);

/// The container that a command runs in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) id: String,
    /// What the user calls it.
    pub(crate) name: String,
    pub(crate) removes_itself: bool,
}

/// What the engine says of an exec.
#[derive(Debug)]
pub(super) enum Found {
    Ended(exec::Inspected),
    Unknown(Answer),
    /// It still ran when its end was no longer waited for.
    Runs,
}

/// Asks about an exec whose output is over, until it has ended.
#[derive(Debug)]
pub(super) struct Asking {
    target: Target,
    exec: String,
    call: Call,
    rest: Option<Instant>,
    patience: Option<Duration>,
    began: Instant,
}

impl Asking {
    /// `patience`: how long it may still run, if not as long as it likes.
    pub(super) fn new(target: &Target, exec: &str, patience: Option<Duration>, now: Instant) -> Result<Self, Error> {
        Ok(Self {
            target: target.clone(),
            exec: exec.to_owned(),
            call: inspect(target, exec)?,
            rest: None,
            patience,
            began: now,
        })
    }

    /// When an engine that was asked so lately can be expected to have answered.
    pub(super) fn fair(&self) -> Instant {
        self.began + QUIET
    }

    pub(super) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Found>, Error> {
        if let Some(until) = self.rest {
            if now < until {
                return Ok(wait(until));
            }
            self.rest = None;
            self.call = inspect(&self.target, &self.exec)?;
        }
        let answer = ready!(self.call.poll(now, link));
        if !answer.is_success() {
            return Ok(Step::Done(Found::Unknown(answer)));
        }
        let exec: exec::Inspected = json("inspect exec", &answer.body)?;
        if !exec.running {
            return Ok(Step::Done(Found::Ended(exec)));
        }
        if self.patience.is_some_and(|patience| now >= self.began + patience) {
            return Ok(Step::Done(Found::Runs));
        }
        link.hang_up();
        self.rest = Some(now + QUIET);
        Ok(wait(now + QUIET))
    }
}

pub(super) fn inspect(target: &Target, exec: &str) -> Result<Call, Error> {
    Ok(Call::new("inspect exec", target, &exec::inspect(exec)?))
}

/// Until then, nothing is expected.
fn wait<T>(until: Instant) -> Step<T> {
    Step::Need(Need::Wait {
        read: false,
        until: Some(until),
    })
}

/// Asks whether the container still runs, of a command that ended as one does that ends with its container.
#[derive(Debug)]
pub(super) struct Looking {
    target: Target,
    place: Place,
    call: Call,
    rest: Option<Instant>,
    until: Option<Instant>,
    /// When it is believed that the container runs on.
    believes: Option<Instant>,
    /// What became of the command if the container runs.
    otherwise: Option<Result<i32, Error>>,
}

impl Looking {
    pub(super) fn new(target: &Target, place: &Place, otherwise: Result<i32, Error>) -> Result<Self, Error> {
        Ok(Self {
            target: target.clone(),
            place: place.clone(),
            call: look(target, &place.id)?,
            rest: None,
            until: None,
            believes: None,
            otherwise: Some(otherwise),
        })
    }

    pub(super) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Result<i32, Error>>, Error> {
        if let Some(until) = self.rest {
            if now < until {
                return Ok(wait(until));
            }
            self.rest = None;
            self.call = look(&self.target, &self.place.id)?;
        }
        let answer = ready!(self.call.poll(now, link));
        if !answer.is_success() {
            let subject = Subject::Container(self.place.name.clone());
            return Ok(Step::Done(Err(refusal::refused(
                "inspect container",
                &subject,
                &answer,
            ))));
        }
        let seen: container::Inspected = json("inspect container", &answer.body)?;
        let state = seen.state.unwrap_or_default();
        if state.running.unwrap_or(false) {
            // Docker hears of the commands of a container before it hears that the container has ended.
            if now < *self.believes.get_or_insert(now + NEWS) {
                link.hang_up();
                self.rest = Some(now + QUIET);
                return Ok(wait(now + QUIET));
            }
            return self.otherwise.take().map(Step::Done).ok_or_else(after_the_end);
        }
        let status = state.status.unwrap_or_default();
        let name = self.place.name.clone();
        let message = format!("its status is {status:?}");
        if !self.place.removes_itself && !matches!(status.as_str(), "removing" | "dead") {
            return Ok(Step::Done(Err(ContainerError::NotRunning { name, message }.into())));
        }
        // It goes, or it is being restarted.
        if now >= *self.until.get_or_insert(now + REMOVAL) {
            return Ok(Step::Done(Err(ContainerError::Gone { name, message }.into())));
        }
        link.hang_up();
        self.rest = Some(now + QUIET);
        Ok(wait(now + QUIET))
    }
}

fn look(target: &Target, id: &str) -> Result<Call, Error> {
    Ok(Call::new("inspect container", target, &container::inspect(id)?))
}
