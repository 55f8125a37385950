//! Whole lines, however their bytes were cut on their way.
//!
//! ```text
//!   Within ──LF──► a Line, Terminated ──► Within
//!          ──more than the limit──► a Line, Cut: a piece of it ──► Within, the same line
//!          ──end of input, bytes left──► a Line, Ended
//! ```

use std::borrow::Cow;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr;

use super::text::unfinished;

/// The longest line that [`Lines`] gives out in one piece, unless it is told otherwise.
pub const DEFAULT_LINE_LIMIT: usize = 1 << 20;

/// A line, or a piece of one that is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its bytes, without the end of line.
    pub data: Bytes,
    /// What is behind it.
    pub end: LineEnd,
}

impl Line {
    /// Its text, with U+FFFD in place of what is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }
}

/// What is behind a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// An end of line.
    Terminated,
    /// More of the same line: it is over the limit, and this is only a piece of it.
    Cut,
    /// The end of the input, without an end of line in front of it.
    Ended,
}

/// Takes a stream of bytes apart into lines.
///
/// A line ends with a line feed; [`crlf`](Self::crlf) takes a carriage return in front of it off too. A line of more
/// than the [`limit`](Self::limit) comes in pieces: all but its last are as long as the limit, or up to 3 bytes shorter
/// so that no character is cut in two, and are marked [`LineEnd::Cut`]. How the input was split changes nothing.
///
/// ```
/// use bytes::Bytes;
/// use pocket_dock_core::stream::{LineEnd, Lines};
///
/// let mut lines = Lines::new();
/// let mut chunk = Bytes::from("one\ntw");
/// assert_eq!(lines.next(&mut chunk, false).unwrap().text(), "one");
/// assert!(lines.next(&mut chunk, false).is_none() && chunk.is_empty());
///
/// let mut chunk = Bytes::from("o\nthree");
/// assert_eq!(lines.next(&mut chunk, true).unwrap().text(), "two");
/// let last = lines.next(&mut chunk, true).unwrap();
/// assert_eq!((&last.data[..], last.end), (&b"three"[..], LineEnd::Ended));
/// assert!(lines.next(&mut chunk, true).is_none());
/// ```
#[derive(Debug, Clone)]
pub struct Lines {
    limit: usize,
    crlf: bool,
    /// The line so far: there is no line feed in it, and at most one byte more than the limit.
    held: BytesMut,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines {
    /// Lines of up to [`DEFAULT_LINE_LIMIT`] bytes that end with a line feed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limit: DEFAULT_LINE_LIMIT,
            crlf: false,
            held: BytesMut::new(),
        }
    }

    /// Also takes one carriage return in front of a line feed as part of the end of line.
    #[must_use]
    pub const fn crlf(mut self) -> Self {
        self.crlf = true;
        self
    }

    /// Sets the longest line, in bytes without the end of line; 0 counts as 1. It is also about the memory in use.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Takes the next line from the front of `received`; `None`: all of it is used, and no line is whole. With `eof`,
    /// nothing will follow what is in `received`, so the last bytes are a line also without an end of line.
    ///
    /// A line inside one chunk is a slice of it and not copied.
    pub fn next(&mut self, received: &mut Bytes, eof: bool) -> Option<Line> {
        // The longest line has its line feed in here.
        let most = self.limit.saturating_add(usize::from(self.crlf));
        let window = most
            .saturating_add(1)
            .saturating_sub(self.held.len())
            .min(received.len());
        let (line, end) = match memchr(b'\n', &received[..window]) {
            Some(at) => (self.held.len() + at - self.carriage_return(&received[..at]), Some(at)),
            None => (self.held.len() + window, None),
        };
        if end.is_none() && line <= most {
            self.held.extend_from_slice(&received[..window]);
            received.advance(window);
            if !eof || line == 0 {
                return None;
            }
        }
        if line > self.limit {
            return Some(self.piece(received));
        }
        let Some(at) = end else {
            return Some(Line {
                data: self.held.split().freeze(),
                end: LineEnd::Ended,
            });
        };
        let mut data = self.joined(received.split_to(at));
        data.truncate(line);
        received.advance(1);
        Some(Line {
            data,
            end: LineEnd::Terminated,
        })
    }

    /// 1 if the line that ends with `end` has a carriage return at its end which is not part of it.
    fn carriage_return(&self, end: &[u8]) -> usize {
        usize::from(self.crlf && end.last().or(self.held.last()) == Some(&b'\r'))
    }

    /// The held bytes and `more`.
    fn joined(&mut self, more: Bytes) -> Bytes {
        if self.held.is_empty() {
            return more;
        }
        self.held.extend_from_slice(&more);
        self.held.split().freeze()
    }

    /// The first piece of a line that is too long.
    fn piece(&mut self, received: &mut Bytes) -> Line {
        let data = if self.held.is_empty() {
            received.split_to(whole_characters(&received[..self.limit]))
        } else {
            let more = self.limit.saturating_sub(self.held.len());
            self.held.extend_from_slice(&received[..more]);
            received.advance(more);
            self.held.split_to(whole_characters(&self.held[..self.limit])).freeze()
        };
        Line {
            data,
            end: LineEnd::Cut,
        }
    }
}

