//! A client of its own, for cases that kill it or weigh it: `probe churn SOCKET LABEL` makes, uses and ends containers
//! until it is killed; `probe restart SOCKET LABEL` restarts one container, stops and starts another, says `ready` and
//! waits to be killed; `probe stay SOCKET LABEL` makes containers that are to stay, a process that is left running in
//! one, and a pool of those that are not, says `ready` with the process's id and waits to be killed; `probe flood SOCKET` reads 1 GiB of output and prints its peak memory in KiB; `probe sleeper SOCKET
//! RUNTIME` has a command print 1 GiB, does not look at it for a while, reads 256 MiB of it or more, and prints by how many
//! KiB its peak memory has grown until then, and in all, and that peak; `probe transfer SOCKET RUNTIME BYTES` sends a file
//! of so many bytes into a container, fetches it again, compares it, and prints the memory that it had before and the peak
//! behind each of the two, in KiB.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use pocket_dock_blocking::{Blocking, Command, ContainerSpec, Engine, Options, Pool};
use pocket_dock_tests::lab::images;
use pocket_dock_tests::suite::{self, Adapter};
use pocket_dock_tests::tree::{self, Scratch};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["churn", socket, label] => churn(socket, label),
        ["restart", socket, label] => restart(socket, label),
        ["stay", socket, label] => stay(socket, label),
        ["flood", socket] => flood(socket),
        ["sleeper", socket, runtime] => on_runtime(runtime, &Sleeper(socket)),
        ["transfer", socket, runtime, bytes] => match bytes.parse() {
            Ok(bytes) => on_runtime(runtime, &Transfer(socket, bytes)),
            Err(_) => Err(format!("{bytes:?} is no number").into()),
        },
        _ => Err(
            "usage: probe churn SOCKET LABEL | probe restart SOCKET LABEL | probe stay SOCKET LABEL | probe flood SOCKET | \
             probe sleeper SOCKET RUNTIME | probe transfer SOCKET RUNTIME BYTES"
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

/// What is done on any runtime.
trait OnRuntime {
    fn run<A: Adapter>(&self, adapter: &A) -> Result<()>;
}

fn on_runtime(name: &str, what: &impl OnRuntime) -> Result<()> {
    match name {
        "blocking" => what.run(&suite::Blocking),
        "tokio" => what.run(&suite::Tokio::new()?),
        "tokio-mt" => what.run(&suite::TokioThreads::new()?),
        "smol" => what.run(&suite::Smol),
        "async-std" => what.run(&suite::AsyncStd),
        other => Err(format!("there is no runtime {other:?}").into()),
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

fn stay(socket: &str, label: &str) -> Result<()> {
    let engine = connect(socket)?;
    let spec = |kind: &str| {
        ContainerSpec::new(images::BUSYBOX)
            .label("probe", label)
            .label("kind", kind)
    };
    let pool = Pool::new(&engine, spec("pool"), 2)?;
    while pool.ready() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let stays = engine.create(spec("stays").persistent())?;
    let lifetime = Duration::from_secs(8);
    let short = engine.create(spec("short").persistent().lifetime(lifetime).auto_remove(true))?;
    stays.persist()?;
    short.persist()?;
    let left = stays.spawn("trap '' TERM; sleep 4242; :")?.leave_running();
    println!("ready {left}");
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
    memory("VmHWM:")
}

/// What is said of this process's memory under this name, in KiB.
fn memory(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let said = status.lines().find_map(|line| line.strip_prefix(name));
    let said = said.ok_or_else(|| format!("no {name}"))?;
    Ok(said.trim().trim_end_matches(" kB").parse()?)
}

/// What is read of a stream in any case. The rest is read where the engine is quick, so that this does not take long.
const READ: u64 = 256 << 20;
/// How much waits for the sleeper.
const WAITS: u64 = 1 << 30;

static ZEROS: [u8; 4096] = [0; 4096];

struct Sleeper<'a>(&'a str);

impl OnRuntime for Sleeper<'_> {
    fn run<A: Adapter>(&self, adapter: &A) -> Result<()> {
        sleeper(adapter, self.0)
    }
}

fn sleeper<A: Adapter>(adapter: &A, socket: &str) -> Result<()> {
    let connect = pocket_dock_core::Engine::connect_with(adapter.runtime(), Options::new().socket(socket));
    let engine = adapter.wait(connect)?;
    let sandbox = adapter.wait(engine.create(ContainerSpec::new(images::BUSYBOX)))?;
    // What every command takes, such as threads and their buffers.
    adapter.wait(sandbox.run("head -c 1000000 /dev/zero"))?;
    let before = peak()?;
    let rest = WAITS - READ;
    let zeros = |bytes: u64| format!("dd if=/dev/zero bs=65536 count={} 2>/dev/null", bytes / 65536);
    let line = format!("{}; echo half; {}; exit 9", zeros(READ), zeros(rest));
    let mut stream = adapter.wait(sandbox.stream(line))?;
    std::thread::sleep(Duration::from_secs(2));
    let (asleep, began) = (peak()?, Instant::now());
    let half = b"half\n";
    let (mut zeros, mut seen, mut behind) = (0, Vec::new(), 0);
    // The word stands behind so many zeros, and is cut where the engine likes.
    while zeros < READ || seen.len() < half.len() {
        let mut data = adapter.wait(stream.next())?.ok_or("it ended early")?.data;
        let left = usize::try_from(READ - zeros)?.min(data.len());
        let before = data.split_to(left);
        if !before.chunks(ZEROS.len()).all(|piece| *piece == ZEROS[..piece.len()]) {
            return Err(format!("something else than zeros behind {zeros} of them").into());
        }
        zeros += before.len() as u64;
        let word = data.split_to((half.len() - seen.len()).min(data.len()));
        seen.extend_from_slice(&word);
        behind += data.len() as u64;
    }
    if seen != half {
        return Err(format!("{seen:?} in the middle").into());
    }
    if began.elapsed() < Duration::from_secs(1) {
        while let Some(piece) = adapter.wait(stream.next())? {
            behind += piece.data.len() as u64;
        }
        let ended = adapter.wait(stream.result())?;
        if (behind, ended.stdout_bytes, ended.exit_code) != (rest, WAITS + half.len() as u64, 9) {
            return Err(format!("{behind} bytes behind the middle, {ended:?}").into());
        }
    }
    let after = peak()?;
    drop(stream);
    adapter.wait(sandbox.shutdown())?;
    println!("{} {} {after}", asleep - before, after - before);
    Ok(())
}

struct Transfer<'a>(&'a str, u64);

