//! What is well and what is not with an engine, and what to do about it.

use std::fmt;

use serde::Serialize;

use crate::engine_api::EngineKind;
use crate::engine_api::about::About;
use crate::error::{Error, SocketError};

/// What to look for, beside the engine itself: an argument of [`Engine::doctor`](crate::Engine::doctor).
///
/// ```
/// use pocket_dock_core::Checkup;
///
/// let checkup = Checkup::new().image("pocket-dock/minimal");
/// # let _ = checkup;
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Checkup {
    pub(crate) images: Vec<String>,
}

impl Checkup {
    /// The engine, and what is left on it of programs that have died.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also whether it has this image. May be called several times.
    #[must_use]
    pub fn image(mut self, name: impl Into<String>) -> Self {
        self.images.push(name.into());
        self
    }
}

/// What is well and what is not, and what to do about it: what [`Engine::doctor`](crate::Engine::doctor) gives.
///
/// [`Display`](fmt::Display) shows it to people, a line for each finding and one for each remedy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What was found, the engine first.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do about it. There is none where all is well.
    pub remedy: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Check {
    /// Whether an engine answers.
    Engine,
    /// Whether its version is known to work.
    Version,
    /// Whether it runs without root.
    Rootless,
    /// Which limits it can set.
    Limits,
    /// How it stores containers.
    Storage,
    /// Whether it has an image.
    Image,
    /// What is left of programs that have died.
    Orphans,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// All is well.
    Good,
    /// Worth knowing, and no harm.
    Note,
    /// Something will not work, or not well.
    Warning,
    /// Nothing will work before it is mended.
    Problem,
}

impl Report {
    /// The worst that was found.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let all = self.findings.iter().map(|finding| finding.severity);
        all.max().unwrap_or(Severity::Good)
    }

    /// Whether sandboxes will work: nothing worse than a warning was found.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.severity() < Severity::Problem
    }

    /// What was found of one thing that was looked at.
    pub fn of(&self, check: Check) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.check == check)
    }

    fn add(&mut self, check: Check, severity: Severity, message: impl Into<String>, remedy: Option<&str>) {
        self.findings.push(Finding {
            check,
            severity,
            message: message.into(),
            remedy: remedy.map(str::to_owned),
        });
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Engine => "engine",
            Self::Version => "version",
            Self::Rootless => "rootless",
            Self::Limits => "limits",
            Self::Storage => "storage",
            Self::Image => "image",
            Self::Orphans => "orphans",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

impl fmt::Display for Report {
    /// There is no line end behind the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.findings.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            let Finding {
                check,
                severity,
                message,
                remedy,
            } = finding;
            let message = message.trim_end().replace('\n', "\n                     ");
            write!(f, "{end}{severity:<10} {check:<9} {message}")?;
            if let Some(remedy) = remedy {
                write!(f, "\n{:<20} > {remedy}", "")?;
            }
        }
        Ok(())
    }
}

/// The versions that are tried, of each kind in order.
const TRIED: [(EngineKind, [(u32, u32); 3]); 2] = [
    (EngineKind::Docker, [(20, 10), (26, 1), (28, 5)]),
    (EngineKind::Podman, [(4, 3), (5, 4), (5, 8)]),
];

