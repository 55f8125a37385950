//! What a container uses.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::info::show;

/// What a container used at a moment: an item of [`Container::stats`](crate::Container::stats).
///
/// Serialized, times are text as in RFC 3339, and lengths of time are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// When, by the engine's clock.
    #[serde(serialize_with = "crate::serial::time")]
    pub at: SystemTime,
    /// CPU use since the sample before, in percent of one processor: two that are busy are 200. `None` in the first sample,
    /// unless the engine measured before.
    pub cpu_percent: Option<f64>,
    /// The CPU time that all its processes have had, since it was started.
    #[serde(rename = "cpu_seconds", serialize_with = "crate::serial::seconds")]
    pub cpu_time: Duration,
    /// Bytes of memory that are charged to it, with the page cache: what the kernel would give up before it killed
    /// anything.
    pub memory_usage: u64,
    /// Bytes of page cache in that. `None` where the engine does not tell: Podman does not.
    pub page_cache: Option<u64>,
    /// The most memory it may have, in bytes; what the machine has, if it has no limit.
    pub memory_limit: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Bytes received on all networks.
    pub network_received: Option<u64>,
    /// Bytes sent on all networks.
    pub network_sent: Option<u64>,
    /// Bytes read from disks. `None` if nothing is known of it.
    pub block_read: Option<u64>,
    /// Bytes written to disks. `None` if nothing is known of it.
    pub block_written: Option<u64>,
}

impl Stats {
    /// Bytes of memory without the page cache. `None` where that is not told.
    #[must_use]
    pub fn memory_used(&self) -> Option<u64> {
        Some(self.memory_usage.saturating_sub(self.page_cache?))
    }
}

impl fmt::Display for Stats {
    /// One line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cpu_percent {
            Some(percent) => write!(f, "CPU {percent:.1} %")?,
            None => f.write_str("CPU ?")?,
        }
        let (memory, with) = match self.memory_used() {
            Some(used) => (used, ""),
            None => (self.memory_usage, " with page cache"),
        };
        write!(f, ", memory {}{with}", show::Bytes(memory))?;
        if let Some(pids) = self.pids {
            write!(f, ", {pids} processes and threads")?;
        }
        if let (Some(received), Some(sent)) = (self.network_received, self.network_sent) {
            write!(f, ", network {} in, {} out", show::Bytes(received), show::Bytes(sent))?;
        }
        Ok(())
    }
}
