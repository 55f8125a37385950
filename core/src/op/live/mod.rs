//! Output while a command runs: one operation in the background, and what it shares with those who read.
//!
//! ```text
//!             wishes, input                     Next, NextLine, NextText, UntilEnd, UntilLimit
//!   caller ──────────────────►┌──────────┐◄──────────────────────────────────────────────── caller
//!                             │   Live   │
//!   Pump ◄────────────────────└──────────┘──► callbacks, on threads of their own
//!     │  output, the end ───────►
//!     └─ Exec ── Link ── engine
//! ```
//! The [`Pump`] is driven in the background from the start of the command to its end, whether or not anyone looks. It
//! never waits for a reader in any other way than by not reading its connection, and whoever changes what they share
//! wakes whoever may wait for that: the pump or the readers. So neither lives longer than the other needs.

mod callbacks;
mod kill;
mod over;
mod pump;
mod quiet;
mod shared;
mod sink;
mod start;
mod take;
mod write;

pub(crate) use callbacks::Callbacks;
pub use callbacks::Origin;
pub use kill::Kill;
pub use over::{UntilEnd, UntilLimit};
pub(crate) use pump::Pump;
pub(crate) use quiet::Beside;
pub use quiet::{Quieted, Relaxed};
pub(crate) use shared::{Live, Wish};
pub(crate) use sink::{Queue, Sink};
pub use start::Start;
pub use take::{Next, NextLine, NextText, StreamLine, TextChunk};
pub(crate) use take::{Reader, SharedViews, Views};
pub use write::Write;
