//! Finds an engine, or has one started.
//!
//! ```text
//! Begin ──► Usual ──────────────────────────────────────────► Done
//!             └─(no engine)──► Starting ──► Started ────────► Done
//!                                 │            │
//!                                 └────────────┴─ failed, or abandoned ──► Ending ──► the error
//! ```
//! An engine that was started for us lives as long as anything that may still have to ask it something: the last
//! [`Target`](crate::engine_api::Target) lets it end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::{Engine, Options};
use crate::discovery;
use crate::error::{Error, SocketError};
use crate::link::Link;
use crate::op::connect::{Candidate, Connect, Found};
use crate::op::{Need, Op, Step};
use crate::runtime::{Runtime, Service};

/// How often a service is asked whether it has started or ended.
const PAUSE: Duration = Duration::from_millis(20);

/// What the program that starts an engine is called where all that was tried is listed.
const STARTED: &str = "podman system service";

/// Finds an engine.
#[derive(Debug)]
pub struct Connecting<R> {
    runtime: R,
    options: Options,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    Usual(Connect),
    Starting(Box<dyn Service>, Vec<(String, String)>),
    Started(Connect, Box<dyn Service>),
    Ending(Box<dyn Service>, Option<Error>),
    Ended,
}

enum Next<R: Runtime> {
    To(State),
    Stay(State, Need),
    Done(Engine<R>),
}

impl<R: Runtime> Connecting<R> {
    pub(super) fn new(runtime: R, options: Options) -> Self {
        Self {
            runtime,
            options,
            state: State::Begin,
        }
    }

    fn connect(&self, candidates: Vec<Candidate>) -> Connect {
        Connect::new(candidates, self.options.limits.clone(), self.options.answer_limit)
    }

    fn go_on(&self, state: State, now: Instant, link: &mut Link) -> Result<Next<R>, Error> {
        let rest = Need::Wait {
            read: false,
            until: Some(now + PAUSE),
        };
        Ok(match state {
            State::Begin => {
                let candidates = match &self.options.socket {
                    Some(endpoint) => vec![Candidate {
                        endpoint: endpoint.clone(),
                        setting: None,
                    }],
                    None => discovery::candidates(&*self.runtime.host())?,
                };
                Next::To(State::Usual(self.connect(candidates)))
            }
            State::Usual(mut connect) => match connect.poll(now, link) {
                Ok(Step::Need(need)) => Next::Stay(State::Usual(connect), need),
                Ok(Step::Done(found)) => Next::Done(Engine::found(self.runtime.clone(), found)),
                Err(Error::Socket(SocketError::NoEngine { tried })) => match self.runtime.host().launch() {
                    Ok(Some(service)) => Next::To(State::Starting(service, tried)),
                    Ok(None) => return Err(no_engine(tried, "there is no podman program".to_owned())),
                    Err(why) => return Err(no_engine(tried, why)),
                },
                Err(error) => return Err(error),
            },
            State::Starting(mut service, tried) => match service.poll_start() {
                Ok(None) => Next::Stay(State::Starting(service, tried), rest),
                Ok(Some(endpoint)) => {
                    let setting = None;
                    Next::To(State::Started(
                        self.connect(vec![Candidate { endpoint, setting }]),
                        service,
                    ))
                }
                Err(why) => Next::To(State::Ending(service, Some(no_engine(tried, why)))),
            },
            State::Started(mut connect, service) => match connect.poll(now, link) {
                Ok(Step::Need(need)) => Next::Stay(State::Started(connect, service), need),
                Ok(Step::Done(found)) => {
                    let keeper = Keeper {
                        runtime: self.runtime.clone(),
                        service: Some(service),
                    };
                    let target = found.target.kept_by(Arc::new(keeper));
                    Next::Done(Engine::found(self.runtime.clone(), Found { target, ..found }))
                }
                Err(error) => {
                    link.hang_up();
                    Next::To(State::Ending(service, Some(error)))
                }
            },
            State::Ending(mut service, error) => {
                if !service.poll_end() {
                    return Ok(Next::Stay(State::Ending(service, error), rest));
                }
                return Err(error.unwrap_or_else(crate::op::after_the_end));
            }
            State::Ended => return Err(crate::op::after_the_end()),
        })
    }
}

fn no_engine(mut tried: Vec<(String, String)>, why: String) -> Error {
    tried.push((STARTED.to_owned(), why));
    SocketError::NoEngine { tried }.into()
}

impl<R: Runtime> Op for Connecting<R> {
    type Output = Engine<R>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Engine<R>>, Error> {
        loop {
            let state = std::mem::replace(&mut self.state, State::Ended);
            match self.go_on(state, now, link)? {
                Next::To(state) => self.state = state,
                Next::Stay(state, need) => {
                    self.state = state;
                    return Ok(need.into());
                }
                Next::Done(engine) => return Ok(Step::Done(engine)),
            }
        }
    }

    fn abandon(&mut self) -> bool {
        let state = std::mem::replace(&mut self.state, State::Ended);
        match state {
            State::Starting(service, _) | State::Started(_, service) | State::Ending(service, _) => {
                self.state = State::Ending(service, None);
                true
            }
            State::Begin | State::Usual(_) | State::Ended => false,
        }
    }
}

/// Keeps an engine running that was started for us.
#[derive(Debug)]
struct Keeper<R: Runtime> {
    runtime: R,
    service: Option<Box<dyn Service>>,
}

impl<R: Runtime> Drop for Keeper<R> {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            self.runtime.finish(Release(service));
        }
    }
}

/// Sees an engine end that was started for us.
#[derive(Debug)]
struct Release(Box<dyn Service>);

impl Op for Release {
    type Output = ();

    fn poll(&mut self, now: Instant, _: &mut Link) -> Result<Step<()>, Error> {
        if self.0.poll_end() {
            return Ok(Step::Done(()));
        }
        Ok(Need::Wait {
            read: false,
            until: Some(now + PAUSE),
        }
        .into())
    }

    fn abandon(&mut self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
