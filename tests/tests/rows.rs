//! Every row of `cargo lab bench`, once, on the first Docker and the first Podman of the lab that are up, or on none if it
//! needs none: that it works and leaves nothing, not how long it takes.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use pocket_dock_tests::bench::{self, Failure, Make, Measured, Pair, ROWS, Row, Scale, Site};
use pocket_dock_tests::lab::{self, Kind};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let running = lab::running();
    let first = |kind| running.iter().find(|one| one.engine.kind == kind).cloned();
    for lab in [Kind::Docker, Kind::Podman].into_iter().filter_map(first) {
        let name = lab.engine.name;
        for row in ROWS.iter().filter(|row| row.make.is_on_engine()).chain([&FAILS]) {
            // Each has a mark of its own: what another one has at this moment is not left over.
            let site = match Site::new(lab.clone(), Scale::Smoke) {
                Ok(site) => Arc::new(site),
                Err(error) => {
                    eprintln!("{name} cannot be measured: {error}");
                    return ExitCode::FAILURE;
                }
            };
            let run = move || once(row, &site).map_err(|failure| Failed::from(failure.to_string()));
            trials.push(Trial::test(format!("bench::{name}::{}", row.name), run));
        }
    }
    if running.is_empty() {
        eprintln!("no engine of the lab is up: run `cargo lab test`, or `cargo lab up` first");
    }
    for row in ROWS.iter().filter(|row| !row.make.is_on_engine()) {
        let run = move || counted(row, &bench::measure_here(row, Scale::Smoke)?);
        trials.push(Trial::test(format!("bench::{}", row.name), move || {
            run().map_err(|failure| Failed::from(failure.to_string()))
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn once(row: &Row, site: &Site) -> Result<(), Failure> {
    let measured = bench::measure(row, site);
    let left = site.left()?;
    if !left.is_empty() {
        return Err(format!("left on the engine: {left:?}").into());
    }
    if row.name == FAILS.name {
        let told = measured.is_err_and(|error| error.to_string() == WHY);
        return if told {
            Ok(())
        } else {
            Err("its failure was not told".into())
        };
    }
    let measured = measured?;
    if measured.left_out.is_some() && has_client(site) {
        return Err(format!("left out although there is a client: {:?}", measured.left_out).into());
    }
    counted(row, &measured)
}

/// Whether there is a program `docker` that lists this engine's containers: what rows measure beside ours is then there.
fn has_client(site: &Site) -> bool {
    let socket = format!("unix://{}", site.lab().socket.display());
    let listed = Command::new("docker")
        .args(["--host", &socket, "ps", "--quiet"])
        .env_remove("DOCKER_CONTEXT")
        .stdin(Stdio::null())
        .output();
    listed.is_ok_and(|output| output.status.success())
}

fn counted(row: &Row, measured: &Measured) -> Result<(), Failure> {
    let counts = (measured.ours.len(), measured.floor.len());
    if counts != (1, usize::from(row.floor.is_some())) {
        return Err(format!("samples of ours and of the floor: {counts:?}").into());
    }
    if row.beside.is_some() != (measured.beside.len() == 1 || measured.left_out.is_some()) {
        return Err(format!("beside: {:?}, {:?}", measured.beside, measured.left_out).into());
    }
    Ok(())
}

const WHY: &str = "this row fails";

/// A row that forgets its container, and fails.
const FAILS: Row = Row {
    name: "a-row-that-fails",
    floor: None,
    beside: None,
    promise: None,
    make: Make::OnEngine(|site| Ok(Box::new(Fails(site)))),
    ..ROWS[0]
};

struct Fails<'a>(&'a Site);

impl Pair for Fails<'_> {
    fn ours(&mut self) -> Result<std::time::Duration, Failure> {
        std::mem::forget(self.0.sandbox()?);
        match self.0.left()?.len() {
            0 => Err("nothing was made".into()),
            _ => Err(WHY.into()),
        }
    }
}
