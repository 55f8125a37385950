//! Signals every process of a command, by the mark in their environment and by who descends from whom.
//!
//! The engine has no call for it, and the pid it tells is of another namespace, so a short exec inside the container
//! looks through `/proc`. Without special capabilities the environment of a process is shown to its own user only, so it
//! looks first as the user whom the command ran as, then as each user of whom there are processes that it could not look
//! at, or signal. A privileged exec would see all at once, and would hand the host to whoever replaced the shell.
//!
//! ```text
//! Begin ──► Looking(first user) ──► Looking(another) ──► … ──► Done
//! ```
//! What a later look cannot find out adds nothing to the report and takes nothing away.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::script::{Said, Script};
use super::{Op, Step, after_the_end};
use crate::engine_api::Target;
use crate::error::Error;
use crate::link::Link;
use crate::shell;
use crate::signal::Signal;

mod report;
pub use report::KillReport;
pub(super) use report::user;
use report::{Pass, Process};

/// For all of it.
const LIMIT: Duration = Duration::from_secs(15);
/// As how many users it looks, at most.
pub(super) const USERS: usize = 8;
/// How long a command is waited for that may not have been started yet, in hundredths of a second.
const PATIENCE: &str = "200";
/// How long the shell of a turn that is killed is told so, in hundredths of a second.
const TELLING: &str = "500";
/// How long the signalled may take to end, in hundredths of a second.
const WAIT: &str = "30";
/// How many processes a later look is told of, at most: arguments are limited.
const TOLD: usize = 2000;

/// Signals every process of a command.
#[derive(Debug)]
pub(crate) struct KillTree {
    target: Target,
    container: String,
    id: String,
    signal: Signal,
    patient: bool,
    /// As whom it has not looked yet.
    users: Vec<Option<String>>,
    /// As whom it has looked, or does.
    seen: Vec<String>,
    script: Option<Script>,
    deadline: Option<Instant>,
    signalled: BTreeSet<Process>,
    left: BTreeSet<Process>,
    passes: usize,
    unknown: Option<String>,
    /// Of a turn of a session: its shell's process id.
    shell: Option<u32>,
}

impl KillTree {
    /// Of one turn of a session: not its `shell`, which may not have begun it yet.
    pub(crate) fn turn(
        target: &Target,
        container: &str,
        id: &str,
        shell: u32,
        user: Option<&str>,
        signal: Signal,
    ) -> Result<Self, Error> {
        let tree = Self::new(target, container, id, user, signal, true)?;
        Ok(Self {
            shell: Some(shell),
            ..tree
        })
    }

    /// `user`: whom the command ran as, if not the container's own. `patient`: the command may not have been started
    /// yet; looks for two seconds before it believes that nothing is there.
    pub(crate) fn new(
        target: &Target,
        container: &str,
        id: &str,
        user: Option<&str>,
        signal: Signal,
        patient: bool,
    ) -> Result<Self, Error> {
        crate::engine_api::exec::create(container, &crate::engine_api::exec::Exec::default())?;
        Ok(Self {
            target: target.clone(),
            container: container.to_owned(),
            id: id.to_owned(),
            signal,
            patient,
            users: vec![user.map(str::to_owned)],
            seen: Vec::new(),
            script: None,
            deadline: None,
            signalled: BTreeSet::new(),
            left: BTreeSet::new(),
            passes: 0,
            unknown: None,
            shell: None,
        })
    }

    /// As whom to look next, if there is to be another look.
    fn next(&mut self) -> Option<Option<String>> {
        let user = loop {
            match self.users.pop()? {
                Some(user) if self.seen.contains(&user) => {}
                user => break user,
            }
        };
        self.seen.extend(user.clone());
        self.passes += 1;
        Some(user)
    }

    /// How long this look may go on without having found anything. A later one need not find out again what the first has.
    fn patience(&self) -> &'static str {
        match self.signal {
            _ if !self.patient || self.passes > 1 => "0",
            Signal::Kill if self.shell.is_some() => TELLING,
            _ => PATIENCE,
        }
    }

    fn look(&self, user: Option<&str>, deadline: Instant) -> Script {
        let told = |sent: bool| {
            let those = self.left.iter().filter(|one| self.signalled.contains(one) == sent);
            let words: Vec<String> = those.take(TOLD).map(ToString::to_string).collect();
            words.join(" ")
        };
        let patience = self.patience();
        // These end nothing as a rule, and all would be waited for in vain.
        let wait = match self.signal {
            Signal::Stop | Signal::Cont | Signal::Winch => "0",
            _ => WAIT,
        };
        let signal = self.signal.name().trim_start_matches("SIG");
        let shell = self.shell.map(|pid| pid.to_string()).unwrap_or_default();
        let called = self.shell.map(|_| crate::session::name(&self.id)).unwrap_or_default();
        let words: [&str; 9] = [
            &shell::KILL,
            &self.id,
            signal,
            patience,
            wait,
            &told(true),
            &told(false),
            &shell,
            &called,
        ];
        let words = words.map(str::to_owned);
        Script::new(&self.target, &self.container, words, user, deadline)
    }

    fn add(&mut self, said: &Said) {
        let pass = Pass::read(&said.text);
        let (begun, told) = (pass.user.is_some(), self.left.len() <= TOLD);
        self.seen.extend(pass.user);
        self.signalled.extend(pass.signalled);
        if pass.done && told {
            self.left = pass.left; // it was told of all, and looked after them
        } else {
            self.left.extend(pass.left);
        }
        let fresh = pass.hidden.into_iter().filter(|user| !self.seen.contains(user));
        let room = USERS.saturating_sub(self.passes + self.users.len());
        self.users.extend(fresh.take(room).map(Some));
        if !pass.done {
            let words = format!("{}{}", if begun { "" } else { &said.text }, said.words);
            let words: String = words.trim().chars().take(500).collect();
            self.not_known(if words.is_empty() {
                "the search was broken off".to_owned()
            } else {
                words
            });
        }
    }

    fn not_known(&mut self, why: String) {
        self.unknown.get_or_insert(why);
    }

    fn report(&mut self) -> KillReport {
        let pids = |those: &BTreeSet<Process>| {
            let mut pids: Vec<u32> = those.iter().map(|one| one.pid).collect();
            pids.dedup();
            pids
        };
        KillReport {
            signalled: pids(&self.signalled),
            survivors: pids(&self.left),
            unknown: self.unknown.take(),
        }
    }
}

