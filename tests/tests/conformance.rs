//! The conformance suite, on every engine of the lab that is up and every runtime. `cargo lab test` brings them up first.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use pocket_dock_tests::lab;
use pocket_dock_tests::suite::{
    Adapter, AsyncStd, Bench, Blocking, FULL, Smol, Tokio, TokioThreads, Tried, Verdict, cases, is_covered,
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut pairs = Vec::new();
    if let Err(error) = add_all(&mut pairs) {
        eprintln!("an engine cannot be tried: {error}");
        return ExitCode::FAILURE;
    }
    let trials = woven(pairs);
    if trials.is_empty() {
        eprintln!("no engine of the lab is up: run `cargo lab test`, or `cargo lab up` first");
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    tell_slowest();
    conclusion.exit_code()
}

/// What took how long.
static TIMES: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// Names what it is worth to make faster.
fn tell_slowest() {
    let mut times = std::mem::take(&mut *TIMES.lock().unwrap_or_else(PoisonError::into_inner));
    times.sort_unstable_by(|one, other| other.cmp(one));
    for (time, name) in times.iter().take(SLOWEST) {
        println!("{:>6.1} s  {name}", time.as_secs_f32());
    }
}

fn add_all(pairs: &mut Vec<Vec<Trial>>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("tokio: {error}");
    add(pairs, Blocking)?;
    add(pairs, Tokio::new().map_err(failed)?)?;
    add(pairs, TokioThreads::new().map_err(failed)?)?;
    add(pairs, Smol)?;
    add(pairs, AsyncStd)
}

/// Adds the suite on one runtime, on every engine on which it is to be tried.
fn add<A: Adapter>(pairs: &mut Vec<Vec<Trial>>, adapter: A) -> Result<(), String> {
    let (full, runtime) = (std::env::var_os(FULL).is_some(), adapter.name());
    for running in lab::running() {
        let engine = running.engine.name;
        let bench = Bench::new(adapter.clone(), running.peer()).map_err(|error| format!("{engine}: {error}"))?;
        let bench = Arc::new(bench);
        let mut trials = Vec::new();
        for (number, case) in cases::<A>().into_iter().enumerate() {
            let wanted = match case.tried {
                Tried::Once => runtime == Blocking.name(),
                _ => full || is_covered(number, runtime, engine),
            };
            if !wanted {
                continue;
            }
            let bench = Arc::clone(&bench);
            let name = format!("{runtime}::{engine}::{}", case.name);
            let timed = name.clone();
            let run = move || {
                let begun = Instant::now();
                let verdict = in_time(move || (case.run)(&bench));
                let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
                times.push((begun.elapsed(), timed));
                verdict
            };
            trials.push(Trial::test(name, run));
        }
        pairs.push(trials);
    }
    Ok(())
}

/// How many of the slowest are told.
const SLOWEST: usize = 20;

/// How long a case may take: many times as long as any does on a machine with much to do.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a case on a thread of its own, so that one that hangs is told, and the others go on.
fn in_time(case: impl FnOnce() -> Verdict + Send + 'static) -> Result<(), Failed> {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().spawn(move || tell.send(case().map_err(|failure| failure.to_string())));
    if let Err(error) = thread {
        return Err(Failed::from(format!("no thread can be started: {error}")));
    }
    match told.recv_timeout(LIMIT) {
        Ok(verdict) => verdict.map_err(Failed::from),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Failed::from(format!("it has not ended after {LIMIT:?}"))),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Failed::from("it panicked: see above")),
    }
}

/// All of them in an order in which those that run at a time are different cases on different engines: what one case
/// takes much of is not wanted by all at once.
fn woven(mut pairs: Vec<Vec<Trial>>) -> Vec<Trial> {
    let count = pairs.len().max(1);
    for (number, trials) in pairs.iter_mut().enumerate() {
        let shift = trials.len() * number / count;
        trials.rotate_left(shift);
    }
    let mut rest: Vec<_> = pairs.into_iter().map(Vec::into_iter).collect();
    let mut trials = Vec::new();
    loop {
        let before = trials.len();
        trials.extend(rest.iter_mut().filter_map(Iterator::next));
        if trials.len() == before {
            return trials;
        }
    }
}
