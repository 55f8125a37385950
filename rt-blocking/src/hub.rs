//! Drives operations beside calls, all of them on one thread.
//!
//! ```text
//!   attend ──► inbox ──┐                       ┌── a descriptor is ready, or a time has come
//!                      ▼                       ▼
//!                   [ ready ] ──► poll each once ──► ended: dropped
//!                      ▲  ▲                    └───► what it wants: descriptors, a time ──► poll(2) over all of them
//!    a waker, bell ────┘  └── it is not done with what it can do now                         and the bell
//! ```
//! Each operation is a [`Driving`] future, with a waker of its own. Only those are polled that have a reason, each of them
//! once a round, and `poll(2)` is asked in every round: one that is always ready holds up none of the others.
//!
//! The thread is started with the first operation, and ends when it has had none for [`IDLE`].

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use pocket_dock_core::{Driving, Error, Op};
use rustix::event::PollFd;

use crate::bell::{Bell, Ear};
use crate::pool::IDLE;

mod noted;
use noted::{Noted, Notes};

/// How long the hub rests when the system refuses to tell what is ready.
const REST: Duration = Duration::from_millis(10);

/// Drives an operation in the background, beside calls, for as long as it takes, and returns at once. For the operation
/// behind a process or an output stream: it gathers output while nobody asks for it.
///
/// One thread drives all such operations, whatever the runtime of the calls: it blocks no executor, and goes on when one
/// has shut down. It exists from the first operation until there has been none for 5 seconds. The end of the program
/// does not wait for it.
///
/// Nothing that it drops may wait on this thread: an adapter's [`finish`](pocket_dock_core::Runtime::finish) that drives on
/// the calling thread would hold up all of them, so it is [in the background](crate::adapter::finish_in_background) there.
///
/// An operation that fails is reported by `tracing`, for debugging only: whoever waits for it learns why by what they
/// share. One that panics is reported as an error, and ends alone; like one for which no thread can be had, it is
/// [abandoned](Op::abandon).
pub fn attend<O: Op>(op: O) {
    let notes = Arc::new(Mutex::new(Notes::default()));
    let driving = Driving::new(Noted(Arc::clone(&notes)), op);
    let future = Box::pin(async move { driving.await.map(drop) });
    let refused = lock(&DOOR).enter(Fresh { future, notes });
    if let Err((fresh, error)) = refused {
        tracing::error!(%error, "no thread can be started to attend to an operation: it is abandoned");
        end(fresh.future);
    }
}

/// Whether this is the thread that drives them all, and must not wait for anything.
pub(crate) fn is_here() -> bool {
    HERE.get()
}

thread_local! {
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Where operations come in.
struct Door {
    inbox: Vec<Fresh>,
    /// Of the thread, if there is one that will look into the inbox.
    bell: Option<Arc<Bell>>,
}

static DOOR: Mutex<Door> = Mutex::new(Door {
    inbox: Vec::new(),
    bell: None,
});

impl Door {
    fn enter(&mut self, fresh: Fresh) -> Result<(), (Fresh, io::Error)> {
        if let Some(bell) = &self.bell {
            self.inbox.push(fresh);
            bell.ring();
            return Ok(());
        }
        let ear = Ear::new();
        let bell = Arc::clone(ear.bell());
        let thread = std::thread::Builder::new().name("pocket-dock-hub".to_owned());
        if let Err(error) = thread.spawn(|| Hub::new(ear).run()) {
            return Err((fresh, error));
        }
        self.inbox.push(fresh);
        self.bell = Some(bell);
        Ok(())
    }

    /// Whether the thread may end: nothing came in meanwhile.
    fn leave(&mut self) -> bool {
        if self.inbox.is_empty() {
            self.bell = None;
        }
        self.bell.is_none()
    }
}

type Attended = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// An operation that has not been polled yet.
struct Fresh {
    future: Attended,
    notes: Arc<Mutex<Notes>>,
}

struct Task {
    future: Attended,
    notes: Arc<Mutex<Notes>>,
    nudge: Arc<Nudge>,
    waker: Waker,
    /// What it waits for, as it noted in its last poll.
    wants: Notes,
}

/// The tasks that are to be polled.
struct Ready {
    keys: Mutex<Vec<u64>>,
    bell: Arc<Bell>,
}

/// The waker of one task.
struct Nudge {
    key: u64,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queue() {
            self.ready.bell.ring();
        }
    }
}

impl Nudge {
    /// Whether it was not among those that are to be polled.
    fn queue(&self) -> bool {
        let fresh = !self.queued.swap(true, Ordering::AcqRel);
        if fresh {
            lock(&self.ready.keys).push(self.key);
        }
        fresh
    }
}

