//! `cargo lab`: brings up, shows and ends the engines that the tests run on.

use std::env;
use std::io::{self, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::Instant;

use pocket_dock_tests::lab::{self, ENGINES, Engine, Error, Result, RunningEngine};
use pocket_dock_tests::{bench, judge, recorded};

const HELP: &str = "\
cargo lab up     [--engine NAME]...            make what is missing and start the engines; load the test images
cargo lab down   [--engine NAME]... [--purge]  end them; --purge removes their images and containers too
cargo lab status                               what there is, and how it is
cargo lab check  [--engine NAME]...            use a container of each image on each running engine
cargo lab shell  --engine NAME [-- COMMAND..]  a shell (or a command) where the engine runs
cargo lab record [--engine NAME]... [CASE]...  record the suite's cases on each running engine, for the tests that
                                               replay them without one
cargo lab test   [--engine NAME]... [--full]   up, then the tests; --full: every runtime on every engine
cargo lab bench  [--engine NAME]... [--row NAME]... [--quick] [--json FILE]
                                               what we take for a thing beside what the bare engine takes for it;
                                               the ring- rows need no engine

Everything is kept in /var/lib/pocket-dock-lab, or in POCKET_DOCK_LAB_DIR. Packages come from this machine's own
Debian mirror, or from POCKET_DOCK_LAB_MIRROR.";

/// How many cases of the suite run at a time.
const CASES_AT_ONCE: usize = 6;

/// What was asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    command: String,
    engines: Vec<Engine>,
    purge: bool,
    full: bool,
    rest: Vec<String>,
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Wish> {
    let mut arguments = arguments.into_iter();
    let mut wish = Wish {
        command: arguments.next().unwrap_or_else(|| "help".to_owned()),
        ..Wish::default()
    };
    while let Some(argument) = arguments.next() {
        match (wish.command.as_str(), argument.as_str()) {
            (_, "--help" | "-h") => wish.command = "help".to_owned(),
            ("bench", _) => wish.rest.push(argument),
            ("shell", "--") => wish.rest = arguments.by_ref().collect(),
            ("down", "--purge") => wish.purge = true,
            ("test", "--full") => wish.full = true,
            ("up" | "down" | "check" | "shell" | "record" | "test", "--engine") => {
                let name = arguments
                    .next()
                    .ok_or_else(|| Error::new("--engine needs a name", "see: cargo lab help"))?;
                let engine = Engine::named(&name)?;
                if !wish.engines.contains(&engine) {
                    wish.engines.push(engine);
                }
            }
            ("record", case) if !case.starts_with('-') => wish.rest.push(argument),
            (command, other) => {
                return Err(Error::new(
                    format!("`cargo lab {command}` knows no {other:?}"),
                    "see: cargo lab help",
                ));
            }
        }
    }
    Ok(wish)
}

fn main() -> ExitCode {
    match parse(env::args().skip(1)).and_then(|wish| obey(&wish)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(wish: &Wish) -> Result<()> {
    match wish.command.as_str() {
        "up" => up(&wish.engines).map(|_| ()),
        "down" => {
            let ended: Vec<&str> = lab::down(&wish.engines, wish.purge)?
                .iter()
                .map(|engine| engine.name)
                .collect();
            say(&if ended.is_empty() {
                "nothing ran".to_owned()
            } else {
                format!("ended {}", ended.join(", "))
            })
        }
        "status" => status(),
        "check" => check(&wish.engines),
        "shell" => shell(wish),
        "record" => recorded::record_all(&running(&wish.engines)?, &wish.rest, &|line| drop(say(line))),
        "test" => test(wish),
        "bench" => measure(&wish.rest),
        "help" | "--help" | "-h" => say(HELP),
        other => Err(Error::new(
            format!("there is no `cargo lab {other}`"),
            "see: cargo lab help",
        )),
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

fn up(engines: &[Engine]) -> Result<Vec<RunningEngine>> {
    let begun = Instant::now();
    let running = lab::up(engines)?;
    for one in &running {
        say(&format!(
            "{:<11} {:<16} API {:<6} {}",
            one.engine.name,
            one.version,
            one.api,
            one.socket.display()
        ))?;
    }
    say(&format!(
        "{} engine(s) up after {:.1} s",
        running.len(),
        begun.elapsed().as_secs_f32()
    ))?;
    Ok(running)
}

fn status() -> Result<()> {
    say(&format!(
        "{:<11} {:<16} {:<7} {:<14} {:<7} SOCKET",
        "ENGINE", "VERSION", "API", "STATE", "IMAGES"
    ))?;
    for engine in ENGINES {
        let running = engine.running();
        let state = match &running {
            Some(_) => "up",
            None if engine.is_alive() => "does not answer",
            None => "down",
        };
        let (version, api) = running
            .as_ref()
            .map_or(("-", "-"), |one| (one.version.as_str(), one.api.as_str()));
        let images = running.as_ref().map_or_else(
            || "-".to_owned(),
            |one| {
                let there = |image: &&&str| one.peer().image(image).is_ok_and(|found| found.is_some());
                format!(
                    "{}/{}",
                    lab::images::ALL.iter().filter(there).count(),
                    lab::images::ALL.len()
                )
            },
        );
        let socket = engine.socket();
        say(&format!(
            "{:<11} {version:<16} {api:<7} {state:<14} {images:<7} {}",
            engine.name,
            socket.display()
        ))?;
    }
    Ok(())
}

/// Those of the engines (of all, if none is named) that run.
fn running(engines: &[Engine]) -> Result<Vec<RunningEngine>> {
    let wanted = |one: &RunningEngine| engines.is_empty() || engines.contains(&one.engine);
    let running: Vec<RunningEngine> = lab::running().into_iter().filter(wanted).collect();
    if running.is_empty() {
        return Err(Error::new("no engine runs", "start them: cargo lab up"));
    }
    Ok(running)
}

fn check(engines: &[Engine]) -> Result<()> {
    for one in &running(engines)? {
        for line in lab::check(one)? {
            say(&format!("{:<11} {line}", one.engine.name))?;
        }
    }
    Ok(())
}

fn shell(wish: &Wish) -> Result<()> {
    let [engine] = wish.engines.as_slice() else {
        return Err(Error::new(
            "a shell needs exactly one --engine NAME",
            "see: cargo lab help",
        ));
    };
    let mut command = engine.inside()?;
    if wish.rest.is_empty() {
        command.arg("/bin/bash")
    } else {
        command.args(&wish.rest)
    };
    let cause = command.env("PS1", format!("{} \\w# ", engine.name)).exec();
    Err(Error::new(format!("cannot run nsenter: {cause}"), "install util-linux"))
}

/// Brings the engines up and has every test judged.
fn test(wish: &Wish) -> Result<()> {
    let running = up(&wish.engines)?;
    judge::judge(&running, CASES_AT_ONCE, wish.full)
}

/// Builds the measuring program for release, and becomes it.
fn measure(words: &[String]) -> Result<()> {
    bench::Wish::parse(words.iter().cloned())?; // a mistake is told before the build, not after
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "run",
        "--release",
        "--package",
        "pocket-dock-tests",
        "--bin",
        "bench",
        "--",
    ]);
    let cause = command.args(words).exec();
    Err(Error::new(
        format!("cargo could not be started: {cause}"),
        "run this as `cargo lab bench`",
    ))
}

#[cfg(test)]
mod tests {
    use super::{Wish, parse};
    use pocket_dock_tests::lab::ENGINES;

    fn parsed(line: &str) -> Option<Wish> {
        parse(line.split_whitespace().map(str::to_owned)).ok()
    }

    #[test]
    fn reads_the_command_line() {
        let wish = parsed("up --engine podman-4 --engine docker-20 --engine podman-4").unwrap();
        assert_eq!(
            (wish.command.as_str(), wish.engines),
            ("up", vec![ENGINES[3], ENGINES[0]])
        );
        assert!(parsed("down --purge").unwrap().purge);
        assert!(parsed("test --full").unwrap().full);
        assert_eq!(
            parsed("shell --engine docker-20 -- docker ps --all").unwrap().rest,
            ["docker", "ps", "--all"]
        );
        assert_eq!(
            parsed("bench --quick --row run").unwrap().rest,
            ["--quick", "--row", "run"]
        );
        assert_eq!(
            parsed("record --engine docker-20 bash_as_sh").unwrap().rest,
            ["bash_as_sh"]
        );
        assert_eq!(parsed("").unwrap().command, "help");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for wrong in [
            "up --purge",
            "up --engine",
            "up --engine docker-1",
            "status --engine docker-20",
            "down --full",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
