//! A container that is ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Engine, hex};
use crate::command::Command;
use crate::end_reason::Sent;
use crate::engine_api::container;
use crate::engine_api::refusal::Subject;
use crate::error::Error;
use crate::http::{Answer, Request};
use crate::link::Link;
use crate::op::live::{Beside, Callbacks, Quieted, Relaxed};
use crate::op::unpaused::Unpaused;
use crate::op::{Ask, Created, Identity, Op, Pause, Place, Remove, Restart, Run, Shutdown, Slot, Step, Wait};
use crate::runtime::Runtime;
use crate::signal::Signal;
use crate::spec::{ContainerSpec, Defaults};

mod again;
mod applied;
mod beside;
mod files;
mod info;
mod tie;

pub use tie::ContainerState;
pub(super) use tie::{End, Tie};

/// A container that is ours: it ends with this value, and with this program, however that ends; unless it is
/// [persistent](ContainerSpec::persistent), or belongs to another value and was [attached](Engine::attach) to: then dropping
/// this leaves it as it is.
///
/// Dropping it kills and removes it. Where calls block, that is done when the drop returns (0.1 s as a rule). Elsewhere
/// the drop does not block, on whatever thread and even while the runtime shuts down: the removal is done in the
/// background, and a program that ends before that leaves it to the container itself, a little later.
/// [`shutdown`](Self::shutdown) does the same in order and says if it failed. All calls may be made from several
/// threads at a time.
#[derive(Debug)]
pub struct Container<R: Runtime> {
    engine: Engine<R>,
    identity: Arc<Identity>,
    name: String,
    leash: Slot,
    grace: Duration,
    auto_remove: bool,
    own_main: bool,
    tie: Tie,
    /// What it was made of, if it was made here.
    spec: Option<Arc<ContainerSpec>>,
    /// It has ended, or is being ended; a failure to do so takes it back.
    ended: Arc<AtomicBool>,
    /// What this program told its main process since it was started: the numbers of signals, as bits. The first bit: to
    /// stop.
    told: Arc<Sent>,
    beside: Arc<Beside>,
}

impl<R: Runtime> Container<R> {
    pub(super) fn new(engine: Engine<R>, created: Created, end: End) -> Self {
        let Created { id, name, leash } = created;
        let runtime = engine.runtime().clone();
        let beside = Beside::new(Callbacks::new(move |job| runtime.offload(job)));
        Self {
            beside: Arc::new(beside),
            engine,
            identity: Arc::new(Identity::new(id)),
            name,
            leash,
            grace: end.grace,
            auto_remove: end.auto_remove,
            own_main: end.own_main,
            tie: end.tie,
            spec: end.spec,
            ended: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Its id on the engine: 64 hex digits. Another one after [`reboot_fresh`](Self::reboot_fresh).
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// assert_eq!(sandbox.id().len(), 64);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        self.identity.id()
    }

    /// Its name: `pd-` and 8 hex digits unless the spec gave one.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// println!("see `podman logs {}`", sandbox.name());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The engine it is on.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// println!("on {}", sandbox.engine().kind());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn engine(&self) -> &Engine<R> {
        &self.engine
    }

    /// Runs a command and waits until it ends. What it left in the background is not waited for, and lives on. A
    /// command that fails is no error: look at the exit code.
    ///
    /// A future of it that is dropped before its end kills the command in the background, with all its processes, as a
    /// time limit does: within a second as a rule. One that was not started yet never is.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let result = sandbox.run("make test")?;
    /// assert!(result.success(), "{}", result.stderr_text());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ExecError`] if it could not be started, or its end is unknown; [`crate::ContainerError`] if the
    /// container is not running, paused or gone; [`Error::Misuse`] for a command that cannot be.
    pub fn run(&self, command: impl Into<Command>) -> R::Returns<Run> {
        let (id, mark) = (self.random(), self.random());
        let command = self.defaults().fill(command.into());
        let run = Run::new(self.engine.target(), self.place(), command, id, mark);
        self.engine.runtime().drive(run)
    }

    /// What commands have that do not say otherwise.
    fn defaults(&self) -> Defaults {
        self.spec.as_deref().map(ContainerSpec::defaults).unwrap_or_default()
    }

    /// 128 random bits, as hex digits.
    fn random(&self) -> String {
        hex(self.engine.runtime().host().entropy())
    }

