//! Container sandboxes on the Docker or Podman you already have, for code that blocks: std threads, a Unix socket, and no
//! async runtime.
//!
//! ```no_run
//! use pocket_dock_blocking::{Command, ContainerSpec, Engine, Error};
//!
//! fn main() -> Result<(), Error> {
//!     let engine = Engine::connect()?;
//!     let sandbox = engine.create(ContainerSpec::new("pocket-dock/minimal"))?;
//!     let hello = sandbox.run("echo hello from $(uname)")?;
//!     print!("{}", hello.stdout_text());
//!     let sum = sandbox.run(Command::lang("python", "print(sum(range(101)))"))?;
//!     print!("{}", sum.stdout_text());
//!     sandbox.shutdown()
//! }
//! ```
//!
//! Every call blocks the calling thread until it has its result; several threads may use one engine or container at a
//! time. No thread is started, but where something goes on beside calls: one thread gathers the output of all processes and
//! streams, and others call callbacks, so that neither waits for the other. They end when there is nothing to do.

pub mod adapter;
mod background;
mod bell;
mod build_context;
mod driver;
pub mod files;
mod host;
mod hub;
mod launch;
mod pool;
mod socket;

pub use build_context::BuildContext;
pub use host::StdHost;
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
    TurnResult, Volume, archive,
};

use std::sync::Arc;

use pocket_dock_core::{Host, Link, Op, Runtime};

/// Calls block the thread that makes them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocking;

/// A container engine; see [`pocket_dock_core::Engine`].
pub type Engine = pocket_dock_core::Engine<Blocking>;

/// A container; see [`pocket_dock_core::Container`].
///
/// Dropping it takes as long as its removal: 0.1 s as a rule, and never longer than the limits of the calls it makes.
pub type Container = pocket_dock_core::Container<Blocking>;

/// Containers that are ready before anybody wants one; see [`pocket_dock_core::Pool`]. Dropping it takes as long as the removal of what is in it.
pub type Pool = pocket_dock_core::Pool<Blocking>;

/// A command whose output is read while it runs; see [`pocket_dock_core::ExecStream`].
pub type ExecStream = pocket_dock_core::ExecStream<Blocking>;

/// A command that runs in the background; see [`pocket_dock_core::Process`].
pub type Process = pocket_dock_core::Process<Blocking>;

/// A shell that stays; see [`pocket_dock_core::Session`].
pub type Session = pocket_dock_core::Session<Blocking>;

/// A file of a container that is read piece by piece; see [`pocket_dock_core::FileReader`].
pub type FileReader = pocket_dock_core::FileReader<Blocking>;

/// A file of a container that is written piece by piece; see [`pocket_dock_core::FileWriter`].
pub type FileWriter = pocket_dock_core::FileWriter<Blocking>;

/// The standard input of a command that runs; see [`pocket_dock_core::Stdin`].
pub type Stdin = pocket_dock_core::Stdin<Blocking>;

/// What a container uses, a sample each second; see [`pocket_dock_core::StatsStream`].
pub type StatsStream = pocket_dock_core::StatsStream<Blocking>;

/// Looks for an engine, and says what is well and what is not, also where there is none: what is to be done is in the
/// report. See [`Engine::diagnose`](pocket_dock_core::Engine::diagnose).
///
/// ```no_run
/// use pocket_dock_blocking::{Checkup, Options, doctor};
///
/// println!("{}", doctor(Options::new(), Checkup::new())?);
/// # Ok::<(), pocket_dock_blocking::Error>(())
/// ```
///
/// # Errors
/// [`Error::Misuse`] where the runtime cannot do I/O.
pub fn doctor(options: Options, checkup: Checkup) -> Result<Report, Error> {
    Engine::diagnose(Blocking, options, checkup)
}

impl Runtime for Blocking {
    type Returns<O: Op> = Result<O::Output, Error>;

    fn drive<O: Op>(&self, op: O) -> Result<O::Output, Error> {
        driver::drive(op)
    }

    /// On the calling thread, for as long as it takes. An error is reported as a warning by `tracing`.
    fn finish<O: Op>(&self, op: O) {
        if hub::is_here() {
            // Dropped by an operation that is attended: this thread must go on with all of them.
            adapter::finish_in_background(op, Link::default(), None, None);
            return;
        }
        if let Err(error) = driver::drive(op) {
            tracing::warn!(%error, "cleaning up failed");
        }
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
