//! A whole answer, or one whose body is taken as it comes.

use std::fmt;

use bytes::Bytes;

use super::head::ResponseHead;
use crate::protocol_error::ProtocolError;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: ResponseHead,
    /// Empty after an upgrade: then the bytes that follow are in the link. Empty also where it was taken as it came.
    pub(crate) body: Bytes,
    pub(crate) upgraded: bool,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    pub(crate) fn is_success(&self) -> bool {
        self.upgraded || self.head.is_success()
    }
}

/// Takes the body of an answer as it comes.
pub(crate) trait Sink: fmt::Debug + Send {
    /// The next piece, cut anywhere.
    fn take(&mut self, data: Bytes) -> Result<(), ProtocolError>;
}
