//! A few threads for jobs, which exist only while there is something to do.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a thread waits for more before it ends. Tests want to see that.
pub(crate) const IDLE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Jobs and the threads that do them.
pub(crate) struct Pool {
    /// The name of its threads.
    name: &'static str,
    /// What its jobs are, for messages.
    what: &'static str,
    /// Threads at most.
    most: usize,
    state: Mutex<State>,
    more: Condvar,
    /// There is nothing to do any more.
    calm: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Jobs that are being done.
    busy: usize,
}

impl State {
    fn is_working(&self) -> bool {
        self.busy > 0 || !self.jobs.is_empty()
    }
}

impl Pool {
    pub(crate) const fn new(name: &'static str, what: &'static str, most: usize) -> Self {
        Self {
            name,
            what,
            most,
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                threads: 0,
                idle: 0,
                busy: 0,
            }),
            more: Condvar::new(),
            calm: Condvar::new(),
        }
    }

    /// Has a job done and returns at once. A panic of the job is reported by `tracing`, and does no other harm.
    pub(crate) fn submit(&'static self, job: Job) {
        self.take(job, false);
    }

    /// The same for a job whose end somebody waits for: if there is no thread at all, it is dropped.
    pub(crate) fn submit_or_drop(&'static self, job: Job) {
        self.take(job, true);
    }

    fn take(&'static self, job: Job, drops: bool) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle || state.threads == self.most {
            self.more.notify_one();
            return;
        }
        let thread = std::thread::Builder::new().name(self.name.to_owned());
        match thread.spawn(|| self.work()) {
            Ok(_) => state.threads += 1,
            // What waits is done by the next thread that can be had.
            Err(error) => {
                let dropped = (drops && state.threads == 0).then(|| state.jobs.pop_back());
                drop(state);
                drop(dropped);
                let what = self.what;
                tracing::warn!(%error, "no thread can be started for {what}; this is tried again later");
            }
        }
    }

    /// Blocks until there is nothing to do, or the limit has passed. Whether there is nothing.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let (state, _) = self
            .calm
            .wait_timeout_while(self.lock(), limit, |state| state.is_working())
            .unwrap_or_else(PoisonError::into_inner);
        !state.is_working()
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.busy += 1;
                drop(state);
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a thread for {} caught a panic", self.what);
                }
                state = self.lock();
                state.busy -= 1;
                if !state.is_working() {
                    self.calm.notify_all();
                }
                continue;
            }
            state.idle += 1;
            let (next, waited) = self
                .more
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn many_jobs_run_on_few_threads_and_a_panic_stops_none() {
        static POOL: Pool = Pool::new("pocket-dock-test", "a test", 8);
        let (done, results) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            POOL.submit(Box::new(move || {
                assert_ne!(number, 50, "this panic is part of the test");
                std::thread::sleep(Duration::from_millis(1));
                done.send(number).unwrap();
            }));
        }
        drop(done);
        assert!(POOL.lock().threads <= 8);
        let mut seen: Vec<i32> = results.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).filter(|number| *number != 50).collect::<Vec<_>>());
        assert!(POOL.wait(Duration::from_secs(60)));
    }

    #[test]
    fn jobs_that_block_hold_up_no_other_pool() {
        static SLOW: Pool = Pool::new("pocket-dock-slow", "a test", 2);
        static OTHER: Pool = Pool::new("pocket-dock-other", "a test", 2);
        let (hold, held) = mpsc::channel::<()>();
        let held = std::sync::Arc::new(Mutex::new(held));
        for _ in 0..4 {
            let held = std::sync::Arc::clone(&held);
            SLOW.submit(Box::new(move || {
                let _ = held.lock().unwrap().recv();
            }));
        }
        let (done, result) = mpsc::channel();
        OTHER.submit(Box::new(move || done.send(7).unwrap()));
        assert_eq!(result.recv_timeout(Duration::from_secs(60)), Ok(7));
        assert!(OTHER.wait(Duration::from_secs(60)) && !SLOW.wait(Duration::ZERO));
        drop(hold);
        assert!(SLOW.wait(Duration::from_secs(60)));
    }
}
