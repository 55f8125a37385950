//! Walking.

use std::collections::VecDeque;
use std::fmt::Write as _;

use pocket_dock_core::{CloseReason, Container, Error, Output, Session, ShellState, Turn, TurnResult};

use super::model::{DIRECTORIES, Model, Stderr, Step, Variable, quoted};
use super::random::Random;
use super::{SEED, Shell};
use crate::suite::{Adapter, Failure};

/// The commands of one walk.
pub const STEPS: usize = 100;
/// Those that are told with a difference, so that it is seen what led to it.
const TOLD: usize = 6;
/// What is told of much data.
const TOLD_BYTES: usize = 300;

/// Walks in a container that has the shell.
///
/// # Errors
/// The first difference, with the seed and what led to it; or what failed otherwise.
pub fn walk<A: Adapter>(adapter: &A, sandbox: &Container<A::Runtime>, shell: Shell, seed: u64) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    let root = format!("/tmp/walk-{}", random.hex());
    let made: Vec<String> = DIRECTORIES
        .iter()
        .map(|name| quoted(&format!("{root}{name}")))
        .collect();
    let made = adapter.wait(sandbox.run(format!("mkdir -p {}", made.join(" "))))?;
    if !made.success() {
        return Err(format!("no directories: {}", made.stderr_text()).into());
    }
    let mut told = VecDeque::new();
    let mut walker = Walker {
        adapter,
        sandbox,
        model: Model::new(shell, &root),
        session: None,
    };
    for number in 0..STEPS {
        let outcome = walker.go(&mut random, &mut told);
        if let Err(difference) = outcome {
            let mut text = format!(
                "{}, seed {seed}, command {number}: {difference}\nagain: {SEED}={seed}\n",
                shell.name()
            );
            for step in told {
                let _ = writeln!(text, "  {}", shown(step.text.as_bytes()));
            }
            return Err(text.into());
        }
    }
    walker.end()
}

struct Walker<'a, A: Adapter> {
    adapter: &'a A,
    sandbox: &'a Container<A::Runtime>,
    model: Model,
    session: Option<Session<A::Runtime>>,
}

