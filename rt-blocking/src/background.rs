//! Ends what nobody waits for, on a few threads of its own.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pocket_dock_core::{Link, Op};

use crate::driver::Driver;

/// Threads at most.
const THREADS: usize = 8;
/// How long a thread waits for more before it ends.
const IDLE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Jobs that are being done.
    busy: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    jobs: VecDeque::new(),
    threads: 0,
    idle: 0,
    busy: 0,
});
static MORE: Condvar = Condvar::new();
/// There is nothing to do any more.
static CALM: Condvar = Condvar::new();

/// Drives an operation to its end without anyone waiting for it, and returns at once. For executors: a future that was
/// dropped and whose operation says that something is [left to be undone](Op::abandon), and a container that was
/// dropped.
///
/// `link`, `socket` and `aside` are the connections of the operation, as far as they exist; a socket may be in blocking
/// mode. At most 8 threads work on all such operations; they end when there is nothing to do. The end of the program
/// does not wait for them, unless it is told to by [`wait_for_cleanup`]: a container that was not removed by then
/// removes itself, since its leash breaks.
///
/// An operation that fails is reported as a warning by `tracing`.
pub fn finish_in_background<O: Op>(op: O, link: Link, socket: Option<UnixStream>, aside: Option<UnixStream>) {
    submit(Box::new(move || {
        for socket in [&socket, &aside].into_iter().flatten() {
            if let Err(error) = socket.set_nonblocking(true) {
                tracing::warn!(%error, "cleaning up failed");
                return;
            }
        }
        if let Err(error) = Driver::new(link, socket, aside).drive(op) {
            tracing::warn!(%error, "cleaning up failed");
        }
    }));
}

/// Blocks until nothing is left of what futures, containers and engines that were dropped have to clean up in the
/// background, or until the limit has passed. Returns whether nothing is left.
///
/// For the end of a program that uses an async runtime, after that runtime: without it the program may end before the
/// background is done. Then containers remove themselves a little later, so it is needed only where they must be gone
/// *before* the program is. Must not be called on a thread that runs an executor. Where calls block, a drop cleans up by
/// itself, and this has nothing to wait for.
pub fn wait_for_cleanup(limit: Duration) -> bool {
    let working = |pool: &mut Pool| pool.busy > 0 || !pool.jobs.is_empty();
    let (mut pool, _) = CALM
        .wait_timeout_while(lock(), limit, working)
        .unwrap_or_else(PoisonError::into_inner);
    !working(&mut pool)
}

fn submit(job: Job) {
    let mut pool = lock();
    pool.jobs.push_back(job);
    if pool.jobs.len() <= pool.idle || pool.threads == THREADS {
        MORE.notify_one();
        return;
    }
    match std::thread::Builder::new().name("pocket-dock".to_owned()).spawn(work) {
        Ok(_) => pool.threads += 1,
        // What waits is done by the next thread that can be had.
        Err(error) => tracing::warn!(%error, "no thread can be started to clean up; this is tried again later"),
    }
}

fn work() {
    let mut pool = lock();
    loop {
        if let Some(job) = pool.jobs.pop_front() {
            pool.busy += 1;
            drop(pool);
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("an operation panicked while it cleaned up");
            }
            pool = lock();
            pool.busy -= 1;
            if pool.busy == 0 && pool.jobs.is_empty() {
                CALM.notify_all();
            }
            continue;
        }
        pool.idle += 1;
        let (next, waited) = MORE.wait_timeout(pool, IDLE).unwrap_or_else(PoisonError::into_inner);
        pool = next;
        pool.idle -= 1;
        if waited.timed_out() && pool.jobs.is_empty() {
            pool.threads -= 1;
            return;
        }
    }
}

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn many_jobs_run_on_few_threads_and_a_panic_stops_none() {
        let (done, results) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            submit(Box::new(move || {
                assert_ne!(number, 50, "this panic is part of the test");
                std::thread::sleep(Duration::from_millis(1));
                done.send(number).unwrap();
            }));
        }
        drop(done);
        assert!(lock().threads <= THREADS);
        let mut seen: Vec<i32> = results.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).filter(|number| *number != 50).collect::<Vec<_>>());
    }
}
