//! Runs one command and gathers what it prints.

use std::time::{Duration, Instant};

use super::exec::{Event, Exec, Place};
use super::{Op, Step, ready};
use crate::command::Command;
use crate::engine_api::Target;
use crate::error::Error;
use crate::link::Link;
use crate::result::ExecResult;
use crate::stream::{Capture, Channel};

/// Runs one command and gathers what it prints.
#[derive(Debug)]
pub struct Run {
    exec: Exec,
    /// What cannot be waited for.
    endless: bool,
    limit: Option<u64>,
    stdout: Capture,
    stderr: Capture,
}

impl Run {
    /// `id`, `mark`: as [`Exec::new`] takes them.
    pub(crate) fn new(target: &Target, place: Place, command: Command, id: String, mark: String) -> Self {
        let limit = command.output_limit.gathered();
        Self {
            endless: command.keep_stdin_open,
            exec: Exec::new(target, place, command, id, mark),
            limit,
            stdout: Capture::new(limit),
            stderr: Capture::new(limit),
        }
    }

    /// The command may run for so long from now on.
    pub(crate) fn extend(&mut self, now: Instant, limit: Duration) {
        self.exec.extend(now, limit);
    }

    fn take(&mut self) -> (Capture, Capture) {
        let empty = || Capture::new(self.limit);
        let (stdout, stderr) = (empty(), empty());
        (
            std::mem::replace(&mut self.stdout, stdout),
            std::mem::replace(&mut self.stderr, stderr),
        )
    }
}

impl Op for Run {
    type Output = ExecResult;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<ExecResult>, Error> {
        if self.endless {
            return Err(Error::misuse(
                "a run with an open standard input could never end: use `Container::stream` or `Container::spawn`, or \
                 leave `keep_stdin_open` out",
            ));
        }
        loop {
            match ready!(self.exec.poll(now, link, true)) {
                Event::Output(Channel::Stdout, data) => self.stdout.push(data),
                Event::Output(Channel::Stderr, data) => self.stderr.push(data),
                Event::Ended(ended) => {
                    let (stdout, stderr) = self.take();
                    return Ok(Step::Done(ExecResult {
                        exit_code: ended.exit_code,
                        stdout: stdout.into_parts().into(),
                        stderr: stderr.into_parts().into(),
                        duration: ended.duration,
                        timed_out: ended.timed_out,
                        killed: ended.killed,
                        out_of_memory: ended.out_of_memory,
                    }));
                }
            }
        }
    }

    fn abandon(&mut self) -> bool {
        self.exec.abandon()
    }
}
