//! What makes and removes the containers of a pool, beside all calls.

use std::sync::Arc;
use std::time::Instant;

use super::{Shared, dropped};
use crate::api::{Container, Creating};
use crate::error::Error;
use crate::link::Link;
use crate::op::live::Quieted;
use crate::op::{Need, Op, Remove, Step};
use crate::runtime::Runtime;

/// Makes one for the pool.
#[derive(Debug)]
pub(super) struct Making<R: Runtime> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) creating: Creating<R>,
    pub(super) seat: Option<u64>,
    /// The pool was dropped.
    pub(super) abandoned: bool,
    pub(super) over: bool,
}

impl<R: Runtime> Making<R> {
    fn end(&mut self, made: Result<Container<R>, Error>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let (seat, size) = (self.seat, self.shared.size);
        let surplus = self.shared.change(|state| {
            state.leave(seat);
            state.making -= 1;
            match made {
                // One was put back meanwhile.
                Ok(container) if state.ready.len() >= size && !state.closed => {
                    state.removing += 1;
                    return Some(container);
                }
                Ok(container) => state.ready.push_back(container),
                Err(error) => {
                    state.failures += 1;
                    state.failed = Some(error);
                    state.stalled = true;
                }
            }
            None
        });
        match surplus {
            Some(container) => Shared::remove(&self.shared, container),
            None => Shared::refill(&self.shared),
        }
    }
}

impl<R: Runtime> Op for Making<R> {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let mut state = self.shared.lock();
        let closed = state.closed;
        if !closed {
            state.sit(&mut self.seat, link.waker());
        }
        drop(state);
        if closed && !std::mem::replace(&mut self.abandoned, true) && !self.creating.abandon() {
            self.end(Err(dropped()));
            return Ok(Step::Done(()));
        }
        let made = match self.creating.poll(now, link) {
            Ok(Step::Need(need)) => return Ok(need.into()),
            Ok(Step::Done(container)) => Ok(container),
            Err(error) => Err(error),
        };
        self.end(made);
        Ok(Step::Done(()))
    }

    fn abandon(&mut self) -> bool {
        self.creating.abandon()
    }
}

/// One that could not be driven is one that failed.
impl<R: Runtime> Drop for Making<R> {
    fn drop(&mut self) {
        if !self.over {
            let text = "a container of the pool could not be made: nothing drives what goes on beside calls; see what the \
                        log says";
            self.end(Err(Error::misuse(text)));
        }
    }
}

/// Removes one that does not run.
#[derive(Debug)]
pub(super) struct Removing<R: Runtime> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) remove: Quieted<Remove>,
}

impl<R: Runtime> Op for Removing<R> {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        self.remove.poll(now, link)
    }

    fn abandon(&mut self) -> bool {
        true
    }
}

impl<R: Runtime> Drop for Removing<R> {
    fn drop(&mut self) {
        self.shared.change(|state| state.removing -= 1);
    }
}

/// Removes all of a pool that was dropped.
#[derive(Debug)]
pub(super) struct Emptying<R: Runtime> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) current: Option<Quieted<Remove>>,
    pub(super) seat: Option<u64>,
}

impl<R: Runtime> Op for Emptying<R> {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        loop {
            if let Some(remove) = &mut self.current {
                match remove.poll(now, link) {
                    Ok(Step::Need(need)) => return Ok(need.into()),
                    Ok(Step::Done(())) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a container of a pool could not be removed");
                        link.hang_up();
                    }
                }
                self.current = None;
            }
            let mut state = self.shared.lock();
            let Some(container) = state.ready.pop_front() else {
                if state.making + state.removing == 0 {
                    return Ok(Step::Done(()));
                }
                state.sit(&mut self.seat, link.waker());
                return Ok(Need::Wait {
                    read: false,
                    until: None,
                }
                .into());
            };
            drop(state);
            self.current = Some(container.into_removal());
        }
    }

    fn abandon(&mut self) -> bool {
        true
    }
}
