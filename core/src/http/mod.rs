//! HTTP/1.1 as far as an engine on a unix socket speaks it, on bytes alone.
//!
//! ```text
//!   Path ──► Request ──encode──► bytes to send           (then chunked::encode, for a body of unknown length)
//!
//!   bytes received ──► ResponseReader ──► Head, Data*, End | Upgraded
//!                        │ head      status line and header fields (httparse)
//!                        │ framing   how long the body is, and whether the connection can be used again
//!                        └ chunked   the chunked transfer coding
//! ```
//!
//! Every reader here has the same contract: somebody else appends received bytes to a [`BytesMut`](bytes::BytesMut)
//! and lends it; the reader takes what it understands from its front and returns one item, or `None` when it needs
//! more. How the bytes were split on their way changes nothing, bytes that belong to whatever comes next are left
//! where they are, and an error is final: asking again gives it again.

mod answer;
pub mod chunked;
pub mod exchange;
mod framing;
pub mod head;
mod line;
pub mod path;
pub mod request;

pub(crate) use answer::{Answer, Sink};
pub use exchange::{Event, ResponseReader};
pub use head::ResponseHead;
pub use path::Path;
pub use request::{Method, Request};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
