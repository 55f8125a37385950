//! A command whose output is read while it runs.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::held::Held;
use crate::driving::{Driving, Reactor};
use crate::error::Error;
use crate::op::Ask;
use crate::op::live::{Kill, Live, Next, NextLine, NextText, Reader, SharedViews, UntilEnd, Views, Write};
use crate::runtime::Runtime;
use crate::signal::Signal;
use crate::stream::Frame;

/// A piece of output, never empty, and where it was written.
pub type StreamChunk = Frame;

/// A command that runs, and its output as it comes: made by [`Container::stream`](crate::Container::stream).
///
/// Pieces come in the order in which the engine sent them, standard output and standard error mixed. But what a mark of ours
/// may begin with, such as an underscore at the end of a piece, comes with what follows it on the same of the two.
///
/// A reader that is slow holds the command up: 1 MiB is held for it, then the command waits in its next write, and memory
/// stays where it is. Read it by one kind of reader: a line or a character that was begun by one is not seen whole by another.
///
/// Where calls block it is an [`Iterator`], else a [`futures_core::Stream`], of `Result<StreamChunk, Error>`. Its own
/// [`next`](Self::next) goes before theirs, and has the `Result` outside, which is what `while let` wants; a `for` has it
/// inside, and borrows the stream if the end is to be asked for behind it:
///
/// ```no_run
/// # use pocket_dock_blocking::{Container, Error};
/// # fn example(sandbox: &Container) -> Result<(), Error> {
/// let mut build = sandbox.stream("make")?;
/// while let Some(piece) = build.next()? {
///     println!("{:?}: {} bytes", piece.channel, piece.data.len());
/// }
/// println!("exit code {}", build.result()?.exit_code);
///
/// let mut tests = sandbox.stream("make test")?;
/// for piece in &mut tests {
///     println!("{} bytes", piece?.data.len());
/// }
/// println!("exit code {}", tests.result()?.exit_code);
/// # Ok(())
/// # }
/// ```
///
/// Dropping it before the command has ended kills the command with all its processes, in the background within a second as
/// a rule; where calls block, before the drop returns.
#[derive(Debug)]
pub struct ExecStream<R: Runtime> {
    held: Held<R>,
    views: SharedViews,
    /// For `futures_core::Stream`.
    reader: Reader,
}

impl<R: Runtime> ExecStream<R> {
    pub(super) fn new(runtime: R, live: &Arc<Live>) -> Self {
        let views = SharedViews::new(Mutex::new(Views::new(live.terminal)));
        Self {
            held: Held::new(runtime, live),
            reader: Reader::new(live, &views),
            views,
        }
    }

    pub(super) fn runtime(&self) -> &R {
        self.held.runtime()
    }

