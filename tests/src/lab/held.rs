//! The process that holds an engine: who it is beyond doubt, and how it ends.
//!
//! Its pid file is its own `/proc/self/stat`, written by itself before it becomes the engine, and the boot it was
//! written in. A pid alone may be another process by now; a pid with its start time is not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::error::{Error, Result};

/// What `/proc/{pid}/stat` says, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) state: char,
    pub(super) parent: i32,
    pub(super) start: u64,
}

pub(super) fn parse(line: &str) -> Option<Stat> {
    // The name in the middle may hold anything, blanks and parentheses too.
    let (pid, rest) = line.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        pid: pid.trim().parse().ok()?,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// A process that is alive and is the one meant: signals reach it or nobody.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pid: i32,
    fd: OwnedFd,
}

impl Held {
    /// The process of a pid file, if it is still alive.
    pub(super) fn from_pid_file(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Self::from_text(&text, &boot)
    }

    fn from_text(text: &str, boot: &str) -> Option<Self> {
        let (line, written_in) = text.trim_end().rsplit_once('\n')?;
        let meant = parse(line)?;
        if written_in.trim() != boot.trim() {
            return None;
        }
        Self::open(meant)
    }

    fn open(meant: Stat) -> Option<Self> {
        let fd = pidfd_open(Pid::from_raw(meant.pid)?, PidfdFlags::empty()).ok()?;
        // Asked after the descriptor was opened: from here on it cannot become another process.
        let now = stat(meant.pid)?;
        let same = now.start == meant.start && !matches!(now.state, 'Z' | 'X');
        same.then_some(Self { pid: meant.pid, fd })
    }

    /// Process 1 of the namespaces: the only child.
    pub(super) fn child(&self) -> Option<Self> {
        let all = fs::read_dir("/proc").ok()?.flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(stat)
            .find(|other| other.parent == self.pid)
            .and_then(Self::open)
    }

    /// Ends the engine: politely first, by force when `patience` is over. Everything in its pid namespace ends with it.
    pub(super) fn end(self, patience: Duration) -> Result<()> {
        let first = self.child();
        if let Some(first) = &first {
            let _ = pidfd_send_signal(&first.fd, Signal::TERM);
            if self.ends_within(patience) && first.ends_within(patience) {
                return Ok(());
            }
        }
        // The child is killed with its parent, and it is process 1 of its namespace.
        let _ = pidfd_send_signal(&self.fd, Signal::KILL);
        let hard = Duration::from_secs(10);
        if self.ends_within(hard) && first.is_none_or(|first| first.ends_within(hard)) {
            return Ok(());
        }
        Err(Error::new(
            format!("process {} does not end, not even by force", self.pid),
            "the kernel holds it; look for what it waits for in /proc/PID/stack",
        ))
    }

    fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], left.as_ref()) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Stat, parse, stat};
    use std::time::Duration;

    #[test]
    fn reads_names_with_anything_in_them() {
        let line = "42 (a) R (b c)) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 0 0\n";
        assert_eq!(
            parse(line),
            Some(Stat {
                pid: 42,
                state: 'S',
                parent: 7,
                start: 987_654
            })
        );
        assert_eq!(parse("42 (cut off"), None);
        assert_eq!(parse("42 (x) S 7"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn knows_its_process_and_ends_it() {
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(sleeper.id()).unwrap();
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        assert!(Held::from_text(&format!("{line}boot-1\n"), "boot-2\n").is_none());
        let start = stat(pid).unwrap().start;
        let recycled = line.replace(&format!(" {start} "), &format!(" {} ", start - 1));
        assert!(Held::from_text(&format!("{recycled}boot-1\n"), "boot-1\n").is_none());
        let held = Held::from_text(&format!("{line}boot-1\n"), "boot-1\n").unwrap();
        assert!(held.child().is_none());
        held.end(Duration::from_secs(1)).unwrap();
        // Now a zombie, which counts as dead.
        assert!(Held::from_text(&format!("{line}boot-1\n"), "boot-1\n").is_none());
        sleeper.wait().unwrap();
    }
}
