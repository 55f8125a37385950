//! A whole answer.

use bytes::Bytes;

use super::head::ResponseHead;

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
        self.upgraded || matches!(self.head.status, 200..=299 | 304)
    }
}
