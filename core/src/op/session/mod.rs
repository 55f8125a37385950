//! Sessions: one shell in the background, and turns that wait for it.
//!
//! ```text
//!   SendAndWait, streams ──► queue ──► Turns ── Pump ── Exec ── the shell
//!                                        │ output of a turn ──► that turn's Live ──► its reader
//!                                        └ what comes later ──► the session's ring
//! ```
//! A turn is a [`Live`](super::live::Live) like a stream, so its readers are those of streams. The shell itself is one
//! too: it gathers what comes between turns, and its end is the session's.

mod kill;
mod shared;
mod turn;
mod turns;
mod wait;

pub use kill::Interrupt;
pub use shared::OnStuck;
pub(crate) use shared::Shell;
pub(crate) use turn::Pending;
pub use turn::{ShellState, Turn, TurnResult};
pub(crate) use turns::Turns;
pub use wait::{Closing, SendAndWait, StartTurn};
