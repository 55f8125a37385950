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
}

impl Write {
    pub(crate) fn new(live: &Arc<Live>, data: Bytes) -> Self {
        Self {
            seat: live.seat(),
            data: Some(data),
        }
    }
}

impl Op for Write {
    type Output = ();

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        match self.seat.write(&mut self.data, &link.waker()) {
            Ok(true) => Ok(Step::Done(())),
            Ok(false) => Ok(quietly(None)),
            Err(()) => Err(ExecError::InputClosed.into()),
        }
    }
}
