//! What `cargo lab bench` runs, built for release.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use pocket_dock_tests::bench::{self, Measured, Row, Scale, Site, Wish};
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
    let (on_engines, here): (Vec<&Row>, Vec<&Row>) = wish.rows.iter().partition(|row| row.make.is_on_engine());
    let (rows_here, all) = measure_here(&here, wish.scale)?;
    whole &= all;
    let running = match on_engines.is_empty() {
        true => Vec::new(),
        false => bench::bring_up(&wish.engines)?,
    };
    for lab in running {
        let (rows, all) = measure(lab.clone(), &on_engines, wish.scale)?;
        whole &= all;
        engines.push(json!({ "engine": lab.engine.name, "version": lab.version, "rows": rows }));
    }
    say(&format!("\n{}", bench::legend(&wish.rows).trim_end()))?;
    if let Some(path) = &wish.json {
        let all = json!({
            "profile": PROFILE, "scale": scale, "runtime": "blocking", "processors": cpus, "here": rows_here,
            "engines": engines,
        });
        std::fs::write(path, format!("{all:#}\n"))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(whole)
}

/// The rows of one engine, and whether all could be measured.
fn measure(lab: RunningEngine, rows: &[&Row], scale: Scale) -> Result<(Vec<Value>, bool)> {
    say(&format!("\n{}, {}", lab.engine.name, lab.version))?;
    let site = Site::new(lab, scale)?;
    table(rows, |row| bench::measure(row, &site))
}

/// The rows that need no engine, and whether all could be measured.
fn measure_here(rows: &[&Row], scale: Scale) -> Result<(Vec<Value>, bool)> {
    if rows.is_empty() {
        return Ok((Vec::new(), true));
    }
    say("\nwithout an engine")?;
    table(rows, |row| bench::measure_here(row, scale))
}

fn table(rows: &[&Row], measure: impl Fn(&Row) -> Result<Measured>) -> Result<(Vec<Value>, bool)> {
    say(&bench::head())?;
    let (mut told, mut all) = (Vec::new(), true);
    for row in rows {
        match measure(row) {
            Ok(measured) => {
                say(&bench::line(row, &measured))?;
                told.push(bench::json(row, &measured));
            }
            Err(why) => {
                all = false;
                say(&format!("{:<15} FAILED: {why}", row.name))?;
                told.push(json!({ "row": row.name, "failed": why.to_string() }));
            }
        }
    }
    Ok((told, all))
}

fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(cause.into()),
        _ => Ok(()),
    }
}
