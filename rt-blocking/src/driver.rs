//! Drives an operation on the calling thread: a non-blocking socket and `poll(2)`, both directions at once.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Error, Link, Need, Op, Step};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

/// Bytes read at a time. The link copies them once; reading into its spare room would need `unsafe`, or zeroing.
const READ_BYTES: usize = 64 * 1024;
/// Writes before the operation is asked again.
const WRITES: usize = 16;
/// Between two attempts to connect to an engine whose queue is full.
const CONNECT_PAUSE: Duration = Duration::from_millis(5);

/// Drives `op` to its end.
///
/// # Errors
/// Those of the operation.
pub fn drive<O: Op>(mut op: O) -> Result<O::Output, Error> {
    let mut driver = Driver {
        link: Link::default(),
        socket: None,
        aside: None,
        scratch: Vec::new(),
    };
    loop {
        let step = op.poll(Instant::now(), &mut driver.link)?;
        if !driver.link.is_open() {
            driver.socket = None;
        }
        match step {
            Step::Done(value) => return Ok(value),
            Step::Need(Need::Dial { at, until }) => driver.dial(&at, until),
            Step::Need(Need::Swap) => {
                driver.link.swap();
                std::mem::swap(&mut driver.socket, &mut driver.aside);
            }
            Step::Need(Need::Keep(slot)) => {
                if let Some(socket) = driver.socket.take() {
                    slot.put(socket);
                }
                driver.link.hang_up();
            }
            Step::Need(Need::Wait { read, until }) => driver.turn(read, until),
        }
    }
}

struct Driver {
    link: Link,
    socket: Option<UnixStream>,
    aside: Option<UnixStream>,
    scratch: Vec<u8>,
}

impl Driver {
    fn dial(&mut self, at: &Endpoint, until: Instant) {
        self.socket = None;
        match connect(at, until) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.link.dialled();
            }
            Err(why) => self.link.dial_failed(why),
        }
    }

    /// Moves what can be moved; waits if that is nothing.
    fn turn(&mut self, read: bool, until: Option<Instant>) {
        let sent = self.send();
        let received = read && !self.link.is_eof() && self.receive();
        if sent || received {
            return;
        }
        let mut flags = PollFlags::empty();
        if read && !self.link.is_eof() {
            flags |= PollFlags::IN;
        }
        if self.link.has_pending() {
            flags |= PollFlags::OUT;
        }
        let timeout = until.map(|until| span(until.saturating_duration_since(Instant::now())));
        let waited = match &self.socket {
            Some(socket) if !flags.is_empty() => poll(&mut [PollFd::new(socket, flags)], timeout.as_ref()),
            _ => poll(&mut [], timeout.as_ref()),
        };
        match waited {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => self.link.end_received(Some(error.kind())),
        }
    }

    fn send(&mut self) -> bool {
        let Some(socket) = &self.socket else { return false };
        let mut moved = false;
        for _ in 0..WRITES {
            if !self.link.has_pending() {
                break;
            }
            match rustix::net::send(socket, self.link.outgoing(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
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
            if let Err(error) = socket.shutdown(Shutdown::Write) {
                self.link.end_sending(error.kind());
            }
            moved = true;
        }
        moved
    }

    fn receive(&mut self) -> bool {
        let Some(socket) = &mut self.socket else {
            self.link.end_received(Some(ErrorKind::NotConnected));
            return true;
        };
        self.scratch.resize(READ_BYTES, 0);
        match socket.read(&mut self.scratch) {
            Ok(0) => self.link.end_received(None),
            Ok(count) => self.link.space().extend_from_slice(&self.scratch[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => return false,
                kind => self.link.end_received(Some(kind)),
            },
        }
        true
    }
}

/// Connects without being held up by a full queue for longer than `until`.
fn connect(at: &Endpoint, until: Instant) -> Result<UnixStream, ErrorKind> {
    let address = SocketAddrUnix::new(at.path()).map_err(|error| error.kind())?;
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|error| error.kind())?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock if Instant::now() < until => std::thread::sleep(CONNECT_PAUSE),
                ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut),
                kind => return Err(kind),
            },
        }
    }
}

/// Rounded up to whole milliseconds, so that a deadline has passed when `poll` returns for it; at most a day.
fn span(wait: Duration) -> Timespec {
    let wait = wait.min(Duration::from_secs(86_400));
    let millis = i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(86_400_000);
    Timespec {
        tv_sec: millis / 1000,
        tv_nsec: (millis % 1000) * 1_000_000,
    }
}

#[cfg(test)]
mod tests;
