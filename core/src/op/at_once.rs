//! Calls that are made at once: each a part that is [attended](crate::Runtime::attend), with a connection of its own,
//! and one operation that waits for what they give.
//!
//! ```text
//!   attended:  Part(op) ──poll──► … ──► its outcome ─┐ wakes
//!                ▲ told that nobody wants it         ▼
//!   driven:      └──(drop)────────────────────── Asked
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::{Op, Step};
use crate::error::Error;
use crate::link::Link;

struct Shared<T> {
    outcome: Option<Result<T, Error>>,
    unwanted: bool,
    asker: Option<Waker>,
    worker: Option<Waker>,
}

/// Who waits for the same thing.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    /// One that would wake the same is not added again.
    pub(crate) fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|held| held.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    pub(crate) fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }

    pub(crate) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

type Both<T> = Arc<Mutex<Shared<T>>>;

fn lock<T>(both: &Both<T>) -> MutexGuard<'_, Shared<T>> {
    both.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of several calls.
pub(crate) struct Part<O: Op> {
    op: O,
    both: Both<O::Output>,
    told: bool,
}

/// What is waited for. Dropping it ends the call.
pub(crate) struct Asked<T>(Both<T>);

/// A call to be attended, and its outcome.
pub(crate) fn part<O: Op>(op: O) -> (Part<O>, Asked<O::Output>) {
    let both = Arc::new(Mutex::new(Shared {
        outcome: None,
        unwanted: false,
        asker: None,
        worker: None,
    }));
    let asked = Asked(Arc::clone(&both));
    let told = false;
    (Part { op, both, told }, asked)
}

impl<T> Asked<T> {
    /// The outcome, once; the waker is woken when there is one.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Result<T, Error>> {
        let mut shared = lock(&self.0);
        if shared.outcome.is_none() {
            shared.asker = Some(waker.clone());
        }
        shared.outcome.take()
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        let worker = {
            let mut shared = lock(&self.0);
            shared.unwanted = true;
            shared.worker.take()
        };
        if let Some(worker) = worker {
            worker.wake();
        }
    }
}

impl<O: Op> Part<O> {
    fn tell(&mut self, outcome: Result<O::Output, Error>) {
        self.told = true;
        let asker = {
            let mut shared = lock(&self.both);
            shared.outcome = Some(outcome);
            shared.asker.take()
        };
        if let Some(asker) = asker {
            asker.wake();
        }
    }
}

impl<O: Op> Op for Part<O> {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        {
            let mut shared = lock(&self.both);
            if shared.unwanted {
                return Ok(Step::Done(()));
            }
            shared.worker = Some(link.waker());
        }
        let outcome = match self.op.poll(now, link) {
            Ok(Step::Need(need)) => return Ok(need.into()),
            Ok(Step::Done(value)) => Ok(value),
            Err(error) => Err(error),
        };
        self.tell(outcome);
        Ok(Step::Done(()))
    }
}

impl<O: Op> Drop for Part<O> {
    /// One that could not be driven is not waited for.
    fn drop(&mut self) {
        if !self.told {
            self.tell(Err(Error::misuse(
                "an operation that goes on beside calls could not be driven",
            )));
        }
    }
}

impl<O: Op> fmt::Debug for Part<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Asked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}
