//! Runs one command: create the exec, start it, stream both ways, and end when the *command* ends.
//!
//! ```text
//! Create ──► Start ──► Stream ──(both marks)─────────────► Done
//!              │          ├──(end of the stream, no mark)─► Inspect ──► Done | Direct
//!              │          └──(deadline)──► Kill ──────────► Done, timed out
//!              └──(abandoned)────────────► Kill
//! ```
//! The command runs under a small shell script that says on both streams that it has ended, so a child in the background
//! that keeps the output open is not waited for. An image without a shell has its programs started directly; then the
//! end of the stream is the end, and while it is quiet the engine is asked over a second connection.

use std::time::{Duration, Instant};

use super::ask::after_the_end;
use super::call::{Answer, Call};
use super::kill_tree::{KillReport, KillTree};
use super::{Need, Op, Step};
use crate::command::{ARGUMENT_BYTES, Command, Language, MARK, What};
use crate::engine_api::exec::{self, Exec};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{EngineKind, Target, container, json};
use crate::error::{Error, ExecError};
use crate::link::Link;
use crate::result::ExecResult;
use crate::shell;
use crate::stream::Demux;

mod streams;
use streams::Streams;

/// How long a direct exec may be quiet before the engine is asked whether it still runs.
const QUIET: Duration = Duration::from_millis(250);

/// Runs one command.
#[derive(Debug)]
pub struct Run {
    target: Target,
    container: String,
    command: Command,
    id: String,
    exec: String,
    direct: bool,
    streams: Streams,
    started: Option<Instant>,
    state: State,
    abandoned: bool,
    /// Told once the command is killed.
    failure: Option<Error>,
}

#[derive(Debug)]
enum State {
    Begin,
    Create(Call),
    Start(Call),
    Stream {
        demux: Demux,
        look: Instant,
        /// What a direct command's exit code was: something it left behind keeps the output open.
        ended: Option<i32>,
    },
    /// The stream is set aside while the engine is asked.
    Aside {
        demux: Option<Demux>,
        call: Call,
    },
    Back {
        demux: Option<Demux>,
        ended: Option<i32>,
    },
    Inspect(Call),
    Kill(Box<KillTree>, Duration),
}

impl Run {
    /// `id`: 32 lower-case hex digits that the container cannot guess.
    pub(crate) fn new(target: &Target, container: &str, command: Command, id: String) -> Self {
        let streams = Streams::new(&id, command.output_limit);
        Self {
            target: target.clone(),
            container: container.to_owned(),
            command,
            id,
            exec: String::new(),
            direct: false,
            streams,
            started: None,
            state: State::Begin,
            abandoned: false,
            failure: None,
        }
    }

    fn subject(&self) -> Subject {
        Subject::Exec {
            container: self.container.clone(),
            user: self.command.user.clone(),
        }
    }

    /// The form, its words, and the code that goes before the standard input.
    fn words(&self) -> (&'static str, Vec<String>, Option<&str>) {
        let long = |language: &Language, code: &String| {
            let mut words = vec![code.len().to_string()];
            words.extend(language.interpreter.iter().cloned());
            words
        };
        match &self.command.what {
            What::Shell(line) if line.len() > ARGUMENT_BYTES => ("code", long(&Language::sh(), line), Some(line)),
            What::Shell(line) => ("shell", vec![line.clone()], None),
            What::Argv(words) => ("argv", words.clone(), None),
            What::Code(language, code) if code.len() > ARGUMENT_BYTES => ("code", long(language, code), Some(code)),
            What::Code(language, code) => {
                let mut words = language.interpreter.clone();
                words.extend([language.flag.clone(), code.clone()]);
                ("argv", words, None)
            }
        }
    }

    fn create(&self) -> Result<State, Error> {
        let (form, words, code) = self.words();
        let mut env: Vec<String> = self
            .command
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        env.push(format!("{MARK}={}", self.id));
        let attach_stdin = self.command.stdin.is_some() || code.is_some();
        let mut cmd = words;
        let mut working_dir = None;
        if self.direct {
            working_dir.clone_from(&self.command.workdir);
        } else {
            let dir = self.command.workdir.clone().unwrap_or_default();
            let head = ["/bin/sh", "-c", &shell::WRAP, "pocket-dock", &self.id, &dir, form].map(str::to_owned);
            cmd.splice(0..0, head);
        }
        let exec = Exec {
            attach_stdin,
            attach_stdout: true,
            attach_stderr: true,
            cmd,
            env,
            user: self.command.user.clone(),
            working_dir,
            ..Exec::default()
        };
        Ok(State::Create(Call::new(
            "create exec",
            &self.target,
            &exec::create(&self.container, &exec)?,
        )))
    }