impl OnRuntime for Transfer<'_> {
    fn run<A: Adapter>(&self, adapter: &A) -> Result<()> {
        transfer(adapter, self.0, self.1)
    }
}

fn transfer<A: Adapter>(adapter: &A, socket: &str, bytes: u64) -> Result<()> {
    let connect = pocket_dock_core::Engine::connect_with(adapter.runtime(), Options::new().socket(socket));
    let engine = adapter.wait(connect)?;
    let sandbox = adapter.wait(engine.create(ContainerSpec::new(images::BUSYBOX)))?;
    let scratch = Scratch::new("transfer")?;
    let (there, back) = (scratch.path("there"), scratch.path("back"));
    tree::make_noise(&there, bytes)?;
    let hash = tree::hash(&there)?;
    // What every command takes.
    adapter.wait(sandbox.run("true"))?;
    let before = memory("VmRSS:")?;
    let sent = adapter.wait(sandbox.push(&there, "/there"))?;
    let pushed = peak()?;
    // So that the disk need not hold it three times.
    std::fs::remove_file(&there)?;
    let got = adapter.wait(sandbox.pull("/there", &back))?;
    let pulled = peak()?;
    adapter.wait(sandbox.shutdown())?;
    if (sent.bytes, got.bytes) != (bytes, bytes) {
        return Err(format!("{sent:?}, {got:?}").into());
    }
    if tree::hash(&back)? != hash {
        return Err("something else came back".into());
    }
    println!("{before} {pushed} {pulled}");
    Ok(())
}
