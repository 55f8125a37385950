//! Reading one response.
//!
//! ```text
//!            ┌─ 1xx but 101: dropped ─┐
//!            ▼                        │
//!   Head ────┴──── a head ────────────┘
//!    │ final
//!    ├─► Ending                     HEAD, 204, 304
//!    ├─► Length   ──► Ending        Content-Length
//!    ├─► Chunked  ──► Ending        Transfer-Encoding: chunked
//!    ├─► UntilEof ──► Ending        neither
//!    └─► Upgrading                  101, or 200 and neither, to a request for an upgrade
//!   Ending    ──End──────► Done
//!   Upgrading ──Upgraded─► Done
//! ```

use bytes::{Bytes, BytesMut};

use super::chunked::{self, Decoder, Piece};
use super::framing::Framing;
use super::head::{HEAD, HeadReader, ResponseHead};
use super::request::Method;
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

/// One item of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The final head. Interim heads are not reported.
    Head(ResponseHead),
    /// A piece of the body, never empty, as it came.
    Data(Bytes),
    /// The connection is a raw stream in both directions from here on; what has been received of it already is still
    /// in the buffer. Nothing else follows.
    Upgraded,
    /// The response has ended. Nothing else follows; bytes behind it are still in the buffer.
    End {
        /// Whether the connection can carry another request.
        keep_alive: bool,
    },
}

/// Reads one response from a connection.
///
/// ```
/// use bytes::BytesMut;
/// use pocket_dock_core::http::{Event, Method, ResponseReader};
/// use pocket_dock_core::limits::Limits;
///
/// let mut reader = ResponseReader::new(&Limits::default(), Method::Get, false);
/// let mut received = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO");
/// let Some(Event::Head(head)) = reader.next(&mut received, false)? else { unreachable!() };
/// assert_eq!((head.status, head.header_text("content-length")), (200, Some("2")));
/// assert_eq!(reader.next(&mut received, false)?, Some(Event::Data("O".into())));
/// assert_eq!(reader.next(&mut received, false)?, None);
/// received.extend_from_slice(b"K");
/// assert_eq!(reader.next(&mut received, false)?, Some(Event::Data("K".into())));
/// assert_eq!(reader.next(&mut received, false)?, Some(Event::End { keep_alive: true }));
/// # Ok::<(), pocket_dock_core::protocol_error::ProtocolError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResponseReader {
    state: State,
    limits: Limits,
    method: Method,
    wants_upgrade: bool,
    keep_alive: bool,
}

#[derive(Debug, Clone)]
enum State {
    Head { reader: HeadReader, interim: usize },
    Length { remaining: u64 },
    Chunked(Decoder),
    UntilEof,
    Ending,
    Upgrading,
    Done,
}

impl ResponseReader {
    /// A reader for the response to a request with this method, which asked for an upgrade or did not.
    #[must_use]
    pub fn new(limits: &Limits, method: Method, wants_upgrade: bool) -> Self {
        let state = State::Head {
            reader: HeadReader::new(limits),
            interim: 0,
        };
        Self {
            state,
            limits: limits.clone(),
            method,
            wants_upgrade,
            keep_alive: false,
        }
    }

    /// Takes the next item from the front of `received`; `None`: it needs more input, or the response has ended.
    /// `eof`: nothing will follow what is in `received`.
    ///
    /// # Errors
    ///
    /// - [`CLOSED_BEFORE_HEAD`](ProtocolError::CLOSED_BEFORE_HEAD) if the input ends before any byte of the response.
    /// - [`Truncated`](ProtocolError::Truncated) if it ends later and before the end of the response. A body without
    ///   a length ends with the input, so it cannot be truncated.
    /// - [`OverLimit`](ProtocolError::OverLimit) for a head, interim heads, a chunk-size line or trailers over their
    ///   [`Limits`]. The body has no limit here.
    /// - [`Malformed`](ProtocolError::Malformed) for anything else that is not HTTP/1.0 or HTTP/1.1, for ambiguous
    ///   lengths, and for transfer encodings other than `chunked`.
    ///
    /// An error is final: the same call gives it again.
    pub fn next(&mut self, received: &mut BytesMut, eof: bool) -> Result<Option<Event>, ProtocolError> {
        loop {
            match &mut self.state {
                State::Head { .. } => return Ok(self.head(received, eof)?.map(Event::Head)),
                State::Length { remaining: 0 } => self.state = State::Ending,
                State::Length { remaining } => {
                    return Ok(chunked::take_body(received, remaining, eof, "response body")?.map(Event::Data));
                }
                State::Chunked(decoder) => match decoder.next(received, eof)? {
                    Some(Piece::Data(data)) => return Ok(Some(Event::Data(data))),
                    Some(Piece::End) => self.state = State::Ending,
                    None => return Ok(None),
                },
                State::UntilEof if !received.is_empty() => return Ok(Some(Event::Data(received.split().freeze()))),
                State::UntilEof if eof => self.state = State::Ending,
                State::UntilEof | State::Done => return Ok(None),
                State::Ending => {
                    self.state = State::Done;
                    return Ok(Some(Event::End {
                        keep_alive: self.keep_alive,
                    }));
                }
                State::Upgrading => {
                    self.state = State::Done;
                    return Ok(Some(Event::Upgraded));
                }
            }
        }
    }

    /// Takes the final head, and the interim heads before it.
    fn head(&mut self, received: &mut BytesMut, eof: bool) -> Result<Option<ResponseHead>, ProtocolError> {
        let State::Head { reader, interim } = &mut self.state else {
            return Ok(None);
        };
        loop {
            let accepted = reader.next_with(received, eof, |head| {
                if head.is_interim() {
                    if *interim >= self.limits.interim_heads {
                        return Err(ProtocolError::over_limit(
                            "interim heads",
                            self.limits.interim_heads,
                            None,
                        ));
                    }
                    return Ok(None);
                }
                let framing = Framing::of(&head, self.method, self.wants_upgrade)?;
                Ok(Some((head, framing)))
            });
            match accepted {
                Err(error) if *interim > 0 && error.is_closed_before_head() => {
                    return Err(ProtocolError::Truncated { what: HEAD });
                }
                Err(error) => return Err(error),
                Ok(None) => return Ok(None),
                Ok(Some(None)) => *interim += 1,
                Ok(Some(Some((head, framing)))) => {
                    self.keep_alive = framing.keeps_alive(&head);
                    self.state = match framing {
                        Framing::None => State::Ending,
                        Framing::Length(remaining) => State::Length { remaining },
                        Framing::Chunked => State::Chunked(Decoder::new(&self.limits)),
                        Framing::Close => State::UntilEof,
                        Framing::Upgrade => State::Upgrading,
                    };
                    return Ok(Some(head));
                }
            }
        }
    }
}
