//! A client of its own, for cases that kill it or weigh it: `probe churn SOCKET LABEL` makes, uses and ends containers
//! until it is killed; `probe restart SOCKET LABEL` restarts one container, stops and starts another, says `ready` and
//! waits to be killed; `probe flood SOCKET` reads 1 GiB of output and prints its peak memory in KiB; `probe sleeper SOCKET
//! RUNTIME` has a command print 1 GiB, does not look at it for a while, reads 256 MiB of it or more, and prints by how many
//! KiB its peak memory has grown until then, and in all, and that peak.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use pocket_dock_blocking::{Blocking, Command, ContainerSpec, Engine, Options};
use pocket_dock_tests::lab::images;
use pocket_dock_tests::suite::{self, Adapter};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["churn", socket, label] => churn(socket, label),
        ["restart", socket, label] => restart(socket, label),
        ["flood", socket] => flood(socket),
        ["sleeper", socket, runtime] => match *runtime {
            "blocking" => sleeper(&suite::Blocking, socket),
            "tokio" => suite::Tokio::new()
                .map_err(Into::into)
                .and_then(|tokio| sleeper(&tokio, socket)),
            "tokio-mt" => suite::TokioThreads::new()
                .map_err(Into::into)
                .and_then(|tokio| sleeper(&tokio, socket)),
            "smol" => sleeper(&suite::Smol, socket),
            "async-std" => sleeper(&suite::AsyncStd, socket),
            other => Err(format!("there is no runtime {other:?}").into()),
        },
        _ => Err(
            "usage: probe churn SOCKET LABEL | probe restart SOCKET LABEL | probe flood SOCKET | probe sleeper SOCKET \
             RUNTIME"
                .into(),
        ),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn connect(socket: &str) -> Result<Engine> {
    Ok(Engine::connect_with(Blocking, Options::new().socket(socket))?)
}

fn churn(socket: &str, label: &str) -> Result<()> {
    let engine = connect(socket)?;
    loop {
        let sandbox = engine.create(ContainerSpec::new(images::BUSYBOX).label("probe", label))?;
        sandbox.run("echo hello; sleep 0.1")?;
        sandbox.shutdown()?;
    }
}

fn restart(socket: &str, label: &str) -> Result<()> {
    let engine = connect(socket)?;
    let spec = ContainerSpec::new(images::BUSYBOX).label("probe", label);
    let old = ["4.", "20."].iter().any(|major| engine.version().starts_with(major));
    let restarted = engine.create(spec.clone().auto_remove(!old))?;
    restarted.restart()?;
    let started = engine.create(spec.auto_remove(false))?;
    started.stop()?;
    started.start()?;
    println!("ready");
    loop {
        std::thread::park();
    }
}

fn flood(socket: &str) -> Result<()> {
    let engine = connect(socket)?;
    let sandbox = engine.create(ContainerSpec::new(images::BUSYBOX))?;
    let result = sandbox.run(Command::from("head -c 1073741824 /dev/zero; exit 9").output_limit(1 << 20))?;
    let kept = (result.stdout.head.len() + result.stdout.tail.len()) as u64;
    if result.exit_code != 9 || kept + result.omitted_bytes() != 1 << 30 {
        return Err(format!("exit code {}, {kept} bytes kept", result.exit_code).into());
    }
    sandbox.shutdown()?;
    println!("{}", peak()?);
    Ok(())
}

/// The most memory that this process ever had, in KiB.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse()?)
}

/// What is read of a stream in any case. The rest is read where the engine is quick, so that this does not take long.
const READ: u64 = 256 << 20;
/// How much waits for the sleeper.
const WAITS: u64 = 1 << 30;

fn sleeper<A: Adapter>(adapter: &A, socket: &str) -> Result<()> {
    let connect = pocket_dock_core::Engine::connect_with(adapter.runtime(), Options::new().socket(socket));
    let engine = adapter.wait(connect)?;
    let sandbox = adapter.wait(engine.create(ContainerSpec::new(images::BUSYBOX)))?;
    // What every command takes, such as threads and their buffers.
    adapter.wait(sandbox.run("head -c 1000000 /dev/zero"))?;
    let before = peak()?;
    let rest = WAITS - READ;
    let line = format!("head -c {READ} /dev/zero; echo half; head -c {rest} /dev/zero; exit 9");
    let mut stream = adapter.wait(sandbox.stream(line))?;
    std::thread::sleep(Duration::from_secs(2));
    let (asleep, began) = (peak()?, Instant::now());
    let half = b"half\n";
    let (mut zeros, mut seen) = (0, Vec::new());
    // The word stands behind so many zeros, and is cut where the engine likes.
    while zeros < READ || seen.len() < half.len() {
        let data = adapter.wait(stream.next())?.ok_or("it ended early")?.data;
        for byte in data {
            match byte {
                0 => zeros += 1,
                _ if zeros == READ => seen.push(byte),
                other => return Err(format!("{other} behind {zeros} zeros").into()),
            }
        }
    }
    if seen != half {
        return Err(format!("{seen:?} in the middle").into());
    }
    if began.elapsed() < Duration::from_secs(1) {
        while let Some(piece) = adapter.wait(stream.next())? {
            zeros += piece.data.len() as u64;
        }
        let ended = adapter.wait(stream.result())?;
        if (zeros, ended.stdout_bytes, ended.exit_code) != (WAITS, WAITS + half.len() as u64, 9) {
            return Err(format!("{zeros} zeros, {ended:?}").into());
        }
    }
    let after = peak()?;
    drop(stream);
    adapter.wait(sandbox.shutdown())?;
    println!("{} {} {after}", asleep - before, after - before);
    Ok(())
}
