//! The checks of the stream machines.

use bytes::Bytes;
use pocket_dock_core::stream::{
    Capture, Captured, Channel, Demux, Found, Frame, Line, LineEnd, Lines, Sentinel, TextDecoder,
};

use crate::input::{Input, Item, run};

/// The id in the markers that [`check_sentinel`] looks for.
const ID: &str = "00112233445566778899aabbccddeeff";
/// The longest marker: `__PD_`, the id, `_`, ten characters, `__`, line feed.
const MAX_MARKER: usize = 5 + 32 + 1 + 10 + 3;

impl Item for Frame {
    fn data(&mut self) -> Option<&mut Bytes> {
        Some(&mut self.data)
    }

    fn continues(&self, before: &Self) -> bool {
        self.channel == before.channel
    }
}

/// A stream of frames. Knobs: 0 it is a terminal's, without frames.
pub fn check_frames(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let limits = input.limits();
    let outcomes = input.splits(input.stream).map(|pieces| {
        let mut demux = if input.knob(0) {
            Demux::raw()
        } else {
            Demux::new(&limits)
        };
        // A header, and the text of a system error.
        let outcome = run(&pieces, 8 + 4096, |_| false, |received, eof| demux.next(received, eof));
        assert_eq!(demux.is_clean(), outcome.error.is_none());
        outcome
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    if input.knob(0) {
        assert_eq!(outcomes[0].error, None);
        assert!(
            outcomes[0]
                .items
                .iter()
                .map(|frame| &frame.data[..])
                .eq(Some(input.stream).filter(|s| !s.is_empty()))
        );
    } else if outcomes[0].error.is_none() {
        let expected = whole_frames(input.stream);
        for channel in [Channel::Stdout, Channel::Stderr] {
            let given = outcomes[0].items.iter().filter(|frame| frame.channel == channel);
            let expected = expected.iter().filter(|(of, _)| *of == channel);
            assert!(
                given
                    .flat_map(|frame| &frame.data[..])
                    .eq(expected.flat_map(|(_, payload)| *payload))
            );
        }
    }
}

/// The frames of a stream that is known to have nothing but whole ones.
fn whole_frames(mut stream: &[u8]) -> Vec<(Channel, &[u8])> {
    let mut frames = Vec::new();
    while let Some((&[kind, _, _, _, a, b, c, d], rest)) = stream.split_first_chunk() {
        let (payload, behind) = rest.split_at(u32::from_be_bytes([a, b, c, d]) as usize);
        frames.push((if kind == 2 { Channel::Stderr } else { Channel::Stdout }, payload));
        stream = behind;
    }
    frames
}

/// The output of a command. In the stream, the byte 1 stands for a marker's beginning up to its code. Knobs: none.
pub fn check_sentinel(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let opening = format!("__PD_{ID}_");
    let mut stream = Vec::new();
    for &byte in input.stream {
        if byte == 1 {
            stream.extend_from_slice(opening.as_bytes());
        } else {
            stream.push(byte);
        }
    }
    let expected = search(&stream, opening.as_bytes());
    for pieces in input.splits(&stream) {
        assert_eq!(sentinel(&pieces), expected);
    }
}

/// The output, and the code and what follows if there is a marker.
type Ended = (Vec<u8>, Option<(String, Vec<u8>)>);

fn sentinel(pieces: &[&[u8]]) -> Ended {
    let mut sentinel = Sentinel::new(ID);
    let (mut output, mut pushed) = (Vec::new(), 0);
    for (at, piece) in pieces.iter().enumerate() {
        let found = sentinel.push(Bytes::copy_from_slice(piece), &mut |data| {
            output.extend_from_slice(&data);
        });
        if let Some(Found { code, rest }) = found {
            return (output, Some((code, [&rest, &pieces[at + 1..].concat()[..]].concat())));
        }
        pushed += piece.len();
        let held = pushed - output.len();
        assert!(held < MAX_MARKER, "{held} bytes are held");
    }
    sentinel.finish(&mut |data| output.extend_from_slice(&data));
    (output, None)
}

/// The same in the simplest way.
pub(crate) fn search(stream: &[u8], opening: &[u8]) -> Ended {
    for start in 0..stream.len() {
        let Some(tail) = stream[start..].strip_prefix(opening) else {
            continue;
        };
        let code = tail
            .iter()
            .take_while(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
            .count();
        let (code, closing) = tail.split_at(code);
        if let (1..=10, Some(rest)) = (code.len(), closing.strip_prefix(b"__\n")) {
            let code = code.iter().copied().map(char::from).collect();
            return (stream[..start].to_vec(), Some((code, rest.to_vec())));
        }
    }
    (stream.to_vec(), None)
}

/// Output under a cap of as many bytes as the limit says. Knobs: 0 there is no cap.
pub fn check_capture(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let cap = Some(u64::from(input.limit)).filter(|_| !input.knob(0));
    let kept = cap.map_or(usize::MAX, |cap| cap as usize);
    let expected = if input.stream.len() <= kept {
        Captured {
            head: Bytes::copy_from_slice(input.stream),
            ..Captured::default()
        }
    } else {
        Captured {
            head: Bytes::copy_from_slice(&input.stream[..kept.div_ceil(2)]),
            tail: Bytes::copy_from_slice(&input.stream[input.stream.len() - kept / 2..]),
            omitted_bytes: (input.stream.len() - kept) as u64,
        }
    };
    for pieces in input.splits(input.stream) {
        let mut capture = Capture::new(cap);
        for piece in pieces {
            capture.push(Bytes::copy_from_slice(piece));
            let allocated = capture.allocated_bytes();
            assert!(allocated <= kept.saturating_mul(2), "{allocated} bytes are allocated");
        }
        assert_eq!(capture.into_parts(), expected);
    }
}

/// Bytes as text. Knobs: none.
pub fn check_text(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let expected = String::from_utf8_lossy(input.stream);
    for pieces in input.splits(input.stream) {
        let (mut decoder, mut text) = (TextDecoder::new(), String::new());
        for piece in pieces {
            text.push_str(&decoder.decode(piece));
        }
        text.push_str(decoder.finish());
        assert_eq!(text, expected);
    }
}

/// Bytes as lines; the limit is that of a line. Knobs: 0 a carriage return belongs to the end of line.
pub fn check_lines(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let limit = usize::from(input.limit).max(1);
    let outcomes = input.splits(input.stream).map(|pieces| {
        let lines = Lines::new().limit(input.limit.into());
        let mut lines = if input.knob(0) { lines.crlf() } else { lines };
        let mut all = Vec::new();
        for (piece, eof) in pieces.iter().map(|&piece| (piece, false)).chain([(&b""[..], true)]) {
            let mut received = Bytes::copy_from_slice(piece);
            all.extend(std::iter::from_fn(|| lines.next(&mut received, eof)));
            assert!(received.is_empty());
        }
        all
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    assert_eq!(joined(&outcomes[0], limit), whole_lines(input.stream, input.knob(0)));
}

/// The lines with their pieces put together, and whether they were terminated.
fn joined(lines: &[Line], limit: usize) -> Vec<(Vec<u8>, bool)> {
    let mut all = Vec::new();
    let mut pieces = Vec::new();
    for Line { data, end } in lines {
        assert!(data.len() <= limit);
        pieces.extend_from_slice(data);
        if *end == LineEnd::Cut {
            assert!(data.len() + 3 >= limit && !data.is_empty());
        } else {
            all.push((std::mem::take(&mut pieces), *end == LineEnd::Terminated));
        }
    }
    assert!(pieces.is_empty(), "the last piece is missing");
    all
}

/// The same in the simplest way.
pub(crate) fn whole_lines(stream: &[u8], crlf: bool) -> Vec<(Vec<u8>, bool)> {
    let lines = stream.split_inclusive(|&byte| byte == b'\n');
    let line = |line: &[u8]| match line.strip_suffix(b"\n") {
        Some(line) => (line.strip_suffix(b"\r").filter(|_| crlf).unwrap_or(line).to_vec(), true),
        None => (line.to_vec(), false),
    };
    lines.map(line).collect()
}
