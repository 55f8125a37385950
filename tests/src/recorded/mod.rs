//! The cases of the suite without an engine: recorded once on a real one, and replayed on the scripted runtime.
//!
//! ```text
//!   cargo lab record:   case ── Scripted, in real time ── connections to an engine ──► fixtures/suite/{engine}/{case}
//!   tests:              case ── Scripted, fake clock, bytes cut ── the recording       ◄──┘
//! ```
//! Both ways the same driver polls the same operations, and the host says the same. In a recording, each request
//! stands with what came on its connection until the next one, with times. A request that was never recorded fails
//! the case and says how it differs.

mod escape;
mod host;
mod live;
mod model;
mod play;
mod reader;
mod session;
mod shelf;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, ExecStream, Host as _, Op};
use smol::channel::Receiver;

pub use host::ToldHost;
pub use model::{Event, Exchange, Input, Question, Recording, What};
pub use session::record_all;

use crate::lab::{Peer, RunningEngine};
use crate::scripted::{Scripted, Split};
use crate::suite::{Adapter, Bench, Both, Case, Failure, Item, Verdict, on_two_threads};
use live::{Listening, Live, Log};
use play::Playing;
use shelf::Shelf;

/// The name of the runtime in the names of tests.
pub const NAME: &str = "scripted";

/// Where the recordings are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/suite")
}

/// Where the recording of one case on one engine is.
#[must_use]
pub fn file(engine: &str, case: &str) -> PathBuf {
    folder().join(engine).join(format!("{case}.txt"))
}

/// The scripted runtime as the suite knows it, with a recording that is made or used.
#[derive(Debug, Clone)]
pub struct Recorded(Scripted);

impl Adapter for Recorded {
    type Runtime = Scripted;

    fn name(&self) -> &'static str {
        NAME
    }

    fn runtime(&self) -> Scripted {
        self.0.clone()
    }

    fn wait<O: Op>(&self, call: Result<O::Output, Error>) -> Result<O::Output, Error> {
        call
    }

    fn wait_for_polls<O: Op>(&self, call: Result<O::Output, Error>, _: usize) -> Option<Result<O::Output, Error>> {
        Some(call)
    }

    fn wait_for_time<O: Op>(&self, call: Result<O::Output, Error>, _: Duration) -> Option<Result<O::Output, Error>> {
        Some(call)
    }

    fn side_by_side<O: Op, P: Op>(
        &self,
        one: impl FnOnce() -> Result<O::Output, Error> + Send,
        held: Receiver<()>,
        other: impl FnOnce() -> Result<P::Output, Error> + Send,
        then: impl FnOnce() + Send + 'static,
    ) -> Both<O, P> {
        on_two_threads::<O, P>(one, &held, other, then)
    }

    fn items(&self, mut stream: ExecStream<Scripted>) -> (ExecStream<Scripted>, Vec<Item>) {
        let items = stream.by_ref().collect();
        (stream, items)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn pause(&self, time: Duration) {
        self.0.pause(time);
    }

    fn is_recorded(&self) -> bool {
        true
    }
}

/// Runs a case on a real engine and gives what was said.
///
/// # Errors
/// Why the case failed.
pub fn record(engine: &RunningEngine, case: &Case<Recorded>) -> Result<Recording, Failure> {
    let random = pocket_dock_blocking::StdHost.entropy();
    let salt = random
        .iter()
        .fold(0_u64, |salt, byte| salt.rotate_left(8) ^ u64::from(*byte));
    let log = Log::new(Recording {
        case: case.name.to_owned(),
        engine: engine.engine.name.to_owned(),
        salt,
        ..Recording::default()
    });
    let live = Live {
        log: log.clone(),
        engine: engine.peer(),
    };
    let runtime = Scripted::in_real_time(live, ToldHost::new(salt));
    let peer = engine.peer().with_oracle(Listening {
        log: log.clone(),
        engine: engine.peer(),
    });
    let bench = Bench::new(Recorded(runtime), peer)?;
    (case.run)(&bench)?;
    drop(bench);
    Ok(live::tidy(log.recording()))
}

/// Runs a case against its recording.
///
/// # Errors
/// Why it failed, and where the recording does not fit.
pub fn replay(recording: &Recording, case: &Case<Recorded>, split: Split) -> Verdict {
    let shelf = Shelf::new(recording.clone());
    let runtime = Scripted::with_host(Playing(shelf.clone()), split, ToldHost::new(recording.salt));
    let peer = Peer::new(folder().join(&recording.engine)).with_oracle(Playing(shelf.clone()));
    let run = || -> Verdict { (case.run)(&Bench::new(Recorded(runtime), peer)?) };
    match (run(), shelf.complaint()) {
        (Ok(()), None) => shelf.unused().map_or(Ok(()), |complaint| Err(complaint.into())),
        (Ok(()), Some(complaint)) => Err(complaint.into()),
        (Err(failure), None) => Err(failure),
        (Err(failure), Some(complaint)) => Err(format!("{failure}\n  {complaint}").into()),
    }
}

/// Reads the recording of one case on one engine.
///
/// # Errors
/// It is not there, or is none.
pub fn load(engine: &str, case: &str) -> Result<Recording, Failure> {
    let path = file(engine, case);
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}\n  record it: cargo lab record", path.display()))?;
    let recording = Recording::from_text(&text)
        .map_err(|why| format!("{}: {why}\n  record it anew: cargo lab record", path.display()))?;
    Ok(recording)
}

#[cfg(test)]
mod tests;
