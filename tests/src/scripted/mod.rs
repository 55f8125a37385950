//! A runtime without sockets, threads or time: operations are driven against a [`Peer`] in this process.
//!
//! ```text
//!   op ── poll ──► Wait ──► move bytes both ways, cut as the Split says ──► anything moved? poll again
//!                             └─ nothing moved: the clock jumps to whatever comes first, the operation's own time or
//!                                the peer's next event; if there is neither, the call is stuck, which is an error
//! ```
//!
//! Operations that are attended have connections and deadlines of their own, and go on only while something is driven, or
//! time is let pass: each that has a reason is polled once whenever a call has nothing to move. A call is polled only when
//! something moved, its time came, or it was woken, so that a waker that is forgotten is a call that is stuck.
//!
//! A call that waits for an hour ends at once, and a call that never ends is an error after a bounded number of polls.

mod attended;
mod driver;
mod host;
mod peer;
mod request;
mod split;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, Host, Op, Runtime};

use attended::Beside;
pub use host::FakeHost;
pub use peer::{Connection, Peer, Sent};
pub(crate) use request::decoded;
pub use request::{Request, RequestReader};
pub use split::{Cutter, Split};

/// How often one operation may be polled.
pub const MOST_POLLS: u64 = 1_000_000;
/// How much one operation may receive.
pub const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A mutex whose holder panicked has still a value worth reporting.
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scripted runtime. Clones share its clock and its peer.
#[derive(Clone)]
pub struct Scripted(Arc<Shared>);

struct Shared {
    start: Instant,
    clock: Clock,
    host: Arc<dyn Host>,
    world: Mutex<World>,
    peer: Mutex<Box<dyn Peer>>,
    beside: Mutex<Beside>,
}

/// What tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// It jumps to what comes next.
    Fake,
    /// The peer has connections of this world, and is waited for.
    Real,
}

#[derive(Debug)]
struct World {
    elapsed: Duration,
    cutter: Cutter,
    polls: u64,
    received: u64,
    most_received: usize,
    abandon_after: Option<u64>,
    finished: Vec<Option<Error>>,
}

impl Scripted {
    /// A runtime whose connections all lead to this peer.
    pub fn new(peer: impl Peer + 'static, split: Split) -> Self {
        Self::with_host(peer, split, FakeHost::default())
    }

    /// The same on a host that is not the default one.
    pub fn with_host(peer: impl Peer + 'static, split: Split, host: impl Host) -> Self {
        Self::build(Clock::Fake, peer, split, host)
    }

    /// The same in real time, for a peer whose connections lead out of this process. Bytes are not cut.
    pub fn in_real_time(peer: impl Peer + 'static, host: impl Host) -> Self {
        Self::build(Clock::Real, peer, Split::Whole, host)
    }

    fn build(clock: Clock, peer: impl Peer + 'static, split: Split, host: impl Host) -> Self {
        let world = World {
            elapsed: Duration::ZERO,
            cutter: Cutter::new(split),
            polls: 0,
            received: 0,
            most_received: 0,
            abandon_after: None,
            finished: Vec::new(),
        };
        Self(Arc::new(Shared {
            start: Instant::now(),
            clock,
            host: Arc::new(host),
            world: Mutex::new(world),
            peer: Mutex::new(Box::new(peer)),
            beside: Mutex::default(),
        }))
    }

    /// What the clock shows, since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.world().elapsed
    }

    /// The same as a point in time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.start + self.elapsed()
    }

    /// Lets time pass. What is attended goes on meanwhile.
    pub fn pause(&self, time: Duration) {
        attended::pause(self, time);
    }

    /// How many attended operations have not ended.
    #[must_use]
    pub fn attended(&self) -> usize {
        locked(&self.0.beside).len()
    }

    /// How often operations have been polled, all together.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.world().polls
    }

    /// The most memory that received bytes have taken in any link.
    #[must_use]
    pub fn most_received(&self) -> usize {
        self.world().most_received
    }

    /// Abandons the next operation after so many polls, as if its future had been dropped there.
    pub fn abandon_after(&self, polls: u64) {
        self.world().abandon_after = Some(polls);
    }

    /// How the operations ended whose results nobody waited for: those of [`Runtime::finish`], and abandoned ones that
    /// had something left to be undone. Of attended ones, only what must not happen: one that is stuck, or panicked.
    #[must_use]
    pub fn finished(&self) -> Vec<Option<Error>> {
        self.world().finished.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.0.world)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scripted").field(&*self.world()).finish()
    }
}

impl Runtime for Scripted {
    type Returns<O: Op> = Result<O::Output, Error>;

    fn drive<O: Op>(&self, op: O) -> Self::Returns<O> {
        driver::drive(self, op)
    }

    fn finish<O: Op>(&self, op: O) {
        let outcome = driver::drive(self, op).err();
        self.world().finished.push(outcome);
    }

    fn attend<O: Op>(&self, op: O) {
        attended::attend(self, op);
    }

    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        attended::offload(self, job);
    }

    fn host(&self) -> Arc<dyn Host> {
        self.0.host.clone()
    }
}
