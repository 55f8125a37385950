//! A shell that stays.

use std::sync::Arc;
use std::time::Duration;

use super::hex;
use super::stream::ExecStream;
use crate::buffer::{BufferSnapshot, SharedRingBuffer};
use crate::command::{Command, OutputLimit};
use crate::engine_api::Target;
use crate::error::Error;
use crate::op::live::{Callbacks, Live, Origin, Queue, Sink, Start};
use crate::op::session::{Closing, Interrupt, OnStuck, Pending, SendAndWait, Shell, StartTurn, Turn, Turns};
use crate::op::{Place, live};
use crate::runtime::Runtime;
use crate::session::Files;
use crate::spec::Defaults;
use crate::stream::Channel;

/// How a session is to be.
///
/// ```
/// use std::time::Duration;
/// use pocket_dock_core::SessionOptions;
///
/// let options = SessionOptions::new()
///     .env("LANG", "C.UTF-8")
///     .workdir("/src")
///     .timeout(Duration::from_secs(60));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    shell: Option<String>,
    on_stuck: OnStuck,
    command: Command,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionOptions {
    /// The image's bash, or else its `/bin/sh`; the container's own directory, user and environment; no time limit.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shell: None,
            on_stuck: OnStuck::Close,
            command: Command::shell(""),
        }
    }

    /// The shell, by its path or name: one that POSIX would know, and that reads commands from its standard input with
    /// `-s`.
    #[must_use]
    pub fn shell(mut self, program: impl Into<String>) -> Self {
        self.shell = Some(program.into());
        self
    }

    /// What becomes of it if its shell does not come back from a command that was told to end, by a time limit or a drop:
    /// it is closed by default.
    #[must_use]
    pub fn on_stuck(mut self, then: OnStuck) -> Self {
        self.on_stuck = then;
        self
    }

    /// As [`Command::env`].
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.command = self.command.env(name, value);
        self
    }

    /// As [`Command::workdir`].
    #[must_use]
    pub fn workdir(mut self, path: impl Into<String>) -> Self {
        self.command = self.command.workdir(path);
        self
    }

    /// As [`Command::user`].
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.command = self.command.user(user);
        self
    }

    /// How long each command may run that does not say otherwise.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.command = self.command.timeout(limit);
        self
    }

    /// How many bytes of each stream are kept of each command that does not say otherwise; as [`Command::output_limit`].
    #[must_use]
    pub fn output_limit(mut self, bytes: u64) -> Self {
        self.command = self.command.output_limit(bytes);
        self
    }

    /// How many bytes are kept of what is written while no command is waited for: the newest. 1 MiB by default.
    #[must_use]
    pub fn buffer_size(mut self, bytes: usize) -> Self {
        self.command = self.command.buffer_size(bytes);
        self
    }

    pub(super) fn with(mut self, defaults: Defaults) -> Self {
        self.command = defaults.fill(self.command);
        self
    }
}

/// A shell that stays, with its directory, variables, functions and background jobs: made by
/// [`Container::session`](crate::Container::session).
///
/// Commands have their turns, one after the other, however many callers there are. Each sees an end at once when it reads
/// its standard input, unless it is [given one](Turn::stdin). Nothing that a command prints is taken for its end.
///
/// `set -e` and `set -u` hold for the command that says so and not for the next. A command with the word `return` in it runs
/// as a function does, so that it can return; what it sets with `set --` is its own.
///
/// Dropping it kills the shell and everything that was started from it, in the background within a second as a rule; where
/// calls block, before the drop returns.
#[derive(Debug)]
pub struct Session<R: Runtime> {
    runtime: R,
    shell: Arc<Shell>,
    callbacks: Arc<Callbacks>,
    buffer: SharedRingBuffer,
    timeout: Option<Duration>,
    limit: OutputLimit,
}

/// What a session is begun with.
pub(super) struct Begin {
    pub(super) target: Target,
    pub(super) place: Place,
    pub(super) options: SessionOptions,
}

