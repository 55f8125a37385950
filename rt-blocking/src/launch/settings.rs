//! What Podman has to be told on machines where its own defaults fail. Whatever the user has set is left as it is.
//!
//! - Root without the capability to raise limits, as inside a container: the limits that Podman gives every container by
//!   default are refused by the kernel, so it is told to give those that we have. Podman 4.4 and later merges such a
//!   setting into the others; before, there is one file of settings, so the setting goes into a copy of that.
//! - Both generations of control groups mounted: crun refuses, so runc is asked for if it is there.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use super::on_path;

/// Where the settings are kept. They outlive the service, since Podman reads them again when a container ends.
const DIR: &str = "/run/pocket-dock";
const VERSION_LIMIT: Duration = Duration::from_secs(5);
/// The first version that merges `CONTAINERS_CONF_OVERRIDE`.
const MERGES: (u32, u32) = (4, 4);

/// How to start Podman.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) arguments: Vec<&'static str>,
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// What this machine needs. It may have to be asked again, until Podman has said its version.
#[derive(Debug, Default)]
pub(super) struct Finding {
    found: Settings,
    /// The files of settings, where Podman's version decides what is done about limits.
    pending: Option<(Version, Vec<(PathBuf, String)>)>,
}

/// Begins to find out what this machine needs.
pub(super) fn find(podman: &Path) -> Finding {
    let mut found = Settings::default();
    let files = files();
    if is_hybrid(&text("/proc/self/mountinfo")) && !mentions(&files, "runtime") && on_path("runc").is_some() {
        found.arguments = vec!["--runtime", "runc"];
    }
    let wanted = cannot_raise_limits(&text("/proc/self/status")) && !mentions(&files, "default_ulimits");
    let pending = wanted.then(|| (Version::ask(podman), files));
    Finding { found, pending }
}

impl Finding {
    /// What this machine needs, once it is known; only once. Never blocks.
    pub(super) fn poll(&mut self) -> Option<Settings> {
        if let Some((version, files)) = &mut self.pending {
            let Poll::Ready(version) = version.poll() else {
                return None;
            };
            self.found.environment.extend(limits_for(version, files));
        }
        self.pending = None;
        Some(std::mem::take(&mut self.found))
    }
}

/// The setting for this version of Podman that gives containers the limits that we have.
fn limits_for(version: Option<(u32, u32)>, files: &[(PathBuf, String)]) -> Option<(&'static str, OsString)> {
    let (variable, settings) = if version.is_some_and(|version| version < MERGES) {
        let [(_, only)] = files else { return None };
        ("CONTAINERS_CONF", with_limits(only, &limits()))
    } else {
        ("CONTAINERS_CONF_OVERRIDE", with_limits("", &limits()))
    };
    if std::env::var_os(variable).is_some() {
        return None;
    }
    match keep(&settings) {
        Ok(path) => Some((variable, path.into())),
        Err(error) => {
            tracing::warn!(%error, "Podman's limits for containers cannot be set, so it may refuse to start any");
            None
        }
    }
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The files that Podman reads its settings from, as far as they say anything.
fn files() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(path) = variable("CONTAINERS_CONF") {
        paths.push(path);
    } else {
        let mut homes = vec![PathBuf::from("/usr/share/containers"), PathBuf::from("/etc/containers")];
        let own = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
        homes.extend(own.map(|own| own.join("containers")));
        for home in homes {
            paths.push(home.join("containers.conf"));
            let parts = fs::read_dir(home.join("containers.conf.d"))
                .into_iter()
                .flatten()
                .flatten();
            paths.extend(
                parts
                    .map(|part| part.path())
                    .filter(|path| path.extension().is_some_and(|end| end == "conf")),
            );
        }
    }
    paths.extend(variable("CONTAINERS_CONF_OVERRIDE"));
    let said = |path: PathBuf| {
        let text = text(&path);
        let says = text
            .lines()
            .map(str::trim)
            .any(|line| !line.is_empty() && !line.starts_with(['#', '[']));
        says.then_some((path, text))
    };
    paths.into_iter().filter_map(said).collect()
}

fn mentions(files: &[(PathBuf, String)], key: &str) -> bool {
    let sets = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    files.iter().any(|(_, text)| text.lines().any(sets))
}

/// Root without CAP_SYS_RESOURCE, going by `/proc/self/status`. Without root, Podman makes do with the limits there are.
fn cannot_raise_limits(status: &str) -> bool {
    const SYS_RESOURCE: u32 = 24;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let is_root = field("Uid:").and_then(|ids| ids.split_whitespace().nth(1)) == Some("0");
    let effective = field("CapEff:").and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    is_root && effective.is_some_and(|bits| bits & (1 << SYS_RESOURCE) == 0)
}

