//! The end marker of a command, found in its output.
//!
//! ```text
//!   marker:  __PD_ <id> _ <code> __\n        code: 1 to 10 of a-z and 0-9
//!
//!                         no marker can begin here              one could: hold it back
//!   pushed   ────────────────────────────────────────┼──────────────────────────────────
//!            given out at once                        `held`, at most one marker long
//! ```
//!
//! A marker is one line, so that every shell writes it in one piece that no other process can write into: bash writes
//! its output line by line. It need not be a line of its own: what the command wrote before it may have no end of line,
//! and it is the id that nobody can guess.

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
/// assert!(sentinel.push("hello__PD_00112233".into(), &mut out).is_none());
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
        let opening = format!("__PD_{id}_");
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
        memchr::memchr_iter(b'_', &data[from..])
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::splits::{cut, sizes, splits};

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn marker(code: &str) -> String {
        format!("__PD_{ID}_{code}__\n")
    }

    /// The output, and the code and the rest if there is a marker.
    type Split = (Vec<u8>, Option<(String, Vec<u8>)>);

    fn run(pieces: &[&[u8]]) -> Split {
        let mut sentinel = Sentinel::new(ID);
        let (mut output, mut pushed) = (Vec::new(), 0);
        let mut pieces = pieces.iter();
        while let Some(piece) = pieces.next() {
            let found = sentinel.push(Bytes::copy_from_slice(piece), &mut |data| {
                assert!(!data.is_empty());
                output.extend_from_slice(&data);
            });
            if let Some(Found { code, rest }) = found {
                assert!(sentinel.held.is_empty());
                let rest = [&rest[..], &pieces.copied().collect::<Vec<_>>().concat()].concat();
                return (output, Some((code, rest)));
            }
            pushed += piece.len();
            assert_eq!(pushed, output.len() + sentinel.held.len());
            assert!(sentinel.held.len() < sentinel.max_marker());
        }
        sentinel.finish(&mut |data| output.extend_from_slice(&data));
        assert!(sentinel.held.is_empty());
        (output, None)
    }

    fn every_split(input: &[u8]) -> Split {
        let expected = run(&[input]);
        for pieces in splits(input) {
            assert_eq!(
                run(&pieces),
                expected,
                "{} pieces of {}",
                pieces.len(),
                input.escape_ascii()
            );
        }
        expected
    }

    /// The same, found the slow way.
    fn reference(input: &[u8]) -> Split {
        let opening = format!("__PD_{ID}_");
        for start in 0..input.len() {
            let Some(tail) = input[start..].strip_prefix(opening.as_bytes()) else {
                continue;
            };
            for length in 1..=MAX_CODE.min(tail.len()) {
                let (code, closing) = tail.split_at(length);
                if code.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')) && closing.starts_with(CLOSING) {
                    let code = String::from_utf8(code.to_vec()).unwrap();
                    return (input[..start].to_vec(), Some((code, closing[CLOSING.len()..].to_vec())));
                }
            }
        }
        (input.to_vec(), None)
    }

    #[test]
    fn a_marker_ends_the_output() {
        for code in ["0", "127", "x", "killed", "a1b2c3d4e5"] {
            for (output, rest) in [
                ("", ""),
                ("output", ""),
                ("output\n", "rest"),
                ("\n\n", "\n"),
                ("_", "_"),
                ("___", "\n"),
                ("__PD_", &marker("1")),
            ] {
                let input = [output, &marker(code), rest].concat();
                let expected = (output.into(), Some((code.to_owned(), rest.into())));
                assert_eq!(every_split(input.as_bytes()), expected);
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_marker_is_output() {
        let other = marker("0").replace("eeff", "eefe");
        let empty = marker("");
        let (long, upper, unclosed) = (marker("a1b2c3d4e5f"), marker("A"), marker("0").replace("0__\n", "0__x"));
        for decoy in [
            &other,
            &empty,
            &long,
            &upper,
            &unclosed,
            &marker("0")[1..],
            "\n",
            "___",
            &marker("-1"),
        ] {
            assert_eq!(every_split(decoy.as_bytes()), (decoy.into(), None), "{decoy:?}");
            let input = [decoy, &marker("7"), "rest"].concat();
            assert_eq!(
                every_split(input.as_bytes()),
                (decoy.into(), Some(("7".into(), b"rest".to_vec()))),
                "{decoy:?}"
            );
        }
    }

    #[test]
    fn the_search_goes_on_inside_what_was_no_marker() {
        // An underscore could belong to either.
        let input = format!("__PD_{ID}_0_{}", marker("5"));
        assert_eq!(
            every_split(input.as_bytes()),
            (format!("__PD_{ID}_0_").into(), Some(("5".into(), Vec::new())))
        );
        let input = format!("__PD_{ID}{}", marker("5"));
        assert_eq!(
            every_split(input.as_bytes()),
            (format!("__PD_{ID}").into(), Some(("5".into(), Vec::new())))
        );
    }

    #[test]
    fn an_end_inside_a_marker_is_output() {
        let marker = marker("0");
        for end in 0..marker.len() {
            assert_eq!(
                every_split(&marker.as_bytes()[..end]),
                (marker.as_bytes()[..end].to_vec(), None),
                "{end}"
            );
        }
    }

    #[test]
    fn output_is_live_and_not_copied() {
        let mut sentinel = Sentinel::new(ID);
        for text in ["a prompt without a line feed> ", "__PD_x", "a line\nmore\n"] {
            let data = Bytes::copy_from_slice(text.as_bytes());
            let (place, mut given) = (data.as_ptr(), Vec::new());
            assert!(sentinel.push(data, &mut |data| given.push(data)).is_none());
            assert_eq!(given, [text]);
            assert_eq!(given[0].as_ptr(), place);
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_the_slow_search_finds(
            parts in proptest::collection::vec(prop::sample::select(vec![
                "\n", "__PD_", ID, "_", "0", "z9", "__\n", "__PD_00112233445566778899aabbccddeeff_", "text", "0123456789",
            ]), 0..24),
            cuts in sizes(),
        ) {
            let input = parts.concat();
            let expected = reference(input.as_bytes());
            prop_assert_eq!(&run(&[input.as_bytes()]), &expected);
            prop_assert_eq!(&run(&cut(input.as_bytes(), &cuts)), &expected);
        }
    }
}
