//! A peer whose connections break, or fall silent, after so many bytes.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_dock_core::Endpoint;

use crate::scripted::{Connection, Peer, Sent, locked};

/// What happens at the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed. Later ones work.
    Eof,
    /// The connection is reset. Later ones work.
    Reset,
    /// The connection is closed, and nothing listens any more.
    Death,
    /// The connection and all later ones say nothing more.
    Silence,
}

/// A peer with a fault: it happens once, when all connections together have given so many bytes.
#[derive(Debug, Clone)]
pub struct Faulty<P> {
    peer: P,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    fault: Fault,
    left: usize,
    /// The fault has happened.
    happened: bool,
}

impl<P: Peer> Faulty<P> {
    /// `fault` happens after `bytes` bytes.
    pub fn new(peer: P, fault: Fault, bytes: usize) -> Self {
        Self {
            peer,
            state: Arc::new(Mutex::new(State {
                fault,
                left: bytes,
                happened: false,
            })),
        }
    }
}

impl<P> Faulty<P> {
    /// Whether the fault has happened.
    #[must_use]
    pub fn has_happened(&self) -> bool {
        locked(&self.state).happened
    }
}

impl<P: Peer> Peer for Faulty<P> {
    fn connect(&mut self, at: &Endpoint, now: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        if locked(&self.state).happened && locked(&self.state).fault == Fault::Death {
            return Err(ErrorKind::ConnectionRefused);
        }
        let inner = self.peer.connect(at, now)?;
        Ok(Box::new(Breaking {
            inner,
            state: Arc::clone(&self.state),
            broken: false,
        }))
    }

    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        self.peer.next_event(now)
    }
}

struct Breaking {
    inner: Box<dyn Connection>,
    state: Arc<Mutex<State>>,
    /// The fault has happened on this connection.
    broken: bool,
}

impl Connection for Breaking {
    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.broken && locked(&self.state).fault != Fault::Silence {
            return Err(ErrorKind::BrokenPipe);
        }
        self.inner.receive(now, bytes)
    }

    fn finish(&mut self, now: Duration) {
        self.inner.finish(now);
    }

    fn send(&mut self, now: Duration, limit: usize) -> Sent {
        let mut state = locked(&self.state);
        if state.happened && state.fault == Fault::Silence {
            return Sent::Nothing;
        }
        if !state.happened && state.left == 0 {
            state.happened = true;
            self.broken = true;
        }
        if self.broken {
            return match state.fault {
                Fault::Eof | Fault::Death => Sent::Eof,
                Fault::Reset => Sent::Broken(ErrorKind::ConnectionReset),
                Fault::Silence => Sent::Nothing,
            };
        }
        let limit = if state.happened { limit } else { limit.min(state.left) };
        let sent = self.inner.send(now, limit);
        if let (Sent::Bytes(bytes), false) = (&sent, state.happened) {
            state.left -= bytes.len();
        }
        sent
    }
}
