//! Bytes as text that can be read and compared line by line.
//!
//! ```text
//! abc      itself: printable ASCII          \\ \r \n    backslash, carriage return, line feed
//! \xff     any other byte                   \*9x00;     nine of this byte
//! \{3 4}   texts 3 and 4 of the file: what occurs again and again stands once
//! ```

use std::collections::HashMap;
use std::fmt::Write as _;

/// So many equal bytes are counted and not repeated.
const RUN: usize = 16;
/// Shorter pieces are not worth a text of their own.
const SHORTEST: usize = 10;

/// The texts of a file.
#[derive(Debug, Default)]
pub(super) struct Texts {
    all: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, usize>,
}

impl Texts {
    /// Those that occur more than once in these payloads.
    pub(super) fn of<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        let mut order = Vec::new();
        for piece in payloads.flat_map(pieces).filter(|piece| piece.len() >= SHORTEST) {
            let count = counts.entry(piece).or_default();
            *count += 1;
            if *count == 2 {
                order.push(piece);
            }
        }
        let mut texts = Self::default();
        order.into_iter().for_each(|piece| texts.add(piece.to_vec()));
        texts
    }

    /// One more.
    pub(super) fn add(&mut self, text: Vec<u8>) {
        self.numbers.insert(text.clone(), self.all.len());
        self.all.push(text);
    }

    /// All, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.all.iter().map(Vec::as_slice)
    }

    /// As text.
    pub(super) fn write(&self, bytes: &[u8]) -> String {
        let (mut out, mut plain, mut known) = (String::new(), Vec::new(), Vec::new());
        for piece in pieces(bytes) {
            if let Some(number) = self.numbers.get(piece) {
                escape(&std::mem::take(&mut plain), &mut out);
                known.push(number.to_string());
                continue;
            }
            refer(&mut known, &mut out);
            plain.extend_from_slice(piece);
        }
        refer(&mut known, &mut out);
        escape(&plain, &mut out);
        if out.ends_with(' ') {
            out.truncate(out.len() - 1);
            out.push_str("\\x20"); // a space at the end of a line is easily lost
        }
        out
    }

    /// From text. `None` if it is none that [`write`](Self::write) makes.
    pub(super) fn read(&self, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            let kind = rest[at + 1..].chars().next()?;
            rest = rest.get(at + 1 + kind.len_utf8()..)?;
            match kind {
                '\\' => out.push(b'\\'),
                'r' => out.push(b'\r'),
                'n' => out.push(b'\n'),
                'x' => {
                    out.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                    rest = &rest[2..];
                }
                '*' => {
                    let (run, behind) = rest.split_once(';')?;
                    let (count, byte) = run.split_once('x')?;
                    let byte = u8::from_str_radix(byte, 16).ok()?;
                    out.resize(out.len() + count.parse::<usize>().ok()?, byte);
                    rest = behind;
                }
                '{' => {
                    let (numbers, behind) = rest.split_once('}')?;
                    for number in numbers.split(' ') {
                        out.extend_from_slice(self.all.get(number.parse::<usize>().ok()?)?);
                    }
                    rest = behind;
                }
                _ => return None,
            }
        }
        out.extend_from_slice(rest.as_bytes());
        Some(out)
    }
}

fn refer(known: &mut Vec<String>, out: &mut String) {
    if !known.is_empty() {
        let _ = write!(out, "\\{{{}}}", known.join(" "));
        known.clear();
    }
}

fn escape(bytes: &[u8], out: &mut String) {
    for run in bytes.chunk_by(|one, next| one == next) {
        let byte = run[0];
        if run.len() >= RUN {
            let _ = write!(out, "\\*{}x{byte:02x};", run.len());
            continue;
        }
        for _ in run {
            match byte {
                b'\\' => out.push_str("\\\\"),
                b'\r' => out.push_str("\\r"),
                b'\n' => out.push_str("\\n"),
                b' '..=b'~' => out.push(char::from(byte)),
                _ => {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    }
}

/// Cut behind each line of a head and each member of a JSON object.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let border = |two: &[u8]| matches!(two, b"\r\n" | b",\"");
        let end = match rest.windows(2).position(border) {
            Some(at) if rest[at] == b'\r' => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"long enough\":1,\"other\":[]}";
        let zeros = [&b"\x01\0\0\0\0\0\x80\0"[..], &[0; 500]].concat();
        assert_eq!(Texts::default().write(b"a  "), "a \\x20");
        let payloads: [&[u8]; 7] = [b"a ", &all, head, head, &zeros, b"", b"\\{0}\\*3x00;"];
        let texts = Texts::of(payloads.into_iter());
        assert_eq!(texts.iter().count(), 4);
        for payload in payloads {
            let text = texts.write(payload);
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
            assert_eq!(texts.read(&text).as_deref(), Some(payload), "{text}");
        }
        assert_eq!(texts.write(head), "\\{0 1}\\r\\n\\{2 3}");
        for wrong in ["\\", "\\q", "\\x4", "\\*3x00", "\\{9}", "\\{0", "\\xyz"] {
            assert_eq!(texts.read(wrong), None, "{wrong}");
        }
    }
}
