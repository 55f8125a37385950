//! The protocol of a session: one shell that is handed one command after the other, and whose output is taken apart into
//! theirs.
//!
//! ```text
//! to the shell:    POCKET_DOCK_TURN=<id> command eval '<command>' </dev/null 8>&- 9>&-; { its border; } >/dev/null 2>&1
//! on stdout:       output of the command ──(__PD_<border>_<exit code>__)──► what comes later
//! on stderr:       output of the command ──(__PD_<border>_<flags>__)──────► what comes later
//! ```
//! The shell parses a command as one word between quotes, so nothing in it can leave the line it came on. The borders go to
//! copies of both streams that the command is not given, by a builtin that no function of the user's stands for, so
//! neither a redirection nor a missing newline can hide them. Each command has two ids of its own, from outside: one is in
//! the environment of its processes, which are found by it; the other is in its borders, and nothing can have known it
//! before they are written. A function of the name `command` does not outlive the command that made it.
//!
//! Before a command the shell takes a name of that command's, and another behind it: who is to end the command sees by them
//! whether the shell has begun it, and when nothing of it can follow any more.
//!
//! The shell keeps its own script on standard input, where a command finds `/dev/null`. What a command changes in the shell
//! stays, but for `errexit` and `nounset`, which would end it; tracing is off between commands, so that the protocol is
//! not traced, and on again in the next.

mod borders;
mod script;

pub(crate) use borders::{Borders, Flags, Piece};
pub(crate) use script::{Files, Kind, Line, again, hello, name, shell};
