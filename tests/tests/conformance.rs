//! The conformance suite, on every engine of the lab that is up and every runtime. `cargo lab test` brings them up first.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use pocket_dock_tests::lab;
use pocket_dock_tests::suite::{
    Adapter, AsyncStd, Bench, Blocking, FULL, Smol, Tokio, TokioThreads, Tried, cases, is_covered,
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    if let Err(error) = add_all(&mut trials) {
        eprintln!("an engine cannot be tried: {error}");
        return ExitCode::FAILURE;
    }
    if trials.is_empty() {
        eprintln!("no engine of the lab is up: run `cargo lab test`, or `cargo lab up` first");
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn add_all(trials: &mut Vec<Trial>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("tokio: {error}");
    add(trials, Blocking)?;
    add(trials, Tokio::new().map_err(failed)?)?;
    add(trials, TokioThreads::new().map_err(failed)?)?;
    add(trials, Smol)?;
    add(trials, AsyncStd)
}

/// Adds the suite on one runtime, on every engine on which it is to be tried.
fn add<A: Adapter>(trials: &mut Vec<Trial>, adapter: A) -> Result<(), String> {
    let (full, runtime) = (std::env::var_os(FULL).is_some(), adapter.name());
    for running in lab::running() {
        let engine = running.engine.name;
        if !full && !is_covered(runtime, engine) {
            continue;
        }
        let bench = Bench::new(adapter.clone(), running.peer()).map_err(|error| format!("{engine}: {error}"))?;
        let bench = Arc::new(bench);
        for case in cases::<A>() {
            if case.tried == Tried::Once && runtime != Blocking.name() {
                continue;
            }
            let bench = Arc::clone(&bench);
            let run = move || (case.run)(&bench).map_err(|failure| Failed::from(failure.to_string()));
            trials.push(Trial::test(format!("{runtime}::{engine}::{}", case.name), run));
        }
    }
    Ok(())
}
