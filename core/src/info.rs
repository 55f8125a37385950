//! All about a container.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::op::ProcessInfo;
use crate::spec::BoundPort;

pub(crate) mod show;

/// All about a container: what [`Container::info`](crate::Container::info) gives.
///
/// [`Display`](std::fmt::Display) shows it to people. Serialized, times are text as in RFC 3339, and lengths of time are
/// seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ContainerInfo {
    /// Its id on the engine: 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of its image, as this engine writes it.
    pub image: String,
    /// The id of its image, `sha256:` and 64 hex digits.
    pub image_id: String,
    /// The words of its main process.
    pub command: Vec<String>,
    /// The engine's own word, such as `running`, `paused`, `exited`.
    pub status: String,
    /// Whether the main process runs; true also while it is paused.
    pub running: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// How the main process ended, once it has. [`Container::end_reason`](crate::Container::end_reason) says why.
    pub exit_code: Option<i64>,
    /// When it was made, by the engine's clock.
    #[serde(serialize_with = "crate::serial::optional_time")]
    pub created: Option<SystemTime>,
    /// When its main process was started last.
    #[serde(serialize_with = "crate::serial::optional_time")]
    pub started: Option<SystemTime>,
    /// When its main process ended, once it has.
    #[serde(serialize_with = "crate::serial::optional_time")]
    pub ended: Option<SystemTime>,
    /// For how long the main process has been running. `None` if it does not run.
    #[serde(rename = "uptime_seconds", serialize_with = "crate::serial::optional_seconds")]
    pub uptime: Option<Duration>,
    /// Bytes of memory that it uses, without the page cache. `None` if it does not run, or that cannot be known.
    pub memory_used: Option<u64>,
    /// Bytes of page cache beside that, which the kernel gives up where they are needed.
    pub page_cache: Option<u64>,
    /// The most memory it may have, in bytes, page cache included. `None` if it has no limit.
    pub memory_limit: Option<u64>,
    /// CPU use over the last second, in percent of one processor: two that are busy are 200. `None` if it does not run.
    pub cpu_percent: Option<f64>,
    /// The CPU time that all its processes have had, since it was started.
    #[serde(rename = "cpu_seconds", serialize_with = "crate::serial::optional_seconds")]
    pub cpu_time: Option<Duration>,
    /// How many processes and threads it has. `None` if it does not run.
    pub pids: Option<u64>,
    /// The most processes and threads it may have. `None` if it has no limit.
    pub pids_limit: Option<u64>,
    /// The networks that it is on, with its addresses there. One without a network may have a `none` here, or nothing.
    pub networks: Vec<NetworkAddress>,
    /// Its ports that are bound on the host, in order.
    pub ports: Vec<BoundPort>,
    /// Its processes, the main one first, as far as they are known. The commands that are run in it have a shell of ours
    /// as their parent, which is shown as `[pocket-dock]`.
    pub processes: Vec<ProcessInfo>,
    /// Whether the process ids are the host's, and not the container's: Docker knows no others of a container that has no
    /// shell, or is paused.
    pub host_pids: bool,
    /// Its labels, those of its image among them.
    pub labels: BTreeMap<String, String>,
    /// What could not be found out, and why.
    pub unknown: Vec<String>,
}

/// A network that a container is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NetworkAddress {
    /// The network's name on the engine: Docker's default one is `bridge`, Podman's is `podman`.
    pub name: String,
    /// The container's address in it. `None` where it has none, such as when it does not run.
    pub ipv4: Option<IpAddr>,
    /// The same, of version 6.
    pub ipv6: Option<IpAddr>,
    /// The way out of it.
    pub gateway: Option<IpAddr>,
    /// The hardware address.
    pub mac: Option<String>,
}

impl ContainerInfo {
    /// How much of its memory limit it uses, without the page cache, in percent. `None` without a limit.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more")]
    pub fn memory_percent(&self) -> Option<f64> {
        Some(self.memory_used? as f64 / self.memory_limit? as f64 * 100.0)
    }

    /// Whether it is on any network but its own.
    #[must_use]
    pub fn has_network(&self) -> bool {
        self.networks.iter().any(|one| one.name != "none")
    }
}
