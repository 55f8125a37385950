//! Containers that are ready before anybody wants one.
//!
//! ```text
//!             ┌──────────────── a place is free ◄─────────────┐
//!             ▼                                               │
//!   Making ──► ready ──(take)──► seen ──(it runs)────────► the taker's
//!     │                           └─(it does not)──► Removing
//!     └─(failed)──► told to whoever waits; the next one who comes has it tried again
//! ```
//! What makes and removes them is attended: it goes on beside all calls. When the pool is dropped, what is being made is
//! abandoned, and one operation sees all of them gone.
//!
//! How one is seen: Podman ends the leash of a container with it, and takes a tenth of a creation to answer a question, so
//! none is asked. Docker answers in a hundredth, and knows of a pause as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::container::ContainerState;
use super::{Container, Engine};
use crate::engine_api::EngineKind;
use crate::error::{ContainerError, Error};
use crate::link::Link;
use crate::op::{Ask, Need, Op, Step, after};
use crate::runtime::Runtime;
use crate::spec::ContainerSpec;

mod beside;

use beside::{Emptying, Making, Removing};

/// The largest pool.
const MOST: usize = 1024;
/// How many are made at a time: engines do not make more of them any faster.
const AT_ONCE: usize = 8;
/// How long a taker waits who does not say.
const TAKE_LIMIT: Duration = Duration::from_secs(60);

/// Containers that are ready before anybody wants one: they are made in the background, each is handed out once, and
/// another takes its place.
///
/// What is taken is a [`Container`] as any other, and its taker's: it is no part of the pool any more. It was seen alive
/// when it is handed out; one that is not is removed, and the next one taken. Docker is asked for that. On Podman, whose
/// answer would take longer than all the rest, the connection tells that holds the container; it does not tell whether
/// somebody has paused it, which the taker's first call says.
///
/// Dropping the pool removes all that were not taken. Where calls block, they are gone when the drop returns, as the
/// container's own drop has it; elsewhere they are removed in the background. If the program is killed, they end by
/// themselves. Several threads may take at a time.
///
/// ```no_run
/// # use pocket_dock_blocking::{ContainerSpec, Engine, Error, Pool};
/// # fn example(engine: &Engine) -> Result<(), Error> {
/// let pool = Pool::new(engine, ContainerSpec::new("pocket-dock/minimal").pids(64), 4)?;
/// for job in ["echo one", "echo two"] {
///     let sandbox = pool.take()?; // one question to Docker at most, none to Podman
///     print!("{}", sandbox.run(job)?.stdout_text());
/// } // each is removed here, and another one is made meanwhile
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pool<R: Runtime>(Arc<Shared<R>>);

#[derive(Debug)]
struct Shared<R: Runtime> {
    engine: Engine<R>,
    spec: ContainerSpec,
    size: usize,
    state: Mutex<State<R>>,
}

#[derive(Debug)]
struct State<R: Runtime> {
    ready: VecDeque<Container<R>>,
    making: usize,
    removing: usize,
    /// How many could not be made, and why the last one could not.
    failures: u64,
    failed: Option<Error>,
    /// None is made until somebody wants one: the last one could not be.
    stalled: bool,
    /// The pool was dropped.
    closed: bool,
    /// Who is polled again when anything changes.
    seats: Vec<(u64, Waker)>,
    next_seat: u64,
}

impl<R: Runtime> Pool<R> {
    /// A pool of `size` containers of this spec, 1 to 1024, which are made from now on, eight at a time at most. Does not
    /// wait for any of them.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a size or a spec that cannot be; one with a name or a port of the host, as only one can have
    /// it; one with a lifetime, which would run while it is ready; and a persistent one, as nothing of a pool may stay.
    /// Whether the engine can make such a container is told by [`take`](Self::take).
    pub fn new(engine: &Engine<R>, spec: ContainerSpec, size: usize) -> Result<Self, Error> {
        spec.check()?;
        if spec.name.is_some() {
            return Err(Error::misuse(
                "the containers of a pool cannot all have one name: leave it out of the spec",
            ));
        }
        if spec.persistent {
            return Err(Error::misuse(
                "the containers of a pool end with it and cannot be persistent: leave that out of the spec",
            ));
        }
        if let Some(port) = spec.ports.iter().find(|port| port.host != 0) {
            return Err(Error::misuse(format!(
                "the containers of a pool cannot all have port {} of the host: leave it to the engine which port {} gets, \
                 and ask the one that was taken",
                port.host, port.container
            )));
        }
        if spec.lifetime.is_some() {
            return Err(Error::misuse(
                "the lifetime of a pool's containers would run while they are ready: leave it out of the spec, and give \
                 what runs in them a timeout",
            ));
        }
        if !(1..=MOST).contains(&size) {
            return Err(Error::misuse(format!(
                "a pool of {size} cannot be: it has 1 container at least and {MOST} at most"
            )));
        }
        let pool = Self(Arc::new(Shared {
            engine: engine.clone(),
            spec,
            size,
            state: Mutex::new(State {
                ready: VecDeque::new(),
                making: 0,
                removing: 0,
                failures: 0,
                failed: None,
                stalled: false,
                closed: false,
                seats: Vec::new(),
                next_seat: 0,
            }),
        }));
        Shared::refill(&pool.0);
        Ok(pool)
    }

