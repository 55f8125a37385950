//! What a container uses, sample by sample, gathered beside calls.
//!
//! ```text
//!   Docker:  Streaming ──(a sample each second)──► …             ──(one that is empty, or the end)──► over
//!   Podman:  Asking ──(a sample)──► Resting, 1 s ──► Asking ──► … ──(nothing, or it is gone)────────► over
//! ```
//! Podman streams too, but a sample every 5 s; asked anew, it answers in some milliseconds, and both engines do the same.
//! CPU use is what the container used between one sample and the one before that came here, read or not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;

use super::at_once::Wakers;
use super::call::Call;
use super::info::INTERVAL;
use super::live::over::quietly;
use super::{Need, Op, Step, after};
use crate::engine_api::objects::Objects;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::stats::{self as answers, Figures, Moment, Sample};
use crate::engine_api::{EngineKind, Target};
use crate::error::{ContainerError, Error};
use crate::http::Sink;
use crate::link::Link;
use crate::protocol_error::ProtocolError;
use crate::stats::Stats;

const ASK: &str = "ask for statistics";
/// Samples that wait for a reader: a minute's.
const KEPT: usize = 60;

/// The samples that came, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Flow(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    samples: VecDeque<Stats>,
    /// How it ended. An error is told once.
    end: Option<Option<Error>>,
    unwanted: bool,
    readers: Wakers,
    pump: Option<Waker>,
}

impl Flow {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody wants more; the waker is woken when nobody does.
    fn is_wanted(&self, waker: Waker) -> bool {
        let mut state = self.lock();
        state.pump = Some(waker);
        !state.unwanted
    }

    fn push(&self, stats: Stats) {
        let readers = {
            let mut state = self.lock();
            if state.samples.len() == KEPT {
                state.samples.pop_front();
            }
            state.samples.push_back(stats);
            state.readers.take()
        };
        readers.wake();
    }

    fn end(&self, error: Option<Error>) {
        let readers = {
            let mut state = self.lock();
            state.end.get_or_insert(error);
            state.readers.take()
        };
        readers.wake();
    }

    /// Nobody reads it any more.
    pub(crate) fn discard(&self) {
        let pump = {
            let mut state = self.lock();
            state.unwanted = true;
            state.pump.take()
        };
        if let Some(pump) = pump {
            pump.wake();
        }
    }

    /// The next sample, `None` behind the last; nothing yet if there is none, and then the waker is woken when there is.
    pub(crate) fn next(&self, waker: &Waker) -> Option<Result<Option<Stats>, Error>> {
        let mut state = self.lock();
        if let Some(stats) = state.samples.pop_front() {
            return Some(Ok(Some(stats)));
        }
        match &mut state.end {
            Some(error) => Some(error.take().map_or(Ok(None), Err)),
            None => {
                state.readers.add(waker);
                None
            }
        }
    }
}

/// Waits for the next sample.
#[derive(Debug)]
pub struct NextStats(Arc<Flow>);

impl NextStats {
    pub(crate) fn new(flow: &Arc<Flow>) -> Self {
        Self(Arc::clone(flow))
    }
}

impl Op for NextStats {
    type Output = Option<Stats>;

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<Option<Stats>>, Error> {
        match self.0.next(&link.waker()) {
            Some(item) => item.map(Step::Done),
            None => Ok(quietly(None)),
        }
    }
}

/// Gathers the samples of one container, for as long as anybody wants them and it runs.
#[derive(Debug)]
pub(crate) struct StatsPump {
    target: Target,
    id: String,
    name: String,
    flow: Arc<Flow>,
    source: Source,
    before: Option<Moment>,
}

#[derive(Debug)]
enum Source {
    Begin,
    Streaming(Box<Call>, Samples),
    Asking(Box<Call>),
    Resting(Instant),
}

/// The samples of a stream, as they come.
#[derive(Debug)]
struct Samples {
    objects: Objects,
    came: VecDeque<Option<Sample>>,
}

impl Sink for Samples {
    fn take(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        let Self { objects, came } = self;
        objects.push(&data, &mut |object| {
            let figures: Figures = serde_json::from_slice(object).map_err(|error| ProtocolError::Malformed {
                what: "statistics",
                detail: error.to_string(),
            })?;
            came.push_back(figures.sample());
            Ok(())
        })
    }
}

