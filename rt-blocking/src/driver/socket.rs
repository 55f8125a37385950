//! What the standard library cannot do with a Unix socket: connect without waiting, and write without SIGPIPE.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use pocket_dock_core::Endpoint;

/// Connects, to a non-blocking socket. A peer whose queue is full is tried again until `until`.
#[cfg(target_os = "linux")]
pub(crate) fn connect(at: &Endpoint, until: Instant) -> Result<UnixStream, ErrorKind> {
    use std::time::Duration;

    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    const PAUSE: Duration = Duration::from_millis(5);

    let address = SocketAddrUnix::new(at.path()).map_err(|error| error.kind())?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(|error| error.kind())?;
    loop {
        match rustix::net::connect(&socket, &address).map_err(|error| error.kind()) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(ErrorKind::Interrupted) => {}
            Err(ErrorKind::WouldBlock) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut);
                }
                std::thread::sleep(left.min(PAUSE));
            }
            Err(kind) => return Err(kind),
        }
    }
}

/// Connects, to a non-blocking socket. Where the system is not Linux, a full queue is refused or waited for by it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn connect(at: &Endpoint, _until: Instant) -> Result<UnixStream, ErrorKind> {
    let socket = UnixStream::connect(at.path()).map_err(|error| error.kind())?;
    socket.set_nonblocking(true).map_err(|error| error.kind())?;
    Ok(socket)
}

/// Writes what the socket takes. A peer that is gone is an error, and no signal.
#[cfg(target_os = "linux")]
pub(super) fn send(socket: &UnixStream, data: &[u8]) -> Result<usize, ErrorKind> {
    use rustix::net::SendFlags;
    rustix::net::send(socket, data, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map_err(|error| error.kind())
}

/// Writes what the socket takes.
#[cfg(not(target_os = "linux"))]
pub(super) fn send(mut socket: &UnixStream, data: &[u8]) -> Result<usize, ErrorKind> {
    use std::io::Write as _;
    socket.write(data).map_err(|error| error.kind())
}