    /// A container that runs and that nobody had before. Where none is ready, one is waited for, for 60 s at most.
    ///
    /// A future of it that is dropped before its end puts back what it had.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Error, Pool};
    /// # fn example(pool: &Pool) -> Result<(), Error> {
    /// let sandbox = pool.take()?;
    /// sandbox.run("make test")?;
    /// sandbox.shutdown()
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Engine::create`] if none is ready and none can be made; it is tried anew at each call.
    /// [`Error::PoolEmpty`]; those of the connection.
    pub fn take(&self) -> R::Returns<Taking<R>> {
        self.take_within(TAKE_LIMIT)
    }

    /// As [`take`](Self::take), waiting so long at most where none is ready. With no time at all, it takes only what is
    /// ready.
    ///
    /// A future of it that is dropped before its end puts back what it had.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use pocket_dock_blocking::{Error, Pool};
    /// # fn example(pool: &Pool) -> Result<(), Error> {
    /// match pool.take_within(Duration::ZERO) {
    ///     Err(Error::PoolEmpty { .. }) => println!("come back later"),
    ///     taken => println!("{}", taken?.name()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn take_within(&self, limit: Duration) -> R::Returns<Taking<R>> {
        self.0.engine.runtime().drive(Taking {
            shared: Arc::clone(&self.0),
            limit,
            begun: None,
            candidate: None,
            seat: None,
        })
    }

    /// How many containers it keeps ready.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::Pool;
    /// # fn example(pool: &Pool) {
    /// println!("{} of {}", pool.ready(), pool.size());
    /// # }
    /// ```
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// How many are ready now, as far as is known without a question: one that ended is no part of it as soon as the
    /// connection says so that holds it, as Podman sees to at once, and Docker 20 only when the container is taken.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::Pool;
    /// # fn example(pool: &Pool) {
    /// println!("{} of {}", pool.ready(), pool.size());
    /// # }
    /// ```
    #[must_use]
    pub fn ready(&self) -> usize {
        self.0.lock().ready.iter().filter(|one| one.is_held()).count()
    }
}

impl<R: Runtime> Drop for Pool<R> {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.closed = true;
            // They all begin to end at once, and not one after the other.
            state.ready.iter().for_each(Container::let_go);
        });
        self.0.engine.runtime().finish(Emptying {
            shared: Arc::clone(&self.0),
            current: None,
            seat: None,
        });
    }
}

impl<R: Runtime> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and has everybody look at it.
    fn change<T>(&self, change: impl FnOnce(&mut State<R>) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        let seats = std::mem::take(&mut state.seats);
        drop(state);
        seats.into_iter().for_each(|(_, waker)| waker.wake());
        changed
    }

    /// Takes out what ended while it was ready, and begins to make what is missing.
    fn refill(shared: &Arc<Self>) {
        let mut state = shared.lock();
        let (held, ended): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut state.ready)
            .into_iter()
            .partition(Container::is_held);
        state.ready = held;
        state.removing += ended.len();
        drop(state);
        for container in ended {
            Self::remove(shared, container);
        }
        loop {
            let mut state = shared.lock();
            let enough = state.ready.len() + state.making >= shared.size;
            if enough || state.making >= AT_ONCE || state.closed || state.stalled {
                return;
            }
            state.making += 1;
            drop(state);
            let creating = shared.engine.creating(shared.spec.clone());
            shared.engine.runtime().attend(Making {
                shared: Arc::clone(shared),
                creating,
                seat: None,
                abandoned: false,
                over: false,
            });
        }
    }

    /// Removes one beside everything else.
    fn discard(shared: &Arc<Self>, container: Container<R>) {
        shared.lock().removing += 1;
        Self::remove(shared, container);
    }

    /// The same where it is counted already.
    fn remove(shared: &Arc<Self>, container: Container<R>) {
        shared.engine.runtime().attend(Removing {
            shared: Arc::clone(shared),
            remove: container.into_removal(),
        });
    }
}

