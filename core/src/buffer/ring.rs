//! The newest bytes of two streams, in the order in which they were written.
//!
//! ```text
//!   lost ◄── │ oldest ··· newest │ ◄── write          │ ··· │: at most `capacity` bytes
//!            └─── read, peek ────┘
//! ```

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use super::order::{Counts, Order};
use super::snapshot::{BufferSnapshot, Decoders};
use crate::stream::Channel;

/// How much a buffer holds unless it is told otherwise: 1 MiB.
pub const DEFAULT_BUFFER_BYTES: usize = 1 << 20;

/// Holds the newest output of a process, up to its capacity; the oldest is lost when more comes.
///
/// Every byte is kept as it was written, with its [`Channel`] and its place in the order of both; what was written in
/// one call and what in two is the same. stdout and stderr share the capacity. Memory is taken as output comes: up to
/// twice what is held, and in the end the capacity and an eighth of it. A buffer that has grown to its size does not
/// allocate when it is written to, and a write takes time for its own bytes only.
///
/// # Text
///
/// The texts of a [`BufferSnapshot`] never show a part of a character:
///
/// - A character whose last byte has not been written yet is left out. Its bytes are in the snapshot, and the text of
///   the snapshot behind the next [`read`](Self::read) shows it whole, and first. So the texts of all reads together
///   are the text of all that was written. After [`close`](Self::close) nothing is waited for, and such a character is
///   U+FFFD.
/// - A character of which a part was lost is left out: where bytes of a stream were lost, its text begins behind the (at
///   most 3) bytes that can only be the rest of a character.
///
/// ```
/// use pocket_dock_core::buffer::RingBuffer;
/// use pocket_dock_core::stream::Channel;
///
/// let mut buffer = RingBuffer::new(15);
/// buffer.write(Channel::Stdout, b"3 \xe2\x82");
/// buffer.write(Channel::Stderr, b"oops ");
/// buffer.write(Channel::Stdout, b"\xac, ok");
/// assert_eq!(buffer.peek().merged_text(), "3 oops €, ok");
///
/// buffer.write(Channel::Stdout, b"!!!!");
/// let seen = buffer.read();
/// assert_eq!((seen.stdout_text(), seen.stderr_text()), (", ok!!!!".into(), "oops ".into()));
/// assert_eq!(seen.lost_bytes(), 3);
/// assert!(buffer.is_empty() && buffer.overflowed());
/// ```
#[derive(Clone)]
pub struct RingBuffer {
    capacity: usize,
    bytes: VecDeque<u8>,
    order: Order,
    /// The text is decoded from this state on.
    decoders: Decoders,
    written: u64,
    lost: u64,
    lost_since_read: Counts,
    closed: bool,
}

impl Default for RingBuffer {
    /// A buffer of [`DEFAULT_BUFFER_BYTES`].
    fn default() -> Self {
        Self::new(DEFAULT_BUFFER_BYTES)
    }
}

