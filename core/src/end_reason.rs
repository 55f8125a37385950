//! Why a container or a command ended.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::engine_api::details::Details;
use crate::engine_api::events::Happened;
use crate::result::{ExecResult, ExecSummary};
use crate::signal::Signal;

/// Why a container or a command ended: what [`Container::end_reason`](crate::Container::end_reason) and
/// [`ExecResult::end_reason`] give. [`hint`](Self::hint) says what may be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// It ended by itself, with this exit code.
    Exited(i64),
    /// The kernel killed it, as the container's memory was used up.
    OutOfMemory,
    /// A signal of this number ended it, or it ended with the exit code that says so. Nobody sent it by way of the engine.
    Signal(i64),
    /// Its time was over: [`Command::timeout`](crate::Command::timeout).
    TimedOut,
    /// This program ended it.
    EndedHere,
    /// Someone else had the engine stop or kill it. It is still there.
    StoppedByOther,
    /// Someone else had the engine stop, kill or remove it, and it is gone.
    RemovedByOther,
    /// The engine was restarted, and ended it or lost sight of it.
    EngineRestarted,
    /// Nobody remembers.
    Unknown,
}

impl EndReason {
    /// The signal, where that was the reason and it is one that has a name here.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        match self {
            Self::Signal(number) => Signal::from_exit_code(i32::try_from(*number).ok()?.checked_add(128)?),
            _ => None,
        }
    }

    /// What it may mean, and what may be done about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exited(0) => "it did what it was to do",
            Self::Exited(126) => "as a rule, a program that it named cannot be executed: check its permissions",
            Self::Exited(127) => "as a rule, a program that it named was not found: check its PATH and its image",
            Self::Exited(_) => "see what it printed",
            Self::OutOfMemory => "raise the limit with `ContainerSpec::memory`, or have it use less",
            Self::Signal(9) => {
                "something killed it from outside of the container or in it; where it has little memory, that may have been used \
                 up: look at the kernel's log"
            }
            Self::Signal(6 | 11 | 4 | 7 | 8) => "the program is at fault: it crashed; see what it printed",
            Self::Signal(15) => "it was asked to end, by something in the container or on the host",
            Self::Signal(_) => "something in the container or on the host sent it the signal",
            Self::TimedOut => "give it more time with `Command::timeout`, or less to do",
            Self::EndedHere => "this program shut it down, stopped or killed it",
            Self::StoppedByOther => {
                "someone else uses this engine and stopped it: `Container::start` runs its main process again"
            }
            Self::RemovedByOther => "someone else uses this engine and ended or removed it: make a new one",
            Self::EngineRestarted => {
                "make a new one; a Docker with `live-restore` in its configuration leaves containers running"
            }
            Self::Unknown => {
                "a container that removes itself leaves little behind: make it with `ContainerSpec::auto_remove(false)` to have \
                 it asked afterwards, or wait for its end with `Container::wait`"
            }
        }
    }

    /// What an exit code says by itself.
    pub(crate) fn of_code(code: i64) -> Self {
        match code {
            // What shells, and engines, make of a signal.
            129..=192 => Self::Signal(code - 128),
            code => Self::Exited(code),
        }
    }
}

impl fmt::Display for EndReason {
    /// A part of a sentence, such as `it was killed by SIGKILL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exited(code) => return write!(f, "it ended by itself with exit code {code}"),
            Self::Signal(number) => {
                return match self.signal() {
                    Some(signal) => write!(f, "it was killed by {signal}"),
                    None => write!(f, "it was killed by signal {number}"),
                };
            }
            Self::OutOfMemory => "the kernel killed it, as the container's memory was used up",
            Self::TimedOut => "its time was over",
            Self::EndedHere => "this program ended it",
            Self::StoppedByOther => "someone else had the engine stop or kill it",
            Self::RemovedByOther => "someone else had the engine end it, and it is gone",
            Self::EngineRestarted => "the engine was restarted",
            Self::Unknown => "nobody remembers why it ended",
        })
    }
}

fn of_command(exit_code: i32, timed_out: bool, out_of_memory: Option<bool>) -> EndReason {
    match exit_code {
        _ if timed_out => EndReason::TimedOut,
        137 if out_of_memory == Some(true) => EndReason::OutOfMemory,
        code => EndReason::of_code(code.into()),
    }
}

impl ExecResult {
    /// Why it ended. A command that a program of this or another one killed is told as one that a signal ended.
    #[must_use]
    pub fn end_reason(&self) -> EndReason {
        of_command(self.exit_code, self.timed_out, self.out_of_memory)
    }
}

impl ExecSummary {
    /// As [`ExecResult::end_reason`].
    #[must_use]
    pub fn end_reason(&self) -> EndReason {
        of_command(self.exit_code, self.timed_out, self.out_of_memory)
    }
}

