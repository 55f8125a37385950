//! Looks into a container: its memory as its own cgroup tells it, and its processes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::processes::{shown, shown_command};
use super::script::Script;
use super::{Op, ProcessInfo, Step, after, ready};
use crate::engine_api::Target;
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::shell;

/// How long it may take, where there is no room for another process too.
const LIMIT: Duration = Duration::from_secs(5);

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Bytes that are charged to the container, and those of them that are page cache.
    pub(crate) memory: Option<(u64, u64)>,
    /// By their process ids in the container.
    pub(crate) processes: Vec<ProcessInfo>,
}

/// Looks into a container.
#[derive(Debug)]
pub(crate) struct Look {
    target: Target,
    container: String,
    script: Option<Box<Script>>,
}

impl Look {
    pub(crate) fn new(target: &Target, container: &str) -> Self {
        Self {
            target: target.clone(),
            container: container.to_owned(),
            script: None,
        }
    }
}

impl Op for Look {
    type Output = Seen;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Seen>, Error> {
        let Self {
            target,
            container,
            script,
        } = self;
        let script = script.get_or_insert_with(|| {
            let words = [shell::LOOK.clone()];
            Box::new(Script::new(target, container, words, Some("0:0"), after(now, LIMIT)))
        });
        let said = ready!(script.poll(now, link));
        read(&said.text).map(Step::Done).ok_or_else(|| {
            let message: String = format!("{}{}", said.text, said.words)
                .trim()
                .chars()
                .take(500)
                .collect();
            if message.is_empty() || message.contains("/bin/sh") {
                ExecError::NoTool {
                    tool: "/bin/sh",
                    needed_for: "the list of processes",
                }
            } else {
                ExecError::StartFailed { message }
            }
            .into()
        })
    }
}

/// `None` if it was not the script that said it. Lines that make no sense are left out: they may be a hostile shell's.
fn read(text: &str) -> Option<Seen> {
    let mut lines = text.split('\n');
    lines.next().filter(|line| line.starts_with("uid "))?;
    let mut seen = Seen::default();
    let mut found: BTreeMap<u32, (String, String)> = BTreeMap::new();
    for line in lines {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match what {
            "memory" => seen.memory = first.parse().ok().zip(rest.parse().ok()),
            "process" => {
                if let Ok(pid) = first.parse() {
                    found.entry(pid).or_insert((shown(rest, false), String::new()));
                }
            }
            "command" => {
                if let Some((_, command)) = first.parse().ok().and_then(|pid: u32| found.get_mut(&pid))
                    && command.is_empty()
                {
                    *command = shown_command(rest);
                }
            }
            _ => {}
        }
    }
    let processes = found.into_iter().map(|(pid, (name, command))| {
        let command = if command.is_empty() {
            format!("[{name}]")
        } else {
            command
        };
        ProcessInfo { pid, command }
    });
    seen.processes = processes.collect();
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_read() {
        let wrap = shell::WRAP.replace('\n', " ");
        let text = format!(
            "uid 0:0\nmemory 2445312 100\nprocess 1 sleep\nprocess 12 a b\nprocess 13 sh\nprocess 14 gone\nprocess x y\n\
             command 1 sleep 100000 \ncommand 13 /bin/sh -c {wrap} pocket-dock 00 x\ncommand 14 \ncommand 99 z\ndone\n"
        );
        let seen = read(&text).unwrap();
        assert_eq!(seen.memory, Some((2_445_312, 100)));
        let processes: Vec<_> = seen.processes.into_iter().map(|one| (one.pid, one.command)).collect();
        let wanted = [
            (1, "sleep 100000"),
            (12, "[a b]"),
            (13, "[pocket-dock]"),
            (14, "[gone]"),
        ];
        assert_eq!(processes, wanted.map(|(pid, command)| (pid, command.to_owned())));
        assert_eq!(read("sh: not found\n"), None);
        for end in 0..text.len() {
            let _ = read(&text[..end]);
        }
    }
}