/// Whether both generations of control groups are mounted, going by `/proc/self/mountinfo`.
fn is_hybrid(mounts: &str) -> bool {
    let kind = |at: &str| {
        let at_it = |line: &&str| line.split(' ').nth(4) == Some(at);
        let last = mounts.lines().rfind(at_it)?;
        last.split_once(" - ")?.1.split(' ').next()
    };
    kind("/sys/fs/cgroup/unified") == Some("cgroup2") && kind("/sys/fs/cgroup") != Some("cgroup2")
}

/// The limits that we have, and so may give. Podman lowers its own limit of processes to the highest process id there
/// can be, and what it starts cannot raise that again.
fn limits() -> String {
    const MOST: u64 = 1_048_576; // what Podman gives where it may
    let most = |resource| getrlimit(resource).maximum.map_or(MOST, |maximum| maximum.min(MOST));
    let highest_id = text("/proc/sys/kernel/pid_max").trim().parse().unwrap_or(MOST);
    let (files, processes) = (most(Resource::Nofile), most(Resource::Nproc).min(highest_id));
    format!("default_ulimits = [\"nofile={files}:{files}\", \"nproc={processes}:{processes}\"]\n")
}

/// These settings and the limits.
fn with_limits(settings: &str, limits: &str) -> String {
    let mut text = String::new();
    let mut written = false;
    for line in settings.lines() {
        text.push_str(line);
        text.push('\n');
        if !written && line.trim() == "[containers]" {
            text.push_str(limits);
            written = true;
        }
    }
    if !written {
        text.push_str("[containers]\n");
        text.push_str(limits);
    }
    text
}

/// Writes the settings where they stay, under a name that goes with what they say.
fn keep(settings: &str) -> io::Result<PathBuf> {
    let dir = Path::new(DIR);
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(dir)?;
    if !meta.is_dir() || meta.uid() != 0 || meta.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "{DIR} is not a directory that only root may write to"
        )));
    }
    let sum = settings.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let path = dir.join(format!("containers-{sum:016x}.conf"));
    if text(&path) != settings {
        let fresh = dir.join(format!("containers-{sum:016x}.{}", std::process::id()));
        fs::write(&fresh, settings)?;
        fs::rename(&fresh, &path)?;
    }
    Ok(path)
}

/// What `podman --version` says, if it says so soon.
#[derive(Debug)]
struct Version {
    /// None if it could not be started.
    child: Option<Child>,
    until: Instant,
}

impl Version {
    fn ask(podman: &Path) -> Self {
        let mut command = Command::new(podman);
        command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Self {
            child: command.spawn().ok(),
            until: Instant::now() + VERSION_LIMIT,
        }
    }

    fn poll(&mut self) -> Poll<Option<(u32, u32)>> {
        let Some(child) = &mut self.child else {
            return Poll::Ready(None);
        };
        if matches!(child.try_wait(), Ok(None)) {
            let late = Instant::now() >= self.until;
            return if late { Poll::Ready(None) } else { Poll::Pending };
        }
        let mut said = [0; 256];
        let count = child.stdout.take().and_then(|mut out| out.read(&mut said).ok());
        Poll::Ready(parse_version(&String::from_utf8_lossy(&said[..count.unwrap_or(0)])))
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait()); // nothing that was killed is waited for long
        }
    }
}

fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.trim().rsplit(' ').next()?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_control_groups_are_those_with_both_generations() {
        let old = "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n";
        let second = "41 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let new = "30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
        assert!(is_hybrid(&format!("{old}{second}")));
        assert!(!is_hybrid(old) && !is_hybrid(new) && !is_hybrid(""));
    }

    #[test]
    fn only_root_without_the_capability_cannot_raise_limits() {
        let status = |uid: u32, effective: &str| format!("Name:\tx\nUid:\t{uid}\t{uid}\t0\t0\nCapEff:\t{effective}\n");
        assert!(cannot_raise_limits(&status(0, "00000000a80425fb")));
        assert!(!cannot_raise_limits(&status(0, "000001ffffffffff")));
        assert!(!cannot_raise_limits(&status(1000, "0000000000000000")));
        assert!(!cannot_raise_limits(""));
    }

    #[test]
    fn the_limits_go_into_the_section_that_is_there() {
        let settings = "# x\n[containers]\nuserns = \"\"\n[engine]\nruntime = \"runc\"";
        let with = with_limits(settings, "L\n");
        assert_eq!(
            with,
            "# x\n[containers]\nL\nuserns = \"\"\n[engine]\nruntime = \"runc\"\n"
        );
        assert_eq!(with_limits("", "L\n"), "[containers]\nL\n");
        let files = [(PathBuf::new(), settings.to_owned())];
        assert!(mentions(&files, "runtime") && mentions(&files, "userns"));
        assert!(!mentions(&files, "default_ulimits") && !mentions(&files, "run"));
    }

    #[test]
    fn versions() {
        assert_eq!(parse_version("podman version 4.3.1\n"), Some((4, 3)));
        assert_eq!(parse_version("podman version 5.8.6"), Some((5, 8)));
        assert_eq!(parse_version(""), None);
        assert_eq!(Version::ask(Path::new("/nonexistent")).poll(), Poll::Ready(None));
    }
}
