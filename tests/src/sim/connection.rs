//! One connection to the simulated engine.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use serde_json::json;

use super::Reply;
use super::answer::chunk;
use super::engine::Engine;
use super::routes::Outcome;
use crate::scripted::{Connection, RequestReader, Sent, locked};

/// What a server of Docker has in its buffer behind a request is lost when the connection becomes a stream.
const LOST_BYTES: usize = 4096;

pub(super) struct Wire {
    engine: Arc<Mutex<Engine>>,
    reader: RequestReader,
    received: BytesMut,
    outgoing: BytesMut,
    mode: Mode,
}

enum Mode {
    Http,
    Later(Duration, Vec<u8>),
    Exec(String),
    Leash(String, u64),
    Wait(String),
    Endless(Vec<u8>),
    Silent,
    Closed,
}

impl Wire {
    pub(super) fn new(engine: Arc<Mutex<Engine>>) -> Self {
        let (received, outgoing) = (BytesMut::new(), BytesMut::new());
        Self {
            engine,
            reader: RequestReader::default(),
            received,
            outgoing,
            mode: Mode::Http,
        }
    }

    /// Answers what was asked, one request at a time.
    fn serve(&mut self) {
        while matches!(self.mode, Mode::Http) {
            let request = match self.reader.next(&mut self.received) {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(_) => {
                    self.outgoing
                        .extend_from_slice(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
                    self.mode = Mode::Closed;
                    return;
                }
            };
            let mut engine = locked(&self.engine);
            let reply = engine.replies.iter().position(|(matcher, _)| matcher.matches(&request));
            let reply = reply.map(|at| engine.replies.remove(at).1);
            engine.requests.push(request.clone());
            let (bytes, mode) = match reply {
                Some(Reply::Open(bytes)) => (bytes, Mode::Http),
                Some(Reply::OpenThen(bytes, time, more)) => {
                    let at = engine.now + time;
                    engine.timers.push(at);
                    (bytes, Mode::Later(at, more))
                }
                Some(Reply::Close(bytes)) => (bytes, Mode::Closed),
                Some(Reply::Endless(bytes, pattern)) => (bytes, Mode::Endless(pattern)),
                Some(Reply::Silence) => (Vec::new(), Mode::Silent),
                Some(Reply::DoneAfter(time)) => {
                    let at = engine.now + time;
                    engine.late.push((at, request));
                    (Vec::new(), Mode::Silent)
                }
                Some(Reply::DoneThenClose(bytes)) => {
                    drop(engine.route(&request));
                    (bytes, Mode::Closed)
                }
                None => match engine.route(&request) {
                    Outcome::Answer(bytes) => (bytes, Mode::Http),
                    Outcome::Later(at, bytes) => (Vec::new(), Mode::Later(at, bytes)),
                    Outcome::Exec(head, id) => (head, Mode::Exec(id)),
                    Outcome::Leash(head, id, number) => (head, Mode::Leash(id, number)),
                    Outcome::Wait(head, id) => (head, Mode::Wait(id)),
                    Outcome::Stuck(head) => (head, Mode::Silent),
                },
            };
            if matches!(mode, Mode::Exec(_)) && engine.writer.is_docker() {
                let lost = self.received.len().min(LOST_BYTES);
                engine.lost_input += lost;
                self.received.advance(lost);
            }
            drop(engine);
            self.outgoing.extend_from_slice(&bytes);
            self.mode = mode;
        }
    }

    /// What has become of what the connection waits for.
    fn fill(&mut self) -> bool {
        let mut engine = locked(&self.engine);
        match &mut self.mode {
            Mode::Later(at, bytes) if *at <= engine.now => {
                self.outgoing.extend_from_slice(bytes);
                self.mode = Mode::Http;
                false
            }
            Mode::Exec(id) => {
                let Some(process) = engine.exec(id).and_then(|exec| exec.process.as_mut()) else {
                    return true;
                };
                let bytes = process.take(usize::MAX);
                self.outgoing.extend_from_slice(&bytes);
                process.closed && process.out.is_empty()
            }
            Mode::Leash(id, _) => {
                // Before the start, it waits.
                engine
                    .container(id)
                    .is_none_or(|container| !matches!(container.status(), "created" | "running" | "paused"))
            }
            Mode::Wait(id) => {
                let code = match engine.container(id) {
                    Some(container) if matches!(container.status(), "created" | "running" | "paused") => return false,
                    Some(container) => container.exit_code(),
                    None => 137,
                };
                self.outgoing
                    .extend(chunk(format!("{}\n", json!({ "StatusCode": code })).as_bytes()));
                self.outgoing.extend(chunk(b""));
                self.mode = Mode::Http;
                false
            }
            Mode::Endless(pattern) => {
                while self.outgoing.len() < 64 * 1024 {
                    self.outgoing.extend_from_slice(pattern);
                }
                false
            }
            Mode::Closed => true,
            Mode::Http | Mode::Later(..) | Mode::Silent => false,
        }
    }
}

impl Connection for Wire {
    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, ErrorKind> {
        locked(&self.engine).advance(now);
        match &self.mode {
            Mode::Closed => Err(ErrorKind::BrokenPipe),
            Mode::Exec(id) => {
                let mut engine = locked(&self.engine);
                let process = engine.exec(id).and_then(|exec| exec.process.as_mut());
                process.map_or(Err(ErrorKind::BrokenPipe), |process| Ok(process.feed(bytes)))
            }
            Mode::Leash(..) | Mode::Silent | Mode::Endless(_) => Ok(bytes.len()),
            Mode::Http | Mode::Later(..) | Mode::Wait(_) => {
                self.received.extend_from_slice(bytes);
                self.serve();
                Ok(bytes.len())
            }
        }
    }

    fn finish(&mut self, now: Duration) {
        let mut engine = locked(&self.engine);
        engine.advance(now);
        match &self.mode {
            Mode::Exec(id) => {
                if let Some(process) = engine.exec(id).and_then(|exec| exec.process.as_mut()) {
                    process.end_stdin();
                }
                engine.advance(now);
            }
            Mode::Leash(id, number) => engine.end_stdin(id, *number),
            _ => {}
        }
    }

    fn send(&mut self, now: Duration, limit: usize) -> Sent {
        locked(&self.engine).advance(now);
        self.serve();
        // A process that writes is held up while nobody reads: its output stays in its pipe.
        let ended = if self.outgoing.is_empty() { self.fill() } else { false };
        if self.outgoing.is_empty() {
            return if ended { Sent::Eof } else { Sent::Nothing };
        }
        let count = limit.min(self.outgoing.len());
        let bytes = self.outgoing[..count].to_vec();
        self.outgoing.advance(count);
        Sent::Bytes(bytes)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut engine = locked(&self.engine);
        match &self.mode {
            Mode::Leash(id, number) => engine.end_stdin(id, *number),
            // The command lives on; its input has ended, and its output goes nowhere.
            Mode::Exec(id) => {
                if let Some(process) = engine.exec(id).and_then(|exec| exec.process.as_mut()) {
                    process.end_stdin();
                }
            }
            _ => {}
        }
    }
}
