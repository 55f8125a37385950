//! Calls whose result nobody waits for any more, at whatever moment that happens.

use pocket_dock_core::{Command, ContainerSpec, Engine, EngineKind, Options};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::Sim;

#[test]
fn a_dropped_call_leaves_nothing_wherever_it_was() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        let mut undone = 0;
        for polls in 0..1000 {
            let sim = Sim::new(kind);
            let runtime = Scripted::new(sim.clone(), Split::Seeded(polls));
            let options = Options::new().socket("/run/engine.sock");
            let engine = Engine::connect_with(runtime.clone(), options).unwrap();
            runtime.abandon_after(polls);
            let created = engine.create(ContainerSpec::new("busybox"));
            undone += usize::from(!runtime.finished().is_empty());
            let complete = created.is_ok();
            drop(created);
            sim.settle();
            assert_eq!(sim.containers(), [""; 0], "{kind}, dropped after {polls} polls");
            if complete {
                assert!(
                    polls > 20 && undone > 5,
                    "{kind}: over after {polls} polls, {undone} undone"
                );
                break;
            }
            assert!(polls < 999, "{kind}: it never completed");
        }
    }
}

#[test]
fn a_dropped_run_leaves_no_process_wherever_it_was() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        let mut undone = 0;
        for polls in 0..1000 {
            let sim = Sim::new(kind);
            let runtime = Scripted::new(sim.clone(), Split::Seeded(polls));
            let options = Options::new().socket("/run/engine.sock");
            let engine = Engine::connect_with(runtime.clone(), options).unwrap();
            let container = engine.create(ContainerSpec::new("busybox")).unwrap();
            runtime.abandon_after(polls);
            let result = container.run(Command::shell("sleep 100"));
            undone += usize::from(!runtime.finished().is_empty());
            assert_eq!(sim.running(), 0, "{kind}, dropped after {polls} polls");
            if let Ok(result) = result {
                assert!(
                    result.success() && polls > 10 && undone > 1,
                    "{kind}: {polls} polls, {undone} undone"
                );
                break;
            }
            assert!(polls < 999, "{kind}: it never completed");
        }
    }
}
