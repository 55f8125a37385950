//! Asks a socket whether an engine answers there, and which version of the API to speak.

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Op, Step, ready};
use crate::endpoint::Endpoint;
use crate::engine_api::system::{self, About, Pong};
use crate::engine_api::{EngineKind, Target, json};
use crate::error::{Error, SocketError};
use crate::limits::Limits;
use crate::link::Link;

/// How long an engine may take to answer a ping.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// One place to look for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) endpoint: Endpoint,
    /// The environment variable that names it and its value; then nothing else is tried.
    pub(crate) setting: Option<(&'static str, String)>,
}

/// An engine that answered.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) target: Target,
    pub(crate) version: String,
}

/// Tries one place after the other.
#[derive(Debug)]
pub(crate) struct Connect {
    candidates: Vec<Candidate>,
    next: usize,
    limits: Limits,
    answer_limit: Duration,
    state: State,
    tried: Vec<(String, String)>,
}

#[derive(Debug)]
enum State {
    Next,
    Ping(Call),
    About(Call, Pong),
}

impl Connect {
    pub(crate) fn new(candidates: Vec<Candidate>, limits: Limits, answer_limit: Duration) -> Self {
        Self {
            candidates,
            next: 0,
            limits,
            answer_limit,
            state: State::Next,
            tried: Vec::new(),
        }
    }

    fn target(&self, kind: EngineKind, prefix: String) -> Target {
        let at = &self.candidates[self.next - 1];
        Target::new(
            at.endpoint.clone(),
            kind,
            prefix,
            self.limits.clone(),
            self.answer_limit,
        )
    }

    fn attempt(&mut self, now: Instant, link: &mut Link) -> Result<Step<Found>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Next => {
                    self.next += 1;
                    let target = self.target(EngineKind::Docker, String::new());
                    State::Ping(Call::new("ping the engine", &target, &system::ping()).within(PING_LIMIT))
                }
                State::Ping(call) => {
                    let answer = ready!(call.poll(now, link));
                    let Some(pong) = Pong::parse(&answer.head) else {
                        let (status, message) =
                            (answer.status(), "what answers there is no container engine".to_owned());
                        return Err(Error::Refused {
                            what: "ping the engine",
                            status,
                            message,
                        });
                    };
                    if pong.kind == EngineKind::Podman {
                        // Podman takes any version, and half a second to say which it is.
                        return self.found(&pong, &About::default());
                    }
                    let target = self.target(pong.kind, String::new());
                    State::About(Call::new("ask the engine's version", &target, &system::version()), pong)
                }
                State::About(call, pong) => {
                    let answer = ready!(call.poll(now, link));
                    let about = json("ask the engine's version", &answer.body).unwrap_or_default();
                    let pong = pong.clone();
                    return self.found(&pong, &about);
                }
            }
        }
    }

    fn found(&self, pong: &Pong, about: &About) -> Result<Step<Found>, Error> {
        let prefix = system::negotiate(pong, about).map_err(|message| Error::Refused {
            what: "negotiate the API version",
            status: 200,
            message,
        })?;
        Ok(Step::Done(Found {
            target: self.target(pong.kind, prefix),
            version: pong.version.clone(),
        }))
    }
}

impl Op for Connect {
    type Output = Found;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Found>, Error> {
        while self.next < self.candidates.len() || !matches!(self.state, State::Next) {
            let error = match self.attempt(now, link) {
                Ok(step) => return Ok(step),
                Err(error @ Error::Misuse(_)) => return Err(error),
                Err(error) => error,
            };
            let candidate = &self.candidates[self.next - 1];
            if let Some((setting, value)) = &candidate.setting {
                let why = error.to_string();
                return Err(SocketError::Setting {
                    setting,
                    value: value.clone(),
                    why,
                }
                .into());
            }
            if self.candidates.len() == 1 {
                return Err(error);
            }
            let why = match &error {
                Error::Socket(SocketError::Connect { why, .. }) => crate::error::reason(*why),
                other => other.to_string(),
            };
            self.tried.push((candidate.endpoint.to_string(), why));
            link.hang_up();
            self.state = State::Next;
        }
        Err(SocketError::NoEngine {
            tried: std::mem::take(&mut self.tried),
        }
        .into())
    }
}
