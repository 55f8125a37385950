//! Bytes as text, however they were cut on their way.
//!
//! ```text
//!   pushed   ··· whole characters, and U+FFFD for what is none │ the beginning of a character
//!            └─────────── given out at once ───────────────────┘ `held`, at most 3 bytes
//! ```

use std::borrow::Cow;

/// The longest character, in bytes.
const MAX_CHARACTER: usize = 4;

/// Turns one stream of bytes into text, piece by piece.
///
/// The pieces together are what [`String::from_utf8_lossy`] makes of the whole stream: a character that was cut in two
/// comes out whole, with the piece that has its last byte, and what is not UTF-8 comes out as U+FFFD. There is one
/// decoder for each stream: a character does not begin on stdout and end on stderr.
///
/// ```
/// use pocket_dock_core::stream::TextDecoder;
///
/// let mut decoder = TextDecoder::new();
/// assert_eq!(decoder.decode(b"1 \xe2\x82"), "1 ");
/// assert_eq!(decoder.decode(b"\xac, 2 \xe2\x82"), "€, 2 ");
/// assert_eq!(decoder.finish(), "\u{fffd}");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextDecoder {
    /// The beginning of a character; the rest is zeros.
    held: [u8; MAX_CHARACTER],
    held_bytes: u8,
    /// How many more bytes may be the rest of a character whose beginning was lost.
    orphans: u8,
}

impl TextDecoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            held: [0; MAX_CHARACTER],
            held_bytes: 0,
            orphans: 0,
        }
    }

    /// The text of the next bytes, borrowed where they need no change. The beginning of a character at their end is
    /// held back, at most 3 bytes.
    #[must_use]
    pub fn decode<'a>(&mut self, data: &'a [u8]) -> Cow<'a, str> {
        let data = self.without_orphans(data);
        let (first, data) = self.complete(data);
        let (data, tail) = data.split_at(data.len() - unfinished(data));
        if !tail.is_empty() {
            self.hold(tail);
        }
        match (first, String::from_utf8_lossy(data)) {
            (None, text) => text,
            (Some(first), rest) => {
                let mut text = String::with_capacity(MAX_CHARACTER + rest.len());
                text.push(first);
                text.push_str(&rest);
                Cow::Owned(text)
            }
        }
    }

    /// The text at the end of the stream: U+FFFD if it ends inside a character, and otherwise nothing. The decoder is
    /// as new afterwards.
    pub fn finish(&mut self) -> &'static str {
        let held = std::mem::take(self).held_bytes;
        if held > 0 { "\u{fffd}" } else { "" }
    }

    /// Tells that bytes of the stream are missing here. The beginning of a character in front of the gap and the rest
    /// of one behind it (up to 3 bytes) are left out of the text, because nobody can know what they were.
    ///
    /// ```
    /// use pocket_dock_core::stream::TextDecoder;
    ///
    /// let mut decoder = TextDecoder::new();
    /// decoder.skip_gap();
    /// assert_eq!(decoder.decode(b"\x82\xac, 2 \xe2\x82\xac"), ", 2 €");
    /// ```
    pub const fn skip_gap(&mut self) {
        *self = Self::new();
        self.orphans = MAX_CHARACTER as u8 - 1;
    }

    /// Goes on as if `data` had been decoded; of a long one, only the borders are read.
    pub(crate) fn pass(&mut self, data: &[u8]) {
        let data = self.without_orphans(data);
        let (_, data) = self.complete(data);
        let tail = unfinished(data);
        if tail > 0 {
            self.hold(&data[data.len() - tail..]);
        }
    }

    /// Without the rest of a character whose beginning was lost.
    fn without_orphans<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let most = data.len().min(self.orphans.into());
        let orphans = data[..most].iter().take_while(|&&byte| continues(byte)).count();
        if orphans < data.len() {
            self.orphans = 0;
        } else {
            self.orphans -= orphans as u8;
        }
        &data[orphans..]
    }

    /// Completes the character that is held with the first bytes of `data`; gives what it became, and what is behind.
    fn complete<'a>(&mut self, mut data: &'a [u8]) -> (Option<char>, &'a [u8]) {
        while self.held_bytes > 0 {
            let Some((&byte, behind)) = data.split_first() else {
                return (None, data);
            };
            let held = usize::from(self.held_bytes);
            self.held[held] = byte;
            let joined = &self.held[..=held];
            match std::str::from_utf8(joined) {
                Ok(text) => {
                    let whole = text.chars().next();
                    *self = Self::new();
                    return (whole, behind);
                }
                Err(error) if error.error_len().is_none() => {
                    self.held_bytes += 1;
                    data = behind;
                }
                // The new byte does not belong to it.
                Err(_) => {
                    *self = Self::new();
                    return (Some(char::REPLACEMENT_CHARACTER), data);
                }
            }
        }
        (None, data)
    }

    fn hold(&mut self, tail: &[u8]) {
        self.held[..tail.len()].copy_from_slice(tail);
        self.held_bytes = tail.len() as u8;
    }
}