impl<R: Runtime> Session<R> {
    /// Gives the session and what drives it.
    pub(super) fn begin(runtime: &R, beside: &Arc<live::Beside>, begin: Begin) -> R::Returns<Start<Self>> {
        let Begin { target, place, options } = begin;
        let SessionOptions {
            shell,
            on_stuck,
            mut command,
        } = options;
        let (timeout, limit) = (command.timeout.take(), command.output_limit);
        command = command
            .keep_stdin_open()
            .with_argv(crate::session::shell(shell.as_deref()));
        let buffer = SharedRingBuffer::new(command.buffer_size);
        let callbacks = {
            let runtime = runtime.clone();
            Arc::new(Callbacks::new(move |job| runtime.offload(job)))
        };
        let random = || hex(runtime.host().entropy());
        let origin = Origin {
            container: place.id.clone(),
            name: place.name.clone(),
            process: random(),
        };
        let sink = Sink::Ring(buffer.clone());
        let live = Arc::new(Live::new(
            origin,
            &target,
            place,
            &command,
            sink,
            Arc::clone(&callbacks),
        ));
        let shell = {
            let (runtime, host) = (runtime.clone(), runtime.host());
            Arc::new(Shell::new(
                Arc::clone(&live),
                on_stuck,
                move || hex(host.entropy()),
                move |kill| runtime.attend(kill),
            ))
        };
        let turns = Turns::new(&shell, &command);
        let attend = {
            let (runtime, live, beside, mark) = (runtime.clone(), Arc::clone(&live), Arc::clone(beside), random());
            move || {
                beside.add(&live);
                runtime.attend(live::Pump::sorted(&live, command, mark, turns));
            }
        };
        let session = Self {
            runtime: runtime.clone(),
            shell,
            callbacks,
            buffer,
            timeout,
            limit,
        };
        runtime.drive(Start::new(&live, Box::new(attend), session))
    }

