//! What users hold: generic over the runtime, and written once.

mod connecting;
mod container;
mod doctor;
mod engine;
mod file;
mod held;
mod pool;
mod process;
mod session;
mod stats;
mod stream;

pub use connecting::Connecting;
pub use container::{Container, ContainerState, Ending};
pub use doctor::Doctor;
pub use engine::{Attaching, BuiltImage, Creating, Engine, Options, Resuming};
pub use file::{FileReader, FileWriter};
pub use pool::{Pool, Taking};
pub use process::Process;
pub use session::{Session, SessionOptions};
pub use stats::StatsStream;
pub use stream::{ExecStream, Stdin, StreamChunk};

/// 128 bits as 32 hex digits.
fn hex(bytes: [u8; 16]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
