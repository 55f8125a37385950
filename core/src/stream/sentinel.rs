//! The end marker of a command, found in its output.
//!
//! ```text
//!   marker:  \n__PD_ <id> _ <code> __\n        code: 1 to 10 of a-z and 0-9
//!
//!                         no marker can begin here              one could: hold it back
//!   pushed   ────────────────────────────────────────┼──────────────────────────────────
//!            given out at once                        `held`, at most one marker long
//! ```
//!
//! A marker has line feeds at both its ends and nowhere else, so only the text from a line feed on is ever held back,
//! and only as long as every byte of it fits.

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

/// The longest code, in bytes.
const MAX_CODE: usize = 10;
/// What follows the code.
const CLOSING: &[u8] = b"__\n";

/// Finds the marker that ends the output of one command.
///
/// ```
/// use pocket_dock_core::stream::Sentinel;
///
/// let id = "00112233445566778899aabbccddeeff";
/// let mut sentinel = Sentinel::new(id);
/// let mut output = Vec::new();
/// let mut out = |data: bytes::Bytes| output.extend_from_slice(&data);
/// assert!(sentinel.push("hello\n__PD_00112233".into(), &mut out).is_none());
/// let found = sentinel.push("445566778899aabbccddeeff_0__\nnext".into(), &mut out).unwrap();
/// assert_eq!((found.code.as_str(), &found.rest[..]), ("0", &b"next"[..]));
/// assert_eq!(output, b"hello");
/// ```
#[derive(Debug, Clone)]
pub struct Sentinel {
    /// Everything in front of the code.
    opening: Finder<'static>,
    held: BytesMut,
}

/// A marker that has been found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The code in the marker: 1 to 10 characters of a-z and 0-9.
    pub code: String,
    /// The bytes behind the marker.
    pub rest: Bytes,
}

/// A marker inside a buffer.
struct Marker {
    start: usize,
    end: usize,
    code: String,
}

/// What a buffer begins with.
enum Fit {
    Marker {
        end: usize,
        code: String,
    },
    /// The beginning of a marker that has not come whole.
    Beginning,
    Nothing,
}

impl Sentinel {
    /// Looks for markers with this id: 32 lower-case hex digits that nobody else can know.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let opening = format!("\n__PD_{id}_");
        Self {
            opening: Finder::new(opening.as_bytes()).into_owned(),
            held: BytesMut::new(),
        }
    }

    /// Appends `data`, and gives out what is certainly output, in order, as slices of `data` where possible.
    ///
    /// Returns the marker when it has been found; what is behind it has then been neither searched nor held. The
    /// bytes held back are fewer than the longest marker has.
    pub fn push(&mut self, data: Bytes, out: &mut impl FnMut(Bytes)) -> Option<Found> {
        if data.is_empty() {
            return None;
        }
        if self.held.is_empty() {
            return self.search(data, out);
        }
        // Joined with the beginning of `data`, what is held back is either a marker, or the beginning of one with all
        // of `data` in it, or nothing.
        let held = self.held.len();
        let taken = data.len().min(self.max_marker());
        self.held.extend_from_slice(&data[..taken]);
        let joined = self.held.split().freeze();
        if let Some(marker) = self.find(&joined).filter(|marker| marker.start < held) {
            give(joined.slice(..marker.start), out);
            return Some(Found {
                code: marker.code,
                rest: data.slice(marker.end - held..),
            });
        }
        match self.possible_start(&joined).filter(|&start| start < held) {
            Some(start) => {
                give(joined.slice(..start), out);
                self.held.extend_from_slice(&joined[start..]);
                None
            }
            None => {
                give(joined.slice(..held), out);
                self.search(data, out)
            }
        }
    }

    /// The input has ended without a marker: what was held back is output.
    pub fn finish(&mut self, out: &mut impl FnMut(Bytes)) {
        give(self.held.split().freeze(), out);
    }

    /// [`push`](Self::push) with nothing held back.
    fn search(&mut self, data: Bytes, out: &mut impl FnMut(Bytes)) -> Option<Found> {
        if let Some(marker) = self.find(&data) {
            give(data.slice(..marker.start), out);
            return Some(Found {
                code: marker.code,
                rest: data.slice(marker.end..),
            });
        }
        let start = self.possible_start(&data).unwrap_or(data.len());
        give(data.slice(..start), out);
        self.held.extend_from_slice(&data[start..]);
        None
    }

    /// The first whole marker in `data`.
    fn find(&self, data: &[u8]) -> Option<Marker> {
        let mut from = 0;
        loop {
            let start = from + self.opening.find(data.get(from..)?)?;
            if let Fit::Marker { end, code } = self.fit(&data[start..]) {
                return Some(Marker {
                    start,
                    end: start + end,
                    code,
                });
            }
            from = start + 1;
        }
    }

    /// Where a marker begins that is not whole because `data` ends.
    fn possible_start(&self, data: &[u8]) -> Option<usize> {
        let from = data.len().saturating_sub(self.max_marker() - 1);
        memchr::memchr_iter(b'\n', &data[from..])
            .map(|found| from + found)
            .find(|&start| matches!(self.fit(&data[start..]), Fit::Beginning))
    }

    fn fit(&self, data: &[u8]) -> Fit {
        let opening = self.opening.needle();
        let Some(tail) = data.strip_prefix(opening) else {
            return if opening.starts_with(data) {
                Fit::Beginning
            } else {
                Fit::Nothing
            };
        };
        let code = tail
            .iter()
            .take_while(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
            .count();
        let (code, closing) = tail.split_at(code);
        if code.len() > MAX_CODE || (code.is_empty() && !closing.is_empty()) {
            Fit::Nothing
        } else if closing.starts_with(CLOSING) {
            let end = opening.len() + code.len() + CLOSING.len();
            Fit::Marker {
                end,
                code: code.iter().copied().map(char::from).collect(),
            }
        } else if CLOSING.starts_with(closing) {
            Fit::Beginning
        } else {
            Fit::Nothing
        }
    }

    fn max_marker(&self) -> usize {
        self.opening.needle().len() + MAX_CODE + CLOSING.len()
    }
}

fn give(data: Bytes, out: &mut impl FnMut(Bytes)) {
    if !data.is_empty() {
        out(data);
    }
}
