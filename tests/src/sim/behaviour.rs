//! What commands do in the simulated engine.

use std::time::Duration;

/// What a command does: prints, then ends after a while. It does not read its input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// What it writes to stdout, each piece in frames of its own, at its start.
    pub stdout: Vec<Vec<u8>>,
    /// What it writes to stderr.
    pub stderr: Vec<Vec<u8>>,
    /// What it writes behind these to stdout and to stderr in turn.
    pub in_turn: Vec<Vec<u8>>,
    /// How it ends.
    pub exit_code: i32,
    /// When it ends.
    pub duration: Duration,
    /// How long after that something it left behind keeps the output open.
    pub lingers: Duration,
    /// How often that prints; never if zero.
    pub babbles: Duration,
}

impl Behaviour {
    fn exit(exit_code: i32) -> Self {
        Self {
            exit_code,
            ..Self::default()
        }
    }

    fn prints(stdout: Vec<u8>) -> Self {
        Self {
            stdout: vec![stdout],
            ..Self::default()
        }
    }
}

/// A command that is known by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Does(Behaviour),
    /// Writes what it reads, until that ends.
    Cat,
}

/// `echo TEXT`, `exit N`, `fail N`, `true`, `false`, `cat`, `sleep SECONDS`, `emit BYTES`.
pub(super) fn known(line: &str) -> Option<Known> {
    let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(Known::Does(match program {
        "cat" if rest.is_empty() => return Some(Known::Cat),
        "true" => Behaviour::exit(0),
        "false" => Behaviour::exit(1),
        "echo" => Behaviour::prints(format!("{rest}\n").into_bytes()),
        "emit" => Behaviour::prints(emitted(rest.parse().ok()?)),
        "exit" | "fail" => Behaviour::exit(rest.parse().ok()?),
        "sleep" => {
            let duration = Duration::try_from_secs_f64(rest.parse().ok()?).ok()?;
            Behaviour {
                duration,
                ..Behaviour::default()
            }
        }
        _ => return None,
    }))
}

/// What `emit` writes: bytes that tell where they were.
#[must_use]
pub fn emitted(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}
