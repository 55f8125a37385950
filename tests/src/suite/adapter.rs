//! The runtimes that the suite runs on.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, ExecStream, Op, Runtime, StreamChunk};
use smol::channel::Receiver;

/// A call of a runtime, begun: its result where calls block, else a future of it.
pub type Call<A, O> = <<A as Adapter>::Runtime as Runtime>::Returns<O>;

/// What a stream gives.
pub type Item = Result<StreamChunk, Error>;

/// How two calls ended.
pub type Both<O, P> = (Result<<O as Op>::Output, Error>, Result<<P as Op>::Output, Error>);

/// A runtime, and a way to wait for its calls on a thread that may block.
pub trait Adapter: Clone + Debug + Send + Sync + 'static {
    /// The runtime.
    type Runtime: Runtime;

    /// Its name in the names of tests and in the table.
    fn name(&self) -> &'static str;

    /// One that calls are made with.
    fn runtime(&self) -> Self::Runtime;

    /// Waits for the end of a call.
    ///
    /// # Errors
    /// Those of the call.
    fn wait<O: Op>(&self, call: Call<Self, O>) -> Result<O::Output, Error>;

    /// Polls a call so many times at most, each time that it was woken, and drops it then. `None`: it had not ended. Where
    /// calls block, each has ended.
    fn wait_for_polls<O: Op>(&self, call: Call<Self, O>, polls: usize) -> Option<Result<O::Output, Error>>;

    /// Polls a call for so long at most, and drops it then. `None`: it had not ended. Where calls block, each has ended.
    fn wait_for_time<O: Op>(&self, call: Call<Self, O>, time: Duration) -> Option<Result<O::Output, Error>>;

    /// Has one call made, another once `held` says so or has no sender any more, and `then` done when that one has ended.
    /// Where calls are futures, one task polls both, so that neither goes on while the other holds its thread up; where
    /// calls block, each has a thread.
    fn side_by_side<O: Op, P: Op>(
        &self,
        one: impl FnOnce() -> Call<Self, O> + Send,
        held: Receiver<()>,
        other: impl FnOnce() -> Call<Self, P> + Send,
        then: impl FnOnce() + Send + 'static,
    ) -> Both<O, P>;

    /// All that is left of a stream, as the language has it: by `Iterator` where calls block, else by
    /// `futures_core::Stream`.
    fn items(&self, stream: ExecStream<Self::Runtime>) -> (ExecStream<Self::Runtime>, Vec<Item>);

    /// What a clock shows.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Lets time pass.
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Whether a recording is made or used, so that payloads are to be small.
    fn is_recorded(&self) -> bool {
        false
    }
}

/// Calls block the thread that makes them.
#[derive(Debug, Clone, Copy)]
pub struct Blocking;

impl Adapter for Blocking {
    type Runtime = pocket_dock_blocking::Blocking;

    fn name(&self) -> &'static str {
        "blocking"
    }

    fn runtime(&self) -> Self::Runtime {
        pocket_dock_blocking::Blocking
    }

    fn wait<O: Op>(&self, call: Result<O::Output, Error>) -> Result<O::Output, Error> {
        call
    }

    fn wait_for_polls<O: Op>(&self, call: Result<O::Output, Error>, _: usize) -> Option<Result<O::Output, Error>> {
        Some(call)
    }

    fn wait_for_time<O: Op>(&self, call: Result<O::Output, Error>, _: Duration) -> Option<Result<O::Output, Error>> {
        Some(call)
    }

    fn side_by_side<O: Op, P: Op>(
        &self,
        one: impl FnOnce() -> Result<O::Output, Error> + Send,
        held: Receiver<()>,
        other: impl FnOnce() -> Result<P::Output, Error> + Send,
        then: impl FnOnce() + Send + 'static,
    ) -> Both<O, P> {
        on_two_threads::<O, P>(one, &held, other, then)
    }

    fn items(&self, mut stream: ExecStream<Self::Runtime>) -> (ExecStream<Self::Runtime>, Vec<Item>) {
        let items = stream.by_ref().collect();
        (stream, items)
    }
}

/// [`Adapter::side_by_side`] where calls block.
pub(crate) fn on_two_threads<O: Op, P: Op>(
    one: impl FnOnce() -> Result<O::Output, Error> + Send,
    held: &Receiver<()>,
    other: impl FnOnce() -> Result<P::Output, Error> + Send,
    then: impl FnOnce(),
) -> Both<O, P> {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        // Whether it is held or has ended: the other one's turn has come.
        let _ = held.recv_blocking();
        let other = other();
        then();
        match one.join() {
            Ok(one) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
