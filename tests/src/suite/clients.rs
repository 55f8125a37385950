//! Clients that die, and clients that are weighed: processes of their own.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pocket_dock_core::{Host, ListFilter, Signal};

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::walk::Shell;

/// How many clients are killed.
const KILLS: usize = 100;
/// How many of them live at a time.
const AT_ONCE: usize = 5;

fn probe() -> Result<PathBuf, Failure> {
    program("probe")
}

/// A program of this package, which stands beside the directory of the tests.
fn program(name: &str) -> Result<PathBuf, Failure> {
    let test = std::env::current_exe()?;
    let path = test.ancestors().nth(2).ok_or("the test is nowhere")?.join(name);
    check(path.is_file(), || {
        format!("{} is missing: run `cargo lab test`", path.display())
    })?;
    Ok(path)
}

/// `kill -9` at any moment leaves nothing that runs after 3 s, and what was made and never started goes with the next
/// client.
pub(super) fn killed_at_a_hundred_moments<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (probe, label) = (probe()?, bench.random());
    let mut clients = Vec::new();
    for _ in 0..KILLS / AT_ONCE {
        for _ in 0..AT_ONCE {
            let client = Command::new(&probe)
                .args(["churn".as_ref(), bench.peer.socket().as_os_str(), label.as_ref()])
                .stdin(Stdio::null())
                .spawn()?;
            let random = pocket_dock_blocking::StdHost.entropy();
            let wait = Duration::from_millis(u64::from(u16::from_le_bytes([random[0], random[1]])) % 1200);
            clients.push((client, Instant::now() + wait));
        }
        clients.sort_by_key(|(_, when)| *when);
        for (mut client, when) in clients.drain(..) {
            std::thread::sleep(when.saturating_duration_since(Instant::now()));
            let ended = client.try_wait()?;
            client.kill()?;
            client.wait()?;
            check(ended.is_none(), || format!("a client ended by itself: {ended:?}"))?;
        }
    }
    let (peer, label) = (&bench.peer, format!("probe={label}"));
    let until = Instant::now() + Duration::from_secs(3);
    while !peer.containers(false, Some(&label))?.is_empty() {
        check(Instant::now() < until, || {
            "something runs 3 s after its client was killed".to_owned()
        })?;
        std::thread::sleep(Duration::from_millis(50));
    }
    // What was made and never started is the next client's to sweep: all of it that is there when that client comes. An
    // engine may still be making what it was asked for just before a kill, so it may take one client more.
    let there = || -> Result<BTreeSet<String>, Failure> {
        let listed = peer.containers(true, Some(&label))?;
        Ok(listed.iter().map(|one| one["Id"].to_string()).collect())
    };
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let before = there()?;
        let next = bench.another()?;
        next.wait(next.sandbox()?.shutdown())?;
        let after = there()?;
        let left: Vec<_> = before.intersection(&after).collect();
        same("left by the next client", left, Vec::new())?;
        if after.is_empty() {
            return Ok(());
        }
        check(Instant::now() < until, || format!("they become no fewer: {after:?}"))?;
    }
}

