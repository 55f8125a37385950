//! One command of a session, and what it gave.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::command::OutputLimit;
use crate::error::Error;
use crate::op::KillReport;
use crate::op::live::Live;
use crate::result::Output;
use crate::signal::Signal;

/// A command for a [`Session`](crate::Session): text for its shell, of any length and number of lines.
///
/// ```
/// use std::time::Duration;
/// use pocket_dock_core::Turn;
///
/// let build = Turn::new("cd /src && make").timeout(Duration::from_secs(60));
/// let sum = Turn::new("awk '{ s += $1 } END { print s }'").stdin("1\n2\n");
/// # let _ = (build, sum);
/// ```
#[derive(Debug, Clone)]
pub struct Turn {
    pub(crate) text: String,
    pub(crate) stdin: Option<Bytes>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) output_limit: OutputLimit,
}

impl Turn {
    /// A command without input.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            stdin: None,
            timeout: None,
            output_limit: OutputLimit::Unsaid,
        }
    }

    /// What the command reads from its standard input, and then its end. Without it, the command reads an end at once. It
    /// is put into a file of the container for the time of the command, in `/dev/shm` or `/tmp`.
    #[must_use]
    pub fn stdin(mut self, data: impl Into<Bytes>) -> Self {
        self.stdin = Some(data.into());
        self
    }

    /// How long the command may run. After that its processes are killed, and the shell lives on. The session's own limit
    /// by default.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How many bytes of each stream are kept; as [`Command::output_limit`](crate::Command::output_limit). The session's
    /// own limit by default.
    #[must_use]
    pub fn output_limit(mut self, bytes: u64) -> Self {
        self.output_limit = OutputLimit::Bytes(bytes);
        self
    }

    /// Refuses what no shell could be given.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.text.contains('\0') {
            return Err(Error::misuse(
                "the command has a NUL character in it, which no shell can be given: remove it",
            ));
        }
        Ok(())
    }
}

impl From<&str> for Turn {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Turn {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// What became of the shell of a session behind a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShellState {
    /// It takes the next command.
    #[default]
    Lives,
    /// It ended with the command, as by `exit`, or was ended as it did not come back. The session is closed.
    Exited,
    /// It did not come back and was ended, and a new one takes the next command: see
    /// [`SessionOptions::on_stuck`](crate::SessionOptions::on_stuck).
    Replaced,
}

/// How a command of a session ended, and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnResult {
    /// The exit code; 128 and the signal's number if a signal ended it.
    pub exit_code: i32,
    /// Standard output, exactly as written.
    pub stdout: Output,
    /// Standard error, exactly as written.
    pub stderr: Output,
    /// From when it was sent to its end, as seen from here.
    pub duration: Duration,
    /// Whether its time was over before it ended.
    pub timed_out: bool,
    /// What became of its processes, if they were killed.
    pub killed: Option<KillReport>,
    /// What became of its shell.
    pub shell: ShellState,
}

impl TurnResult {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit_code == 0 && !self.timed_out
    }

    /// Standard output as text; see [`Output::text`].
    #[must_use]
    pub fn stdout_text(&self) -> std::borrow::Cow<'_, str> {
        self.stdout.text()
    }

    /// Standard error as text; see [`Output::text`].
    #[must_use]
    pub fn stderr_text(&self) -> std::borrow::Cow<'_, str> {
        self.stderr.text()
    }

    /// Whether either stream was longer than what was kept of it.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.stdout.omitted_bytes + self.stderr.omitted_bytes > 0
    }

    /// The signal that the exit code stands for, if it is a usual one.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        Signal::from_exit_code(self.exit_code)
    }
}

/// A turn that waits for its shell, or has it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) live: Arc<Live>,
    /// By which its processes are found: 32 hex digits that the container cannot guess.
    pub(crate) id: String,
    /// Of its borders: 32 hex digits that nothing in the container can have seen before.
    pub(crate) border: String,
    pub(crate) text: String,
    pub(crate) timeout: Option<Duration>,
    shell: Mutex<ShellState>,
}

impl Pending {
    pub(crate) fn new(live: Arc<Live>, id: String, border: String, text: String, timeout: Option<Duration>) -> Self {
        Self {
            live,
            id,
            border,
            text,
            timeout,
            shell: Mutex::default(),
        }
    }

    pub(super) fn set_shell(&self, state: ShellState) {
        *self.shell.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub(super) fn shell(&self) -> ShellState {
        *self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