impl<A: Adapter> Walker<'_, A> {
    fn go(&mut self, random: &mut Random, told: &mut VecDeque<Step>) -> Result<(), Failure> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.open(random)?,
        };
        let step = self.model.step(random);
        told.push_back(step.clone());
        if told.len() > TOLD {
            told.pop_front();
        }
        let mut turn = Turn::new(step.text.clone());
        if let Some(data) = step.stdin.clone() {
            turn = turn.stdin(data);
        }
        if let Some(limit) = step.limit {
            turn = turn.output_limit(limit);
        }
        if let Some(limit) = step.timeout {
            turn = turn.timeout(limit);
        }
        let result = self.adapter.wait(session.send_and_wait(turn))?;
        self.compare(&step, result)?;
        self.between(&session)?;
        if step.settles {
            same("not printed late", &self.model.late, &Vec::new())?;
        }
        if step.exits {
            self.closed(&session, step.code)?;
        } else {
            same("alive", &session.is_alive(), &true)?;
            self.session = Some(session);
        }
        Ok(())
    }

    /// A shell that knows nothing, but for what it is given.
    fn open(&mut self, random: &mut Random) -> Result<Session<A::Runtime>, Failure> {
        let (shell, root) = (self.model.shell, self.model.root.clone());
        self.model = Model::new(shell, &root);
        let value = random.text(6);
        let options = shell.options().workdir(root).env("v1", value.clone());
        self.model.variables.insert("v1", Variable { value, exported: true });
        Ok(self.adapter.wait(self.sandbox.session(options))?)
    }

    fn compare(&mut self, step: &Step, result: TurnResult) -> Result<(), Failure> {
        let stdout = match step.limit {
            None => self.without_late(bytes(&result.stdout)?),
            Some(limit) => capped(&result.stdout, limit, &step.stdout)?,
        };
        let stderr = bytes(&result.stderr)?;
        let said = || shown(&stderr);
        if stdout != step.stdout {
            let (got, wanted) = (shown(&stdout), shown(&step.stdout));
            return Err(format!("stdout: got {got}, wanted {wanted}; stderr: {}", said()).into());
        }
        let holds = match &step.stderr {
            Stderr::Exactly(wanted) => stderr == *wanted,
            Stderr::Traced(wanted) => wanted.is_empty() || stderr.windows(wanted.len()).any(|part| part == wanted),
            Stderr::Complaint => !stderr.is_empty(),
            Stderr::Any => true,
        };
        if !holds {
            return Err(format!("stderr: got {}, wanted {:?}", said(), step.stderr).into());
        }
        if result.exit_code != step.code {
            return Err(format!(
                "exit code: got {}, wanted {}; stderr: {}",
                result.exit_code,
                step.code,
                said()
            )
            .into());
        }
        let shell = if step.exits {
            ShellState::Exited
        } else {
            ShellState::Lives
        };
        same("shell", &result.shell, &shell)?;
        same("timed out", &result.timed_out, &step.timeout.is_some())
    }

    /// Takes out what jobs printed in the meantime: each line comes once, and whole.
    fn without_late(&mut self, mut data: Vec<u8>) -> Vec<u8> {
        self.model.late.retain(|line| {
            let line = line.as_bytes();
            let found = data.windows(line.len()).position(|part| part == line);
            if let Some(at) = found {
                data.drain(at..at + line.len());
            }
            found.is_none()
        });
        data
    }

    /// Between commands, there is nothing but what jobs print.
    fn between(&mut self, session: &Session<A::Runtime>) -> Result<(), Failure> {
        let read = session.read();
        let out = self.without_late(read.stdout().to_vec());
        same(
            "between commands",
            &(out, read.stderr().to_vec()),
            &(Vec::new(), Vec::new()),
        )
    }

    fn closed(&mut self, session: &Session<A::Runtime>, code: i32) -> Result<(), Failure> {
        let next = self.adapter.wait(session.send_and_wait("printf too late"));
        match next {
            Err(Error::SessionClosed {
                reason: CloseReason::Exited(with),
            }) if with == code => {}
            other => return Err(format!("a command behind the end: {other:?}, code {code}").into()),
        }
        same("alive", &session.is_alive(), &false)?;
        same("never printed", &self.model.late, &Vec::new())
    }

    fn end(mut self) -> Result<(), Failure> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        let result = self.adapter.wait(session.send_and_wait("set +x; wait"))?;
        self.without_late(bytes(&result.stdout)?);
        self.between(&session)?;
        same("never printed", &self.model.late, &Vec::new())?;
        self.adapter.wait(session.close())?;
        same("alive", &session.is_alive(), &false)
    }
}

fn bytes(output: &Output) -> Result<Vec<u8>, Failure> {
    same("omitted", &output.omitted_bytes, &0)?;
    Ok([&output.head[..], &output.tail[..]].concat())
}

/// Checks that head and tail are those of `wanted`, and gives it.
fn capped(output: &Output, limit: u64, wanted: &[u8]) -> Result<Vec<u8>, Failure> {
    let half = usize::try_from(limit / 2)?;
    if wanted.len() <= half * 2 {
        return bytes(output);
    }
    let counts = (output.head.len(), output.tail.len(), output.omitted_bytes);
    same("kept", &counts, &(half, half, u64::try_from(wanted.len())? - limit))?;
    let behind = &wanted[wanted.len() - half..];
    same("head", &output.head[..], &wanted[..half])?;
    same("tail", &output.tail[..], behind)?;
    Ok(wanted.to_vec())
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, got: &T, wanted: &T) -> Result<(), Failure> {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{what}: got {got:?}, wanted {wanted:?}").into())
}

/// Much of it is not told.
fn shown(data: &[u8]) -> String {
    let told = &data[..data.len().min(TOLD_BYTES)];
    format!("{} ({} bytes)", told.escape_ascii(), data.len())
}
