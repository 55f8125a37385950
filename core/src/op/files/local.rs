//! Jobs with local files, which may block, as an operation that never does sees them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::files::{LocalError, LocalKind};

/// Has something done on a thread that may block.
pub(crate) type Job<T> = Box<dyn FnOnce(T) + Send>;

/// A local path, and whom to tell what it is.
pub(crate) type Looked = (PathBuf, Sender<LocalKind>);
/// Looks what a local path is.
pub(crate) type Look = Job<Looked>;

/// What a job will have to say.
#[derive(Debug)]
pub(crate) struct Report<T>(Shared<T>);

/// With which a job says it.
#[derive(Debug)]
pub(crate) struct Sender<T>(Shared<T>);

type Shared<T> = Arc<Mutex<State<T>>>;

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Said(Result<T, LocalError>),
    Taken,
}

/// For one job.
pub(crate) fn report<T>() -> (Sender<T>, Report<T>) {
    let state = Arc::new(Mutex::new(State::Waiting(None)));
    (Sender(Arc::clone(&state)), Report(state))
}

fn say<T>(shared: &Shared<T>, said: Result<T, LocalError>) {
    let before = {
        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Waiting(_)) {
            return;
        }
        std::mem::replace(&mut *state, State::Said(said))
    };
    if let State::Waiting(Some(waker)) = before {
        waker.wake();
    }
}

impl<T> Sender<T> {
    pub(crate) fn send(self, said: Result<T, LocalError>) {
        say(&self.0, said);
    }
}

impl<T> Drop for Sender<T> {
    /// A job that panics, or that nobody does, leaves nobody waiting.
    fn drop(&mut self) {
        say(&self.0, Err(LocalError::Stopped));
    }
}

impl<T> Report<T> {
    /// What was said, once; pending until then.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<T, LocalError>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Waiting(waiting) => {
                *waiting = Some(waker.clone());
                Poll::Pending
            }
            said @ State::Said(_) => match std::mem::replace(said, State::Taken) {
                State::Said(said) => Poll::Ready(said),
                _ => Poll::Ready(Err(LocalError::Stopped)),
            },
            State::Taken => Poll::Ready(Err(LocalError::Stopped)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_says_nothing_has_stopped() {
        let (sender, report) = report::<u8>();
        assert_eq!(report.poll(Waker::noop()), Poll::Pending);
        drop(sender);
        assert_eq!(report.poll(Waker::noop()), Poll::Ready(Err(LocalError::Stopped)));
    }

    #[test]
    fn what_a_job_says_first_counts() {
        let (sender, report) = report();
        sender.send(Ok(7));
        assert_eq!(report.poll(Waker::noop()), Poll::Ready(Ok(7)));
    }
}
