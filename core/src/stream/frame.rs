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
    /// is final: the same call gives it again.
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

    /// Whether the stream may end here: when [`next`](Self::next) returned `None`, it had seen whole frames only.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::splits::{Outcome, cut, outcome, outcome_of, sizes};

    fn machine(limits: &Limits) -> impl FnMut(&mut BytesMut, bool) -> Result<Option<Frame>, ProtocolError> + use<> {
        let mut demux = Demux::new(limits);
        move |received, eof| {
            let next = demux.next(received, eof);
            assert!(next != Ok(None) || !eof || demux.is_clean(), "{demux:?}");
            assert!(next.is_ok() || !demux.is_clean(), "{demux:?}");
            next
        }
    }

    fn demux(input: &[u8]) -> Outcome<Frame> {
        outcome(input, || machine(&Limits::default()))
    }

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0][..], &length, payload].concat()
    }

    fn stdout(data: &'static str) -> Frame {
        Frame {
            channel: Channel::Stdout,
            data: data.into(),
        }
    }

    fn stderr(data: &'static str) -> Frame {
        Frame {
            channel: Channel::Stderr,
            data: data.into(),
        }
    }

    #[test]
    fn pieces_go_to_their_channels() {
        let input = [frame(1, b"out"), frame(2, b"err"), frame(1, b"more"), frame(1, b" out")].concat();
        let expected = vec![stdout("out"), stderr("err"), stdout("more out")];
        assert_eq!(
            demux(&input),
            Outcome {
                items: expected,
                error: None,
                left: Bytes::new()
            }
        );
    }

    #[test]
    fn frames_without_a_payload_are_skipped_and_the_echo_of_stdin_is_stdout() {
        let input = [frame(1, b""), frame(0, b"echo"), frame(2, b""), frame(2, b"")].concat();
        assert_eq!(
            demux(&input),
            Outcome {
                items: vec![stdout("echo")],
                error: None,
                left: Bytes::new()
            }
        );
        assert_eq!(
            demux(b""),
            Outcome {
                items: vec![],
                error: None,
                left: Bytes::new()
            }
        );
    }

    #[test]
    fn the_stream_of_a_terminal_is_all_stdout() {
        let input = [&frame(2, b"x")[..], b"\x03\x00"].concat();
        let outcome = outcome(&input, || {
            let mut demux = Demux::raw();
            move |received: &mut _, eof| {
                assert!(demux.is_clean());
                demux.next(received, eof)
            }
        });
        assert_eq!(outcome.error, None);
        assert_eq!(
            outcome.items,
            [Frame {
                channel: Channel::Stdout,
                data: input.into()
            }]
        );
    }

    #[test]
    fn an_end_inside_a_frame_is_truncated() {
        let input = [frame(1, b"out"), frame(2, b"err")].concat();
        for end in 1..input.len() {
            let expected = match end % 11 {
                0 => None,
                1..8 => Some(ProtocolError::Truncated { what: HEADER }),
                _ => Some(ProtocolError::Truncated { what: PAYLOAD }),
            };
            let mut machine = Demux::new(&Limits::default());
            let mut received = BytesMut::from(&input[..end]);
            while machine.next(&mut received, false).unwrap().is_some() {}
            assert_eq!(machine.is_clean(), expected.is_none(), "{end}");
            assert_eq!(demux(&input[..end]).error, expected, "{end}");
        }
    }

    #[test]
    fn headers_that_are_none_are_refused_at_their_first_wrong_byte() {
        for (input, at) in [
            (&b"\x04"[..], 0),
            (b"hello\r\n", 0),
            (b"\x01\x01", 1),
            (b"\x02\0\xff", 2),
            (b"\0\0\0\x01", 3),
        ] {
            let Some(ProtocolError::Malformed { what: HEADER, detail }) = demux(input).error else {
                panic!("{input:?}")
            };
            assert!(detail.starts_with(&format!("byte {at} is {}; ", input[at])), "{detail}");
        }
    }

    #[test]
    fn a_declared_length_over_the_limit_is_refused_at_once() {
        let over = |limit, declared| {
            Some(ProtocolError::OverLimit {
                what: "frame payload bytes",
                limit,
                declared: Some(declared),
            })
        };
        for kind in 0..=3 {
            let input = [kind, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
            assert_eq!(demux(&input).error, over(16 * 1024 * 1024, u64::from(u32::MAX)));
        }
        let limits = Limits {
            frame_bytes: 3,
            ..Limits::default()
        };
        assert_eq!(outcome(&frame(1, b"out"), || machine(&limits)).error, None);
        assert_eq!(outcome(&frame(1, b"outs"), || machine(&limits)).error, over(3, 4));
    }

    #[test]
    fn a_system_error_is_reported_with_its_text() {
        let text = |input: &[u8]| match demux(input).error {
            Some(ProtocolError::Malformed { what: "stream", detail }) => detail,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            text(&frame(3, b"no space\n")),
            "the engine reports an error in it: no space"
        );
        assert_eq!(
            text(&[frame(3, b"\xff"), frame(1, b"x")].concat()),
            "the engine reports an error in it: \u{fffd}"
        );
        assert_eq!(
            text(b"\x03\0\0\0\0\0\0\x09no sp"),
            "the engine reports an error in it: no sp"
        );
        assert_eq!(
            text(&frame(3, &[b'x'; 9000])).len(),
            "the engine reports an error in it: ".len() + ERROR_TEXT_BYTES
        );
    }

    #[test]
    fn data_is_not_copied() {
        let mut received = BytesMut::from(&frame(1, b"hello")[..]);
        let place = received[HEADER_BYTES..].as_ptr();
        let piece = Demux::new(&Limits::default())
            .next(&mut received, false)
            .unwrap()
            .unwrap();
        assert_eq!(piece.data.as_ptr(), place);
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in proptest::collection::vec((0..3_u8, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
            cuts in sizes(),
        ) {
            let input: Vec<u8> = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
            let Outcome { items, error, left } = outcome_of(&cut(&input, &cuts), machine(&Limits::default()));
            prop_assert_eq!((error, left), (None, Bytes::new()));
            let written = |stderr: bool| frames.iter().filter(move |(kind, _)| (*kind == 2) == stderr).flat_map(|f| f.1.clone());
            let read = |channel| items.iter().filter(move |item| item.channel == channel).flat_map(|item| item.data.clone());
            prop_assert!(read(Channel::Stdout).eq(written(false)));
            prop_assert!(read(Channel::Stderr).eq(written(true)));
        }

        #[test]
        fn splitting_changes_nothing(input in "(\0|\x01|\x02|\x03|a|\0\0\0){0,60}", cuts in sizes()) {
            let whole = outcome_of(&[input.as_bytes()], machine(&Limits::default()));
            prop_assert_eq!(outcome_of(&cut(input.as_bytes(), &cuts), machine(&Limits::default())), whole);
        }
    }
}