/// What this program did to a container.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Here {
    /// Sent it to end, or removed it.
    pub(crate) ended: bool,
    /// The numbers of the signals that it sent, as bits.
    pub(crate) signals: u64,
}

/// What can be known of a container that may have ended.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// The engine does not say that memory was used up: Podman before 5.
    pub(crate) hides_memory: bool,
    /// None: it is gone.
    pub(crate) details: Option<&'a Details>,
    /// What the engine remembers, in order; none if it could not be asked.
    pub(crate) events: Option<&'a [Happened]>,
    pub(crate) here: Here,
    pub(crate) removes_itself: bool,
    /// The engine forgot its start, though it would not have if it had run since.
    pub(crate) forgot: bool,
}

/// What this program told the main process of a container since it was started last.
#[derive(Debug, Default)]
pub(crate) struct Sent(AtomicU64);

impl Sent {
    /// The bit of no signal.
    const STOP: u64 = 1;

    pub(crate) fn signal(&self, signal: Signal) {
        self.0.fetch_or(1 << signal.number(), Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.0.fetch_or(Self::STOP, Ordering::Relaxed);
    }

    /// It was started.
    pub(crate) fn nothing(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// `ended`: it was removed from here, or is being.
    pub(crate) fn here(&self, ended: bool) -> Here {
        let told = self.0.load(Ordering::Relaxed);
        Here {
            ended: ended || told & Self::STOP != 0,
            signals: told & !Self::STOP,
        }
    }
}

impl Here {
    fn sent(&self, signal: i64) -> bool {
        let bit = u32::try_from(signal).ok().and_then(|number| 1_u64.checked_shl(number));
        bit.is_some_and(|bit| self.signals & bit != 0)
    }
}

impl Known<'_> {
    /// Whether the main process may still run, or has never run.
    pub(crate) fn has_not_ended(details: &Details) -> bool {
        let state = details.state();
        let status = state.status.as_deref().unwrap_or_default();
        state.is_running()
            || matches!(
                status,
                "created" | "configured" | "initialized" | "restarting" | "stopping"
            )
    }

    /// Those since it was started last.
    fn lately(&self) -> &[Happened] {
        let events = self.events.unwrap_or_default();
        let start = events.iter().rposition(|one| one.action == "start");
        &events[start.map_or(0, |at| at + 1)..]
    }

    /// `None` if it has not ended.
    pub(crate) fn judge(&self) -> Option<EndReason> {
        if self.details.is_some_and(Self::has_not_ended) {
            return None;
        }
        let lately = self.lately();
        let happened = |action: &str| lately.iter().any(|one| one.action == action);
        let died = lately
            .iter()
            .rev()
            .find(|one| matches!(one.action.as_str(), "die" | "died"));
        let state = self.details.map(Details::state);
        // Podman says -1 where it does not know.
        let code = state
            .and_then(|state| state.exit_code)
            .or_else(|| died?.exit_code)
            .filter(|code| *code >= 0);
        let by_signal = code.filter(|code| (129..=192).contains(code)).map(|code| code - 128);
        if self.here.ended || by_signal.is_some_and(|number| self.here.sent(number)) {
            return Some(EndReason::EndedHere);
        }
        let killed = lately.iter().filter(|one| one.action == "kill");
        let was_killed = killed.clone().any(|one| match one.signal {
            Some(_) => one.signal == by_signal,
            // Podman does not say which, and it may have been ours.
            None => self.here.signals == 0,
        });
        let said_so = state.is_some_and(|state| state.oom_killed == Some(true)) || happened("oom");
        // Of a command that was killed so, some engines say the same.
        if said_so && code == Some(137) && !was_killed {
            return Some(EndReason::OutOfMemory);
        }
        if happened("stop") || happened("stopped") || (was_killed && by_signal.is_some()) {
            return Some(if self.details.is_some() {
                EndReason::StoppedByOther
            } else {
                EndReason::RemovedByOther
            });
        }
        // Somebody else did, and by force, unless it had ended before.
        if self.details.is_none() && !self.removes_itself && matches!(code, None | Some(137)) {
            return Some(EndReason::RemovedByOther);
        }
        // What it ended with is its own, unless the engine's end may have been that of the container.
        if self.forgot && matches!(code, None | Some(0 | 137 | 143 | 255)) {
            return Some(EndReason::EngineRestarted);
        }
        // Nothing in a container can kill its main process so, and nobody had the engine kill it, as far as it says. It
        // says nothing of a stop, which ends in this where the main process does not listen.
        let limited = self.details.and_then(Details::memory_limit).is_some();
        if self.hides_memory && code == Some(137) && limited && died.is_some() && !happened("kill") {
            return Some(EndReason::OutOfMemory);
        }
        Some(code.map_or(EndReason::Unknown, EndReason::of_code))
    }
}

#[cfg(test)]
mod tests;