    fn place(&self) -> Place {
        Place {
            id: self.id().to_owned(),
            name: self.name.clone(),
            removes_itself: self.auto_remove,
        }
    }

    /// Asks the engine how it is.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let state = sandbox.inspect()?;
    /// println!("{} with {:?}", state.status, state.exit_code);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`].
    pub fn inspect(&self) -> R::Returns<Ask<ContainerState>> {
        self.engine.runtime().drive(self.looking())
    }

    /// Freezes all its processes. Where the engine cannot freeze them at once, it is asked again for 10 s.
    ///
    /// A future of it that is dropped before its end may or may not have done it.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.pause()?;
    /// assert!(sandbox.inspect()?.paused);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError`]; [`Error::Refused`] if it is paused already.
    pub fn pause(&self) -> R::Returns<Pause> {
        let pause = Pause::new(self.engine.target(), self.id(), &self.name);
        self.engine.runtime().drive(pause)
    }

    /// Lets its processes go on.
    ///
    /// A future of it that is dropped before its end may or may not have done it.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.pause()?;
    /// sandbox.unpause()?;
    /// assert!(sandbox.run("true")?.success());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError`]; [`Error::Refused`] if it is not paused.
    pub fn unpause(&self) -> R::Returns<Ask<()>> {
        self.ask("unpause container", container::unpause(self.id()), |_| Ok(()))
    }

