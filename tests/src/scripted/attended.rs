//! Operations beside calls: polled while something is driven, each once in a round, and only with a reason.
//!
//! An operation is taken out of the list while it is polled, so that it may begin, finish and attend others. Jobs that are
//! to be offloaded are done as soon as this thread polls nothing: a job may make calls, of the operation that sent it too.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, Link, Need, Op, Step};

use super::driver::{LOOK, Sockets};
use super::{Clock, MOST_POLLS, Scripted, locked};

/// A waker that is only remembered.
#[derive(Debug, Default)]
pub(super) struct Rung(AtomicBool);

impl Rung {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// What goes on beside calls.
#[derive(Default)]
pub(super) struct Beside {
    waiting: VecDeque<Box<dyn Attended>>,
    /// The threads that are polling one of them.
    polled: Vec<ThreadId>,
    jobs: VecDeque<Job>,
}

impl Beside {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.polled.len()
    }
}

/// What a turn of an operation came to.
enum Turn {
    /// It was not polled: there is nothing new for it.
    Nothing,
    Polled,
    /// It is done, or failed; or what it did that it must not.
    Ended(Option<Error>),
}

trait Attended: Send {
    fn turn(&mut self, runtime: &Scripted) -> Turn;
    /// When it wants to be polled at the latest.
    fn until(&self) -> Option<Instant>;
}

struct One<O> {
    op: O,
    link: Link,
    sockets: Sockets,
    rung: Arc<Rung>,
    waker: Waker,
    state: State,
    polls: u64,
}

enum State {
    /// To be polled.
    Ready,
    /// The peer leaves it waiting for a connection until then.
    Dials(Instant),
    Waits {
        read: bool,
        until: Option<Instant>,
    },
}

impl<O: Op> One<O> {
    /// Whether there is a reason to poll it.
    fn is_due(&mut self, runtime: &Scripted) -> bool {
        match self.state {
            State::Ready => true,
            State::Dials(until) => {
                let due = until <= runtime.now();
                if due {
                    self.link.dial_failed(ErrorKind::TimedOut);
                }
                due
            }
            State::Waits { read, until } => {
                let link = &mut self.link;
                let socket = self.sockets.here.as_mut();
                socket.is_some_and(|socket| runtime.pump(read, link, socket.as_mut()))
                    || until.is_some_and(|until| until <= runtime.now())
                    || self.rung.is_set()
                    || runtime.world().cutter.is_spurious()
            }
        }
    }

    fn give(&mut self, runtime: &Scripted, need: Need) -> Turn {
        self.state = State::Ready;
        match need {
            Need::Dial { at, until } => {
                if !runtime.dial(&at, &mut self.link, &mut self.sockets) {
                    self.state = State::Dials(until);
                }
            }
            Need::Swap => {
                self.link.swap();
                std::mem::swap(&mut self.sockets.here, &mut self.sockets.aside);
            }
            Need::Keep(slot) => {
                if let Some(connection) = self.sockets.here.take() {
                    slot.put(runtime.keep(connection));
                }
                self.link.hang_up();
            }
            Need::Wait { read, until } => {
                let link = &self.link;
                let forever = until.is_none() && !link.has_pending() && (!read || link.is_eof()) && !link.is_watched();
                if forever {
                    return Turn::Ended(misuse("waits for nothing"));
                }
                self.state = State::Waits { read, until };
            }
        }
        Turn::Polled
    }
}

impl<O: Op> Attended for One<O> {
    fn turn(&mut self, runtime: &Scripted) -> Turn {
        if !self.is_due(runtime) {
            return Turn::Nothing;
        }
        self.polls += 1;
        if self.polls > MOST_POLLS {
            return Turn::Ended(misuse("does not end"));
        }
        runtime.tick();
        self.rung.clear();
        self.link.lend(&self.waker);
        let step = self.op.poll(runtime.now(), &mut self.link);
        if !self.link.is_open() {
            self.sockets.here = None;
        }
        match step {
            Ok(Step::Need(need)) => self.give(runtime, need),
            Ok(Step::Done(_)) | Err(_) => Turn::Ended(None),
        }
    }

