//! Finding containers of ours again, and removing those that nobody has any more.

use std::time::Instant;

use super::super::container::End;
use super::{Container, Engine};
use crate::error::Error;
use crate::link::Link;
use crate::listing::{ListFilter, Prune};
use crate::op::find::Find;
use crate::op::{Created, Destroy, Listing, Op, Pruning, Restart, Slot, Step, ready};
use crate::runtime::Runtime;

impl<R: Runtime> Engine<R> {
    /// The containers of pocket-dock that are on this engine, of whatever program, running or not, the oldest first; or
    /// those of them that the filter takes. Others are never among them, nor are those that have their labels from an image.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error, ListFilter};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// for one in engine.list(ListFilter::new().running().label("project", "website"))? {
    ///     println!("{} ({}), made of {}", one.name, one.status, one.image);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection.
    pub fn list(&self, filter: ListFilter) -> R::Returns<Listing> {
        let listing = Listing::new(self.target(), move |listed| filter.choose(listed));
        self.runtime().drive(listing)
    }

    /// A container of pocket-dock that is there, by its name, its id, or the beginning of its id. Nothing is done to it: one
    /// that is stopped or paused stays so.
    ///
    /// What is done with the value is done to the container, which may be another program's. Dropping it, however, leaves the
    /// container as it is; [`shutdown`](Container::shutdown) removes it. Only a [persistent](crate::ContainerSpec::persistent)
    /// one can be started, restarted or rebooted from here; any other is tied to the program that made it.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let cache = engine.attach("build-cache")?;
    /// println!("{}", cache.run("df -h /")?.stdout_text());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`], [`crate::ContainerError::Foreign`]; [`Error::Misuse`] for what cannot be a name or an
    /// id.
    pub fn attach(&self, container: impl AsRef<str>) -> R::Returns<Attaching<R>> {
        self.runtime().drive(self.attaching(container.as_ref()))
    }

    fn attaching(&self, reference: &str) -> Attaching<R> {
        Attaching {
            engine: self.clone(),
            find: Find::new(self.target(), reference),
        }
    }

    /// As [`attach`](Self::attach), and [starts](Container::start) it if it is stopped, or lets it go on if it is paused.
    ///
    /// A future of it that is dropped once the engine was asked goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// engine.attach("build-cache")?.stop()?;
    /// let cache = engine.resume("build-cache")?; // tomorrow, in another program
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`attach`](Self::attach) and [`Container::start`].
    pub fn resume(&self, container: impl AsRef<str>) -> R::Returns<Resuming<R>> {
        self.runtime()
            .drive(Resuming(State::Find(Box::new(self.attaching(container.as_ref())))))
    }

    /// Removes a container of pocket-dock, by its name, its id, or the beginning of its id: whatever it does, and whoever
    /// made it. All in it is killed and lost.
    ///
    /// A future of it that is dropped once the engine was asked to goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// engine.destroy("build-cache")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`attach`](Self::attach); [`crate::ContainerError::StillThere`].
    pub fn destroy(&self, container: impl AsRef<str>) -> R::Returns<Destroy> {
        let destroy = Destroy::new(self.target(), container.as_ref());
        self.runtime().drive(destroy)
    }

    /// What [`prune`](Self::prune) would remove now. Nothing is removed.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error, Prune};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// for one in engine.prune_candidates(Prune::new())? {
    ///     println!("{} has been {} since its program died", one.name, one.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection.
    pub fn prune_candidates(&self, prune: Prune) -> R::Returns<Listing> {
        let candidates = Pruning::candidates(self.target(), prune, self.runtime().host());
        self.runtime().drive(candidates)
    }

    /// Removes the containers of pocket-dock that are left over, and says which those were. What runs or is paused is never
    /// removed, nor what was started since it was looked at: the engine itself refuses. Look first, with
    /// [`prune_candidates`](Self::prune_candidates).
    ///
    /// A future of it that is dropped before its end removes no more.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error, Prune};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let pruned = engine.prune(Prune::new().persistent().label("project", "website"))?;
    /// println!("{} removed", pruned.removed.len());
    /// for (one, why) in pruned.kept {
    ///     println!("{} is still there: {why}", one.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection. One that cannot be removed is no error: [`Pruned::kept`](crate::Pruned::kept) has it.
    pub fn prune(&self, prune: Prune) -> R::Returns<Pruning> {
        let pruning = Pruning::new(self.target(), prune, self.runtime().host());
        self.runtime().drive(pruning)
    }
}

/// Finds a container of pocket-dock.
#[derive(Debug)]
pub struct Attaching<R: Runtime> {
    engine: Engine<R>,
    find: Find,
}

impl<R: Runtime> Op for Attaching<R> {
    type Output = Container<R>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Container<R>>, Error> {
        let ours = ready!(self.find.poll(now, link));
        let end = End::found(ours.auto_remove, ours.own_main, ours.persistent);
        let (id, name, leash) = (ours.id, ours.name, Slot::default());
        let container = Container::new(self.engine.clone(), Created { id, name, leash }, end);
        Ok(Step::Done(container))
    }
}

/// Finds a container and starts it.
#[derive(Debug)]
pub struct Resuming<R: Runtime>(State<R>);

#[derive(Debug)]
enum State<R: Runtime> {
    Find(Box<Attaching<R>>),
    Start(Option<Container<R>>, Box<Restart>),
}

impl<R: Runtime> Op for Resuming<R> {
    type Output = Container<R>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Container<R>>, Error> {
        loop {
            self.0 = match &mut self.0 {
                State::Find(find) => {
                    let found = ready!(find.poll(now, link));
                    let start = Box::new(found.start_op());
                    State::Start(Some(found), start)
                }
                State::Start(found, start) => {
                    ready!(start.poll(now, link));
                    let found = found.take().ok_or_else(crate::op::after_the_end)?;
                    return Ok(Step::Done(found));
                }
            };
        }
    }

    fn abandon(&mut self) -> bool {
        match &mut self.0 {
            State::Find(_) => false,
            State::Start(_, start) => start.abandon(),
        }
    }
}
