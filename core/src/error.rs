//! What can go wrong, whose fault it is, and what to do next.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::files::{FileError, LocalError};
use crate::protocol_error::ProtocolError;

/// Why a call failed.
///
/// Each variant says whose fault it was; the message says what happened and what to do next. The engine's own words are
/// kept wherever it said any. `Debug` prints the same message as `Display`, so that a `main` that returns a `Result`
/// shows it.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine cannot be reached.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The container cannot do it: it is gone, or not in the right state.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A command could not be run. A command that ran and failed is no error: its exit code tells.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Something could not be done with a file of a container.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something could not be done with a file of this machine.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The session takes no commands any more.
    #[error("the session is closed: {reason}; open another one with `Container::session`")]
    SessionClosed {
        /// Why.
        reason: CloseReason,
    },
    /// The engine did not answer in time.
    #[error(
        "{what}: the engine did not answer within {limit:?}; it may be overloaded or stuck: look at its log, or raise the limit with `Options::answer_limit`"
    )]
    Deadline {
        /// What was asked of the engine.
        what: &'static str,
        /// The limit that passed.
        limit: Duration,
    },
    /// The engine does not speak the protocol, or broke off.
    #[error("{what}: {source}")]
    Protocol {
        /// What was asked of the engine.
        what: &'static str,
        /// What was wrong with the answer.
        source: ProtocolError,
    },
    /// The engine understood and refused.
    #[error("{what}: the engine refused with status {status}: {message}")]
    Refused {
        /// What was asked of the engine.
        what: &'static str,
        /// The HTTP status; 200 where the refusal came inside the answer, as for builds.
        status: u16,
        /// The engine's own message.
        message: String,
    },
    /// No container of a pool was ready in time.
    #[error(
        "no container of the pool was ready within {limit:?}: it has {size}, and they are taken faster than the engine makes them; make the pool larger, wait longer with `Pool::take_within`, or take fewer at a time"
    )]
    PoolEmpty {
        /// How many containers the pool keeps ready.
        size: usize,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The caller asked for something that cannot be. Nothing was sent to the engine.
    #[error("{0}")]
    Misuse(String),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Socket(_) => "Socket",
            Self::Container(_) => "Container",
            Self::Image(_) => "Image",
            Self::Exec(_) => "Exec",
            Self::File(_) => "File",
            Self::Local(_) => "Local",
            Self::SessionClosed { .. } => "SessionClosed",
            Self::Deadline { .. } => "Deadline",
            Self::Protocol { .. } => "Protocol",
            Self::Refused { .. } => "Refused",
            Self::PoolEmpty { .. } => "PoolEmpty",
            Self::Misuse(_) => "Misuse",
        };
        write!(f, "{kind}: {self}")
    }
}

/// Why a session takes no commands any more.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// Its shell has ended, by `exit` or `exec`, or something killed it: then the code is 128 and the signal's number.
    #[error("its shell has ended with exit code {0}")]
    Exited(i32),
    /// [`Session::close`](crate::Session::close), or its drop.
    #[error("this program closed it")]
    ByCaller,
    /// A command was told to end, by a time limit or a drop, and its shell did not come back.
    #[error("its shell did not come back from a command that was told to end, and was killed")]
    Stuck,
    /// Something befell its container, the engine, or the connection.
    #[error("{0}")]
    Failed(Box<Error>),
}