/// What each finding is made of.
impl Report {
    /// No engine answers.
    pub(crate) fn without_engine(error: &Error) -> Self {
        let (message, remedy) = match error {
            Error::Socket(SocketError::NoEngine { tried }) => {
                let each = tried.iter().map(|(place, why)| format!("\n{place}: {why}"));
                let message = each.fold("no container engine answers here".to_owned(), |all, one| all + &one);
                let is_forbidden = tried.iter().any(|(_, why)| why.contains("ermission"));
                let remedy = if is_forbidden {
                    "an engine may be there that you may not use: become a member of its group (for Docker, `usermod -aG docker \
                     USER`, then log in anew), run as root, or start one of your own with `systemctl --user start \
                     podman.socket`"
                } else {
                    "install Podman (`apt-get install podman`) or Docker, and start it (`systemctl start podman.socket`, or \
                     `systemctl --user start podman.socket`), or name its socket in POCKET_DOCK_SOCKET"
                };
                (message, remedy)
            }
            Error::Socket(SocketError::Setting { setting, value, why }) => (
                format!("{setting} names {value:?}, and that is of no use: {why}"),
                "correct it, or unset it to have an engine found",
            ),
            Error::Socket(SocketError::Connect { .. }) => (
                error.to_string(),
                "see that the engine runs and that you may use its socket, or leave the socket out to have an engine found",
            ),
            _ => (
                error.to_string(),
                "see the engine's log, restart it, or use another engine",
            ),
        };
        let mut report = Self::default();
        report.add(Check::Engine, Severity::Problem, message, Some(remedy));
        report
    }

    pub(crate) fn engine(&mut self, kind: EngineKind, version: &str, socket: &str) {
        let message = format!("{kind} {version} answers at {socket}");
        self.add(Check::Engine, Severity::Good, message, None);
        self.version(kind, version);
    }

