//! One loop for every executor: an operation as a future.
//!
//! ```text
//!                 ┌─────────────── again, at most ROUNDS times a poll ──────────────┐
//!                 ▼                                                                 │
//!  (dialling) connect ──(the peer's queue is full)──► Pending: timer                │
//!                 ▼                                                                 │
//!             op.poll ──► Dial, Swap, Keep ─────────────────────────────────────────┤
//!                 │   ──► Wait: write, read ──(something moved, or the time is come)┘
//!                 │                         └─(nothing moved)──► Pending: whatever is wanted, and the timer
//!                 └──► Done, or an error ──► the operation and its connections are dropped
//! ```
//! Both directions move in every round, as in the blocking driver. What is not wanted is not polled, so that it cannot
//! wake the task: no reading where the operation does not want bytes, none after the end.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::error::{Error, SocketError};
use crate::link::Link;
use crate::op::{Kept, Need, Op, Step};

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Writes in a round, at most.
const WRITES: usize = 16;
/// Rounds in a poll, at most. Then the other tasks of the executor have their turn.
const ROUNDS: usize = 16;
/// How long a peer whose queue is full is left alone.
const PAUSE: Duration = Duration::from_millis(5);

/// What [`Driving`] needs of an async runtime: sockets that do not block, a timer, the time.
///
/// Wherever a method gives [`Poll::Pending`], it has seen to it that the task is woken when it is worth another try.
pub trait Reactor: Send + Unpin + 'static {
    /// A connection.
    type Socket: Send + Unpin + 'static;
    /// A moment that is waited for.
    type Timer: Send + Unpin;

    /// Whether this is a place where a future can be polled. Asked at every poll.
    ///
    /// # Errors
    /// [`Error::Misuse`] that says where to poll it instead.
    fn enter(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The time, by the clock of the timers. Never goes backwards.
    fn now(&self) -> Instant;

    /// Tries to connect, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the peer's queue is full: then it is tried again a little later.
    fn connect(&self, at: &Endpoint) -> Result<Self::Socket, ErrorKind>;

    /// Reads into `buffer`, which is not empty. Zero bytes are the end.
    fn poll_read(
        &self,
        socket: &mut Self::Socket,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, ErrorKind>>;

    /// Writes some of `data`, which is not empty. A peer that is gone is an error, and not the signal SIGPIPE.
    fn poll_write(
        &self,
        socket: &mut Self::Socket,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ErrorKind>>;

    /// Closes the sending side.
    ///
    /// # Errors
    /// What the system said.
    fn finish_sending(&self, socket: &mut Self::Socket) -> Result<(), ErrorKind>;

    /// What is kept of a connection that [outlives its call](Need::Keep). `None` if it cannot be kept; then it is closed.
    fn keep(&self, socket: Self::Socket) -> Option<Box<dyn Kept>>;

    /// A timer for this moment, not polled yet.
    ///
    /// # Errors
    /// [`Error::Misuse`] where there are no timers.
    fn timer(&self, at: Instant) -> Result<Self::Timer, Error>;

    /// Whether the moment has come. Not polled again after that.
    ///
    /// # Errors
    /// [`Error::Misuse`] where there are no timers any more.
    fn poll_timer(&self, timer: &mut Self::Timer, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Drives the operation of a dropped future to its end, with the connections that it has, since something is
    /// [left to be undone](Op::abandon). Must not block, nor panic, and must work while the runtime is shutting down.
    fn take_over<O: Op>(&self, op: O, link: Link, socket: Option<Self::Socket>, aside: Option<Self::Socket>);
}

/// A call that is under way, on an async runtime. It does nothing until it is polled.
///
/// Dropping it before its end abandons the call. What that means is said at each call; in general nothing that the call
/// began is left behind: it is undone in the background, by way of [`Reactor::take_over`], and the drop itself never
/// blocks.
#[must_use = "a call does nothing until it is awaited"]
pub struct Driving<O: Op, R: Reactor> {
    reactor: R,
    /// None after the end.
    active: Option<Active<O, R>>,
}

struct Active<O, R: Reactor> {
    op: O,
    link: Link,
    socket: Option<R::Socket>,
    aside: Option<R::Socket>,
    dial: Option<Dial>,
    timer: Option<(Instant, R::Timer)>,
}

struct Dial {
    at: Endpoint,
    until: Instant,
    /// When to try.
    next: Instant,
}

impl<O: Op, R: Reactor> Driving<O, R> {
    /// A future that drives this operation.
    pub fn new(reactor: R, op: O) -> Self {
        let active = Active {
            op,
            link: Link::default(),
            socket: None,
            aside: None,
            dial: None,
            timer: None,
        };
        Self {
            reactor,
            active: Some(active),
        }
    }
}

impl<O: Op, R: Reactor> Future for Driving<O, R> {
    type Output = Result<O::Output, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { reactor, active } = self.get_mut();
        let Some(running) = active else {
            return Poll::Ready(Err(Error::misuse("a future was polled after its end")));
        };
        if let Err(error) = reactor.enter() {
            if let Some(running) = active.take() {
                running.abandon(reactor);
            }
            return Poll::Ready(Err(error));
        }
        let outcome = ready!(running.poll(reactor, cx));
        *active = None;
        Poll::Ready(outcome)
    }
}

impl<O: Op, R: Reactor> Drop for Driving<O, R> {
    fn drop(&mut self) {
        if let Some(running) = self.active.take() {
            running.abandon(&self.reactor);
        }
    }
}

impl<O: Op, R: Reactor> fmt::Debug for Driving<O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driving")
            .field("ended", &self.active.is_none())
            .finish_non_exhaustive()
    }
}

