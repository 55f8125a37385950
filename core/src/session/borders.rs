//! The output of a session's shell, taken apart at the borders of one command.
//!
//! ```text
//! on each stream:   the command's, in pieces ──(its border)──► late: what others still say
//! ```
//! The command has ended when its border was seen on both.

use bytes::Bytes;

use super::Kind;
use crate::stream::{Channel, Frame, Sentinel};

/// What a shell was like behind a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// It was on, and is off between commands.
    xtrace: bool,
    verbose: bool,
    /// It did not go on with the command, as it was told.
    pub(crate) stopped: bool,
}

impl Flags {
    /// `0`, then a letter for each: `s`, `x`, `v`.
    pub(super) fn read(code: &str) -> Option<Self> {
        let letters = code.strip_prefix('0')?;
        let mut flags = Self::default();
        for letter in letters.chars() {
            match letter {
                's' => flags.stopped = true,
                'x' => flags.xtrace = true,
                'v' => flags.verbose = true,
                _ => return None,
            }
        }
        Some(flags)
    }

    /// What turns them on again, on a line of its own: shells read a text by lines, and one that is no command is to change
    /// nothing.
    pub(super) fn restored(self) -> &'static str {
        match (self.xtrace, self.verbose) {
            (false, false) => "",
            (true, false) => "set -x\n",
            (false, true) => "set -v\n",
            (true, true) => "set -xv\n",
        }
    }
}

/// Finds the borders of one command.
#[derive(Debug)]
pub(crate) struct Borders {
    stdout: One,
    stderr: One,
}

#[derive(Debug)]
struct One {
    sentinel: Sentinel,
    code: Option<String>,
}

/// A piece of output, and whether it is the command's or came behind its border.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Own(Frame),
    Late(Frame),
}

impl Borders {
    /// `id`: 32 lower-case hex digits that nobody else can know.
    pub(crate) fn new(id: &str) -> Self {
        let one = || One {
            sentinel: Sentinel::new(id),
            code: None,
        };
        Self {
            stdout: one(),
            stderr: one(),
        }
    }

    /// Takes what the shell said.
    pub(crate) fn push(&mut self, channel: Channel, data: Bytes, out: &mut impl FnMut(Piece)) {
        let one = match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        };
        if one.code.is_some() {
            out(Piece::Late(Frame { channel, data }));
            return;
        }
        let mut own = |data: Bytes| out(Piece::Own(Frame { channel, data }));
        if let Some(found) = one.sentinel.push(data, &mut own) {
            one.code = Some(found.code);
            if !found.rest.is_empty() {
                let data = found.rest;
                out(Piece::Late(Frame { channel, data }));
            }
        }
    }

    /// No border will come any more: what could have been the beginning of one was none.
    pub(crate) fn finish(&mut self, out: &mut impl FnMut(Piece)) {
        for (channel, one) in [(Channel::Stdout, &mut self.stdout), (Channel::Stderr, &mut self.stderr)] {
            one.sentinel
                .finish(&mut |data| out(Piece::Own(Frame { channel, data })));
        }
    }

    /// What the borders behind the first lines said, once both were seen: the shell's process id and its kind.
    pub(crate) fn hello(&self) -> Option<(u32, Kind)> {
        let (pid, kind) = (self.stdout.code.as_ref()?, self.stderr.code.as_ref()?);
        let kind = if kind == "bash" { Kind::Bash } else { Kind::Other };
        Some((pid.parse().unwrap_or(0), kind))
    }

    /// The exit code of the command and what its shell is like, once it has ended. A border that makes no sense is none of
    /// ours, which cannot be forged: it is taken for a failure.
    pub(crate) fn ended(&self) -> Option<(i32, Flags)> {
        let (code, flags) = (self.stdout.code.as_ref()?, self.stderr.code.as_ref()?);
        Some((code.parse().unwrap_or(255), Flags::read(flags).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splits::splits;

    const ID: &str = "00112233445566778899aabbccddeeff";

    /// Own stdout, own stderr, late stdout, late stderr.
    fn parts(pieces: Vec<Piece>) -> [Vec<u8>; 4] {
        let mut parts = [const { Vec::new() }; 4];
        for piece in pieces {
            let (late, frame) = match piece {
                Piece::Own(frame) => (0, frame),
                Piece::Late(frame) => (2, frame),
            };
            parts[late + usize::from(frame.channel == Channel::Stderr)].extend_from_slice(&frame.data);
        }
        parts
    }

    #[test]
    fn however_it_is_split_each_part_is_whole() {
        let stdout = format!("out__PD_{ID}_3__\nlate");
        let stderr = format!("__PD_{}_0__\nerr\n__PD_{ID}_0x__\n", ID.replace('0', "1"));
        for pieces in splits(stdout.as_bytes()) {
            for stderr_pieces in [vec![stderr.as_bytes()], stderr.as_bytes().chunks(1).collect()] {
                let mut borders = Borders::new(ID);
                let mut got = Vec::new();
                for piece in &stderr_pieces {
                    assert_eq!(borders.ended(), None);
                    borders.push(Channel::Stderr, Bytes::copy_from_slice(piece), &mut |piece| {
                        got.push(piece);
                    });
                }
                for piece in &pieces {
                    borders.push(Channel::Stdout, Bytes::copy_from_slice(piece), &mut |piece| {
                        got.push(piece);
                    });
                }
                let flags = Flags {
                    xtrace: true,
                    ..Flags::default()
                };
                assert_eq!(borders.ended(), Some((3, flags)));
                let [own_out, own_err, late_out, late_err] = parts(got);
                assert_eq!((&own_out[..], &late_out[..]), (&b"out"[..], &b"late"[..]));
                assert!(own_err.ends_with(b"err\n") && late_err.is_empty());
            }
        }
    }

    #[test]
    fn without_a_border_everything_is_the_commands() {
        let mut borders = Borders::new(ID);
        let mut got = Vec::new();
        borders.push(Channel::Stdout, format!("half __PD_{ID}_").into(), &mut |piece| {
            got.push(piece);
        });
        borders.finish(&mut |piece| got.push(piece));
        assert_eq!(borders.ended(), None);
        assert_eq!(parts(got)[0], format!("half __PD_{ID}_").into_bytes());
    }
}
