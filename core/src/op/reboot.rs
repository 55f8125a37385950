//! Makes a container anew of its spec, in place of the one that has its name.
//!
//! ```text
//! Begin ──► Image ──(it is there)──► Remove ──► Create ──► Done
//!             │                        │          │ └─(the handle is gone meanwhile)──► Undo ──► the error
//!             └─(nothing changed)──► Err          └──► Err: the old one is gone
//!                                      └──► Err: it may be still there
//! ```
//! The old one goes first: the new one has its name, and its ports. What is sure to fail is found out before that: an image
//! that is not there any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::call::Call;
use super::live::{Beside, Quieted};
use super::{Create, Op, Parting, Remove, Shutdown, Slot, Step, ready};
use crate::end_reason::Sent;
use crate::engine_api::container::Marks;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, image};
use crate::error::{ContainerError, Error};
use crate::link::Link;
use crate::spec::ContainerSpec;

/// Which container a handle stands for: another one after each time it was made anew. Earlier ids are never forgotten, so
/// that whoever has a reference to one may keep it.
#[derive(Debug)]
pub(crate) struct Identity {
    first: Known,
    /// It is being made anew.
    busy: AtomicBool,
}

#[derive(Debug)]
struct Known {
    id: String,
    next: OnceLock<Box<Self>>,
}

impl Known {
    fn new(id: String) -> Self {
        let next = OnceLock::new();
        Self { id, next }
    }
}

/// A long chain must not be dropped one within the other.
impl Drop for Known {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut known) = next {
            next = known.next.take();
        }
    }
}

impl Identity {
    pub(crate) fn new(id: String) -> Self {
        Self {
            first: Known::new(id),
            busy: AtomicBool::new(false),
        }
    }

    fn last(&self) -> &Known {
        let mut known = &self.first;
        while let Some(next) = known.next.get() {
            known = next;
        }
        known
    }

    pub(crate) fn id(&self) -> &str {
        &self.last().id
    }

    /// One at a time does this: the one that has it busy.
    fn becomes(&self, id: String) {
        // Nobody else could have set it.
        let _ = self.last().next.set(Box::new(Known::new(id)));
    }
}

/// What a container is made anew of.
#[derive(Debug)]
pub(crate) struct Anew {
    pub(crate) target: Target,
    pub(crate) spec: Arc<ContainerSpec>,
    pub(crate) name: String,
    pub(crate) marks: Marks,
    pub(crate) identity: Arc<Identity>,
    pub(crate) leash: Slot,
    pub(crate) parting: Parting,
    pub(crate) told: Arc<Sent>,
    /// It has ended, or is being ended.
    pub(crate) ended: Arc<AtomicBool>,
    pub(crate) beside: Arc<Beside>,
}

/// Makes a container anew of its spec.
#[derive(Debug)]
pub struct Reboot(Result<Box<Working>, Option<Error>>);

#[derive(Debug)]
struct Working {
    anew: Anew,
    /// Removes the old one, which is known once nobody else can make it anew. It is kept to the end: what begins meanwhile
    /// has no container.
    remove: Option<Quieted<Shutdown>>,
    state: State,
    /// Nobody else makes it anew meanwhile.
    holds: bool,
}

#[derive(Debug)]
enum State {
    Begin,
    Image(Box<Call>),
    Remove,
    Create(Box<Create>),
    Undo(Box<Remove>),
}

impl Reboot {
    pub(crate) fn new(anew: Anew) -> Self {
        Self(Ok(Box::new(Working {
            anew,
            remove: None,
            state: State::Begin,
            holds: false,
        })))
    }

    /// What was asked cannot be asked.
    pub(crate) fn refused(error: Error) -> Self {
        Self(Err(Some(error)))
    }
}

impl Working {
    fn failed(&self, removed: bool, why: Error) -> Error {
        let (name, why) = (self.anew.name.clone(), Box::new(why));
        ContainerError::RebootFailed { name, removed, why }.into()
    }

    fn begin(&mut self) -> Result<State, Error> {
        let name = &self.anew.name;
        if self.anew.ended.load(Ordering::SeqCst) {
            let text = format!("the container {name} was shut down, so it cannot be rebooted: make another one");
            return Err(Error::misuse(text));
        }
        if self.anew.identity.busy.swap(true, Ordering::SeqCst) {
            let text = format!("the container {name} is being rebooted already: wait for that");
            return Err(Error::misuse(text));
        }
        self.holds = true;
        let shutdown = self.anew.parting.shutdown(self.anew.identity.id())?;
        self.remove = Some(Quieted::rebooting(shutdown, &self.anew.beside));
        let request = image::inspect(&self.anew.spec.image)?;
        Ok(State::Image(Box::new(Call::new(
            "inspect image",
            &self.anew.target,
            &request,
        ))))
    }

    fn create(&self) -> State {
        let Anew { target, spec, name, .. } = &self.anew;
        let create = Create::new(target, (**spec).clone(), name.clone(), self.anew.marks.clone(), None);
        State::Create(Box::new(create.leashed(&self.anew.leash)))
    }

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Begin => self.begin()?,
                State::Image(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        let subject = Subject::Image(self.anew.spec.image.clone());
                        return Err(refusal::refused("inspect image", &subject, &answer));
                    }
                    State::Remove
                }
                State::Remove => match self.remove.as_mut().ok_or_else(super::after_the_end)?.poll(now, link) {
                    Ok(Step::Need(need)) => return Ok(need.into()),
                    Ok(Step::Done(())) => {
                        self.anew.told.stop();
                        self.anew.leash.clear();
                        self.create()
                    }
                    Err(why) => return Err(self.failed(false, why)),
                },
                State::Create(create) => match create.poll(now, link) {
                    Ok(Step::Need(need)) => return Ok(need.into()),
                    Ok(Step::Done(created)) => {
                        let id = created.id.clone();
                        self.anew.identity.becomes(created.id);
                        self.anew.told.nothing();
                        if !self.anew.ended.load(Ordering::SeqCst) {
                            return Ok(Step::Done(()));
                        }
                        // Whoever ended it saw the old one only.
                        self.anew.leash.clear();
                        link.hang_up();
                        State::Undo(Box::new(Remove::new(&self.anew.target, &id).persistent()))
                    }
                    Err(why) => return Err(self.failed(true, why)),
                },
                State::Undo(remove) => {
                    ready!(remove.poll(now, link));
                    let text = format!("the container {} was ended while it was rebooted", self.anew.name);
                    return Err(Error::misuse(text));
                }
            };
        }
    }
}

impl Op for Reboot {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        match &mut self.0 {
            Ok(working) => working.poll(now, link),
            Err(error) => Err(error.take().unwrap_or_else(super::after_the_end)),
        }
    }

    /// What was removed is made anew.
    fn abandon(&mut self) -> bool {
        match &self.0 {
            Ok(working) => !matches!(working.state, State::Begin | State::Image(_)),
            Err(_) => false,
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if self.holds {
            self.anew.identity.busy.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn an_id_that_was_asked_for_stays_good_when_there_is_another() {
        let identity = Identity::new("a".into());
        let first = identity.id();
        identity.becomes("b".into());
        let second = identity.id();
        identity.becomes("c".into());
        assert_eq!((first, second, identity.id()), ("a", "b", "c"));
    }

    #[test]
    fn a_long_history_is_dropped_at_once() {
        let identity = Identity::new("0".into());
        let mut known = &identity.first;
        for number in 0..300_000 {
            let next = Box::new(super::Known::new(number.to_string()));
            known = known.next.get_or_init(|| next);
        }
        assert_eq!(identity.id(), "299999");
        drop(identity);
    }
}
