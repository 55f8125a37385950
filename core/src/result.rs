//! What a command gave.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use crate::op::KillReport;
use crate::stream::Captured;

/// How a command ended, and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecResult {
    /// The exit code; 128 and the signal's number if a signal ended it, so 137 if it was killed: by its time limit
    /// ([`timed_out`](Self::timed_out)), by a `kill`, or by the kernel because the container's memory was used up
    /// ([`out_of_memory`](Self::out_of_memory)). [`end_reason`](Self::end_reason) puts it together.
    pub exit_code: i32,
    /// Standard output, exactly as written.
    pub stdout: Output,
    /// Standard error, exactly as written.
    pub stderr: Output,
    /// From the start to the end of the command, as seen from here.
    pub duration: Duration,
    /// Whether its time was over before it ended.
    pub timed_out: bool,
    /// What became of its processes, if they were killed.
    pub killed: Option<KillReport>,
    /// Whether, while it ran, the kernel killed a process of the container because its memory was used up: the command
    /// itself, if the exit code is 137; something it started, or another command's, if not. `None` where that cannot be
    /// known: without a shell, on a terminal, in a session, or if it was killed at its time limit.
    pub out_of_memory: Option<bool>,
}

impl ExecResult {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit_code == 0 && !self.timed_out
    }

    /// Standard output as text; see [`Output::text`].
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        self.stdout.text()
    }

    /// Standard error as text; see [`Output::text`].
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        self.stderr.text()
    }

    /// Whether either stream was longer than what was kept of it.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.omitted_bytes() > 0
    }

    /// How many bytes of both streams were not kept.
    #[must_use]
    pub fn omitted_bytes(&self) -> u64 {
        self.stdout.omitted_bytes + self.stderr.omitted_bytes
    }
}

/// How a command ended that ran beside calls, and how much it printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecSummary {
    /// The exit code; 128 and the signal's number if a signal ended it, so 137 after a timeout.
    pub exit_code: i32,
    /// From the start to the end of the command, as seen from here.
    pub duration: Duration,
    /// Whether its time was over before it ended.
    pub timed_out: bool,
    /// What became of its processes, if they were killed by a time limit or a drop.
    pub killed: Option<KillReport>,
    /// Whether, while it ran, the kernel killed a process of the container because its memory was used up: the command
    /// itself, if the exit code is 137; something it started, or another command's, if not. `None` where that cannot be
    /// known: without a shell, on a terminal, in a session, or if it was killed at its time limit.
    pub out_of_memory: Option<bool>,
    /// How many bytes it wrote to standard output, whether or not anyone read them.
    pub stdout_bytes: u64,
    /// How many bytes it wrote to standard error, whether or not anyone read them.
    pub stderr_bytes: u64,
    /// How many bytes of both no reader can get: left out because of a limit, or lost as the buffer was full, up to the
    /// end of the command.
    pub omitted_bytes: u64,
}

impl ExecSummary {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit_code == 0 && !self.timed_out
    }
}

/// What was kept of one stream: all of it, or its beginning and its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The beginning; all of it if nothing was omitted.
    pub head: Bytes,
    /// The end; empty if nothing was omitted.
    pub tail: Bytes,
    /// How many bytes between the two were not kept.
    pub omitted_bytes: u64,
}

impl Output {
    /// Beginning and end in one piece, with nothing to show where bytes were omitted.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if self.tail.is_empty() {
            return self.head.clone();
        }
        [&self.head[..], &self.tail[..]].concat().into()
    }

    /// As text, with U+FFFD in place of what is not UTF-8, and a line that says how much was omitted, if anything was.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if self.omitted_bytes == 0 && self.tail.is_empty() {
            return String::from_utf8_lossy(&self.head);
        }
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.omitted_bytes > 0 {
            text.push_str(&format!("\n[... {} bytes omitted ...]\n", self.omitted_bytes));
        }
        text.push_str(&String::from_utf8_lossy(&self.tail));
        Cow::Owned(text)
    }
}

impl From<Captured> for Output {
    fn from(captured: Captured) -> Self {
        Self {
            head: captured.head,
            tail: captured.tail,
            omitted_bytes: captured.omitted_bytes,
        }
    }
}
