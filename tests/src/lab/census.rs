//! The processes of an engine as the kernel shows them, asked of nobody else.
//!
//! An engine's own `top` depends on the `ps` of the image (Podman 4) and knows only containers that still run. Here
//! every descendant of the process that holds the engine is seen: containers, what was started in them, and what
//! was orphaned (it is adopted by process 1 of the container or of the engine).

use std::collections::HashSet;
use std::fs;

use super::held::{Stat, parse};

/// One process of an engine or of its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its pid on this machine (not the one that it, or the engine, sees).
    pub pid: i32,
    /// The state letter of the kernel: `R`, `S`, `D`, `T`, or `Z` for a zombie.
    pub state: char,
    /// Its arguments; empty for a zombie.
    pub command: Vec<String>,
    /// Its environment as it was started with, one `NAME=value` each; empty for a zombie.
    pub environment: Vec<String>,
}

impl Seen {
    /// Whether it was started with exactly this `NAME=value`.
    #[must_use]
    pub fn has(&self, variable: &str) -> bool {
        self.environment.iter().any(|one| one == variable)
    }
}

fn words(pid: i32, file: &str) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter(|w| !w.is_empty())
        .map(|w| String::from_utf8_lossy(w).into_owned())
        .collect()
}

/// All descendants of a process.
pub(super) fn below(holder: i32) -> Vec<Seen> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let all: Vec<Stat> = pids
        .filter_map(|pid| parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect();
    let found = descendants(holder, &all);
    found
        .into_iter()
        .map(|one| Seen {
            pid: one.pid,
            state: one.state,
            command: words(one.pid, "cmdline"),
            environment: words(one.pid, "environ"),
        })
        .collect()
}

fn descendants(root: i32, all: &[Stat]) -> Vec<Stat> {
    let mut family = HashSet::from([root]);
    let mut found = Vec::new();
    loop {
        let known = found.len();
        for one in all {
            if family.contains(&one.parent) && family.insert(one.pid) {
                found.push(*one);
            }
        }
        if found.len() == known {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, below, descendants};
    use crate::lab::held::Stat;
    use std::process::Command;

    #[test]
    fn finds_the_whole_family_in_any_order() {
        let one = |pid, parent| Stat {
            pid,
            state: 'S',
            parent,
            start: 0,
        };
        let all = [one(5, 4), one(4, 2), one(2, 1), one(3, 1), one(9, 8)];
        let mut pids: Vec<i32> = descendants(2, &all).iter().map(|one| one.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [4, 5]);
        assert_eq!(descendants(77, &all), []);
    }

    #[test]
    fn sees_environments() {
        let mut child = Command::new("sleep").arg("30").env("PD_SEEN", "a b").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let seen: Vec<Seen> = below(i32::try_from(std::process::id()).unwrap());
        let sleeper = seen.iter().find(|one| one.pid == pid).unwrap();
        assert!(sleeper.has("PD_SEEN=a b") && !sleeper.has("PD_SEEN=a"));
        assert_eq!(sleeper.command, ["sleep", "30"]);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
