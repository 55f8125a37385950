//! One buffer for those who write and those who read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{BufferSnapshot, RingBuffer};
use crate::stream::Channel;

/// A handle of a [`RingBuffer`] that any number of threads may use at a time; a clone is another handle of the same
/// buffer.
///
/// Each call is one step: no other call comes between what it does, and none waits for longer than one copy of what is
/// held.
///
/// ```
/// use pocket_dock_core::buffer::SharedRingBuffer;
/// use pocket_dock_core::stream::Channel;
///
/// let buffer = SharedRingBuffer::default();
/// let writer = buffer.clone();
/// std::thread::scope(|scope| {
///     scope.spawn(move || writer.write(Channel::Stdout, b"hello"));
/// });
/// assert_eq!(buffer.read().stdout_text(), "hello");
/// ```
#[derive(Debug, Clone, Default)]
pub struct SharedRingBuffer(Arc<Mutex<RingBuffer>>);

impl SharedRingBuffer {
    /// As [`RingBuffer::new`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        RingBuffer::new(capacity).into()
    }

    /// As [`RingBuffer::write`].
    pub fn write(&self, channel: Channel, data: &[u8]) {
        self.lock().write(channel, data);
    }

    /// As [`RingBuffer::close`].
    pub fn close(&self) {
        self.lock().close();
    }

    /// As [`RingBuffer::read`].
    #[must_use = "what was read is no longer in the buffer"]
    pub fn read(&self) -> BufferSnapshot {
        self.lock().read()
    }

    /// As [`RingBuffer::peek`].
    #[must_use]
    pub fn peek(&self) -> BufferSnapshot {
        self.lock().peek()
    }

    /// As [`RingBuffer::len`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// As [`RingBuffer::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// As [`RingBuffer::capacity`].
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.lock().capacity()
    }

    /// As [`RingBuffer::written_bytes`].
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.lock().written_bytes()
    }

    /// As [`RingBuffer::lost_bytes`].
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        self.lock().lost_bytes()
    }

    /// As [`RingBuffer::overflowed`].
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.lock().overflowed()
    }

    /// As [`RingBuffer::is_closed`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// A thread that panicked in here cannot have left it half changed in a way that matters.
    fn lock(&self) -> MutexGuard<'_, RingBuffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<RingBuffer> for SharedRingBuffer {
    fn from(buffer: RingBuffer) -> Self {
        Self(Arc::new(Mutex::new(buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what is shared is tried by threads")]
    fn what_several_threads_write_and_read_is_all_there_once() {
        const EACH: usize = 2000;
        let buffer = SharedRingBuffer::new(64);
        let (mut seen, mut lost) = ([0; 4], 0);
        let mut count = |snapshot: &BufferSnapshot| {
            for &byte in snapshot.stdout().iter().chain(snapshot.stderr()) {
                seen[usize::from(byte)] += 1;
            }
            lost += snapshot.lost_bytes();
        };
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let buffer = buffer.clone();
                let channel = if writer % 2 == 0 {
                    Channel::Stdout
                } else {
                    Channel::Stderr
                };
                scope.spawn(move || (0..EACH).for_each(|_| buffer.write(channel, &[writer])));
            }
            while buffer.written_bytes() < 4 * EACH as u64 {
                count(&buffer.read());
            }
        });
        buffer.close();
        count(&buffer.read());
        assert_eq!(seen.iter().sum::<u64>() + lost, 4 * EACH as u64);
        assert_eq!((buffer.lost_bytes(), buffer.overflowed()), (lost, lost > 0));
        assert!(buffer.is_empty() && buffer.is_closed() && buffer.capacity() == 64);
    }
}
