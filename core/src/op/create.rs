//! Makes a container and starts it, on a leash.
//!
//! ```text
//! List ──► Sweep* ──► Create ──► Attach ──(keep)──► Start ──► Done      one that is to stay is not attached to
//!                       │           │                 │
//!                       └───────────┴── failed, or ───┴──► Undo ──► the first error
//!                                       abandoned
//! ```
//! The leash is the connection that holds the main process's standard input. When this program dies, the system closes
//! it, the main process reads an end, and the container removes itself. A container that was made and never started has
//! no main process: the first creation on an engine sweeps those whose owner is dead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::Call;
use super::inherited::Inherited;
use super::remove::Remove;
use super::{Need, Op, Slot, Step, after, ready};
use crate::engine_api::container::{self, Marks};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, json};
use crate::error::{ContainerError, Error};
use crate::http::Answer;
use crate::link::Link;
use crate::runtime::Host;
use crate::spec::{ContainerSpec, Network};

/// How long the orphans of others may hold up the creation, all together and each.
const SWEEP_LIMITS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(5)];
/// How long a container may still appear after its creation was not answered in time, or the connection broke.
const LATE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(1)];

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Created {
    /// Its id on the engine.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Holds it: when this is dropped, the container ends.
    pub(crate) leash: Slot,
}

/// Makes a container and starts it, on a leash.
#[derive(Debug)]
pub(crate) struct Create {
    target: Target,
    spec: ContainerSpec,
    name: String,
    marks: Marks,
    host: Option<Arc<dyn Host>>,
    leash: Slot,
    id: String,
    state: State,
    abandoned: bool,
}

#[derive(Debug)]
enum State {
    Begin,
    List(Call),
    /// Those left, the one at hand, and when to leave them all.
    Sweep(Vec<container::Listed>, Option<Sweeping>, Instant),
    Create(Call),
    Attach(Call),
    Keep,
    Start(Call),
    Undo(Box<Remove>, Option<Error>),
}

/// What is done with one that looks like an orphan.
#[derive(Debug)]
enum Sweeping {
    /// Until it is known that it is ours.
    Ask(container::Listed, Box<Inherited>),
    Remove(Box<Remove>),
}

impl Create {
    /// `sweep`: the host, to tell whose containers are orphans; none if it was done before.
    pub(crate) fn new(
        target: &Target,
        spec: ContainerSpec,
        name: String,
        marks: Marks,
        sweep: Option<Arc<dyn Host>>,
    ) -> Self {
        Self {
            target: target.clone(),
            spec,
            name,
            marks,
            host: sweep,
            leash: Slot::default(),
            id: String::new(),
            state: State::Begin,
            abandoned: false,
        }
    }

    /// The leash is put where another one was.
    pub(crate) fn leashed(self, leash: &Slot) -> Self {
        let leash = leash.clone();
        Self { leash, ..self }
    }

    fn create(&self) -> Result<State, Error> {
        let request = container::create(self.target.kind(), &self.name, &self.spec, &self.marks)?;
        Ok(State::Create(Call::new("create container", &self.target, &request)))
    }

    fn subject(&self) -> Subject {
        Subject::NewContainer {
            name: self.name.clone(),
            image: self.spec.image.clone(),
            memory: self.spec.memory_bytes(),
            disk: self.spec.disk_bytes(),
            network: self.network(),
        }
    }

    fn network(&self) -> Option<String> {
        match &self.spec.network {
            Network::Named(name) => Some(name.clone()),
            Network::None | Network::Default => None,
        }
    }

    fn undo(&mut self, error: Error, link: &mut Link) -> State {
        link.hang_up();
        self.leash.clear();
        let remove = if self.id.is_empty() {
            let late = match &error {
                Error::Deadline { .. } => LATE[0],
                Error::Socket(_) => LATE[1],
                _ => Duration::ZERO,
            };
            Remove::ours(&self.target, &self.name, &self.marks.instance, late)
        } else {
            Remove::new(&self.target, &self.id)
        };
        State::Undo(Box::new(remove.persistent()), Some(error))
    }

    fn start_failed(&self, answer: &Answer) -> Error {
        let (message, name) = (refusal::words(&answer.body), self.name.clone());
        if let Some(error) = self.network().and_then(|name| refusal::no_network(&name, &message)) {
            return error.into();
        }
        let lower = message.to_ascii_lowercase();
        if let (Some(user), true) = (&self.spec.user, refusal::is_unknown_user(&lower)) {
            let user = user.clone();
            return ContainerError::NoUser { user, message }.into();
        }
        match self.spec.memory_bytes() {
            Some(bytes) if lower.contains("memory limit") => ContainerError::BadMemory { bytes, message }.into(),
            _ => ContainerError::StartFailed { name, message }.into(),
        }
    }

    fn sweep(&self, orphan: container::Listed) -> Option<Sweeping> {
        let ask = Inherited::new(&self.target, orphan.image_id.as_deref()?).ok()?;
        Some(Sweeping::Ask(orphan, Box::new(ask)))
    }

    fn orphans(&self, answer: &Answer) -> Vec<container::Listed> {
        let Some(host) = &self.host else { return Vec::new() };
        let Ok(listed) = json::<Vec<container::Listed>>("list containers", &answer.body) else {
            return Vec::new();
        };
        listed.into_iter().filter(|one| one.is_orphan(&**host)).collect()
    }

