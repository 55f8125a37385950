//! What a container uses, as it changes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driving::{Driving, Reactor};
use crate::engine_api::Target;
use crate::error::Error;
use crate::op::NextStats;
use crate::op::stats::{Flow, StatsPump};
use crate::runtime::Runtime;
use crate::stats::Stats;

/// What a container uses, a sample each second: made by [`Container::stats`](crate::Container::stats).
///
/// Samples are gathered whether or not they are read: the newest 60 wait for a reader, and older ones are left out. It ends
/// with the container, and goes on while that is paused.
///
/// Where calls block it is an [`Iterator`], else a [`futures_core::Stream`], of `Result<Stats, Error>`; as with
/// [`ExecStream`](crate::ExecStream), its own [`next`](Self::next) has the `Result` outside. Dropping it ends the gathering,
/// in the background.
#[derive(Debug)]
pub struct StatsStream<R: Runtime> {
    runtime: R,
    flow: Arc<Flow>,
}

impl<R: Runtime> StatsStream<R> {
    pub(super) fn new(runtime: &R, target: &Target, id: &str, name: &str) -> Self {
        let flow = Arc::new(Flow::default());
        runtime.attend(StatsPump::new(target, id, name, &flow));
        Self {
            runtime: runtime.clone(),
            flow,
        }
    }

    /// Waits for the next sample: a second, as a rule. `None` behind the last, once the container does not run any more.
    ///
    /// A future of it that is dropped before its end has taken nothing.
    ///
    /// # Errors
    /// Once, in place of the end: [`crate::ContainerError`] if the container did not run from the beginning, and those of
    /// the connection.
    #[expect(clippy::should_implement_trait, reason = "where calls block, it is that trait's")]
    pub fn next(&mut self) -> R::Returns<NextStats> {
        self.runtime.drive(NextStats::new(&self.flow))
    }
}

impl<R: Runtime> Drop for StatsStream<R> {
    fn drop(&mut self) {
        self.flow.discard();
    }
}

impl<R> Iterator for StatsStream<R>
where
    R: Runtime<Returns<NextStats> = Result<Option<Stats>, Error>>,
{
    type Item = Result<Stats, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Self::next(self).transpose()
    }
}

impl<R> futures_core::Stream for StatsStream<R>
where
    R: Runtime<Returns<NextStats> = Driving<NextStats, R>> + Reactor,
{
    type Item = Result<Stats, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.flow.next(cx.waker()) {
            Some(item) => Poll::Ready(item.transpose()),
            None => Poll::Pending,
        }
    }
}
