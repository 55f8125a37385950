//! `cargo lab test`: every test, and a table of what passed on which engine.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::lab::{Engine, Error, Result, RunningEngine};
use crate::recorded;
use crate::suite::{FULL, RUNTIMES};

/// By runtime and engine; both are empty where a test needs none.
type Counts = BTreeMap<(String, String), Count>;

/// The test programs of this crate that need no engine. Behind them come `crowd`, `faults` and `conformance`.
const ENGINELESS: [&str; 9] = [
    "replay",
    "replay_api",
    "replay_suite",
    "scripted",
    "drivers",
    "hostile",
    "unpacker",
    "archives",
    "rows",
];

/// How many failures are tried once more, at most.
const AGAIN: usize = 24;

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Runs every test of the workspace; the conformance suite runs on these engines, which are up, and from its recordings
/// on none. `threads`: how many cases at a time. `full`: every runtime on every engine, and not only a covering set.
///
/// # Errors
/// If a test failed or the tests could not be built; if an engine that is up was not tried; and, where `full` is asked for, if
/// it was not tried on each runtime.
pub fn judge(engines: &[RunningEngine], threads: usize, full: bool) -> Result<()> {
    let mut counts = Counts::new();
    let mut whole = true;
    whole &= cargo(
        &["test", "--workspace", "--lib", "--bins", "--examples", "--no-fail-fast"],
        false,
        &mut counts,
    )?;
    whole &= cargo(&["test", "--workspace", "--doc", "--no-fail-fast"], false, &mut counts)?;
    // Those of the other crates, whatever they are called.
    let others = [
        "test",
        "--workspace",
        "--exclude",
        "pocket-dock-tests",
        "--test",
        "*",
        "--no-fail-fast",
    ];
    whole &= cargo(&others, false, &mut counts)?;
    for test in ENGINELESS {
        whole &= cargo(&["test", "-p", "pocket-dock-tests", "--test", test], false, &mut counts)?;
    }
    // What a feature adds is tried with the feature.
    let ignoring = [
        "test",
        "-p",
        "pocket-dock-blocking",
        "--features",
        "ignore",
        "--lib",
        "files::",
    ];
    whole &= cargo(&ignoring, false, &mut counts)?;
    whole &= cargo(&["build", "-p", "pocket-dock-tests", "--bins"], false, &mut counts)?;
    whole &= cargo(&["build", "--workspace", "--examples"], false, &mut counts)?;
    whole &= cargo(
        &["test", "-p", "pocket-dock-tests", "--test", "crowd"],
        full,
        &mut counts,
    )?;
    let faults = [
        "test",
        "-p",
        "pocket-dock-tests",
        "--test",
        "faults",
        "--",
        "--nocapture",
    ];
    whole &= cargo(&faults, full, &mut counts)?;
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
    let mut failed = Vec::new();
    let passed = cargo_noting(&suite, full, &mut counts, &mut failed)?;
    let unsteady = if passed {
        Vec::new()
    } else {
        again(&failed, full, &mut counts)?
    };
    whole &= passed || (!failed.is_empty() && unsteady.len() == failed.len());

    let names: Vec<&str> = engines.iter().map(|one| one.engine.name).collect();
    let untried = untried(&names, full, &counts);
    whole &= untried.is_empty() && counts.values().all(|count| count.passed > 0 && count.failed == 0);
    say(&table(engines, &counts))?;
    for what in untried {
        say(&format!("NOT TRIED: {what}"))?;
    }
    for name in &unsteady {
        say(&format!(
            "UNSTEADY: {name} failed beside others and passed alone: find out why"
        ))?;
    }
    if whole {
        Ok(())
    } else {
        Err(Error::new(
            "not every test passed",
            "the failures are above; `cargo lab status` shows the engines and their logs",
        ))
    }
}

/// Tries those that failed beside others once more, each alone: engines of six kinds on one machine do fail each other now
/// and then. Those that pass are named in the end, as there is a reason to be found. Where many fail, none is tried.
fn again(failed: &[String], full: bool, counts: &mut Counts) -> Result<Vec<String>> {
    let mut unsteady = Vec::new();
    if failed.len() > AGAIN {
        return Ok(unsteady);
    }
    for name in failed {
        let alone = [
            "test",
            "-p",
            "pocket-dock-tests",
            "--test",
            "conformance",
            "--",
            "--exact",
            name,
        ];
        let mut found = Counts::new();
        if cargo(&alone, full, &mut found)? && found.values().map(|count| count.passed).sum::<usize>() == 1 {
            for (key, count) in found {
                let all = counts.entry(key).or_default();
                all.passed += count.passed;
                all.failed -= count.passed.min(all.failed);
            }
            unsteady.push(name.clone());
        }
    }
    Ok(unsteady)
}

/// What should have been tried and was not: an engine, on any runtime or, if `full`, on each of them. What was recorded from
/// an engine says nothing of the engine that is up.
fn untried(engines: &[&str], full: bool, counts: &Counts) -> Vec<String> {
    let tried = |runtime: &str, engine: &str| counts.contains_key(&(runtime.to_owned(), engine.to_owned()));
    let mut untried = Vec::new();
    for engine in engines {
        let empty = || RUNTIMES.into_iter().filter(|runtime| !tried(runtime, engine));
        if full {
            untried.extend(empty().map(|runtime| format!("{engine} on {runtime}")));
        } else if RUNTIMES
            .into_iter()
            .all(|runtime| runtime == recorded::NAME || !tried(runtime, engine))
        {
            untried.push((*engine).to_owned());
        }
    }
    untried
}

