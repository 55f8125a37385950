//! A host whose answers are the same when a recording is made and when it is used.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use pocket_dock_core::{Host, Owner, Service};

use super::model::hash;
use crate::scripted::locked;

/// What the names of threads begin with whose randomness is their own.
const THREAD: &str = "case-";

/// Its randomness comes from a salt; each thread that is named `case-…` has its own, so that threads cannot race for it.
#[derive(Debug)]
pub struct ToldHost {
    salt: u64,
    drawn: Mutex<HashMap<String, u64>>,
}

impl ToldHost {
    /// With this salt.
    #[must_use]
    pub fn new(salt: u64) -> Self {
        Self {
            salt,
            drawn: Mutex::default(),
        }
    }
}

impl Host for ToldHost {
    fn entropy(&self) -> [u8; 16] {
        let thread = std::thread::current();
        let name = thread.name().filter(|name| name.starts_with(THREAD)).unwrap_or("");
        let mut drawn = locked(&self.drawn);
        let count = drawn.entry(name.to_owned()).or_default();
        *count += 1;
        let half = |which: &str| hash(format!("{:x} {name} {count} {which}", self.salt).as_bytes());
        let whole = u128::from(half("one")) << 64 | u128::from(half("two"));
        whole.to_be_bytes()
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn launch(&self) -> Result<Option<Box<dyn Service>>, String> {
        Ok(None)
    }

    fn user_id(&self) -> u32 {
        0
    }

    /// No real process has this boot, so nobody else takes our containers for orphans.
    fn owner(&self) -> Option<Owner> {
        Some(Owner {
            pid: 4711,
            started: 1,
            boot: "recorded".to_owned(),
            namespace: 1,
        })
    }

    /// Of this boot, there is only this process.
    fn lives(&self, owner: &Owner) -> Option<bool> {
        let me = self.owner()?;
        if owner.boot != me.boot || owner.namespace != me.namespace {
            return None;
        }
        Some(*owner == me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_is_the_salts_and_the_threads() {
        let draw = |salt, name: &str| {
            let host = ToldHost::new(salt);
            let named = std::thread::Builder::new().name(name.to_owned());
            let thread = named.spawn(move || (host.entropy(), host.entropy())).unwrap();
            thread.join().unwrap()
        };
        let (first, second) = draw(1, "a");
        assert_ne!(first, second);
        assert_eq!(draw(1, "b"), (first, second));
        assert_ne!(draw(2, "a").0, first);
        assert_ne!(draw(1, "case-0").0, first);
        assert_ne!(draw(1, "case-0").0, draw(1, "case-1").0);
    }
}