impl Op for KillTree {
    type Output = KillReport;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<KillReport>, Error> {
        let deadline = *self.deadline.get_or_insert(now + LIMIT);
        loop {
            let Some(script) = &mut self.script else {
                match self.next() {
                    Some(user) => self.script = Some(self.look(user.as_deref(), deadline)),
                    None if self.passes == 0 => return Err(after_the_end()),
                    None => return Ok(Step::Done(self.report())),
                }
                continue;
            };
            match script.poll(now, link) {
                Ok(Step::Need(need)) => return Ok(need.into()),
                Ok(Step::Done(said)) => self.add(&said),
                Err(error) if self.passes == 1 => return Err(error),
                // There was a user whose processes could not be seen, and cannot.
                Err(error) => {
                    link.hang_up();
                    self.not_known(error.to_string());
                }
            }
            self.script = None;
        }
    }

    fn abandon(&mut self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::engine_api::EngineKind;
    use crate::limits::Limits;

    /// As whom it looks, one look after the other, and what it reports, if each look says this.
    fn looks(user: Option<&str>, said: &[&str]) -> (Vec<Option<String>>, KillReport) {
        let at = Endpoint::unix("/run/x.sock");
        let target = Target::new(at, EngineKind::Docker, String::new(), Limits::default(), LIMIT);
        let mut tree = KillTree::new(&target, "c", "0", user, Signal::Kill, false).unwrap();
        let mut said = said.iter();
        let mut users = Vec::new();
        while let Some(as_whom) = tree.next() {
            users.push(as_whom);
            match said.next() {
                Some(text) => tree.add(&Said {
                    text: (*text).to_owned(),
                    words: String::new(),
                }),
                None => tree.not_known("it failed".to_owned()),
            }
        }
        (users, tree.report())
    }

    fn user(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn one_look_is_enough_if_it_could_see_everything() {
        let (users, report) = looks(Some("worker"), &["uid 1000:1000\nsignalled 7:1\ndone\n"]);
        assert_eq!(users, [user("worker")]);
        assert!(report.is_clean() && report.signalled == [7], "{report:?}");
        let (users, _) = looks(None, &["uid 0:0\nhidden 0:0\ndone\n"]);
        assert_eq!(users, [None]);
    }

    #[test]
    fn what_another_user_has_ended_has_not_survived() {
        let (users, report) = looks(
            Some("worker"),
            &[
                "uid 1000:1000\nsignalled 7:1\nleft 9:4\nhidden 0:0\ndone\n",
                "uid 0:0\nsignalled 9:4\nhidden 1000:1000\nhidden 65534:65534\ndone\n",
                "uid 65534:65534\ndone\n",
            ],
        );
        assert_eq!(users, [user("worker"), user("0:0"), user("65534:65534")]);
        assert!(report.is_clean() && report.signalled == [7, 9], "{report:?}");
    }

    #[test]
    fn a_later_look_that_fails_takes_nothing_away() {
        let first = "uid 1000:1000\nsignalled 7:1\nleft 9:4\nhidden 0:0\ndone\n";
        for second in [None, Some(""), Some("uid 0:0\nsignalled 9:4\n")] {
            let said: Vec<&str> = [first].into_iter().chain(second).collect();
            let (_, report) = looks(Some("worker"), &said);
            assert!(report.signalled.contains(&7), "{report:?}");
            assert_eq!(report.survivors, [9]);
            assert!(report.unknown.is_some());
        }
    }

    #[test]
    fn the_first_look_waits_for_a_turn_and_its_shell() {
        let at = Endpoint::unix("/run/x.sock");
        let target = Target::new(at, EngineKind::Docker, String::new(), Limits::default(), LIMIT);
        let command = |patient| KillTree::new(&target, "c", "0", None, Signal::Kill, patient).unwrap();
        let turn = |signal| KillTree::turn(&target, "c", "0", 7, None, signal).unwrap();
        let looks = [
            (command(false), "0"),
            (command(true), PATIENCE),
            (turn(Signal::Int), PATIENCE),
            (turn(Signal::Kill), TELLING),
        ];
        for (mut tree, patience) in looks {
            tree.next();
            assert_eq!(tree.patience(), patience, "{tree:?}");
            tree.users.push(user("0:0"));
            tree.next();
            assert_eq!(tree.patience(), "0", "{tree:?}");
        }
    }

    #[test]
    fn a_hostile_shell_cannot_have_it_look_for_ever() {
        let hidden: String = (0..5000).map(|user| format!("hidden {user}:{user}\n")).collect();
        let text = format!("uid 0:0\n{hidden}done\n");
        let (users, _) = looks(None, &vec![text.as_str(); 100]);
        assert_eq!(users.len(), USERS);
    }
}