/// The engine cannot be reached.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Nothing listens at the socket, or we may not use it.
    #[error("cannot connect to the engine at {endpoint}: {}; {}", reason(*.why), connect_advice(*.why))]
    Connect {
        /// The socket.
        endpoint: Endpoint,
        /// What the system said.
        why: ErrorKind,
    },
    /// The connection broke while the engine was asked.
    #[error("{what}: the connection to the engine broke ({}); the engine may have been stopped: check that it runs, and ask again", reason(*.why))]
    Broken {
        /// What was asked of the engine.
        what: &'static str,
        /// What the system said.
        why: ErrorKind,
    },
    /// No engine answers anywhere.
    #[error("no container engine answers here. Tried:\n{}Install Podman (for example `apt-get install podman`) or Docker, start it, or set POCKET_DOCK_SOCKET to the path of its socket", list(.tried))]
    NoEngine {
        /// Every place that was tried, and why it was not taken.
        tried: Vec<(String, String)>,
    },
    /// A setting names an engine that does not answer. Nothing else is tried, lest the wrong engine be used.
    #[error("{setting} names {value:?}, and that is of no use: {why}; correct it, or unset it to have an engine found")]
    Setting {
        /// The environment variable.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The container cannot do it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// There is no such container, at least not any more.
    #[error(
        "container {name} does not exist (any more): it was removed, or its main process ended and it removed itself; make a new one. The engine said: {message}"
    )]
    Gone {
        /// Name or id.
        name: String,
        /// The engine's own message.
        message: String,
    },
    /// The container is not running.
    #[error(
        "container {name} is not running: its main process has ended. If it is persistent, or its spec has `auto_remove(false)`, `Container::start` or `Engine::resume` runs it again; if not, it removes itself now: make a new one. The engine said: {message}"
    )]
    NotRunning {
        /// Name or id.
        name: String,
        /// The engine's own message.
        message: String,
    },
    /// The container is paused.
    #[error("container {name} is paused: unpause it first. The engine said: {message}")]
    Paused {
        /// Name or id.
        name: String,
        /// The engine's own message.
        message: String,
    },
    /// The name belongs to another container.
    #[error(
        "the container name {name} is in use: choose another one, or remove the container that has it. The engine said: {message}"
    )]
    NameInUse {
        /// The name.
        name: String,
        /// The engine's own message.
        message: String,
    },
    /// The container could not be started. A new one was removed again.
    #[error(
        "container {name} could not be started: check that its command is in the image (`/bin/sh`, if `ContainerSpec::command` gives no other), that the devices and volumes it was given are there, and that its limits of memory (`ContainerSpec::memory`) and of processes and threads (`ContainerSpec::pids`) are not too small. If it was new, it was removed again. The engine said: {message}"
    )]
    StartFailed {
        /// Name or id.
        name: String,
        /// The engine's own message.
        message: String,
    },
    /// There is no such user, or no such group, in the image. Nothing was left behind.
    #[error(
        "the user {user:?} is not known in the image: use one that its /etc/passwd and /etc/group have, or numbers such as 1000:1000. The engine said: {message}"
    )]
    NoUser {
        /// The user as it was asked for.
        user: String,
        /// The engine's own message.
        message: String,
    },
    /// There is no such network. Nothing was left behind.
    #[error(
        "the network {network:?} is not on this engine: create it with the engine's own tool, or use `Network::Default` or `Network::None`. The engine said: {message}"
    )]
    NoNetwork {
        /// The network as it was asked for.
        network: String,
        /// The engine's own message.
        message: String,
    },
    /// The memory limit is one that the engine cannot set. Nothing was left behind.
    #[error(
        "the memory limit of {bytes} bytes cannot be set: Docker takes no less than 6 MiB, Podman what is enough to start the main process; raise it. The engine said: {message}"
    )]
    BadMemory {
        /// The limit as it was asked for.
        bytes: u64,
        /// The engine's own message.
        message: String,
    },
    /// The engine's storage cannot limit what a container writes.
    #[error(
        "the engine's storage cannot limit a container to {bytes} bytes of disk: leave the limit out, use `ContainerSpec::read_only_root` and a tmpfs of that size, or give the engine storage with quotas (overlay on XFS with pquota). The engine said: {message}"
    )]
    NoDiskLimit {
        /// The limit as it was asked for.
        bytes: u64,
        /// The engine's own message.
        message: String,
    },
    /// This program ended the container, or its main process, in the middle of a stream or a process.
    #[error(
        "container {name} was ended by this program, by a shutdown, a stop, a restart or a drop, and its commands with it: wait for them first"
    )]
    EndedHere {
        /// Its name.
        name: String,
    },
    /// This program rebooted the container in the middle of a stream, a process or a session.
    #[error(
        "container {name} was rebooted by this program, and its commands ended with it: start them again, and open sessions anew with `Container::session`"
    )]
    Rebooted {
        /// Its name.
        name: String,
    },
    /// The container could not be made anew.
    #[error("container {name} could not be rebooted: {why}. {}", rebooted_left(*.removed))]
    RebootFailed {
        /// Its name.
        name: String,
        /// Whether the old one is gone. If not, it may still be there, as it was or stopped.
        removed: bool,
        /// What went wrong.
        why: Box<Error>,
    },
    /// The container ends with the program that made it, and cannot be left behind.
    #[error(
        "container {name} is tied to the program that made it and cannot be left behind: make it with `ContainerSpec::persistent`, which cannot be changed later"
    )]
    NotPersistent {
        /// Its name.
        name: String,
    },
    /// The container was not made by pocket-dock, or has not the name any more that it was made with.
    #[error(
        "container {name} is none of pocket-dock's, so it is left alone: its labels are missing, or are those of an image, or it was renamed. `Engine::list` has those that are"
    )]
    Foreign {
        /// Name or id.
        name: String,
    },
    /// It was told to end and is still there.
    #[error(
        "container {name} is still there {after:?} after it was removed: the engine may be stuck; remove it by hand when the engine answers again. The engine said: {message}"
    )]
    StillThere {
        /// Name or id.
        name: String,
        /// How long it was waited for.
        after: Duration,
        /// What the engine said when it refused last.
        message: String,
    },
}

/// The image cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The engine does not have it, and nothing is ever fetched.
    #[error(
        "image {image:?} is not on this engine: build it with `Engine::build_image`, load it with `Engine::load_image`, or pull it with the engine's own tool. The engine said: {message}"
    )]
    NotFound {
        /// The image as it was asked for.
        image: String,
        /// The engine's own message.
        message: String,
    },
    /// This is no name of an image. Nothing was sent to the engine.
    #[error("{name:?} is no name of an image: {why}; names are `[registry/]repository[:tag][@digest]`")]
    BadName {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The build failed. The fault is in the context or its Dockerfile.
    #[error("building the image failed: {message}\n{}", .log.trim_end())]
    BuildFailed {
        /// The engine's own message.
        message: String,
        /// The end of what the build printed: 20 lines, of 64 KiB together at most.
        log: String,
    },
}

