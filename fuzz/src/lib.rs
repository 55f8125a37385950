//! What the fuzz targets check.
//!
//! Every check takes an input apart into limits, a stream of bytes and the sizes of the pieces it comes in
//! ([`Input`]), runs one codec over the stream whole, in these pieces and byte by byte, and asserts that the outcome is
//! the same, that what the codec gives out is what it was given, and that it never needs more memory than its limits
//! say. No check needs libFuzzer: `tests/replay.rs` runs them all over their corpora on a stable toolchain.
//!
//! ```text
//! cargo +nightly fuzz run exchange                                     # look for new inputs
//! cargo test --no-default-features --test replay                       # run the known ones again
//! ```

mod archive;
mod buffer;
mod http;
mod input;
mod live;
mod stream;

pub use archive::{check_tar_decode, check_tar_round_trip};
pub use buffer::check_ring;
pub use http::{check_chunked, check_exchange, check_response_head};
pub use input::Input;
pub use live::{check_session, check_views};
pub use stream::{check_capture, check_frames, check_lines, check_sentinel, check_text};

/// The check of one target: it panics if the input shows a bug.
pub type Check = fn(&[u8]);

/// Every target: its name, which is also its directory in `corpus/`, and its check.
pub const TARGETS: [(&str, Check); 13] = [
    ("response_head", check_response_head),
    ("chunked", check_chunked),
    ("exchange", check_exchange),
    ("frames", check_frames),
    ("sentinel", check_sentinel),
    ("capture", check_capture),
    ("text", check_text),
    ("lines", check_lines),
    ("ring", check_ring),
    ("session", check_session),
    ("views", check_views),
    ("tar_decode", check_tar_decode),
    ("tar_round_trip", check_tar_round_trip),
];