    pub(super) fn own_reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(self.held.live(), &self.views)
    }

    /// By which its processes can be found: 32 hex digits, the value of `POCKET_DOCK_EXEC` in their environment.
    #[must_use]
    pub fn id(&self) -> &str {
        self.held.id()
    }

    /// Waits for the next piece of output. `None` behind the last.
    ///
    /// A future of it that is dropped before its end has taken nothing.
    ///
    /// # Errors
    /// Once, in place of the end: [`crate::ContainerError`] if the container ended under it, and the others of
    /// [`Container::run`](crate::Container::run).
    #[expect(clippy::should_implement_trait, reason = "where calls block, it is that trait's")]
    pub fn next(&mut self) -> R::Returns<Next> {
        self.held.runtime().drive(Next::new(self.reader()))
    }

    /// Waits for the next line, of either stream. A line of more than [`crate::stream::Lines`] holds comes in pieces.
    /// The line end is no part of it, nor is the carriage return in front of that on a terminal. `None` behind the last.
    ///
    /// A future of it that is dropped before its end loses nothing.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn next_line(&mut self) -> R::Returns<NextLine> {
        self.held.runtime().drive(NextLine::new(self.reader()))
    }

    /// Waits for the next piece of output as text: no character is cut in two, however the engine cut it. `None` behind
    /// the last.
    ///
    /// A future of it that is dropped before its end loses nothing.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn next_text(&mut self) -> R::Returns<NextText> {
        self.held.runtime().drive(NextText::new(self.reader()))
    }

    /// Waits for the end of the command, and says how it ended. Output that was not read by then is thrown away, and
    /// counted all the same.
    ///
    /// A future of it that is dropped before its end waits no longer; what it threw away is gone.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn result(&mut self) -> R::Returns<UntilEnd> {
        self.held.runtime().drive(UntilEnd::discarding(self.held.live()))
    }

    /// Writes to its standard input. Waits while 1 MiB is on its way that the command did not take.
    ///
    /// A future of it that is dropped before its end has written nothing.
    ///
    /// # Errors
    /// [`crate::ExecError::InputClosed`].
    pub fn write(&self, data: impl Into<Bytes>) -> R::Returns<Write> {
        self.held.write(data.into())
    }

    /// Ends its standard input, behind what was written. A terminal is sent the end-of-file character, which a program
    /// takes for the end only at the beginning of a line.
    pub fn close_stdin(&self) {
        self.held.live().close_input();
    }

    /// Its standard input as a value of its own, for another thread or task.
    #[must_use]
    pub fn stdin(&self) -> Stdin<R> {
        self.held.stdin()
    }

    /// Sends a signal to all its processes, also those that have left its session, and says which were signalled and
    /// which are still there. Output goes on to its end.
    ///
    /// A future of it that is dropped before its end goes on in the background.
    ///
    /// # Errors
    /// Those of the connection, [`crate::ContainerError`].
    pub fn kill(&self, signal: Signal) -> R::Returns<Kill> {
        self.held.kill(signal)
    }

    /// Sets the size of its terminal. Some engines do it a moment after this.
    ///
    /// A future of it that is dropped before its end leaves the one size or the other.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has ended; [`Error::Misuse`] without a [terminal](crate::Command::tty), and for a size of
    /// nothing.
    pub fn resize(&self, cols: u16, rows: u16) -> R::Returns<Ask<()>> {
        self.held.resize(cols, rows)
    }
}

impl<R> Iterator for ExecStream<R>
where
    R: Runtime<Returns<Next> = Result<Option<StreamChunk>, Error>>,
{
    type Item = Result<StreamChunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Self::next(self).transpose()
    }
}

impl<R> futures_core::Stream for ExecStream<R>
where
    R: Runtime<Returns<Next> = Driving<Next, R>> + Reactor,
{
    type Item = Result<StreamChunk, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.reader.piece(cx.waker()) {
            Some(item) => Poll::Ready(item.transpose()),
            None => Poll::Pending,
        }
    }
}

/// The standard input of a command that runs. Clones write to the same input; dropping them does not close it.
#[derive(Debug)]
pub struct Stdin<R: Runtime> {
    runtime: R,
    live: Arc<Live>,
}

impl<R: Runtime> Clone for Stdin<R> {
    fn clone(&self) -> Self {
        Self::new(&self.runtime, &self.live)
    }
}

impl<R: Runtime> Stdin<R> {
    pub(super) fn new(runtime: &R, live: &Arc<Live>) -> Self {
        Self {
            runtime: runtime.clone(),
            live: Arc::clone(live),
        }
    }

    /// As [`ExecStream::write`].
    ///
    /// A future of it that is dropped before its end has written nothing.
    ///
    /// # Errors
    /// [`crate::ExecError::InputClosed`].
    pub fn write(&self, data: impl Into<Bytes>) -> R::Returns<Write> {
        self.runtime.drive(Write::new(&self.live, data.into()))
    }

    /// As [`ExecStream::close_stdin`].
    pub fn close(&self) {
        self.live.close_input();
    }
}
