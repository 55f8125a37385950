//! The protocol of a session: one shell that is handed one command after the other, and whose output is taken apart into
//! theirs.
//!
//! ```text
//! to the shell:    POCKET_DOCK_TURN=<id> command eval '<command>' </dev/null 8>&- 9>&-; { its border; } >/dev/null 2>&1
//! on stdout:       output of the command ──(__PD_<id>_<exit code>__)──► what comes later
//! on stderr:       output of the command ──(__PD_<id>_<flags>__)──────► what comes later
//! ```
//! The shell parses a command as one word between quotes, so nothing in it can leave the line it came on. The borders go to
//! copies of both streams that the command is not given, by a builtin that no function of the user's stands for, so
//! neither a redirection nor a missing newline can hide them. Each command has an id of its own, from outside, that
//! nothing before it can have known.
//!
//! The shell keeps its own script on standard input, where a command finds `/dev/null`. What a command changes in the shell
//! stays, but for `errexit` and `nounset`, which would end it; tracing is off between commands, so that the protocol is
//! not traced, and on again in the next.

mod borders;
mod script;

pub(crate) use borders::{Borders, Flags, Piece};
pub(crate) use script::{HELLO, shell, turn};

/// The process id in the border behind the first line.
pub(crate) fn pid(words: &str) -> u32 {
    words.parse().unwrap_or(0)
}
