//! Bytes between an operation, which never waits, and a job that reads or writes local files, which may.
//!
//! ```text
//! job ── PipeWriter ──► [ at most so many bytes ] ──► PipeReader ── operation        (or the other way round)
//! ```
//! Neither side blocks in here: who has to wait leaves a waker. A side that is dropped before the end tells the other.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::Stopped;

/// The end of a pipe that bytes are put into.
pub struct PipeWriter(Arc<Pipe>);

/// The end of a pipe that bytes are taken from.
pub struct PipeReader(Arc<Pipe>);

struct Pipe {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Bytes>,
    held: usize,
    /// No more will come, and that is all of it.
    finished: bool,
    writer_gone: bool,
    reader_gone: bool,
    /// Who waits for room, or for the reader's end.
    writer: Option<Waker>,
    /// Who waits for a piece, or for the writer's end.
    reader: Option<Waker>,
}

/// `most`: bytes that are held before a writer has to wait.
pub(crate) fn pipe(most: usize) -> (PipeWriter, PipeReader) {
    let pipe = Arc::new(Pipe {
        most,
        state: Mutex::default(),
    });
    (PipeWriter(Arc::clone(&pipe)), PipeReader(pipe))
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes both sides.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = self.lock();
            change(&mut state);
            [state.writer.take(), state.reader.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl PipeWriter {
    /// Puts a piece in if there is room, and takes it out of `piece` then. Otherwise the waker is woken when there is some.
    ///
    /// # Errors
    /// [`Stopped`] if nobody reads any more.
    pub fn poll_write(&self, piece: &mut Option<Bytes>, waker: &Waker) -> Poll<Result<(), Stopped>> {
        let woken = {
            let mut state = self.0.lock();
            if state.reader_gone {
                return Poll::Ready(Err(Stopped));
            }
            if state.held >= self.0.most {
                state.writer = Some(waker.clone());
                return Poll::Pending;
            }
            if let Some(data) = piece.take().filter(|data| !data.is_empty()) {
                state.held += data.len();
                state.pieces.push_back(data);
            }
            state.reader.take()
        };
        if let Some(waker) = woken {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nobody reads any more. If somebody does, the waker is woken when that changes, or there is room.
    pub(crate) fn is_unread(&self, waker: &Waker) -> bool {
        let mut state = self.0.lock();
        state.writer = Some(waker.clone());
        state.reader_gone
    }

    /// Says that this was all. A writer that is dropped without it says that something failed.
    pub fn finish(self) {
        self.0.change(|state| state.finished = true);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.change(|state| state.writer_gone = true);
    }
}

impl PipeReader {
    /// The next piece, or `None` behind the last. Pending if there is none yet: then the waker is woken when there is.
    ///
    /// # Errors
    /// [`Stopped`] if the writer is gone and did not say that this was all.
    pub fn poll_read(&self, waker: &Waker) -> Poll<Result<Option<Bytes>, Stopped>> {
        let (piece, woken) = {
            let mut state = self.0.lock();
            match state.pieces.pop_front() {
                Some(piece) => {
                    state.held -= piece.len();
                    (piece, state.writer.take())
                }
                None if state.finished => return Poll::Ready(Ok(None)),
                None if state.writer_gone => return Poll::Ready(Err(Stopped)),
                None => {
                    state.reader = Some(waker.clone());
                    return Poll::Pending;
                }
            }
        };
        if let Some(waker) = woken {
            waker.wake();
        }
        Poll::Ready(Ok(Some(piece)))
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.reader_gone = true;
            state.pieces.clear();
            state.held = 0;
        });
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeWriter").field("held", &self.0.lock().held).finish()
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeReader").field("held", &self.0.lock().held).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn pieces_come_in_order_and_the_writer_waits_for_room() {
        let (writer, reader) = pipe(4);
        let waker = Waker::noop();
        let mut first = piece("abc");
        assert_eq!(reader.poll_read(waker), Poll::Pending);
        assert_eq!(writer.poll_write(&mut first, waker), Poll::Ready(Ok(())));
        assert_eq!(writer.poll_write(&mut piece("de"), waker), Poll::Ready(Ok(())));
        let mut third = piece("f");
        assert_eq!(writer.poll_write(&mut third, waker), Poll::Pending);
        assert_eq!(third, piece("f"));
        assert_eq!(reader.poll_read(waker), Poll::Ready(Ok(piece("abc"))));
        assert_eq!(writer.poll_write(&mut third, waker), Poll::Ready(Ok(())));
        writer.finish();
        assert_eq!(reader.poll_read(waker), Poll::Ready(Ok(piece("de"))));
        assert_eq!(reader.poll_read(waker), Poll::Ready(Ok(piece("f"))));
        assert_eq!(reader.poll_read(waker), Poll::Ready(Ok(None)));
    }

    /// Remembers that it was woken.
    #[derive(Default)]
    struct Bell(std::sync::atomic::AtomicBool);

    impl std::task::Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn both_sides_may_wait_at_a_time() {
        let bells = [Arc::new(Bell::default()), Arc::new(Bell::default())];
        let wakers = bells.clone().map(Waker::from);
        let rung = || {
            bells
                .each_ref()
                .map(|bell| bell.0.swap(false, std::sync::atomic::Ordering::SeqCst))
        };
        let (writer, reader) = pipe(1);
        assert_eq!(reader.poll_read(&wakers[1]), Poll::Pending);
        assert!(!writer.is_unread(&wakers[0]));
        assert_eq!(writer.poll_write(&mut piece("a"), Waker::noop()), Poll::Ready(Ok(())));
        assert_eq!(rung(), [false, true]);
        assert_eq!(reader.poll_read(&wakers[1]), Poll::Ready(Ok(piece("a"))));
        assert_eq!(rung(), [true, false]);
        assert!(!writer.is_unread(&wakers[0]));
        drop(reader);
        assert_eq!(rung(), [true, false]);
        assert!(writer.is_unread(&wakers[0]));
    }

    #[test]
    fn either_side_learns_that_the_other_is_gone() {
        let waker = Waker::noop();
        let (writer, reader) = pipe(4);
        assert_eq!(writer.poll_write(&mut piece("a"), waker), Poll::Ready(Ok(())));
        drop(writer);
        assert_eq!(reader.poll_read(waker), Poll::Ready(Ok(piece("a"))));
        assert_eq!(reader.poll_read(waker), Poll::Ready(Err(Stopped)));
        let (writer, reader) = pipe(4);
        drop(reader);
        assert_eq!(writer.poll_write(&mut piece("a"), waker), Poll::Ready(Err(Stopped)));
    }
}
