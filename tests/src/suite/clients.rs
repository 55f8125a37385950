//! Clients that die, and clients that are weighed: processes of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pocket_dock_core::Host;

use super::{Bench, Failure, Verdict, check, random, same};

/// How many clients are killed.
const KILLS: usize = 100;
/// How many of them live at a time.
const AT_ONCE: usize = 5;

/// The program `probe`, which stands beside the directory of the tests.
fn probe() -> Result<PathBuf, Failure> {
    let test = std::env::current_exe()?;
    let path = test.ancestors().nth(2).ok_or("the test is nowhere")?.join("probe");
    check(path.is_file(), || {
        format!("{} is missing: run `cargo lab test`", path.display())
    })?;
    Ok(path)
}

/// `kill -9` at any moment leaves nothing that runs after 3 s, and what was made and never started goes with the next
/// client.
pub(super) fn killed_at_a_hundred_moments(bench: &Bench) -> Verdict {
    let (probe, label) = (probe()?, random());
    let mut clients = Vec::new();
    for _ in 0..KILLS / AT_ONCE {
        for _ in 0..AT_ONCE {
            let client = Command::new(&probe)
                .args(["churn".as_ref(), bench.lab.engine.socket().as_os_str(), label.as_ref()])
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
    let (peer, label) = (bench.lab.peer(), format!("probe={label}"));
    let until = Instant::now() + Duration::from_secs(3);
    while !peer.containers(false, Some(&label))?.is_empty() {
        check(Instant::now() < until, || {
            "something runs 3 s after its client was killed".to_owned()
        })?;
        std::thread::sleep(Duration::from_millis(50));
    }
    // An engine may still be making what a client asked for just before it was killed: that is the next one's to sweep.
    let until = Instant::now() + Duration::from_secs(20);
    let left: Vec<_> = loop {
        Bench::new(bench.lab.clone())?.sandbox()?.shutdown()?;
        let left: Vec<_> = peer
            .containers(true, Some(&label))?
            .iter()
            .map(|one| one["State"].to_string())
            .collect();
        if left.is_empty() || Instant::now() > until {
            break left;
        }
    };
    same("left after the next clients", left, Vec::new())
}

pub(super) fn a_gibibyte_in_less_than_32_mebibytes(bench: &Bench) -> Verdict {
    let output = Command::new(probe()?)
        .args(["flood".as_ref(), bench.lab.engine.socket().as_os_str()])
        .stdin(Stdio::null())
        .output()?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let peak: u64 = said.trim().parse().map_err(|_| said.clone())?;
    check(peak < 32 * 1024, || format!("peak memory was {peak} KiB"))
}
