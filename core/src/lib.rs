//! The sans-IO core of pocket-dock: the container engine protocol and the sandbox calls as pure state machines.
//!
//! Most programs use an adapter crate, such as `pocket-dock-blocking`, which re-exports everything here that users
//! hold. The examples here are of that one, where a call gives its result itself; with the others, it is awaited. To
//! drive calls by hand, or on a runtime that has no adapter crate, see the [`guide`].

mod api;
mod applied;
pub mod archive;
pub mod buffer;
mod command;
mod discovery;
mod doctor;
mod driving;
mod end_reason;
mod endpoint;
mod engine_api;
mod error;
pub mod files;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
pub mod http;
mod image_ref;
mod info;
pub mod limits;
mod link;
mod listing;
mod op;
pub mod protocol_error;
mod result;
mod runtime;
mod serial;
mod session;
mod shell;
mod signal;
mod spec;
#[cfg(test)]
mod splits;
mod stats;
pub mod stream;

pub use api::{
    Attaching, BuiltImage, Connecting, Container, ContainerState, Creating, Doctor, Ending, Engine, ExecStream,
    FileReader, FileWriter, Options, Pool, Process, Resuming, Session, SessionOptions, StatsStream, Stdin, StreamChunk,
    Taking,
};
pub use applied::{Applied, AppliedMount, Difference};
/// Bytes that are shared and not copied: `&[u8]` in every other respect.
pub use bytes::Bytes;

pub use buffer::{BufferSnapshot, DEFAULT_BUFFER_BYTES, RingBuffer, SharedRingBuffer};
pub use command::{Command, DEFAULT_OUTPUT_LIMIT, Language};
pub use doctor::{Check, Checkup, Finding, Report, Severity};
pub use driving::{Driving, Reactor};
pub use end_reason::EndReason;
pub use endpoint::Endpoint;
pub use engine_api::EngineKind;
pub use engine_api::image::ImageSummary;
pub use error::{CloseReason, ContainerError, Error, ExecError, ImageError, SocketError};
pub use files::{DEFAULT_FILE_LIMIT, FileEntry, FileError, FileErrorKind, FileKind, FilePath, FileStat, LocalError};
pub use image_ref::ImageRef;
pub use info::{ContainerInfo, NetworkAddress};
pub use limits::Limits;
pub use link::Link;
pub use listing::{ContainerSummary, ListFilter, Prune, Pruned};
pub use op::files::{FileCall, NextBytes, Pull, Push, Settle};
pub use op::live::{
    Kill, Next, NextLine, NextText, Origin, Quieted, Relaxed, Start, StreamLine, TextChunk, UntilEnd, UntilLimit, Write,
};
pub use op::session::{Closing, Interrupt, OnStuck, SendAndWait, ShellState, StartTurn, Turn, TurnResult};
pub use op::{
    Ask, Destroy, Info, Kept, KillProcess, KillReport, Listing, Need, NextStats, Op, Pause, ProcessInfo, Processes,
    Pruning, Reboot, Remove, Restart, Run, RunningProcess, Shutdown, Slot, Snapshot, Step, Wait, WhyEnded,
};
pub use protocol_error::ProtocolError;
pub use result::{ExecResult, ExecSummary, Output};
pub use runtime::{Host, Owner, Runtime, Service};
pub use signal::Signal;
pub use spec::{
    BoundPort, ContainerSpec, Device, Network, Port, PortProtocol, Seccomp, Size, SizeError, Tmpfs, Volume,
};
pub use stats::Stats;
pub use stream::{Channel, Frame, Line, LineEnd, Lines, TextDecoder};
