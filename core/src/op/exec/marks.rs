//! The output of one command, told apart: what the engine said before the command began, what the command wrote, and its
//! two marks.
//!
//! ```text
//! on each stream:   engine's words ──(begin)──► output, in pieces ──(code)──► what others say; not the command's
//! ```
//! Both streams begin and end with a mark where the command runs under its supervisor. Where it was started directly there
//! are none, and everything is output.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::stream::{Channel, Frame, Sentinel};

/// Of the engine's words, in an error.
const WORDS_BYTES: usize = 4096;
/// The code in the mark that the supervisor writes first.
const BEGIN: &str = "begin";

#[derive(Debug)]
pub(super) struct Marks {
    stdout: One,
    stderr: One,
    /// What came before the command began; where there are no marks, the first of its output.
    words: BytesMut,
    /// Where there are no marks: what may be the engine's words, as long as nothing says that the command began.
    held: VecDeque<(Channel, Bytes)>,
    believed: bool,
    ready: VecDeque<(Channel, Bytes)>,
}

#[derive(Debug)]
struct One {
    sentinel: Sentinel,
    begun: bool,
    code: Option<String>,
}

impl Marks {
    pub(super) fn new(id: &str) -> Self {
        let one = || One {
            sentinel: Sentinel::new(id),
            begun: false,
            code: None,
        };
        Self {
            stdout: one(),
            stderr: one(),
            words: BytesMut::new(),
            held: VecDeque::new(),
            believed: false,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, frame: Frame, marked: bool) {
        let Frame { channel, mut data } = frame;
        if !marked {
            remember(&mut self.words, &data);
            self.held.push_back((channel, data));
            if self.believed || !could_be_the_engines(&self.words) {
                self.believe();
            }
            return;
        }
        let one = match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        };
        if one.code.is_some() {
            return; // what a child in the background says after the end is not the command's
        }
        if !one.begun {
            let mut words = |piece: Bytes| remember(&mut self.words, &piece);
            match one.sentinel.push(data, &mut words) {
                None => return,
                Some(found) if found.code != BEGIN => {
                    one.code = Some(found.code);
                    return;
                }
                Some(found) => data = found.rest,
            }
            one.begun = true;
        }
        let mut output = |piece: Bytes| self.ready.push_back((channel, piece));
        one.code = one.sentinel.push(data, &mut output).map(|found| found.code);
    }

    /// Where there are no marks: it has begun, so everything is output.
    pub(super) fn believe(&mut self) {
        self.believed = true;
        self.ready.append(&mut self.held);
    }

    /// Whether that is so.
    pub(super) fn is_believed(&self) -> bool {
        self.believed
    }

    /// The next piece of output.
    pub(super) fn pop(&mut self) -> Option<(Channel, Bytes)> {
        self.ready.pop_front()
    }

    /// Nothing more will come: what could have been the beginning of a mark was none.
    pub(super) fn finish(&mut self) {
        for (channel, one) in [(Channel::Stdout, &mut self.stdout), (Channel::Stderr, &mut self.stderr)] {
            let (begun, words, ready) = (one.begun, &mut self.words, &mut self.ready);
            one.sentinel.finish(&mut |piece| {
                if begun {
                    ready.push_back((channel, piece));
                } else {
                    remember(words, &piece);
                }
            });
        }
    }

    /// How the command ended, once both streams have said so.
    pub(super) fn code(&self) -> Option<String> {
        self.stderr.code.as_ref().and(self.stdout.code.clone())
    }

    /// Whether it is certain that the command, or at least its supervisor, ran.
    pub(super) fn has_begun(&self) -> bool {
        self.stdout.begun || self.stderr.begun
    }

    /// The engine's words.
    pub(super) fn words(&self) -> String {
        String::from_utf8_lossy(&self.words).into_owned()
    }
}

/// How engines begin to say that they could not start something.
const FAILURES: [&str; 4] = ["OCI runtime", "unable to find user", "exec failed", "Error: "];

/// Whether this may be, or become, an engine's word on a failed start. If it is a program's, it is only held for a moment.
fn could_be_the_engines(words: &[u8]) -> bool {
    words.len() < WORDS_BYTES
        && FAILURES.iter().any(|failure| {
            let known = failure.len().min(words.len());
            words[..known].eq_ignore_ascii_case(&failure.as_bytes()[..known])
        })
}

fn remember(words: &mut BytesMut, piece: &[u8]) {
    let room = WORDS_BYTES.saturating_sub(words.len());
    words.extend_from_slice(&piece[..piece.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn pieces(input: &[(Channel, &[u8])], size: usize) -> (Vec<u8>, Vec<u8>, String, Option<String>) {
        let mut marks = Marks::new(ID);
        for (channel, data) in input {
            for piece in data.chunks(size) {
                let data = Bytes::copy_from_slice(piece);
                marks.push(
                    Frame {
                        channel: *channel,
                        data,
                    },
                    true,
                );
            }
        }
        let code = marks.code();
        marks.finish();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some((channel, data)) = marks.pop() {
            match channel {
                Channel::Stdout => out.extend_from_slice(&data),
                Channel::Stderr => err.extend_from_slice(&data),
            }
        }
        (out, err, marks.words(), code)
    }

    #[test]
    fn words_output_and_code_are_told_apart_however_they_are_cut() {
        let begin = format!("__PD_{ID}_begin__\n");
        let end = format!("__PD_{ID}_7__\n");
        let out = format!("{begin}out\n\n{begin}{end}late");
        let err = format!("warning\n{begin}{end}");
        for size in 1..out.len() {
            let input = [(Channel::Stdout, out.as_bytes()), (Channel::Stderr, err.as_bytes())];
            let (stdout, stderr, words, code) = pieces(&input, size);
            // A second `begin` cannot come from our supervisor. It ends the output like any mark, with a code that is none.
            assert_eq!(stdout, b"out\n\n", "{size}");
            assert_eq!(stderr, b"", "{size}");
            assert_eq!(words, "warning\n", "{size}");
            assert_eq!(code.as_deref(), Some("begin"), "{size}");
        }
    }

    #[test]
    fn an_engine_that_could_not_start_it_is_heard() {
        let said = "OCI runtime exec failed: no such file\r\n__PD_0011";
        for size in 1..said.len() {
            let (stdout, _, words, code) = pieces(&[(Channel::Stdout, said.as_bytes())], size);
            assert_eq!((stdout.len(), code), (0, None), "{size}");
            assert_eq!(words, said, "{size}");
        }
    }
}
