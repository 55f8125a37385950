//! What the standard library and `/proc` know.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use pocket_dock_core::{Host, Launched, Owner};

/// This process on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdHost;

impl Host for StdHost {
    fn entropy(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                // No kernel this runs on refuses it; a hash of its own random seed is the next best.
                Err(_) => return seeded(),
            }
        }
        bytes
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn user_id(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn launch(&self) -> Result<Option<Launched>, String> {
        crate::launch::podman()
    }

    fn owner(&self) -> Option<Owner> {
        let pid = std::process::id();
        Some(Owner {
            pid,
            started: started(pid)?,
            boot: boot()?,
            namespace: namespace()?,
        })
    }

    fn lives(&self, owner: &Owner) -> Option<bool> {
        if owner.boot != boot()? || owner.namespace != namespace()? {
            return None;
        }
        Some(started(owner.pid) == Some(owner.started))
    }
}

fn seeded() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(SystemTime::now()).to_ne_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half());
    bytes[8..].copy_from_slice(&half());
    bytes
}

/// When a process was started, in clock ticks after boot; `None` if it does not live.
fn started(pid: u32) -> Option<u64> {
    parse(&std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?)
}

/// The name in the second field may hold anything, parentheses too: the fields begin behind the last one.
fn parse(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn boot() -> Option<String> {
    Some(
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()?
            .trim()
            .to_owned(),
    )
}

fn namespace() -> Option<u64> {
    Some(std::fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_ended_one_does_not() {
        let me = StdHost.owner().unwrap();
        assert_eq!(StdHost.lives(&me), Some(true));
        assert_eq!(
            StdHost.lives(&Owner {
                started: me.started + 1,
                ..me.clone()
            }),
            Some(false)
        );
        assert_eq!(
            StdHost.lives(&Owner {
                boot: "another".into(),
                ..me.clone()
            }),
            None
        );
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let of_child = Owner {
            pid,
            started: started(pid).unwrap_or(0),
            ..me
        };
        child.wait().unwrap();
        assert_eq!(StdHost.lives(&of_child), Some(false));
        assert_ne!(StdHost.entropy(), StdHost.entropy());
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse(stat), Some(4711));
        assert_eq!(parse(&stat.replace(" S ", " Z ")), None);
    }
}