    fn version(&mut self, kind: EngineKind, version: &str) {
        let mut parts = version.split(['.', '-', '+']).map(|part| part.parse::<u32>().ok());
        let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
            let message = format!("it says no version that can be read: {version:?}");
            return self.add(
                Check::Version,
                Severity::Note,
                message,
                Some("see that it is Docker or Podman, and not something that imitates one"),
            );
        };
        let this = (major, minor);
        let Some((_, tried)) = TRIED.iter().find(|(one, _)| *one == kind) else {
            return;
        };
        let list = tried.map(|(major, minor)| format!("{major}.{minor}")).join(", ");
        let (severity, message, remedy) = if tried.contains(&this) {
            (Severity::Good, format!("{kind} {major}.{minor} is tested"), None)
        } else if this < tried[0] {
            (
                Severity::Warning,
                format!("{kind} {major}.{minor} is older than any that is tested ({list})"),
                Some("use a newer one"),
            )
        } else if this > tried[2] {
            (
                Severity::Note,
                format!("{kind} {major}.{minor} is newer than any that is tested ({list})"),
                Some("it should do; report what does not"),
            )
        } else {
            let message = format!("{kind} {major}.{minor} is between those that are tested ({list})");
            (Severity::Good, message, None)
        };
        self.add(Check::Version, severity, message, remedy);
    }

    /// What the engine says of itself, or why it does not.
    pub(crate) fn about(&mut self, about: &Result<About, Error>) {
        let about = match about {
            Ok(about) => about,
            Err(error) => {
                let remedy = Some("see the engine's log: it should answer `/info`");
                return self.add(Check::Limits, Severity::Warning, error.to_string(), remedy);
            }
        };
        let rootless = about.is_rootless();
        let message = if rootless {
            "it runs without root: what escapes from a container is no more than you are"
        } else {
            "it runs as root: what escapes from a container is root on this machine"
        };
        let (severity, remedy) = if rootless {
            (Severity::Good, None)
        } else {
            (
                Severity::Note,
                Some("for code that is not trusted at all, a rootless engine is one more fence"),
            )
        };
        self.add(Check::Rootless, severity, message, remedy);
        self.limits(about, rootless);
        self.storage(about);
    }

    fn limits(&mut self, about: &About, rootless: bool) {
        let cgroups = match (about.cgroup_version.as_deref(), about.cgroup_driver.as_deref()) {
            (Some(version), Some(driver)) => format!("cgroup v{version} by {driver}"),
            (Some(version), None) => format!("cgroup v{version}"),
            _ => "cgroups of a version that it does not say".to_owned(),
        };
        let missing: Vec<&str> = [
            ("memory", about.memory_limit),
            ("CPU", about.cpu_cfs_quota),
            ("processes", about.pids_limit),
        ]
        .into_iter()
        .filter_map(|(what, can)| (can == Some(false)).then_some(what))
        .collect();
        let is_old = about.cgroup_version.as_deref() == Some("1");
        if rootless && is_old {
            let remedy =
                "boot with cgroup v2 (`systemd.unified_cgroup_hierarchy=1`), or use an engine that runs as root";
            let message = format!("{cgroups}: without root, no limit can be set");
            return self.add(Check::Limits, Severity::Warning, message, Some(remedy));
        }
        if !missing.is_empty() {
            let message = format!("{cgroups}: it cannot limit {}", missing.join(", "));
            let remedy = if rootless {
                "have systemd delegate the controllers to your session (`Delegate=cpu cpuset io memory pids` for \
                 user@.service), and log in anew"
            } else {
                "enable the controllers in the kernel (on some machines, boot with `cgroup_enable=memory swapaccount=1`)"
            };
            return self.add(Check::Limits, Severity::Warning, message, Some(remedy));
        }
        if about.swap_limit == Some(false) {
            let message = format!("{cgroups}: it can limit memory, CPU and processes, but not swap beside memory");
            let remedy = "a container may use swap beyond its memory limit: boot with `swapaccount=1`, or have no swap";
            return self.add(Check::Limits, Severity::Note, message, Some(remedy));
        }
        let message = format!("{cgroups}: it can limit memory, CPU and processes");
        self.add(Check::Limits, Severity::Good, message, None);
    }

    fn storage(&mut self, about: &About) {
        let driver = about.driver.as_deref().unwrap_or_default();
        let (severity, message, remedy) = match driver {
            "" => (
                Severity::Note,
                "it does not say how it stores containers".to_owned(),
                None,
            ),
            "vfs" => (
                Severity::Warning,
                "the storage driver vfs copies the whole image for each container: slow, and large".to_owned(),
                Some("use overlay, or fuse-overlayfs where that is not allowed"),
            ),
            "devicemapper" | "aufs" => (
                Severity::Warning,
                format!("the storage driver {driver} is given up by the engines"),
                Some("use overlay"),
            ),
            driver => (Severity::Good, format!("the storage driver is {driver}"), None),
        };
        self.add(Check::Storage, severity, message, remedy);
    }

    /// Whether an image is there, or why that is not known.
    pub(crate) fn image(&mut self, name: &str, there: &Result<bool, Error>) {
        let (severity, message, remedy) = match there {
            Ok(true) => (Severity::Good, format!("image {name:?} is there"), None),
            Ok(false) => (
                Severity::Problem,
                format!("image {name:?} is not on this engine"),
                Some(
                    "build it with `Engine::build_image`, load it with `Engine::load_image`, or pull it with the engine's own \
                     tool: nothing is fetched unasked",
                ),
            ),
            Err(error) => (
                Severity::Warning,
                format!("whether image {name:?} is there cannot be known: {error}"),
                Some("check the spelling; see the engine's log"),
            ),
        };
        self.add(Check::Image, severity, message, remedy);
    }

    /// The names of containers of programs that have died, or why they are not known.
    pub(crate) fn orphans(&mut self, names: &Result<Vec<String>, Error>) {
        let (severity, message, remedy) = match names {
            Ok(names) if names.is_empty() => (
                Severity::Good,
                "nothing is left of programs that have died".to_owned(),
                None,
            ),
            Ok(names) => (
                Severity::Warning,
                format!("left of programs that have died: {}", names.join(", ")),
                Some("the first `Engine::create` of any program removes them"),
            ),
            Err(error) => (
                Severity::Warning,
                format!("what is left of programs that have died cannot be known: {error}"),
                Some("see the engine's log: it should list its containers"),
            ),
        };
        self.add(Check::Orphans, severity, message, remedy);
    }
}

#[cfg(test)]
mod tests;
