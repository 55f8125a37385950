//! The maps of sparse files: where in a file the data that an archive has of it belongs.
//!
//! ```text
//! GNU's own type 'S'     four in the header, then blocks with 21 each, while the one before says that more follow
//! pax, GNU 0.0 and 0.1   in the records of the extended header
//! pax, GNU 1.0           in front of the data: the number of segments, then their offsets and lengths, a line each,
//!                        up to the end of the block
//! ```

use bytes::{Buf as _, BytesMut};

use super::error::Fault;
use super::header::{BLOCK, padding, unsigned};
use super::pax::decimal;

/// A part of a file that is not a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The map of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Segments(Vec<Segment>);

impl Segments {
    pub(super) fn push(&mut self, segment: Segment, max: usize) -> Result<(), Fault> {
        if self.0.len() >= max {
            return Err(Fault::Segments {
                limit: max,
                declared: None,
            });
        }
        self.0.push(segment);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the entries of an old map; false if the last has been there.
    pub(super) fn push_old(&mut self, entries: &[u8], max: usize) -> Result<bool, Fault> {
        for entry in entries.chunks_exact(24) {
            let (offset, length) = entry.split_at(12);
            // GNU tar and Go take an unused entry for the end.
            if offset.first() == Some(&0) || length.first() == Some(&0) {
                return Ok(false);
            }
            let number =
                |field| unsigned(field).map_err(|wrong| Fault::wrong(0, format!("an offset or length {wrong}")));
            let (offset, length) = (number(offset)?, number(length)?);
            self.push(Segment { offset, length }, max)?;
        }
        Ok(true)
    }

    /// The map, if it fits a file of `size` bytes of which the archive has `stored`.
    pub(super) fn checked(self, size: u64, stored: u64) -> Result<Vec<Segment>, &'static str> {
        let mut end = 0;
        // The lengths do not overlap, so that their sum is at most the size.
        let mut data = 0;
        for &Segment { offset, length } in &self.0 {
            if offset < end {
                return Err("the segments of its sparse map overlap or are not in order");
            }
            end = offset
                .checked_add(length)
                .filter(|&end| end <= size)
                .ok_or("a segment of its sparse map is beyond its end")?;
            data += length;
        }
        if data != stored {
            return Err("the segments of its sparse map are not as long as its data");
        }
        Ok(self.0)
    }
}

/// Reads a map of version 1.0, which is in front of the data.
#[derive(Debug, Clone)]
pub(super) struct MapReader {
    digits: Vec<u8>,
    /// How many numbers follow; `None`: what follows is their number.
    due: Option<u64>,
    offset: Option<u64>,
    segments: Segments,
    /// How much of the map was read, and how much of the entry's data there is for it.
    read: u64,
    stored: u64,
}

impl MapReader {
    pub(super) fn new(stored: u64) -> Self {
        Self {
            digits: Vec::new(),
            due: None,
            offset: None,
            segments: Segments::default(),
            read: 0,
            stored,
        }
    }

    /// Takes the map off `input`, or what there is of it. The map, and how much data is behind it.
    pub(super) fn read(&mut self, input: &mut BytesMut, max: usize) -> Result<Option<(Segments, u64)>, Fault> {
        while self.due != Some(0) {
            let wrong = |detail| Fault::wrong(self.read, detail);
            if self.read >= self.stored {
                return Err(wrong("a sparse map is longer than the data it is in"));
            }
            let Some(&byte) = input.first() else {
                return Ok(None);
            };
            if byte != b'\n' {
                // As many digits as the largest number has.
                if !byte.is_ascii_digit() || self.digits.len() >= 20 {
                    return Err(wrong("a sparse map has something other than numbers"));
                }
                self.digits.push(byte);
            } else {
                let number =
                    decimal(&self.digits).map_err(|_| wrong("a number of a sparse map is not from 0 to 2^63 - 1"))?;
                self.digits.clear();
                self.number(number, max)?;
            }
            input.advance(1);
            self.read += 1;
        }
        let filled = usize::try_from(padding(self.read)).unwrap_or(BLOCK);
        let Some(left) = self.stored.checked_sub(self.read + filled as u64) else {
            return Err(Fault::wrong(self.read, "a sparse map does not end with a block"));
        };
        if input.len() < filled {
            return Ok(None);
        }
        input.advance(filled);
        Ok(Some((std::mem::take(&mut self.segments), left)))
    }

    fn number(&mut self, number: u64, max: usize) -> Result<(), Fault> {
        let Some(due) = &mut self.due else {
            if number > max as u64 {
                return Err(Fault::Segments {
                    limit: max,
                    declared: Some(number),
                });
            }
            self.due = Some(number.saturating_mul(2));
            return Ok(());
        };
        *due -= 1;
        match self.offset.take() {
            None => self.offset = Some(number),
            Some(offset) => self.segments.push(Segment { offset, length: number }, max)?,
        }
        Ok(())
    }
}
