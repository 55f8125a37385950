//! The newest output of a process that nobody may be reading: bounded, byte by byte as it was written, and with the
//! stream that each byte came from.
//!
//! ```text
//!   write ──► RingBuffer ──read, peek──► BufferSnapshot ──► bytes and text of stdout, of stderr, and of both in order
//!             the oldest is lost when it is full
//! ```

mod order;
mod ring;
mod shared;
mod snapshot;
#[cfg(test)]
mod tests;

pub use ring::{DEFAULT_BUFFER_BYTES, RingBuffer};
pub use shared::SharedRingBuffer;
pub use snapshot::{BufferSnapshot, Segments};
