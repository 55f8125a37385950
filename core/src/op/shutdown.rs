//! Ends a container: politely, or at once. Either way it is gone afterwards.

use std::time::{Duration, Instant};

use super::call::Call;
use super::remove::Remove;
use super::{Op, Step, ready};
use crate::engine_api::{Target, container};
use crate::error::Error;
use crate::link::Link;

/// Ends a container: politely, or at once. Either way it is gone afterwards.
#[derive(Debug)]
pub struct Shutdown {
    stop: Option<Call>,
    remove: Remove,
}

impl Shutdown {
    /// Tells the main process to end, and kills it after `grace`.
    pub(crate) fn polite(target: &Target, id: &str, grace: Duration) -> Result<Self, Error> {
        let request = container::stop(id, grace)?;
        let limit = target.answer_limit().saturating_add(grace);
        let stop = Call::new("stop container", target, &request).within(limit);
        Ok(Self {
            stop: Some(stop),
            remove: Remove::look(target, id),
        })
    }

    /// Kills it.
    pub(crate) fn forced(target: &Target, id: &str) -> Self {
        Self {
            stop: None,
            remove: Remove::new(target, id),
        }
    }
}

impl Op for Shutdown {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        if let Some(stop) = &mut self.stop {
            // Whatever it answers, the removal finds out what is so.
            ready!(stop.poll(now, link));
            self.stop = None;
        }
        self.remove.poll(now, link)
    }

    fn abandon(&mut self) -> bool {
        true
    }
}
