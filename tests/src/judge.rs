//! `cargo lab test`: every test, and a table of what passed on which engine.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::lab::{Error, Result, RunningEngine};

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Runs every test of the workspace; the conformance suite runs on these engines, which are up. `threads`: how many
/// cases at a time.
///
/// # Errors
/// If a test failed or the tests could not be built; and if an engine that is up was not tried.
pub fn judge(engines: &[RunningEngine], threads: usize) -> Result<()> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut whole = true;
    whole &= cargo(&["test", "--workspace", "--lib", "--bins", "--examples"], &mut counts)?;
    whole &= cargo(&["test", "--workspace", "--doc"], &mut counts)?;
    for test in ["replay", "replay_api", "scripted", "hostile", "rows"] {
        whole &= cargo(&["test", "-p", "pocket-dock-tests", "--test", test], &mut counts)?;
    }
    whole &= cargo(&["build", "-p", "pocket-dock-tests", "--bins"], &mut counts)?;
    let threads = threads.to_string();
    let suite = [
        "test",
        "-p",
        "pocket-dock-tests",
        "--test",
        "conformance",
        "--",
        "--test-threads",
        &threads,
    ];
    whole &= cargo(&suite, &mut counts)?;

    let mut table = format!(
        "\n{:<11} {:<18} {:<9} {:>6} {:>6}\n",
        "ENGINE", "VERSION", "RUNTIME", "PASSED", "FAILED"
    );
    for one in engines {
        let count = counts.get(one.engine.name).copied().unwrap_or_default();
        whole &= count.passed > 0 && count.failed == 0;
        table += &format!(
            "{:<11} {:<18} {:<9} {:>6} {:>6}\n",
            one.engine.name, one.version, "blocking", count.passed, count.failed
        );
    }
    let bare = counts.get("").copied().unwrap_or_default();
    table += &format!(
        "{:<11} {:<18} {:<9} {:>6} {:>6}\n",
        "(none)", "", "", bare.passed, bare.failed
    );
    say(&table)?;
    if whole {
        Ok(())
    } else {
        Err(Error::new(
            "not every test passed",
            "the failures are above; `cargo lab status` shows the engines and their logs",
        ))
    }
}

/// Runs cargo, shows what it prints, and counts the tests per engine.
fn cargo(arguments: &[&str], counts: &mut BTreeMap<String, Count>) -> Result<bool> {
    say(&format!("cargo {}", arguments.join(" ")))?;
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            Error::new(
                format!("cargo could not be started: {error}"),
                "run this as `cargo lab test`",
            )
        })?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line =
                line.map_err(|error| Error::new(format!("cargo's output broke off: {error}"), "run it again"))?;
            if let Some((engine, passed)) = verdict(&line) {
                let count = counts.entry(engine.to_owned()).or_default();
                if passed {
                    count.passed += 1;
                    continue;
                }
                count.failed += 1;
            }
            say(&line)?;
        }
    }
    let status = child
        .wait()
        .map_err(|error| Error::new(format!("cargo was lost: {error}"), "run it again"))?;
    Ok(status.success())
}

/// The engine, or nothing where a test needs none, and whether it passed: `test blocking::docker-20::case ... ok`.
fn verdict(line: &str) -> Option<(&str, bool)> {
    let (name, rest) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let passed = match rest {
        "ok" => true,
        "FAILED" => false,
        _ => return None,
    };
    let engine = name
        .strip_prefix("blocking::")
        .and_then(|rest| rest.split("::").next())
        .unwrap_or("");
    Some((engine, passed))
}

fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write: {cause}"), ""))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn tests_are_counted_for_their_engine() {
        assert_eq!(
            verdict("test blocking::docker-20::a_case      ... ok"),
            Some(("docker-20", true))
        );
        assert_eq!(verdict("test op::tests::x ... FAILED"), Some(("", false)));
        assert_eq!(verdict("test result: ok. 3 passed"), None);
        assert_eq!(verdict("running 3 tests"), None);
    }
}