    /// By which its processes can be found: 32 hex digits, the value of `POCKET_DOCK_EXEC` in their environment.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shell.live.origin.process
    }

    fn pending(&self, turn: &Turn, sink: Sink) -> Pending {
        let base = &self.shell.live;
        let id = hex(self.runtime.host().entropy());
        let origin = Origin {
            process: id.clone(),
            ..Origin::clone(&base.origin)
        };
        let mut command = Command::shell("");
        command.user.clone_from(&base.user);
        let live = Live::new(
            origin,
            &base.target,
            base.place.clone(),
            &command,
            sink,
            Arc::clone(&self.callbacks),
        );
        Pending::new(
            Arc::new(live.in_session(self.shell.pid())),
            id,
            hex(self.runtime.host().entropy()),
            turn.text.clone(),
            turn.timeout.or(self.timeout),
        )
    }

    fn limit(&self, turn: &Turn) -> OutputLimit {
        match turn.output_limit {
            OutputLimit::Unsaid => self.limit,
            said => said,
        }
    }

    /// Runs a command and waits until it ends. What it left in the background is not waited for, and lives on; what that
    /// prints later is to be [read](Self::read). A command that fails is no error: look at the exit code. One that ends
    /// the shell, as `exit 3` does, gives its code, and the session is closed.
    ///
    /// A future of it that is dropped before its end kills the processes of the command, in the background; the shell lives
    /// on, and the next command has its turn then.
    ///
    /// # Errors
    /// [`Error::SessionClosed`]; [`Error::Misuse`] for a command that cannot be.
    pub fn send_and_wait(&self, turn: impl Into<Turn>) -> R::Returns<SendAndWait> {
        let turn = turn.into();
        let pending = self.pending(&turn, Sink::gather(self.limit(&turn).gathered()));
        let checked = turn.check();
        self.runtime
            .drive(SendAndWait::new(&self.shell, pending, turn.stdin, checked))
    }

    /// Runs a command and gives its output as it comes, as [`Container::stream`](crate::Container::stream) does. Waits until
    /// it has its turn. While its reader is slow, the session is.
    ///
    /// A future of it that is dropped before its end kills what it started, in the background.
    ///
    /// # Errors
    /// Those of [`send_and_wait`](Self::send_and_wait).
    pub fn stream(&self, turn: impl Into<Turn>) -> R::Returns<StartTurn<ExecStream<R>>> {
        let turn = turn.into();
        let pending = self.pending(&turn, Sink::Queue(Queue::new(self.limit(&turn).passed())));
        let checked = turn.check();
        let handle = ExecStream::new(self.runtime.clone(), &pending.live);
        self.runtime
            .drive(StartTurn::new(&self.shell, pending, turn.stdin, checked, handle))
    }

    /// Hands in a command and does not wait: what it prints is to be [read](Self::read), with what else is printed
    /// while nobody waits.
    ///
    /// # Errors
    /// [`Error::SessionClosed`]; [`Error::Misuse`] for a command that cannot be, and for one with an input, which takes
    /// [`stream`](Self::stream) or [`send_and_wait`](Self::send_and_wait).
    pub fn send(&self, turn: impl Into<Turn>) -> Result<(), Error> {
        let turn = turn.into();
        turn.check()?;
        if turn.stdin.is_some() {
            return Err(Error::misuse(
                "a command that is not waited for has no input: use `send_and_wait` or `stream`",
            ));
        }
        let pending = self.pending(&turn, Sink::Ring(self.buffer.clone()));
        self.shell.push(&Arc::new(pending), Files::default())
    }

    /// Takes out what was printed while no command was waited for: by commands that were [sent](Self::send), and by what
    /// runs in the background.
    #[must_use = "what was read is no longer in the buffer"]
    pub fn read(&self) -> BufferSnapshot {
        self.buffer.read()
    }

    /// The same, and leaves it where it is.
    #[must_use]
    pub fn peek(&self) -> BufferSnapshot {
        self.buffer.peek()
    }

    /// How many bytes of it were lost unread.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        self.buffer.lost_bytes()
    }

    /// Has a function called with everything that is printed in the session, from now on; as
    /// [`Container::on_stdout`](crate::Container::on_stdout). The origin's process is the id of the command, or that of the
    /// session for what comes between commands.
    pub fn on_output(&self, call: impl Fn(&Origin, Channel, &[u8]) + Send + Sync + 'static) {
        let call = Arc::new(call);
        for channel in [Channel::Stdout, Channel::Stderr] {
            let call = Arc::clone(&call);
            self.callbacks
                .on_output(channel, move |origin, data| call(origin, channel, data));
        }
    }

    /// Sends SIGINT to the processes of the running command, as Ctrl-C would, and says which were signalled; none if no
    /// command runs. The shell itself is not signalled: what it does by its own builtins goes on.
    ///
    /// A future of it that is dropped before its end goes on in the background.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub fn interrupt(&self) -> R::Returns<Interrupt> {
        self.runtime.drive(Interrupt::new(&self.shell))
    }

    /// Whether it takes commands, as far as is known here.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.shell.closed().is_none()
    }

    /// Why it takes no commands any more, as the error that they would get.
    #[must_use]
    pub fn closed(&self) -> Option<Error> {
        self.shell.closed()
    }

    /// Kills the shell and everything that was started from it, and waits until it is gone. The container goes on. Done
    /// already, it is done.
    ///
    /// A future of it that is dropped after its first poll goes on in the background.
    ///
    /// # Errors
    /// None; it has ended, however that came.
    pub fn close(&self) -> R::Returns<Closing> {
        self.runtime.drive(Closing::new(&self.shell))
    }
}

impl<R: Runtime> Drop for Session<R> {
    fn drop(&mut self) {
        if self.shell.live.runs() {
            self.runtime.finish(Closing::new(&self.shell));
        }
    }
}
