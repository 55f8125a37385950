//! Lists what runs of all commands in a container.
//!
//! ```text
//! Looking(root) ──► Looking(another user, whose processes root could not see) ──► … ──► Done
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::kill_process::is_id;
use super::kill_tree::{USERS, user};
use super::script::Script;
use super::{Op, Step, ready};
use crate::engine_api::Target;
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::shell;

/// For all of it.
const LIMIT: Duration = Duration::from_secs(15);

/// What runs of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningProcess {
    /// The command's id: 32 lower-case hex digits.
    pub id: String,
    /// Its processes, by process id. At least one.
    pub processes: Vec<ProcessInfo>,
}

/// One process in a container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Its process id, in the container.
    pub pid: u32,
    /// Its command line, with spaces between the arguments; `[name]` where there is none.
    pub command: String,
}

/// Lists what runs of all commands in a container.
#[derive(Debug)]
pub struct Processes {
    target: Target,
    container: String,
    script: Option<Script>,
    users: Vec<String>,
    seen: Vec<String>,
    deadline: Option<Instant>,
    found: BTreeMap<u32, Found>,
}

/// A process, as it was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    id: String,
    name: String,
    command: String,
}

impl Processes {
    pub(crate) fn new(target: &Target, container: &str) -> Self {
        Self {
            target: target.clone(),
            container: container.to_owned(),
            script: None,
            users: vec!["0:0".to_owned()],
            seen: Vec::new(),
            deadline: None,
            found: BTreeMap::new(),
        }
    }

    /// Lines that make no sense are left out: they may be a hostile shell's. Returns whether there was anything else.
    fn add(&mut self, text: &str) -> bool {
        let mut sense = false;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.split('\n') {
            let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
            match what {
                "process" => self.add_process(rest),
                "command" => self.add_command(rest),
                "hidden" => {
                    let who = user(rest).filter(|who| !self.users.contains(who) && !self.seen.contains(who));
                    let room = self.users.len() + self.seen.len() < USERS;
                    self.users.extend(who.filter(|_| room));
                }
                "uid" => sense = true,
                _ => {}
            }
        }
        sense
    }

    fn add_process(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let (Some(id), Some(pid), Some(name)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        if let Some(pid) = read_pid(pid).filter(|_| is_id(id)) {
            let (id, name) = (id.to_owned(), shown(name, false));
            self.found.entry(pid).or_insert(Found {
                id,
                name,
                command: String::new(),
            });
        }
    }

    fn add_command(&mut self, line: &str) {
        let Some((pid, command)) = line.split_once(' ') else {
            return;
        };
        if let Some(found) = read_pid(pid).and_then(|pid| self.found.get_mut(&pid))
            && found.command.is_empty()
        {
            found.command = shown(command, is_supervisor(command));
        }
    }

    fn list(&mut self) -> Vec<RunningProcess> {
        let mut list: Vec<RunningProcess> = Vec::new();
        for (pid, Found { id, name, command }) in std::mem::take(&mut self.found) {
            let command = if command.is_empty() {
                format!("[{name}]")
            } else {
                command
            };
            let process = ProcessInfo { pid, command };
            match list.iter_mut().find(|running| running.id == id) {
                Some(running) => running.processes.push(process),
                None => list.push(RunningProcess {
                    id,
                    processes: vec![process],
                }),
            }
        }
        list
    }
}

/// Digits only; never the main process.
fn read_pid(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|pid| digits && *pid > 1)
}

/// What a process calls itself, without what could move a terminal's cursor, and without our own scripts.
pub(crate) fn shown_command(command: &str) -> String {
    shown(command, is_supervisor(command))
}

