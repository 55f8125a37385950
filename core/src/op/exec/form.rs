//! How a command is handed to the engine: under its supervisor, on a terminal, or directly where the image has no shell.

use super::super::call::Call;
use crate::command::{ARGUMENT_BYTES, Command, Language, MARK, What};
use crate::engine_api::Target;
use crate::engine_api::exec::{self, Exec};
use crate::error::Error;
use crate::shell;

/// No program wants these in this order, and no user types them.
const DETACH_KEYS: &str = "ctrl-^,ctrl-@,ctrl-_,ctrl-^,ctrl-_,ctrl-@,ctrl-@,ctrl-^";

/// A command as the supervisor takes it.
pub(super) struct Form<'a> {
    pub(super) name: &'static str,
    pub(super) words: Vec<String>,
    /// What goes before the standard input: code too long for an argument.
    pub(super) code: Option<&'a str>,
}

impl<'a> Form<'a> {
    pub(super) fn of(command: &'a Command) -> Self {
        match &command.what {
            What::Shell(line) if line.len() > ARGUMENT_BYTES => Self::long(&Language::sh(), line),
            What::Shell(line) => Self::short("shell", vec![line.clone()]),
            What::Argv(words) => Self::short("argv", words.clone()),
            What::Code(language, code) if code.len() > ARGUMENT_BYTES => Self::long(language, code),
            What::Code(language, code) => {
                let mut words = language.interpreter.clone();
                words.extend([language.flag.clone(), code.clone()]);
                Self::short("argv", words)
            }
        }
    }

    fn short(name: &'static str, words: Vec<String>) -> Self {
        Self {
            name,
            words,
            code: None,
        }
    }

    fn long(language: &Language, code: &'a str) -> Self {
        let mut words = vec![code.len().to_string()];
        words.extend(language.interpreter.iter().cloned());
        Self {
            name: "code",
            words,
            code: Some(code),
        }
    }
}

/// The program that a user would name as the one that is run.
pub(super) fn program(command: &Command) -> String {
    match &command.what {
        What::Shell(_) => "/bin/sh".to_owned(),
        What::Argv(words) => words.first().cloned().unwrap_or_default(),
        What::Code(language, _) => language.interpreter.first().cloned().unwrap_or_default(),
    }
}

/// Whether it can be run without a shell.
pub(super) fn goes_directly(command: &Command) -> bool {
    match &command.what {
        What::Shell(_) => false,
        What::Argv(_) => true,
        What::Code(..) => Form::of(command).code.is_none(),
    }
}

/// The call that makes the exec. `id`, `mark`: as [`super::Exec::new`] takes them.
pub(super) fn create(
    target: &Target,
    container: &str,
    command: &Command,
    id: &str,
    mark: &str,
    direct: bool,
) -> Result<Call, Error> {
    let Form {
        name,
        words: mut cmd,
        code,
    } = Form::of(command);
    let mut env: Vec<String> = command
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    env.push(format!("{MARK}={id}"));
    let mut working_dir = None;
    if direct {
        working_dir.clone_from(&command.workdir);
    } else if let Some((cols, rows)) = command.tty {
        working_dir.clone_from(&command.workdir);
        let (cols, rows) = (cols.to_string(), rows.to_string());
        let head = ["/bin/sh", "-c", &shell::TERMINAL, "pocket-dock", &cols, &rows, name].map(str::to_owned);
        cmd.splice(0..0, head);
    } else {
        let dir = command.workdir.as_deref().unwrap_or_default();
        let head = ["/bin/sh", "-c", &shell::WRAP, "pocket-dock", mark, dir, name].map(str::to_owned);
        cmd.splice(0..0, head);
    }
    let attach_stdin = command.stdin.is_some() || command.keep_stdin_open;
    let exec = Exec {
        attach_stdin: attach_stdin || code.is_some(),
        tty: command.tty.is_some(),
        attach_stdout: true,
        attach_stderr: true,
        cmd,
        env,
        user: command.user.clone(),
        working_dir,
        detach_keys: command.tty.map(|_| DETACH_KEYS),
    };
    Ok(Call::new("create exec", target, &exec::create(container, &exec)?))
}
