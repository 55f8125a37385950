//! Into which pieces bytes are cut on their way.

/// How bytes are cut on their way between an operation and its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// As many as there are at once.
    Whole,
    /// One at a time.
    Bytes,
    /// Pieces of arbitrary sizes, the same ones for the same seed, and now and then a poll without a reason.
    Seeded(u64),
}

impl Split {
    /// One of each kind.
    pub const EACH: [Self; 3] = [Self::Whole, Self::Bytes, Self::Seeded(7)];
}

/// The sequence of piece sizes of one [`Split`].
#[derive(Debug, Clone)]
pub struct Cutter {
    split: Split,
    state: u64,
}

impl Cutter {
    /// From the beginning of the sequence.
    #[must_use]
    pub const fn new(split: Split) -> Self {
        let state = match split {
            Split::Seeded(seed) => seed,
            Split::Whole | Split::Bytes => 0,
        };
        Self { split, state }
    }

    /// The size of the next piece, at least 1.
    pub fn size(&mut self) -> usize {
        match self.split {
            Split::Whole => usize::MAX,
            Split::Bytes => 1,
            // Mostly a few bytes, at times a lot: as sockets do when one side is slow.
            Split::Seeded(_) => match self.random() % 8 {
                0 => 1,
                1 => 1 + (self.random() % 4096) as usize,
                _ => 1 + (self.random() % 64) as usize,
            },
        }
    }

    /// Whether to poll once more without a reason.
    pub fn is_spurious(&mut self) -> bool {
        matches!(self.split, Split::Seeded(_)) && self.random().is_multiple_of(8)
    }

    /// Whether pieces follow each other without a poll between them.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.split, Split::Whole)
    }

    /// Cuts `bytes` into pieces.
    pub fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(self.size().min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// `SplitMix64`.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cutter, Split};

    #[test]
    fn every_split_loses_nothing() {
        let bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        for (split, least, most) in [
            (Split::Whole, 1, 1),
            (Split::Bytes, 20_000, 20_000),
            (Split::Seeded(1), 20, 5_000),
        ] {
            let pieces = Cutter::new(split).cut(&bytes);
            assert!((least..=most).contains(&pieces.len()), "{split:?}: {}", pieces.len());
            assert_eq!(pieces.concat(), bytes);
        }
        assert_eq!(
            Cutter::new(Split::Seeded(5)).cut(&bytes),
            Cutter::new(Split::Seeded(5)).cut(&bytes)
        );
        assert_ne!(
            Cutter::new(Split::Seeded(5)).cut(&bytes),
            Cutter::new(Split::Seeded(6)).cut(&bytes)
        );
    }
}
