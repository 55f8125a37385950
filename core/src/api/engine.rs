//! A container engine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::container::End;
use super::{Connecting, Container, Doctor, hex};
use crate::doctor::Checkup;
use crate::endpoint::Endpoint;
use crate::engine_api::container::Marks;
use crate::engine_api::image::{self, ImageSummary};
use crate::engine_api::progress::Said;
use crate::engine_api::refusal::Subject;
use crate::engine_api::{EngineKind, Target, json};
use crate::error::{Error, ImageError};
use crate::image_ref::ImageRef;
use crate::limits::Limits;
use crate::link::Link;
use crate::op::connect::Found;
use crate::op::{Ask, Create, Op, Step};
use crate::runtime::{Host, Runtime};
use crate::spec::ContainerSpec;

mod listing;

pub use listing::{Attaching, Resuming};

/// How long a build or the upload of an image may take.
const UPLOAD_LIMIT: Duration = Duration::from_secs(3600);

/// How to reach an engine, and what to expect of it.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) socket: Option<Endpoint>,
    pub(super) answer_limit: Duration,
    pub(super) limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            socket: None,
            answer_limit: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// The engine is looked for, and answers within 60 s.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The path of the engine's socket. Nothing else is tried.
    #[must_use]
    pub fn socket(mut self, path: impl AsRef<std::path::Path>) -> Self {
        self.socket = Some(Endpoint::unix(path));
        self
    }

    /// How long the engine may take to answer a request. 60 s by default. The time a command runs is no part of it.
    #[must_use]
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.answer_limit = limit;
        self
    }

    /// What is believed of what the engine sends.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// A container engine that answered. Cheap to clone; clones share everything.
#[derive(Debug)]
pub struct Engine<R: Runtime>(Arc<Inner<R>>);

impl<R: Runtime> Clone for Engine<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<R> {
    runtime: R,
    target: Target,
    version: String,
    swept: AtomicBool,
}

impl<R> fmt::Debug for Inner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("kind", &self.target.kind())
            .field("socket", self.target.endpoint())
            .finish()
    }
}

impl<R: Runtime + Default> Engine<R> {
    /// Finds an engine: the one that `POCKET_DOCK_SOCKET`, `DOCKER_HOST` or `CONTAINER_HOST` names, or the first that
    /// answers at the usual places. Where none does and there is a `podman` program, its service is started for the
    /// life of the `Engine`, which takes a second or two.
    ///
    /// A future of it that is dropped before its end leaves nothing: a service that was being started for it is ended
    /// in the background.
    ///
    /// ```no_run
    /// let engine = pocket_dock_blocking::Engine::connect()?;
    /// println!("{} {} at {}", engine.kind(), engine.version(), engine.socket());
    /// # Ok::<(), pocket_dock_blocking::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::SocketError::Setting`] if a setting is of no use, [`crate::SocketError::NoEngine`] with all that was
    /// tried.
    pub fn connect() -> R::Returns<Connecting<R>> {
        Self::connect_with(R::default(), Options::new())
    }
}

