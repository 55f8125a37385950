//! The async runtimes as the suite runs on them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, ExecStream, Op};
use smol::channel::Receiver;

use super::adapter::{Adapter, Both, Call, Item};
use crate::scripted::locked;

/// A runtime whose calls are futures.
pub trait Executor: Adapter {
    /// Polls all these calls on one thread, until each has ended.
    fn wait_for_all<O: Op>(&self, calls: Vec<Call<Self, O>>) -> Vec<Result<O::Output, Error>>;
}

/// tokio.
#[derive(Debug, Clone)]
pub struct Tokio(Arc<tokio::runtime::Runtime>);

/// tokio with several threads: calls are polled on any of them.
#[derive(Debug, Clone)]
pub struct TokioThreads(Arc<tokio::runtime::Runtime>);

/// smol.
#[derive(Debug, Clone)]
pub struct Smol;

/// async-std.
#[derive(Debug, Clone)]
pub struct AsyncStd;

/// The plainest executor there is: one thread that waits for one future.
#[derive(Debug, Clone)]
pub struct BlockOn;

impl Tokio {
    /// A runtime of one thread.
    ///
    /// # Errors
    /// What the system said.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self(Arc::new(runtime)))
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

impl TokioThreads {
    /// A runtime of four threads.
    ///
    /// # Errors
    /// What the system said.
    pub fn new() -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Ok(Self(Arc::new(builder.worker_threads(4).enable_all().build()?)))
    }

    fn run<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> F::Output {
        match self.0.block_on(self.0.spawn(future)) {
            Ok(output) => output,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Smol {
    fn run<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> F::Output {
        smol::block_on(smol::spawn(future))
    }
}

impl AsyncStd {
    fn run<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> F::Output {
        async_std::task::block_on(async_std::task::spawn(future))
    }
}

impl BlockOn {
    fn run<F: Future>(&self, future: F) -> F::Output {
        pollster::block_on(future)
    }
}

macro_rules! executor {
    ($executor:ty, $name:literal, $runtime:expr, $type:ty) => {
        impl Adapter for $executor {
            type Runtime = $type;

            fn name(&self) -> &'static str {
                $name
            }

            fn runtime(&self) -> $type {
                $runtime
            }

            fn wait<O: Op>(&self, call: Call<Self, O>) -> Result<O::Output, Error> {
                self.run(call)
            }

            fn wait_for_polls<O: Op>(&self, call: Call<Self, O>, polls: usize) -> Option<Result<O::Output, Error>> {
                self.run(Limited {
                    call: Some(call),
                    left: polls,
                })
            }

            fn wait_for_time<O: Op>(&self, call: Call<Self, O>, time: Duration) -> Option<Result<O::Output, Error>> {
                let until = Instant::now() + time;
                self.run(Timed {
                    call: Some(call),
                    until,
                    waker: None,
                })
            }

            fn side_by_side<O: Op, P: Op>(
                &self,
                one: impl FnOnce() -> Call<Self, O> + Send,
                held: Receiver<()>,
                other: impl FnOnce() -> Call<Self, P> + Send,
                then: impl FnOnce() + Send + 'static,
            ) -> Both<O, P> {
                // Neither is begun before it is polled.
                let (one, other) = (one(), other());
                let other = async move {
                    // Whether it is held or has ended: the other one's turn has come.
                    let _ = held.recv().await;
                    let outcome = other.await;
                    then();
                    outcome
                };
                self.run(smol::future::zip(one, other))
            }

            fn items(&self, stream: ExecStream<$type>) -> (ExecStream<$type>, Vec<Item>) {
                self.run(Collected(Some(stream), Vec::new()))
            }
        }

        impl Executor for $executor {
            fn wait_for_all<O: Op>(&self, calls: Vec<Call<Self, O>>) -> Vec<Result<O::Output, Error>> {
                let calls = calls.into_iter().map(Joined::Waiting).collect();
                self.run(All(calls))
            }
        }
    };
}

executor!(Tokio, "tokio", pocket_dock_tokio::Tokio, pocket_dock_tokio::Tokio);
executor!(
    TokioThreads,
    "tokio-mt",
    pocket_dock_tokio::Tokio,
    pocket_dock_tokio::Tokio
);
executor!(Smol, "smol", pocket_dock_smol::Smol, pocket_dock_smol::Smol);
executor!(AsyncStd, "async-std", pocket_dock_smol::Smol, pocket_dock_smol::Smol);
executor!(BlockOn, "block-on", pocket_dock_smol::Smol, pocket_dock_smol::Smol);

/// Drops its future after so many polls.
struct Limited<F> {
    call: Option<F>,
    left: usize,
}

impl<F: Future + Unpin> Future for Limited<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { call, left } = &mut *self;
        if let (Some(future), 1..) = (call.as_mut(), *left) {
            if let Poll::Ready(output) = Pin::new(future).poll(cx) {
                return Poll::Ready(Some(output));
            }
            *left -= 1;
            if *left > 0 {
                return Poll::Pending;
            }
        }
        *call = None;
        Poll::Ready(None)
    }
}

/// Drops its future at a moment.
struct Timed<F> {
    call: Option<F>,
    until: Instant,
    /// Whom to wake at that moment: an executor may poll with another waker each time, and hear only the last.
    waker: Option<Arc<Mutex<Waker>>>,
}

impl<F: Future + Unpin> Future for Timed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { call, until, waker } = &mut *self;
        match waker {
            Some(waker) => locked(waker).clone_from(cx.waker()),
            None => {
                let shared = Arc::new(Mutex::new(cx.waker().clone()));
                *waker = Some(Arc::clone(&shared));
                let left = until.saturating_duration_since(Instant::now());
                std::thread::spawn(move || {
                    std::thread::sleep(left);
                    let waker = locked(&shared).clone();
                    waker.wake();
                });
            }
        }
        if let Some(future) = call.as_mut().filter(|_| Instant::now() < *until)
            && let Poll::Ready(output) = Pin::new(future).poll(cx)
        {
            return Poll::Ready(Some(output));
        }
        if Instant::now() >= *until {
            *call = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// All items of a stream.
struct Collected<S>(Option<S>, Vec<Item>);

impl<S: futures_core::Stream<Item = Item> + Unpin> Future for Collected<S> {
    type Output = (S, Vec<Item>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(stream, items) = &mut *self;
        while let Some(next) = stream.as_mut().map(|stream| Pin::new(stream).poll_next(cx)) {
            match std::task::ready!(next) {
                Some(item) => items.push(item),
                None => break,
            }
        }
        let items = std::mem::take(items);
        stream
            .take()
            .map_or(Poll::Pending, |stream| Poll::Ready((stream, items)))
    }
}

/// All of these, polled together: the way that wakes each of them most often without a reason.
struct All<F: Future>(Vec<Joined<F>>);

enum Joined<F: Future> {
    Waiting(F),
    Ended(Option<F::Output>),
}

impl<F: Future + Unpin> Unpin for All<F> {}

impl<F: Future + Unpin> Future for All<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waiting = false;
        for call in &mut self.0 {
            if let Joined::Waiting(future) = call {
                match Pin::new(future).poll(cx) {
                    Poll::Ready(output) => *call = Joined::Ended(Some(output)),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            return Poll::Pending;
        }
        let ended = self.0.drain(..).filter_map(|call| match call {
            Joined::Ended(output) => output,
            Joined::Waiting(_) => None,
        });
        Poll::Ready(ended.collect())
    }
}
