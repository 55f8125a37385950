//! One request and its whole answer: the sub-machine of every other operation.
//!
//! ```text
//! Start ──(connection of a call before)──► Looking ──(nothing came)──► Sent ──► Done(Answer)
//!   │  ▲                                      │                        ▲ ▲ │
//!   ▼  └──────────(something came)────────────┘                        │ └─┘ bytes
//! Dialling ──(connected)───────────────────────────────────────────────┘
//!   └──► Err(Connect)
//! ```
//! What comes on a connection before it is asked anything is no answer: then it is not used again.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::{Need, Step, after};
use crate::engine_api::Target;
use crate::error::{Error, SocketError};
pub(crate) use crate::http::Answer;
use crate::http::{Event, Request, ResponseHead, ResponseReader, Sink, chunked};
use crate::link::Link;
use crate::protocol_error::ProtocolError;

/// What a reactor without I/O means: no socket and no setting is at fault.
const NO_IO: &str = "the async runtime has no I/O: build it with `Builder::enable_all`, as `#[tokio::main]` does, and nothing else need change";

/// One request and its answer.
#[derive(Debug)]
pub(crate) struct Call {
    what: &'static str,
    target: Target,
    outgoing: Vec<Bytes>,
    reader: ResponseReader,
    limit: Duration,
    /// Once there is a head, the body may take as long as it likes.
    patient: bool,
    deadline: Option<Instant>,
    state: State,
    head: Option<ResponseHead>,
    body: BytesMut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// At what has come on the connection since the answer before.
    Looking,
    Dialling,
    Sent,
}

impl Call {
    /// `what` says in errors what was asked, as in `"create container"`.
    pub(crate) fn new(what: &'static str, target: &Target, request: &Request) -> Self {
        Self::with_prefix(what, target, request, target.prefix())
    }

    /// A call outside the negotiated version.
    pub(crate) fn with_prefix(what: &'static str, target: &Target, request: &Request, prefix: &str) -> Self {
        Self {
            what,
            target: target.clone(),
            outgoing: vec![request.encode(prefix)],
            reader: ResponseReader::new(target.limits(), request.method(), request.wants_upgrade()),
            limit: target.answer_limit(),
            patient: false,
            deadline: None,
            state: State::Start,
            head: None,
            body: BytesMut::new(),
        }
    }

    /// A body that follows in chunks; the request says so. Nothing is copied.
    pub(crate) fn push_body(&mut self, data: Bytes) {
        let outgoing = &mut self.outgoing;
        chunked::encode(data, &mut |part| outgoing.push(part));
        outgoing.push(Bytes::from_static(chunked::LAST));
    }

    /// A shorter or longer limit than the engine's own.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The limit is that of the head; the body may take as long as it likes.
    pub(crate) fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// The time for the head of the answer begins anew: something moved.
    pub(crate) fn extend(&mut self, now: Instant) {
        self.deadline = Some(after(now, self.limit));
    }

    /// Whether the engine may have seen the request.
    pub(crate) fn is_sent(&self) -> bool {
        self.state == State::Sent
    }

    /// Whether the head of the answer has come.
    pub(crate) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Answer>, Error> {
        self.poll_into(now, link, None)
    }

    /// The body of a success goes into the sink as it comes, without a limit; that of a refusal is collected.
    pub(crate) fn poll_into(
        &mut self,
        now: Instant,
        link: &mut Link,
        sink: Option<&mut dyn Sink>,
    ) -> Result<Step<Answer>, Error> {
        let until = *self.deadline.get_or_insert(after(now, self.limit));
        loop {
            match self.state {
                State::Start if link.is_idle() => {
                    self.state = State::Looking;
                    return Ok(Need::Wait {
                        read: true,
                        until: Some(now),
                    }
                    .into());
                }
                State::Looking if link.is_idle() => self.send(link),
                State::Start | State::Looking => {
                    self.state = State::Dialling;
                    return Ok(Need::Dial {
                        at: self.target.endpoint().clone(),
                        until,
                    }
                    .into());
                }
                State::Dialling => {
                    if let Some(why) = link.take_dial_failure() {
                        if why == ErrorKind::Unsupported {
                            return Err(Error::misuse(NO_IO));
                        }
                        let endpoint = self.target.endpoint().clone();
                        return Err(SocketError::Connect { endpoint, why }.into());
                    }
                    if link.is_idle() {
                        self.send(link);
                    } else {
                        self.state = State::Start; // polled before the driver dialled: ask again
                    }
                }
                State::Sent => return self.read(now, until, link, sink),
            }
        }
    }

    fn send(&mut self, link: &mut Link) {
        for part in self.outgoing.drain(..) {
            link.send(part);
        }
        self.state = State::Sent;
    }

    fn read(
        &mut self,
        now: Instant,
        until: Instant,
        link: &mut Link,
        mut sink: Option<&mut dyn Sink>,
    ) -> Result<Step<Answer>, Error> {
        loop {
            let eof = link.is_eof();
            let event = match self.reader.next(link.received(), eof) {
                Ok(event) => event,
                Err(error) => return Err(self.broken(error, link)),
            };
            match event {
                Some(Event::Head(head)) => self.head = Some(head),
                Some(Event::Data(data)) => match &mut sink {
                    Some(sink) if self.head.as_ref().is_some_and(ResponseHead::is_success) => {
                        sink.take(data).map_err(|error| Error::protocol(self.what, error))?;
                    }
                    _ => self.take(&data)?,
                },
                Some(Event::Upgraded) => return self.done(true),
                Some(Event::End { keep_alive }) => {
                    if !keep_alive || link.has_pending() {
                        link.hang_up();
                    }
                    return self.done(false);
                }
                None if self.patient && self.head.is_some() => {
                    return Ok(Need::Wait {
                        read: true,
                        until: None,
                    }
                    .into());
                }
                None if now >= until => {
                    return Err(Error::Deadline {
                        what: self.what,
                        limit: self.limit,
                    });
                }
                None => {
                    return Ok(Need::Wait {
                        read: true,
                        until: Some(until),
                    }
                    .into());
                }
            }
        }
    }

    fn take(&mut self, data: &Bytes) -> Result<(), Error> {
        let limit = self.target.limits().body_bytes;
        if self.body.len() + data.len() > limit {
            let source = ProtocolError::OverLimit {
                what: "response body",
                limit: limit as u64,
                declared: None,
            };
            return Err(Error::protocol(self.what, source));
        }
        self.body.extend_from_slice(data);
        Ok(())
    }

    fn done(&mut self, upgraded: bool) -> Result<Step<Answer>, Error> {
        let Some(head) = self.head.take() else {
            let source = ProtocolError::Truncated { what: "response head" };
            return Err(Error::protocol(self.what, source));
        };
        Ok(Step::Done(Answer {
            head,
            body: std::mem::take(&mut self.body).freeze(),
            upgraded,
        }))
    }

    /// A connection that broke says more than the answer that was cut short by it.
    fn broken(&self, error: ProtocolError, link: &Link) -> Error {
        match (error, link.failure()) {
            (ProtocolError::Truncated { .. }, Some(why)) => SocketError::Broken { what: self.what, why }.into(),
            (error, _) => Error::protocol(self.what, error),
        }
    }
}