/// A row for each engine, a column for each runtime; `-` where the one was not tried on the other.
fn table(engines: &[RunningEngine], counts: &Counts) -> String {
    let mut runtimes: Vec<&str> = RUNTIMES.to_vec();
    runtimes.retain(|runtime| counts.keys().any(|(tried, _)| tried == runtime));
    let row = |first: &str, second: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>13}")).collect();
        format!("{first:<11} {second:<18}{cells}\n")
    };
    let cell = |runtime: &str, engine: &str| match counts.get(&(runtime.to_owned(), engine.to_owned())) {
        Some(Count { passed, failed: 0 }) => format!("{passed} passed"),
        Some(Count { passed, failed }) => format!("{failed} of {} FAIL", passed + failed),
        None => "-".to_owned(),
    };
    let mut table = "\n".to_owned();
    table += &row(
        "ENGINE",
        "VERSION",
        runtimes.iter().map(|name| (*name).to_owned()).collect(),
    );
    for one in engines {
        let cells = runtimes.iter().map(|runtime| cell(runtime, one.engine.name)).collect();
        table += &row(one.engine.name, &one.version, cells);
    }
    table + &row("(no engine)", "", vec![cell("", "")])
}

fn cargo(arguments: &[&str], full: bool, counts: &mut Counts) -> Result<bool> {
    cargo_noting(arguments, full, counts, &mut Vec::new())
}

/// Runs cargo, shows what it prints, counts the tests per engine, and notes the names of those that failed.
fn cargo_noting(arguments: &[&str], full: bool, counts: &mut Counts, names: &mut Vec<String>) -> Result<bool> {
    say(&format!("cargo {}", arguments.join(" ")))?;
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    if full {
        command.env(FULL, "1");
    }
    let mut child = command
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
            if let Some((runtime, engine, passed)) = verdict(&line) {
                let count = counts.entry((runtime.to_owned(), engine.to_owned())).or_default();
                if passed {
                    count.passed += 1;
                    continue;
                }
                count.failed += 1;
                let name = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "));
                names.extend(name.map(|(name, _)| name.trim().to_owned()));
            }
            say(&line)?;
        }
    }
    let status = child
        .wait()
        .map_err(|error| Error::new(format!("cargo was lost: {error}"), "run it again"))?;
    Ok(status.success())
}

/// The runtime and the engine, or nothing where a test needs none, and whether it passed:
/// `test blocking::docker-20::case ... ok`.
fn verdict(line: &str) -> Option<(&str, &str, bool)> {
    let (name, rest) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let passed = match rest {
        "ok" => true,
        "FAILED" => false,
        _ => return None,
    };
    let mut parts = name.split("::");
    match (parts.next(), parts.next()) {
        (Some(runtime), Some(engine)) if RUNTIMES.contains(&runtime) && Engine::named(engine).is_ok() => {
            Some((runtime, engine, passed))
        }
        _ => Some(("", "", passed)),
    }
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
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{Count, Counts, ENGINELESS, RUNTIMES, recorded, untried, verdict};

    #[test]
    fn tests_are_counted_for_their_engine() {
        assert_eq!(
            verdict("test tokio-mt::docker-20::a_case      ... ok"),
            Some(("tokio-mt", "docker-20", true))
        );
        assert_eq!(verdict("test op::tests::x ... FAILED"), Some(("", "", false)));
        assert_eq!(verdict("test scripted::split::tests::x ... ok"), Some(("", "", true)));
        assert_eq!(verdict("test result: ok. 3 passed"), None);
        assert_eq!(verdict("running 3 tests"), None);
    }

    #[test]
    fn every_test_program_is_run() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let there: BTreeSet<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let run = ENGINELESS.into_iter().chain(["crowd", "faults", "conformance"]);
        assert_eq!(there, run.map(str::to_owned).collect());
    }

    #[test]
    fn what_was_not_tried_is_told() {
        let engines = ["docker-20", "podman-4"];
        let count = Count { passed: 1, failed: 0 };
        let key = |runtime: &str, engine: &str| (runtime.to_owned(), engine.to_owned());
        let all: Counts = RUNTIMES
            .iter()
            .flat_map(|runtime| engines.map(|engine| (key(runtime, engine), count)))
            .collect();
        for full in [false, true] {
            assert_eq!(untried(&engines, full, &all), [""; 0]);
            assert_eq!(untried(&engines, full, &Counts::new()).len(), if full { 12 } else { 2 });
        }
        for runtime in RUNTIMES {
            let mut counts = all.clone();
            counts.remove(&key(runtime, "podman-4"));
            assert_eq!(untried(&engines, true, &counts), [format!("podman-4 on {runtime}")]);
            assert_eq!(untried(&engines, false, &counts), [""; 0]);
            counts.retain(|(tried, engine), _| engine == "docker-20" || tried == runtime);
            counts.insert(key(recorded::NAME, "podman-4"), count);
            counts.remove(&key(runtime, "podman-4"));
            assert_eq!(untried(&engines, false, &counts), ["podman-4"]);
        }
    }
}
