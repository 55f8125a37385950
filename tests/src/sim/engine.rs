//! The state of the simulated engine, and the passing of its time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::answer::Writer;
use super::behaviour::Behaviour;
use super::container::{Container, State};
use super::exec::{Exec, Process, Start};
use super::session::{Cut, Shell, Talk};
use super::{Matcher, Reply};
use crate::scripted::Request;

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) writer: Writer,
    pub(super) now: Duration,
    pub(super) containers: Vec<Container>,
    pub(super) execs: Vec<Exec>,
    /// Names, and whether there is a shell.
    pub(super) images: Vec<(String, bool)>,
    pub(super) commands: BTreeMap<String, Behaviour>,
    pub(super) replies: Vec<(Matcher, Reply)>,
    pub(super) requests: Vec<Request>,
    /// Times at which an answer is due.
    pub(super) timers: Vec<Duration>,
    /// Bytes of input that came too early and are lost.
    pub(super) lost_input: usize,
    /// Requests that are not obeyed before their time.
    pub(super) late: Vec<(Duration, Request)>,
    /// Those of the sessions to come.
    pub(super) talks: VecDeque<Box<dyn Talk>>,
    /// Where the streams of the sessions to come are cut.
    pub(super) cut: Cut,
    ids: u64,
}

impl Engine {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            now: Duration::ZERO,
            containers: Vec::new(),
            execs: Vec::new(),
            images: vec![("busybox".to_owned(), true), ("distroless".to_owned(), false)],
            commands: BTreeMap::new(),
            replies: Vec::new(),
            requests: Vec::new(),
            timers: Vec::new(),
            lost_input: 0,
            late: Vec::new(),
            talks: VecDeque::new(),
            cut: Cut::Nowhere,
            ids: 0,
        }
    }

    /// 64 hex digits, others each time.
    pub(super) fn new_id(&mut self) -> String {
        self.ids += 1;
        format!("{:016x}", self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)
    }

    pub(super) fn new_pid(&self) -> u32 {
        100 + self.ids as u32
    }

    /// Lets everything happen that is due by `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let now = self.now;
        while let Some(due) = self.late.iter().position(|(at, _)| *at <= now) {
            let (_, request) = self.late.swap_remove(due);
            drop(self.route(&request));
        }
        for container in &mut self.containers {
            if let Some(at) = container.ends.filter(|at| *at <= now) {
                container.end(0, at);
            }
        }
        self.containers
            .retain(|container| !matches!(container.state, State::Removing(_, at) if at <= now));
        self.timers.retain(|at| *at > now);
        for at in 0..self.execs.len() {
            let exec = &self.execs[at];
            let container = self.containers.iter().find(|container| container.id == exec.container);
            let (running, paused) = container.map_or((false, false), |c| (c.is_running(), c.state == State::Paused));
            let start = Start {
                writer: self.writer,
                now,
                has_shell: true,
                talks: false,
                commands: &self.commands,
            };
            if let Some(process) = &mut self.execs[at].process {
                if running && !paused {
                    process.advance(&start);
                } else if !running && !process.closed {
                    process.kill(); // with its container
                }
            }
            self.hand_over(at);
        }
    }

    pub(super) fn next_event(&self) -> Option<Duration> {
        let removals = self.containers.iter().filter_map(|container| match container.state {
            State::Removing(_, at) => Some(at),
            _ => None,
        });
        let lifetimes = self.containers.iter().filter_map(|container| container.ends);
        let processes = self.execs.iter().filter_map(|exec| exec.process.as_ref()?.next_event());
        removals
            .chain(lifetimes)
            .chain(processes)
            .chain(self.timers.iter().copied())
            .chain(self.late.iter().map(|(at, _)| *at))
            .filter(|at| *at > self.now)
            .min()
    }

    pub(super) fn container(&mut self, reference: &str) -> Option<&mut Container> {
        self.containers
            .iter_mut()
            .find(|container| container.is_called(reference))
    }

    pub(super) fn exec(&mut self, id: &str) -> Option<&mut Exec> {
        self.execs.iter_mut().find(|exec| exec.id == id)
    }

    /// Starts the process of an exec whose container runs.
    pub(super) fn start_exec(&mut self, id: &str) {
        let Some(at) = self.execs.iter().position(|exec| exec.id == id) else {
            return;
        };
        let exec = &self.execs[at];
        let image = self
            .containers
            .iter()
            .find(|c| c.id == exec.container)
            .map(|c| c.image.clone());
        let has_shell = self
            .images
            .iter()
            .any(|(name, shell)| Some(name) == image.as_ref() && *shell);
        let killed = self.kill_marked(at, has_shell);
        let start = Start {
            writer: self.writer,
            now: self.now,
            has_shell,
            talks: !self.talks.is_empty(),
            commands: &self.commands,
        };
        let exec = &self.execs[at];
        let mut process = match killed {
            Some(report) => Process::report(&start, report),
            None if is_unknown(&exec.user) => {
                let what = format!("unable to find user {}: no matching entries in passwd file", exec.user);
                Process::failed(&start, &what)
            }
            None => Process::start(exec, &start),
        };
        if exec.is_session() {
            process.shell = self.talks.pop_front().map(Shell::new);
            process.cutting.cut = self.cut;
        }
        self.execs[at].process = Some(process);
        self.advance(self.now);
    }

    /// If this exec looks for the marked processes of its container: does to them what it is to do, and says so.
    fn kill_marked(&mut self, at: usize, has_shell: bool) -> Option<String> {
        let exec = &self.execs[at];
        let script = exec.cmd.get(2).filter(|_| has_shell)?;
        let uid = if is_root(&exec.user) {
            "uid 0:0"
        } else {
            "uid 1000:1000"
        };
        let container = exec.container.clone();
        if script.contains("__pd_marked") {
            return Some(format!("{uid}\n{}done\n", self.list_marked(&container)));
        }
        if !script.contains("__pd_signal") {
            return None;
        }
        if exec.cmd.get(10).is_some_and(|shell| !shell.is_empty()) {
            let script = exec.cmd.clone();
            return Some(format!("{uid}\n{}done\n", self.signal_turn(&container, &script)));
        }
        let mark = format!("{MARK}{}", exec.cmd.get(4)?);
        let deadly = !matches!(exec.cmd.get(5)?.as_str(), "STOP" | "CONT" | "WINCH");
        let mut report = format!("{uid}\n");
        for exec in self
            .execs
            .iter_mut()
            .filter(|exec| exec.container == container && exec.env.contains(&mark))
        {
            if let Some(process) = exec.process.as_mut().filter(|process| !process.closed) {
                report += &format!("signalled {}:1\n", exec.pid);
                if deadly {
                    process.kill();
                } else {
                    report += &format!("left {}:1\n", exec.pid);
                }
            }
        }
        Some(report + "done\n")
    }

    /// Signals what a session's shell has begun, and the shell goes on as it does then.
    fn signal_turn(&mut self, container: &str, script: &[String]) -> String {
        let now = self.now;
        for exec in self.execs.iter_mut().filter(|exec| exec.container == container) {
            let Some(process) = exec.process.as_mut().filter(|process| process.is_running()) else {
                continue;
            };
            let said = process.shell.as_mut().map(|shell| shell.signalled(script));
            if let Some(said) = said {
                process.say(said, now);
                return "signalled 7:1\n".to_owned();
            }
        }
        String::new()
    }

    /// What was stored is there for the shells of its container.
    fn hand_over(&mut self, at: usize) {
        let Some((file, data)) = self.execs[at]
            .process
            .as_mut()
            .and_then(|process| process.stored.take())
        else {
            return;
        };
        let container = self.execs[at].container.clone();
        let there = self.execs.iter_mut().filter(|exec| exec.container == container);
        for shell in there.filter_map(|exec| exec.process.as_mut()?.shell.as_mut()) {
            shell.sees(&file, &data);
        }
    }

    /// What a script that lists marked processes prints of them.
    fn list_marked(&self, container: &str) -> String {
        let mut list = String::new();
        for exec in self.execs.iter().filter(|exec| exec.container == container) {
            let id = exec.env.iter().find_map(|variable| variable.strip_prefix(MARK));
            let process = exec.process.as_ref().filter(|process| !process.closed);
            if let (Some(id), Some(_)) = (id, process) {
                let words = exec.cmd.join(" ").replace('\n', " ");
                list += &format!("process {id} {} sh\ncommand {} {words}\n", exec.pid, exec.pid);
            }
        }
        list
    }
}

/// What the processes of a command are found by.
const MARK: &str = "POCKET_DOCK_EXEC=";

fn is_root(user: &str) -> bool {
    matches!(user.split(':').next(), None | Some("" | "root" | "0"))
}

/// Users known everywhere: root, nobody, numbers.
pub(super) fn is_unknown(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    !matches!(name, "" | "root" | "nobody") && name.parse::<u32>().is_err()
}
