//! The multiplexed stream of an attach or exec without a terminal.
//!
//! ```text
//!   ┌──────┬───┬───┬───┬────────────────┬───────────┐
//!   │ type │ 0 │ 0 │ 0 │ length, u32 be │  payload  │   type: 0 stdin echo, 1 stdout, 2 stderr, 3 system error
//!   └──────┴───┴───┴───┴────────────────┴───────────┘
//!
//!   Header ──type 0 to 2──► Payload { channel, remaining } ──remaining 0──► Header
//!          ──type 3───────► an error with the payload's text
//! ```

use bytes::{Buf as _, Bytes, BytesMut};

use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

const HEADER: &str = "stream frame header";
const PAYLOAD: &str = "stream frame payload";
const HEADER_BYTES: usize = 8;
/// How much of a system error's text is reported.
const ERROR_TEXT_BYTES: usize = 4096;

/// Where a program wrote its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of a frame's payload, never empty: pieces are given out as they come, not held until the frame is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where the program wrote it.
    pub channel: Channel,
    /// What it wrote.
    pub data: Bytes,
}

/// Takes a stream apart into what was written to stdout and to stderr.
///
/// ```
/// use bytes::BytesMut;
/// use pocket_dock_core::limits::Limits;
/// use pocket_dock_core::stream::{Channel, Demux, Frame};
///
/// let mut demux = Demux::new(&Limits::default());
/// let mut received = BytesMut::from(&b"\x02\0\0\0\0\0\0\x04oo"[..]);
/// let piece = demux.next(&mut received, false)?;
/// assert_eq!(piece, Some(Frame { channel: Channel::Stderr, data: "oo".into() }));
/// received.extend_from_slice(b"ps");
/// let piece = demux.next(&mut received, false)?;
/// assert_eq!(piece, Some(Frame { channel: Channel::Stderr, data: "ps".into() }));
/// assert!(demux.next(&mut received, true)?.is_none() && demux.is_clean());
/// # Ok::<(), pocket_dock_core::protocol_error::ProtocolError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Demux {
    state: State,
    max_payload: usize,
}

#[derive(Debug, Clone)]
enum State {
    /// A terminal's stream: no frames.
    Raw,
    /// At a border of frames; `seen` bytes of the next header have been received.
    Header { seen: usize },
    /// Inside a frame.
    Payload { channel: Channel, remaining: u32 },
}

impl Demux {
    /// For a stream of frames: an attach or exec without a terminal.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            state: State::Header { seen: 0 },
            max_payload: limits.frame_bytes,
        }
    }

    /// For the stream of a terminal: it has no frames, and all of it is stdout.
    #[must_use]
    pub const fn raw() -> Self {
        Self {
            state: State::Raw,
            max_payload: 0,
        }
    }

    /// Takes the next piece from the front of `received`; `None`: it needs more input, or, with `eof`, the stream has
    /// ended between two frames. `eof`: nothing will follow what is in `received`.
    ///
    /// The echo of stdin counts as stdout. Frames without a payload are skipped.
    ///
    /// # Errors
    ///
    /// [`Malformed`](ProtocolError::Malformed) for an unknown type, for padding other than zeros, and for a system
    /// error, with up to 4 KiB of its text; [`OverLimit`](ProtocolError::OverLimit) for a declared payload over
    /// [`Limits::frame_bytes`]; [`Truncated`](ProtocolError::Truncated) if the stream ends inside a frame. An error
    /// consumes nothing and is final: the same call gives it again.
    pub fn next(&mut self, received: &mut BytesMut, eof: bool) -> Result<Option<Frame>, ProtocolError> {
        loop {
            match &mut self.state {
                State::Raw if received.is_empty() => return Ok(None),
                State::Raw => {
                    return Ok(Some(Frame {
                        channel: Channel::Stdout,
                        data: received.split().freeze(),
                    }));
                }
                State::Payload { remaining: 0, .. } => self.state = State::Header { seen: 0 },
                State::Payload { .. } if received.is_empty() => {
                    return if eof {
                        Err(ProtocolError::Truncated { what: PAYLOAD })
                    } else {
                        Ok(None)
                    };
                }
                State::Payload { channel, remaining } => {
                    let taken = received.len().min(*remaining as usize);
                    *remaining -= taken as u32;
                    return Ok(Some(Frame {
                        channel: *channel,
                        data: received.split_to(taken).freeze(),
                    }));
                }
                State::Header { seen } => {
                    *seen = received.len().min(HEADER_BYTES);
                    let Some((channel, remaining)) = self.header(received, eof)? else {
                        return Ok(None);
                    };
                    received.advance(HEADER_BYTES);
                    self.state = State::Payload { channel, remaining };
                }
            }
        }
    }

    /// Whether the stream may end here: everything given to [`next`](Self::next) so far is whole frames.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(
            self.state,
            State::Raw | State::Header { seen: 0 } | State::Payload { remaining: 0, .. }
        )
    }

    /// Reads the header at the front of `received` without taking it.
    fn header(&self, received: &[u8], eof: bool) -> Result<Option<(Channel, u32)>, ProtocolError> {
        for (at, &byte) in received.iter().take(4).enumerate() {
            if byte > if at == 0 { 3 } else { 0 } {
                let detail = format!("byte {at} is {byte}; the stream may be a terminal's, which has no frames");
                return Err(ProtocolError::malformed(HEADER, detail));
            }
        }
        let Some((&[kind, _, _, _, a, b, c, d], payload)) = received.split_first_chunk() else {
            return if eof && !received.is_empty() {
                Err(ProtocolError::Truncated { what: HEADER })
            } else {
                Ok(None)
            };
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        if length as usize > self.max_payload {
            return Err(ProtocolError::over_limit(
                "frame payload bytes",
                self.max_payload,
                Some(length.into()),
            ));
        }
        match kind {
            0 | 1 => Ok(Some((Channel::Stdout, length))),
            2 => Ok(Some((Channel::Stderr, length))),
            _ => {
                let wanted = ERROR_TEXT_BYTES.min(length as usize);
                if payload.len() < wanted && !eof {
                    return Ok(None);
                }
                let text = String::from_utf8_lossy(&payload[..payload.len().min(wanted)])
                    .trim_end()
                    .to_owned();
                Err(ProtocolError::malformed(
                    "stream",
                    format!("the engine reports an error in it: {text}"),
                ))
            }
        }
    }
}
