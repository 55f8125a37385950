//! What both kinds of test need.

use std::time::Duration;

use pocket_dock_core::{Engine, EngineKind, Error, Limits, Options};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::Sim;

pub(crate) const KINDS: [EngineKind; 2] = [EngineKind::Docker, EngineKind::Podman];
/// What a link may take: the largest item that is believed, and a read or two.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn options() -> Options {
    let mut limits = Limits::default();
    limits.body_bytes = 512 * 1024;
    Options::new()
        .socket("/run/engine.sock")
        .limits(limits)
        .answer_limit(ANSWER_LIMIT)
}

pub(crate) fn connect(sim: &Sim, split: Split) -> (Scripted, Engine<Scripted>) {
    let runtime = Scripted::new(sim.clone(), split);
    let engine = Engine::connect_with(runtime.clone(), options()).unwrap();
    (runtime, engine)
}

/// The scripted runtime's own complaints, that a call was stuck or did not end, are of this kind.
pub(crate) fn is_typed(error: &Error) -> bool {
    !matches!(error, Error::Misuse(_))
}
