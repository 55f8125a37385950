//! Numbers that look random, the same for the same seed.

/// Where they come from: SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of 0 to `count - 1`; 0 if there are none.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % count).unwrap_or(0)
    }

    /// Whether something happens that does so once in `count` times.
    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// An exit code that is no signal's.
    pub(super) fn code(&mut self) -> i32 {
        i32::try_from(self.below(126)).unwrap_or(0)
    }

    pub(super) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// Any bytes, up to `most` of them.
    pub(super) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.below(most + 1);
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Text that shells find hard.
    pub(super) fn text(&mut self, most: usize) -> String {
        let count = self.below(most + 1);
        (0..count).map(|_| *self.one_of(&HARD)).collect()
    }
}

const HARD: [&str; 34] = [
    "a", "word", " ", "  ", "'", "\"", "$", "$HOME", "\\", "\\n", "\n", "`", "*", "~", "é", "€", "#", ";", "&", "|",
    "(", ")", "!", "\t", "%s", "__PD_", "=", "-n", "{", "}", "return", "\r", "<<E", "0",
];
