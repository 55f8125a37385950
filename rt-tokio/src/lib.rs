//! Container sandboxes on the Docker or Podman you already have, for tokio.
//!
//! ```no_run
//! use pocket_dock_tokio::{Command, ContainerSpec, Engine, Error};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     let engine = Engine::connect().await?;
//!     let sandbox = engine.create(ContainerSpec::new("pocket-dock/minimal")).await?;
//!     let (hello, sum) = tokio::try_join!(
//!         sandbox.run("echo hello from $(uname)"),
//!         sandbox.run(Command::lang("python", "print(sum(range(101)))")),
//!     )?;
//!     print!("{}{}", hello.stdout_text(), sum.stdout_text());
//!     sandbox.shutdown().await
//! }
//! ```
//!
//! Every call gives a [`Driving`], a future that is `Send` and does nothing until it is polled. It wants a runtime with
//! I/O and time enabled, as `#[tokio::main]` and `Builder::enable_all` have them, of either flavor; elsewhere it ends with
//! [`Error::Misuse`]. Under [`tokio::time::timeout`] or in a `select!`, a call that lost is dropped, and that cleans up:
//! what it does is said at each call.
//!
//! Cleaning up never blocks a thread of the runtime and does not need it, so it works while the runtime shuts down too: it
//! is done by a few threads that exist only while there is something to do. A program that must not end before that calls
//! [`wait_for_cleanup`] last of all. It blocks its thread, so with `#[tokio::main]` it is called behind the runtime, or by
//! `spawn_blocking`.
//!
//! What goes on beside calls, the output of processes and the callbacks that see it, is on threads of its own likewise: it
//! blocks no thread of the runtime, and goes on until its handle is dropped, even while the runtime shuts down.

pub use pocket_dock_blocking::adapter::wait_for_cleanup;
pub use pocket_dock_blocking::{BuildContext, StdHost};
pub use pocket_dock_core as core;
pub use pocket_dock_core::archive::FileTime;
pub use pocket_dock_core::files::{Packing, Progress, Unpacking, Watch};
pub use pocket_dock_core::{
    Applied, AppliedMount, BoundPort, BufferSnapshot, BuiltImage, Bytes, Channel, Check, Checkup, CloseReason, Command,
    ContainerError, ContainerInfo, ContainerSpec, ContainerState, ContainerSummary, DEFAULT_BUFFER_BYTES,
    DEFAULT_FILE_LIMIT, DEFAULT_OUTPUT_LIMIT, Device, Difference, EndReason, Endpoint, EngineKind, Error, ExecError,
    ExecResult, ExecSummary, FileEntry, FileError, FileErrorKind, FileKind, FilePath, FileStat, Finding, Frame,
    ImageError, ImageRef, ImageSummary, KillReport, Language, Limits, Line, LineEnd, Lines, ListFilter, LocalError,
    Network, NetworkAddress, OnStuck, Options, Origin, Output, Owner, Port, PortProtocol, ProcessInfo, ProtocolError,
    Prune, Pruned, Report, RingBuffer, RunningProcess, Seccomp, SessionOptions, Severity, SharedRingBuffer, ShellState,
    Signal, Size, SizeError, SocketError, Stats, StreamChunk, StreamLine, TextChunk, TextDecoder, Tmpfs, Turn,
    TurnResult, Volume, archive, files,
};

use std::sync::Arc;

use pocket_dock_blocking::adapter;
use pocket_dock_core::{Host, Link, Op, Runtime};

mod reactor;

/// Calls are futures on tokio.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

/// A container engine; see [`pocket_dock_core::Engine`].
pub type Engine = pocket_dock_core::Engine<Tokio>;

/// A container; see [`pocket_dock_core::Container`]. Dropping it never blocks: it is removed in the background.
pub type Container = pocket_dock_core::Container<Tokio>;

/// Containers that are ready before anybody wants one; see [`pocket_dock_core::Pool`]. Dropping it never blocks: what is in it is removed in the background.
pub type Pool = pocket_dock_core::Pool<Tokio>;

/// A command whose output is read while it runs; see [`pocket_dock_core::ExecStream`].
pub type ExecStream = pocket_dock_core::ExecStream<Tokio>;

/// A command that runs in the background; see [`pocket_dock_core::Process`].
pub type Process = pocket_dock_core::Process<Tokio>;

/// A shell that stays; see [`pocket_dock_core::Session`].
pub type Session = pocket_dock_core::Session<Tokio>;

/// A file of a container that is read piece by piece; see [`pocket_dock_core::FileReader`].
pub type FileReader = pocket_dock_core::FileReader<Tokio>;

/// A file of a container that is written piece by piece; see [`pocket_dock_core::FileWriter`].
pub type FileWriter = pocket_dock_core::FileWriter<Tokio>;

/// The standard input of a command that runs; see [`pocket_dock_core::Stdin`].
pub type Stdin = pocket_dock_core::Stdin<Tokio>;

/// A call that is under way; see [`pocket_dock_core::Driving`].
pub type Driving<O> = pocket_dock_core::Driving<O, Tokio>;

/// What a container uses, a sample each second; see [`pocket_dock_core::StatsStream`].
pub type StatsStream = pocket_dock_core::StatsStream<Tokio>;

/// What [`doctor`] does; see [`pocket_dock_core::Doctor`].
pub type Doctor = pocket_dock_core::Doctor<Tokio>;

/// Looks for an engine, and says what is well and what is not, also where there is none: what is to be done is in the
/// report. See [`Engine::diagnose`](pocket_dock_core::Engine::diagnose).
///
/// ```no_run
/// use pocket_dock_tokio::{Checkup, Options, doctor};
///
/// # async fn example() -> Result<(), pocket_dock_tokio::Error> {
/// println!("{}", doctor(Options::new(), Checkup::new()).await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Misuse`] where the runtime cannot do I/O.
pub fn doctor(options: Options, checkup: Checkup) -> Driving<Doctor> {
    Engine::diagnose(Tokio, options, checkup)
}

impl Runtime for Tokio {
    type Returns<O: Op> = Driving<O>;

    fn drive<O: Op>(&self, op: O) -> Driving<O> {
        Driving::new(*self, op)
    }

    fn finish<O: Op>(&self, op: O) {
        adapter::finish_in_background(op, Link::default(), None, None);
    }

    fn attend<O: Op>(&self, op: O) {
        adapter::attend(op);
    }

    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        adapter::offload(job);
    }

    fn transfer(&self, job: Box<dyn FnOnce() + Send>) {
        adapter::transfer(job);
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(StdHost)
    }
}
