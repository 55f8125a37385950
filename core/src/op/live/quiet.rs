//! What runs beside calls on one container, and what a call on that container does to it.
//!
//! An engine waits for whoever holds a stream open and does not read it, so a call that ends a container first has its
//! streams read and thrown away ([`Quieted`]), and one that only signals it has them read whoever takes them
//! ([`Relaxed`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::callbacks::Callbacks;
use super::shared::{Live, Wish};
use crate::error::ContainerError;
use crate::error::Error;
use crate::link::Link;
use crate::op::{Op, Step};

/// What runs beside calls on one container.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) callbacks: Arc<Callbacks>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lives: Vec<Weak<Live>>,
    /// How many calls are ending the container.
    ending: usize,
    /// How the last one of them does.
    how: Ends,
}

/// How a container is ended by this program, for those whose commands end with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Its main process is ended, or all of it.
    #[default]
    Here,
    /// It begins anew.
    Rebooted,
}

impl Ends {
    pub(super) fn error(self, name: &str) -> ContainerError {
        let name = name.to_owned();
        match self {
            Self::Here => ContainerError::EndedHere { name },
            Self::Rebooted => ContainerError::Rebooted { name },
        }
    }
}

impl Beside {
    pub(crate) fn new(callbacks: Callbacks) -> Self {
        Self {
            callbacks: Arc::new(callbacks),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, live: &Arc<Live>) {
        let mut state = self.lock();
        state.lives.retain(|live| live.strong_count() > 0);
        state.lives.push(Arc::downgrade(live));
        let ending = (state.ending > 0).then_some(state.how);
        drop(state);
        if let Some(how) = ending {
            live.end_here(how);
        }
    }

    fn all(&self) -> Vec<Arc<Live>> {
        self.lock().lives.iter().filter_map(Weak::upgrade).collect()
    }

    fn begin_to_end(&self, how: Ends) {
        let mut state = self.lock();
        state.ending += 1;
        state.how = how;
        drop(state);
        for live in self.all() {
            live.end_here(how);
        }
    }

    fn has_ended(&self) {
        let mut state = self.lock();
        state.ending = state.ending.saturating_sub(1);
        let last = state.ending == 0;
        drop(state);
        for live in self.all().into_iter().filter(|live| last && live.is_away()) {
            live.wish(Wish::HangUp);
        }
    }
}

/// An operation that ends the container, or its main process, and all that runs beside it first.
#[derive(Debug)]
pub struct Quieted<O> {
    op: O,
    /// None where nothing will be ended.
    beside: Option<Arc<Beside>>,
    how: Ends,
    begun: bool,
}

impl<O> Quieted<O> {
    pub(crate) fn new(op: O, beside: &Arc<Beside>) -> Self {
        Self::ending(op, beside, Ends::Here)
    }

    fn ending(op: O, beside: &Arc<Beside>, how: Ends) -> Self {
        Self {
            op,
            beside: Some(Arc::clone(beside)),
            how,
            begun: false,
        }
    }

    /// The container begins anew then.
    pub(crate) fn rebooting(op: O, beside: &Arc<Beside>) -> Self {
        Self::ending(op, beside, Ends::Rebooted)
    }

    /// If the operation only says why it cannot be done, nothing is ended for it.
    pub(crate) fn unless(mut self, refused: bool) -> Self {
        if refused {
            self.beside = None;
        }
        self
    }
}

impl<O: Op> Op for Quieted<O> {
    type Output = O::Output;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<O::Output>, Error> {
        if !std::mem::replace(&mut self.begun, true) {
            self.beside.iter().for_each(|beside| beside.begin_to_end(self.how));
        }
        self.op.poll(now, link)
    }

    /// What was told to end does.
    fn abandon(&mut self) -> bool {
        self.op.abandon() || (self.begun && self.beside.is_some())
    }
}

impl<O> Drop for Quieted<O> {
    fn drop(&mut self) {
        if self.begun {
            self.beside.iter().for_each(|beside| beside.has_ended());
        }
    }
}

/// An operation during which the output of what runs beside it is read, whoever takes it.
#[derive(Debug)]
pub struct Relaxed<O> {
    op: O,
    lives: Lives,
    relaxed: Vec<Arc<Live>>,
}

#[derive(Debug)]
enum Lives {
    /// Of a whole container.
    All(Arc<Beside>),
    One(Arc<Live>),
    /// They are relaxed already.
    Taken,
}

impl<O> Relaxed<O> {
    /// All of a container's.
    pub(crate) fn all(op: O, beside: &Arc<Beside>) -> Self {
        let lives = Lives::All(Arc::clone(beside));
        Self {
            op,
            lives,
            relaxed: Vec::new(),
        }
    }

    /// This one.
    pub(crate) fn one(op: O, live: &Arc<Live>) -> Self {
        let lives = Lives::One(Arc::clone(live));
        Self {
            op,
            lives,
            relaxed: Vec::new(),
        }
    }
}

impl<O: Op> Op for Relaxed<O> {
    type Output = O::Output;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<O::Output>, Error> {
        match std::mem::replace(&mut self.lives, Lives::Taken) {
            Lives::All(beside) => self.relaxed = beside.all(),
            Lives::One(live) => self.relaxed = vec![live],
            Lives::Taken => return self.op.poll(now, link),
        }
        self.relaxed.iter().for_each(|live| live.relax(true));
        self.op.poll(now, link)
    }

    fn abandon(&mut self) -> bool {
        self.op.abandon()
    }
}

impl<O> Drop for Relaxed<O> {
    fn drop(&mut self) {
        self.relaxed.iter().for_each(|live| live.relax(false));
    }
}
