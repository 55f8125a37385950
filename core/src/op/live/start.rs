//! Starts a command that runs beside calls, and waits until it has begun.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::over::quietly;
use super::shared::{Live, Seat};
use crate::error::Error;
use crate::link::Link;
use crate::op::{Op, Step, after_the_end};

/// Has the operation in the background begun.
type Attend = Box<dyn FnOnce() + Send>;

/// Starts a command, and gives a handle of it once it has begun. Dropped before that, it drops the handle, which kills
/// what was started.
pub struct Start<T> {
    seat: Seat,
    refused: Option<Error>,
    attend: Option<Attend>,
    handle: Option<T>,
}

impl<T> Start<T> {
    pub(crate) fn new(live: &Arc<Live>, attend: Attend, handle: T) -> Self {
        Self {
            seat: live.seat(),
            refused: None,
            attend: Some(attend),
            handle: Some(handle),
        }
    }

    /// Nothing is started if this is an error.
    pub(crate) fn refusing(mut self, check: Result<(), Error>) -> Self {
        self.refused = self.refused.or(check.err());
        self
    }
}

impl<T: Send + Unpin + 'static> Op for Start<T> {
    type Output = T;

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<T>, Error> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        if let Some(attend) = self.attend.take() {
            self.seat.live().attended();
            attend();
        }
        match self.seat.beginning(&link.waker()) {
            None => Ok(quietly(None)),
            Some(begun) => {
                begun?;
                self.handle.take().map(Step::Done).ok_or_else(after_the_end)
            }
        }
    }
}

impl<T> fmt::Debug for Start<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("process", &self.seat.live().origin.process)
            .finish_non_exhaustive()
    }
}
