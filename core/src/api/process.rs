//! A command that runs in the background.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Stdin;
use super::held::Held;
use crate::buffer::{BufferSnapshot, SharedRingBuffer};
use crate::op::Ask;
use crate::op::live::{Kill, Live, UntilEnd, UntilLimit, Wish, Write};
use crate::runtime::Runtime;
use crate::signal::Signal;

/// A command that runs in the background: made by [`Container::spawn`](crate::Container::spawn).
///
/// Its output is gathered whether or not anyone looks, and never holds it up: the newest
/// [`buffer_size`](crate::Command::buffer_size) bytes are kept for whoever [reads](Self::read) them, and what was lost is
/// counted. All calls may be made from several threads at a time.
///
/// Dropping it before it has ended kills it with all its processes, in the background within a second as a rule; where calls
/// block, before the drop returns. [`leave_running`](Self::leave_running) lets it live on.
/// A program that is killed takes its containers with it and so all that runs in them, but for
/// [persistent](crate::ContainerSpec::persistent) ones: what it ran there goes on, and is found by
/// [`Container::processes`](crate::Container::processes).
#[derive(Debug)]
pub struct Process<R: Runtime> {
    held: Held<R>,
    buffer: SharedRingBuffer,
}

impl<R: Runtime> Process<R> {
    pub(super) fn new(runtime: R, live: &Arc<Live>, buffer: SharedRingBuffer) -> Self {
        Self {
            held: Held::new(runtime, live),
            buffer,
        }
    }

    /// By which its processes can be found: 32 hex digits, the value of `POCKET_DOCK_EXEC` in their environment.
    #[must_use]
    pub fn id(&self) -> &str {
        self.held.id()
    }

    /// Whether it has not ended, as far as is known here: an end is known a moment after it happened.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.held.live().has_ended()
    }

    /// Waits for its end, from any number of threads. Its output can be read before and after.
    ///
    /// A future of it that is dropped before its end waits no longer, and changes nothing.
    ///
    /// # Errors
    /// [`crate::ContainerError`] if the container ended under it, and the others of
    /// [`Container::run`](crate::Container::run).
    pub fn wait(&self) -> R::Returns<UntilEnd> {
        self.held.runtime().drive(UntilEnd::new(self.held.live()))
    }

    /// The same for so long at most: `None` if it runs on.
    ///
    /// A future of it that is dropped before its end waits no longer, and changes nothing.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, limit: Duration) -> R::Returns<UntilLimit> {
        self.held.runtime().drive(UntilLimit::new(self.held.live(), limit))
    }

    /// Takes out the output that is held.
    #[must_use = "what was read is no longer in the buffer"]
    pub fn read(&self) -> BufferSnapshot {
        self.buffer.read()
    }

    /// Copies the output that is held, and leaves it where it is.
    #[must_use]
    pub fn peek(&self) -> BufferSnapshot {
        self.buffer.peek()
    }

    /// How many bytes of output are held.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.buffer.len()
    }

    /// Whether any output was lost unread, as there was more than the buffer holds.
    #[must_use]
    pub fn buffer_overflow(&self) -> bool {
        self.buffer.overflowed()
    }

    /// How many bytes of output were lost unread.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        self.buffer.lost_bytes()
    }

    /// Writes to its standard input. Waits while 1 MiB is on its way that it did not take.
    ///
    /// A future of it that is dropped before its end has written nothing.
    ///
    /// # Errors
    /// [`crate::ExecError::InputClosed`].
    pub fn write(&self, data: impl Into<Bytes>) -> R::Returns<Write> {
        self.held.write(data.into())
    }

    /// Ends its standard input, behind what was written; see [`ExecStream::close_stdin`](crate::ExecStream::close_stdin).
    pub fn close_stdin(&self) {
        self.held.live().close_input();
    }

    /// Its standard input as a value of its own, for another thread or task.
    #[must_use]
    pub fn stdin(&self) -> Stdin<R> {
        self.held.stdin()
    }

    /// Sends a signal to all its processes, also those that have left its session, and says which were signalled and
    /// which are still there.
    ///
    /// A future of it that is dropped before its end goes on in the background.
    ///
    /// # Errors
    /// Those of the connection, [`crate::ContainerError`].
    pub fn kill(&self, signal: Signal) -> R::Returns<Kill> {
        self.held.kill(signal)
    }

    /// Sets the size of its terminal; see [`ExecStream::resize`](crate::ExecStream::resize).
    ///
    /// A future of it that is dropped before its end leaves the one size or the other.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] if it has ended; [`crate::Error::Misuse`] without a terminal, and for a size of nothing.
    pub fn resize(&self, cols: u16, rows: u16) -> R::Returns<Ask<()>> {
        self.held.resize(cols, rows)
    }

    /// Lets it live on without this value, and gives its [`id`](Self::id): for
    /// [`Container::kill_process`](crate::Container::kill_process), here or in a later program. What was written to it
    /// still reaches it, then its input ends; what it prints is thrown away. It ends with its container.
    #[must_use = "the id is what finds it again"]
    pub fn leave_running(self) -> String {
        self.held.live().wish(Wish::Leave);
        self.held.id().to_owned()
    }
}
