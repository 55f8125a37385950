//! An engine that answers each request with the next recorded response.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use pocket_dock_core::Endpoint;

use super::Recording;
use crate::scripted::{Connection, Peer, Request, RequestReader, Sent, locked};

/// Answers requests with recorded responses, in their order, over as many connections as it takes. Once they are used
/// up, it closes the connection instead. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Replay(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Recording>,
    requests: Vec<Request>,
}

impl Replay {
    /// An engine with these answers.
    pub fn new(answers: impl IntoIterator<Item = Recording>) -> Self {
        let answers = answers.into_iter().collect();
        Self(Arc::new(Mutex::new(State {
            answers,
            requests: Vec::new(),
        })))
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.0).requests.clone()
    }

    /// How many answers are left.
    #[must_use]
    pub fn left(&self) -> usize {
        locked(&self.0).answers.len()
    }
}

impl Peer for Replay {
    fn connect(&mut self, _: &Endpoint, _: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        Ok(Box::new(Replayed {
            state: Arc::clone(&self.0),
            reader: RequestReader::default(),
            received: BytesMut::new(),
            outgoing: BytesMut::new(),
            last: false,
        }))
    }
}

struct Replayed {
    state: Arc<Mutex<State>>,
    reader: RequestReader,
    received: BytesMut,
    outgoing: BytesMut,
    /// Nothing follows what is in `outgoing`.
    last: bool,
}

impl Connection for Replayed {
    fn receive(&mut self, _: Duration, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.last {
            return Ok(bytes.len()); // input of a command, or too late
        }
        self.received.extend_from_slice(bytes);
        while let Some(request) = self
            .reader
            .next(&mut self.received)
            .map_err(|_| ErrorKind::InvalidData)?
        {
            let mut state = locked(&self.state);
            state.requests.push(request);
            let Some(answer) = state.answers.pop_front() else {
                self.last = true;
                break;
            };
            self.outgoing.extend_from_slice(&answer.response);
            self.last = !answer.keeps_alive();
        }
        Ok(bytes.len())
    }

    fn finish(&mut self, _: Duration) {}

    fn send(&mut self, _: Duration, limit: usize) -> Sent {
        if self.outgoing.is_empty() {
            return if self.last { Sent::Eof } else { Sent::Nothing };
        }
        let count = limit.min(self.outgoing.len());
        let bytes = self.outgoing[..count].to_vec();
        self.outgoing.advance(count);
        Sent::Bytes(bytes)
    }
}
