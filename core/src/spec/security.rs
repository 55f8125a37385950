//! What a container may do with the kernel that it shares.

use std::path::PathBuf;

use super::check::check_host_path;
use crate::engine_api::EngineKind;
use crate::error::Error;

/// Which system calls a container may make.
///
/// Engines differ in how they take a profile of your own, and nothing can be done about it from outside: Docker takes what is
/// in it, Podman a path on its machine. The wrong one is refused before anything is made.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Seccomp};
///
/// let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW",
///     "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ERRNO"}]}"#;
/// let on_docker = ContainerSpec::new("alpine:3.21").seccomp(Seccomp::Profile(profile.to_owned()));
/// let on_podman = ContainerSpec::new("alpine:3.21").seccomp(Seccomp::File("/etc/containers/no-sockets.json".into()));
/// # let _ = (on_docker, on_podman);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seccomp {
    /// Those that the engine allows by default.
    #[default]
    Default,
    /// Those that this profile allows, a JSON object as engines document it. For Docker.
    Profile(String),
    /// Those that the profile in this file of the engine's machine allows. For Podman.
    File(PathBuf),
    /// All of them. Never the default, nor part of any preset.
    Unconfined,
}

impl Seccomp {
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Default | Self::Unconfined => Ok(()),
            Self::Profile(json) => {
                // The word "unconfined" in its place would mean just that.
                let parsed = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json);
                match parsed {
                    Ok(object) if object.contains_key("defaultAction") => Ok(()),
                    Ok(_) => Err(Error::misuse(
                        "the seccomp profile has no `defaultAction`: give one, or the engine's default profile",
                    )),
                    Err(error) => Err(Error::misuse(format!(
                        "the seccomp profile is no JSON object: {error}; give what is in the file, and not its name"
                    ))),
                }
            }
            Self::File(path) => check_host_path("a seccomp profile", path),
        }
    }

    /// As the engine takes it.
    pub(crate) fn option(&self, kind: EngineKind) -> Result<Option<String>, Error> {
        match (self, kind) {
            (Self::Default, _) => Ok(None),
            (Self::Unconfined, _) => Ok(Some("seccomp=unconfined".to_owned())),
            (Self::Profile(json), EngineKind::Docker) => Ok(Some(format!("seccomp={json}"))),
            (Self::File(path), EngineKind::Podman) => Ok(Some(format!("seccomp={}", path.display()))),
            (Self::Profile(_), EngineKind::Podman) => Err(Error::misuse(
                "Podman takes a seccomp profile only by the path of a file on its machine: use `Seccomp::File`",
            )),
            (Self::File(_), EngineKind::Docker) => Err(Error::misuse(
                "Docker takes what is in a seccomp profile, and not its path: read the file and use `Seccomp::Profile`",
            )),
        }
    }
}

/// A capability as all engines take it: `CAP_NET_RAW`, `ALL`.
pub(crate) fn capability(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper == "ALL" || upper.starts_with("CAP_") {
        return upper;
    }
    format!("CAP_{upper}")
}

pub(super) fn check_capability(name: &str) -> Result<(), Error> {
    if !name.is_empty() && name.len() < 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "{name:?} is no capability: give a name such as \"NET_RAW\" or \"CAP_SYS_PTRACE\", or \"ALL\""
    )))
}

/// A limit that the system sets to each process of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ulimit {
    pub(crate) name: String,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// What Linux knows of them.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Ulimit {
    pub(super) fn check(&self) -> Result<(), Error> {
        if !ULIMITS.contains(&self.name.as_str()) {
            return Err(Error::misuse(format!(
                "{:?} is no limit of a process: those are {}",
                self.name,
                ULIMITS.join(", ")
            )));
        }
        if self.soft > self.hard || i64::try_from(self.hard).is_err() {
            return Err(Error::misuse(format!(
                "the limit of {} cannot be {} and {}: the soft one is at most the hard one, and both are less than 2^63",
                self.name, self.soft, self.hard
            )));
        }
        Ok(())
    }
}
