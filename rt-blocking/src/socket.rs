//! What the standard library cannot do with a Unix socket: connect without waiting, and write without SIGPIPE.

use std::io::{ErrorKind, Result};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Kept};

/// How long a peer whose queue is full is left alone.
const PAUSE: Duration = Duration::from_millis(5);

/// Connects, to a non-blocking socket. A peer whose queue is full is tried again until `until`.
pub(crate) fn connect_until(at: &Endpoint, until: Instant) -> std::result::Result<UnixStream, ErrorKind> {
    loop {
        match connect(at) {
            Err(ErrorKind::WouldBlock) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut);
                }
                std::thread::sleep(left.min(PAUSE));
            }
            outcome => return outcome,
        }
    }
}

/// Connects without waiting, to a non-blocking socket.
///
/// # Errors
/// [`ErrorKind::WouldBlock`] if the peer's queue is full; then it is worth another try a few milliseconds later.
#[cfg(target_os = "linux")]
pub fn connect(at: &Endpoint) -> std::result::Result<UnixStream, ErrorKind> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    let address = SocketAddrUnix::new(at.path()).map_err(kind)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(kind)?;
    loop {
        match rustix::net::connect(&socket, &address).map_err(kind) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(ErrorKind::Interrupted) => {}
            Err(kind) => return Err(kind),
        }
    }
}

/// The standard library has no name for too many open files.
#[cfg(target_os = "linux")]
fn kind(error: rustix::io::Errno) -> ErrorKind {
    match error {
        rustix::io::Errno::MFILE | rustix::io::Errno::NFILE => ErrorKind::QuotaExceeded,
        other => other.kind(),
    }
}

/// Connects, to a non-blocking socket. Where the system is not Linux, it refuses at once when the peer's queue is full.
///
/// # Errors
/// What the system said.
#[cfg(not(target_os = "linux"))]
pub fn connect(at: &Endpoint) -> std::result::Result<UnixStream, ErrorKind> {
    let socket = UnixStream::connect(at.path()).map_err(|error| error.kind())?;
    socket.set_nonblocking(true).map_err(|error| error.kind())?;
    Ok(socket)
}

/// Writes what the socket takes. A peer that is gone is an error, and no signal where the system can be told so.
///
/// # Errors
/// [`ErrorKind::WouldBlock`] if it takes nothing now.
pub fn send(socket: impl AsFd, data: &[u8]) -> Result<usize> {
    use rustix::net::SendFlags;

    #[cfg(target_os = "linux")]
    const FLAGS: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
    #[cfg(not(target_os = "linux"))]
    const FLAGS: SendFlags = SendFlags::empty();

    Ok(rustix::net::send(socket, data, FLAGS)?)
}

/// Reads what there is. Zero bytes are the end.
///
/// # Errors
/// [`ErrorKind::WouldBlock`] if there is nothing now.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    Ok(rustix::io::read(socket, buffer)?)
}

/// Closes the sending side.
///
/// # Errors
/// What the system said.
pub fn finish_sending(socket: impl AsFd) -> Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
}

/// What is kept of a connection that outlives its call: the socket itself, which needs no runtime.
#[must_use]
pub fn keep(socket: impl AsFd + Send + 'static) -> Box<dyn Kept> {
    Box::new(Socket(socket))
}

struct Socket<S>(S);

impl<S: AsFd + Send> Kept for Socket<S> {
    fn is_closed(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        // A peer that only ends its sending side ends the connection as well: what is kept is there to be held.
        #[cfg(target_os = "linux")]
        const ENDED: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::RDHUP);
        #[cfg(not(target_os = "linux"))]
        const ENDED: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

        let mut asked = [PollFd::new(&self.0, ENDED)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            match poll(&mut asked, Some(&now)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return asked[0].revents().intersects(ENDED),
                Err(_) => return true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::Shutdown;

    use super::*;

    #[test]
    fn what_is_kept_knows_when_the_peer_has_closed_it() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let kept = keep(ours);
        assert!(!kept.is_closed());
        peer.write_all(b"unread").unwrap();
        assert!(!kept.is_closed(), "what it says is no end");
        drop(peer);
        assert!(kept.is_closed());

        let (ours, peer) = UnixStream::pair().unwrap();
        let kept = keep(ours);
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(kept.is_closed(), cfg!(target_os = "linux"));
    }
}
