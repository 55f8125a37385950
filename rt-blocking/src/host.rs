//! What the standard library and `/proc` know.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use pocket_dock_core::files::{LocalError, LocalKind, Packing, PipeReader, PipeWriter, Progress, Target, Unpacking};
use pocket_dock_core::{Host, Limits, Owner, Service};

/// This process on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdHost;

impl Host for StdHost {
    fn entropy(&self) -> [u8; 16] {
        // No kernel this runs on refuses it; a hash with the standard library's own random key is the next best.
        random().unwrap_or_else(seeded)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn launch(&self) -> Result<Option<Box<dyn Service>>, String> {
        Ok(crate::launch::podman())
    }

    fn user_id(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn owner(&self) -> Option<Owner> {
        let stat = Stat::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)?;
        // A /proc of another namespace has another number for us, and would be wrong about everyone.
        (stat.pid == std::process::id()).then_some(())?;
        Some(Owner {
            pid: stat.pid,
            started: stat.started,
            boot: boot()?,
            namespace: namespace()?,
        })
    }

    fn look(&self, path: &Path) -> Result<LocalKind, LocalError> {
        crate::files::look(path)
    }

    fn pack(&self, source: &Path, name: &[u8], packing: &Packing, out: PipeWriter) -> Result<Progress, LocalError> {
        crate::files::pack_into(source, name, packing, out)
    }

    fn unpack(
        &self,
        target: &Target,
        unpacking: &Unpacking,
        limits: &Limits,
        input: PipeReader,
    ) -> Result<Progress, LocalError> {
        crate::files::unpack_from(target, unpacking, limits, input)
    }

    fn lives(&self, owner: &Owner) -> Option<bool> {
        let me = self.owner()?;
        if owner.boot != me.boot || owner.namespace != me.namespace {
            return None;
        }
        match std::fs::read_to_string(Path::new("/proc").join(owner.pid.to_string()).join("stat")) {
            Ok(stat) => Stat::parse(&stat).map(|stat| stat.alive && stat.started == owner.started),
            // A process that just ended may still be found by its number; one that /proc hides (hidepid) too.
            Err(error) if is_missing(&error) => (!has_number(owner.pid)).then_some(false),
            Err(_) => None,
        }
    }
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    pid: u32,
    alive: bool,
    started: u64,
}

impl Stat {
    /// The name in the second field may hold anything, spaces and parentheses too: the others begin behind the last one.
    fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(' ')?;
        let mut fields = rest.rsplit_once(')')?.1.split_ascii_whitespace();
        Some(Self {
            pid: pid.parse().ok()?,
            alive: !matches!(fields.next()?, "Z" | "X" | "x"),
            started: fields.nth(18)?.parse().ok()?,
        })
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// Whether any process has this number, be it one that we may not see.
fn has_number(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(target_os = "linux")]
fn random() -> Option<[u8; 16]> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(bytes)
}

#[cfg(not(target_os = "linux"))]
fn random() -> Option<[u8; 16]> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    let mut source = std::fs::File::open("/dev/urandom").ok()?;
    source.read_exact(&mut bytes).ok().map(|()| bytes)
}

fn seeded() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(SystemTime::now()).to_ne_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half());
    bytes[8..].copy_from_slice(&half());
    bytes
}

fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn namespace() -> Option<u64> {
    Some(std::fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_with_its_number_would_not_be_it() {
        let me = StdHost.owner().unwrap();
        assert_eq!(StdHost.lives(&me), Some(true));
        let mut other = me.clone();
        other.started += 1;
        assert_eq!(StdHost.lives(&other), Some(false));
        other.boot = "another".into();
        assert_eq!(StdHost.lives(&other), None);
        let elsewhere = Owner { namespace: 1, ..me };
        assert_eq!(StdHost.lives(&elsewhere), None);
    }

    #[test]
    fn an_ended_process_does_not_live_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let path = format!("/proc/{}/stat", child.id());
        let stat = Stat::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let owner = Owner {
            pid: child.id(),
            started: stat.started,
            ..StdHost.owner().unwrap()
        };
        assert_eq!(StdHost.lives(&owner), Some(true));
        child.kill().unwrap();
        while Stat::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().alive {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(StdHost.lives(&owner), Some(false), "a zombie");
        child.wait().unwrap();
        assert_eq!(StdHost.lives(&owner), Some(false), "reaped");
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        let stat = Stat {
            pid: 12,
            alive: true,
            started: 4711,
        };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(
            Stat::parse(&text.replace(" S ", " Z ")).map(|stat| stat.alive),
            Some(false)
        );
        assert_eq!(Stat::parse("12 (a) S 1"), None);
    }

    #[test]
    fn randomness_does_not_repeat() {
        assert_ne!(StdHost.entropy(), StdHost.entropy());
        assert_ne!(seeded(), seeded());
    }
}
