//! Response heads.
//!
//! ```text
//!   bytes ──► look for the blank line, each byte once ──► httparse ──► ResponseHead
//! ```
//!
//! Lines end with CRLF and nothing else. What cannot become a head is refused as soon as that is certain: at the first
//! bytes that are not `HTTP/1.`, and at a bare line feed.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

pub(super) const HEAD: &str = "response head";
const VERSION: &[u8] = b"HTTP/1.";

/// The status line and header fields of one response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, 100 to 999. The reason phrase is not kept.
    pub status: u16,
    minor_version: u8,
    fields: Vec<(Bytes, Bytes)>,
}

impl ResponseHead {
    /// The value of the first header field called `name`, in any case; it may be empty.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.header_values(name).next()
    }

    /// The same as text; `None` also if it is not UTF-8.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The values of all header fields called `name`, in any case, in their order.
    pub fn header_values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let named = move |(field, _): &&(Bytes, Bytes)| field.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(named).map(|(_, value)| value.as_ref())
    }

    /// The members of the comma-separated lists that the header fields called `name` hold, without white space.
    pub(super) fn list<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.header_values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
    }

    /// Whether another head follows this one.
    pub(super) const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// Whether the request was obeyed, or there was nothing to be done.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299 | 304)
    }

    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(super) const fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// `head` ends with its only blank line.
    fn parse(head: &[u8], max_fields: usize) -> Result<Self, ProtocolError> {
        // The copy is small, and does not keep a whole receive buffer alive.
        let head = Bytes::copy_from_slice(head);
        let lines = memchr::memchr_iter(b'\n', &head).count();
        let mut fields = vec![httparse::EMPTY_HEADER; lines.min(max_fields)];
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(&head) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(ProtocolError::malformed(HEAD, "it has no status line")),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(ProtocolError::over_limit("response header fields", max_fields, None));
            }
            Err(error) => return Err(ProtocolError::malformed(HEAD, error.to_string())),
        }
        let (Some(status @ 100..), Some(minor_version)) = (parsed.code, parsed.version) else {
            return Err(ProtocolError::malformed(HEAD, "its status code is below 100"));
        };
        let field = |field: &httparse::Header<'_>| (head.slice_ref(field.name.as_bytes()), head.slice_ref(field.value));
        Ok(Self {
            status,
            minor_version,
            fields: parsed.headers.iter().map(field).collect(),
        })
    }
}

/// Reads one response head.
#[derive(Debug, Clone)]
pub struct HeadReader {
    max_bytes: usize,
    max_fields: usize,
    /// Bytes at the front of the input whose lines have been checked.
    scanned: usize,
}

impl HeadReader {
    /// A reader for the next head on a connection.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            max_bytes: limits.head_bytes,
            max_fields: limits.headers,
            scanned: 0,
        }
    }

    /// Takes a head from the front of `received`; `None`: it is not complete. `eof`: nothing will follow what is in
    /// `received`. After a head, the reader is ready for another.
    ///
    /// # Errors
    ///
    /// [`Malformed`](ProtocolError::Malformed) for anything that is not a head of HTTP/1.0 or HTTP/1.1,
    /// [`OverLimit`](ProtocolError::OverLimit) for more than [`Limits::head_bytes`] or [`Limits::headers`],
    /// [`CLOSED_BEFORE_HEAD`](ProtocolError::CLOSED_BEFORE_HEAD) or another
    /// [`Truncated`](ProtocolError::Truncated) for an end of the input before the end of the head. An error is
    /// final: the same call gives it again.
    pub fn next(&mut self, received: &mut BytesMut, eof: bool) -> Result<Option<ResponseHead>, ProtocolError> {
        self.next_with(received, eof, Ok)
    }

    /// The same, with the head as `accept` returns it. A head that it refuses stays where it is.
    pub(super) fn next_with<T>(
        &mut self,
        received: &mut BytesMut,
        eof: bool,
        accept: impl FnOnce(ResponseHead) -> Result<T, ProtocolError>,
    ) -> Result<Option<T>, ProtocolError> {
        let window = &received[..received.len().min(self.max_bytes)];
        let Some(end) = self.find_end(window)? else {
            if received.len() > self.max_bytes {
                return Err(ProtocolError::over_limit("response head bytes", self.max_bytes, None));
            }
            return match (eof, received.is_empty()) {
                (true, true) => Err(ProtocolError::CLOSED_BEFORE_HEAD),
                (true, false) => Err(ProtocolError::Truncated { what: HEAD }),
                (false, _) => Ok(None),
            };
        };
        let head = accept(ResponseHead::parse(&window[..end], self.max_fields)?)?;
        received.advance(end);
        self.scanned = 0;
        Ok(Some(head))
    }

    /// The length of the head at the front of `window`, if all of it is there.
    fn find_end(&mut self, window: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if let Some(at) = window.iter().zip(VERSION).position(|(byte, expected)| byte != expected) {
            let start = window[..=at].escape_ascii();
            return Err(ProtocolError::malformed(
                HEAD,
                format!("it begins with \"{start}\" instead of \"HTTP/1.\""),
            ));
        }
        let unseen = window.get(self.scanned..).unwrap_or_default();
        for line_feed in memchr::memchr_iter(b'\n', unseen).map(|found| self.scanned + found) {
            let before = &window[..line_feed];
            if !before.ends_with(b"\r") {
                return Err(ProtocolError::malformed(
                    HEAD,
                    "a line feed in it has no carriage return before it",
                ));
            }
            if before.ends_with(b"\r\n\r") {
                return Ok(Some(line_feed + 1));
            }
        }
        self.scanned = window.len();
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_looked_at_twice() {
        let mut reader = HeadReader::new(&Limits::default());
        let mut received = BytesMut::new();
        for &byte in b"HTTP/1.1 200 OK\r\nA: b\r\n\r" {
            received.extend_from_slice(&[byte]);
            assert_eq!(reader.next(&mut received, false), Ok(None));
            assert_eq!(reader.scanned, received.len());
        }
    }

    #[test]
    fn a_head_keeps_no_receive_buffer() {
        let mut received = BytesMut::with_capacity(65_536);
        received.extend_from_slice(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
        let head = HeadReader::new(&Limits::default()).next(&mut received, false).unwrap();
        assert!(head.is_some() && received.is_empty());
        assert!(received.try_reclaim(65_536), "the buffer is shared");
    }
}
