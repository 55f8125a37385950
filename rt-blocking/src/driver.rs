//! Drives an operation on the calling thread: a non-blocking socket and `poll(2)`, both directions at once.
//!
//! A round writes what it can, reads once, and goes back to the operation, so that neither side's bytes pile up here and
//! neither direction ever waits for the other. Only when nothing moved does the thread sleep, for exactly what is wanted.
//! An operation that took its [waker](Link::waker) is woken by a [bell](crate::bell) in the same `poll(2)`; for others there
//! is none in it.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Error, Link, Need, Op, SocketError, Step};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bell::Lent;
use crate::socket;

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Writes before the operation is asked again.
const WRITES: usize = 16;
/// The longest sleep. An operation that is polled without a reason is not harmed.
const SLEEP: Duration = Duration::from_secs(86_400);

/// Drives an operation on the calling thread, to its end.
///
/// # Errors
/// Those of the operation.
pub fn drive<O: Op>(op: O) -> Result<O::Output, Error> {
    Driver::new(Link::default(), None, None).drive(op)
}

/// The connections of one operation.
#[derive(Debug)]
pub(crate) struct Driver {
    link: Link,
    socket: Option<UnixStream>,
    aside: Option<UnixStream>,
    ear: Lent,
    /// Whether a read may find something; otherwise the system is asked first.
    readable: bool,
    /// Bytes on their way into the link. Without `unsafe`, nothing can be read straight into its spare room, and to zero
    /// that room for every read costs more than to copy what did arrive, which is in the cache.
    scratch: Vec<u8>,
}

impl Driver {
    /// A driver that goes on with these connections, such as they are.
    pub(crate) fn new(link: Link, socket: Option<UnixStream>, aside: Option<UnixStream>) -> Self {
        Self {
            link,
            socket,
            aside,
            ear: Lent::take(),
            readable: true,
            scratch: Vec::new(),
        }
    }

    pub(crate) fn drive<O: Op>(&mut self, mut op: O) -> Result<O::Output, Error> {
        loop {
            self.ear.clear();
            self.link.lend(self.ear.waker());
            let step = op.poll(Instant::now(), &mut self.link)?;
            if !self.link.is_open() {
                self.socket = None;
            }
            match step {
                Step::Done(value) => return Ok(value),
                Step::Need(Need::Dial { at, until }) => self.dial(&at, until),
                Step::Need(Need::Swap) => {
                    self.link.swap();
                    std::mem::swap(&mut self.socket, &mut self.aside);
                    self.readable = true;
                }
                Step::Need(Need::Keep(slot)) => {
                    if let Some(socket) = self.socket.take() {
                        slot.put(socket::keep(socket));
                    }
                    self.link.hang_up();
                }
                Step::Need(Need::Wait { read, until }) => self.turn(read, until)?,
            }
        }
    }

    fn dial(&mut self, at: &Endpoint, until: Instant) {
        self.socket = None;
        match socket::connect_until(at, until) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.readable = false; // nobody speaks before the request
                self.link.dialled();
            }
            Err(why) => self.link.dial_failed(why),
        }
    }

    /// Moves what can be moved; waits if that is nothing.
    fn turn(&mut self, read: bool, until: Option<Instant>) -> Result<(), Error> {
        let sent = self.send();
        let received = read && self.receive();
        if sent || received {
            return Ok(());
        }
        let mut wanted = PollFlags::empty();
        if read && !self.link.is_eof() {
            wanted |= PollFlags::IN;
        }
        if self.link.has_pending() {
            wanted |= PollFlags::OUT;
        }
        if wanted.is_empty() && until.is_none() && !self.link.is_watched() {
            // Nothing could ever end this wait.
            let why = self.link.failure().unwrap_or(ErrorKind::UnexpectedEof);
            let what = "wait for the engine";
            return Err(SocketError::Broken { what, why }.into());
        }
        self.sleep(wanted, until);
        if read {
            self.receive();
        }
        Ok(())
    }

    fn sleep(&mut self, wanted: PollFlags, until: Option<Instant>) {
        let limit = until.map(|until| until.saturating_duration_since(Instant::now()));
        // A socket of which nothing is wanted stays out: its end would wake us again and again.
        let socket = self.socket.as_ref().filter(|_| !wanted.is_empty());
        let waited = if self.link.is_watched() {
            let mut fds: Vec<_> = socket.map(|socket| PollFd::new(socket, wanted)).into_iter().collect();
            self.ear.poll(&mut fds, limit).map(|()| found(&fds))
        } else if let Some(socket) = socket {
            let mut one = [PollFd::new(socket, wanted)];
            poll(&mut one, limit.map(span).as_ref()).map(|_| found(&one))
        } else {
            poll(&mut [], limit.map(span).as_ref()).map(|_| PollFlags::empty())
        };
        match waited {
            // An end or a failure is learnt by reading.
            Ok(found) => self.readable |= !found.difference(PollFlags::OUT).is_empty(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => self.link.end_received(Some(error.kind())),
        }
    }

    /// Whether anything was sent, or it turned out that nothing can be.
    fn send(&mut self) -> bool {
        let Some(socket) = &self.socket else {
            let lost = self.link.has_pending();
            if lost {
                self.link.end_sending(ErrorKind::NotConnected);
            }
            return lost;
        };
        let mut moved = false;
        for _ in 0..WRITES {
            if !self.link.has_pending() {
                break;
            }
            match socket::send(socket, self.link.outgoing()) {
                Ok(count) => {
                    self.link.sent(count);
                    moved = true;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::Interrupted => {}
                    kind => {
                        self.link.end_sending(kind);
                        return true;
                    }
                },
            }
        }
        if self.link.take_finish() {
            if let Err(error) = socket::finish_sending(socket) {
                self.link.end_sending(error.kind());
            }
            moved = true;
        }
        moved
    }

    /// Whether anything was received, an end included.
    fn receive(&mut self) -> bool {
        if self.link.is_eof() {
            return false;
        }
        let Some(socket) = &self.socket else {
            self.link.end_received(Some(ErrorKind::NotConnected));
            return true;
        };
        if !self.readable {
            return false;
        }
        self.scratch.resize(READ_BYTES, 0);
        let space = self.link.space();
        let room = (space.capacity() - space.len()).clamp(1, READ_BYTES);
        match socket::receive(socket, &mut self.scratch[..room]) {
            Ok(0) => self.link.end_received(None),
            Ok(count) => {
                space.extend_from_slice(&self.scratch[..count]);
                self.readable = count == room; // a read that was not filled has emptied the socket
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.readable = false;
                    return false;
                }
                ErrorKind::Interrupted => return false,
                kind => self.link.end_received(Some(kind)),
            },
        }
        true
    }
}

/// What there is to be done with the one socket, if there is one.
fn found(fds: &[PollFd<'_>]) -> PollFlags {
    fds.first().map_or(PollFlags::empty(), PollFd::revents)
}

/// Rounded up to whole milliseconds, so that a deadline has passed when `poll` returns for it.
pub(crate) fn span(wait: Duration) -> Timespec {
    let wait = wait.min(SLEEP);
    let millis = i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(86_400_000);
    Timespec {
        tv_sec: millis / 1000,
        tv_nsec: (millis % 1000) * 1_000_000,
    }
}

#[cfg(test)]
mod tests;
