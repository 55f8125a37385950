//! The bytes between an [`Op`](crate::Op) and a connection.
//!
//! A [`Link`] is lent to an operation at every poll. The operation sees what was received and says what is to be sent;
//! the driver moves those bytes between the link and a socket. Neither side ever waits inside it.
//!
//! ```text
//!            received()  ◄── [ received ] ◄── space()
//!  operation                                            driver ── socket
//!            send()      ──► [ pending  ] ──► outgoing() / sent()
//! ```
//!
//! An operation that waits for something else than bytes, such as another call's doing, takes the driver's [`Waker`] and
//! leaves it there: whoever does that thing wakes the driver, which polls again.
//!
//! A link has room for a second connection that was set *aside* ([`Need::Swap`](crate::Need::Swap)): a call that holds an
//! output stream open may ask the engine a question over another connection and come back.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::task::Waker;

use bytes::{Buf, Bytes, BytesMut};

/// Bytes asked of the socket at a time.
const READ_BYTES: usize = 64 * 1024;

/// One connection as both sides see it.
#[derive(Debug, Default)]
struct Wire {
    open: bool,
    received: BytesMut,
    eof: bool,
    read_failure: Option<ErrorKind>,
    pending: VecDeque<Bytes>,
    write_failure: Option<ErrorKind>,
    finish: bool,
    finished: bool,
}

/// What was received and what waits to be sent, on the connection of one operation.
#[derive(Debug, Default)]
pub struct Link {
    wire: Wire,
    aside: Wire,
    dial_failure: Option<ErrorKind>,
    waker: Option<Waker>,
    /// Whether the operation took the waker since it was lent.
    watched: bool,
}

/// What an operation does with a link.
impl Link {
    /// Whether there is a connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wire.open
    }

    /// Whether there is a connection on which nothing is under way: nothing to be sent, nothing unread, not ended.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let wire = &self.wire;
        wire.open && wire.pending.is_empty() && wire.received.is_empty() && !wire.eof && wire.write_failure.is_none()
    }

    /// Why the last dial failed, once.
    pub fn take_dial_failure(&mut self) -> Option<ErrorKind> {
        self.dial_failure.take()
    }

    /// The bytes received and not yet taken.
    pub fn received(&mut self) -> &mut BytesMut {
        &mut self.wire.received
    }

    /// Whether nothing will follow the bytes in [`received`](Self::received).
    #[must_use]
    pub fn is_eof(&self) -> bool {
        self.wire.eof
    }

    /// Why reading or writing failed, if it did. A write that failed says nothing about what can still be read: engines
    /// answer early to an upload and close their side.
    #[must_use]
    pub fn failure(&self) -> Option<ErrorKind> {
        self.wire.read_failure.or(self.wire.write_failure)
    }

    /// Queues bytes to be sent. Nothing is copied.
    pub fn send(&mut self, data: Bytes) {
        if !data.is_empty() && self.wire.write_failure.is_none() {
            self.wire.pending.push_back(data);
        }
    }

    /// Says that nothing more will be sent: the driver closes the sending side once everything pending is sent.
    pub fn finish(&mut self) {
        self.wire.finish = true;
    }

    /// Whether bytes wait to be sent.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.wire.pending.is_empty()
    }

    /// How many bytes wait to be sent.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.wire.pending.iter().map(Bytes::len).sum()
    }

    /// The waker of whoever drives the operation: to wake it is to have the operation polled again. Good until the next
    /// poll; an operation that goes on waiting takes it anew in each.
    pub fn waker(&mut self) -> Waker {
        self.watched = true;
        self.waker.clone().unwrap_or_else(|| Waker::noop().clone())
    }

    /// Forgets the connection and all its bytes. The driver closes the socket before it does anything else.
    pub fn hang_up(&mut self) {
        self.wire = Wire::default();
    }
}

