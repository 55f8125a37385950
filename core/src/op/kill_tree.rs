//! Kills every process of a command, by the mark in their environment.
//!
//! The engine has no call for it, and the pid it tells is of another namespace, so a short exec inside the container
//! looks through `/proc`. It runs as root with all capabilities, to see and reach processes of every user.

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
    /// `patient`: the command may not have been started yet; looks for two seconds before it believes that nothing is
    /// there.
    pub(crate) fn new(target: &Target, container: &str, id: &str, patient: bool) -> Result<Self, Error> {
        let empty = if patient { "40" } else { "2" };
        let mark = format!("{MARK}={id}");
        let words = [
            "/bin/sh",
            "-c",
            &shell::KILL,
            "pocket-dock",
            &mark,
            "KILL",
            "200",
            empty,
        ];
        let exec = Exec {
            attach_stdout: true,
            attach_stderr: true,
            cmd: words.map(str::to_owned).to_vec(),
            user: Some("0".to_owned()),
            privileged: true,
            ..Exec::default()
        };
        let call = Call::new("create exec", target, &exec::create(container, &exec)?).within(LIMIT);
        Ok(Self {
            target: target.clone(),
            container: container.to_owned(),
            state: State::Creating(call),
            deadline: None,
            output: BytesMut::new(),
        })
    }

    fn report(&self) -> KillReport {
        let mut report = KillReport {
            unknown: Some("the search was broken off".to_owned()),
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
                    State::Starting(Call::new("start exec", &self.target, &exec::start(&created.id)?).within(LIMIT))
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
                            return Ok(Step::Done(self.report()));
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
