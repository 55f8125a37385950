//! The check of the buffer.

use std::collections::VecDeque;

use pocket_dock_core::buffer::{BufferSnapshot, RingBuffer};
use pocket_dock_core::stream::Channel;

use crate::input::Input;

/// What is written, read and looked at, and in which order. In the stream, the bytes 0 to 7 stand for steps: 0 and 1 what
/// follows goes to stdout, to stderr; 2 read; 3 peek; 4 write all of the stream up to here; 5 close. Between them is what is
/// written. The limit is the capacity. Knobs: 0 the capacity is 64 times as much.
pub fn check_ring(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let capacity = usize::from(input.limit) * if input.knob(0) { 64 } else { 1 };
    for pieces in input.splits(input.stream) {
        let mut pair = Pair::new(capacity);
        let mut seen = 0;
        for piece in pieces {
            for step in piece.chunk_by(|&one, &next| one > 7 && next > 7) {
                seen += step.len();
                match step {
                    [0] => pair.channel = Channel::Stdout,
                    [1] => pair.channel = Channel::Stderr,
                    [2] => pair.read(),
                    [3] => pair.compare(&pair.buffer.peek()),
                    [4] => pair.write(&input.stream[..seen.min(1000)]),
                    [5] => {
                        pair.closed = true;
                        pair.buffer.close();
                    }
                    data => pair.write(data),
                }
            }
        }
        pair.closed = true;
        pair.buffer.close();
        pair.read();
        pair.compare_texts();
    }
}

/// The buffer, and the simplest one that does the same.
struct Pair {
    buffer: RingBuffer,
    channel: Channel,
    closed: bool,
    held: VecDeque<(Channel, u8)>,
    written: [Vec<u8>; 2],
    lost_since_read: [u64; 2],
    lost: u64,
    /// The texts of all that was read, and whether it was closed before.
    texts: [String; 2],
    closed_early: bool,
}

impl Pair {
    fn new(capacity: usize) -> Self {
        Self {
            buffer: RingBuffer::new(capacity),
            channel: Channel::Stdout,
            closed: false,
            held: VecDeque::new(),
            written: Default::default(),
            lost_since_read: [0; 2],
            lost: 0,
            texts: Default::default(),
            closed_early: false,
        }
    }

    fn write(&mut self, data: &[u8]) {
        self.buffer.write(self.channel, data);
        self.closed_early |= self.closed;
        self.written[self.channel as usize].extend_from_slice(data);
        self.held.extend(data.iter().map(|&byte| (self.channel, byte)));
        let over = self.held.len().saturating_sub(self.buffer.capacity());
        for (channel, _) in self.held.drain(..over) {
            self.lost_since_read[channel as usize] += 1;
            self.lost += 1;
        }
        let written: usize = self.written.iter().map(Vec::len).sum();
        assert_eq!(
            (
                self.buffer.written_bytes(),
                self.buffer.lost_bytes(),
                self.buffer.overflowed()
            ),
            (written as u64, self.lost, self.lost > 0)
        );
        let most = self.buffer.capacity() + self.buffer.capacity() / 8 + 16;
        assert!(self.buffer.len() == self.held.len() && self.buffer.allocated_bytes() <= most);
    }

    fn read(&mut self) {
        let snapshot = self.buffer.read();
        self.compare(&snapshot);
        self.texts[0].push_str(&snapshot.stdout_text());
        self.texts[1].push_str(&snapshot.stderr_text());
        self.held.clear();
        self.lost_since_read = [0; 2];
        assert!(self.buffer.is_empty() && self.buffer.peek().is_empty());
    }

    fn compare(&self, snapshot: &BufferSnapshot) {
        let segments: Vec<_> = snapshot.segments().collect();
        assert!(segments.windows(2).all(|pair| pair[0].channel != pair[1].channel));
        let bytes = segments
            .iter()
            .flat_map(|segment| segment.data.iter().map(|&byte| (segment.channel, byte)));
        assert!(bytes.eq(self.held.iter().copied()));
        for (channel, bytes) in [
            (Channel::Stdout, snapshot.stdout()),
            (Channel::Stderr, snapshot.stderr()),
        ] {
            let held = self.held.iter().filter(|(of, _)| *of == channel);
            assert!(bytes.iter().eq(held.map(|(_, byte)| byte)));
            assert_eq!(snapshot.lost_bytes_of(channel), self.lost_since_read[channel as usize]);
        }
        // In both, the same characters.
        let sorted = |text: &str| {
            let mut all: Vec<char> = text.chars().collect();
            all.sort_unstable();
            all
        };
        let apart = [snapshot.stdout_text(), snapshot.stderr_text()].concat();
        assert_eq!(sorted(&snapshot.merged_text()), sorted(&apart));
    }

    /// If nothing was lost, all of the text was read.
    fn compare_texts(&self) {
        if self.lost == 0 && !self.closed_early {
            assert_eq!(
                self.texts,
                self.written.each_ref().map(|all| String::from_utf8_lossy(all))
            );
        }
    }
}
