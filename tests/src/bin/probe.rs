//! A client of its own, for cases that kill it or weigh it: `probe churn SOCKET LABEL` makes, uses and ends containers
//! until it is killed; `probe restart SOCKET LABEL` restarts one container, stops and starts another, says `ready` and
//! waits to be killed; `probe flood SOCKET` reads 1 GiB of output and prints its peak memory in KiB.

use std::process::ExitCode;

use pocket_dock_blocking::{Blocking, Command, ContainerSpec, Engine, Options};
use pocket_dock_tests::lab::images;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["churn", socket, label] => churn(socket, label),
        ["restart", socket, label] => restart(socket, label),
        ["flood", socket] => flood(socket),
        _ => Err("usage: probe churn SOCKET LABEL | probe restart SOCKET LABEL | probe flood SOCKET".into()),
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
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    println!("{}", peak.trim().trim_end_matches(" kB"));
    Ok(())
}
