//! Options, progress and errors of [`push`](pocket_dock_core::Container::push) and
//! [`pull`](pocket_dock_core::Container::pull), as far as this machine's files matter.
//!
//! Local files as archives, and archives as local files, is the side of them that blocks. It stands once, here; the crates
//! of async runtimes call it on threads that may block.
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

#[doc(hidden)]
pub use pack::{Out, pack};
pub(crate) use piped::{look, pack as pack_into, unpack as unpack_from};
pub use pocket_dock_core::files::*;
#[doc(hidden)]
pub use unpack::{Input, unpack};

/// Bytes of one piece of an archive.
#[doc(hidden)]
pub const PIECE: usize = 256 * 1024;
