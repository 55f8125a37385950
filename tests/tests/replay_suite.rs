//! The conformance suite without an engine: every recorded case of every engine, in every split.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use pocket_dock_tests::lab::ENGINES;
use pocket_dock_tests::recorded::{self, Recorded, load, replay};
use pocket_dock_tests::scripted::Split;
use pocket_dock_tests::suite::{Case, Tried, cases};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for engine in ENGINES.map(|engine| engine.name) {
        for case in cases::<Recorded>()
            .into_iter()
            .filter(|case| case.tried == Tried::Everywhere)
        {
            let case = Arc::new(case);
            let name = format!("{}::{engine}::{}", recorded::NAME, case.name);
            trials.push(Trial::test(name, move || run(engine, &case)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(engine: &str, case: &Case<Recorded>) -> Result<(), Failed> {
    let recording = load(engine, case.name)?;
    for split in Split::EACH {
        replay(&recording, case, split).map_err(|failure| format!("{split:?}: {failure}"))?;
    }
    Ok(())
}