/// How much of a piece to give out so that no character is cut in two; all of it if there would be nothing.
fn whole_characters(piece: &[u8]) -> usize {
    match piece.len() - unfinished(piece) {
        0 => piece.len(),
        whole => whole,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::splits::{cut, sizes, splits};

    fn run(lines: &Lines, pieces: &[&[u8]], eof_alone: bool) -> Vec<Line> {
        let (mut lines, mut all) = (lines.clone(), Vec::new());
        let last = pieces.len().saturating_sub(1);
        let chunks = pieces
            .iter()
            .enumerate()
            .map(|(at, &piece)| (piece, !eof_alone && at == last));
        for (piece, eof) in chunks.chain([(&b""[..], true)]) {
            let mut chunk = Bytes::copy_from_slice(piece);
            all.extend(std::iter::from_fn(|| lines.next(&mut chunk, eof)));
            assert!(chunk.is_empty() && lines.held.len() <= lines.limit + 1);
            assert!(lines.next(&mut chunk, eof).is_none(), "again");
        }
        assert!(lines.held.is_empty());
        all
    }

    /// The same in the simplest way.
    fn reference(lines: &Lines, input: &[u8]) -> Vec<Line> {
        let mut all = Vec::new();
        for line in input.split_inclusive(|&byte| byte == b'\n') {
            let (mut line, mut end) = (line, LineEnd::Ended);
            if let Some(without) = line.strip_suffix(b"\n") {
                (line, end) = (without, LineEnd::Terminated);
                if let Some(without) = line.strip_suffix(b"\r").filter(|_| lines.crlf) {
                    line = without;
                }
            }
            while line.len() > lines.limit {
                let piece = &line[..lines.limit];
                let begins = |tail: &[u8]| {
                    std::str::from_utf8(tail).is_err_and(|error| (error.valid_up_to(), error.error_len()) == (0, None))
                };
                let whole = (1..piece.len()).rev().take(3).find(|&whole| begins(&piece[whole..]));
                let (piece, behind) = line.split_at(whole.unwrap_or(piece.len()));
                all.push(Line {
                    data: Bytes::copy_from_slice(piece),
                    end: LineEnd::Cut,
                });
                line = behind;
            }
            all.push(Line {
                data: Bytes::copy_from_slice(line),
                end,
            });
        }
        all
    }

    fn every_split(lines: &Lines, input: &[u8]) -> Vec<(String, LineEnd)> {
        let expected = reference(lines, input);
        for pieces in splits(input) {
            for eof_alone in [false, true] {
                assert_eq!(
                    run(lines, &pieces, eof_alone),
                    expected,
                    "{lines:?}, {}",
                    input.escape_ascii()
                );
            }
        }
        expected
            .iter()
            .map(|line| (line.text().into_owned(), line.end))
            .collect()
    }

    #[test]
    fn lines_end_with_a_line_feed_or_the_input() {
        use LineEnd::{Ended, Terminated};
        let lines = |lines: Lines, input: &str| every_split(&lines, input.as_bytes());
        let line = |text: &str, end| (text.to_owned(), end);
        assert_eq!(lines(Lines::new(), ""), []);
        assert_eq!(lines(Lines::new(), "\n"), [line("", Terminated)]);
        assert_eq!(
            lines(Lines::new(), "a\n\nb\r\n\r"),
            [
                line("a", Terminated),
                line("", Terminated),
                line("b\r", Terminated),
                line("\r", Ended)
            ]
        );
        assert_eq!(
            lines(Lines::new().crlf(), "a\r\n\r\nb\n\r\r\n\r"),
            [
                line("a", Terminated),
                line("", Terminated),
                line("b", Terminated),
                line("\r", Terminated),
                line("\r", Ended)
            ]
        );
    }

    #[test]
    fn a_line_over_the_limit_comes_in_pieces() {
        use LineEnd::{Cut, Ended, Terminated};
        let line = |text: &str, end| (text.to_owned(), end);
        assert_eq!(
            every_split(&Lines::new().limit(4), b"abcd\nabcde\nabcdefgh"),
            [
                line("abcd", Terminated),
                line("abcd", Cut),
                line("e", Terminated),
                line("abcd", Cut),
                line("efgh", Ended)
            ]
        );
        assert_eq!(
            every_split(&Lines::new().limit(4).crlf(), b"abcd\r\nabcd\rx\r\nabcd\r"),
            [
                line("abcd", Terminated),
                line("abcd", Cut),
                line("\rx", Terminated),
                line("abcd", Cut),
                line("\r", Ended)
            ]
        );
        assert_eq!(
            every_split(&Lines::new().limit(4), "ab€€\n".as_bytes()),
            [line("ab", Cut), line("€", Cut), line("€", Terminated)]
        );
        assert_eq!(
            every_split(&Lines::new().limit(0), b"ab"),
            [line("a", Cut), line("b", Ended)]
        );
    }

    #[test]
    fn a_line_inside_one_chunk_is_not_copied() {
        let mut chunk = Bytes::from(b"first\r\nsecond\nend".to_vec());
        let places = [&chunk[..5], &chunk[7..13]].map(|line| line.as_ptr());
        let mut lines = Lines::new().crlf();
        for place in places {
            assert_eq!(lines.next(&mut chunk, false).unwrap().data.as_ptr(), place);
        }
        assert_eq!(lines.next(&mut chunk, false), None);
    }

    #[test]
    fn what_is_held_keeps_no_chunk_alive() {
        let mut lines = Lines::new();
        let chunk = Bytes::from(vec![b'x'; 1000]);
        assert_eq!(lines.next(&mut chunk.slice(..10), false), None);
        assert!(chunk.is_unique());
    }

    #[test]
    fn no_limit_is_too_large_or_set_too_late() {
        let mut lines = Lines::new().limit(usize::MAX).crlf();
        assert_eq!(lines.next(&mut "abcdef".into(), false), None);
        let mut lines = lines.limit(2);
        let mut rest = Bytes::from("g\n");
        let all: Vec<_> = std::iter::from_fn(|| lines.next(&mut rest, true)).collect();
        assert_eq!(all, reference(&lines, b"abcdefg\n"));
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(
            parts in proptest::collection::vec(prop::sample::select(vec![
                &b"\n"[..], b"\r", b"\r\n", b"a", b"bcdefgh", "€".as_bytes(), "🦀".as_bytes(), b"\x80", b"\xf0\x9f",
            ]), 0..32),
            cuts in sizes(),
            limit in 0..24_usize,
            crlf in any::<bool>(),
            eof_alone in any::<bool>(),
        ) {
            let input = parts.concat();
            let lines = Lines::new().limit(limit);
            let lines = if crlf { lines.crlf() } else { lines };
            prop_assert_eq!(run(&lines, &cut(&input, &cuts), eof_alone), reference(&lines, &input));
        }
    }
}
