//! The chunked transfer coding, both ways.
//!
//! ```text
//!   Size ──"a;x=y\r\n"──► Data { remaining: 10 } ──10 bytes──► DataEnd ──"\r\n"──► Size
//!   Size ──"0\r\n"──► Trailers ──(line)*, "\r\n"──► Done
//! ```
//!
//! Sizes are 1 to 16 hex digits and nothing else; extensions and trailers are checked for their form and dropped.

use bytes::{Buf as _, Bytes, BytesMut};

use super::line::LineReader;
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

const SIZE_LINE: &str = "chunk-size line";
const DATA_END: &str = "line end behind chunk data";
const TRAILERS: &str = "trailer section";

/// What ends a chunked body: the chunk of size 0, without trailers.
pub const LAST: &[u8] = b"0\r\n\r\n";

/// Gives out `data` as one chunk: its size line, `data` itself, and its line end.
///
/// Empty `data` gives nothing, because a chunk of size 0 would end the body.
pub fn encode(data: Bytes, out: &mut impl FnMut(Bytes)) {
    if data.is_empty() {
        return;
    }
    out(Bytes::from(format!("{:x}\r\n", data.len())));
    out(data);
    out(Bytes::from_static(b"\r\n"));
}

/// One item of a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A piece of a chunk's data, never empty, as it came.
    Data(Bytes),
    /// The last chunk and the trailers have been read.
    End,
}

/// Decodes one chunked body.
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    size_line: LineReader,
    trailer_line: LineReader,
    trailer_bytes: usize,
}

#[derive(Debug, Clone)]
enum State {
    Size,
    Data { remaining: u64 },
    DataEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// A decoder at the beginning of a chunked body.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size,
            size_line: LineReader::new(SIZE_LINE, "chunk-size line bytes", limits.chunk_line_bytes),
            trailer_line: LineReader::new(TRAILERS, "trailer bytes", limits.trailer_bytes),
            trailer_bytes: 0,
        }
    }

    /// Takes the next item from the front of `received`; `None`: it needs more input, or has returned
    /// [`Piece::End`] before. `eof`: nothing will follow what is in `received`.
    ///
    /// # Errors
    ///
    /// [`Malformed`](ProtocolError::Malformed) for anything that is not the coding,
    /// [`OverLimit`](ProtocolError::OverLimit) for a size line over [`Limits::chunk_line_bytes`] or trailers over
    /// [`Limits::trailer_bytes`], [`Truncated`](ProtocolError::Truncated) for an end of the input before the end of
    /// the body. An error is final: the same call gives it again.
    pub fn next(&mut self, received: &mut BytesMut, eof: bool) -> Result<Option<Piece>, ProtocolError> {
        loop {
            let next = match &mut self.state {
                State::Size => self
                    .size_line
                    .next(received, eof, 0, parse_size)?
                    .map(|size| match size {
                        0 => State::Trailers,
                        remaining => State::Data { remaining },
                    }),
                State::Data { remaining: 0 } => Some(State::DataEnd),
                State::Data { remaining } => {
                    return Ok(take_body(received, remaining, eof, "chunk data")?.map(Piece::Data));
                }
                State::DataEnd => take_line_end(received, eof)?.then_some(State::Size),
                State::Trailers => {
                    let Some(bytes) = self
                        .trailer_line
                        .next(received, eof, self.trailer_bytes, parse_trailer)?
                    else {
                        return Ok(None);
                    };
                    self.trailer_bytes += bytes + 2;
                    if bytes == 0 {
                        self.state = State::Done;
                        return Ok(Some(Piece::End));
                    }
                    Some(State::Trailers)
                }
                State::Done => None,
            };
            let Some(next) = next else { return Ok(None) };
            self.state = next;
        }
    }
}

/// Takes what `received` has of the `remaining` bytes of a body, without copying it.
pub(super) fn take_body(
    received: &mut BytesMut,
    remaining: &mut u64,
    eof: bool,
    what: &'static str,
) -> Result<Option<Bytes>, ProtocolError> {
    if received.is_empty() {
        return if eof {
            Err(ProtocolError::Truncated { what })
        } else {
            Ok(None)
        };
    }
    let taken = usize::try_from(*remaining).unwrap_or(usize::MAX).min(received.len());
    *remaining -= taken as u64;
    Ok(Some(received.split_to(taken).freeze()))
}

/// The size in a chunk-size line: hex digits, then perhaps extensions.
fn parse_size(line: &[u8]) -> Result<u64, ProtocolError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at(digits);
    let detail = if size.is_empty() {
        "it does not begin with a hex digit"
    } else if size.len() > 16 {
        "its size has more than 16 digits"
    } else if !rest.is_empty() && !rest.trim_ascii_start().starts_with(b";") {
        "something other than an extension follows its size"
    } else if !is_text(rest) {
        "it has a control character"
    } else {
        // 16 hex digits are 64 bits.
        return Ok(size
            .iter()
            .fold(0, |size, &digit| size << 4 | u64::from(hex_value(digit))));
    };
    Err(ProtocolError::malformed(
        SIZE_LINE,
        format!("{detail}: \"{}\"", shown(line)),
    ))
}

const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Takes the line end behind the data of a chunk; false if it is not there yet.
fn take_line_end(received: &mut BytesMut, eof: bool) -> Result<bool, ProtocolError> {
    let end = &received[..received.len().min(2)];
    if !b"\r\n".starts_with(end) {
        return Err(ProtocolError::malformed(
            DATA_END,
            "the data is longer than the chunk's size",
        ));
    }
    match (end.len(), eof) {
        (2, _) => {
            received.advance(2);
            Ok(true)
        }
        (_, true) => Err(ProtocolError::Truncated { what: DATA_END }),
        (_, false) => Ok(false),
    }
}

/// The length of a trailer line, 0 for the empty line behind the last one.
fn parse_trailer(line: &[u8]) -> Result<usize, ProtocolError> {
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let is_field =
        !name.is_empty() && name.len() < line.len() && name.iter().all(u8::is_ascii_graphic) && is_text(line);
    if line.is_empty() || is_field {
        return Ok(line.len());
    }
    Err(ProtocolError::malformed(
        TRAILERS,
        format!("\"{}\" is not a header field", shown(line)),
    ))
}

/// Whether there are no control characters but the tab.
fn is_text(line: &[u8]) -> bool {
    line.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

/// The beginning of a line from the peer, fit for a message.
fn shown(line: &[u8]) -> impl std::fmt::Display {
    line[..line.len().min(64)].escape_ascii()
}