impl<R: Runtime> Engine<R> {
    /// As [`connect`](Self::connect), on this runtime and with these options.
    ///
    /// A future of it that is dropped before its end leaves nothing, as with [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use pocket_dock_blocking::{Blocking, Engine, Options};
    ///
    /// let engine = Engine::connect_with(Blocking, Options::new().socket("/run/podman/podman.sock"))?;
    /// # Ok::<(), pocket_dock_blocking::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub fn connect_with(runtime: R, options: Options) -> R::Returns<Connecting<R>> {
        runtime.drive(Connecting::new(runtime.clone(), options))
    }

    /// Looks for an engine as [`connect_with`](Self::connect_with) does, and says what is well and what is not, also where
    /// there is none. The adapter crates have it as a function, `doctor`.
    ///
    /// A future of it that is dropped before its end leaves nothing, as with [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use pocket_dock_blocking::{Blocking, Checkup, Engine, Options};
    ///
    /// println!("{}", Engine::diagnose(Blocking, Options::new(), Checkup::new())?);
    /// # Ok::<(), pocket_dock_blocking::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Misuse`] where the runtime cannot do I/O. That there is no engine is a finding, and no error.
    pub fn diagnose(runtime: R, options: Options, checkup: Checkup) -> R::Returns<Doctor<R>> {
        let connecting = Connecting::new(runtime.clone(), options);
        runtime.drive(Doctor::connecting(connecting, checkup))
    }

    pub(super) fn found(runtime: R, found: Found) -> Self {
        Self(Arc::new(Inner {
            runtime,
            target: found.target,
            version: found.version,
            swept: AtomicBool::new(false),
        }))
    }

    /// Docker or Podman.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// if engine.kind() == pocket_dock_blocking::EngineKind::Podman {
    ///     println!("on Podman");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn kind(&self) -> EngineKind {
        self.0.target.kind()
    }

    /// The engine's own version, such as `28.5.2`.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// println!("{} {}", engine.kind(), engine.version());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Its socket.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// println!("at {}", engine.socket());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn socket(&self) -> &Endpoint {
        self.0.target.endpoint()
    }

    /// Makes a container and starts it. It ends with the returned value, and with this program, however that ends.
    ///
    /// A future of it that is dropped before its end leaves no container, wherever it was: what the engine has made by
    /// then, or is about to make, is removed in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{ContainerSpec, Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let spec = ContainerSpec::new("pocket-dock/minimal").memory("256m").pids(64);
    /// let sandbox = engine.create(spec)?;
    /// sandbox.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ImageError::NotFound`], [`crate::ContainerError::NameInUse`], [`crate::ContainerError::BadMemory`],
    /// [`crate::ContainerError::NoDiskLimit`], [`crate::ContainerError::NoNetwork`], [`crate::ContainerError::NoUser`],
    /// [`crate::ContainerError::StartFailed`];
    /// [`Error::Misuse`] for a spec that cannot be. After an error nothing is left on the engine: where it did not answer in time, or the connection
    /// broke, the container is looked for up to 10 s more.
    ///
    /// The first creation removes what programs that have died left on the engine, for 10 s at most.
    pub fn create(&self, spec: ContainerSpec) -> R::Returns<Creating<R>> {
        self.0.runtime.drive(self.creating(spec))
    }

    pub(super) fn creating(&self, spec: ContainerSpec) -> Creating<R> {
        let host = self.0.runtime.host();
        let marks = marks(&*host);
        let name = spec
            .name
            .clone()
            .unwrap_or_else(|| format!("pd-{}", &marks.instance[..8]));
        let end = End::of(&spec);
        let sweep = (!self.0.swept.load(Ordering::Relaxed)).then_some(host);
        let create = Create::new(&self.0.target, spec, name, marks, sweep);
        Creating {
            engine: self.clone(),
            create,
            end,
        }
    }

    /// The images the engine has.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// for image in engine.images()? {
    ///     println!("{:?}: {} MiB", image.names, image.size >> 20);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection.
    pub fn images(&self) -> R::Returns<Ask<Vec<ImageSummary>>> {
        self.ask("list images", Subject::Engine, Ok(image::list()), |answer| {
            json("list images", &answer.body)
        })
    }

    /// Builds an image from a tar that has a `Dockerfile` in it, and names it `tag`.
    ///
    /// A base image (`FROM`) that the engine does not have is the one thing that is fetched here, and the engine does it:
    /// it pulls the image from a registry, if it can reach one. Offline it cannot, and the build fails with its words, at
    /// once or when its look-ups time out. To be sure that nothing is fetched, see with [`images`](Self::images) that the
    /// base is there, or begin with `FROM scratch`. What `RUN` lines fetch is theirs.
    ///
    /// A future of it that is dropped before its end closes the connection. Engines give up then, as soon as they
    /// notice; whether the image is there afterwards is not certain, and layers may be left in the engine's cache.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{BuildContext, Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let context = BuildContext::new().file("Dockerfile", "FROM pocket-dock/minimal\nENV LANG=C.UTF-8\n")?;
    /// let built = engine.build_image("mine:1", context.finish()?)?;
    /// println!("{}", built.id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ImageError::BadName`]; [`ImageError::BuildFailed`] with the end of the log, also where the engine refuses to begin, or a base image is
    /// missing and cannot be pulled.
    pub fn build_image(&self, tag: &str, context: impl Into<Bytes>) -> R::Returns<Ask<BuiltImage>> {
        let what = "build image";
        let request = ImageRef::new_tag(tag).map(|_| image::build(tag)).map_err(Error::from);
        let ask = Ask::progress(what, &self.0.target, Subject::Build, request, |said| {
            let log = said.log;
            match (said.error, said.id) {
                (Some(message), _) => Err(ImageError::BuildFailed { message, log }.into()),
                (None, Some(id)) => Ok(BuiltImage {
                    id: image::normal_id(&id),
                    log,
                }),
                (None, None) => {
                    let message = "the engine named no image".to_owned();
                    Err(ImageError::BuildFailed { message, log }.into())
                }
            }
        });
        self.0.runtime.drive(ask.body(context.into()).within(UPLOAD_LIMIT))
    }

    /// Loads images from what `docker save` or `podman save` wrote. Gives what the engine said, the last 20 lines of it.
    ///
    /// A future of it that is dropped before its end closes the connection. Engines give up then, as soon as they
    /// notice; images that were loaded by then stay.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::Engine;
    /// # fn example(engine: &Engine) -> Result<(), Box<dyn std::error::Error>> {
    /// let archive = std::fs::read("images.tar")?;
    /// println!("{}", engine.load_image(archive)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] with the engine's words if it is no such archive.
    pub fn load_image(&self, archive: impl Into<Bytes>) -> R::Returns<Ask<String>> {
        self.upload("load image", Ok(image::load()), archive.into(), |said| said.log)
    }

    /// Makes an image of a root file system in a tar. `changes` are lines as in a Dockerfile, such as
    /// `ENV PATH=/bin`. Gives the image's id.
    ///
    /// A future of it that is dropped before its end closes the connection. Engines give up then, as soon as they
    /// notice; whether the image is there afterwards is not certain.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{BuildContext, Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let root = BuildContext::dir("rootfs")?.finish()?;
    /// let id = engine.import_image("hello:1", root, ["CMD [\"/hello\"]"])?;
    /// println!("{id}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ImageError::BadName`]; [`Error::Refused`] with the engine's words if it is no tar.
    pub fn import_image<I>(&self, name: &str, root: impl Into<Bytes>, changes: I) -> R::Returns<Ask<String>>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let changes: Vec<String> = changes.into_iter().map(Into::into).collect();
        let request = ImageRef::new_tag(name)
            .map(|(repository, tag)| image::import(&repository, &tag, &changes))
            .map_err(Error::from);
        self.upload("import image", request, root.into(), |said| {
            image::normal_id(&said.id.unwrap_or(said.log))
        })
    }

    /// Says what is well and what is not with this engine, and what to do about it: its version, its rights, which limits it
    /// can set, how it stores containers, whether images are there, and what is left of programs that have died. Changes
    /// nothing.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Checkup, Engine, Error};
    /// # fn example(engine: &Engine) -> Result<(), Error> {
    /// let report = engine.doctor(Checkup::new().image("pocket-dock/minimal"))?;
    /// println!("{report}");
    /// assert!(report.is_usable());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Misuse`] where the runtime cannot do I/O. What else goes wrong is a finding, and no error.
    pub fn doctor(&self, checkup: Checkup) -> R::Returns<Doctor<R>> {
        self.0.runtime.drive(Doctor::of(self, checkup))
    }

    fn upload(
        &self,
        what: &'static str,
        request: Result<crate::http::Request, Error>,
        data: Bytes,
        read: impl FnOnce(Said) -> String + Send + 'static,
    ) -> R::Returns<Ask<String>> {
        let ask = Ask::progress(what, &self.0.target, Subject::Engine, request, move |said| {
            match said.error {
                Some(message) => Err(Error::Refused {
                    what,
                    status: 200,
                    message,
                }),
                None => Ok(read(said)),
            }
        });
        self.0.runtime.drive(ask.body(data).within(UPLOAD_LIMIT))
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        subject: Subject,
        request: Result<crate::http::Request, Error>,
        read: impl FnOnce(crate::http::Answer) -> Result<T, Error> + Send + 'static,
    ) -> R::Returns<Ask<T>> {
        self.0
            .runtime
            .drive(Ask::new(what, &self.0.target, subject, request, read))
    }

    /// Whether its restart keeps containers that remove themselves. Podman 4 removes them in the middle of it every other
    /// time, and Docker 20 loses track of 1 in 20; those named here never did.
    pub(super) fn restarts_well(&self) -> bool {
        let least = match self.kind() {
            EngineKind::Docker => 26,
            EngineKind::Podman => 5,
        };
        self.major().is_some_and(|major| major >= least)
    }

    /// Whether it does not say that a main process was killed as memory was used up.
    pub(super) fn hides_memory(&self) -> bool {
        self.kind() == EngineKind::Podman && self.major().is_some_and(|major| major < 5)
    }

    fn major(&self) -> Option<u32> {
        self.version().split('.').next().and_then(|major| major.parse().ok())
    }

    pub(super) fn target(&self) -> &Target {
        &self.0.target
    }

    pub(super) fn runtime(&self) -> &R {
        &self.0.runtime
    }
}

/// The labels of a container that is made now.
pub(super) fn marks(host: &dyn Host) -> Marks {
    let instance = hex(host.entropy());
    let created_at = jiff::Timestamp::try_from(host.now())
        .map(|now| now.to_string())
        .unwrap_or_default();
    Marks {
        instance,
        created_at,
        owner: host.owner().map(|owner| owner.to_string()),
    }
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuiltImage {
    /// Its id, `sha256:` and 64 hex digits.
    pub id: String,
    /// The end of what the build printed: 20 lines, of 64 KiB together at most.
    pub log: String,
}

/// Makes a container.
#[derive(Debug)]
pub struct Creating<R: Runtime> {
    engine: Engine<R>,
    create: Create,
    end: End,
}

impl<R: Runtime> Op for Creating<R> {
    type Output = Container<R>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Container<R>>, Error> {
        let created = crate::op::ready!(self.create.poll(now, link));
        self.engine.0.swept.store(true, Ordering::Relaxed);
        Ok(Step::Done(Container::new(
            self.engine.clone(),
            created,
            self.end.clone(),
        )))
    }

    fn abandon(&mut self) -> bool {
        self.create.abandon()
    }
}
