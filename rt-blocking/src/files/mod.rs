//! Local files as archives, and archives as local files: the side of `push` and `pull` that blocks. It stands once; the
//! crates of async runtimes call it on their threads for blocking work.
//!
//! ```text
//! pack:    source ─► walk ─► Encoder ─► pieces ─► out
//! unpack:  input ─► Decoder ─► Event ─► destination
//! ```
//!
//! Both hold a few MiB at most, whatever the size of the files: pieces of 256 KiB, the names in the directories on the
//! way down, and one note per directory and hard-linked file.

mod apply;
mod content;
mod pack;
mod piped;
mod place;
#[cfg(feature = "ignore")]
mod rules;
#[cfg(not(feature = "ignore"))]
#[path = "no_rules.rs"]
mod rules;
mod stage;
#[cfg(test)]
mod tests;
mod unpack;
mod write;

pub use pack::{Out, pack};
pub(crate) use piped::{look, pack as pack_into, unpack as unpack_from};
pub use pocket_dock_core::files::*;
pub use unpack::{Input, unpack};

/// Bytes of one piece of an archive.
pub const PIECE: usize = 256 * 1024;
