//! For those who write an adapter for another runtime: the parts that are the same for all of them.
//!
//! An adapter implements [`Runtime`](pocket_dock_core::Runtime), an async one by way of
//! [`Reactor`](pocket_dock_core::Reactor). [`StdHost`](crate::StdHost) is its host, [`finish_in_background`] ends what
//! a dropped future or a dropped container leaves behind, [`attend`] drives operations beside calls, [`offload`] does what
//! may block, [`transfer`] what reads and writes local files, [`connect`], [`send`], [`receive`], [`finish_sending`]
//! and [`keep`] do with a socket what a runtime may not do by itself, and [`drive`] is the model of a driver, in case an operation is
//! to be driven on a thread of its own.

pub use crate::background::{finish_in_background, offload, transfer, wait_for_cleanup};
pub use crate::driver::drive;
pub use crate::hub::attend;
pub use crate::socket::{connect, finish_sending, keep, receive, send};
