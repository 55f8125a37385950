//! A simulated engine per kind and split.

use pocket_dock_core::{Container, ContainerSpec, Engine, EngineKind, Options};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::Sim;

/// One simulated engine, and a connection to it.
pub(crate) struct World {
    pub(crate) at: String,
    pub(crate) split: Split,
    pub(crate) kind: EngineKind,
    pub(crate) sim: Sim,
    pub(crate) runtime: Scripted,
    pub(crate) engine: Engine<Scripted>,
}

impl World {
    pub(crate) fn container(&self) -> Container<Scripted> {
        self.engine.create(ContainerSpec::new("busybox")).unwrap()
    }

    /// Fewer bytes where each costs a poll.
    pub(crate) fn bytes(&self) -> usize {
        if self.split == Split::Bytes { 3_000 } else { 700_000 }
    }
}

/// Runs a check on both kinds of engine and with every split, and sees that nothing is left behind.
pub(crate) fn everywhere(check: impl Fn(&World)) {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        for split in Split::EACH {
            let sim = Sim::new(kind);
            let runtime = Scripted::new(sim.clone(), split);
            let options = Options::new().socket("/run/engine.sock");
            let engine = Engine::connect_with(runtime.clone(), options).unwrap();
            let at = format!("{kind}, {split:?}");
            let world = World {
                at,
                split,
                kind,
                sim,
                runtime,
                engine,
            };
            check(&world);
            let World { at, sim, runtime, .. } = world;
            sim.settle();
            assert_eq!(sim.containers(), [""; 0], "{at}: left behind");
            assert_eq!(sim.lost_input(), 0, "{at}: input was sent before the head was read");
            assert!(
                runtime.finished().iter().all(Option::is_none),
                "{at}: {:?}",
                runtime.finished()
            );
        }
    }
}
