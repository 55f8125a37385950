//! The streams of an attached command: what it writes, where it ends, and how much of it is kept.
//!
//! ```text
//!   bytes received ──► Demux ──► Frame { channel, data } ──► Sentinel ──► Capture ──► Captured
//!                      8-byte frame headers      the end of one command    head and tail under a cap
//!                                 Frame::data, per channel ──► TextDecoder ──► text
//!                                                          ──► Lines ──► Line
//! ```
//!
//! The machines are independent of each other. How the bytes were split on their way changes nothing about what they
//! give out, only into how many pieces it is cut.

pub mod capture;
pub mod frame;
pub mod lines;
pub mod sentinel;
pub mod text;

pub use capture::{Capture, Captured};
pub use frame::{Channel, Demux, Frame};
pub use lines::{DEFAULT_LINE_LIMIT, Line, LineEnd, Lines};
pub use sentinel::{Found, Sentinel};
pub use text::TextDecoder;
