use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{ContainerSpec, Engine, Error, ExecStream, Op, Options};
use pocket_dock_tests::lab::{self, RunningEngine, images};
use pocket_dock_tests::suite::{Adapter, Bench, Both, Call, Executor, FULL, Item, Smol, Tokio, cases};
use smol::channel::Receiver;

const DOCKER: &str = "docker-28";
const PODMAN: &str = "podman-5.8";

/// Calls at once.
const CROWD: usize = 200;
/// How long the background may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How long nothing changes where nothing will.
const REST: Duration = Duration::from_millis(500);
/// What a process may have grown by in the end: allocators keep some.
const GROWTH: u64 = 24 << 20;

/// What a process holds can be counted by one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A Docker and a Podman.
fn engines() -> Vec<RunningEngine> {
    let wanted = |one: &RunningEngine| matches!(one.engine.name, DOCKER | PODMAN);
    lab::running().into_iter().filter(wanted).collect()
}

/// Whether this is tried here: each runtime on one of the engines, or on all if that is asked for.
fn is_tried(runtime: &str, running: &RunningEngine) -> bool {
    std::env::var_os(FULL).is_some() || (runtime == "smol") == (running.engine.name == PODMAN)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The same once nothing changes it any more: what goes on beside calls closes what it has a moment later.
fn descriptors_at_rest() -> usize {
    let (mut count, mut since) = (descriptors(), Instant::now());
    while since.elapsed() < REST {
        std::thread::sleep(REST / 10);
        let now = descriptors();
        if now != count {
            (count, since) = (now, Instant::now());
        }
    }
    count
}

/// Waits until no more are open than there were.
fn closed(before: usize, what: &str) {
    let until = Instant::now() + LIMIT;
    while descriptors() > before {
        assert!(
            Instant::now() < until,
            "{what}: {} descriptors, and {before} before",
            descriptors()
        );
        std::thread::sleep(REST / 10);
    }
}

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() * 1024
}

/// Containers, and a command in each, all at the same time; then they end, one half by a call and one half by a drop.
fn crowd<E: Executor>(executor: &E, running: &RunningEngine, size: usize) {
    if !is_tried(executor.name(), running) {
        return;
    }
    let options = Options::new()
        .socket(running.peer().socket())
        .answer_limit(Duration::from_secs(300));
    let engine = executor
        .wait(Engine::connect_with(executor.runtime(), options))
        .unwrap();
    let spec = || ContainerSpec::new(images::BUSYBOX);
    executor
        .wait(executor.wait(engine.create(spec())).unwrap().shutdown())
        .unwrap();
    assert!(wait_for_cleanup(LIMIT));
    let (descriptors_before, memory_before) = (descriptors_at_rest(), memory());

    let made = executor.wait_for_all((0..size).map(|_| engine.create(spec())).collect());
    let mut containers: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    let calls = containers
        .iter()
        .cycle()
        .take(CROWD)
        .enumerate()
        .map(|(number, one)| one.run(format!("sleep 1; echo {number}")));
    for (number, result) in executor.wait_for_all(calls.collect()).into_iter().enumerate() {
        assert_eq!(result.unwrap().stdout_text(), format!("{number}\n"));
    }
    let ids: Vec<String> = containers.iter().map(|one| one.id().to_owned()).collect();
    let dropped = containers.split_off(size / 2);
    let begun = Instant::now();
    drop(dropped);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "drops blocked: {:?}",
        begun.elapsed()
    );
    for result in executor.wait_for_all(containers.iter().map(|one| one.shutdown()).collect()) {
        result.unwrap();
    }
    drop(containers);
    assert!(wait_for_cleanup(LIMIT));
    let peer = running.peer();
    let left = ids
        .iter()
        .filter(|id| peer.inspect(id).ok().flatten().is_some())
        .count();
    let name = executor.name();
    assert_eq!(left, 0, "{name}");
    closed(descriptors_before, name);
    let grown = memory().saturating_sub(memory_before);
    assert!(grown < GROWTH, "{name}: {grown} bytes more");
}