impl<O: Op, R: Reactor> Active<O, R> {
    fn abandon(mut self, reactor: &R) {
        if self.op.abandon() {
            reactor.take_over(self.op, self.link, self.socket, self.aside);
        }
    }

    fn poll(&mut self, reactor: &R, cx: &mut Context<'_>) -> Poll<Result<O::Output, Error>> {
        for _ in 0..ROUNDS {
            let now = reactor.now();
            if self.dial.is_some() {
                ready!(self.dial(reactor, now, cx))?;
                continue;
            }
            self.link.lend(cx.waker());
            let step = self.op.poll(now, &mut self.link)?;
            if !self.link.is_open() {
                self.socket = None;
            }
            match step {
                Step::Done(value) => return Poll::Ready(Ok(value)),
                Step::Need(Need::Dial { at, until }) => {
                    self.socket = None;
                    self.dial = Some(Dial { at, until, next: now });
                }
                Step::Need(Need::Swap) => {
                    self.link.swap();
                    std::mem::swap(&mut self.socket, &mut self.aside);
                }
                Step::Need(Need::Keep(slot)) => {
                    match self.socket.take().and_then(|socket| reactor.keep(socket)) {
                        Some(kept) => slot.put(kept),
                        None => slot.clear(),
                    }
                    self.link.hang_up();
                }
                Step::Need(Need::Wait { read, until }) => ready!(self.turn(reactor, read, until, now, cx))?,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tries to connect if it is time. Pending until the next try.
    fn dial(&mut self, reactor: &R, now: Instant, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(dial) = &mut self.dial else {
            return Poll::Ready(Ok(()));
        };
        if now >= dial.next {
            match reactor.connect(&dial.at) {
                Err(ErrorKind::WouldBlock) if now < dial.until => dial.next = dial.until.min(now + PAUSE),
                outcome => {
                    self.dial = None;
                    match outcome {
                        Ok(socket) => {
                            self.socket = Some(socket);
                            self.link.dialled();
                        }
                        Err(ErrorKind::WouldBlock) => self.link.dial_failed(ErrorKind::TimedOut),
                        Err(why) => self.link.dial_failed(why),
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let next = dial.next;
        self.wait(reactor, next, cx)
    }

    /// Moves what can be moved. Pending if that is nothing, until something can be.
    fn turn(
        &mut self,
        reactor: &R,
        read: bool,
        until: Option<Instant>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let sent = self.send(reactor, cx);
        let received = read && self.receive(reactor, cx);
        if sent || received {
            return Poll::Ready(Ok(()));
        }
        let Some(until) = until else {
            if self.link.has_pending() || (read && !self.link.is_eof()) || self.link.is_watched() {
                return Poll::Pending;
            }
            // Nothing could ever end this wait.
            let why = self.link.failure().unwrap_or(ErrorKind::UnexpectedEof);
            let what = "wait for the engine";
            return Poll::Ready(Err(SocketError::Broken { what, why }.into()));
        };
        if now >= until {
            return Poll::Ready(Ok(()));
        }
        self.wait(reactor, until, cx)
    }

    fn wait(&mut self, reactor: &R, at: Instant, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let timer = match &mut self.timer {
            Some((set, timer)) if *set == at => timer,
            other => &mut other.insert((at, reactor.timer(at)?)).1,
        };
        let outcome = ready!(reactor.poll_timer(timer, cx));
        self.timer = None;
        Poll::Ready(outcome)
    }

    /// Whether anything was sent, or it turned out that nothing can be.
    fn send(&mut self, reactor: &R, cx: &mut Context<'_>) -> bool {
        let link = &mut self.link;
        let Some(socket) = &mut self.socket else {
            let lost = link.has_pending();
            if lost {
                link.end_sending(ErrorKind::NotConnected);
            }
            return lost;
        };
        let mut moved = false;
        for _ in 0..WRITES {
            if !link.has_pending() {
                break;
            }
            match reactor.poll_write(socket, cx, link.outgoing()) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => link.sent(count),
                Poll::Ready(Err(ErrorKind::Interrupted)) => {}
                Poll::Ready(Err(why)) => link.end_sending(why),
            }
            moved = true;
        }
        if link.take_finish() {
            if let Err(why) = reactor.finish_sending(socket) {
                link.end_sending(why);
            }
            moved = true;
        }
        moved
    }

    /// Whether anything was received, an end included.
    fn receive(&mut self, reactor: &R, cx: &mut Context<'_>) -> bool {
        let link = &mut self.link;
        if link.is_eof() {
            return false;
        }
        let Some(socket) = &mut self.socket else {
            link.end_received(Some(ErrorKind::NotConnected));
            return true;
        };
        let mut scratch = Scratch::take();
        match reactor.poll_read(socket, cx, &mut scratch.0) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => link.end_received(None),
            Poll::Ready(Ok(count)) => link.space().extend_from_slice(&scratch.0[..count.min(READ_BYTES)]),
            Poll::Ready(Err(ErrorKind::Interrupted)) => {}
            Poll::Ready(Err(why)) => link.end_received(Some(why)),
        }
        true
    }
}

/// Bytes on their way into a link: one piece of memory for all futures that a thread polls. Without `unsafe` nothing
/// can be read into room that was not zeroed, and each future would hold 64 KiB only to wait for the first byte.
struct Scratch(Vec<u8>);

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Scratch {
    fn take() -> Self {
        // A thread that is ending has none any more.
        let mut memory = SCRATCH.try_with(Cell::take).unwrap_or_default();
        memory.resize(READ_BYTES, 0);
        Self(memory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        let _ = SCRATCH.try_with(|cell| cell.set(memory));
    }
}

#[cfg(test)]
mod tests;
