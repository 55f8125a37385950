//! For those who write an adapter for another runtime: the parts that are the same for all of them.
//!
//! An adapter implements [`Runtime`](pocket_dock_core::Runtime). [`StdHost`](crate::StdHost) is its host,
//! [`finish_in_background`] ends what a dropped future or a dropped container leaves behind, and [`drive`] is the model
//! of a driver, in case an operation is to be driven on a thread of its own.

pub use crate::background::finish_in_background;
pub use crate::driver::drive;
