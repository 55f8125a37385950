//! Calls about files.
//!
//! Small ones are a script of ours in the container ([`FileCall`]): it sees what the container sees, tmpfs, volumes and
//! `/proc` among it, and may what the user may. Trees go by the engine's archive call ([`Push`], [`Pull`]), or by a `tar`
//! in the container where that call does not see the place as the container does.

mod call;
mod errand;
mod local;
mod pull;
mod push;
mod scout;
mod stream;

pub use call::FileCall;
pub(crate) use call::{About, Question, command};
pub(crate) use errand::Errand;
pub(crate) use local::Looked;
pub use pull::Pull;
pub(crate) use pull::Unpacked;
pub(crate) use push::Packed;
pub use push::Push;
pub(crate) use stream::{Ending, Reading};
pub use stream::{NextBytes, Settle};