    fn until(&self) -> Option<Instant> {
        match self.state {
            State::Ready => None,
            State::Dials(until) => Some(until),
            State::Waits { until, .. } => until,
        }
    }
}

fn misuse(what: &str) -> Option<Error> {
    Some(Error::Misuse(format!("an attended operation {what}")))
}

pub(super) fn attend<O: Op>(runtime: &Scripted, op: O) {
    let rung = Arc::new(Rung::default());
    let one = One {
        op,
        link: Link::default(),
        sockets: Sockets::default(),
        waker: Waker::from(Arc::clone(&rung)),
        rung,
        state: State::Ready,
        polls: 0,
    };
    locked(&runtime.0.beside).waiting.push_back(Box::new(one));
}

/// Gives each attended operation one turn. Whether any was polled.
pub(super) fn turn(runtime: &Scripted) -> bool {
    let me = std::thread::current().id();
    let count = locked(&runtime.0.beside).waiting.len();
    let mut moved = false;
    for _ in 0..count {
        let mut beside = locked(&runtime.0.beside);
        let Some(mut one) = beside.waiting.pop_front() else {
            break;
        };
        beside.polled.push(me);
        drop(beside);
        let turn = polling(runtime, || {
            let turn = catch_unwind(AssertUnwindSafe(|| one.turn(runtime)));
            let turn = turn.unwrap_or_else(|_| Turn::Ended(misuse("panicked")));
            let mut beside = locked(&runtime.0.beside);
            if let Some(at) = beside.polled.iter().rposition(|thread| *thread == me) {
                beside.polled.remove(at);
            }
            match turn {
                // What it drops may make calls.
                Turn::Ended(_) => {
                    drop(beside);
                    drop(one);
                }
                Turn::Nothing | Turn::Polled => beside.waiting.push_back(one),
            }
            turn
        });
        moved |= !matches!(turn, Turn::Nothing);
        if let Turn::Ended(Some(error)) = turn {
            runtime.world().finished.push(Some(error));
        }
    }
    moved
}

/// Whether another thread is polling an attended operation just now.
pub(super) fn is_elsewhere(runtime: &Scripted) -> bool {
    let me = std::thread::current().id();
    locked(&runtime.0.beside).polled.iter().any(|thread| *thread != me)
}

/// The first time at which an attended operation wants to be polled.
pub(super) fn until(runtime: &Scripted) -> Option<Instant> {
    let beside = locked(&runtime.0.beside);
    beside.waiting.iter().filter_map(|one| one.until()).min()
}

/// Lets time pass.
pub(super) fn pause(runtime: &Scripted, time: Duration) {
    let end = runtime.now() + time;
    loop {
        let moved = turn(runtime);
        let left = end.saturating_duration_since(runtime.now());
        if left.is_zero() {
            return;
        }
        match runtime.0.clock {
            Clock::Real if runtime.attended() == 0 => {
                std::thread::sleep(left);
                runtime.look(Duration::ZERO);
            }
            Clock::Real => runtime.look(left.min(LOOK)),
            Clock::Fake if moved => {}
            Clock::Fake => {
                let looked = runtime.elapsed();
                let next = (runtime.attended() > 0).then(|| runtime.next(Some(end), looked));
                runtime.jump(next.flatten().unwrap_or(looked + left));
            }
        }
    }
}

thread_local! {
    /// How many operations this thread is polling, one inside the other.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Polls an operation, and then does the jobs that came of it.
pub(super) fn polling<T>(runtime: &Scripted, poll: impl FnOnce() -> T) -> T {
    struct Deeper;
    impl Drop for Deeper {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    DEPTH.set(DEPTH.get() + 1);
    let deeper = Deeper;
    let outcome = poll();
    drop(deeper);
    work(runtime);
    outcome
}

pub(super) fn offload(runtime: &Scripted, job: Job) {
    locked(&runtime.0.beside).jobs.push_back(job);
    work(runtime);
}

/// Does all jobs, unless it is not the time.
fn work(runtime: &Scripted) {
    while DEPTH.get() == 0 {
        let Some(job) = locked(&runtime.0.beside).jobs.pop_front() else {
            return;
        };
        job();
    }
}