impl<R: Runtime> State<R> {
    /// Has a waker woken by the next change, in place of the one that was left before.
    fn sit(&mut self, seat: &mut Option<u64>, waker: Waker) {
        let key = *seat.get_or_insert_with(|| {
            self.next_seat += 1;
            self.next_seat
        });
        self.leave(Some(key));
        self.seats.push((key, waker));
    }

    fn leave(&mut self, seat: Option<u64>) {
        self.seats.retain(|(key, _)| Some(*key) != seat);
    }
}

/// Takes one out of a pool.
#[derive(Debug)]
pub struct Taking<R: Runtime> {
    shared: Arc<Shared<R>>,
    limit: Duration,
    /// Until when, and how many could not be made before.
    begun: Option<(Instant, u64)>,
    /// The one that is being looked at, and the question to its engine, if it is asked.
    candidate: Option<(Container<R>, Option<Ask<ContainerState>>)>,
    seat: Option<u64>,
}

impl<R: Runtime> Taking<R> {
    /// One that is ready; or what is to be waited for.
    fn next(&mut self, now: Instant, link: &mut Link) -> Result<Option<Need>, Error> {
        let shared = &self.shared;
        let (until, before) = *self.begun.get_or_insert_with(|| {
            let mut state = shared.lock();
            state.stalled = false;
            (after(now, self.limit), state.failures)
        });
        let mut state = shared.lock();
        if state.closed {
            return Err(dropped());
        }
        if let Some(container) = state.ready.pop_front() {
            drop(state);
            let asked = container.is_held() && shared.engine.target().kind() == EngineKind::Docker;
            let look = asked.then(|| container.looking());
            self.candidate = Some((container, look));
            return Ok(None);
        }
        drop(state);
        Shared::refill(shared);
        let mut state = shared.lock();
        if state.closed || !state.ready.is_empty() {
            return Ok(None);
        }
        if state.making == 0 && state.failures > before {
            return Err(state.failed.clone().unwrap_or_else(dropped));
        }
        if now >= until {
            let (size, limit) = (shared.size, self.limit);
            return Err(Error::PoolEmpty { size, limit });
        }
        state.sit(&mut self.seat, link.waker());
        let until = Some(until);
        Ok(Some(Need::Wait { read: false, until }))
    }
}

impl<R: Runtime> Op for Taking<R> {
    type Output = Container<R>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Container<R>>, Error> {
        loop {
            let Some((container, look)) = &mut self.candidate else {
                match self.next(now, link)? {
                    Some(need) => return Ok(need.into()),
                    None => continue,
                }
            };
            let runs = match look.as_mut().map(|look| look.poll(now, link)) {
                None => container.is_held(),
                Some(Ok(Step::Need(need))) => return Ok(need.into()),
                Some(Ok(Step::Done(state))) => state.running && !state.paused,
                Some(Err(Error::Container(ContainerError::Gone { .. }))) => false,
                // That says nothing about the container.
                Some(Err(error)) => return Err(error),
            };
            let Some((container, _)) = self.candidate.take() else {
                continue;
            };
            if runs {
                // Not before: the engine has this question to answer first.
                Shared::refill(&self.shared);
                return Ok(Step::Done(container));
            }
            tracing::warn!(
                name = container.name(),
                "a container of a pool ended before it was taken"
            );
            Shared::discard(&self.shared, container);
            Shared::refill(&self.shared);
        }
    }
}

impl<R: Runtime> Drop for Taking<R> {
    fn drop(&mut self) {
        let (seat, shared) = (self.seat, &self.shared);
        let Some((container, _)) = self.candidate.take() else {
            shared.lock().leave(seat);
            return;
        };
        let surplus = shared.change(|state| {
            state.leave(seat);
            if state.closed || state.ready.len() >= shared.size {
                return Some(container);
            }
            state.ready.push_front(container);
            None
        });
        // Outside of the lock.
        drop(surplus);
    }
}

fn dropped() -> Error {
    Error::misuse("the pool was dropped: keep it for as long as containers are taken from it")
}
