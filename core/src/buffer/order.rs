//! Which channel each byte of a queue came from.
//!
//! ```text
//!   positions    start                      newest            end
//!                  ├── one bit for each ───────┼── all `channel` ─┤
//! ```
//!
//! The newest run has no bits yet: they are written when the channel changes. So output on one channel alone costs
//! nothing, and on both, one bit for a byte. A position counts all the bytes that ever were in the queue.

use std::ops::Range;

use crate::stream::Channel;

const BITS: u64 = u64::BITS as u64;

/// Bytes of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) stdout: u64,
    pub(super) stderr: u64,
}

impl Counts {
    pub(super) const fn new() -> Self {
        Self { stdout: 0, stderr: 0 }
    }

    pub(super) const fn both(self) -> u64 {
        self.stdout + self.stderr
    }

    pub(super) const fn add(&mut self, channel: Channel, count: u64) {
        match channel {
            Channel::Stdout => self.stdout += count,
            Channel::Stderr => self.stderr += count,
        }
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Order {
    /// The bit of a position is in the word `position / 64`, modulo how many there are; it is set for stderr.
    words: Vec<u64>,
    start: u64,
    newest: u64,
    end: u64,
    channel: Channel,
    /// How many words there may be.
    max_words: usize,
}

impl Order {
    /// For a queue of at most `capacity` bytes.
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            // Its first and its last byte may each be alone in a word.
            max_words: capacity / BITS as usize + 2,
            words: Vec::new(),
            start: 0,
            newest: 0,
            end: 0,
            channel: Channel::Stdout,
        }
    }

    /// Appends `count` bytes of `channel`.
    pub(super) fn push(&mut self, channel: Channel, count: u64) {
        if count == 0 {
            return;
        }
        if channel != self.channel {
            self.settle();
            self.channel = channel;
        }
        self.end += count;
    }

    /// Takes the oldest `count` bytes away, which are there, and tells how many were of which channel.
    pub(super) fn pop(&mut self, count: u64) -> Counts {
        let start = self.start + count;
        let counts = self.counts(start);
        self.start = start;
        self.newest = self.newest.max(start);
        counts
    }

    /// How many bytes of each channel there are in front of the position `until`.
    pub(super) fn counts(&self, until: u64) -> Counts {
        let ones = |word: u64| u64::from(word.count_ones());
        let settled = self.start..until.min(self.newest);
        if settled.is_empty() {
            let mut counts = Counts::new();
            counts.add(self.channel, until - self.start);
            return counts;
        }
        let Bits { edges, middle } = self.bits(settled);
        let edges = edges.into_iter().map(|(slot, mask)| ones(self.words[slot] & mask));
        let middle = middle.into_iter().flat_map(|slots| &self.words[slots]);
        let stderr = edges.sum::<u64>() + middle.map(|&word| ones(word)).sum::<u64>();
        let stdout = until.min(self.newest).saturating_sub(self.start) - stderr;
        let mut counts = Counts { stdout, stderr };
        counts.add(self.channel, until.saturating_sub(self.newest));
        counts
    }

    /// How many bytes of each channel there are.
    pub(super) fn all(&self) -> Counts {
        self.counts(self.end)
    }

    /// The first run behind the first `skipped` bytes: the longest one of one channel.
    pub(super) fn run_behind(&self, skipped: u64) -> Option<(Channel, u64)> {
        let from = self.start + skipped;
        if from >= self.newest {
            return (from < self.end).then(|| (self.channel, self.end - from));
        }
        let mut slot = self.slot(from / BITS);
        let bit = self.words[slot] >> (from % BITS) & 1;
        let same = 0_u64.wrapping_sub(bit);
        let mut word = from / BITS * BITS;
        let mut others = (self.words[slot] ^ same) & u64::MAX << (from % BITS);
        while others == 0 && word + BITS < self.newest {
            slot = if slot + 1 == self.words.len() { 0 } else { slot + 1 };
            word += BITS;
            others = self.words[slot] ^ same;
        }
        // Behind the last bit is the newest run, which is of the other channel.
        let border = (word + u64::from(others.trailing_zeros())).min(self.newest);
        Some((of(bit), border - from))
    }

    /// Takes all away.
    pub(super) const fn clear(&mut self) {
        self.start = self.end;
        self.newest = self.end;
    }

    /// The same, with no more memory than it needs.
    pub(super) fn compact(&self) -> Self {
        Self {
            words: self.resized(self.words_for(self.newest)),
            ..*self
        }
    }

    /// The memory in use, in bytes.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Where the words are, and how much memory they take.
    #[cfg(test)]
    pub(super) fn place(&self) -> (usize, usize) {
        (self.words.as_ptr() as usize, self.allocated_bytes())
    }

    /// Writes the bits of the newest run.
    fn settle(&mut self) {
        let run = self.newest..self.end;
        if run.is_empty() {
            return;
        }
        let needed = self.words_for(self.end);
        if needed > self.words.len() {
            self.words = self.resized(needed.max(self.max_words.min(self.words.len() * 2)));
        }
        let all = match self.channel {
            Channel::Stdout => 0,
            Channel::Stderr => u64::MAX,
        };
        let Bits { edges, middle } = self.bits(run);
        for (slot, mask) in edges {
            self.words[slot] = (self.words[slot] & !mask) | (all & mask);
        }
        for slots in middle {
            self.words[slots].fill(all);
        }
        self.newest = self.end;
    }

    /// How many words the positions from the start until `until` are in.
    const fn words_for(&self, until: u64) -> usize {
        if until <= self.start {
            return 0;
        }
        ((until - 1) / BITS - self.start / BITS + 1) as usize
    }

    /// The words, at their places in a vector of `length`, which is enough.
    fn resized(&self, length: usize) -> Vec<u64> {
        let mut words = vec![0; length];
        let first = self.start / BITS;
        for word in first..first + self.words_for(self.newest) as u64 {
            words[(word % length as u64) as usize] = self.words[self.slot(word)];
        }
        words
    }

    const fn slot(&self, word: u64) -> usize {
        (word % self.words.len() as u64) as usize
    }

    /// Where the bits of these positions are: at least one, and all of them have a word.
    fn bits(&self, positions: Range<u64>) -> Bits {
        let Range { start, end } = positions;
        let (first, last) = (start / BITS, (end - 1) / BITS);
        let front = u64::MAX << (start % BITS);
        let back = u64::MAX >> (BITS - 1 - (end - 1) % BITS);
        let (first_slot, last_slot) = (self.slot(first), self.slot(last));
        if first == last {
            return Bits {
                edges: [(first_slot, front & back), (last_slot, 0)],
                middle: Default::default(),
            };
        }
        Bits {
            edges: [(first_slot, front), (last_slot, back)],
            middle: if first_slot < last_slot {
                [first_slot + 1..last_slot, 0..0]
            } else {
                [first_slot + 1..self.words.len(), 0..last_slot]
            },
        }
    }
}

/// Where some bits are.
struct Bits {
    /// The slots of the first and the last word, and which of their bits.
    edges: [(usize, u64); 2],
    /// The slots of the words between, all of their bits.
    middle: [Range<usize>; 2],
}

const fn of(bit: u64) -> Channel {
    if bit == 1 { Channel::Stderr } else { Channel::Stdout }
}
