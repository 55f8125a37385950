//! The content of a file that is read: its data, and between them its holes.

use bytes::BytesMut;

use super::Event;
use super::header::padding;
use super::sparse::Segment;

/// The content of one file.
#[derive(Debug, Clone)]
pub(super) struct Content {
    segments: std::vec::IntoIter<Segment>,
    /// What is left of the segment that is read.
    left: u64,
    /// How much of the file was told.
    position: u64,
    size: u64,
    padding: u64,
}

/// What is next of a content.
pub(super) enum Step {
    Event(Event),
    /// More input is needed.
    Starved,
    Over,
}

impl Content {
    /// These segments, in order, of a file of `size` bytes, of which the archive has `stored`.
    pub(super) fn new(segments: Vec<Segment>, size: u64, stored: u64) -> Self {
        Self {
            segments: segments.into_iter(),
            left: 0,
            position: 0,
            size,
            padding: padding(stored),
        }
    }

    /// What follows it.
    pub(super) const fn padding(&self) -> u64 {
        self.padding
    }

    /// Takes the next event off `input`.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Step {
        loop {
            if self.left > 0 {
                let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                if taken == 0 {
                    return Step::Starved;
                }
                self.left -= taken as u64;
                self.position += taken as u64;
                return Step::Event(Event::Data(input.split_to(taken).freeze()));
            }
            let segment = self.segments.next();
            let next = segment.map_or(self.size, |segment| segment.offset);
            self.left = segment.map_or(0, |segment| segment.length);
            let hole = next.saturating_sub(self.position);
            self.position = next;
            if hole > 0 {
                return Step::Event(Event::Hole(hole));
            }
            if segment.is_none() {
                return Step::Over;
            }
        }
    }
}
