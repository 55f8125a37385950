//! Ends a container: politely, or at once. Either way it is gone afterwards.

use std::time::{Duration, Instant};

use super::remove::Remove;
use super::unpaused::Unpaused;
use super::{Op, Slot, Step};
use crate::engine_api::{Target, container};
use crate::error::Error;
use crate::link::Link;

/// Ends a container: politely, or at once. Either way it is gone afterwards.
#[derive(Debug)]
pub struct Shutdown {
    stop: Option<Unpaused>,
    remove: Remove,
    /// What is done where the stop fails.
    force: Option<Remove>,
    leash: Slot,
}

/// How a container is ended, whichever it is by then.
#[derive(Debug)]
pub(crate) struct Parting {
    pub(crate) target: Target,
    /// Its main process is one of ours.
    pub(crate) own_main: bool,
    pub(crate) grace: Duration,
    pub(crate) leash: Slot,
}

impl Parting {
    pub(crate) fn shutdown(&self, id: &str) -> Result<Shutdown, Error> {
        // The main process of ours has nothing to save, and may have been started so lately that it cannot be told yet.
        if self.own_main {
            Ok(Shutdown::forced(&self.target, id))
        } else {
            Shutdown::polite(&self.target, id, self.grace, &self.leash)
        }
    }
}

impl Shutdown {
    /// Tells the main process to end, and kills it after `grace`. Its input ends as well: a signal that comes before it
    /// listens is lost, and the end of the input never is.
    pub(crate) fn polite(target: &Target, id: &str, grace: Duration, leash: &Slot) -> Result<Self, Error> {
        let request = container::stop(id, grace)?;
        let limit = target.answer_limit().saturating_add(grace);
        let stop = Unpaused::new("stop container", target, id, request).within(limit);
        Ok(Self {
            stop: Some(stop),
            remove: Remove::look(target, id),
            force: Some(Remove::new(target, id)),
            leash: leash.clone(),
        })
    }

    /// Kills it.
    pub(crate) fn forced(target: &Target, id: &str) -> Self {
        Self {
            stop: None,
            remove: Remove::new(target, id),
            force: None,
            leash: Slot::default(),
        }
    }
}

impl Op for Shutdown {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        if let Some(stop) = &mut self.stop {
            // Whatever it answers, the removal finds out what is so.
            let step = stop.poll(now, link);
            if stop.is_sent() && !link.has_pending() {
                self.leash.clear();
            }
            match step {
                Ok(Step::Need(need)) => return Ok(need.into()),
                Ok(Step::Done(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "a container that could not be stopped is removed by force");
                    link.hang_up();
                    if let Some(force) = self.force.take() {
                        self.remove = force;
                    }
                }
            }
            self.stop = None;
        }
        self.remove.poll(now, link)
    }

    fn abandon(&mut self) -> bool {
        if let Some(force) = &mut self.force {
            force.abandon();
        }
        self.remove.abandon()
    }
}
