//! `cargo lab record`: every case on every engine.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{Recorded, file, folder, record, replay};
use crate::lab::{Error, Result, RunningEngine};
use crate::scripted::Split;
use crate::suite::{Case, Failure, Tried, cases};

/// Records these cases (all, if none is named) on these engines, one case at a time on each. `say` is told of every
/// case. A recording that cannot be replayed in every split is not kept.
///
/// # Errors
/// If a case failed: its recording stays as it was.
pub fn record_all(engines: &[RunningEngine], names: &[String], say: &(dyn Fn(&str) + Sync)) -> Result<()> {
    let all: Vec<Case<Recorded>> = cases()
        .into_iter()
        .filter(|case| case.tried == Tried::Everywhere)
        .collect();
    if let Some(name) = names.iter().find(|name| all.iter().all(|case| case.name != **name)) {
        let known: Vec<&str> = all.iter().map(|case| case.name).collect();
        return Err(Error::new(
            format!("the suite has no case {name:?} that can be recorded"),
            format!("take one of: {}", known.join(", ")),
        ));
    }
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for engine in engines {
            let (all, failed) = (&all, &failed);
            scope.spawn(move || {
                let name = engine.engine.name;
                if names.is_empty() {
                    forget_others(name, all);
                }
                let wanted = |case: &&Case<Recorded>| names.is_empty() || names.iter().any(|name| name == case.name);
                for case in all.iter().filter(wanted) {
                    let begun = Instant::now();
                    let outcome = keep(engine, case).unwrap_or_else(|failure| {
                        failed.fetch_add(1, Ordering::Relaxed);
                        format!("FAILED: {failure}")
                    });
                    let took = begun.elapsed().as_secs_f32();
                    say(&format!("{name:<11} {:<40} {took:>6.1} s  {outcome}", case.name));
                }
            });
        }
    });
    match failed.into_inner() {
        0 => Ok(()),
        failed => Err(Error::new(
            format!("{failed} case(s) could not be recorded"),
            "the failures are above; the engines are best recorded while nothing else uses them",
        )),
    }
}

fn keep(engine: &RunningEngine, case: &Case<Recorded>) -> std::result::Result<String, Failure> {
    let recording = record(engine, case)?;
    let text = recording.to_text();
    let path = file(engine.engine.name, case.name);
    fs::create_dir_all(path.parent().unwrap_or(&path))?;
    if let Err(failure) = Split::EACH
        .into_iter()
        .try_for_each(|split| replay(&recording, case, split))
    {
        let rejected = std::env::temp_dir().join(format!("{}-{}.txt", engine.engine.name, case.name));
        fs::write(&rejected, text)?;
        return Err(format!(
            "it was recorded and cannot be replayed: {failure}\n  see {}",
            rejected.display()
        )
        .into());
    }
    fs::write(&path, &text)?;
    Ok(format!(
        "{} exchanges, {} KiB",
        recording.exchanges.len(),
        text.len() >> 10
    ))
}

/// Removes the recordings of cases that are no more.
fn forget_others(engine: &str, cases: &[Case<Recorded>]) {
    let Ok(entries) = fs::read_dir(folder().join(engine)) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let known = path
            .file_stem()
            .is_some_and(|stem| cases.iter().any(|case| stem == case.name));
        if !known {
            let _ = fs::remove_file(&path);
        }
    }
}
