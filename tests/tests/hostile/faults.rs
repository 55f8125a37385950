//! Connections that break, and engines that die or fall silent, at whatever byte.

use std::time::Duration;

use pocket_dock_core::{Command, ContainerSpec, Engine, EngineKind, Error, ExecResult};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::{Behaviour, Fault, Faulty, Sim};

use crate::common::{KINDS, is_typed, options};

/// One call after the other: a container, and a command in it.
fn converse(runtime: &Scripted) -> Result<ExecResult, Error> {
    let engine = Engine::connect_with(runtime.clone(), options())?;
    let container = engine.create(ContainerSpec::new("busybox").name("mine"))?;
    container.run(Command::shell("greet").timeout(Duration::from_secs(5)))
}

/// Lets a fault happen behind every `step`th byte of the conversation, until it comes too late.
fn behind_bytes(
    kind: EngineKind,
    fault: Fault,
    step: usize,
    check: impl Fn(&str, &Sim, &Scripted, &Result<ExecResult, Error>),
) {
    for bytes in (0..).step_by(step) {
        let sim = Sim::new(kind);
        let greeting = Behaviour {
            stdout: vec![b"hi\n".to_vec()],
            stderr: vec![b"there\n".to_vec()],
            exit_code: 3,
            ..Behaviour::default()
        };
        sim.command("greet", greeting);
        let faulty = Faulty::new(sim.clone(), fault, bytes);
        let runtime = Scripted::new(faulty.clone(), Split::Whole);
        let result = converse(&runtime);
        match &result {
            Ok(result) if result.timed_out => assert_eq!(result.exit_code, 137, "{kind}, {bytes} bytes"),
            Ok(result) => {
                let streams = (&*result.stdout_text(), &*result.stderr_text());
                assert_eq!(
                    (result.exit_code, streams),
                    (3, ("hi\n", "there\n")),
                    "{kind}, {bytes} bytes"
                );
            }
            Err(error) => assert!(is_typed(error), "{kind}, {fault:?} after {bytes} bytes: {error}"),
        }
        sim.settle();
        if !faulty.has_happened() {
            assert!(bytes > 1000, "{kind}: the conversation has {bytes} bytes only");
            return;
        }
        let at = format!("{kind}, {fault:?} after {bytes} bytes, {result:?}");
        check(&at, &sim, &runtime, &result);
    }
}

/// The connection is gone, the engine is there: whatever was made can be removed.
fn leaves_nothing(at: &str, sim: &Sim, runtime: &Scripted, _: &Result<ExecResult, Error>) {
    assert_eq!(sim.containers(), [""; 0], "{at}: left behind");
    assert!(sim.count("POST", "/create") <= 1, "{at}: created twice");
    assert!(
        runtime.elapsed() < Duration::from_secs(60),
        "{at}: {:?}",
        runtime.elapsed()
    );
}

#[test]
fn an_end_behind_any_byte_leaves_nothing_on_docker() {
    behind_bytes(EngineKind::Docker, Fault::Eof, 1, leaves_nothing);
}

#[test]
fn an_end_behind_any_byte_leaves_nothing_on_podman() {
    behind_bytes(EngineKind::Podman, Fault::Eof, 1, leaves_nothing);
}

#[test]
fn a_reset_leaves_nothing() {
    for kind in KINDS {
        behind_bytes(kind, Fault::Reset, 7, leaves_nothing);
    }
}

#[test]
fn an_engine_that_dies_is_an_error_in_time() {
    for kind in KINDS {
        behind_bytes(kind, Fault::Death, 7, |at, _, runtime, _| {
            assert!(
                runtime.elapsed() < Duration::from_secs(60),
                "{at}: {:?}",
                runtime.elapsed()
            );
        });
    }
}

#[test]
fn an_engine_that_falls_silent_is_given_up_in_time() {
    for kind in KINDS {
        behind_bytes(kind, Fault::Silence, 7, |at, _, runtime, _| {
            assert!(
                runtime.elapsed() < Duration::from_secs(90),
                "{at}: {:?}",
                runtime.elapsed()
            );
        });
    }
}