    /// Sends a signal to its main process. A paused container goes on first: no engine delivers it otherwise, and some lose
    /// the exit code.
    ///
    /// A future of it that is dropped before its end may or may not have sent it.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error, Signal};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.kill(Signal::Hup)?; // to load its configuration anew
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError`].
    pub fn kill(&self, signal: Signal) -> R::Returns<Relaxed<Ask<()>>> {
        self.told.signal(signal);
        let kill = self.unpaused("kill container", container::kill(self.id(), signal));
        let ask = self.tell("kill container", kill.map(Unpaused::looking));
        self.engine.runtime().drive(Relaxed::all(ask, &self.beside))
    }

    /// Tells the main process to end (SIGTERM), and kills it after the spec's grace. The container then removes itself,
    /// unless its spec says [otherwise](crate::ContainerSpec::auto_remove); stopped already, it is stopped. A paused one
    /// goes on for it.
    ///
    /// Streams and processes end before it: whoever waits for them gets
    /// [`crate::ContainerError::EndedHere`], behind the output so far.
    ///
    /// A future of it that is dropped once it was polled goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.stop()?;
    /// assert!(!sandbox.inspect()?.running); // made with `auto_remove(false)`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`].
    pub fn stop(&self) -> R::Returns<Quieted<Ask<()>>> {
        self.told.stop();
        let limit = self.engine.target().answer_limit().saturating_add(self.grace);
        let stop = self.unpaused("stop container", container::stop(self.id(), self.grace));
        let ask = self.tell("stop container", stop.map(|stop| stop.within(limit)));
        self.engine.runtime().drive(Quieted::new(ask, &self.beside))
    }

    /// Runs the main process of a stopped container again, which takes a spec with
    /// [`auto_remove(false)`](crate::ContainerSpec::auto_remove). Files are as they were; processes are not. Running
    /// already, it runs on; paused, it goes on.
    ///
    /// A future of it that is dropped once the engine was asked goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.stop()?;
    /// sandbox.start()?; // made with `auto_remove(false)`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`], [`crate::ContainerError::StartFailed`]; [`Error::Misuse`] if it is tied to another
    /// program.
    pub fn start(&self) -> R::Returns<Restart> {
        self.engine.runtime().drive(self.start_op())
    }

    /// Ends the main process, as [`stop`](Self::stop) does, and all others with it, and runs it again. Files are as they
    /// were. The container stays tied to this value and this program. A paused one goes on for it.
    ///
    /// Older engines lose a container that [removes itself](crate::ContainerSpec::auto_remove) while it is restarted, now
    /// and then. Before Docker 26 and Podman 5 this is refused, and nothing is lost: make the container with
    /// `auto_remove(false)`.
    ///
    /// A future of it that is dropped once the engine was asked goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.run("echo kept >/tmp/file; sleep 1000 &")?;
    /// sandbox.restart()?;
    /// assert_eq!(sandbox.run("cat /tmp/file")?.stdout_text(), "kept\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`], [`crate::ContainerError::StartFailed`]; [`Error::Deadline`] if the main process
    /// has not ended within [`crate::Options::answer_limit`] and the grace; [`Error::Misuse`] on an engine that could
    /// lose it, or if it is tied to another program.
    pub fn restart(&self) -> R::Returns<Quieted<Restart>> {
        let restart = self.restart_it();
        let refused = restart.is_refused();
        let restart = Quieted::new(restart, &self.beside).unless(refused);
        self.engine.runtime().drive(restart)
    }

    /// Waits until its main process ends, however long that takes, and gives its exit code, at once if it has ended
    /// already. The container then removes itself, unless its spec says
    /// [otherwise](crate::ContainerSpec::auto_remove).
    ///
    /// A future of it that is dropped before its end waits no longer, and changes nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// println!("it ended with exit code {}", sandbox.wait()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`] if it is gone already; [`Error::Deadline`] if the engine does not take the
    /// question within [`crate::Options::answer_limit`].
    pub fn wait(&self) -> R::Returns<Wait> {
        self.engine
            .runtime()
            .drive(Wait::new(self.engine.target(), self.id(), &self.name))
    }

    /// Tells the main process to end (SIGTERM), ends its standard input, kills it after the spec's grace, and sees that
    /// the container is gone. A paused one goes on for it. Done already, it is done. After an error, the drop tries again.
    ///
    /// A future of it that is dropped, even before it was polled at all, goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.shutdown()?;
    /// sandbox.shutdown()?; // it is gone already, and that is no error
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::StillThere`] and those of the connection.
    pub fn shutdown(&self) -> R::Returns<Ending> {
        self.end(self.shutdown_op())
    }

    /// Kills everything in it and sees that it is gone. Done already, it is done.
    ///
    /// A future of it that is dropped, even before it was polled at all, goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.shutdown_force()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::StillThere`] and those of the connection.
    pub fn shutdown_force(&self) -> R::Returns<Ending> {
        self.end(Ok(Shutdown::forced(self.engine.target(), self.id())))
    }

    fn end(&self, shutdown: Result<Shutdown, Error>) -> R::Returns<Ending> {
        self.ended.store(true, Ordering::SeqCst);
        self.engine.runtime().drive(Ending {
            shutdown: Some(shutdown.map(|shutdown| Quieted::new(shutdown, &self.beside))),
            leash: self.leash.clone(),
            ended: Arc::clone(&self.ended),
        })
    }

    fn unpaused(&self, what: &'static str, request: Result<Request, Error>) -> Result<Unpaused, Error> {
        Ok(Unpaused::new(what, self.engine.target(), self.id(), request?))
    }

    fn tell(&self, what: &'static str, unpaused: Result<Unpaused, Error>) -> Ask<()> {
        let subject = Subject::Container(self.name.clone());
        Ask::unpausing(what, subject, unpaused, |_| Ok(()))
    }

    fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        request: Result<Request, Error>,
        read: impl FnOnce(Answer) -> Result<T, Error> + Send + 'static,
    ) -> R::Returns<Ask<T>> {
        let subject = Subject::Container(self.name.clone());
        let ask = Ask::new(what, self.engine.target(), subject, request, read);
        self.engine.runtime().drive(ask)
    }
}

impl<R: Runtime> Drop for Container<R> {
    fn drop(&mut self) {
        if self.tie == Tie::Here && !self.ended.swap(true, Ordering::SeqCst) {
            self.leash.clear();
            let remove = Remove::new(self.engine.target(), self.id()).persistent();
            self.engine.runtime().finish(Quieted::new(remove, &self.beside));
        }
    }
}

/// Ends a container.
#[derive(Debug)]
pub struct Ending {
    shutdown: Option<Result<Quieted<Shutdown>, Error>>,
    leash: Slot,
    ended: Arc<AtomicBool>,
}

impl Op for Ending {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        let step = match &mut self.shutdown {
            Some(Ok(shutdown)) => shutdown.poll(now, link),
            _ => match self.shutdown.take() {
                Some(Err(error)) => Err(error),
                _ => Ok(Step::Done(())),
            },
        };
        match &step {
            Ok(Step::Done(())) => self.leash.clear(),
            Ok(Step::Need(_)) => {}
            // The drop tries again.
            Err(_) => self.ended.store(false, Ordering::SeqCst),
        }
        step
    }

    fn abandon(&mut self) -> bool {
        if let Some(Ok(shutdown)) = &mut self.shutdown {
            shutdown.abandon();
        }
        true
    }
}
