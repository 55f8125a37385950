//! tokio's sockets and timers.

use std::future::Future as _;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pocket_dock_blocking::adapter;
use pocket_dock_core::{Endpoint, Error, Kept, Link, Op, Reactor};
use tokio::io::{AsyncRead as _, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use crate::Tokio;

impl Reactor for Tokio {
    type Socket = UnixStream;
    type Timer = Pin<Box<Sleep>>;

    fn enter(&self) -> Result<(), Error> {
        match Handle::try_current() {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Misuse(format!(
                "a call of pocket-dock-tokio was polled outside of a tokio runtime ({error}): await it inside \
                 `#[tokio::main]` or `Runtime::block_on`, or use pocket-dock-smol, which works on every executor"
            ))),
        }
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std() // a test may have paused it
    }

    fn connect(&self, at: &Endpoint) -> Result<UnixStream, ErrorKind> {
        let socket = adapter::connect(at)?;
        match no_panic(|| UnixStream::from_std(socket)) {
            Some(socket) => socket.map_err(|error| error.kind()),
            None => Err(ErrorKind::Unsupported),
        }
    }

    fn poll_read(
        &self,
        socket: &mut UnixStream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, ErrorKind>> {
        let mut buffer = ReadBuf::new(buffer);
        let outcome = ready!(Pin::new(socket).poll_read(cx, &mut buffer));
        Poll::Ready(outcome.map(|()| buffer.filled().len()).map_err(|error| error.kind()))
    }

    fn poll_write(&self, socket: &mut UnixStream, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, ErrorKind>> {
        loop {
            ready!(socket.poll_write_ready(cx)).map_err(|error| error.kind())?;
            // Not tokio's own, which does not say that it wants no SIGPIPE.
            match socket.try_io(Interest::WRITABLE, || adapter::send(&*socket, data)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map_err(|error| error.kind())),
            }
        }
    }

    fn finish_sending(&self, socket: &mut UnixStream) -> Result<(), ErrorKind> {
        adapter::finish_sending(&*socket).map_err(|error| error.kind())
    }

    fn keep(&self, socket: UnixStream) -> Option<Box<dyn Kept>> {
        socket.into_std().ok().map(adapter::keep)
    }

    fn timer(&self, at: Instant) -> Result<Self::Timer, Error> {
        no_panic(|| Box::pin(tokio::time::sleep_until(at.into()))).ok_or_else(|| {
            Error::Misuse(
                "the tokio runtime has no timers: build it with `Builder::enable_all`, as `#[tokio::main]` does"
                    .to_owned(),
            )
        })
    }

    fn poll_timer(&self, timer: &mut Self::Timer, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match no_panic(|| timer.as_mut().poll(cx)) {
            Some(poll) => poll.map(Ok),
            None => Poll::Ready(Err(Error::Misuse(
                "the tokio runtime on which this call was begun has ended: await it where it was begun".to_owned(),
            ))),
        }
    }

    fn take_over<O: Op>(&self, op: O, link: Link, socket: Option<UnixStream>, aside: Option<UnixStream>) {
        let std = |socket: Option<UnixStream>| socket.map(UnixStream::into_std).and_then(io::Result::ok);
        adapter::finish_in_background(op, link, std(socket), std(aside));
    }
}

/// tokio panics where its runtime lacks something or has ended; there is no way to ask first.
fn no_panic<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

#[cfg(test)]
mod tests;