/// A command could not be run, as opposed to one that ran and failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// There is no such program in the container.
    #[error("{program:?} is not in the container, or not on its PATH: install it in the image, or check the spelling")]
    NotFound {
        /// The program as it was asked for.
        program: String,
    },
    /// The program is there and cannot be executed.
    #[error(
        "{program:?} cannot be executed in the container: it is a directory, lacks the execute permission, or its interpreter is missing"
    )]
    NotExecutable {
        /// The program as it was asked for.
        program: String,
    },
    /// The working directory does not exist or may not be entered.
    #[error(
        "the working directory {path:?} cannot be entered in the container: create it first, or check its permissions"
    )]
    NoDirectory {
        /// The directory as it was asked for.
        path: String,
    },
    /// There is no such user in the container.
    #[error(
        "the user {user:?} is not known in the container: use one that its /etc/passwd has, or numbers such as 1000:1000. The engine said: {message}"
    )]
    NoUser {
        /// The user as it was asked for.
        user: String,
        /// The engine's own message.
        message: String,
    },
    /// The image lacks what this call needs: a shell for command strings, `dd` for code of more than 96 KiB.
    #[error(
        "the image has no {tool}, and {needed_for} needs it: use an image that has it, or run a program with `Command::argv`"
    )]
    NoTool {
        /// What is missing.
        tool: &'static str,
        /// What needs it.
        needed_for: &'static str,
    },
    /// The engine could not start the command, for a reason of its own.
    #[error("the command could not be started. The engine said: {message}")]
    StartFailed {
        /// The engine's own message.
        message: String,
    },
    /// The container has as many processes as it may have.
    #[error(
        "the container is at its process limit, so nothing can be started in it, not even to kill with: raise `ContainerSpec::pids`, or shut the container down. The engine said: {message}"
    )]
    AtLimit {
        /// The engine's own message.
        message: String,
    },
    /// What was written cannot reach the command.
    #[error(
        "the standard input of the command is closed: it has ended, or closed it, or was not started with `Command::keep_stdin_open`"
    )]
    InputClosed,
    /// The engine ended the command's output before the command ended; how it ended is unknown.
    #[error(
        "the output of the command ended before the command did, and how it ended is unknown: the container or the engine was stopped in the middle, or something killed the command's supervisor, or a limit of processes (`ContainerSpec::pids`) left it no room ({message})"
    )]
    Lost {
        /// What is known.
        message: String,
    },
}

impl Error {
    pub(crate) fn misuse(text: impl Into<String>) -> Self {
        Self::Misuse(text.into())
    }

    /// A request that cannot be written is the caller's fault, an answer that cannot be read is the peer's.
    pub(crate) fn protocol(what: &'static str, source: ProtocolError) -> Self {
        match source {
            ProtocolError::BadRequest { .. } => Self::Misuse(source.to_string()),
            source => Self::Protocol { what, source },
        }
    }
}

fn rebooted_left(removed: bool) -> &'static str {
    if removed {
        "The old one was removed, and nothing is left of either: correct what is wrong, and reboot again, or make another"
    } else {
        "The old one may still be there, as it was or stopped: look with `Container::inspect`"
    }
}

pub(crate) fn reason(why: ErrorKind) -> String {
    match why {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::QuotaExceeded => "too many open files".to_owned(),
        other => other.to_string(),
    }
}

fn connect_advice(why: ErrorKind) -> &'static str {
    match why {
        ErrorKind::PermissionDenied => "join the group that owns the socket, or use rootless Podman",
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "the engine does not accept connections: look at its log",
        ErrorKind::QuotaExceeded => {
            "make fewer calls at a time, each has a connection of its own, or raise the limit (`ulimit -n`)"
        }
        _ => "start the engine, or set POCKET_DOCK_SOCKET to the path of its socket",
    }
}

fn list(tried: &[(String, String)]) -> String {
    tried.iter().map(|(place, why)| format!("  {place}: {why}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_advice() {
        let error = Error::from(SocketError::Connect {
            endpoint: Endpoint::unix("/run/x.sock"),
            why: ErrorKind::PermissionDenied,
        });
        let text = format!("{error:?}");
        assert!(text.contains("/run/x.sock") && text.contains("permission denied") && text.contains("join the group"));
    }

    #[test]
    fn no_engine_lists_what_was_tried() {
        let tried = vec![
            ("/run/a".to_owned(), "no such file".to_owned()),
            ("/run/b".to_owned(), "refused".to_owned()),
        ];
        let text = SocketError::NoEngine { tried }.to_string();
        assert!(text.contains("  /run/a: no such file\n  /run/b: refused\n"), "{text}");
    }
}
