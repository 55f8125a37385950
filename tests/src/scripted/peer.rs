//! What an operation talks to in place of an engine.

use std::io::ErrorKind;
use std::time::Duration;

use pocket_dock_core::Endpoint;

/// Something that takes connections. Times are those of the runtime's own clock, since its beginning.
pub trait Peer: Send {
    /// Takes a connection.
    ///
    /// # Errors
    /// Why not. [`ErrorKind::WouldBlock`]: it leaves the caller waiting.
    fn connect(&mut self, at: &Endpoint, now: Duration) -> Result<Box<dyn Connection>, ErrorKind>;

    /// When something happens by itself next, later than `now`. Asked when neither side can move.
    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        let _ = now;
        None
    }
}

/// The engine's side of one connection. Dropping it means that the other side has closed it.
pub trait Connection: Send {
    /// Takes some of these bytes and says how many; 0: none for now.
    ///
    /// # Errors
    /// Why nothing can be sent here any more.
    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, ErrorKind>;

    /// The other side will send nothing more.
    fn finish(&mut self, now: Duration);

    /// At most `limit` bytes for the other side.
    fn send(&mut self, now: Duration, limit: usize) -> Sent;
}

/// What came from a [`Connection`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Bytes; at least one.
    Bytes(Vec<u8>),
    /// Nothing for now.
    Nothing,
    /// Nothing any more: the peer has closed its side.
    Eof,
    /// Reading failed.
    Broken(ErrorKind),
}
