//! One question to the engine, and what its answer means.

use std::fmt;
use std::time::{Duration, Instant};

use super::call::Call;
use super::unpaused::Unpaused;
use super::{Op, Step, ready};
use crate::engine_api::Target;
use crate::engine_api::progress::{Progress, Said};
use crate::engine_api::refusal::{self, Subject};
use crate::error::Error;
use crate::http::{Answer, Request, Sink};
use crate::link::Link;

/// How the answer is read.
enum Read<T> {
    /// Collected whole.
    Whole(Box<dyn FnOnce(Answer) -> Result<T, Error> + Send>),
    /// As it comes.
    Progress(Progress, Box<dyn FnOnce(Said) -> Result<T, Error> + Send>),
}

/// One question to the engine, and what its answer means.
pub struct Ask<T> {
    state: State,
    what: &'static str,
    subject: Subject,
    read: Option<Read<T>>,
}

enum State {
    /// What was asked cannot be asked.
    Refused(Option<Error>),
    Calling(Box<Call>),
    /// Of a container that goes on first.
    Unpausing(Box<Unpaused>),
}

impl<T: Send + 'static> Ask<T> {
    pub(crate) fn new(
        what: &'static str,
        target: &Target,
        subject: Subject,
        request: Result<Request, Error>,
        read: impl FnOnce(Answer) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        Self::reading(what, target, subject, request, Read::Whole(Box::new(read)))
    }

    /// A question that is answered by a progress stream.
    pub(crate) fn progress(
        what: &'static str,
        target: &Target,
        subject: Subject,
        request: Result<Request, Error>,
        read: impl FnOnce(Said) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        let read = Read::Progress(Progress::new(target.limits()), Box::new(read));
        Self::reading(what, target, subject, request, read)
    }

    fn reading(
        what: &'static str,
        target: &Target,
        subject: Subject,
        request: Result<Request, Error>,
        read: Read<T>,
    ) -> Self {
        let state = match request {
            Ok(request) => State::Calling(Box::new(Call::new(what, target, &request))),
            Err(error) => State::Refused(Some(error)),
        };
        Self {
            state,
            what,
            subject,
            read: Some(read),
        }
    }

    /// Something that is done to a container, which goes on first where it is paused.
    pub(crate) fn unpausing(
        what: &'static str,
        subject: Subject,
        unpaused: Result<Unpaused, Error>,
        read: impl FnOnce(Answer) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        let state = match unpaused {
            Ok(unpaused) => State::Unpausing(Box::new(unpaused)),
            Err(error) => State::Refused(Some(error)),
        };
        Self {
            state,
            what,
            subject,
            read: Some(Read::Whole(Box::new(read))),
        }
    }

    /// A body that follows in chunks, without being copied.
    pub(crate) fn body(mut self, data: bytes::Bytes) -> Self {
        if let State::Calling(call) = &mut self.state {
            call.push_body(data);
        }
        self
    }

    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.state = match self.state {
            State::Calling(call) => State::Calling(Box::new(call.within(limit))),
            State::Unpausing(unpaused) => State::Unpausing(Box::new(unpaused.within(limit))),
            refused @ State::Refused(_) => refused,
        };
        self
    }
}

impl<T: Send + 'static> Op for Ask<T> {
    type Output = T;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<T>, Error> {
        let sink = match &mut self.read {
            Some(Read::Progress(progress, _)) => Some(progress as &mut dyn Sink),
            _ => None,
        };
        let answer = match &mut self.state {
            State::Calling(call) => ready!(call.poll_into(now, link, sink)),
            State::Unpausing(unpaused) => ready!(unpaused.poll(now, link)),
            State::Refused(error) => return Err(error.take().unwrap_or_else(after_the_end)),
        };
        if !answer.is_success() {
            return Err(refusal::refused(self.what, &self.subject, &answer));
        }
        match self.read.take() {
            Some(Read::Whole(read)) => read(answer).map(Step::Done),
            Some(Read::Progress(progress, read)) => {
                let said = progress.end().map_err(|error| Error::protocol(self.what, error))?;
                read(said).map(Step::Done)
            }
            None => Err(after_the_end()),
        }
    }
}

pub(crate) fn after_the_end() -> Error {
    Error::misuse("an operation was polled after its end: a driver must drop it then")
}

impl<T> fmt::Debug for Ask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("what", &self.what).finish_non_exhaustive()
    }
}
