//! Lines that end with CRLF, found at the front of a buffer.

use bytes::{Buf as _, BytesMut};

use crate::protocol_error::ProtocolError;

/// Takes lines of one kind, looking at every byte once however often it is asked.
#[derive(Debug, Clone)]
pub(super) struct LineReader {
    /// The name of the line, for errors.
    what: &'static str,
    /// The name of its limit, for errors.
    unit: &'static str,
    /// The longest line, in bytes with its line end.
    limit: usize,
    /// Bytes at the front of the input that have no line feed.
    scanned: usize,
}

impl LineReader {
    pub(super) const fn new(what: &'static str, unit: &'static str, limit: usize) -> Self {
        Self {
            what,
            unit,
            limit,
            scanned: 0,
        }
    }

    /// Takes one line from the front of `received`, and returns what `parse` makes of it without its line end.
    ///
    /// `spent` bytes of the limit have gone to earlier lines. A line that `parse` refuses stays where it is.
    pub(super) fn next<T>(
        &mut self,
        received: &mut BytesMut,
        eof: bool,
        spent: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, ProtocolError>,
    ) -> Result<Option<T>, ProtocolError> {
        let limit = self.limit.saturating_sub(spent);
        let window = &received[..received.len().min(limit)];
        let unseen = window.get(self.scanned..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', unseen) else {
            if received.len() > limit {
                return Err(ProtocolError::over_limit(self.unit, self.limit, None));
            }
            if eof {
                return Err(ProtocolError::Truncated { what: self.what });
            }
            self.scanned = window.len();
            return Ok(None);
        };
        let line_feed = self.scanned + found;
        let Some(line) = window[..line_feed].strip_suffix(b"\r") else {
            return Err(ProtocolError::malformed(
                self.what,
                "its line feed has no carriage return before it",
            ));
        };
        let value = parse(line)?;
        received.advance(line_feed + 1);
        self.scanned = 0;
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_looked_at_twice() {
        let mut reader = LineReader::new("line", "line bytes", 64);
        let mut received = BytesMut::new();
        for &byte in b"0123456789\r" {
            received.extend_from_slice(&[byte]);
            assert_eq!(reader.next(&mut received, false, 0, |_| Ok(())), Ok(None));
            assert_eq!(reader.scanned, received.len());
        }
        received.extend_from_slice(b"\n\r\n");
        assert_eq!(
            reader.next(&mut received, false, 0, |line| Ok(line.len())),
            Ok(Some(10))
        );
        assert_eq!((reader.scanned, &received[..]), (0, &b"\r\n"[..]));
    }
}
