//! Ready-made specs.

use super::{ContainerSpec, Network, Tmpfs};

/// What is unlikely to be needed by code that was not written for it.
const MEMORY: u64 = 512 << 20;
const PROCESSES: u64 = 256;
/// Where programs expect to be able to write, and how much.
const WRITABLE: [(&str, u64); 3] = [("/tmp", 256 << 20), ("/var/tmp", 64 << 20), ("/run", 16 << 20)];

impl ContainerSpec {
    /// For code that nobody has read: no network, no capabilities, no way to new ones, 512 MiB of memory and 256 processes, and
    /// a root file system that cannot be written to. In memory, and part of those 512 MiB, are `/tmp` (256 MiB), `/var/tmp`
    /// (64 MiB) and `/run` (16 MiB).
    ///
    /// Everything that can be done with a container can be done with this one, but for writing elsewhere than to those
    /// directories. Root in it is root by name only: it cannot read what belongs to other users, or signal them; whatever
    /// ends commands does so as each of their users in turn.
    ///
    /// ```
    /// use pocket_dock_core::{ContainerSpec, Tmpfs};
    ///
    /// let spec = ContainerSpec::untrusted("alpine:3.21")
    ///     .memory("1g")
    ///     .tmpfs(Tmpfs::new("/work").size("512m"))
    ///     .workdir("/work");
    /// # let _ = spec;
    /// ```
    #[must_use]
    pub fn untrusted(image: impl Into<String>) -> Self {
        let spec = Self::new(image)
            .network(Network::None)
            .drop_capability("ALL")
            .no_new_privileges(true)
            .memory(MEMORY)
            .pids(PROCESSES)
            .read_only_root(true);
        WRITABLE
            .iter()
            .fold(spec, |spec, (path, bytes)| spec.tmpfs(Tmpfs::new(*path).size(*bytes)))
    }

    /// For your own code: as [`new`](Self::new), with the engine's default network.
    ///
    /// ```
    /// use pocket_dock_core::ContainerSpec;
    ///
    /// let spec = ContainerSpec::trusted("alpine:3.21").port(8080);
    /// # let _ = spec;
    /// ```
    #[must_use]
    pub fn trusted(image: impl Into<String>) -> Self {
        Self::new(image).network(Network::Default)
    }
}
