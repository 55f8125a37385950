//! Output under a cap: its beginning and its end are kept, the middle is left out.
//!
//! ```text
//!   output  ├── head: half of the cap, rounded up ──┤··· omitted ···├── tail: the other half ──┤
//! ```

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

/// Collects output up to a cap.
///
/// What is pushed is copied, so that a short piece of a large receive buffer does not keep the buffer alive. The
/// memory in use is at most about twice the cap.
///
/// ```
/// use pocket_dock_core::stream::Capture;
///
/// let mut capture = Capture::new(Some(5));
/// for word in ["one", " two", " three"] {
///     capture.push(word.into());
/// }
/// let captured = capture.into_parts();
/// assert_eq!((&captured.head[..], &captured.tail[..]), (&b"one"[..], &b"ee"[..]));
/// assert_eq!(captured.omitted_bytes, 8);
/// ```
#[derive(Clone)]
pub struct Capture {
    head: Vec<u8>,
    max_head: usize,
    /// The newest bytes behind the head.
    tail: VecDeque<u8>,
    max_tail: usize,
    omitted: u64,
}

/// What a [`Capture`] has kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The output up to the omitted part; all of it if nothing is omitted.
    pub head: Bytes,
    /// The output behind the omitted part; empty if nothing is omitted.
    pub tail: Bytes,
    /// The length of the omitted part.
    pub omitted_bytes: u64,
}

impl Capture {
    /// A capture of at most `cap` bytes, or of everything.
    #[must_use]
    pub fn new(cap: Option<u64>) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let (max_head, max_tail) = cap.map_or((usize::MAX, 0), |cap| (size(cap - cap / 2), size(cap / 2)));
        Self {
            head: Vec::new(),
            max_head,
            tail: VecDeque::new(),
            max_tail,
            omitted: 0,
        }
    }

    /// Appends `data`.
    pub fn push(&mut self, data: Bytes) {
        let (head, rest) = data.split_at(data.len().min(self.max_head - self.head.len()));
        let needed = self.head.len() + head.len();
        if needed > self.head.capacity() {
            self.head
                .reserve_exact(grown(self.head.capacity(), needed, self.max_head) - self.head.len());
        }
        self.head.extend_from_slice(head);

        let skipped = rest.len().saturating_sub(self.max_tail);
        let rest = &rest[skipped..];
        let dropped = (self.tail.len() + rest.len()).saturating_sub(self.max_tail);
        self.tail.drain(..dropped);
        let needed = self.tail.len() + rest.len();
        if needed > self.tail.capacity() {
            self.tail
                .reserve_exact(grown(self.tail.capacity(), needed, self.max_tail) - self.tail.len());
        }
        self.tail.extend(rest);
        self.omitted = self
            .omitted
            .saturating_add(skipped as u64)
            .saturating_add(dropped as u64);
    }

    /// How many bytes were left out so far.
    #[must_use]
    pub fn omitted_bytes(&self) -> u64 {
        self.omitted
    }

    /// Ends the capture.
    #[must_use]
    pub fn into_parts(mut self) -> Captured {
        if self.omitted == 0 {
            let (newer, newest) = self.tail.as_slices();
            self.head.reserve_exact(newer.len() + newest.len());
            self.head.extend_from_slice(newer);
            self.head.extend_from_slice(newest);
            self.tail = VecDeque::new();
        }
        Captured {
            head: self.head.into(),
            tail: Vec::from(self.tail).into(),
            omitted_bytes: self.omitted,
        }
    }

    /// The memory in use, in bytes: at most about the cap.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.head.capacity().saturating_add(self.tail.capacity())
    }
}

/// The capacity for `needed` bytes: twice the old one if that is enough, and never more than `max`.
fn grown(capacity: usize, needed: usize, max: usize) -> usize {
    needed.max(capacity.saturating_mul(2).min(max))
}

/// Shows sizes only.
impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("head_bytes", &self.head.len())
            .field("tail_bytes", &self.tail.len())
            .field("omitted_bytes", &self.omitted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::splits::{cut, sizes, splits};

    fn run(cap: Option<u64>, pieces: &[&[u8]]) -> Captured {
        let mut capture = Capture::new(cap);
        for piece in pieces {
            capture.push(Bytes::copy_from_slice(piece));
            assert!(
                cap.is_none_or(|cap| capture.allocated_bytes() as u64 <= cap.max(32)),
                "{capture:?}"
            );
        }
        capture.into_parts()
    }

    fn reference(cap: Option<u64>, input: &[u8]) -> Captured {
        let length = input.len() as u64;
        let Some(cap) = cap.filter(|&cap| cap < length) else {
            return Captured {
                head: Bytes::copy_from_slice(input),
                ..Captured::default()
            };
        };
        let (head, tail) = (cap.div_ceil(2) as usize, (cap / 2) as usize);
        Captured {
            head: Bytes::copy_from_slice(&input[..head]),
            tail: Bytes::copy_from_slice(&input[input.len() - tail..]),
            omitted_bytes: length - cap,
        }
    }

    #[test]
    fn every_cap_around_the_length() {
        let input: Vec<u8> = (0..20).collect();
        for cap in (0..24).map(Some).chain([None, Some(u64::MAX)]) {
            for pieces in splits(&input) {
                assert_eq!(run(cap, &pieces), reference(cap, &input), "{cap:?}");
            }
        }
        assert_eq!(
            run(Some(0), &[b"x"]),
            Captured {
                omitted_bytes: 1,
                ..Captured::default()
            }
        );
        assert_eq!(run(Some(0), &[]), Captured::default());
    }

    #[test]
    fn short_pieces_keep_no_large_buffers() {
        for cap in [Some(1000), None] {
            let mut capture = Capture::new(cap);
            for _ in 0..2000 {
                let buffer = Bytes::from(vec![b'x'; 65_536]);
                capture.push(buffer.slice(..1));
                assert!(buffer.is_unique(), "the buffer is still in use");
            }
            let captured = capture.into_parts();
            assert_eq!(captured.head.len() + captured.tail.len(), cap.unwrap_or(2000) as usize);
        }
    }

    proptest! {
        #[test]
        fn it_keeps_what_the_definition_says(
            input in proptest::collection::vec(any::<u8>(), 0..400),
            cap in proptest::option::of(0..400_u64),
            cuts in sizes(),
        ) {
            prop_assert_eq!(run(cap, &cut(&input, &cuts)), reference(cap, &input));
        }
    }
}