impl StatsPump {
    pub(crate) fn new(target: &Target, id: &str, name: &str, flow: &Arc<Flow>) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            flow: Arc::clone(flow),
            source: Source::Begin,
            before: None,
        }
    }

    fn give(&mut self, sample: Sample) {
        let Sample { mut stats, moment } = sample;
        if let Some(before) = self.before.replace(moment) {
            stats.cpu_percent = before.percent(moment);
        }
        self.flow.push(stats);
    }

    /// What a refusal, or an answer without a sample, means. That of one that has given samples is its end.
    fn refused(&self, answer: &crate::http::Answer) -> Option<Error> {
        let subject = Subject::Container(self.name.clone());
        let error = refusal::refused(ASK, &subject, answer);
        let has_ended = matches!(
            error,
            Error::Container(ContainerError::Gone { .. } | ContainerError::NotRunning { .. })
        );
        Some(error).filter(|_| !has_ended || self.before.is_none())
    }

    fn not_running(&self) -> Option<Error> {
        let message = "it has no statistics of a container that does not run".to_owned();
        let name = self.name.clone();
        Some(ContainerError::NotRunning { name, message }.into()).filter(|_| self.before.is_none())
    }

    /// Goes on until something is needed; how it ended if it did.
    fn go_on(&mut self, now: Instant, link: &mut Link) -> Result<Step<Option<Error>>, Error> {
        loop {
            let mut source = std::mem::replace(&mut self.source, Source::Begin);
            self.source = match &mut source {
                Source::Begin if self.target.kind() == EngineKind::Docker => {
                    let call = Call::new(ASK, &self.target, &answers::stream(&self.id)?).patient();
                    let objects = Objects::new(("statistics", "statistics bytes"), self.target.limits().line_bytes);
                    let came = VecDeque::new();
                    Source::Streaming(Box::new(call), Samples { objects, came })
                }
                Source::Begin => {
                    let call = Call::new(ASK, &self.target, &answers::once(&self.id)?);
                    Source::Asking(Box::new(call))
                }
                Source::Streaming(call, samples) => {
                    let step = call.poll_into(now, link, Some(samples))?;
                    while let Some(sample) = samples.came.pop_front() {
                        match sample {
                            Some(sample) => self.give(sample),
                            None => return Ok(Step::Done(self.not_running())),
                        }
                    }
                    match step {
                        Step::Need(need) => {
                            self.source = source;
                            return Ok(need.into());
                        }
                        Step::Done(answer) if answer.is_success() => return Ok(Step::Done(self.not_running())),
                        Step::Done(answer) => return Ok(Step::Done(self.refused(&answer))),
                    }
                }
                Source::Asking(call) => match call.poll(now, link)? {
                    Step::Need(need) => {
                        self.source = source;
                        return Ok(need.into());
                    }
                    Step::Done(answer) if !answer.is_success() => return Ok(Step::Done(self.refused(&answer))),
                    Step::Done(answer) => match answers::read(&answer)? {
                        Some(sample) => {
                            self.give(sample);
                            Source::Resting(after(now, INTERVAL))
                        }
                        None => return Ok(Step::Done(self.not_running())),
                    },
                },
                Source::Resting(until) if now < *until => {
                    let until = Some(*until);
                    self.source = source;
                    return Ok(Need::Wait { read: false, until }.into());
                }
                Source::Resting(_) => Source::Begin,
            };
        }
    }
}

impl Op for StatsPump {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        if !self.flow.is_wanted(link.waker()) {
            return Ok(Step::Done(()));
        }
        let end = match self.go_on(now, link) {
            Ok(Step::Need(need)) => return Ok(need.into()),
            Ok(Step::Done(end)) => end,
            Err(error) => Some(error),
        };
        self.flow.end(end);
        Ok(Step::Done(()))
    }
}

impl Drop for StatsPump {
    /// Where it cannot be driven, whoever waits is told so.
    fn drop(&mut self) {
        let why = "statistics are not followed any more: the operation that goes on beside calls was dropped";
        self.flow.end(Some(Error::misuse(why)));
    }
}

#[cfg(test)]
mod tests;
