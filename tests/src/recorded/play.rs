//! An engine that says what another one said when it was sent the same.
//!
//! ```text
//!   recorded   request ──► came at 3 ms ──► sent 10 bytes at 5 ms ──► came at 9 ms ──► ended at 12 ms
//!                 │            │                   │                       │
//!   replayed    same ─ 3 ms ─► said              same ──────── 4 ms ──────► said ── 3 ms ──► ended
//! ```
//! What the engine said after it had got so many bytes is said no earlier than that, and so much later as it was then.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use pocket_dock_core::Endpoint;

use super::model::{Exchange, What};
use super::reader::RawReader;
use super::shelf::Shelf;
use crate::lab::{self, Oracle};
use crate::scripted::{Connection, Peer, Sent};

/// An engine that is only a recording.
#[derive(Debug)]
pub(super) struct Playing(pub(super) Shelf);

impl Peer for Playing {
    fn connect(&mut self, _: &Endpoint, _: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        Ok(Box::new(Wire {
            number: self.0.connection(),
            shelf: self.0.clone(),
            reader: RawReader::default(),
            playing: None,
        }))
    }

    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        self.0.next_due(now)
    }
}

impl Oracle for Playing {
    fn request(&self, method: &str, path: &str, body: &[u8]) -> lab::Result<(u16, Vec<u8>)> {
        let answer = self.0.answer(method, path, body);
        answer.map_err(|why| lab::Error::new(why, ""))
    }
}

struct Wire {
    number: usize,
    shelf: Shelf,
    reader: RawReader,
    playing: Option<Track>,
}

/// How far one exchange has come.
struct Track {
    exchange: Arc<Exchange>,
    upgraded: bool,
    /// The next event of the engine's, and how much of it was said.
    theirs: usize,
    said: usize,
    /// The next event of ours, and what was sent of it.
    ours: usize,
    sent: Vec<u8>,
    /// For each event of ours that has happened, when; the first is the request.
    reached: Vec<(usize, Duration)>,
}

impl Track {
    fn new(exchange: Arc<Exchange>, now: Duration) -> Self {
        let mut track = Self {
            upgraded: exchange.is_upgraded(),
            exchange,
            theirs: 0,
            said: 0,
            ours: 0,
            sent: Vec::new(),
            reached: Vec::new(),
        };
        track.theirs = track.next(0, false);
        track.ours = track.next(0, true);
        track.reached.push((0, now));
        track
    }

    /// The first event from this one on that is ours, or that is not.
    fn next(&self, from: usize, ours: bool) -> usize {
        let events = self.exchange.events.iter().skip(from);
        from + events.take_while(|event| event.what.is_ours() != ours).count()
    }

    /// When the engine says something next; `None` if it waits for us, or never does.
    fn due(&self) -> Option<Duration> {
        let events = &self.exchange.events;
        let event = events.get(self.theirs)?;
        if self.ours < self.theirs {
            return None;
        }
        // The last event of ours before it.
        let (behind, at) = self.reached.iter().rfind(|(behind, _)| *behind <= self.theirs)?;
        let then = behind.checked_sub(1).map_or(Duration::ZERO, |ours| events[ours].after);
        Some(*at + event.after.saturating_sub(then))
    }

    /// The event of ours that comes next has happened.
    fn reach(&mut self, now: Duration) {
        self.reached.push((self.ours + 1, now));
        self.ours = self.next(self.ours + 1, true);
    }

    /// Takes what is sent behind an upgrade.
    fn take(&mut self, now: Duration, mut bytes: &[u8]) -> Result<Option<ErrorKind>, String> {
        loop {
            let exchange = Arc::clone(&self.exchange);
            match exchange.events.get(self.ours).map(|event| &event.what) {
                Some(What::Sent(input)) => {
                    let (now_sent, rest) = bytes.split_at(bytes.len().min(input.len() - self.sent.len()));
                    self.sent.extend_from_slice(now_sent);
                    bytes = rest;
                    if self.sent.len() < input.len() {
                        return Ok(None);
                    }
                    if !input.is(&std::mem::take(&mut self.sent)) {
                        return Err("other input is sent".to_owned());
                    }
                    self.reach(now);
                }
                Some(What::Unsendable(why)) => {
                    self.reach(now);
                    return Ok(Some(*why));
                }
                _ if bytes.is_empty() => return Ok(None),
                Some(_) => return Err("more input is sent".to_owned()),
                // The connection was closed before all could be sent.
                None => return Ok(None),
            }
        }
    }
}

impl Wire {
    fn fail(&self, what: &str) -> ErrorKind {
        let line = self.playing.as_ref().map(|track| track.exchange.line());
        self.shelf.complain(&format!("{}: {what}", line.unwrap_or_default()));
        ErrorKind::InvalidData
    }

    fn announce(&self) {
        let due = self.playing.as_ref().and_then(Track::due);
        self.shelf.set_due(self.number, due);
    }
}

impl Connection for Wire {
    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if let Some(track) = self.playing.as_mut().filter(|track| track.upgraded) {
            let before = track.ours;
            let failed = match track.take(now, bytes) {
                Ok(failed) => failed,
                Err(what) => return Err(self.fail(&what)),
            };
            if track.ours != before {
                self.announce();
            }
            return failed.map_or(Ok(bytes.len()), Err);
        }
        self.reader.push(bytes);
        while let Some(request) = self.reader.next().map_err(|error| self.fail(&error))? {
            let exchange = self
                .shelf
                .exchange(self.number, &request)
                .ok_or(ErrorKind::InvalidData)?;
            self.shelf.reach(exchange.at);
            self.playing = Some(Track::new(exchange, now));
            self.announce();
        }
        Ok(bytes.len())
    }

    fn finish(&mut self, now: Duration) {
        let Some(track) = &mut self.playing else { return };
        match track.exchange.events.get(track.ours).map(|event| &event.what) {
            Some(What::Finished) => {
                track.reach(now);
                self.announce();
            }
            Some(What::Sent(_)) => {
                self.fail("less input is sent");
            }
            _ => {}
        }
    }

    fn send(&mut self, now: Duration, limit: usize) -> Sent {
        if self.shelf.complaint().is_some() {
            return Sent::Broken(ErrorKind::InvalidData); // nothing that follows would make sense
        }
        let Some(track) = &mut self.playing else {
            return Sent::Nothing;
        };
        if track.due().is_none_or(|due| due > now) {
            return Sent::Nothing;
        }
        let exchange = Arc::clone(&track.exchange);
        let Some(event) = exchange.events.get(track.theirs) else {
            return Sent::Nothing;
        };
        let at = exchange.at + event.after;
        match &event.what {
            What::Came(bytes) => {
                let end = bytes.len().min(track.said.saturating_add(limit));
                let part = bytes[track.said..end].to_vec();
                track.said = end;
                if end == bytes.len() {
                    track.said = 0;
                    track.theirs = track.next(track.theirs + 1, false);
                    self.announce();
                    self.shelf.reach(at);
                }
                Sent::Bytes(part)
            }
            What::Broken(why) => {
                self.shelf.reach(at);
                Sent::Broken(*why)
            }
            _ => {
                self.shelf.reach(at);
                Sent::Eof
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shelf.close(self.number);
        if self.reader.is_amid() && self.shelf.complaint().is_none() {
            self.fail("a connection was closed amid a request");
        }
    }
}
