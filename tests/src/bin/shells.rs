//! A client of its own, for what weighs sessions or takes long:
//!
//! - `shells walks SOCKET SHELL SEED COUNT AT_ONCE` does so many walks, of so many at a time;
//! - `shells turns SOCKET SHELL COUNT` gives one session so many commands;
//! - `shells flood SOCKET SHELL MIB LINE_MIB` has one command print so much, and one line that long.
//!
//! Each says what it saw, and fails if that is not what it must be. `SHELL` is `bash`, `dash` or `ash`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pocket_dock_blocking::{Container, ContainerSpec, Engine, Options, Session, Turn};
use pocket_dock_tests::suite::{Adapter as _, Blocking};
use pocket_dock_tests::walk::{Shell, walk};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shells: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let (what, rest) = words.split_first().ok_or("what is to be done?")?;
    let (socket, rest) = rest.split_first().ok_or("which engine?")?;
    let (shell, rest) = rest.split_first().ok_or("which shell?")?;
    let shell = Shell::named(shell).ok_or("the shells are bash, dash and ash")?;
    let numbers: Vec<u64> = rest
        .iter()
        .map(|word| word.parse())
        .collect::<std::result::Result<_, _>>()?;
    let engine = Engine::connect_with(Blocking.runtime(), Options::new().socket(*socket))?;
    let sandbox = engine.create(ContainerSpec::new(shell.image()))?;
    match (*what, numbers.as_slice()) {
        ("walks", &[seed, count, at_once]) => walks(&sandbox, shell, seed, count, at_once)?,
        ("turns", &[count]) => turns(&sandbox, shell, count)?,
        ("flood", &[mebibytes, line]) => flood(&sandbox, shell, mebibytes << 20, line << 20)?,
        _ => return Err("it is walks SEED COUNT AT_ONCE, turns COUNT or flood MIB LINE_MIB".into()),
    }
    sandbox.shutdown()?;
    Ok(())
}

fn walks(sandbox: &Container, shell: Shell, seed: u64, count: u64, at_once: u64) -> Result<()> {
    let (began, next) = (Instant::now(), AtomicU64::new(0));
    let differences = std::thread::scope(|scope| {
        let walkers: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    let mut differences = 0;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return differences;
                        }
                        if let Err(difference) = walk(&Blocking, sandbox, shell, seed + number) {
                            eprintln!("{difference}");
                            differences += 1;
                        }
                    }
                })
            })
            .collect();
        walkers
            .into_iter()
            .map(|walker| walker.join().unwrap_or(1))
            .sum::<u64>()
    });
    println!(
        "{count} walks from seed {seed}, {at_once} at a time: {differences} differences, {:.0} s",
        began.elapsed().as_secs_f64()
    );
    if differences == 0 {
        Ok(())
    } else {
        Err("there are differences".into())
    }
}

/// What a process takes.
#[derive(Debug, Clone, Copy)]
struct Weight {
    kibibytes: u64,
    descriptors: u64,
}

/// Ours, and the shell's in its container.
fn weights(session: &Session) -> Result<[Weight; 2]> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let ours = Weight {
        kibibytes: field(&status, "VmRSS:")?,
        descriptors: std::fs::read_dir("/proc/self/fd")?.count() as u64,
    };
    let status = session.send_and_wait("cat /proc/$$/status")?;
    // By the shell itself: a pipe would be one more of its own, now and then.
    let descriptors = session.send_and_wait("count() { set -- /proc/$$/fd/*; printf %s $#; }; count")?;
    let shell = Weight {
        kibibytes: field(&status.stdout_text(), "VmRSS:")?,
        descriptors: descriptors.stdout_text().trim().parse()?,
    };
    Ok([ours, shell])
}

fn field(status: &str, name: &str) -> Result<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or("not told")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// By so much, memory may differ that does not grow.
const SLACK_KIBIBYTES: u64 = 1024;

