//! Looks at an engine, and says what is well and what is not.
//!
//! ```text
//! Connecting ──► About ──► Image* ──► Orphans ──► Done
//!      └─(no engine)──────────────────────────────► Done
//! ```

use std::time::Instant;

use super::{Connecting, Engine};
use crate::doctor::{Checkup, Report};
use crate::engine_api::about::{self, About};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{image, json};
use crate::error::Error;
use crate::http::Request;
use crate::link::Link;
use crate::listing::ContainerSummary;
use crate::op::call::Call;
use crate::op::{Listing, Op, Step};
use crate::runtime::Runtime;

/// Looks at an engine.
#[derive(Debug)]
pub struct Doctor<R: Runtime> {
    checkup: Checkup,
    report: Report,
    engine: Option<Engine<R>>,
    state: State<R>,
}

#[derive(Debug)]
enum State<R> {
    Connecting(Box<Connecting<R>>),
    Begin,
    About(Box<Call>),
    /// Which of the images it is.
    Image(usize, Box<Call>),
    Orphans(Box<Listing>),
}

const ABOUT: &str = "ask the engine about itself";
const IMAGE: &str = "inspect image";

impl<R: Runtime> Doctor<R> {
    pub(super) fn of(engine: &Engine<R>, checkup: Checkup) -> Self {
        Self {
            checkup,
            report: Report::default(),
            engine: Some(engine.clone()),
            state: State::Begin,
        }
    }

    pub(super) fn connecting(connecting: Connecting<R>, checkup: Checkup) -> Self {
        Self {
            checkup,
            report: Report::default(),
            engine: None,
            state: State::Connecting(Box::new(connecting)),
        }
    }

    fn call(engine: &Engine<R>, what: &'static str, request: &Request) -> Box<Call> {
        Box::new(Call::new(what, engine.target(), request))
    }

    /// The next image to be looked for, or what comes behind them.
    fn image(&mut self, engine: &Engine<R>, at: usize) -> State<R> {
        for (at, name) in self.checkup.images.iter().enumerate().skip(at) {
            match image::inspect(name) {
                Ok(request) => return State::Image(at, Self::call(engine, IMAGE, &request)),
                Err(error) => self.report.image(name, &Err(error)),
            }
        }
        State::Orphans(Box::new(Self::orphans(engine)))
    }

    /// What the first creation would remove.
    fn orphans(engine: &Engine<R>) -> Listing {
        let host = engine.runtime().host();
        Listing::new(engine.target(), move |listed| {
            let orphans = listed.into_iter().filter(|one| one.is_orphan(&*host));
            orphans.filter_map(ContainerSummary::of).collect()
        })
        .certain()
    }
}

/// The answer or error of a call, or its need handed on.
macro_rules! outcome {
    ($call:expr, $now:expr, $link:expr) => {
        match $call.poll($now, $link) {
            Ok(Step::Need(need)) => return Ok(need.into()),
            Ok(Step::Done(answer)) => Ok(answer),
            Err(error @ Error::Misuse(_)) => return Err(error),
            Err(error) => {
                $link.hang_up();
                Err(error)
            }
        }
    };
}

impl<R: Runtime> Op for Doctor<R> {
    type Output = Report;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Report>, Error> {
        loop {
            let engine = self.engine.clone();
            let Some(engine) = engine else {
                let State::Connecting(connecting) = &mut self.state else {
                    return Err(crate::op::after_the_end());
                };
                match outcome!(connecting, now, link) {
                    Ok(engine) => self.engine = Some(engine),
                    Err(error) => return Ok(Step::Done(Report::without_engine(&error))),
                }
                self.state = State::Begin;
                continue;
            };
            self.state = match &mut self.state {
                State::Connecting(_) | State::Begin => {
                    let socket = engine.socket().to_string();
                    self.report.engine(engine.kind(), engine.version(), &socket);
                    State::About(Self::call(&engine, ABOUT, &about::info()))
                }
                State::About(call) => {
                    let about = outcome!(call, now, link).and_then(|answer| {
                        if !answer.is_success() {
                            return Err(refusal::refused(ABOUT, &Subject::Engine, &answer));
                        }
                        json::<About>(ABOUT, &answer.body)
                    });
                    self.report.about(&about);
                    self.image(&engine, 0)
                }
                State::Image(at, call) => {
                    let there = outcome!(call, now, link).and_then(|answer| match answer.status() {
                        200 => Ok(true),
                        404 => Ok(false),
                        _ => Err(refusal::refused(IMAGE, &Subject::Engine, &answer)),
                    });
                    let at = *at;
                    self.report.image(&self.checkup.images[at], &there);
                    self.image(&engine, at + 1)
                }
                State::Orphans(list) => {
                    let orphans = outcome!(list, now, link);
                    let names = orphans.map(|all| all.into_iter().map(|one| one.name).collect());
                    self.report.orphans(&names);
                    return Ok(Step::Done(std::mem::take(&mut self.report)));
                }
            };
        }
    }

    fn abandon(&mut self) -> bool {
        match &mut self.state {
            State::Connecting(connecting) => connecting.abandon(),
            _ => false,
        }
    }
}