impl RingBuffer {
    /// A buffer of at most `capacity` bytes; with 0 everything is lost. Nothing is allocated yet.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            bytes: VecDeque::new(),
            order: Order::new(capacity),
            decoders: Decoders::new(),
            written: 0,
            lost: 0,
            lost_since_read: Counts::new(),
            closed: false,
        }
    }

    /// Appends `data`. The oldest bytes are lost if there is no place for it; of more than the capacity, its end stays.
    pub fn write(&mut self, channel: Channel, data: &[u8]) {
        self.written = self.written.saturating_add(data.len() as u64);
        let (skipped, kept) = data.split_at(data.len().saturating_sub(self.capacity));
        let free = self.capacity - self.bytes.len();
        if kept.len() > free || !skipped.is_empty() {
            self.lose(kept.len().saturating_sub(free), channel, skipped.len());
        }
        let needed = self.bytes.len() + kept.len();
        if needed > self.bytes.capacity() {
            let twice = self.bytes.capacity().saturating_mul(2).min(self.capacity);
            self.bytes.reserve_exact(needed.max(twice) - self.bytes.len());
        }
        self.bytes.extend(kept);
        self.order.push(channel, kept.len() as u64);
    }

    /// Tells that no more will be written: the character that the end of a stream cuts in two is shown as U+FFFD. What
    /// is written all the same is kept as before.
    pub const fn close(&mut self) {
        self.closed = true;
    }

    /// Takes out all that is held.
    #[must_use = "what was read is no longer in the buffer"]
    pub fn read(&mut self) -> BufferSnapshot {
        let snapshot = self.peek();
        if self.closed {
            self.decoders = Decoders::new();
        } else {
            self.decoders.stdout.pass(snapshot.stdout());
            self.decoders.stderr.pass(snapshot.stderr());
        }
        self.bytes.clear();
        self.order.clear();
        self.lost_since_read = Counts::new();
        snapshot
    }

    /// Copies all that is held, and leaves it where it is.
    #[must_use]
    pub fn peek(&self) -> BufferSnapshot {
        let order = self.order.compact();
        let counts = order.all();
        let [mut stdout, mut stderr] = [counts.stdout, counts.stderr].map(|count| Vec::with_capacity(count as usize));
        let (older, newer) = self.bytes.as_slices();
        let mut at = 0;
        while let Some((channel, length)) = order.run_behind(at as u64) {
            let end = at + length as usize;
            let kept = match channel {
                Channel::Stdout => &mut stdout,
                Channel::Stderr => &mut stderr,
            };
            kept.extend_from_slice(&older[at.min(older.len())..end.min(older.len())]);
            kept.extend_from_slice(&newer[at.saturating_sub(older.len())..end.saturating_sub(older.len())]);
            at = end;
        }
        BufferSnapshot {
            stdout: Bytes::from(stdout),
            stderr: Bytes::from(stderr),
            order,
            lost: self.lost_since_read,
            decoders: self.decoders,
            closed: self.closed,
        }
    }

    /// How many bytes are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes can be held.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes were written, from the beginning on: those that were read, those that are held, and those that
    /// were lost.
    #[must_use]
    pub const fn written_bytes(&self) -> u64 {
        self.written
    }

    /// How many bytes were lost unread, from the beginning on.
    #[must_use]
    pub const fn lost_bytes(&self) -> u64 {
        self.lost
    }

    /// Whether any byte was ever lost unread.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.lost > 0
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The memory in use, in bytes.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.bytes.capacity() + self.order.allocated_bytes()
    }

    /// Where its memory is, and how much it is.
    #[cfg(test)]
    pub(super) fn places(&self) -> ([usize; 2], [usize; 2]) {
        let (words, word_bytes) = self.order.place();
        // The smallest address of the slices of a queue that is full is where its memory begins.
        let (older, newer) = self.bytes.as_slices();
        let lowest = [older, newer].map(|bytes| bytes.as_ptr() as usize).into_iter().min();
        ([lowest.unwrap_or(0), self.bytes.capacity()], [words, word_bytes])
    }

    /// Loses the oldest bytes that are held, and `skipped` ones of `channel` behind all of them.
    fn lose(&mut self, oldest: usize, channel: Channel, skipped: usize) {
        self.bytes.drain(..oldest);
        let mut lost = self.order.pop(oldest as u64);
        lost.add(channel, skipped as u64);
        if lost.stdout > 0 {
            self.decoders.stdout.skip_gap();
        }
        if lost.stderr > 0 {
            self.decoders.stderr.skip_gap();
        }
        self.lost = self.lost.saturating_add(lost.both());
        self.lost_since_read.stdout = self.lost_since_read.stdout.saturating_add(lost.stdout);
        self.lost_since_read.stderr = self.lost_since_read.stderr.saturating_add(lost.stderr);
    }
}

/// Shows sizes only.
impl fmt::Debug for RingBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingBuffer")
            .field("capacity", &self.capacity)
            .field("bytes", &self.bytes.len())
            .field("written_bytes", &self.written)
            .field("lost_bytes", &self.lost)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