struct Hub {
    ear: Ear,
    ready: Arc<Ready>,
    tasks: BTreeMap<u64, Task>,
    next: u64,
    timers: BTreeSet<(Instant, u64)>,
    /// When there was the last task.
    busy: Instant,
}

impl Hub {
    fn new(ear: Ear) -> Self {
        let bell = Arc::clone(ear.bell());
        Self {
            ear,
            ready: Arc::new(Ready {
                keys: Mutex::default(),
                bell,
            }),
            tasks: BTreeMap::new(),
            next: 0,
            timers: BTreeSet::new(),
            busy: Instant::now(),
        }
    }

    fn run(mut self) {
        HERE.set(true);
        loop {
            self.ear.clear();
            self.let_in();
            let keys = std::mem::take(&mut *lock(&self.ready.keys));
            for key in keys {
                self.turn(key);
            }
            if self.tasks.is_empty() && self.busy.elapsed() >= IDLE {
                let mut door = lock(&DOOR);
                if door.leave() {
                    return;
                }
            }
            self.wait();
        }
    }

    fn let_in(&mut self) {
        let inbox = std::mem::take(&mut lock(&DOOR).inbox);
        for Fresh { future, notes } in inbox {
            let nudge = Arc::new(Nudge {
                key: self.next,
                queued: AtomicBool::new(false),
                ready: Arc::clone(&self.ready),
            });
            nudge.queue();
            let task = Task {
                future,
                notes,
                waker: Waker::from(Arc::clone(&nudge)),
                nudge,
                wants: Notes::default(),
            };
            self.tasks.insert(self.next, task);
            self.next += 1;
        }
    }

    /// Polls a task, unless it has ended since it was woken.
    fn turn(&mut self, key: u64) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
        if let Some(at) = task.wants.timer {
            self.timers.remove(&(at, key));
        }
        *lock(&task.notes) = Notes::default();
        // What wakes it from here on wakes it for the next poll.
        task.nudge.queued.swap(false, Ordering::AcqRel);
        let mut cx = Context::from_waker(&task.waker);
        let outcome = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(&mut cx)));
        match outcome {
            Ok(Poll::Pending) => {
                task.wants = std::mem::take(&mut *lock(&task.notes));
                if let Some(at) = task.wants.timer {
                    self.timers.insert((at, key));
                }
                return;
            }
            Ok(Poll::Ready(Ok(()))) => {}
            Ok(Poll::Ready(Err(error))) => tracing::debug!(%error, "an attended operation failed"),
            Err(_) => tracing::error!("an attended operation panicked"),
        }
        if let Some(task) = self.tasks.remove(&key) {
            end(task.future);
        }
        self.busy = Instant::now();
    }

    /// Waits until something is ready, and queues those that it is ready for.
    fn wait(&self) {
        let first = self.timers.first().map(|(at, _)| *at);
        let until = if self.tasks.is_empty() {
            Some(self.busy + IDLE)
        } else {
            first
        };
        let limit = until.map(|until| until.saturating_duration_since(Instant::now()));
        let held: Vec<_> = self
            .tasks
            .values()
            .flat_map(|task| {
                task.wants
                    .sockets
                    .iter()
                    .map(move |(socket, flags)| (&task.nudge, socket, *flags))
            })
            .filter_map(|(nudge, socket, flags)| Some((nudge, socket.upgrade()?, flags)))
            .collect();
        let mut fds: Vec<_> = held
            .iter()
            .map(|(_, socket, flags)| PollFd::new(socket, *flags))
            .collect();
        let outcome = self.ear.poll(&mut fds, limit);
        let failed = match outcome {
            Ok(()) | Err(rustix::io::Errno::INTR) => false,
            Err(error) => {
                tracing::warn!(%error, "poll failed: all sockets are tried instead");
                std::thread::sleep(REST);
                true
            }
        };
        for ((nudge, ..), fd) in held.iter().zip(&fds) {
            if failed || (outcome.is_ok() && !fd.revents().is_empty()) {
                nudge.queue();
            }
        }
        let now = Instant::now();
        for (_, key) in self.timers.iter().take_while(|(at, _)| *at <= now) {
            if let Some(task) = self.tasks.get(key) {
                task.nudge.queue();
            }
        }
    }
}

/// Drops what has ended or is abandoned; that may run code of the operation's.
fn end(future: Attended) {
    if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
        tracing::error!("an attended operation panicked when it was dropped");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
