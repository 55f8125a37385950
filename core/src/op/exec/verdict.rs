//! What the end of a command means: its marks, or what the engine says where there are none.

use std::time::Instant;

use super::super::call::Answer;
use super::after::{Found, Looking};
use super::marks::Marks;
use super::{Exec, Next, PATIENCE, State, form};
use crate::command::Command;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{EngineKind, exec};
use crate::error::{Error, ExecError};
use crate::link::Link;

/// What is known of a command whose output ended without marks.
pub(super) enum Verdict {
    Exited(i32),
    /// Perhaps it ended with its container. If not, this is what became of it.
    Doubtful(Result<i32, Error>),
    /// There is no shell to supervise it, and it needs none.
    Directly,
}

/// What a command has come to that the engine does not know any more, while its container runs.
pub(super) fn unknown(answer: &Answer, subject: &Subject) -> Error {
    if answer.status() != 404 {
        return refusal::refused("inspect exec", subject, answer);
    }
    let message = refusal::words(&answer.body);
    ExecError::Lost { message }.into()
}

/// What the code in both marks means. A command that reads the mark from its supervisor's arguments can forge it, and harms
/// itself; what no supervisor says is its end at least.
///
/// Behind it stands whether anything was killed for want of memory meanwhile, where that is known.
pub(super) fn of_marks(command: &Command, code: &str) -> Result<(i32, Option<bool>), Error> {
    let (number, out_of_memory) = match code.strip_suffix(['m', 'n']) {
        Some(number) => (number, Some(code.ends_with('m'))),
        None => (code, None),
    };
    if let Ok(number) = number.parse::<u8>() {
        return Ok((number.into(), out_of_memory));
    }
    let program = form::program(command);
    Err(match code {
        "nofile" => ExecError::NotFound { program },
        "noexec" => ExecError::NotExecutable { program },
        "nodir" => ExecError::NoDirectory {
            path: command.workdir.clone().unwrap_or_default(),
        },
        "nodd" => ExecError::NoTool {
            tool: "dd",
            needed_for: "code of more than 96 KiB",
        },
        other => ExecError::Lost {
            message: format!("its supervisor said {other:?}"),
        },
    }
    .into())
}

/// What the engine said of the exec, and in its output.
pub(super) struct Said<'a> {
    pub(super) kind: EngineKind,
    pub(super) exec: &'a exec::Inspected,
    /// What came where the command's output would have been.
    pub(super) words: String,
    /// Whether the supervisor was heard, so that the words are not the engine's.
    pub(super) begun: bool,
    /// Whether anything came on stdout.
    pub(super) printed: bool,
    /// Whether it was started without a shell.
    pub(super) direct: bool,
    /// Whether it has a terminal, and so no marks.
    pub(super) tty: bool,
}

