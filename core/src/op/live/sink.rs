//! Where the output of a command goes: to one reader, who holds it up, or into a ring buffer, which never does.
//!
//! ```text
//!              ┌─ Queue: passes the head ──► chunks, in order, at most HELD_BYTES of them ──► the reader
//!   output ──► │          keeps the newest behind it, as a cap says; given out at the end
//!              └─ Ring:   the oldest is lost
//! ```

use std::collections::VecDeque;

use bytes::Bytes;

use crate::buffer::SharedRingBuffer;
use crate::stream::{Channel, Frame};

/// Held for a reader before the connection is left unread.
const HELD_BYTES: usize = 1024 * 1024;
/// Held at most while the connection must be read although nobody reads: then output is left out.
const MOST_BYTES: usize = 16 * HELD_BYTES;
/// What each piece takes besides its bytes: many small ones are not held for nothing.
const PIECE_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) enum Sink {
    Queue(Queue),
    Ring(SharedRingBuffer),
}

/// Output that waits for its reader.
#[derive(Debug)]
pub(crate) struct Queue {
    pieces: VecDeque<Frame>,
    held: usize,
    /// Nobody will read it.
    discards: bool,
    stdout: Cap,
    stderr: Cap,
    /// Left out as it could not be held.
    dropped: u64,
}

impl Queue {
    /// `cap`: what passes of each stream, its first half at once and its last half at the end.
    pub(crate) fn new(cap: Option<u64>) -> Self {
        Self {
            pieces: VecDeque::new(),
            held: 0,
            discards: false,
            stdout: Cap::new(cap),
            stderr: Cap::new(cap),
            dropped: 0,
        }
    }

    fn hold(&mut self, channel: Channel, data: Bytes) {
        if data.is_empty() || self.discards {
            return;
        }
        if self.held >= MOST_BYTES {
            self.dropped += data.len() as u64;
            return;
        }
        self.held += data.len() + PIECE_BYTES;
        self.pieces.push_back(Frame { channel, data });
    }
}

impl Sink {
    pub(crate) fn push(&mut self, channel: Channel, data: Bytes) {
        match self {
            Self::Ring(ring) => ring.write(channel, &data),
            Self::Queue(queue) => {
                let cap = match channel {
                    Channel::Stdout => &mut queue.stdout,
                    Channel::Stderr => &mut queue.stderr,
                };
                let passed = cap.pass(data);
                queue.hold(channel, passed);
            }
        }
    }

    /// Nothing more will come.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Ring(ring) => ring.close(),
            Self::Queue(queue) => {
                for channel in [Channel::Stdout, Channel::Stderr] {
                    let cap = match channel {
                        Channel::Stdout => &mut queue.stdout,
                        Channel::Stderr => &mut queue.stderr,
                    };
                    let tail = std::mem::take(&mut cap.tail);
                    queue.hold(channel, Vec::from(tail).into());
                }
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let Self::Queue(queue) = self else { return None };
        let piece = queue.pieces.pop_front()?;
        queue.held -= piece.data.len() + PIECE_BYTES;
        Some(piece)
    }

    /// Whether the command is to be held up.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Queue(queue) if queue.held >= HELD_BYTES)
    }

    /// Whether it is worth while to go on after it was full.
    pub(crate) fn has_room(&self) -> bool {
        !matches!(self, Self::Queue(queue) if queue.held > HELD_BYTES / 2)
    }

    /// Nobody will read any more.
    pub(crate) fn discard(&mut self) {
        if let Self::Queue(queue) = self {
            queue.discards = true;
            queue.pieces = VecDeque::new();
            queue.held = 0;
        }
    }

    /// How many bytes were left out of what readers get.
    pub(crate) fn omitted(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.lost_bytes(),
            Self::Queue(queue) => queue.dropped + queue.stdout.omitted + queue.stderr.omitted,
        }
    }
}

/// The cap of one stream.
#[derive(Debug)]
struct Cap {
    /// What may still pass at once.
    head: u64,
    tail: VecDeque<u8>,
    most: usize,
    omitted: u64,
}

impl Cap {
    fn new(cap: Option<u64>) -> Self {
        let (head, most) = cap.map_or((u64::MAX, 0), |cap| (cap - cap / 2, cap / 2));
        Self {
            head,
            tail: VecDeque::new(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            omitted: 0,
        }
    }

    /// What of `data` passes at once; of the rest, the newest is kept.
    fn pass(&mut self, mut data: Bytes) -> Bytes {
        let passes = usize::try_from(self.head).unwrap_or(usize::MAX).min(data.len());
        self.head -= passes as u64;
        let passed = data.split_to(passes);
        let skipped = data.len().saturating_sub(self.most);
        let kept = &data[skipped..];
        let lost = (self.tail.len() + kept.len()).saturating_sub(self.most);
        self.tail.drain(..lost);
        self.tail.extend(kept);
        self.omitted += (skipped + lost) as u64;
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(sink: &mut Sink) -> Vec<(Channel, Vec<u8>)> {
        std::iter::from_fn(|| sink.pop())
            .map(|piece| (piece.channel, piece.data.to_vec()))
            .collect()
    }

    #[test]
    fn a_cap_passes_the_head_at_once_and_the_tail_at_the_end() {
        let mut sink = Sink::Queue(Queue::new(Some(5)));
        for (channel, text) in [
            (Channel::Stdout, "one"),
            (Channel::Stderr, "e"),
            (Channel::Stdout, " two"),
            (Channel::Stdout, " three"),
        ] {
            sink.push(channel, text.into());
        }
        let live = [(Channel::Stdout, b"one".to_vec()), (Channel::Stderr, b"e".to_vec())];
        assert_eq!(drained(&mut sink), live);
        sink.close();
        assert_eq!(drained(&mut sink), [(Channel::Stdout, b"ee".to_vec())]);
        assert_eq!(sink.omitted(), 8);
    }

    #[test]
    fn without_a_cap_everything_passes_and_holds_the_command_up() {
        let mut sink = Sink::Queue(Queue::new(None));
        let piece = Bytes::from(vec![7; 1000]);
        let mut pushed = 0;
        while !sink.is_full() {
            sink.push(Channel::Stdout, piece.clone());
            pushed += 1;
        }
        assert_eq!(pushed, HELD_BYTES.div_ceil(1000 + PIECE_BYTES));
        let mut popped = 0;
        while !sink.has_room() {
            assert!(sink.pop().is_some());
            popped += 1;
        }
        assert!(popped * 2 >= pushed && !sink.is_full());
        sink.close();
        assert_eq!(drained(&mut sink).len() + popped, pushed);
        assert_eq!(sink.omitted(), 0);
    }

    #[test]
    fn what_must_be_read_and_is_not_taken_is_bounded_and_counted() {
        let mut sink = Sink::Queue(Queue::new(None));
        let piece = Bytes::from(vec![7; 1 << 20]);
        for _ in 0..40 {
            sink.push(Channel::Stderr, piece.clone());
        }
        let kept: usize = drained(&mut sink).iter().map(|(_, data)| data.len()).sum();
        assert!(kept <= MOST_BYTES + piece.len());
        assert_eq!(kept as u64 + sink.omitted(), 40 << 20);
    }

    #[test]
    fn what_nobody_reads_is_not_held() {
        let mut sink = Sink::Queue(Queue::new(Some(4)));
        sink.push(Channel::Stdout, "ab".into());
        sink.discard();
        sink.push(Channel::Stdout, "cdefgh".into());
        sink.close();
        assert!(drained(&mut sink).is_empty() && !sink.is_full());
        assert_eq!(sink.omitted(), 4);
    }
}
