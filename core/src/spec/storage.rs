//! What is mounted into a container, and what of the machine it is given.

use std::path::PathBuf;

use super::Size;
use super::check::{check_container_path, check_host_path, check_volume_name};
use crate::error::Error;

/// A directory or file of the machine, or a volume of the engine, that a container sees at a path of its own.
///
/// The machine is the engine's. Nothing here is read from text with colons and commas in it: what engines would take for more
/// than a path is refused.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Volume};
///
/// let spec = ContainerSpec::new("alpine:3.21")
///     .volume(Volume::bind("/srv/data", "/data").read_only())
///     .volume(Volume::named("build-cache", "/cache"));
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Volume {
    pub(crate) source: VolumeSource,
    pub(crate) target: String,
    pub(crate) read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VolumeSource {
    Bind(PathBuf),
    Named(String),
}

impl Volume {
    /// What is at `source` on the engine's machine, seen at `target` in the container: absolute paths without `..`, commas,
    /// quotes and line ends. Docker refuses a source that is not there; Podman makes a directory.
    pub fn bind(source: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self::new(VolumeSource::Bind(source.into()), target)
    }

    /// The engine's volume of this name, which is made if there is none, and stays when the container goes.
    pub fn named(name: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(VolumeSource::Named(name.into()), target)
    }

    fn new(source: VolumeSource, target: impl Into<String>) -> Self {
        Self {
            source,
            target: target.into(),
            read_only: false,
        }
    }

    /// The container may not write to it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.source {
            VolumeSource::Bind(path) => check_host_path("the source of a volume", path)?,
            VolumeSource::Named(name) => check_volume_name(name)?,
        }
        check_container_path("a volume", &self.target)
    }
}

/// A directory of a container that is kept in memory, and gone with it.
///
/// What is written there counts as memory of the container. It is never shared, has no devices, and no program in it gets
/// another user's rights.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Tmpfs};
///
/// let spec = ContainerSpec::new("alpine:3.21")
///     .read_only_root(true)
///     .tmpfs("/run")
///     .tmpfs(Tmpfs::new("/tmp").size("64m"));
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tmpfs {
    pub(crate) target: String,
    pub(crate) size: Option<Size>,
    pub(crate) mode: u32,
    pub(crate) exec: bool,
}

impl Tmpfs {
    /// At this absolute path, which the engine makes if it is missing. Every user may write there, as in `/tmp` (mode 1777),
    /// and run programs from there.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            size: None,
            mode: 0o1777,
            exec: true,
        }
    }

    /// How much it may hold. Half of the machine's memory by default, as the system has it.
    #[must_use]
    pub fn size(mut self, size: impl Into<Size>) -> Self {
        self.size = Some(size.into());
        self
    }

    /// Its permissions, such as `0o700`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// No program may be run from there.
    #[must_use]
    pub fn no_exec(mut self) -> Self {
        self.exec = false;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_container_path("a tmpfs", &self.target)?;
        if self.mode > 0o7777 {
            return Err(Error::misuse(
                "the mode of a tmpfs has more than twelve bits: give one such as 0o1777",
            ));
        }
        if let Some(size) = &self.size
            && super::check::bytes("the size of a tmpfs", size)? == 0
        {
            return Err(Error::misuse(
                "a tmpfs of no size would have no limit at all: give it a size, or none",
            ));
        }
        Ok(())
    }
}

impl From<&str> for Tmpfs {
    fn from(target: &str) -> Self {
        Self::new(target)
    }
}

impl From<String> for Tmpfs {
    fn from(target: String) -> Self {
        Self::new(target)
    }
}

/// A device of the engine's machine that a container is given.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Device};
///
/// let spec = ContainerSpec::new("alpine:3.21")
///     .device("/dev/fuse")
///     .device(Device::new("/dev/ttyUSB0").at("/dev/modem").read_only());
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    pub(crate) source: PathBuf,
    pub(crate) target: Option<String>,
    pub(crate) read_only: bool,
}

impl Device {
    /// The device at this path, at the same path in the container, to be read and written.
    pub fn new(source: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            target: None,
            read_only: false,
        }
    }

    /// Its path in the container.
    #[must_use]
    pub fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// It may be read only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(crate) fn target(&self) -> String {
        let own = || self.source.to_string_lossy().into_owned();
        self.target.clone().unwrap_or_else(own)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_host_path("a device", &self.source)?;
        check_container_path("a device", &self.target())
    }
}

impl From<&str> for Device {
    fn from(source: &str) -> Self {
        Self::new(source)
    }
}

impl From<String> for Device {
    fn from(source: String) -> Self {
        Self::new(source)
    }
}
