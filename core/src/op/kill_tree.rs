//! Kills every process of a command, by the mark in their environment.
//!
//! The engine has no call for it, and the pid it tells is of another namespace, so a short exec inside the container
//! looks through `/proc`: first as the user whom the command ran as, since without special capabilities the environment
//! of a process is shown to its own user only, then as root, for what became root's.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::call::Call;
use super::{Need, Op, Step, ready};
use crate::command::MARK;
use crate::engine_api::exec::{self, Exec};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, json};
use crate::error::Error;
use crate::link::Link;
use crate::shell;
use crate::stream::{Channel, Demux};

const LIMIT: Duration = Duration::from_secs(15);
/// More than any report that is honest.
const REPORT_BYTES: usize = 1024 * 1024;

/// What became of the processes of a command that was killed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KillReport {
    /// The process ids, in the container, that were signalled.
    pub signalled: Vec<u32>,
    /// Those that were still there at the end.
    pub survivors: Vec<u32>,
    /// Why it is not known what became of them, if it is not: the image has no shell to look with, the container has
    /// ended, or the engine did not answer.
    pub unknown: Option<String>,
}

impl KillReport {
    fn add(&mut self, other: Self) {
        self.signalled.extend(other.signalled);
        self.signalled.sort_unstable();
        self.signalled.dedup();
        self.survivors.extend(other.survivors);
        self.unknown = self.unknown.take().or(other.unknown);
    }

    /// Whether it is certain that no process of the command is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.survivors.is_empty() && self.unknown.is_none()
    }
}

/// Kills every process of a command.
#[derive(Debug)]
pub(crate) struct KillTree {
    target: Target,
    container: String,
    as_root: Option<Call>,
    report: KillReport,
    state: State,
    deadline: Option<Instant>,
    output: BytesMut,
}

#[derive(Debug)]
enum State {
    Creating(Call),
    Starting(Call),
    Reading(Demux),
}

impl KillTree {
    /// `user`: whom the command ran as, if not the container's own. `patient`: the command may not have been started
    /// yet; looks for two seconds before it believes that nothing is there.
    pub(crate) fn new(
        target: &Target,
        container: &str,
        id: &str,
        user: Option<&str>,
        _signal: crate::signal::Signal,
        patient: bool,
    ) -> Result<Self, Error> {
        let mark = format!("{MARK}={id}");
        let first = create(target, container, &mark, user, if patient { "40" } else { "2" })?;
        Ok(Self {
            target: target.clone(),
            container: container.to_owned(),
            as_root: Some(create(target, container, &mark, Some("0"), "1")?),
            state: State::Creating(first),
            deadline: None,
            output: BytesMut::new(),
            report: KillReport::default(),
        })
    }

    fn report(&self) -> KillReport {
        let unknown = Some("the search was broken off".to_owned());
        let mut report = KillReport {
            unknown,
            ..KillReport::default()
        };
        for line in String::from_utf8_lossy(&self.output).lines() {
            match line.split_once(' ') {
                Some(("signalled", pid)) => report.signalled.extend(pid.parse::<u32>()),
                Some(("left", pid)) => report.survivors.extend(pid.parse::<u32>()),
                None if line == "done" => report.unknown = None,
                _ => {}
            }
        }
        if report.unknown.is_some() && !self.output.is_empty() && report.signalled.is_empty() {
            report.unknown = Some(String::from_utf8_lossy(&self.output).trim().to_owned());
        }
        report.signalled.sort_unstable();
        report.signalled.dedup();
        report
    }
}

fn create(target: &Target, container: &str, mark: &str, user: Option<&str>, empty: &str) -> Result<Call, Error> {
    let words = ["/bin/sh", "-c", &shell::KILL, "pocket-dock", mark, "KILL", "200", empty];
    let exec = Exec {
        attach_stdout: true,
        attach_stderr: true,
        cmd: words.map(str::to_owned).to_vec(),
        user: user.map(str::to_owned),
        ..Exec::default()
    };
    Ok(Call::new("create exec", target, &exec::create(container, &exec)?).within(LIMIT))
}

impl Op for KillTree {
    type Output = KillReport;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<KillReport>, Error> {
        let deadline = *self.deadline.get_or_insert(now + LIMIT);
        let subject = || Subject::Exec {
            container: self.container.clone(),
            user: None,
        };
        loop {
            self.state = match &mut self.state {
                State::Creating(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        return Err(refusal::refused("create exec", &subject(), &answer));
                    }
                    let created: container::CreatedAnswer = json("create exec", &answer.body)?;
                    State::Starting(
                        Call::new("start exec", &self.target, &exec::start(&created.id, None)?).within(LIMIT),
                    )
                }
                State::Starting(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.upgraded {
                        return Err(refusal::refused("start exec", &subject(), &answer));
                    }
                    State::Reading(Demux::new(self.target.limits()))
                }
                State::Reading(demux) => {
                    let eof = link.is_eof();
                    let frame = demux.next(link.received(), eof).map_err(|source| Error::Protocol {
                        what: "kill processes",
                        source,
                    })?;
                    match frame {
                        Some(frame) if frame.channel == Channel::Stdout && self.output.len() < REPORT_BYTES => {
                            self.output.extend_from_slice(&frame.data);
                        }
                        Some(_) => {}
                        None if eof || now >= deadline => {
                            link.hang_up();
                            let found = self.report();
                            self.output.clear();
                            self.report.add(found);
                            match self.as_root.take() {
                                Some(call) => {
                                    self.state = State::Creating(call);
                                    continue;
                                }
                                None => return Ok(Step::Done(std::mem::take(&mut self.report))),
                            }
                        }
                        None => {
                            return Ok(Need::Wait {
                                read: true,
                                until: Some(deadline),
                            }
                            .into());
                        }
                    }
                    continue;
                }
            }
        }
    }

    fn abandon(&mut self) -> bool {
        true
    }
}
