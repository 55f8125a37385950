//! What runs in a container beside calls: streams, processes and sessions, who is told of them, and what is found again.

use std::sync::Arc;

use super::super::session::Begin;
use super::super::{ExecStream, Process, Session, SessionOptions};
use super::Container;
use crate::buffer::SharedRingBuffer;
use crate::command::Command;
use crate::error::Error;
use crate::op::live::{Callbacks, Live, Origin, Pump, Queue, Relaxed, Sink, Start};
use crate::op::{KillProcess, Processes};
use crate::result::ExecSummary;
use crate::runtime::Runtime;
use crate::signal::Signal;
use crate::stream::Channel;

impl<R: Runtime> Container<R> {
    /// Runs a command and gives its output as it comes. Waits until it has begun.
    ///
    /// A future of it that is dropped before its end kills what it started, in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// for chunk in sandbox.stream("make test")? {
    ///     print!("{}", String::from_utf8_lossy(&chunk?.data));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run) for a command that could not be started. What goes wrong later is told by the stream.
    pub fn stream(&self, command: impl Into<Command>) -> R::Returns<Start<ExecStream<R>>> {
        let command = command.into();
        let sink = Sink::Queue(Queue::new(command.output_limit.passed()));
        self.begin(command, sink, ExecStream::new)
    }

    /// Runs a command in the background. Waits until it has begun.
    ///
    /// A future of it that is dropped before its end kills what it started, in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let server = sandbox.spawn("python3 -m http.server")?;
    /// print!("{}", server.peek().merged_text());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run) for a command that could not be started. What goes wrong later is told by
    /// [`Process::wait`].
    pub fn spawn(&self, command: impl Into<Command>) -> R::Returns<Start<Process<R>>> {
        let command = command.into();
        let buffer = SharedRingBuffer::new(command.buffer_size);
        let sink = Sink::Ring(buffer.clone());
        self.begin(command, sink, |runtime, live| Process::new(runtime, live, buffer))
    }

    /// Opens a session: a shell that stays, with its directory and variables, for one command after the other. Waits until
    /// the shell has begun.
    ///
    /// A future of it that is dropped before its end kills what it started, in the background.
    ///
    /// # Errors
    /// Those of [`run`](Self::run) for a command that could not be started.
    pub fn session(&self, options: SessionOptions) -> R::Returns<Start<Session<R>>> {
        let begin = Begin {
            target: self.engine.target().clone(),
            place: self.place(),
            options,
        };
        Session::begin(self.engine.runtime(), &self.beside, begin)
    }

    fn begin<T: Send + Unpin + 'static>(
        &self,
        command: Command,
        sink: Sink,
        handle: impl FnOnce(R, &Arc<Live>) -> T,
    ) -> R::Returns<Start<T>> {
        let callbacks = Arc::clone(&self.beside.callbacks);
        let start = self.start_telling(callbacks, command, sink, handle);
        self.engine.runtime().drive(start)
    }

    /// What begins a command of which these are told.
    pub(super) fn start_telling<T: Send + Unpin + 'static>(
        &self,
        callbacks: Arc<Callbacks>,
        command: Command,
        sink: Sink,
        handle: impl FnOnce(R, &Arc<Live>) -> T,
    ) -> Start<T> {
        let runtime = self.engine.runtime();
        let origin = Origin {
            container: self.id.clone(),
            name: self.name.clone(),
            process: self.random(),
        };
        let (target, place) = (self.engine.target(), self.place());
        let live = Arc::new(Live::new(origin, target, place, &command, sink, callbacks));
        let attend = {
            let (runtime, live, beside) = (runtime.clone(), Arc::clone(&live), Arc::clone(&self.beside));
            let mark = self.random();
            move || {
                beside.add(&live);
                runtime.attend(Pump::new(&live, command, mark));
            }
        };
        let handle = handle(runtime.clone(), &live);
        Start::new(&live, Box::new(attend), handle)
    }

    /// Has a function called with what streams and processes of this container write to standard output, from now on.
    /// Those that run already are heard too, and every function that was registered is called, in the order of their
    /// registration. What [`run`](Self::run) gathers is not told.
    ///
    /// The functions of one container are called one after the other, on a thread of their own that may block: a slow one
    /// holds up the commands of this container once 1 MiB waits for it, and no other container. One that panics is
    /// reported as an error by `tracing` and [counted](Self::callback_panics), and stops nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.on_stdout(|origin, data| println!("{}: {} bytes", origin.process, data.len()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_stdout(&self, call: impl Fn(&Origin, &[u8]) + Send + Sync + 'static) {
        self.beside.callbacks.on_output(Channel::Stdout, call);
    }

    /// As [`on_stdout`](Self::on_stdout), with what is written to standard error.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.on_stderr(|_, data| eprint!("{}", String::from_utf8_lossy(data)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_stderr(&self, call: impl Fn(&Origin, &[u8]) + Send + Sync + 'static) {
        self.beside.callbacks.on_output(Channel::Stderr, call);
    }

    /// As [`on_stdout`](Self::on_stdout), with how each stream and process ended, behind all that it wrote.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.on_exit(|origin, outcome| match outcome {
    ///     Ok(summary) => println!("{}: exit code {}", origin.process, summary.exit_code),
    ///     Err(error) => println!("{}: {error}", origin.process),
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_exit(&self, call: impl Fn(&Origin, &Result<ExecSummary, Error>) + Send + Sync + 'static) {
        self.beside.callbacks.on_exit(call);
    }

    /// How many calls of registered functions have panicked.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// assert_eq!(sandbox.callback_panics(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn callback_panics(&self) -> u64 {
        self.beside.callbacks.panics()
    }

    /// Lists what runs in it of all commands, by the id that each has: also of those that another program started, or one
    /// that is dead. What the main process started is not among them.
    ///
    /// A process that hides, as [`KillReport`](crate::KillReport) says, is missed; of the lists of more than 1 MiB, the
    /// end.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// for one in sandbox.processes()? {
    ///     println!("{}: {} processes", one.id, one.processes.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::ContainerError`]; [`crate::ExecError::NoTool`] where the image has no shell;
    /// [`crate::ExecError::AtLimit`] where nothing could be started for 15 s.
    pub fn processes(&self) -> R::Returns<Relaxed<Processes>> {
        let list = Processes::new(self.engine.target(), &self.id);
        self.engine.runtime().drive(Relaxed::all(list, &self.beside))
    }

    /// Signals all processes of one command, by its id, whoever started it. An id that nothing has gives a report that is
    /// empty.
    ///
    /// A future of it that is dropped once it was polled goes on to its end in the background.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error, Signal};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// for one in sandbox.processes()? {
    ///     sandbox.kill_process(&one.id, Signal::Kill)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Misuse`] if that is no id; [`crate::ContainerError`]; [`crate::ExecError::AtLimit`] where nothing could be
    /// started for 15 s.
    pub fn kill_process(&self, id: impl AsRef<str>, signal: Signal) -> R::Returns<Relaxed<KillProcess>> {
        let kill = KillProcess::new(self.engine.target(), &self.id, id.as_ref(), signal);
        self.engine.runtime().drive(Relaxed::all(kill, &self.beside))
    }
}
