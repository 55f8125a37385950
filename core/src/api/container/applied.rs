//! What the engine made of the container's spec.

use super::Container;
use crate::applied::Applied;
use crate::engine_api::json;
use crate::engine_api::settings::{self, Settings};
use crate::error::Error;
use crate::op::Ask;
use crate::runtime::Runtime;
use crate::spec::BoundPort;

impl<R: Runtime> Container<R> {
    /// Asks the engine how the container was made, and tells where that is not what its spec asked for: engines say nothing
    /// of what they cannot do. [`Engine::create`](crate::Engine::create) does not ask; this is one request more. Ports are
    /// compared while it runs: at no other time are they bound.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{ContainerSpec, Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let sandbox = engine.create(ContainerSpec::untrusted("pocket-dock/minimal"))?;
    /// let applied = sandbox.applied()?;
    /// assert!(applied.differences.is_empty(), "{:?}", applied.differences);
    /// assert_eq!(applied.memory, Some(512 << 20));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`].
    pub fn applied(&self) -> R::Returns<Ask<Applied>> {
        let spec = self.spec.clone();
        self.settings("inspect container", move |settings| {
            Applied::new(settings, spec.as_deref())
        })
    }

    /// Asks the engine where the container's [ports](crate::ContainerSpec::port) can be reached, in their order. Those that
    /// are not bound are not among them, nor is any while it does not run.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{ContainerSpec, Engine, Error, Network};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let spec = ContainerSpec::new("pocket-dock/minimal").network(Network::Default).port(80);
    /// let sandbox = engine.create(spec)?;
    /// for port in sandbox.ports()? {
    ///     println!("{port}"); // 127.0.0.1:32768 -> 80/tcp
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError::Gone`].
    pub fn ports(&self) -> R::Returns<Ask<Vec<BoundPort>>> {
        self.settings("inspect container", |settings| settings.network_settings.ports.bound())
    }

    fn settings<T: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce(Settings) -> T + Send + 'static,
    ) -> R::Returns<Ask<T>> {
        let request = settings::inspect(self.engine.kind(), self.id());
        self.ask(what, request, move |answer| {
            let settings: Result<Settings, Error> = json(what, &answer.body);
            settings.map(read)
        })
    }
}
