//! Makes an image of a container.
//!
//! ```text
//! Inspect ──► Image ──► Commit ──► Done
//!                ▲         │ it could not be frozen at once
//!                          └──► Rest ──► Commit
//! ```
//! An image takes over the labels and the main process of its container. Ours would make every container of that image look
//! like one of ours, and it would wait for an input that is not there: the image is told otherwise, and gets back the
//! commands of the image that the container was made of.
//!
//! The container is frozen meanwhile, which Docker fails at now and then, as in [`pause`](super::pause).

use std::time::{Duration, Instant};

use super::call::Call;
use super::{Need, Op, Step, after, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{EngineKind, Target, container, image, json};
use crate::error::Error;
use crate::link::Link;

/// How long a snapshot may take.
const LIMIT: Duration = Duration::from_secs(3600);
/// Between two attempts, and no attempt is begun later than that after the first.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// Makes an image of a container.
#[derive(Debug)]
pub struct Snapshot {
    target: Target,
    id: String,
    name: String,
    repository: String,
    tag: String,
    changes: Vec<String>,
    no_entrypoint: bool,
    state: State,
    until: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// What was asked cannot be asked.
    Refused(Option<Error>),
    Begin,
    Inspect(Call),
    Image(Call),
    Ready,
    Commit(Call),
    Rest(Instant),
}

impl Snapshot {
    pub(crate) fn new(target: &Target, id: &str, name: &str, image: Result<(String, String), Error>) -> Self {
        let (repository, tag, state) = match image {
            Ok((repository, tag)) => (repository, tag, State::Begin),
            Err(error) => (String::new(), String::new(), State::Refused(Some(error))),
        };
        Self {
            target: target.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            repository,
            tag,
            changes: vec![format!("LABEL {}=no", container::MANAGED)],
            no_entrypoint: false,
            state,
            until: None,
        }
    }

    fn refused(&self, what: &'static str, answer: &crate::http::Answer) -> Error {
        refusal::refused(what, &Subject::Container(self.name.clone()), answer)
    }

    /// What the image that the container was made of runs by itself is run by the new one too. Where that is nothing, ours
    /// would stay: a shell is there, as ours ran in it.
    fn commands(&mut self, config: image::Config) {
        let words = |list: Option<Vec<String>>| list.unwrap_or_default();
        let (entrypoint, mut cmd) = (words(config.entrypoint), words(config.cmd));
        if entrypoint.is_empty() && cmd.is_empty() {
            cmd = vec!["/bin/sh".to_owned()];
        }
        self.no_entrypoint = entrypoint.is_empty() && self.target.kind() == EngineKind::Docker;
        if !self.no_entrypoint {
            let list = serde_json::Value::from(entrypoint);
            self.changes.push(format!("ENTRYPOINT {list}"));
        }
        let list = serde_json::Value::from(cmd);
        self.changes.push(format!("CMD {list}"));
    }
}

impl Op for Snapshot {
    type Output = String;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<String>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Refused(error) => return Err(error.take().unwrap_or_else(super::after_the_end)),
                State::Begin => {
                    let request = container::inspect(&self.id)?;
                    State::Inspect(Call::new("inspect container", &self.target, &request))
                }
                State::Inspect(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        return Err(self.refused("inspect container", &answer));
                    }
                    let found: container::Inspected = json("inspect container", &answer.body)?;
                    let config = found.config.unwrap_or_default();
                    let is_ours = config.cmd.is_some_and(|cmd| container::is_main_of_ours(&cmd));
                    // By its id: its name may be that of another one by now.
                    match found.image.map(|image| image::inspect(&image)) {
                        Some(Ok(request)) if is_ours => {
                            State::Image(Call::new("inspect image", &self.target, &request))
                        }
                        _ => State::Ready,
                    }
                }
                State::Image(call) => {
                    let answer = ready!(call.poll(now, link));
                    // It may be gone, and then so are its commands.
                    if answer.is_success() {
                        let found: image::Inspected = json("inspect image", &answer.body)?;
                        self.commands(found.config.unwrap_or_default());
                    }
                    State::Ready
                }
                State::Ready => {
                    let (repository, tag) = (&self.repository, &self.tag);
                    let request = image::commit(&self.id, repository, tag, &self.changes, self.no_entrypoint);
                    let request = container::sendable(request)?;
                    State::Commit(Call::new("commit container", &self.target, &request).within(LIMIT))
                }
                State::Commit(call) => {
                    let until = *self.until.get_or_insert(after(now, PAUSES[1]));
                    let answer = ready!(call.poll(now, link));
                    if answer.is_success() {
                        let made: image::Committed = json("commit container", &answer.body)?;
                        return Ok(Step::Done(image::normal_id(&made.id)));
                    }
                    if !refusal::could_not_freeze(&answer) || now >= until {
                        return Err(self.refused("commit container", &answer));
                    }
                    State::Rest(after(now, PAUSES[0]))
                }
                State::Rest(at) if now < *at => {
                    let until = Some(*at);
                    return Ok(Need::Wait { read: false, until }.into());
                }
                State::Rest(_) => State::Ready,
            };
        }
    }
}
