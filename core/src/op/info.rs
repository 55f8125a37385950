//! All about a container, from questions that are asked at once.
//!
//! ```text
//!   attended:  inspect ─┐    top ─┐    a look inside ─┐
//!   own link:  statistics, twice where the engine does not measure CPU use itself ─┐
//!                       ▼         ▼                   ▼                            ▼
//!                       └──────── all there, or it does not run: Done ─────────────┘
//! ```
//! Without an answer to the first there is no result; what else could not be found out is told in it. The look inside has
//! the container's own process ids and its page cache, which is one engine's or the other's to tell; where there is no
//! shell, or it is paused, the engine's list of processes will do.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::at_once::{Asked, Part, part};
use super::call::Call;
use super::look::{Look, Seen};
use super::{Ask, Need, Op, ProcessInfo, Step, after, after_the_end, ready};
use crate::engine_api::details::Details;
use crate::engine_api::image::normal_id;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::stats::{self, Sample};
use crate::engine_api::{EngineKind, Target, container, json, top};
use crate::error::Error;
use crate::info::ContainerInfo;
use crate::link::Link;
use crate::runtime::Host;

/// Over how long CPU use is measured: Docker does so itself, and limits of CPU are kept over tenths of it.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Has the operations in the background begun.
type Attend = Box<dyn FnOnce() + Send>;

/// Finds out all about a container.
pub struct Info {
    attend: Option<Attend>,
    host: Arc<dyn Host>,
    kind: EngineKind,
    inspect: Waited<Details>,
    top: Waited<Vec<ProcessInfo>>,
    look: Waited<Seen>,
    sampling: Sampling,
    sample: Option<Result<Option<Sample>, Error>>,
}

/// What is waited for, or has come.
#[derive(Debug)]
struct Waited<T> {
    asked: Asked<T>,
    came: Option<Result<T, Error>>,
}

impl<T> Waited<T> {
    fn new(asked: Asked<T>) -> Self {
        let came = None;
        Self { asked, came }
    }

    /// Whether it has come.
    fn look(&mut self, link: &mut Link) -> bool {
        if self.came.is_none() {
            self.came = self.asked.poll(&link.waker());
        }
        self.came.is_some()
    }
}

/// The questions that are asked beside.
type Parts = (Part<Ask<Details>>, Part<Ask<Vec<ProcessInfo>>>, Part<Look>);

impl Info {
    /// `attend`: has the parts driven in the background.
    pub(crate) fn new(
        target: &Target,
        id: &str,
        name: &str,
        host: Arc<dyn Host>,
        attend: impl FnOnce(Parts) + Send + 'static,
    ) -> Self {
        let subject = || Subject::Container(name.to_owned());
        let (what, request) = ("inspect container", container::inspect(id));
        let (inspect, inspected) = part(Ask::new(what, target, subject(), request, move |answer| {
            json::<Details>(what, &answer.body)
        }));
        let request = top::top(id);
        let (top, topped) = part(Ask::new("list processes", target, subject(), request, |answer| {
            top::read(&answer)
        }));
        let (look, looked) = part(Look::new(target, id));
        Self {
            attend: Some(Box::new(move || attend((inspect, top, look)))),
            host,
            kind: target.kind(),
            inspect: Waited::new(inspected),
            top: Waited::new(topped),
            look: Waited::new(looked),
            sampling: Sampling::new(target, id, name),
            sample: None,
        }
    }

    fn tell(&mut self) -> Result<ContainerInfo, Error> {
        let details = self.inspect.came.take().ok_or_else(after_the_end)??;
        let mut info = described(&details, self.host.now());
        if !info.running {
            return Ok(info);
        }
        let mut unknown = Vec::new();
        let mut known = |what: &str, error: Error| unknown.push(format!("{what}: {error}"));
        let seen = match self.look.came.take() {
            Some(Ok(seen)) => Some(seen),
            Some(Err(error)) => {
                known("what only the container itself tells", error);
                None
            }
            None => None,
        };
        let memory = seen.as_ref().and_then(|seen| seen.memory);
        match self.sample.take() {
            Some(Ok(Some(Sample { stats, .. }))) => {
                info.cpu_percent = stats.cpu_percent;
                info.cpu_time = Some(stats.cpu_time);
                info.pids = stats.pids;
                info.page_cache = stats.page_cache;
                info.memory_used = stats.memory_used();
            }
            Some(Err(error)) => known("statistics", error),
            // It ended meanwhile.
            _ => {}
        }
        if let (None, Some((usage, cache))) = (info.memory_used, memory) {
            info.page_cache = Some(cache);
            info.memory_used = Some(usage.saturating_sub(cache));
        }
        match (seen, self.top.came.take()) {
            (Some(seen), _) => info.processes = seen.processes,
            (None, Some(Ok(processes))) => {
                info.processes = processes;
                info.host_pids = self.kind == EngineKind::Docker;
            }
            (None, Some(Err(error))) => known("processes", error),
            (None, None) => {}
        }
        info.unknown = unknown;
        Ok(info)
    }
}

