//! How a container fares: all about it, what it uses, and why it ended.

use std::sync::atomic::Ordering;

use super::super::StatsStream;
use super::Container;
use crate::op::{Info, WhyEnded};
use crate::runtime::Runtime;

impl<R: Runtime> Container<R> {
    /// Finds out all about it: what it is, what it uses, where it can be reached, and what runs in it. The engine is asked
    /// several things at once. It takes a second, over which CPU use is measured; one that does not run is told at once,
    /// without what it uses.
    ///
    /// The processes and, on Podman, the page cache are what a small script in the container tells, which takes a shell in
    /// its image. What could not be found out is said in [`ContainerInfo::unknown`](crate::ContainerInfo::unknown), and is
    /// no error.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let info = sandbox.info()?;
    /// println!("{info}");
    /// if info.memory_percent().is_some_and(|percent| percent > 90.0) {
    ///     println!("it will be killed if it goes on like that");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`] and those of the connection.
    pub fn info(&self) -> R::Returns<Info> {
        let runtime = self.engine.runtime();
        let attend = {
            let runtime = runtime.clone();
            move |(inspect, top, look)| {
                runtime.attend(inspect);
                runtime.attend(top);
                runtime.attend(look);
            }
        };
        runtime.drive(Info::new(
            self.engine.target(),
            self.id(),
            &self.name,
            runtime.host(),
            attend,
        ))
    }

    /// Why its main process ended. `None` if it has not, or was never started. A container that has removed itself is
    /// looked for in what the engine remembers: Docker's last 256 events, Podman's log of them.
    ///
    /// What this program did itself is told as that: with a stop and another reason at the same moment, the stop is told.
    /// Podman does not remember that someone else had it stop a container, which is told as an exit, nor, now and then, that
    /// someone had it remove one by force, which is told as a SIGKILL where the container removes itself anyway.
    /// Podman 4 does not say that memory was used up; it is concluded from a SIGKILL that nobody is seen to have had the engine
    /// send, in a container that has a limit and is still there. A stop by someone else that ended in a SIGKILL looks the same
    /// there.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, EndReason, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// match sandbox.end_reason()? {
    ///     None => println!("it runs"),
    ///     Some(EndReason::OutOfMemory) => println!("it needs more memory"),
    ///     Some(reason) => println!("{reason}: {}", reason.hint()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection. What nobody remembers is [`EndReason::Unknown`](crate::EndReason::Unknown).
    pub fn end_reason(&self) -> R::Returns<WhyEnded> {
        let runtime = self.engine.runtime();
        let here = self.told.here(self.ended.load(Ordering::Relaxed));
        let hides_memory = self.engine.hides_memory();
        let why = WhyEnded::new(self.engine.target(), self.place(), runtime.host(), here, hides_memory);
        runtime.drive(why)
    }

    /// What it uses, a sample each second for as long as it runs. Begins to gather them at once.
    ///
    /// Podman does not tell the page cache: there [`Stats::memory_used`](crate::Stats::memory_used) is not known, and
    /// [`info`](Self::info) tells it.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let busy = sandbox.spawn("while :; do :; done")?;
    /// for stats in sandbox.stats().take(5) {
    ///     println!("{}", stats?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> StatsStream<R> {
        StatsStream::new(self.engine.runtime(), self.engine.target(), self.id(), &self.name)
    }
}
