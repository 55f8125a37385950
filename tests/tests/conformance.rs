//! The conformance suite, on every engine of the lab that is up. `cargo lab test` brings them up first.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use pocket_dock_tests::lab;
use pocket_dock_tests::suite::{Bench, CASES};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for running in lab::running() {
        let name = running.engine.name;
        let bench = match Bench::new(running) {
            Ok(bench) => Arc::new(bench),
            Err(error) => {
                eprintln!("{name} cannot be tried: {error}");
                return ExitCode::FAILURE;
            }
        };
        for case in CASES {
            let bench = Arc::clone(&bench);
            let run = move || (case.run)(&bench).map_err(|failure| Failed::from(failure.to_string()));
            trials.push(Trial::test(format!("blocking::{name}::{}", case.name), run));
        }
    }
    if trials.is_empty() {
        eprintln!("no engine of the lab is up: run `cargo lab test`, or `cargo lab up` first");
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
