//! What a buffer held at one moment.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::order::{Counts, Order};
use crate::stream::{Channel, Frame, TextDecoder};

/// One decoder for each channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoders {
    pub(super) stdout: TextDecoder,
    pub(super) stderr: TextDecoder,
}

impl Decoders {
    pub(super) const fn new() -> Self {
        Self {
            stdout: TextDecoder::new(),
            stderr: TextDecoder::new(),
        }
    }

    const fn of(&mut self, channel: Channel) -> &mut TextDecoder {
        match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        }
    }
}

/// What a [`RingBuffer`](super::RingBuffer) held at one moment.
///
/// The bytes are exactly those that were written. How its texts begin and end is described at
/// [`RingBuffer`](super::RingBuffer#text).
#[derive(Clone)]
pub struct BufferSnapshot {
    pub(super) stdout: Bytes,
    pub(super) stderr: Bytes,
    pub(super) order: Order,
    pub(super) lost: Counts,
    pub(super) decoders: Decoders,
    pub(super) closed: bool,
}

impl BufferSnapshot {
    /// What was written to stdout.
    #[must_use]
    pub const fn stdout(&self) -> &Bytes {
        &self.stdout
    }

    /// What was written to stderr.
    #[must_use]
    pub const fn stderr(&self) -> &Bytes {
        &self.stderr
    }

    /// Both in the order in which they were written, in the fewest possible pieces: the channel changes with each.
    #[must_use]
    pub const fn segments(&self) -> Segments<'_> {
        Segments {
            snapshot: self,
            stdout: 0,
            stderr: 0,
        }
    }

    /// What was written to stdout, as text.
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        self.text(self.decoders.stdout, &self.stdout)
    }

    /// What was written to stderr, as text.
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        self.text(self.decoders.stderr, &self.stderr)
    }

    /// Both in the order in which they were written, as text. A character of one stream that was cut in two by output on
    /// the other stands where its last byte was written.
    #[must_use]
    pub fn merged_text(&self) -> String {
        let mut decoders = self.decoders;
        let mut text = String::with_capacity(self.len());
        for Frame { channel, data } in self.segments() {
            text.push_str(&decoders.of(channel).decode(&data));
        }
        if self.closed {
            text.push_str(decoders.stdout.finish());
            text.push_str(decoders.stderr.finish());
        }
        text
    }

    /// How many bytes there are on both streams.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of both streams were lost between the last [`read`](super::RingBuffer::read) and the first byte
    /// of this.
    #[must_use]
    pub const fn lost_bytes(&self) -> u64 {
        self.lost.both()
    }

    /// How many of the lost bytes were written to `channel`.
    #[must_use]
    pub const fn lost_bytes_of(&self, channel: Channel) -> u64 {
        match channel {
            Channel::Stdout => self.lost.stdout,
            Channel::Stderr => self.lost.stderr,
        }
    }

    fn text<'a>(&self, mut decoder: TextDecoder, data: &'a [u8]) -> Cow<'a, str> {
        let mut text = decoder.decode(data);
        let end = if self.closed { decoder.finish() } else { "" };
        if !end.is_empty() {
            text.to_mut().push_str(end);
        }
        text
    }
}

/// Shows sizes only.
impl fmt::Debug for BufferSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferSnapshot")
            .field("stdout_bytes", &self.stdout.len())
            .field("stderr_bytes", &self.stderr.len())
            .field("lost_bytes", &self.lost_bytes())
            .finish_non_exhaustive()
    }
}

/// The pieces of a [`BufferSnapshot`] in order; see [`BufferSnapshot::segments`]. They are slices of it and not copied.
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    snapshot: &'a BufferSnapshot,
    /// How much of each was given out.
    stdout: usize,
    stderr: usize,
}

impl Iterator for Segments<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let done = (self.stdout + self.stderr) as u64;
        let (channel, length) = self.snapshot.order.run_behind(done)?;
        let (whole, at) = match channel {
            Channel::Stdout => (&self.snapshot.stdout, &mut self.stdout),
            Channel::Stderr => (&self.snapshot.stderr, &mut self.stderr),
        };
        let start = *at;
        *at += length as usize;
        Some(Frame {
            channel,
            data: whole.slice(start..*at),
        })
    }
}