/// A container that was restarted, or stopped and started, is on its leash like any other.
pub(super) fn killed_after_a_restart<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let label = bench.random();
    let mut client = Command::new(probe()?)
        .args(["restart".as_ref(), bench.peer.socket().as_os_str(), label.as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let read = client
        .stdout
        .take()
        .ok_or("no output")
        .map(|out| BufReader::new(out).read_line(&mut said));
    let label = format!("probe={label}");
    let before = bench.peer.containers(false, Some(&label));
    client.kill()?;
    client.wait()?;
    read??;
    same("ready", said.trim(), "ready")?;
    same("running", before?.len(), 2)?;
    let until = Instant::now() + Duration::from_secs(3);
    while !bench.peer.containers(false, Some(&label))?.is_empty() {
        check(Instant::now() < until, || {
            "it runs 3 s after its client was killed".to_owned()
        })?;
        std::thread::sleep(Duration::from_millis(50));
    }
    let next = bench.another()?;
    next.wait(next.sandbox()?.shutdown())?;
    same("left", bench.peer.containers(true, Some(&label))?.len(), 0)
}

/// A persistent container outlives its client by all means, for as long as its lifetime says; a pool does not.
pub(super) fn killed_and_what_is_to_stay_stays<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let label = bench.random();
    let mut client = Command::new(probe()?)
        .args(["stay".as_ref(), bench.peer.socket().as_os_str(), label.as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let read = client
        .stdout
        .take()
        .ok_or("no output")
        .map(|out| BufReader::new(out).read_line(&mut said));
    client.kill()?;
    client.wait()?;
    read??;
    let left = said.trim().strip_prefix("ready ").ok_or_else(|| format!("{said:?}"))?;
    let label = format!("probe={label}");
    let names = |all: bool| -> Result<BTreeSet<String>, Failure> {
        let listed = bench.peer.containers(all, Some(&label))?;
        let kinds = listed.iter().filter_map(|one| one["Labels"]["kind"].as_str());
        Ok(kinds.map(str::to_owned).collect())
    };
    // The short one was made a moment ago, and has 8 s.
    let both = BTreeSet::from(["short".to_owned(), "stays".to_owned()]);
    check(names(false)?.is_superset(&both), || {
        "the client's death ended them".to_owned()
    })?;
    bench.until("the pool's are gone", || Ok(!names(false)?.contains("pool")))?;
    let next = bench.another()?;
    next.wait(next.sandbox()?.shutdown())?;
    check(names(false)?.contains("stays"), || "it was swept".to_owned())?;
    bench.until("its lifetime is over", || Ok(!names(true)?.contains("short")))?;
    let found = next.wait(
        next.engine
            .list(ListFilter::new().has_label("probe").persistent().running()),
    )?;
    let value = label.trim_start_matches("probe=");
    let mine = found
        .iter()
        .find(|one| one.labels.get("probe").is_some_and(|is| is == value));
    let stays = mine.ok_or("it is not found again")?;
    let attached = next.wait(next.engine.attach(&stays.name))?;
    same("runs", next.wait(attached.run("true"))?.exit_code, 0)?;
    // What the dead client left running in it is listed by its id, and ended by it.
    next.until_listed(&attached, &[left])?;
    let running = next.wait(attached.processes())?;
    check(
        running[0].processes.iter().any(|one| one.command == "sleep 4242"),
        || format!("{running:?}"),
    )?;
    let report = next.wait(attached.kill_process(left, Signal::Kill))?;
    check(report.survivors.is_empty() && report.signalled.len() >= 2, || {
        format!("{report:?}")
    })?;
    next.until_listed(&attached, &[])?;
    next.wait(attached.shutdown())?;
    same("left", names(true)?, BTreeSet::new())
}

pub(super) fn a_gibibyte_in_less_than_32_mebibytes<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let numbers = weighed(Command::new(probe()?).args(["flood".as_ref(), bench.peer.socket().as_os_str()]))?;
    let [peak] = numbers[..] else {
        return Err(format!("it said {numbers:?}").into());
    };
    check(peak < 32 * 1024, || format!("peak memory was {peak} KiB"))
}

/// What a transfer may add to a program's memory.
const TRANSFER_KIB: u64 = 24 * 1024;

/// A file much larger than what memory it may take goes in and comes out again, the same.
pub(super) fn transfers_of_two_gibibytes_in_little_memory<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let whole = std::env::var_os(super::FULL).is_some();
    let bytes: u64 = if whole { 2 << 30 } else { 256 << 20 };
    let numbers = weighed(
        Command::new(probe()?)
            .args(["transfer".as_ref(), bench.peer.socket().as_os_str()])
            .args([bench.adapter.name(), &bytes.to_string()]),
    )?;
    let [before, pushed, pulled] = numbers[..] else {
        return Err(format!("it said {numbers:?}").into());
    };
    check(pulled.saturating_sub(before) <= TRANSFER_KIB, || {
        format!("of {before} KiB, memory grew to {pushed} KiB in a push and {pulled} KiB in a pull behind it")
    })
}

/// The numbers that a client says at its end.
fn weighed(client: &mut Command) -> Result<Vec<u64>, Failure> {
    let output = client.stdin(Stdio::null()).output()?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let numbers: Result<_, _> = said.split_whitespace().map(str::parse).collect();
    Ok(numbers.map_err(|_| said.clone())?)
}

/// While it sleeps, the command is held up; reading on, it gets all that there is.
pub(super) fn a_sleeping_reader_keeps_memory_flat<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let socket = bench.peer.socket().as_os_str();
    let numbers = weighed(Command::new(probe()?).args(["sleeper".as_ref(), socket, bench.adapter.name().as_ref()]))?;
    let [asleep, in_all, peak] = numbers[..] else {
        return Err(format!("it said {numbers:?}").into());
    };
    check(asleep < 8 * 1024 && in_all < 8 * 1024, || {
        format!("memory grew by {asleep} KiB while it slept and {in_all} KiB in all, to {peak} KiB")
    })
}

/// Nothing grows, and no result is another's. Each shell has a client of its own, all at once.
pub(super) fn many_commands_in_one_session<A: Adapter>(bench: &Bench<A>) -> Verdict {
    on_each_shell(bench, "turns", &["500"])
}

/// Memory is bounded, whatever a command prints.
pub(super) fn a_flood_and_a_long_line_in_one_command<A: Adapter>(bench: &Bench<A>) -> Verdict {
    on_each_shell(bench, "flood", &["64", "20"])
}

fn on_each_shell<A: Adapter>(bench: &Bench<A>, what: &str, numbers: &[&str]) -> Verdict {
    let shells = program("shells")?;
    let start = |shell: Shell| {
        Command::new(&shells)
            .arg(what)
            .arg(bench.peer.socket())
            .arg(shell.name())
            .args(numbers)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut clients = Vec::new();
    for shell in Shell::ALL {
        clients.push((shell, start(shell)?));
    }
    let mut verdict = Ok(());
    for (shell, client) in clients {
        let output = client.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        verdict = verdict.and(check(output.status.success(), || {
            format!("{}: {}", shell.name(), String::from_utf8_lossy(&said))
        }));
    }
    verdict
}
