//! Connections to a real engine, and what is said on them written down.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use pocket_dock_core::Endpoint;

use super::model::{Event, Exchange, Input, Question, Recording, What};
use super::reader::RawReader;
use crate::lab::{self, Oracle};
use crate::scripted::{Connection, Peer, Sent, locked};

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// What has been said so far. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Log {
    start: Instant,
    recording: Arc<Mutex<Recording>>,
    threads: Arc<Mutex<Vec<ThreadId>>>,
}

impl Log {
    pub(super) fn new(recording: Recording) -> Self {
        Self {
            start: Instant::now(),
            recording: Arc::new(Mutex::new(recording)),
            threads: Arc::default(),
        }
    }

    /// All of it, so far.
    pub(super) fn recording(&self) -> Recording {
        locked(&self.recording).clone()
    }

    /// The number of this thread.
    fn thread(&self) -> usize {
        let (me, mut threads) = (std::thread::current().id(), locked(&self.threads));
        let known = threads.iter().position(|thread| *thread == me);
        known.unwrap_or_else(|| {
            threads.push(me);
            threads.len() - 1
        })
    }

    fn event(&self, exchange: Option<usize>, what: What) {
        let now = self.start.elapsed();
        let mut recording = locked(&self.recording);
        let Some(exchange) = exchange.and_then(|number| recording.exchanges.get_mut(number)) else {
            return;
        };
        let after = now.saturating_sub(exchange.at);
        exchange.events.push(Event { after, what });
    }
}

/// Leads connections to an engine, whatever the address.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) log: Log,
    pub(super) engine: lab::Peer,
}

impl Peer for Live {
    fn connect(&mut self, _: &Endpoint, _: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        let connected = UnixStream::connect(self.engine.socket()).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        Ok(Box::new(Wire {
            log: self.log.clone(),
            socket: connected.map_err(|error| error.kind())?,
            reader: RawReader::default(),
            exchange: None,
        }))
    }
}

struct Wire {
    log: Log,
    socket: UnixStream,
    reader: RawReader,
    exchange: Option<usize>,
}

impl Wire {
    fn is_upgraded(&self) -> bool {
        let recording = locked(&self.log.recording);
        self.exchange
            .and_then(|number| recording.exchanges.get(number))
            .is_some_and(Exchange::is_upgraded)
    }

    fn sent(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        if self.is_upgraded() {
            self.log.event(self.exchange, What::Sent(Input::Bytes(bytes.to_vec())));
            return Ok(());
        }
        self.reader.push(bytes);
        while let Some(request) = self.reader.next().map_err(|_| ErrorKind::InvalidData)? {
            let (at, thread) = (self.log.start.elapsed(), self.log.thread());
            let exchanges = &mut locked(&self.log.recording).exchanges;
            self.exchange = Some(exchanges.len());
            exchanges.push(Exchange {
                at,
                request,
                thread,
                ..Exchange::default()
            });
        }
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let now = self.log.start.elapsed();
        let mut recording = locked(&self.log.recording);
        if let Some(exchange) = self.exchange.and_then(|number| recording.exchanges.get_mut(number)) {
            exchange.closed = Some(now.saturating_sub(exchange.at));
        }
    }
}

impl Connection for Wire {
    fn receive(&mut self, _: Duration, bytes: &[u8]) -> Result<usize, ErrorKind> {
        match self.socket.write(bytes) {
            Ok(count) => {
                self.sent(&bytes[..count])?;
                Ok(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(error) => {
                self.log.event(self.exchange, What::Unsendable(error.kind()));
                Err(error.kind())
            }
        }
    }

    fn finish(&mut self, _: Duration) {
        // What went wrong is learnt by reading.
        let _ = self.socket.shutdown(Shutdown::Write);
        self.log.event(self.exchange, What::Finished);
    }

    fn send(&mut self, _: Duration, limit: usize) -> Sent {
        let mut bytes = vec![0; limit.min(READ_BYTES)];
        match self.socket.read(&mut bytes) {
            Ok(0) => {
                self.log.event(self.exchange, What::Ended);
                Sent::Eof
            }
            Ok(count) => {
                bytes.truncate(count);
                self.log.event(self.exchange, What::Came(bytes.clone().into()));
                Sent::Bytes(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Sent::Nothing,
            Err(error) => {
                self.log.event(self.exchange, What::Broken(error.kind()));
                Sent::Broken(error.kind())
            }
        }
    }
}

/// Writes down what the second opinion is asked.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) log: Log,
    pub(super) engine: lab::Peer,
}

impl Oracle for Listening {
    fn request(&self, method: &str, path: &str, body: &[u8]) -> lab::Result<(u16, Vec<u8>)> {
        let at = self.log.start.elapsed();
        let answer = self.engine.request(method, path, body);
        locked(&self.log.recording).questions.push(Question {
            at,
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.to_vec(),
            answer: answer.clone().map_err(|error| error.to_string()),
        });
        answer
    }
}

/// Joins what was sent in pieces without anything coming in between.
pub(super) fn tidy(mut recording: Recording) -> Recording {
    for exchange in &mut recording.exchanges {
        let mut events: Vec<Event> = Vec::new();
        for event in exchange.events.drain(..) {
            match (events.last_mut(), event) {
                (
                    Some(Event {
                        after,
                        what: What::Sent(Input::Bytes(before)),
                    }),
                    Event {
                        after: later,
                        what: What::Sent(Input::Bytes(bytes)),
                    },
                ) => {
                    *after = later;
                    before.extend_from_slice(&bytes);
                }
                (_, event) => events.push(event),
            }
        }
        for event in &mut events {
            if let What::Sent(input @ Input::Bytes(_)) = &mut event.what
                && let Input::Bytes(bytes) = input
            {
                *input = Input::of(std::mem::take(bytes));
            }
        }
        exchange.events = events;
    }
    recording
}
