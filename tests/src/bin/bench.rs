//! What `cargo lab bench` runs, built for release.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use pocket_dock_tests::bench::{self, Scale, Site, Wish};
use pocket_dock_tests::lab::RunningEngine;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, bench::Failure>;

const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every row could be measured.
fn run() -> Result<bool> {
    let wish = Wish::parse(env::args().skip(1))?;
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let scale = if wish.scale == Scale::Quick { "quick" } else { "full" };
    let pace = if PROFILE == "dev" { ", which is slow" } else { "" };
    say(&format!(
        "profile {PROFILE}{pace}; {scale}; runtime blocking; {cpus} processor(s)"
    ))?;
    let (mut whole, mut engines) = (true, Vec::new());
    for lab in bench::bring_up(&wish.engines)? {
        let (rows, all) = measure(lab.clone(), &wish)?;
        whole &= all;
        engines.push(json!({ "engine": lab.engine.name, "version": lab.version, "rows": rows }));
    }
    say(&format!("\n{}", bench::legend(&wish.rows).trim_end()))?;
    if let Some(path) = &wish.json {
        let all = json!({
            "profile": PROFILE, "scale": scale, "runtime": "blocking", "processors": cpus, "engines": engines,
        });
        std::fs::write(path, format!("{all:#}\n"))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(whole)
}

/// The rows of one engine, and whether all could be measured.
fn measure(lab: RunningEngine, wish: &Wish) -> Result<(Vec<Value>, bool)> {
    say(&format!("\n{}, {}", lab.engine.name, lab.version))?;
    say(&bench::head())?;
    let site = Site::new(lab, wish.scale)?;
    let (mut rows, mut all) = (Vec::new(), true);
    for row in &wish.rows {
        match bench::measure(row, &site) {
            Ok(measured) => {
                say(&bench::line(row, &measured))?;
                rows.push(bench::json(row, &measured));
            }
            Err(why) => {
                all = false;
                say(&format!("{:<15} FAILED: {why}", row.name))?;
                rows.push(json!({ "row": row.name, "failed": why.to_string() }));
            }
        }
    }
    Ok((rows, all))
}

fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(cause.into()),
        _ => Ok(()),
    }
}