fn turns(sandbox: &Container, shell: Shell, count: u64) -> Result<()> {
    let session = sandbox.session(shell.options())?;
    session.send_and_wait("n=0; failing() { printf '%s' \"$1\" >&2; return 7; }")?;
    let (began, mut early) = (Instant::now(), None);
    for number in 1..=count {
        let (text, wanted) = match number % 3 {
            0 => ("n=$((n+1)); printf %s $n", (0, number.to_string(), String::new())),
            1 => ("n=$((n+1)); failing $n", (7, String::new(), number.to_string())),
            _ => (
                "n=$((n+1)); printf '%s\\n' $n; (exit 3)",
                (3, format!("{number}\n"), String::new()),
            ),
        };
        let got = session.send_and_wait(text)?;
        if (got.exit_code, &*got.stdout_text(), &*got.stderr_text()) != (wanted.0, &*wanted.1, &*wanted.2) {
            return Err(format!("command {number} gave {got:?}").into());
        }
        if number == count.div_ceil(10) {
            early = Some(weights(&session)?);
        }
    }
    let took = began.elapsed();
    let [[ours, theirs], [ours_at_last, theirs_at_last]] = [early.ok_or("no commands")?, weights(&session)?];
    println!(
        "{count} commands, {:.0} in a second; from a tenth to the end: ours {} to {} KiB and {} to {} descriptors, \
         the shell's {} to {} KiB and {} to {} descriptors",
        count as f64 / took.as_secs_f64(),
        ours.kibibytes,
        ours_at_last.kibibytes,
        ours.descriptors,
        ours_at_last.descriptors,
        theirs.kibibytes,
        theirs_at_last.kibibytes,
        theirs.descriptors,
        theirs_at_last.descriptors
    );
    for (before, after) in [(ours, ours_at_last), (theirs, theirs_at_last)] {
        if after.descriptors != before.descriptors || after.kibibytes > before.kibibytes + SLACK_KIBIBYTES {
            return Err("it grows".into());
        }
    }
    Ok(session.close()?)
}

/// The most that we took so far.
fn peak() -> Result<u64> {
    field(&std::fs::read_to_string("/proc/self/status")?, "VmHWM:")
}

/// What is kept of each command, and in the ring: the ring's own default.
const KEPT: u64 = 1 << 20;
/// What all of it may take over that.
const MOST_KIBIBYTES: u64 = 16 * 1024;

fn flood(sandbox: &Container, shell: Shell, bytes: u64, line: u64) -> Result<()> {
    let session = sandbox.session(shell.options().output_limit(KEPT))?;
    session.send_and_wait("true")?;
    let (before, began) = (peak()?, Instant::now());

    let ask = |text: String| session.send_and_wait(Turn::new(text));
    let result = ask(format!("head -c {bytes} /dev/zero; (exit 9)"))?;
    let kept = (result.stdout.head.len() + result.stdout.tail.len()) as u64;
    same(
        "a flood",
        (result.exit_code, kept, result.stdout.omitted_bytes),
        (9, KEPT, bytes - KEPT),
    )?;
    let flooded = began.elapsed();

    let long = format!("head -c {line} /dev/zero | tr '\\0' x");
    let result = ask(format!("{long}; (exit 8)"))?;
    let kept = (result.stdout.head.len() + result.stdout.tail.len()) as u64;
    same(
        "a line",
        (result.exit_code, kept, result.stdout.omitted_bytes),
        (8, KEPT, line - KEPT),
    )?;

    let mut stream = session.stream(Turn::new(format!("{long}; printf '\\nnext'; (exit 7)")).output_limit(u64::MAX))?;
    let (mut count, mut last) = (0, String::new());
    while let Some(piece) = stream.next_line()? {
        count += piece.line.data.len() as u64;
        last = piece.line.text().into_owned();
    }
    same(
        "a line in pieces",
        (count, &*last, stream.result()?.exit_code),
        (line + 4, "next", 7),
    )?;
    drop(stream);

    session.send(format!("head -c {bytes} /dev/zero | tr '\\0' x"))?;
    same("a command behind it", ask("(exit 6)".to_owned())?.exit_code, 6)?;
    let (lost, read) = (session.lost_bytes(), session.read());
    same(
        "into the ring",
        (lost + read.stdout().len() as u64, read.stdout().len() as u64),
        (bytes, KEPT),
    )?;

    let most = peak()? - before;
    println!(
        "{} MiB in {:.1} s, a line of {} MiB: {most} KiB at most over {before} KiB",
        bytes >> 20,
        flooded.as_secs_f64(),
        line >> 20
    );
    same(
        "over what may be taken",
        most.saturating_sub(KEPT / 1024) < MOST_KIBIBYTES,
        true,
    )?;
    Ok(session.close()?)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<()> {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, wanted {wanted:?}").into())
    }
}