    /// The head of the start was read: only now may input be sent.
    fn feed(&self, link: &mut Link) {
        if let (_, _, Some(code)) = self.words() {
            link.send(bytes::Bytes::copy_from_slice(code.as_bytes()));
        }
        if let Some(stdin) = &self.command.stdin {
            link.send(stdin.clone());
        }
        link.finish();
    }

    fn deadline(&self) -> Option<Instant> {
        self.started?.checked_add(self.command.timeout?)
    }

    fn kill(&self, now: Instant, link: &mut Link, patient: bool) -> Result<State, Error> {
        link.hang_up(); // an unread stream would hold the engine up
        let ran = self
            .started
            .map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        let user = self.command.user.as_deref();
        Ok(State::Kill(
            Box::new(KillTree::new(&self.target, &self.container, &self.id, user, patient)?),
            ran,
        ))
    }

    /// What the engine says makes no sense any more, and the command may run: it is killed before the error is told.
    fn give_up(&mut self, now: Instant, link: &mut Link, error: Error) -> Result<Next, Error> {
        self.failure = Some(error);
        self.kill(now, link, true).map(Next::To)
    }

    fn result(&mut self, now: Instant, code: i32) -> Result<Step<ExecResult>, Error> {
        let duration = self
            .started
            .map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        let (stdout, stderr) = self.streams.take();
        Ok(Step::Done(ExecResult {
            exit_code: code,
            stdout,
            stderr,
            duration,
            timed_out: false,
            killed: None,
        }))
    }

