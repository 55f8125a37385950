//! The sockets and timers of `async-io`.

use std::future::Future as _;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_io::{Async, Timer};
use pocket_dock_blocking::adapter;
use pocket_dock_core::{Endpoint, Error, Kept, Link, Op, Reactor};

use crate::Smol;

impl Reactor for Smol {
    type Socket = Async<UnixStream>;
    type Timer = Timer;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn connect(&self, at: &Endpoint) -> Result<Self::Socket, ErrorKind> {
        Async::new_nonblocking(adapter::connect(at)?).map_err(|error| error.kind())
    }

    fn poll_read(
        &self,
        socket: &mut Self::Socket,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, ErrorKind>> {
        loop {
            match adapter::receive(&*socket, buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map_err(|error| error.kind())),
            }
            ready!(socket.poll_readable(cx)).map_err(|error| error.kind())?;
        }
    }

    fn poll_write(
        &self,
        socket: &mut Self::Socket,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ErrorKind>> {
        loop {
            match adapter::send(&*socket, data) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map_err(|error| error.kind())),
            }
            ready!(socket.poll_writable(cx)).map_err(|error| error.kind())?;
        }
    }

    fn finish_sending(&self, socket: &mut Self::Socket) -> Result<(), ErrorKind> {
        adapter::finish_sending(&*socket).map_err(|error| error.kind())
    }

    fn keep(&self, socket: Self::Socket) -> Option<Box<dyn Kept>> {
        socket.into_inner().ok().map(adapter::keep)
    }

    fn timer(&self, at: Instant) -> Result<Timer, Error> {
        Ok(Timer::at(at))
    }

    fn poll_timer(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(timer).poll(cx).map(|_| Ok(()))
    }

    fn take_over<O: Op>(&self, op: O, link: Link, socket: Option<Self::Socket>, aside: Option<Self::Socket>) {
        let std = |socket: Option<Self::Socket>| socket.map(Async::into_inner).and_then(io::Result::ok);
        adapter::finish_in_background(op, link, std(socket), std(aside));
    }
}