/// What a process calls itself, without what could move a terminal's cursor.
pub(super) fn shown(text: &str, is_ours: bool) -> String {
    let text = if is_ours { "[pocket-dock]" } else { text.trim_end() };
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

/// Whether this is our own script, which is long, and tells nobody anything.
fn is_supervisor(command: &str) -> bool {
    let Some(rest) = command.strip_prefix("/bin/sh -c ") else {
        return false;
    };
    [&shell::WRAP, &shell::LOOK].into_iter().any(|script| {
        // Each engine has blanks of its own where the script has ends of lines.
        let words = script.split_ascii_whitespace();
        words.eq(rest
            .split_ascii_whitespace()
            .take(script.split_ascii_whitespace().count()))
    })
}

impl Op for Processes {
    type Output = Vec<RunningProcess>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Vec<RunningProcess>>, Error> {
        let deadline = *self.deadline.get_or_insert(now + LIMIT);
        loop {
            let Some(script) = &mut self.script else {
                let Some(user) = self.users.pop() else {
                    return Ok(Step::Done(self.list()));
                };
                let script = [shell::LIST.clone()];
                self.script = Some(Script::new(
                    &self.target,
                    &self.container,
                    script,
                    Some(&user),
                    deadline,
                ));
                self.seen.push(user);
                continue;
            };
            let said = ready!(script.poll(now, link));
            self.script = None;
            if !self.add(&said.text) {
                let words = format!("{}{}", said.text, said.words);
                let message: String = words.trim().chars().take(500).collect();
                return Err(if message.is_empty() || message.contains("/bin/sh") {
                    ExecError::NoTool {
                        tool: "/bin/sh",
                        needed_for: "the list of processes",
                    }
                } else {
                    ExecError::StartFailed { message }
                }
                .into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::engine_api::EngineKind;
    use crate::limits::Limits;

    const ONE: &str = "00112233445566778899aabbccddeeff";
    const OTHER: &str = "ffeeddccbbaa99887766554433221100";

    fn list(texts: &[&str]) -> Vec<(String, Vec<(u32, String)>)> {
        let at = Endpoint::unix("/run/x.sock");
        let target = Target::new(at, EngineKind::Docker, String::new(), Limits::default(), LIMIT);
        let mut processes = Processes::new(&target, "c");
        for text in texts {
            processes.add(text);
        }
        let list = processes.list().into_iter();
        list.map(|one| {
            let each = one.processes.into_iter();
            (one.id, each.map(|process| (process.pid, process.command)).collect())
        })
        .collect()
    }

    #[test]
    fn processes_are_grouped_by_their_id() {
        let first = format!(
            "uid 0:0\nprocess {OTHER} 20 sh\nprocess {ONE} 9 sleep\nprocess {OTHER} 7 a (b)\nhidden 1000:1000\ncommand 9 \
             sleep 1000 \ncommand 20 \ndone\n"
        );
        let second = format!("uid 1000:1000\nprocess {ONE} 30 x\ncommand 30 x y\ndone\n");
        let said = list(&[&first, &second]);
        let wanted = [
            (OTHER, vec![(7, "[a (b)]"), (20, "[sh]")]),
            (ONE, vec![(9, "sleep 1000"), (30, "x y")]),
        ];
        let wanted = wanted.map(|(id, each)| {
            let each = each.into_iter().map(|(pid, command)| (pid, command.to_owned()));
            (id.to_owned(), each.collect())
        });
        assert_eq!(said, wanted);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let upper = OTHER.to_uppercase();
        let long = format!("{ONE}0");
        let text = format!(
            "process {upper} 7 x\nprocess {long} 7 x\nprocess {} 7 x\nprocess {ONE} 1 x\nprocess {ONE} 0 x\nprocess {ONE} \
             +7 x\nprocess {ONE} 7\nprocess  7 x\nprocess {ONE} 99999999999 x\ncommand 7 forged\ncommand\nhidden x\n\
             process {ONE} 8 bell\u{7}\u{1b}[2J\nprocess {OTHER} 8 again\ncommand 8 \u{1b}[1m\ncommand 8 second\n\
             process {ONE} 9 cut",
            &ONE[1..]
        );
        let text = text.as_str();
        let wanted = vec![(ONE.to_owned(), vec![(8, " [1m".to_owned())])];
        assert_eq!(list(&[text]), wanted);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            list(&[&text[..end]]);
        }
    }

    #[test]
    fn our_own_script_is_not_shown() {
        let script = shell::WRAP.replace('\n', " ");
        let text = format!("process {ONE} 7 sh\ncommand 7 /bin/sh -c {script} pocket-dock {OTHER}  shell sleep 1\n");
        assert_eq!(
            list(&[&text]),
            [(ONE.to_owned(), vec![(7, "[pocket-dock]".to_owned())])]
        );
    }
}