/// How many bytes at the end of `data` are the beginning of a character: 0 to 3.
///
/// A byte that begins a character is never part of an earlier one, so nothing in front of it matters.
pub(crate) fn unfinished(data: &[u8]) -> usize {
    let last = &data[data.len().saturating_sub(MAX_CHARACTER - 1)..];
    let Some(start) = last.iter().rposition(|&byte| !continues(byte)) else {
        return 0;
    };
    match std::str::from_utf8(&last[start..]) {
        Err(error) if error.error_len().is_none() => last.len() - start,
        _ => 0,
    }
}

/// Whether a byte is never the first of a character.
const fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::splits::{cut, sizes, splits};

    fn decoded(decoder: TextDecoder, pieces: &[&[u8]]) -> String {
        let (mut decoder, mut passing) = (decoder, decoder);
        let mut text = String::new();
        for piece in pieces {
            text.push_str(&decoder.decode(piece));
            passing.pass(piece);
            assert_eq!(decoder, passing, "after {}", piece.escape_ascii());
        }
        text.push_str(decoder.finish());
        assert_eq!(decoder, TextDecoder::new());
        text
    }

    fn every_split(input: &[u8]) -> String {
        let expected = String::from_utf8_lossy(input);
        for pieces in splits(input) {
            assert_eq!(
                decoded(TextDecoder::new(), &pieces),
                expected,
                "{}",
                input.escape_ascii()
            );
        }
        expected.into_owned()
    }

    #[test]
    fn characters_come_out_whole() {
        let text = "a ß € 🦀 \u{10ffff}\u{fffd}\0";
        assert_eq!(every_split(text.as_bytes()), text);
    }

    #[test]
    fn what_is_no_text_is_replaced_as_it_is_in_the_whole() {
        for (input, expected) in [
            (&b"\x80\xbf"[..], "\u{fffd}\u{fffd}"),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xe2\x82", "\u{fffd}"),
            (b"\xe2\x82x", "\u{fffd}x"),
            (b"\xe2\xe2\x82\xac", "\u{fffd}€"),
            (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf0\x9f\xa6", "\u{fffd}"),
            (b"\xf0\x9f\xa6\xf0\x9f", "\u{fffd}\u{fffd}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(every_split(input), expected, "{}", input.escape_ascii());
        }
    }

    /// All that can decide about the first bytes of a character, in every order.
    #[test]
    fn every_four_of_the_bytes_that_matter() {
        const BYTES: [u8; 12] = [b'a', 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xc2, 0xe0, 0xed, 0xf0, 0xf1, 0xf4];
        for number in 0..BYTES.len().pow(4) {
            let input = [1, 12, 144, 1728].map(|place| BYTES[number / place % 12]);
            let expected = String::from_utf8_lossy(&input);
            for cuts in 0..8 {
                let pieces = input.split_inclusive({
                    let mut at = 0;
                    move |_| {
                        at += 1;
                        cuts >> (at - 1) & 1 == 1
                    }
                });
                let pieces: Vec<&[u8]> = pieces.collect();
                assert_eq!(decoded(TextDecoder::new(), &pieces), expected, "{pieces:x?}");
            }
        }
    }

    #[test]
    fn text_is_borrowed_if_it_can_be() {
        let mut decoder = TextDecoder::new();
        assert!(matches!(decoder.decode("ab €".as_bytes()), Cow::Borrowed("ab €")));
        assert!(matches!(decoder.decode(b"ab \xe2"), Cow::Borrowed("ab ")));
        assert!(matches!(decoder.decode(b"\x82"), Cow::Borrowed("")));
        assert!(matches!(decoder.decode(b"\xac"), Cow::Owned(_)));
        assert!(matches!(decoder.decode(b"ab"), Cow::Borrowed("ab")));
    }

    #[test]
    fn a_character_with_a_gap_in_it_is_left_out() {
        let after_gap = || {
            let mut decoder = TextDecoder::new();
            assert_eq!(decoder.decode(b"x\xf0\x9f"), "x");
            decoder.skip_gap();
            decoder
        };
        for (input, expected) in [
            (&b"\x9f\xa6\x80 \x80"[..], " \u{fffd}"),
            (b"\xac", ""),
            (b"\x9f\xa6\x80\x80", "\u{fffd}"),
            (b"\xff\x80", "\u{fffd}\u{fffd}"),
            (b"\xa6\xe2\x82\xac", "€"),
            (b"", ""),
        ] {
            for pieces in splits(input) {
                assert_eq!(decoded(after_gap(), &pieces), expected, "{pieces:x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text_of_the_whole(
            parts in proptest::collection::vec(prop::sample::select(vec![
                &b"a"[..], b"\xc3\xa9", "€".as_bytes(), "🦀".as_bytes(), b"\x80", b"\xe2", b"\xe2\x82", b"\xf0\x9f", b"\xff", b"\xed\xa0",
            ]), 0..24),
            cuts in sizes(),
        ) {
            let input = parts.concat();
            prop_assert_eq!(decoded(TextDecoder::new(), &cut(&input, &cuts)), String::from_utf8_lossy(&input));
        }

        #[test]
        fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..64), cuts in sizes()) {
            prop_assert_eq!(decoded(TextDecoder::new(), &cut(&input, &cuts)), String::from_utf8_lossy(&input));
        }
    }
}