    fn step(&mut self, now: Instant, link: &mut Link) -> Result<Step<Created>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin => {
                    self.spec.check()?;
                    match &self.host {
                        Some(_) => State::List(Call::new("list containers", &self.target, &container::list_managed())),
                        None => self.create()?,
                    }
                }
                State::List(call) => {
                    let answer = ready!(call.poll(now, link));
                    State::Sweep(
                        if answer.status() == 200 {
                            self.orphans(&answer)
                        } else {
                            Vec::new()
                        },
                        None,
                        after(now, SWEEP_LIMITS[0]),
                    )
                }
                State::Sweep(_, _, until) if now >= *until => {
                    tracing::warn!("orphans are left to be removed by others: the engine takes too long");
                    link.hang_up();
                    self.create()?
                }
                State::Sweep(left, current, until) => {
                    let step = match current {
                        Some(Sweeping::Ask(one, ask)) => ask.poll(now, link).map(|step| match step {
                            // Where that cannot be known, it is left alone.
                            Step::Done(handed) => {
                                let inherited = handed.made(one.instance()).unwrap_or(true);
                                Step::Done((!inherited).then(|| one.id.clone()))
                            }
                            Step::Need(need) => Step::Need(need),
                        }),
                        Some(Sweeping::Remove(remove)) => remove.poll(now, link).map(|step| match step {
                            Step::Done(()) => Step::Done(None),
                            Step::Need(need) => Step::Need(need),
                        }),
                        None => Ok(Step::Done(None)),
                    };
                    let ours = match step {
                        Ok(Step::Need(Need::Dial { at, until: limit })) => {
                            let until = limit.min(*until);
                            return Ok(Need::Dial { at, until }.into());
                        }
                        Ok(Step::Need(need)) => return Ok(need.by(Some(*until)).into()),
                        Ok(Step::Done(ours)) => ours,
                        // One that cannot be removed is no reason not to make another.
                        Err(error) => {
                            tracing::warn!(%error, "an orphan could not be removed");
                            link.hang_up();
                            None
                        }
                    };
                    let (mut left, until) = (std::mem::take(left), *until);
                    let next = match ours {
                        Some(id) => {
                            let remove = Remove::new(&self.target, &id).within(SWEEP_LIMITS[1]);
                            Some(Some(Sweeping::Remove(Box::new(remove))))
                        }
                        None => left.pop().map(|one| self.sweep(one)),
                    };
                    match next {
                        Some(next) => State::Sweep(left, next, until),
                        None => self.create()?,
                    }
                }
                State::Create(call) => {
                    let answer = match call.poll(now, link) {
                        Ok(Step::Done(answer)) => answer,
                        Ok(Step::Need(need)) => return Ok(Step::Need(need)),
                        Err(error) if call.is_sent() => {
                            self.state = self.undo(error, link);
                            continue;
                        }
                        Err(error) => return Err(error),
                    };
                    if !answer.is_success() {
                        return Err(refusal::refused("create container", &self.subject(), &answer));
                    }
                    let created: container::CreatedAnswer = match json("create container", &answer.body) {
                        Ok(created) => created,
                        Err(error) => {
                            self.state = self.undo(error, link);
                            continue;
                        }
                    };
                    self.id = created.id;
                    if self.abandoned {
                        self.state = self.undo(Error::misuse("abandoned"), link);
                        continue;
                    }
                    if self.spec.persistent {
                        self.state = State::Keep;
                        continue;
                    }
                    State::Attach(Call::new(
                        "attach to container",
                        &self.target,
                        &container::attach_stdin(&self.id)?,
                    ))
                }
                State::Attach(call) => {
                    let answer = match call.poll(now, link) {
                        Ok(Step::Done(answer)) if answer.upgraded => answer,
                        Ok(Step::Need(need)) => return Ok(Step::Need(need)),
                        Ok(Step::Done(answer)) => {
                            // Podman prepares the start already when it is attached to.
                            let error = self.start_failed(&answer);
                            self.state = self.undo(error, link);
                            continue;
                        }
                        Err(error) => {
                            self.state = self.undo(error, link);
                            continue;
                        }
                    };
                    drop(answer);
                    self.state = State::Keep;
                    return Ok(Need::Keep(self.leash.clone()).into());
                }
                State::Keep => State::Start(Call::new("start container", &self.target, &container::start(&self.id)?)),
                State::Start(call) => match call.poll(now, link) {
                    Ok(Step::Done(answer)) if answer.is_success() => {
                        // Kept here too: abandoned at this moment, it is undone by its id.
                        return Ok(Step::Done(Created {
                            id: self.id.clone(),
                            name: self.name.clone(),
                            leash: self.leash.clone(),
                        }));
                    }
                    Ok(Step::Need(need)) => return Ok(Step::Need(need)),
                    Ok(Step::Done(answer)) => {
                        let error = self.start_failed(&answer);
                        self.undo(error, link)
                    }
                    Err(error) => self.undo(error, link),
                },
                State::Undo(remove, error) => {
                    match remove.poll(now, link) {
                        Ok(Step::Need(need)) => return Ok(Step::Need(need)),
                        Ok(Step::Done(())) => {}
                        Err(failure) => tracing::warn!(%failure, "a container that did not start could not be removed"),
                    }
                    return Err(error.take().unwrap_or_else(super::ask::after_the_end));
                }
            }
        }
    }
}

impl Op for Create {
    type Output = Created;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Created>, Error> {
        let step = self.step(now, link);
        if self.abandoned && matches!(self.state, State::Attach(_) | State::Keep | State::Start(_)) {
            self.state = self.undo(Error::misuse("abandoned"), link);
            return self.step(now, link);
        }
        step
    }

    fn abandon(&mut self) -> bool {
        self.abandoned = true;
        match &self.state {
            State::Begin | State::List(_) | State::Sweep(..) => false,
            State::Create(call) => call.is_sent(),
            State::Attach(_) | State::Keep | State::Start(_) | State::Undo(..) => true,
        }
    }
}