impl Said<'_> {
    pub(super) fn means(self, command: &Command) -> Result<Verdict, Error> {
        let Some(code) = self.exec.exit_code.filter(|code| *code >= 0) else {
            let message = "the engine knows no exit code".to_owned();
            return Ok(Verdict::Doubtful(Err(ExecError::Lost { message }.into())));
        };
        let failed = self.was_not_started(code);
        let lower = self.words.to_ascii_lowercase();
        let message = self.words.trim().to_owned();
        if let (Some(user), true) = (&command.user, failed && refusal::is_unknown_user(&lower)) {
            let user = user.clone();
            return Err(ExecError::NoUser { user, message }.into());
        }
        if self.direct {
            return match code {
                _ if failed => Err(not_started(command, &lower, message)),
                128.. => Ok(Verdict::Doubtful(Ok(code))),
                _ => Ok(Verdict::Exited(code)),
            };
        }
        if failed && (lower.contains("/bin/sh") || (self.words.is_empty() && !self.tty)) {
            if form::goes_directly(command) {
                return Ok(Verdict::Directly);
            }
            return Err(ExecError::NoTool {
                tool: "/bin/sh",
                needed_for: "a command string or long code",
            }
            .into());
        }
        if failed && self.tty {
            return Err(not_started(command, &lower, message));
        }
        if failed {
            return Err(start_failed(message));
        }
        if self.tty {
            return Ok(match code {
                128.. => Verdict::Doubtful(Ok(code)),
                _ => Verdict::Exited(code),
            });
        }
        if code >= 128 {
            return Ok(Verdict::Doubtful(Ok(code))); // something killed it all, its supervisor too
        }
        let message = format!("the engine says exit code {code}");
        Ok(Verdict::Doubtful(Err(ExecError::Lost { message }.into())))
    }

    /// Whether the engine could not start it. A command may end with any code and print any words, so only that counts
    /// which it cannot forge, or would not by accident:
    ///
    /// | | exit code | besides |
    /// |---|---|---|
    /// | Docker | 126, 127, 128 | there never was a process id |
    /// | Podman | 125, 126, 127 | nothing on stdout; on stderr `Error: RUNTIME: …: OCI …`, or (of a shell) nothing |
    fn was_not_started(&self, code: i32) -> bool {
        if self.begun {
            return false;
        }
        match self.kind {
            EngineKind::Docker => matches!(code, 126..=128) && self.exec.pid == 0,
            EngineKind::Podman if self.words.is_empty() => matches!(code, 126 | 127) && !self.direct,
            EngineKind::Podman => matches!(code, 125..=127) && !self.printed && self.words.lines().any(is_podmans),
        }
    }
}

/// Such as `Error: crun: executable file "x" not found: OCI runtime attempted to invoke a command that was not found`.
fn is_podmans(line: &str) -> bool {
    let Some((runtime, rest)) = line.strip_prefix("Error: ").and_then(|line| line.split_once(": ")) else {
        return false;
    };
    runtime == "OCI runtime error" || (!runtime.contains(' ') && rest.contains(": OCI "))
}

impl Exec {
    /// What it means that the output is over without marks.
    pub(super) fn judge(&mut self, found: &Found, now: Instant, link: &mut Link) -> Result<Next, Error> {
        let exec = match found {
            Found::Ended(exec) => exec,
            Found::Unknown(answer) => {
                let error = unknown(answer, &self.subject());
                return Ok(Next::To(State::Look(Looking::new(
                    &self.target,
                    &self.place,
                    Err(error),
                )?)));
            }
            Found::Runs => {
                let message = format!("it still ran {PATIENCE:?} later, and was told to end");
                return self.give_up(now, link, ExecError::Lost { message }.into());
            }
        };
        let said = Said {
            kind: self.target.kind(),
            exec,
            words: self.marks.words(),
            begun: self.marks.has_begun(),
            printed: self.printed,
            direct: self.direct,
            tty: self.command.tty.is_some(),
        };
        Ok(Next::To(match said.means(&self.command)? {
            Verdict::Exited(code) => {
                self.marks.believe();
                State::Exited(code, self.ran(now), None)
            }
            Verdict::Doubtful(otherwise) => {
                self.marks.believe();
                State::Look(Looking::new(&self.target, &self.place, otherwise)?)
            }
            Verdict::Directly => {
                self.direct = true;
                self.marks = Marks::new(&self.mark);
                self.create()?
            }
        }))
    }
}

fn start_failed(message: String) -> Error {
    if refusal::is_at_limit(&message.to_ascii_lowercase()) {
        return ExecError::AtLimit { message }.into();
    }
    ExecError::StartFailed { message }.into()
}

fn not_started(command: &Command, lower: &str, message: String) -> Error {
    let program = form::Form::of(command).words.into_iter().next().unwrap_or_default();
    if let (Some(path), true) = (&command.workdir, lower.contains("chdir") || lower.contains("cwd")) {
        return ExecError::NoDirectory { path: path.clone() }.into();
    }
    if lower.contains("not found") || lower.contains("no such file") {
        return ExecError::NotFound { program }.into();
    }
    if lower.contains("permission denied") || lower.contains("is a directory") {
        return ExecError::NotExecutable { program }.into();
    }
    start_failed(message)
}
