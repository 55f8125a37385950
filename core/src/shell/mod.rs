//! The scripts that run inside a container, without their comments.

use std::sync::LazyLock;

/// Runs a command and marks its end on both streams.
pub(crate) static WRAP: LazyLock<String> = LazyLock::new(|| strip(include_str!("wrap.sh")));
/// Runs a command on a terminal.
pub(crate) static TERMINAL: LazyLock<String> = LazyLock::new(|| strip(include_str!("terminal.sh")));
/// The first lines of a session's shell.
pub(crate) static SESSION: LazyLock<String> = LazyLock::new(|| strip(include_str!("session.sh")));
/// Signals the processes of a command.
pub(crate) static KILL: LazyLock<String> = LazyLock::new(|| strip(PROC) + &strip(include_str!("kill.sh")));
/// Lists the processes of all commands.
pub(crate) static LIST: LazyLock<String> = LazyLock::new(|| strip(PROC) + &strip(include_str!("list.sh")));
/// Tells a container's processes and its memory.
pub(crate) static LOOK: LazyLock<String> = LazyLock::new(|| strip(include_str!("look.sh")));
/// What is done with one file.
pub(crate) static FILES: LazyLock<String> = LazyLock::new(|| strip(include_str!("files.sh")));
/// What the two that look through `/proc` have in common.
const PROC: &str = include_str!("proc.sh");

fn strip(script: &str) -> String {
    let lines = script
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.fold(String::new(), |all, line| all + line + "\n")
}
