//! Waiting for the end of a command that runs beside calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared::{Live, Seat};
use crate::error::Error;
use crate::link::Link;
use crate::op::{Need, Op, Step, after};
use crate::result::ExecSummary;

/// Waits for the end of a stream or a process.
#[derive(Debug)]
pub struct UntilEnd {
    seat: Seat,
    discards: bool,
}

impl UntilEnd {
    pub(crate) fn new(live: &Arc<Live>) -> Self {
        Self {
            seat: live.seat(),
            discards: false,
        }
    }

    /// What was not read by then never will be.
    pub(crate) fn discarding(live: &Arc<Live>) -> Self {
        Self {
            seat: live.seat(),
            discards: true,
        }
    }
}

impl Op for UntilEnd {
    type Output = ExecSummary;

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<ExecSummary>, Error> {
        if std::mem::take(&mut self.discards) {
            self.seat.live().discard();
        }
        match self.seat.outcome(&link.waker()) {
            Some(outcome) => outcome.map(Step::Done),
            None => Ok(quietly(None)),
        }
    }
}

/// Waits for the end of a process for some time.
#[derive(Debug)]
pub struct UntilLimit {
    seat: Seat,
    limit: Duration,
    until: Option<Instant>,
}

impl UntilLimit {
    pub(crate) fn new(live: &Arc<Live>, limit: Duration) -> Self {
        Self {
            seat: live.seat(),
            limit,
            until: None,
        }
    }
}

impl Op for UntilLimit {
    type Output = Option<ExecSummary>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Option<ExecSummary>>, Error> {
        let until = *self.until.get_or_insert_with(|| after(now, self.limit));
        match self.seat.outcome(&link.waker()) {
            Some(outcome) => outcome.map(|summary| Step::Done(Some(summary))),
            None if now >= until => Ok(Step::Done(None)),
            None => Ok(quietly(Some(until))),
        }
    }
}

/// Nothing is expected of the connection; there is none.
pub(super) fn quietly<T>(until: Option<Instant>) -> Step<T> {
    Need::Wait { read: false, until }.into()
}
