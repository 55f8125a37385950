//! Everything that tests pocket-dock as a whole: the lab of real engines and what runs on it, the engines of our own that
//! are scripted, simulated or replayed.

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub mod readme {}

pub mod bench;
pub mod hostile_archives;
pub mod judge;
pub mod lab;
pub mod proxy;
pub mod recorded;
pub mod replay;
pub mod scripted;
pub mod sim;
pub mod suite;
pub mod tree;
pub mod walk;