/// What a driver does with a link.
impl Link {
    /// Before each poll: what wakes the driver.
    pub fn lend(&mut self, waker: &Waker) {
        self.watched = false;
        match &mut self.waker {
            Some(held) => held.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether the operation took the waker in its last poll: then a wait that no byte and no time can end is not for
    /// ever.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// A dial succeeded.
    pub fn dialled(&mut self) {
        self.wire = Wire {
            open: true,
            ..Wire::default()
        };
    }

    /// A dial failed. The operation learns it at its next poll.
    pub fn dial_failed(&mut self, why: ErrorKind) {
        self.wire = Wire::default();
        self.dial_failure = Some(why);
    }

    /// Exchanges the connection and the one set aside. The driver exchanges its sockets likewise.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.wire, &mut self.aside);
    }

    /// Room for bytes from the socket, at least a few kilobytes. What is appended counts as received.
    pub fn space(&mut self) -> &mut BytesMut {
        let received = &mut self.wire.received;
        if received.capacity() - received.len() < READ_BYTES / 4 {
            received.reserve(READ_BYTES);
        }
        received
    }

    /// Nothing more will be received: the peer closed its side, or reading failed.
    pub fn end_received(&mut self, failure: Option<ErrorKind>) {
        self.wire.eof = true;
        self.wire.read_failure = failure;
    }

    /// The next bytes to be sent; empty when there are none.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        self.wire.pending.front().map_or(&[], |data| data.as_ref())
    }

    /// `count` bytes of [`outgoing`](Self::outgoing) were sent.
    pub fn sent(&mut self, count: usize) {
        if let Some(front) = self.wire.pending.front_mut() {
            front.advance(count.min(front.len()));
            if front.is_empty() {
                self.wire.pending.pop_front();
            }
        }
    }

    /// Sending failed: what waits is dropped, and what comes in is still read.
    pub fn end_sending(&mut self, failure: ErrorKind) {
        self.wire.write_failure = Some(failure);
        self.wire.pending.clear();
    }

    /// Whether the sending side is to be closed now. True once.
    pub fn take_finish(&mut self) -> bool {
        let wire = &mut self.wire;
        let due = wire.finish && !wire.finished && wire.pending.is_empty() && wire.write_failure.is_none();
        wire.finished |= due;
        due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicBool);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn bytes_are_sent_in_order_and_the_end_once() {
        let mut link = Link::default();
        link.dialled();
        link.send(Bytes::from_static(b"ab"));
        link.send(Bytes::new());
        link.send(Bytes::from_static(b"c"));
        link.finish();
        assert!(!link.take_finish());
        assert_eq!(link.outgoing(), b"ab");
        link.sent(1);
        assert_eq!(link.outgoing(), b"b");
        link.sent(1);
        assert_eq!(link.outgoing(), b"c");
        link.sent(1);
        assert!(!link.has_pending());
        assert!(link.take_finish());
        assert!(!link.take_finish());
    }

    #[test]
    fn a_failed_write_leaves_what_was_received() {
        let mut link = Link::default();
        link.dialled();
        link.send(Bytes::from_static(b"body"));
        link.space().extend_from_slice(b"HTTP/1.1 404");
        link.end_sending(ErrorKind::BrokenPipe);
        assert!(!link.has_pending());
        assert_eq!(&link.received()[..], b"HTTP/1.1 404");
        assert_eq!(link.failure(), Some(ErrorKind::BrokenPipe));
        assert!(!link.is_eof());
    }

    #[test]
    fn a_waker_is_watched_only_if_it_was_taken_since_it_was_lent() {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut link = Link::default();
        link.lend(&waker);
        assert!(!link.is_watched());
        link.waker().wake();
        assert!(bell.0.load(Ordering::SeqCst) && link.is_watched());
        link.lend(&waker);
        assert!(!link.is_watched());
    }

    #[test]
    fn each_connection_keeps_its_bytes_over_a_swap() {
        let mut link = Link::default();
        link.dialled();
        link.space().extend_from_slice(b"stream");
        link.swap();
        assert!(!link.is_open());
        link.dialled();
        link.space().extend_from_slice(b"answer");
        link.swap();
        assert_eq!(&link.received()[..], b"stream");
        link.hang_up();
        assert!(!link.is_open());
    }
}
