//! Whole calls as pure state machines.
//!
//! An [`Op`] is everything one call does, from the first connection to the result: `Run` creates an exec, starts it,
//! streams both ways, and kills the process tree at its deadline. It never touches a socket or a clock. A driver polls
//! it, does what it needs, and polls again:
//!
//! ```text
//! loop { match op.poll(now, link)? {
//!     Done(value)       => return value,
//!     Need(Dial { .. }) => connect,
//!     Need(Swap)        => exchange the connection and the one set aside,
//!     Need(Keep(slot))  => put the connection into the slot: it outlives the call,
//!     Need(Wait { .. }) => write what is pending; read if asked; if nothing moved, wait for readiness or the deadline } }
//! ```
//!
//! Polling without a reason is harmless, and the work of one poll is bounded.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::link::Link;

pub(crate) mod ask;
pub(crate) mod at_once;
pub(crate) mod call;
pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod destroy;
pub(crate) mod end_reason;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod find;
pub(crate) mod info;
pub(crate) mod inherited;
pub(crate) mod kill_process;
pub(crate) mod kill_tree;
pub(crate) mod listing;
pub(crate) mod live;
pub(crate) mod look;
pub(crate) mod pause;
pub(crate) mod processes;
pub(crate) mod prune;
pub(crate) mod reboot;
pub(crate) mod remove;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod script;
pub(crate) mod session;
pub(crate) mod shutdown;
pub(crate) mod snapshot;
pub(crate) mod stats;
pub(crate) mod unpaused;
pub(crate) mod wait;

pub use ask::Ask;
pub(crate) use ask::after_the_end;
pub(crate) use create::{Create, Created};
pub use destroy::Destroy;
pub use end_reason::WhyEnded;
pub(crate) use exec::Place;
pub use info::Info;
pub use kill_process::KillProcess;
pub use kill_tree::KillReport;
pub use listing::Listing;
pub use pause::Pause;
pub(crate) use processes::shown_command;
pub use processes::{ProcessInfo, Processes, RunningProcess};
pub use prune::Pruning;
pub use reboot::Reboot;
pub(crate) use reboot::{Anew, Identity};
pub use remove::Remove;
pub use restart::Restart;
pub use run::Run;
pub(crate) use shutdown::Parting;
pub use shutdown::Shutdown;
pub use snapshot::Snapshot;
pub use stats::NextStats;
pub use wait::Wait;

/// A whole call, without its I/O.
pub trait Op: Send + Unpin + 'static {
    /// What the call gives.
    type Output: Send;

    /// Goes on as far as it can. `now` never goes backwards from one poll to the next.
    ///
    /// # Errors
    /// Whatever the call can end with. The operation must not be polled after an error or after [`Step::Done`].
    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Self::Output>, Error>;

    /// Nobody waits for the result any more. Returns whether something is left to be undone; then the operation must be
    /// driven on to its end, with the same link and connections, and its output is of no interest.
    fn abandon(&mut self) -> bool {
        false
    }
}

/// What an operation answers to a poll.
#[derive(Debug)]
#[must_use]
pub enum Step<T> {
    /// The operation needs something of its driver.
    Need(Need),
    /// The operation has ended.
    Done(T),
}

/// What an operation needs before it is polled again.
#[derive(Debug)]
#[must_use]
pub enum Need {
    /// A fresh connection in place of the one there is, which is closed first. The driver reports the outcome with
    /// [`Link::dialled`] or [`Link::dial_failed`].
    Dial {
        /// Where to.
        at: Endpoint,
        /// When to give up, if the peer lets us wait.
        until: Instant,
    },
    /// Exchange the connection and the one set aside; either may be none.
    Swap,
    /// Put the connection into this slot, where it outlives the call. The link is hung up.
    Keep(Slot),
    /// Send what is pending; wait for bytes if `read`; poll again when anything moved or the time is come.
    Wait {
        /// Whether bytes are wanted. Where they are not, they stay in the kernel, and the peer is held up.
        read: bool,
        /// When to poll again at the latest. An operation that took the [waker](Link::waker) may name no time.
        until: Option<Instant>,
    },
}

impl Need {
    /// The same, and a poll at this time at the latest.
    pub(crate) fn by(self, at: Option<Instant>) -> Self {
        match self {
            Self::Wait { read, until } => Self::Wait {
                read,
                until: until.into_iter().chain(at).min(),
            },
            need => need,
        }
    }
}

impl<T> From<Need> for Step<T> {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

/// The time `limit` after `now`, whatever the limit.
pub(crate) fn after(now: Instant, limit: Duration) -> Instant {
    now.checked_add(limit.min(crate::limits::LONGEST)).unwrap_or(now)
}

/// Takes the value of a finished sub-machine, or hands on what it needs.
macro_rules! ready {
    ($step:expr) => {
        match $step? {
            $crate::op::Step::Done(value) => value,
            $crate::op::Step::Need(need) => return Ok($crate::op::Step::Need(need)),
        }
    };
}
pub(crate) use ready;

/// A connection that outlives the call which opened it. Dropping it closes it: at best without the runtime, which may
/// end before it.
pub trait Kept: Send {
    /// Whether the peer has closed it. Must not block.
    fn is_closed(&self) -> bool;
}

/// A place for a connection that outlives the call which opened it. Dropping the last handle closes the connection.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Box<dyn Kept>>>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a connection in; the one before is closed.
    pub fn put(&self, connection: Box<dyn Kept>) {
        let before = self.lock().replace(connection);
        drop(before);
    }

    /// Whether the peer has closed the connection, or there is none.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().as_ref().is_none_or(|connection| connection.is_closed())
    }

    /// Closes the connection, if there is one.
    pub fn clear(&self) {
        let before = self.lock().take();
        drop(before);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("filled", &self.lock().is_some()).finish()
    }
}
