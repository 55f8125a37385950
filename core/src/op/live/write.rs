//! Input for a command that runs.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::over::quietly;
use super::shared::{Live, Seat};
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::op::{Op, Step};

/// Hands input to a command, all of it or none.
#[derive(Debug)]
pub struct Write {
    seat: Seat,
    data: Option<Bytes>,
    /// What is told if nothing can be written any more.
    closed: Error,
}

impl Write {
    pub(crate) fn new(live: &Arc<Live>, data: Bytes) -> Self {
        Self {
            seat: live.seat(),
            data: Some(data),
            closed: ExecError::InputClosed.into(),
        }
    }

    /// What is told instead if nothing can be written any more.
    pub(crate) fn telling(self, closed: Error) -> Self {
        Self { closed, ..self }
    }
}

impl Op for Write {
    type Output = ();

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        match self.seat.write(&mut self.data, &link.waker()) {
            Ok(true) => Ok(Step::Done(())),
            Ok(false) => Ok(quietly(None)),
            Err(()) => Err(self.closed.clone()),
        }
    }
}
