//! A container that begins anew, stays, or becomes an image.

use std::sync::Arc;

use super::super::engine::marks;
use super::{Container, Tie};
use crate::error::{ContainerError, Error};
use crate::image_ref::ImageRef;
use crate::op::live::Quieted;
use crate::op::{Anew, Reboot, Restart, Snapshot};
use crate::runtime::Runtime;

impl<R: Runtime> Container<R> {
    /// Ends everything in it and runs its main process again. Files are as they were, and so is everything that its spec
    /// says; the id stays, and processes do not.
    ///
    /// It is a [`restart`](Self::restart), except in what handles are told: streams, processes and sessions end before it,
    /// with [`ContainerError::Rebooted`]; a session, whose reason to be closed that is, is opened anew with
    /// [`session`](Self::session). Callbacks stay registered. A [lifetime](crate::ContainerSpec::lifetime) begins anew.
    ///
    /// Before Docker 26 and Podman 5, it takes a container that does not
    /// [remove itself](crate::ContainerSpec::auto_remove).
    ///
    /// A future of it that is dropped once the engine was asked goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.write_file("/tmp/file", "kept")?;
    /// sandbox.reboot()?;
    /// assert_eq!(sandbox.read_file("/tmp/file")?, "kept");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`restart`](Self::restart).
    pub fn reboot(&self) -> R::Returns<Quieted<Restart>> {
        let restart = self.restart_it();
        let refused = restart.is_refused();
        let restart = Quieted::rebooting(restart, &self.beside).unless(refused);
        self.engine.runtime().drive(restart)
    }

    /// Removes it, and makes another of the same spec in its place, with the same name: files are those of the image again.
    /// Everything that the spec says holds for the new one, which has another [id](Self::id).
    ///
    /// Streams, processes and sessions end before it, with [`ContainerError::Rebooted`]; a session is opened anew with
    /// [`session`](Self::session). Callbacks stay registered. A main process of your own is told to end (SIGTERM), and killed
    /// after the spec's grace.
    ///
    /// A future of it that is dropped once the old container is being removed goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.write_file("/tmp/file", "lost")?;
    /// sandbox.reboot_fresh()?;
    /// assert!(!sandbox.exists("/tmp/file")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ImageError::NotFound`](crate::ImageError::NotFound) if the image is not there any more: nothing was changed then.
    /// [`ContainerError::RebootFailed`] says what went wrong later, and what is left. [`Error::Misuse`] if it was
    /// [attached](crate::Engine::attach) to, so that its spec is not known here; if it was shut down, or is, at the same
    /// time; and if it is being rebooted already.
    pub fn reboot_fresh(&self) -> R::Returns<Reboot> {
        let reboot = match &self.spec {
            None => Reboot::refused(Error::misuse(format!(
                "the container {} was attached to, so that its spec is not known here: shut it down and make another one",
                self.name
            ))),
            Some(spec) => {
                let anew = Anew {
                    target: self.engine.target().clone(),
                    spec: Arc::clone(spec),
                    name: self.name.clone(),
                    marks: marks(&*self.engine.runtime().host()),
                    identity: Arc::clone(&self.identity),
                    leash: self.leash.clone(),
                    parting: self.parting(),
                    told: Arc::clone(&self.told),
                    ended: Arc::clone(&self.ended),
                    beside: Arc::clone(&self.beside),
                };
                Reboot::new(anew)
            }
        };
        self.engine.runtime().drive(reboot)
    }

    /// Says that it is to stay when this value is dropped and this program ends, and whether it can: only one that was made
    /// [persistent](crate::ContainerSpec::persistent). Then nothing need be done, and this is a check; drop the value, and
    /// [attach](crate::Engine::attach) to it later.
    ///
    /// It cannot be done later because engines cannot change what a container was made with: the main process of any other
    /// ends with its standard input, which this program holds, so that nothing is left when the program is killed.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{ContainerSpec, Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let sandbox = engine.create(ContainerSpec::new("pocket-dock/minimal").name("cache").persistent())?;
    /// sandbox.persist()?;
    /// drop(sandbox); // it runs on
    /// engine.attach("cache")?.run("true")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ContainerError::NotPersistent`]: it is as it was, and ends with the program that made it.
    pub fn persist(&self) -> Result<(), Error> {
        if self.is_persistent() {
            return Ok(());
        }
        let name = self.name.clone();
        Err(ContainerError::NotPersistent { name }.into())
    }

    /// Whether it outlives this value and this program.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// if sandbox.is_persistent() {
    ///     println!("remove it with `Engine::destroy({:?})`", sandbox.name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.tie == Tie::Nothing
    }

    /// Makes an image of its files as they are, and names it `repository[:tag]`, `latest` if there is no tag. Gives the
    /// image's id. All processes are frozen meanwhile. A stopped container does as well.
    ///
    /// What is in volumes and in memory is no part of it. The image runs by itself what the container's own image does, or
    /// the command of the container's spec. Containers that are made of it are told apart from this one.
    ///
    /// It may take an hour at most. A future of it that is dropped before its end may or may not have done it.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{ContainerSpec, Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.run("make install")?;
    /// let id = sandbox.snapshot("localhost:5000/team/tools:1.2")?;
    /// let copy = sandbox.engine().create(ContainerSpec::new(id))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ImageError::BadName`](crate::ImageError::BadName), [`ContainerError::Gone`]; [`Error::Refused`] with the engine's
    /// words.
    pub fn snapshot(&self, image: impl AsRef<str>) -> R::Returns<Snapshot> {
        let image = ImageRef::new_tag(image.as_ref()).map_err(Error::from);
        let snapshot = Snapshot::new(self.engine.target(), self.id(), &self.name, image);
        self.engine.runtime().drive(snapshot)
    }
}