    /// Both marks were seen.
    fn ended(&mut self, now: Instant, code: &str) -> Result<Step<ExecResult>, Error> {
        if let Ok(code) = code.parse() {
            return self.result(now, code);
        }
        let program = match &self.command.what {
            What::Shell(_) => "/bin/sh".to_owned(),
            What::Argv(words) => words.first().cloned().unwrap_or_default(),
            What::Code(language, _) => language.interpreter.first().cloned().unwrap_or_default(),
        };
        Err(match code {
            "nofile" => ExecError::NotFound { program },
            "noexec" => ExecError::NotExecutable { program },
            "nodir" => ExecError::NoDirectory {
                path: self.command.workdir.clone().unwrap_or_default(),
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

    /// The stream ended without marks: the engine knows how.
    fn inspected(&mut self, now: Instant, answer: &Answer) -> Result<Option<Step<ExecResult>>, Error> {
        if !answer.is_success() {
            let message = refusal::words(&answer.body);
            return Err(match refusal::refused("inspect exec", &self.subject(), answer) {
                Error::Container(error) => error.into(),
                _ => ExecError::Lost { message }.into(),
            });
        }
        let exec: exec::Inspected = json("inspect exec", &answer.body)?;
        let words = self.streams.text();
        let lower = words.to_ascii_lowercase();
        let code = exec.exit_code.unwrap_or(-1);
        let failed = matches!(code, 125..=128) || (code <= 0 && lower.contains("oci runtime"));
        let message = words.trim().to_owned();
        match (&self.command.user, failed) {
            (Some(user), true) if refusal::is_unknown_user(&lower) => {
                return Err(ExecError::NoUser {
                    user: user.clone(),
                    message,
                }
                .into());
            }
            _ => {}
        }
        let runtime_spoke =
            lower.contains("oci runtime") || lower.contains("error: crun") || lower.contains("error: runc");
        if self.direct {
            if failed && runtime_spoke {
                return Err(self.start_failed(&lower, message));
            }
            return self.result(now, code).map(Some);
        }
        if failed && (lower.contains("/bin/sh") || words.is_empty()) {
            return match self.command.what {
                What::Argv(_) => Ok(None),
                What::Code(..) if self.words().2.is_none() => Ok(None),
                _ => Err(ExecError::NoTool {
                    tool: "/bin/sh",
                    needed_for: "a command string or long code",
                }
                .into()),
            };
        }
        if failed && runtime_spoke {
            return Err(ExecError::StartFailed { message }.into());
        }
        if code >= 128 && !exec.running {
            return self.result(now, code).map(Some); // something killed it all, its supervisor too
        }
        Err(ExecError::Lost {
            message: format!("the engine says exit code {code}"),
        }
        .into())
    }

    fn start_failed(&self, lower: &str, message: String) -> Error {
        let program = self.create_program();
        if let (Some(path), true) = (&self.command.workdir, lower.contains("chdir") || lower.contains("cwd")) {
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

    fn create_program(&self) -> String {
        self.words().1.into_iter().next().unwrap_or_default()
    }

    /// Takes what the stream has. `Some`: the command has ended, or the stream has.
    fn read(&mut self, demux: &mut Demux, link: &mut Link) -> Result<Option<Ended>, Error> {
        loop {
            let eof = link.is_eof();
            match demux.next(link.received(), eof) {
                Ok(Some(frame)) => {
                    self.streams.push(frame, !self.direct);
                    if let Some(code) = self.streams.code() {
                        return Ok(Some(Ended::Marked(code)));
                    }
                }
                Ok(None) if eof => return Ok(Some(Ended::Stream)),
                Ok(None) => return Ok(None),
                Err(_) if link.failure().is_some() => return Ok(Some(Ended::Stream)),
                Err(source) => return Err(Error::protocol("read output", source)),
            }
        }
    }

    fn step(&mut self, now: Instant, link: &mut Link) -> Result<Step<ExecResult>, Error> {
        loop {
            let mut state = std::mem::replace(&mut self.state, State::Begin);
            let next = self.go_on(&mut state, now, link);
            match next {
                Ok(Next::To(next)) => self.state = next,
                Ok(Next::Stay(need)) => {
                    self.state = state;
                    return Ok(need.into());
                }
                Ok(Next::Via(next, need)) => {
                    self.state = next;
                    return Ok(need.into());
                }
                Ok(Next::Done(result)) => return Ok(Step::Done(*result)),
                Err(error) => return Err(error),
            }
        }
    }

    fn go_on(&mut self, state: &mut State, now: Instant, link: &mut Link) -> Result<Next, Error> {
        macro_rules! poll {
            ($op:expr) => {
                match $op.poll(now, link)? {
                    Step::Done(value) => value,
                    Step::Need(need) => return Ok(Next::Stay(need)),
                }
            };
        }
        Ok(match state {
            State::Begin => {
                self.command.check()?;
                Next::To(self.create()?)
            }
            State::Create(call) => {
                let answer = poll!(call);
                if !answer.is_success() {
                    return Err(refusal::refused("create exec", &self.subject(), &answer));
                }
                let created: container::CreatedAnswer = json("create exec", &answer.body)?;
                self.exec = created.id;
                Next::To(State::Start(Call::new(
                    "start exec",
                    &self.target,
                    &exec::start(&self.exec)?,
                )))
            }
            State::Start(call) => {
                self.started.get_or_insert(now);
                let answer = match call.poll(now, link) {
                    Ok(Step::Done(answer)) => answer,
                    Ok(Step::Need(need)) => {
                        // A command may run before the engine says so.
                        let deadline = self.deadline();
                        if call.is_sent() && deadline.is_some_and(|deadline| now >= deadline) {
                            return self.kill(now, link, true).map(Next::To);
                        }
                        return Ok(Next::Stay(need.by(deadline)));
                    }
                    Err(error) if call.is_sent() => return self.give_up(now, link, error),
                    Err(error) => return Err(error),
                };
                if !answer.upgraded {
                    return Err(refusal::refused("start exec", &self.subject(), &answer));
                }
                self.feed(link);
                let demux = Demux::new(self.target.limits());
                Next::To(State::Stream {
                    demux,
                    look: now + QUIET,
                    ended: None,
                })
            }
            State::Stream { demux, look, ended } => {
                let before = self.streams.bytes();
                let read = match self.read(demux, link) {
                    Ok(read) => read,
                    Err(error) => return self.give_up(now, link, error),
                };
                match read {
                    Some(Ended::Marked(code)) => {
                        link.hang_up();
                        return self.ended(now, &code).map(Next::done);
                    }
                    Some(Ended::Stream) => {
                        link.hang_up();
                        self.streams.finish();
                        let inspect = Call::new("inspect exec", &self.target, &exec::inspect(&self.exec)?);
                        return Ok(Next::To(State::Inspect(inspect)));
                    }
                    None => {}
                }
                if self.deadline().is_some_and(|deadline| now >= deadline) {
                    return self.kill(now, link, false).map(Next::To);
                }
                if self.streams.bytes() != before {
                    *look = now + QUIET;
                }
                if let (Some(code), true) = (*ended, now >= *look) {
                    link.hang_up();
                    self.streams.finish();
                    return self.result(now, code).map(Next::done);
                }
                if self.direct && now >= *look {
                    let call = Call::new("inspect exec", &self.target, &exec::inspect(&self.exec)?);
                    let demux = std::mem::replace(demux, Demux::raw());
                    return Ok(Next::Via(
                        State::Aside {
                            demux: Some(demux),
                            call,
                        },
                        Need::Swap,
                    ));
                }
                let deadline = self.deadline();
                let until = if self.direct {
                    Some(deadline.map_or(*look, |end| end.min(*look)))
                } else {
                    deadline
                };
                Next::Stay(Need::Wait { read: true, until })
            }
            State::Aside { demux, call } => {
                let answer = poll!(call);
                let exec: exec::Inspected = json("inspect exec", &answer.body).unwrap_or_default();
                let ended = if answer.is_success() && !exec.running {
                    exec.exit_code
                } else {
                    None
                };
                link.hang_up();
                Next::Via(
                    State::Back {
                        demux: demux.take(),
                        ended,
                    },
                    Need::Swap,
                )
            }
            State::Back { demux, ended } => {
                let demux = demux.take().ok_or_else(after_the_end)?;
                let rest = if ended.is_some() { QUIET } else { 4 * QUIET };
                Next::To(State::Stream {
                    demux,
                    look: now + rest,
                    ended: *ended,
                })
            }
            State::Inspect(call) => {
                let answer = poll!(call);
                match self.inspected(now, &answer)? {
                    Some(step) => return Ok(Next::done(step)),
                    None => {
                        self.direct = true;
                        self.streams = Streams::new(&self.id, self.command.output_limit);
                        Next::To(self.create()?)
                    }
                }
            }
            State::Kill(kill, ran) => {
                let report = match kill.poll(now, link) {
                    Ok(Step::Need(need)) => return Ok(Next::Stay(need)),
                    Ok(Step::Done(report)) => report,
                    Err(error) => KillReport {
                        unknown: Some(error.to_string()),
                        ..KillReport::default()
                    },
                };
                if let Some(error) = self.failure.take() {
                    return Err(error);
                }
                self.streams.finish();
                let (stdout, stderr) = self.streams.take();
                let (duration, killed) = (*ran, Some(report));
                Next::Done(Box::new(ExecResult {
                    exit_code: 137,
                    stdout,
                    stderr,
                    duration,
                    timed_out: true,
                    killed,
                }))
            }
        })
    }
}

enum Ended {
    Marked(String),
    Stream,
}

enum Next {
    To(State),
    Via(State, Need),
    Stay(Need),
    Done(Box<ExecResult>),
}

impl Next {
    fn done(step: Step<ExecResult>) -> Self {
        match step {
            Step::Done(result) => Self::Done(Box::new(result)),
            Step::Need(need) => Self::Stay(need),
        }
    }
}

impl Op for Run {
    type Output = ExecResult;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<ExecResult>, Error> {
        if self.abandoned
            && matches!(
                self.state,
                State::Stream { .. } | State::Aside { .. } | State::Back { .. }
            )
        {
            // The engine may have said that it started the command before it did.
            self.state = self.kill(now, link, self.target.kind() == EngineKind::Docker)?;
        }
        self.step(now, link)
    }

    fn abandon(&mut self) -> bool {
        self.abandoned = true;
        match &self.state {
            State::Begin | State::Create(_) | State::Inspect(_) => false,
            State::Start(call) => call.is_sent(),
            State::Stream { .. } | State::Aside { .. } | State::Back { .. } | State::Kill(..) => true,
        }
    }
}