/// What is known without statistics.
fn described(details: &Details, now: SystemTime) -> ContainerInfo {
    let state = details.state();
    let running = state.is_running();
    let status = state.status.clone().unwrap_or_default();
    // Of one that was made and never started, engines say 0.
    let has_ended = !running && !matches!(status.as_str(), "created" | "configured" | "initialized");
    let started = state.started();
    let config = details.config.as_ref();
    ContainerInfo {
        id: details.id.clone(),
        name: details
            .name
            .as_deref()
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
        image: config.and_then(|config| config.image.clone()).unwrap_or_default(),
        image_id: details.image.as_deref().map(normal_id).unwrap_or_default(),
        command: details.command(),
        status,
        running,
        paused: state.paused.unwrap_or(false),
        exit_code: state.exit_code.filter(|_| has_ended),
        created: details.created(),
        started,
        ended: state.finished().filter(|_| has_ended),
        uptime: started
            .filter(|_| running)
            .map(|started| now.duration_since(started).unwrap_or_default()),
        memory_used: None,
        page_cache: None,
        memory_limit: details.memory_limit(),
        cpu_percent: None,
        cpu_time: None,
        pids: None,
        pids_limit: details.pids_limit(),
        networks: details.networks(),
        ports: details.ports(),
        processes: Vec::new(),
        host_pids: false,
        labels: config.and_then(|config| config.labels.clone()).unwrap_or_default(),
        unknown: Vec::new(),
    }
}

impl Op for Info {
    type Output = ContainerInfo;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<ContainerInfo>, Error> {
        if let Some(attend) = self.attend.take() {
            attend();
        }
        if self.inspect.look(link) {
            let stopped = match &self.inspect.came {
                Some(Ok(details)) => !details.state().is_running(),
                _ => true,
            };
            if stopped {
                return self.tell().map(Step::Done);
            }
        }
        let mut need = Need::Wait {
            read: false,
            until: None,
        };
        if self.sample.is_none() {
            match self.sampling.poll(now, link) {
                Ok(Step::Need(wanted)) => need = wanted,
                Ok(Step::Done(sample)) => self.sample = Some(Ok(sample)),
                Err(error @ Error::Misuse(_)) => return Err(error),
                Err(error) => {
                    link.hang_up();
                    self.sample = Some(Err(error));
                }
            }
        }
        let all = self.look.look(link) & self.top.look(link) & self.inspect.came.is_some() & self.sample.is_some();
        if all {
            return self.tell().map(Step::Done);
        }
        // Whatever comes beside wakes it.
        let _ = link.waker();
        Ok(need.into())
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info").finish_non_exhaustive()
    }
}

/// Takes a sample with the CPU use of the last second.
#[derive(Debug)]
struct Sampling {
    target: Target,
    id: String,
    name: String,
    first: Option<Sample>,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    Asking(Box<Call>),
    Resting(Instant),
}

const ASK: &str = "ask for statistics";

impl Sampling {
    fn new(target: &Target, id: &str, name: &str) -> Self {
        Self {
            target: target.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            first: None,
            state: State::Begin,
        }
    }

    /// `None` if it does not run.
    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Option<Sample>>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin => {
                    let call = Call::new(ASK, &self.target, &stats::once(&self.id)?);
                    State::Asking(Box::new(call))
                }
                State::Asking(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        let subject = Subject::Container(self.name.clone());
                        return Err(refusal::refused(ASK, &subject, &answer));
                    }
                    let Some(mut sample) = stats::read(&answer)? else {
                        return Ok(Step::Done(None));
                    };
                    if let Some(first) = &self.first {
                        sample.stats.cpu_percent = first.moment.percent(sample.moment);
                        return Ok(Step::Done(Some(sample)));
                    }
                    if sample.stats.cpu_percent.is_some() {
                        return Ok(Step::Done(Some(sample)));
                    }
                    self.first = Some(sample);
                    State::Resting(after(now, INTERVAL))
                }
                State::Resting(until) if now < *until => {
                    return Ok(Need::Wait {
                        read: false,
                        until: Some(*until),
                    }
                    .into());
                }
                State::Resting(_) => State::Begin,
            };
        }
    }
}

#[cfg(test)]
mod tests;
