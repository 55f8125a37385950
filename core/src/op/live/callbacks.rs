//! What users want to be told, on threads that belong to nobody else.
//!
//! Each container has a queue of what happened, and at most one job that works it off, so its callbacks run in order and
//! one after the other, and those of another container are not held up. While the queue is full, the commands of this
//! container are: nothing is left out.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use crate::error::Error;
use crate::result::ExecSummary;
use crate::stream::Channel;

/// Queued before the commands are held up.
const QUEUED_BYTES: usize = 1024 * 1024;
/// What an entry takes besides its bytes.
const ENTRY_BYTES: usize = 64;

/// Work that may block.
pub(crate) type Job = Box<dyn FnOnce() + Send>;
type Offload = Box<dyn Fn(Job) + Send + Sync>;
type OnOutput = Arc<dyn Fn(&Origin, &[u8]) + Send + Sync>;
type OnExit = Arc<dyn Fn(&Origin, &Result<ExecSummary, Error>) + Send + Sync>;

/// Where what a callback is told comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Origin {
    /// The container's id on the engine: 64 hex digits.
    pub container: String,
    /// The container's name.
    pub name: String,
    /// The id of the stream or process: 32 hex digits.
    pub process: String,
}

enum Told {
    Output(Channel, Bytes),
    Exit(Result<ExecSummary, Error>),
}

#[derive(Default)]
struct Registered {
    stdout: Vec<OnOutput>,
    stderr: Vec<OnOutput>,
    exit: Vec<OnExit>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<(Arc<Origin>, Told)>,
    bytes: usize,
    /// Whether a job works it off.
    working: bool,
    /// Those who are held up.
    waiting: Vec<Waker>,
}

/// The callbacks of one container.
pub(crate) struct Callbacks {
    registered: Mutex<Registered>,
    queue: Mutex<Queue>,
    panics: AtomicU64,
    offload: Offload,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Callbacks {
    pub(crate) fn new(offload: impl Fn(Job) + Send + Sync + 'static) -> Self {
        Self {
            registered: Mutex::default(),
            queue: Mutex::default(),
            panics: AtomicU64::new(0),
            offload: Box::new(offload),
        }
    }

    pub(crate) fn on_output(&self, channel: Channel, call: impl Fn(&Origin, &[u8]) + Send + Sync + 'static) {
        let mut registered = locked(&self.registered);
        match channel {
            Channel::Stdout => registered.stdout.push(Arc::new(call)),
            Channel::Stderr => registered.stderr.push(Arc::new(call)),
        }
    }

    pub(crate) fn on_exit(&self, call: impl Fn(&Origin, &Result<ExecSummary, Error>) + Send + Sync + 'static) {
        locked(&self.registered).exit.push(Arc::new(call));
    }

    /// How many have panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Whether nothing more may be told now; then this is woken when something may.
    pub(crate) fn is_full(&self, waker: &Waker) -> bool {
        let mut queue = locked(&self.queue);
        let full = queue.bytes >= QUEUED_BYTES;
        if full && !queue.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            queue.waiting.push(waker.clone());
        }
        full
    }

    pub(crate) fn output(self: &Arc<Self>, origin: &Arc<Origin>, channel: Channel, data: &Bytes) {
        let wanted = {
            let registered = locked(&self.registered);
            match channel {
                Channel::Stdout => !registered.stdout.is_empty(),
                Channel::Stderr => !registered.stderr.is_empty(),
            }
        };
        if wanted {
            self.tell(origin, Told::Output(channel, data.clone()));
        }
    }

    pub(crate) fn exit(self: &Arc<Self>, origin: &Arc<Origin>, outcome: &Result<ExecSummary, Error>) {
        if !locked(&self.registered).exit.is_empty() {
            self.tell(origin, Told::Exit(outcome.clone()));
        }
    }

    fn tell(self: &Arc<Self>, origin: &Arc<Origin>, told: Told) {
        let begins = {
            let mut queue = locked(&self.queue);
            queue.bytes += size(&told);
            queue.entries.push_back((Arc::clone(origin), told));
            !std::mem::replace(&mut queue.working, true)
        };
        if begins {
            let this = Arc::clone(self);
            (self.offload)(Box::new(move || this.work()));
        }
    }

    fn work(&self) {
        loop {
            let (origin, told) = {
                let mut queue = locked(&self.queue);
                let Some(entry) = queue.entries.pop_front() else {
                    queue.working = false;
                    return;
                };
                entry
            };
            match &told {
                Told::Output(channel, data) => {
                    let calls = {
                        let registered = locked(&self.registered);
                        match channel {
                            Channel::Stdout => registered.stdout.clone(),
                            Channel::Stderr => registered.stderr.clone(),
                        }
                    };
                    self.call(&origin, &calls, |call| call(&origin, data));
                }
                Told::Exit(outcome) => {
                    let calls = locked(&self.registered).exit.clone();
                    self.call(&origin, &calls, |call| call(&origin, outcome));
                }
            }
            let woken = {
                let mut queue = locked(&self.queue);
                queue.bytes -= size(&told);
                if queue.bytes <= QUEUED_BYTES / 2 {
                    std::mem::take(&mut queue.waiting)
                } else {
                    Vec::new()
                }
            };
            woken.into_iter().for_each(Waker::wake);
        }
    }

    fn call<F>(&self, origin: &Origin, calls: &[F], call: impl Fn(&F)) {
        for one in calls {
            if catch_unwind(AssertUnwindSafe(|| call(one))).is_err() {
                self.panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(container = %origin.name, process = %origin.process, "a callback panicked");
            }
        }
    }
}

fn size(told: &Told) -> usize {
    match told {
        Told::Output(_, data) => data.len() + ENTRY_BYTES,
        Told::Exit(_) => ENTRY_BYTES,
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = locked(&self.registered);
        f.debug_struct("Callbacks")
            .field("stdout", &registered.stdout.len())
            .field("stderr", &registered.stderr.len())
            .field("exit", &registered.exit.len())
            .field("panics", &self.panics())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
