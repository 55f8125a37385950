//! Sockets that are tried, and notes of what is to be waited for.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use pocket_dock_core::{Endpoint, Error, Kept, Link, Op, Reactor};
use rustix::event::PollFlags;

use super::lock;
use crate::background::finish_in_background;
use crate::socket;

/// What a task waits for, besides its waker.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Not held: the operation closes its sockets when it will.
    pub(super) sockets: Vec<(Weak<UnixStream>, PollFlags)>,
    pub(super) timer: Option<Instant>,
}

/// A reactor that tries, and notes what to wait for.
#[derive(Debug, Clone)]
pub(super) struct Noted(pub(super) Arc<Mutex<Notes>>);

impl Noted {
    /// Notes what a socket was not ready for.
    fn expect<T>(
        &self,
        socket: &Arc<UnixStream>,
        flags: PollFlags,
        outcome: io::Result<T>,
    ) -> Poll<Result<T, ErrorKind>> {
        match outcome.map_err(|error| error.kind()) {
            Err(ErrorKind::WouldBlock) => {}
            outcome => return Poll::Ready(outcome),
        }
        let mut notes = lock(&self.0);
        let known = notes
            .sockets
            .iter_mut()
            .find(|(noted, _)| std::ptr::eq(noted.as_ptr(), Arc::as_ptr(socket)));
        match known {
            Some((_, noted)) => *noted |= flags,
            None => notes.sockets.push((Arc::downgrade(socket), flags)),
        }
        Poll::Pending
    }

    /// A socket that is no longer ours is not waited for.
    fn forget(&self, socket: &Arc<UnixStream>) {
        let ours = |noted: &Weak<UnixStream>| !std::ptr::eq(noted.as_ptr(), Arc::as_ptr(socket));
        lock(&self.0).sockets.retain(|(noted, _)| ours(noted));
    }
}

impl Reactor for Noted {
    type Socket = Arc<UnixStream>;
    type Timer = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn connect(&self, at: &Endpoint) -> Result<Self::Socket, ErrorKind> {
        socket::connect(at).map(Arc::new)
    }

    fn poll_read(
        &self,
        socket: &mut Self::Socket,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, ErrorKind>> {
        let outcome = socket::receive(&**socket, buffer);
        self.expect(socket, PollFlags::IN, outcome)
    }

    fn poll_write(
        &self,
        socket: &mut Self::Socket,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ErrorKind>> {
        let outcome = socket::send(&**socket, data);
        self.expect(socket, PollFlags::OUT, outcome)
    }

    fn finish_sending(&self, socket: &mut Self::Socket) -> Result<(), ErrorKind> {
        socket::finish_sending(&**socket).map_err(|error| error.kind())
    }

    fn keep(&self, socket: Self::Socket) -> Option<Box<dyn Kept>> {
        self.forget(&socket);
        Some(socket::keep(socket))
    }

    fn timer(&self, at: Instant) -> Result<Instant, Error> {
        Ok(at)
    }

    fn poll_timer(&self, timer: &mut Instant, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if Instant::now() >= *timer {
            return Poll::Ready(Ok(()));
        }
        lock(&self.0).timer = Some(*timer);
        Poll::Pending
    }

    fn take_over<O: Op>(&self, op: O, link: Link, socket: Option<Self::Socket>, aside: Option<Self::Socket>) {
        finish_in_background(
            op,
            link,
            socket.and_then(Arc::into_inner),
            aside.and_then(Arc::into_inner),
        );
    }
}
