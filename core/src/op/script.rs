//! A script of our own that looks through a container, from the creation of its exec to all that it said.
//!
//! ```text
//! Begin ──► Creating ──► Starting ──► Reading ──► Done
//!   ▲           └────────────┴───────────┴──(the container is at its process limit)──► Resting ─┐
//!   └───────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! It tries again at the limit, since what is there may end at any moment, until its time is over.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::call::Call;
use super::{Need, Step};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, exec, json};
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::stream::{Channel, Demux};

/// More than any script says that is honest.
const SAID_BYTES: usize = 1024 * 1024;
/// Of the engine's words, in an error.
const WORDS_BYTES: usize = 4096;
/// How long it rests at the limit, the first time and the longest.
const REST: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// A script of ours in a container.
#[derive(Debug)]
pub(super) struct Script {
    target: Target,
    container: String,
    exec: exec::Exec,
    deadline: Instant,
    rest: Duration,
    state: State,
    said: BytesMut,
    words: BytesMut,
}

#[derive(Debug)]
enum State {
    Begin,
    Creating(Call),
    Starting(Call),
    Reading(Demux),
    Resting(Instant),
}

/// What a script said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Of its output, as much as any is taken in.
    pub(super) text: String,
    /// What came on the other stream, if anything: a shell's complaint, or an engine's.
    pub(super) words: String,
}

impl Script {
    /// `words`: the script, then its arguments. It says first whom it runs as: `uid U:G`.
    pub(super) fn new(
        target: &Target,
        container: &str,
        words: impl IntoIterator<Item = String>,
        user: Option<&str>,
        deadline: Instant,
    ) -> Self {
        let mut words = words.into_iter();
        let script = words.next().unwrap_or_default();
        let mut cmd = ["/bin/sh", "-c", &script, "pocket-dock"].map(str::to_owned).to_vec();
        cmd.extend(words);
        Self {
            target: target.clone(),
            container: container.to_owned(),
            exec: exec::Exec {
                attach_stdout: true,
                attach_stderr: true,
                cmd,
                user: user.map(str::to_owned),
                ..exec::Exec::default()
            },
            deadline,
            rest: REST.0,
            state: State::Begin,
            said: BytesMut::new(),
            words: BytesMut::new(),
        }
    }

    fn refused(&self, what: &'static str, answer: &super::call::Answer) -> Error {
        let subject = Subject::Exec {
            container: self.container.clone(),
            user: None,
        };
        refusal::refused(what, &subject, answer)
    }

    fn take(&mut self, channel: Channel, data: &[u8]) {
        let (buffer, limit) = match channel {
            Channel::Stdout => (&mut self.said, SAID_BYTES),
            Channel::Stderr => (&mut self.words, WORDS_BYTES),
        };
        let room = limit.saturating_sub(buffer.len()).min(data.len());
        buffer.extend_from_slice(&data[..room]);
    }

    /// All that will come has come.
    fn end(&mut self) -> Result<Said, Error> {
        let text = |bytes: BytesMut| String::from_utf8_lossy(&bytes).into_owned();
        let said = Said {
            text: text(self.said.split()),
            words: text(self.words.split()),
        };
        if !said.text.starts_with("uid ") {
            let message = format!("{}{}", said.text, said.words).trim().to_owned();
            if refusal::is_at_limit(&message.to_ascii_lowercase()) {
                return Err(ExecError::AtLimit { message }.into());
            }
        }
        Ok(said)
    }

    pub(super) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Said>, Error> {
        loop {
            match self.step(now, link) {
                Err(Error::Exec(ExecError::AtLimit { .. })) if now + self.rest < self.deadline => {
                    link.hang_up();
                    self.state = State::Resting(now + self.rest);
                    self.rest = (self.rest * 2).min(REST.1);
                }
                Ok(None) => {}
                Ok(Some(step)) => return Ok(step),
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on to another state, unless there is something to say.
    fn step(&mut self, now: Instant, link: &mut Link) -> Result<Option<Step<Said>>, Error> {
        macro_rules! poll {
            ($call:expr) => {
                match $call.poll(now, link)? {
                    Step::Done(answer) => answer,
                    Step::Need(need) => return Ok(Some(need.into())),
                }
            };
        }
        let limit = self.deadline.saturating_duration_since(now);
        self.state = match &mut self.state {
            State::Begin => {
                let request = exec::create(&self.container, &self.exec)?;
                State::Creating(Call::new("create exec", &self.target, &request).within(limit))
            }
            State::Creating(call) => {
                let answer = poll!(call);
                if !answer.is_success() {
                    return Err(self.refused("create exec", &answer));
                }
                let created: container::CreatedAnswer = json("create exec", &answer.body)?;
                let request = exec::start(&created.id, None)?;
                State::Starting(Call::new("start exec", &self.target, &request).within(limit))
            }
            State::Starting(call) => {
                let answer = poll!(call);
                if !answer.upgraded {
                    return Err(self.refused("start exec", &answer));
                }
                State::Reading(Demux::new(self.target.limits()))
            }
            State::Reading(demux) => {
                let eof = link.is_eof();
                let frame = demux.next(link.received(), eof).map_err(|source| Error::Protocol {
                    what: "look for processes",
                    source,
                })?;
                match frame {
                    Some(frame) => self.take(frame.channel, &frame.data),
                    None if eof || now >= self.deadline => {
                        link.hang_up();
                        return self.end().map(|said| Some(Step::Done(said)));
                    }
                    None => {
                        return Ok(Some(Step::Need(Need::Wait {
                            read: true,
                            until: Some(self.deadline),
                        })));
                    }
                }
                return Ok(None);
            }
            State::Resting(until) if now < *until => {
                return Ok(Some(Step::Need(Need::Wait {
                    read: false,
                    until: Some(*until),
                })));
            }
            State::Resting(_) => State::Begin,
        };
        Ok(None)
    }
}
