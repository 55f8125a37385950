//! What the end of a command means: its marks, or what the engine says where there are none.

use super::super::call::Answer;
use super::form;
use crate::command::Command;
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{exec, json};
use crate::error::{Error, ExecError};

/// What is known of a command whose output ended without marks.
pub(super) enum Verdict {
    Exited(i32),
    /// There is no shell to supervise it, and it needs none.
    Directly,
}

/// What the code in both marks means.
pub(super) fn of_marks(command: &Command, code: &str) -> Result<i32, Error> {
    if let Ok(code) = code.parse() {
        return Ok(code);
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
    pub(super) answer: &'a Answer,
    /// What came where the command's output would have been.
    pub(super) words: String,
    /// Whether the supervisor was heard, so that the words are not the engine's.
    pub(super) begun: bool,
    /// Whether it was started without a supervisor.
    pub(super) direct: bool,
}

impl Said<'_> {
    pub(super) fn means(self, container: &str, command: &Command) -> Result<Verdict, Error> {
        if !self.answer.is_success() {
            let message = refusal::words(&self.answer.body);
            let subject = Subject::Exec {
                container: container.to_owned(),
                user: command.user.clone(),
            };
            return Err(match refusal::refused("inspect exec", &subject, self.answer) {
                Error::Container(error) => error.into(),
                _ => ExecError::Lost { message }.into(),
            });
        }
        let exec: exec::Inspected = json("inspect exec", &self.answer.body)?;
        let code = exec.exit_code.unwrap_or(-1);
        let lower = self.words.to_ascii_lowercase();
        let message = self.words.trim().to_owned();
        let failed = !self.begun && (matches!(code, 125..=128) || (code <= 0 && lower.contains("oci runtime")));
        if let (Some(user), true) = (&command.user, failed && refusal::is_unknown_user(&lower)) {
            let user = user.clone();
            return Err(ExecError::NoUser { user, message }.into());
        }
        let runtime_spoke =
            lower.contains("oci runtime") || lower.contains("error: crun") || lower.contains("error: runc");
        if self.direct {
            if failed && runtime_spoke {
                return Err(not_started(command, &lower, message));
            }
            return Ok(Verdict::Exited(code));
        }
        if failed && (lower.contains("/bin/sh") || self.words.is_empty()) {
            if form::goes_directly(command) {
                return Ok(Verdict::Directly);
            }
            return Err(ExecError::NoTool {
                tool: "/bin/sh",
                needed_for: "a command string or long code",
            }
            .into());
        }
        if failed && runtime_spoke {
            return Err(ExecError::StartFailed { message }.into());
        }
        if code >= 128 && !exec.running {
            return Ok(Verdict::Exited(code)); // something killed it all, its supervisor too
        }
        let message = format!("the engine says exit code {code}");
        Err(ExecError::Lost { message }.into())
    }
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
    ExecError::StartFailed { message }.into()
}
