//! What wakes a thread that sleeps in `poll(2)`: a [`Waker`] that writes to a descriptor in the same `poll(2)`.
//!
//! ```text
//!             clear                 poll: nothing rang               ring: the descriptor is written to
//!   Rung ───────────────► Quiet ──────────────────────► Asleep ─────────────────────────────────────────► Rung
//!     ▲                     │ ring: no system call         │ it woke by itself: clear
//!     └─────────────────────┘                              └────────────────────────────────────────────► Quiet
//! ```
//! A thread clears its bell *before* it polls an operation: what rings from then on is seen by [`Ear::poll`], which does
//! not sleep then. A ring that is late, or meant for a call that has ended, costs a poll without a reason.
//!
//! The descriptor is opened when a thread first sleeps with a bell, and closed when that thread ends, even if wakers are
//! left somewhere.

use std::cell::{OnceCell, RefCell};
use std::ops::Deref;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
#[cfg(not(target_os = "linux"))]
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::driver::span;

/// The longest sleep of a thread that could get no descriptor to be woken by.
const DEAF: Duration = Duration::from_millis(20);

const QUIET: u8 = 0;
const RUNG: u8 = 1;
const ASLEEP: u8 = 2;

/// The side that rings.
#[derive(Debug)]
pub(crate) struct Bell {
    state: AtomicU8,
    line: OnceLock<Weak<Line>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Bell {
    pub(crate) fn ring(&self) {
        let asleep = self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP;
        let line = self.line.get().filter(|_| asleep);
        if let Some(line) = line.and_then(Weak::upgrade) {
            line.pull();
        }
    }

    /// Whether it was the one, and is the other now.
    fn turn(&self, from: u8, to: u8) -> bool {
        let turned = self
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        turned.is_ok()
    }
}

/// The side that listens; one thread's.
#[derive(Debug)]
pub(crate) struct Ear {
    bell: Arc<Bell>,
    waker: Waker,
    line: OnceCell<Option<Arc<Line>>>,
}

impl Ear {
    pub(crate) fn new() -> Self {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(QUIET),
            line: OnceLock::new(),
        });
        Self {
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            line: OnceCell::new(),
        }
    }

    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Forgets what rang until now: whoever waits for it is about to look.
    pub(crate) fn clear(&self) {
        self.bell.state.swap(QUIET, Ordering::AcqRel);
    }

    /// Sleeps until something is found on one of these descriptors, the bell rings or has rung since it was cleared, or
    /// the time is over.
    pub(crate) fn poll<'a>(&'a self, fds: &mut Vec<PollFd<'a>>, limit: Option<Duration>) -> rustix::io::Result<()> {
        let line = self.line.get_or_init(|| self.connect()).as_ref();
        let asleep = self.bell.turn(QUIET, ASLEEP);
        let limit = match (asleep, line) {
            (false, _) => Some(Duration::ZERO),
            (true, Some(_)) => limit,
            (true, None) => Some(limit.map_or(DEAF, |limit| limit.min(DEAF))),
        };
        if let Some(line) = line {
            fds.push(PollFd::new(line.far(), PollFlags::IN));
        }
        let outcome = poll(fds, limit.map(span).as_ref());
        // From here on nobody writes, except one who rang and is late: what that one writes ends a later sleep early.
        let rang = asleep && !self.bell.turn(ASLEEP, QUIET);
        if let Some(line) = line {
            let found = fds.pop().is_some_and(|fd| !fd.revents().is_empty());
            if found || rang {
                line.drain();
            }
        }
        outcome.map(drop)
    }

    fn connect(&self) -> Option<Arc<Line>> {
        match Line::new() {
            Ok(line) => {
                let line = Arc::new(line);
                let _ = self.bell.line.set(Arc::downgrade(&line));
                Some(line)
            }
            Err(error) => {
                tracing::warn!(%error, "no descriptor to wake a thread by: it looks every 20 ms instead");
                None
            }
        }
    }
}

thread_local! {
    /// The ears of this thread that nobody uses. A call that is made inside another one, such as that of a drop, has one
    /// of its own: it must not take what rang for the other.
    static EARS: RefCell<Vec<Rc<Ear>>> = const { RefCell::new(Vec::new()) };
}

