//! The form of all inputs, and running a codec over one.
//!
//! ```text
//!   knobs: 1 byte │ limits: 1 byte │ n: 1 byte │ n % 8 piece sizes, 1 byte each │ the stream
//! ```
//!
//! The stream is last and as it is, so that inputs can be written by hand and mutated well.

use std::fmt::Debug;

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};
use pocket_dock_core::limits::Limits;
use pocket_dock_core::protocol_error::ProtocolError;

/// One input of a check.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// Choices that each check makes differently.
    pub knobs: u8,
    /// The size of the limits: 0 for the default ones, others for small ones.
    pub limit: u8,
    /// The sizes of the pieces that the stream comes in, used over and over.
    pub sizes: &'a [u8],
    /// What the peer sends.
    pub stream: &'a [u8],
}

impl<'a> Arbitrary<'a> for Input<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (knobs, limit, sizes) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary::<u8>()? % 8);
        let sizes = u.bytes(sizes.into())?;
        let stream = u.bytes(u.len())?;
        Ok(Self {
            knobs,
            limit,
            sizes,
            stream,
        })
    }
}

impl<'a> Input<'a> {
    /// Takes the input apart; `None` if it is too short.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Option<Self> {
        Self::arbitrary_take_rest(Unstructured::new(data)).ok()
    }

    /// Whether the knob with this number, 0 to 7, is set.
    #[must_use]
    pub const fn knob(&self, number: u8) -> bool {
        self.knobs >> number & 1 == 1
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.limit > 0 {
            let limit = usize::from(self.limit);
            limits.head_bytes = limit * 2;
            limits.headers = limit % 8;
            limits.interim_heads = limit % 4;
            limits.chunk_line_bytes = limit % 32;
            limits.trailer_bytes = limit;
            limits.frame_bytes = limit;
            limits.archive_header_bytes = limit * 8;
            limits.archive_sparse_segments = limit % 16;
        }
        limits
    }

    /// The ways in which `stream` comes: whole, in pieces of the input's sizes, and byte by byte.
    #[must_use]
    pub fn splits<'s>(&self, stream: &'s [u8]) -> [Vec<&'s [u8]>; 3] {
        let mut pieces = Vec::new();
        let mut rest = stream;
        // The 1 makes sure that sizes of 0 come to an end.
        for size in self.sizes.iter().copied().chain([1]).cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(rest.len().min(size.into()));
            pieces.push(piece);
            rest = behind;
        }
        [vec![stream], pieces, stream.chunks(1).collect()]
    }
}

/// What a codec gives out, for comparison.
pub(crate) trait Item: Debug + PartialEq + Sized {
    /// The data in it, if it is data.
    fn data(&mut self) -> Option<&mut Bytes>;

    /// Whether it is data that continues the data in `before`.
    fn continues(&self, before: &Self) -> bool;
}

/// All that a codec made of a stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome<I> {
    pub(crate) items: Vec<I>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) left: Bytes,
}

/// Runs a codec over `pieces`. While it asks for more, it has left at most `bound` bytes unused.
pub(crate) fn run<I: Item>(
    pieces: &[&[u8]],
    bound: usize,
    is_last: impl Fn(&I) -> bool,
    mut next: impl FnMut(&mut BytesMut, bool) -> Result<Option<I>, ProtocolError>,
) -> Outcome<I> {
    let mut received = BytesMut::new();
    let mut items: Vec<I> = Vec::new();
    let (mut error, mut ended, mut data_bytes) = (None, false, 0);
    for (at, piece) in pieces.iter().chain([&&b""[..]]).enumerate() {
        received.extend_from_slice(piece);
        let eof = at == pieces.len();
        while error.is_none() {
            match next(&mut received, eof) {
                Ok(Some(mut item)) => {
                    assert!(!ended, "{item:?} follows the end");
                    ended = is_last(&item);
                    if let Some(data) = item.data() {
                        assert!(!data.is_empty(), "a piece of data is empty");
                        data_bytes += data.len();
                    }
                    push(&mut items, item);
                }
                Ok(None) => {
                    assert!(
                        ended || received.len() <= bound,
                        "{} bytes are held, not {bound}",
                        received.len()
                    );
                    break;
                }
                Err(new) => {
                    assert_eq!(next(&mut received, eof), Err(new.clone()), "an error is final");
                    error = Some(new);
                }
            }
        }
    }
    let sent: usize = pieces.iter().map(|piece| piece.len()).sum();
    assert!(
        data_bytes + received.len() <= sent,
        "{data_bytes} bytes of data from {sent} bytes"
    );
    Outcome {
        items,
        error,
        left: received.freeze(),
    }
}

/// Appends `item`, joined with the one before if they are one piece of data.
fn push<I: Item>(items: &mut Vec<I>, mut item: I) {
    if let Some(before) = items.last_mut()
        && item.continues(before)
        && let (Some(data), Some(next)) = (before.data(), item.data())
    {
        let mut joined = BytesMut::from(std::mem::take(data));
        joined.extend_from_slice(next);
        *data = joined.freeze();
    } else {
        items.push(item);
    }
}