#[test]
fn very_many_at_once_on_one_thread_leave_nothing() {
    let _alone = alone();
    for running in engines() {
        // Podman takes three times as long to make one, so there each has several calls; a hundred are many all the same.
        let size = if running.engine.name == DOCKER {
            CROWD
        } else {
            CROWD / 2
        };
        crowd(&Tokio::new().unwrap(), &running, size);
        crowd(&Smol, &running, size);
    }
}

/// Another adapter, with longer strides: the suite drops a call after each of its polls, which takes long, and a descriptor
/// is left by one drop as by many.
#[derive(Debug, Clone)]
struct Striding<A>(A);

const STRIDE: usize = 7;

impl<A: Adapter> Adapter for Striding<A> {
    type Runtime = A::Runtime;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn runtime(&self) -> A::Runtime {
        self.0.runtime()
    }

    fn wait<O: Op>(&self, call: Call<Self, O>) -> Result<O::Output, Error> {
        self.0.wait(call)
    }

    fn wait_for_polls<O: Op>(&self, call: Call<Self, O>, polls: usize) -> Option<Result<O::Output, Error>> {
        self.0.wait_for_polls(call, polls * STRIDE)
    }

    fn wait_for_time<O: Op>(&self, call: Call<Self, O>, time: Duration) -> Option<Result<O::Output, Error>> {
        self.0.wait_for_time(call, time)
    }

    fn side_by_side<O: Op, P: Op>(
        &self,
        one: impl FnOnce() -> Call<Self, O> + Send,
        held: Receiver<()>,
        other: impl FnOnce() -> Call<Self, P> + Send,
        then: impl FnOnce() + Send + 'static,
    ) -> Both<O, P> {
        self.0.side_by_side(one, held, other, then)
    }

    fn items(&self, stream: ExecStream<A::Runtime>) -> (ExecStream<A::Runtime>, Vec<Item>) {
        self.0.items(stream)
    }
}

/// Calls that are dropped in the middle: what the suite tries on every engine, here with an eye on descriptors.
#[test]
fn dropped_calls_leave_no_descriptor() {
    let _alone = alone();
    for running in engines() {
        drop_calls(Striding(Tokio::new().unwrap()), &running);
        drop_calls(Striding(Smol), &running);
    }
}

fn drop_calls<A: Adapter>(adapter: A, running: &RunningEngine) {
    if !is_tried(adapter.name(), running) {
        return;
    }
    let bench = Bench::new(adapter, running.peer()).unwrap();
    let cases = cases::<A>();
    let dropping: Vec<_> = cases.iter().filter(|case| case.name.contains("dropped_")).collect();
    assert!(dropping.len() >= 4, "the suite has only {} such cases", dropping.len());
    // The first time, a runtime and this process open what they then keep.
    (dropping[0].run)(&bench).unwrap();
    assert!(wait_for_cleanup(LIMIT));
    for case in dropping {
        let before = descriptors_at_rest();
        (case.run)(&bench).unwrap();
        assert!(wait_for_cleanup(LIMIT));
        closed(before, &format!("{}, {}", bench.adapter.name(), case.name));
    }
}

#[test]
fn the_examples_run() {
    let _alone = alone();
    let mut place: PathBuf = std::env::current_exe().unwrap();
    place.pop();
    let examples = place.parent().unwrap().join("examples");
    for (running, example) in engines().iter().flat_map(|one| {
        let all = [
            "hello",
            "by_hand",
            "own_runtime",
            "tokio_hello",
            "tokio_many",
            "smol_hello",
            "smol_many",
            "watch",
            "session",
            "files",
            "tokio_watch",
            "smol_watch",
        ];
        all.map(|example| (one, example))
    }) {
        let path = examples.join(example);
        assert!(path.is_file(), "{} is missing: run `cargo lab test`", path.display());
        let output = Command::new(path)
            .arg(images::BUSYBOX)
            .env("POCKET_DOCK_SOCKET", running.peer().socket())
            .output()
            .unwrap();
        let (out, failure) = (output.stdout.len(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out > 3, "{example}: {failure}");
    }
}