/// An ear of this thread, for one call.
#[derive(Debug)]
pub(crate) struct Lent(Rc<Ear>);

impl Lent {
    pub(crate) fn take() -> Self {
        // A thread that is ending has none any more.
        let kept = EARS.try_with(|ears| ears.borrow_mut().pop()).ok().flatten();
        Self(kept.unwrap_or_else(|| Rc::new(Ear::new())))
    }
}

impl Deref for Lent {
    type Target = Ear;

    fn deref(&self) -> &Ear {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let ear = Rc::clone(&self.0);
        let _ = EARS.try_with(|ears| ears.borrow_mut().push(ear));
    }
}

/// A counter of the kernel's that `poll(2)` can wait for.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Line(OwnedFd);

#[cfg(target_os = "linux")]
impl Line {
    fn new() -> rustix::io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};

        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Self)
    }

    fn far(&self) -> &OwnedFd {
        &self.0
    }

    fn pull(&self) {
        // It fails only where it was written to 2^64 times: then it is readable.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn drain(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// Two sockets, since only Linux has such counters.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Line {
    near: UnixStream,
    far: UnixStream,
}

#[cfg(not(target_os = "linux"))]
impl Line {
    fn new() -> std::io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok(Self { near, far })
    }

    fn far(&self) -> &UnixStream {
        &self.far
    }

    fn pull(&self) {
        // It fails only where it is full: then it is readable.
        let _ = rustix::io::write(&self.near, &[1]);
    }

    fn drain(&self) {
        while matches!(rustix::io::read(&self.far, &mut [0; 64]), Ok(64)) {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn sleep(ear: &Ear, limit: Duration) -> Duration {
        let begun = Instant::now();
        ear.poll(&mut Vec::new(), Some(limit)).unwrap();
        begun.elapsed()
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn what_rings_before_the_sleep_ends_it_and_is_forgotten_when_cleared() {
        let ear = Ear::new();
        ear.bell().ring();
        ear.bell().ring();
        assert!(sleep(&ear, LONG) < LONG);
        assert!(sleep(&ear, LONG) < LONG, "not cleared yet");
        ear.clear();
        assert!(sleep(&ear, SHORT) >= SHORT);
    }

    #[test]
    fn a_sleeper_is_woken_each_time() {
        let ear = Ear::new();
        let waker = ear.waker().clone();
        let (rung, go) = std::sync::mpsc::sync_channel(0);
        let ringer = std::thread::spawn(move || {
            while go.recv().is_ok() {
                waker.wake_by_ref();
            }
        });
        for _ in 0..1000 {
            ear.clear();
            rung.send(()).unwrap();
            assert!(sleep(&ear, LONG) < LONG);
        }
        drop(rung);
        ringer.join().unwrap();
        ear.clear();
        // A ring that was late by then would end this one early, and only this one.
        sleep(&ear, SHORT);
        assert!(sleep(&ear, SHORT) >= SHORT);
    }

    #[test]
    fn a_call_inside_another_has_an_ear_of_its_own_and_the_next_one_takes_it_again() {
        std::thread::spawn(|| {
            let outer = Lent::take();
            let bell = Arc::as_ptr(outer.bell());
            outer.bell().ring();
            let inner = Lent::take();
            assert_ne!(Arc::as_ptr(inner.bell()), bell);
            inner.clear();
            drop(inner);
            assert!(sleep(&outer, LONG) < LONG);
            drop(outer);
            assert_eq!(Arc::as_ptr(Lent::take().bell()), bell);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_descriptor_is_closed_with_its_thread_though_a_waker_is_left() {
        let (waker, line) = std::thread::spawn(|| {
            let ear = Lent::take();
            sleep(&ear, Duration::ZERO);
            let line = ear.bell().line.get().cloned().unwrap();
            assert!(line.upgrade().is_some());
            (ear.waker().clone(), line)
        })
        .join()
        .unwrap();
        assert!(line.upgrade().is_none());
        waker.wake();
    }
}
