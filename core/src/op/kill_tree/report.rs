//! What the script that kills says, and what it comes to.

use std::collections::BTreeSet;

/// What became of the processes of a command that were signalled.
///
/// Its processes are those that have its mark in their environment, as every child of one has; those that descend from
/// one; and those that share a session or a process group with one. So one can hide only that has cleaned its
/// environment, outlived its parent, and begun a session of its own, all three, before it was looked for. Podman 4 with
/// runc starts commands in a session that the container cannot tell from others: there the first two are enough. A program
/// that nobody may look into, as one with the set-user-id bit, needs no clean environment.
///
/// The shells that run a command are its processes too, and counted: the one of a command string, and one of ours that waits
/// for the command and tells how it ended. That one takes no signal but [`Kill`](crate::Signal::Kill) for its end: as long as
/// any other leaves the command there, it is among the survivors as well. It is missing on a terminal, in an image without a
/// shell, and in a session, of whose turns the shell is never counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KillReport {
    /// The process ids, in the container, that were signalled.
    pub signalled: Vec<u32>,
    /// Those that were still there at the end. After a signal other than [`Kill`](crate::Signal::Kill) they had 0.3 s to
    /// end, and a process that one of them started since is among them too. One that has ended and that nobody has
    /// waited for (a zombie) is not.
    pub survivors: Vec<u32>,
    /// Why it is not known what became of all of them, if it is not: the image has no shell to look with, the container
    /// has ended or is at its process limit, or the engine did not answer.
    pub unknown: Option<String>,
}

impl KillReport {
    /// Whether it is certain that no process of the command is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.survivors.is_empty() && self.unknown.is_none()
    }
}

/// A process, told from a later one of the same number by when it was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) pid: u32,
    born: u64,
}

impl Process {
    /// `12:3456`; never the main process.
    fn read(text: &str) -> Option<Self> {
        let (pid, born) = pair(text)?;
        let pid = u32::try_from(pid).ok().filter(|pid| *pid > 1)?;
        Some(Self { pid, born })
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.pid, self.born)
    }
}

/// Two numbers, and nothing that only looks like one.
fn pair(text: &str) -> Option<(u64, u64)> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let (one, other) = text.split_once(':')?;
    Some((number(one)?, number(other)?))
}

/// A user and a group, as numbers.
pub(in crate::op) fn user(text: &str) -> Option<String> {
    let (user, group) = pair(text)?;
    (user.max(group) <= u64::from(u32::MAX)).then(|| format!("{user}:{group}"))
}

/// What one run of the script said. Lines that make no sense are left out: they may be a hostile shell's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) user: Option<String>,
    pub(super) signalled: BTreeSet<Process>,
    pub(super) left: BTreeSet<Process>,
    /// Users of whom there are processes that it could not look at, or signal.
    pub(super) hidden: Vec<String>,
    pub(super) done: bool,
}

impl Pass {
    pub(super) fn read(text: &str) -> Self {
        let mut pass = Self::default();
        // The last line is one only if it is whole.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.split('\n') {
            match line.split_once(' ') {
                Some(("uid", who)) if pass.user.is_none() => pass.user = user(who),
                Some(("signalled", one)) => pass.signalled.extend(Process::read(one)),
                Some(("left", one)) => pass.left.extend(Process::read(one)),
                Some(("hidden", who)) => {
                    let who = user(who).filter(|who| !pass.hidden.contains(who));
                    pass.hidden.extend(who);
                }
                None if line == "done" => pass.done = true,
                _ => {}
            }
        }
        pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, born: u64) -> Process {
        Process { pid, born }
    }

    #[test]
    fn a_report_is_read() {
        let text =
            "uid 1000:100\nsignalled 12:345\nsignalled 7:1\nsignalled 7:1\nleft 7:1\nhidden 0:0\nhidden 0:0\ndone\n";
        let pass = Pass::read(text);
        assert_eq!(pass.user.as_deref(), Some("1000:100"));
        assert_eq!(pass.signalled, [process(7, 1), process(12, 345)].into());
        assert_eq!(pass.left, [process(7, 1)].into());
        assert_eq!(pass.hidden, ["0:0"]);
        assert!(pass.done);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let text = "signalled 1:5\nsignalled 0:5\nsignalled +7:5\nsignalled -7:5\nsignalled 7\nsignalled 7:\nsignalled \
                    7:5:5\nsignalled  7:5\nsignalled 4294967303:5\nsignalled 7:99999999999999999999\nleft x:y\nhidden \
                    root\nhidden 0:0 --privileged\nhidden 4294967296:0\nuid nobody\n DONE\ndone \n\u{fffd}\0\nSignalled \
                    7:5\nsignalled 7:5";
        assert_eq!(Pass::read(text), Pass::default());
    }

    #[test]
    fn a_report_that_was_cut_short_is_not_done_and_its_last_line_no_line() {
        let text = "uid 0:0\nsignalled 12:345\ndone\n";
        for end in 0..text.len() {
            let pass = Pass::read(&text[..end]);
            assert!(!pass.done, "{end}");
            assert!(pass.signalled.is_subset(&[process(12, 345)].into()), "{end}");
        }
        assert!(Pass::read(text).done);
    }
}
