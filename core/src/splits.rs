//! One input, split in many ways: the outcome must be the same. For the tests of every codec.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::http::chunked::Piece;
use crate::http::{Event, ResponseHead};
use crate::protocol_error::ProtocolError;
use crate::stream::Frame;

/// Inputs up to this length are also cut in two at every byte.
const CUT_EVERYWHERE: usize = 512;

/// What a machine gives out.
pub(crate) trait Item: Debug + PartialEq + Sized {
    /// Whether this is data that belongs together with `before`.
    fn continues(&self, before: &Self) -> bool;

    /// Appends the data of `next`, which continues this.
    fn append(&mut self, next: &Self);
}

fn append(data: &mut Bytes, next: &Bytes) {
    assert!(!data.is_empty() && !next.is_empty(), "a piece of data is empty");
    *data = [data.as_ref(), next.as_ref()].concat().into();
}

impl Item for Event {
    fn continues(&self, before: &Self) -> bool {
        matches!((before, self), (Self::Data(_), Self::Data(_)))
    }

    fn append(&mut self, next: &Self) {
        if let (Self::Data(data), Self::Data(next)) = (self, next) {
            append(data, next);
        }
    }
}

impl Item for Piece {
    fn continues(&self, before: &Self) -> bool {
        matches!((before, self), (Self::Data(_), Self::Data(_)))
    }

    fn append(&mut self, next: &Self) {
        if let (Self::Data(data), Self::Data(next)) = (self, next) {
            append(data, next);
        }
    }
}

impl Item for Frame {
    fn continues(&self, before: &Self) -> bool {
        self.channel == before.channel
    }

    fn append(&mut self, next: &Self) {
        append(&mut self.data, &next.data);
    }
}

impl Item for ResponseHead {
    fn continues(&self, _: &Self) -> bool {
        false
    }

    fn append(&mut self, _: &Self) {}
}

/// All that a machine made of an input.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome<I> {
    /// What it gave out, data that belongs together in one piece.
    pub(crate) items: Vec<I>,
    pub(crate) error: Option<ProtocolError>,
    /// What it left in the buffer.
    pub(crate) left: Bytes,
}

/// What becomes of `input` and the end of the input behind it, in every split.
pub(crate) fn outcome<I: Item, N>(input: &[u8], machine: impl Fn() -> N) -> Outcome<I>
where
    N: FnMut(&mut BytesMut, bool) -> Result<Option<I>, ProtocolError>,
{
    let expected = run(&[input], Eof::Later, machine());
    for pieces in splits(input) {
        for eof in [Eof::Later, Eof::WithTheLastPiece] {
            let got = run(&pieces, eof, machine());
            assert_eq!(
                got,
                expected,
                "{} pieces, {eof:?}, of {}",
                pieces.len(),
                input.escape_ascii()
            );
        }
    }
    expected
}

/// What becomes of `input`, which ends by itself: alone, and with other bytes behind it, which must stay.
pub(crate) fn items<I: Item, N>(input: &[u8], machine: impl Fn() -> N) -> Vec<I>
where
    N: FnMut(&mut BytesMut, bool) -> Result<Option<I>, ProtocolError>,
{
    let expected = run(&[input], Eof::Never, machine());
    assert_eq!(
        (&expected.error, &expected.left[..]),
        (&None, &b""[..]),
        "{}",
        input.escape_ascii()
    );
    for trailing in [&b""[..], b"\r\n", b"0\r\n\r\n", b"\0", b"HTTP/1.1 200 OK\r\n\r\nbody"] {
        let got = outcome(&[input, trailing].concat(), &machine);
        assert_eq!(
            (&got.items, &got.error, &got.left[..]),
            (&expected.items, &None, trailing)
        );
    }
    expected.items
}

/// What becomes of `input` when it comes in these pieces.
pub(crate) fn outcome_of<I: Item>(
    pieces: &[&[u8]],
    machine: impl FnMut(&mut BytesMut, bool) -> Result<Option<I>, ProtocolError>,
) -> Outcome<I> {
    run(pieces, Eof::WithTheLastPiece, machine)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Eof {
    Never,
    Later,
    WithTheLastPiece,
}

fn run<I: Item>(
    pieces: &[&[u8]],
    eof: Eof,
    mut next: impl FnMut(&mut BytesMut, bool) -> Result<Option<I>, ProtocolError>,
) -> Outcome<I> {
    let last = pieces.len().saturating_sub(1);
    let mut deliveries: Vec<_> = pieces
        .iter()
        .enumerate()
        .map(|(at, &piece)| (piece, eof == Eof::WithTheLastPiece && at == last))
        .collect();
    if eof == Eof::Later || (eof == Eof::WithTheLastPiece && pieces.is_empty()) {
        deliveries.push((b"", true));
    }
    let mut received = BytesMut::new();
    let mut items: Vec<I> = Vec::new();
    let mut error = None;
    for (piece, eof) in deliveries {
        received.extend_from_slice(piece);
        // After an error or the end, further calls change nothing.
        loop {
            match next(&mut received, eof) {
                Ok(Some(item)) => match items.last_mut().filter(|last| item.continues(last)) {
                    Some(last) => last.append(&item),
                    None => items.push(item),
                },
                Ok(None) => {
                    assert_eq!(error, None, "nothing follows an error");
                    break;
                }
                Err(new) => {
                    assert_eq!(next(&mut received, eof), Err(new.clone()), "an error is final");
                    assert_eq!(*error.get_or_insert_with(|| new.clone()), new, "an error is final");
                    break;
                }
            }
        }
    }
    Outcome {
        items,
        error,
        left: received.freeze(),
    }
}

/// Whole, byte by byte, and, if it is short, cut in two everywhere.
pub(crate) fn splits(input: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut splits = vec![vec![input], input.chunks(1).collect()];
    if input.len() <= CUT_EVERYWHERE {
        splits.extend((1..input.len()).map(|at| vec![&input[..at], &input[at..]]));
    }
    splits
}

/// Cuts `input` into pieces of these sizes, which are used again from the first one on when they are used up.
pub(crate) fn cut<'a>(mut input: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in sizes.iter().cycle() {
        if input.is_empty() {
            break;
        }
        let (piece, rest) = input.split_at(size.min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// Sizes for [`cut`]; not all of them are 0.
pub(crate) fn sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..48_usize, 1..8).prop_filter("pieces of nothing", |sizes| sizes.iter().any(|&s| s > 0))
}
