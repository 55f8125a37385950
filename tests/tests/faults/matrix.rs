use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pocket_dock_blocking::Blocking;
use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{Container, Engine, Error, Options};
use pocket_dock_tests::lab::{self, RunningEngine};
use pocket_dock_tests::proxy::{Fault, Place, Proxy, Rule};
use pocket_dock_tests::suite::FULL;

use crate::calls::{self, Call, Site};

const COVERING: [&str; 2] = ["docker-28", "podman-5.8"];
/// How long an engine may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Calls at a time.
const THREADS: usize = 6;
/// How long a call may take with a fault in it: its own limits, and the removal or the kill of what it began, on a machine
/// with much to do.
const IN_TIME: Duration = Duration::from_secs(75);
/// How long what is left may take to go.
const GOES: Duration = Duration::from_secs(60);

const FAULTS: [(&str, Fault, Place); 14] = [
    ("cut, asking", Fault::Cut, Place::Request(10)),
    ("reset", Fault::Reset, Place::Request(1)),
    ("silent, asking", Fault::Silence, Place::Request(1)),
    ("cut, head", Fault::Cut, Place::Head(5)),
    ("end, head", Fault::HalfClose, Place::Head(0)),
    ("silent, head", Fault::Silence, Place::Head(0)),
    ("delay", Fault::Delay(Duration::from_millis(500)), Place::Head(7)),
    ("late", Fault::Delay(Duration::from_secs(7)), Place::Head(0)),
    ("bytes", Fault::Trickle, Place::Head(0)),
    ("twice", Fault::Duplicate, Place::Head(0)),
    ("wrong head", Fault::Corrupt, Place::Head(10)),
    ("wrong body", Fault::Corrupt, Place::Body(0)),
    ("cut, body", Fault::Cut, Place::Body(1)),
    ("silent, body", Fault::Silence, Place::Body(1)),
];

/// What became of a call.
struct Cell {
    word: &'static str,
    took: Duration,
    /// Why that is wrong.
    wrong: Option<String>,
}

/// What a fault changes in the bytes of a command's output, nobody can see.
fn may_be_other(fault: Fault, place: Place) -> bool {
    matches!(fault, Fault::Corrupt | Fault::Duplicate) && matches!(place, Place::Body(_) | Place::Head(0))
}

/// Six calls at a time keep an engine busy: one that cannot be made at once is made a little later.
fn made(site: &Site) -> Container<Blocking> {
    let spec = || site.spec().auto_remove(false);
    let mut made = site.engine.create(spec());
    for _ in 0..5 {
        if matches!(made, Err(Error::Deadline { .. })) {
            made = site.engine.create(spec());
        }
    }
    made.unwrap_or_else(|error| panic!("without a fault: {error}"))
}

/// One call with each fault.
fn row(call: &Call, number: usize, running: &RunningEngine) -> Vec<Cell> {
    let dir = std::env::temp_dir().join(format!(
        "pocket-dock-faults-{}-{number}-{}",
        std::process::id(),
        running.engine.name
    ));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("from"), vec![b'x'; 100_000]).unwrap();
    let proxy = Proxy::new(&running.socket, dir.join("engine.sock")).unwrap();
    let options = Options::new().socket(proxy.socket()).answer_limit(ANSWER_LIMIT);
    let engine = Engine::connect_with(Blocking, options).unwrap();
    let mark = format!("{}-{number}", std::process::id());
    let site = Site {
        engine,
        mark: mark.clone(),
        dir: dir.clone(),
    };
    let mut container = made(&site);
    let mut cells = Vec::new();
    for (_, fault, place) in FAULTS {
        let line = call.line;
        proxy.arm(Rule { fault, place, line });
        let begun = Instant::now();
        let outcome = (call.run)(&site, &container);
        let took = begun.elapsed();
        let happened = proxy.disarm();
        let (word, mut wrong) = match outcome {
            Ok(true) if !happened => ("-", None),
            Ok(true) => ("right", None),
            Ok(false) if happened && may_be_other(fault, place) => ("altered", None),
            Ok(false) => ("WRONG", Some("a wrong result".to_owned())),
            Err(error @ Error::Misuse(_)) => ("WRONG", Some(error.to_string())),
            // No fault of ours: the machine has much to do.
            Err(Error::Deadline { .. }) if !happened => ("busy", None),
            Err(error) if !happened => ("WRONG", Some(format!("without a fault: {error}"))),
            Err(_) => ("error", None),
        };
        if took > IN_TIME {
            wrong = Some(format!("it took {took:?}"));
        }
        if call.spends {
            drop(std::mem::replace(&mut container, made(&site)));
        } else if wrong.is_none() {
            let count = "grep -l 'sleep.777[7]' /proc/[0-9]*/cmdline 2>/dev/null | wc -l";
            wrong = match container.run(count) {
                Ok(result) if result.stdout_text().trim() == "0" => None,
                other => Some(format!("processes are left: {other:?}")),
            };
        }
        cells.push(Cell { word, took, wrong });
    }
    drop((container, site));
    assert!(wait_for_cleanup(GOES));
    let (until, label) = (Instant::now() + GOES, format!("faults={mark}"));
    let left = || running.peer().containers(true, Some(&label)).unwrap().len();
    while left() > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(200));
    }
    if left() > 0
        && let Some(last) = cells.last_mut()
    {
        last.wrong = Some(format!("{} containers are left", left()));
    }
    drop(proxy);
    let _ = std::fs::remove_dir_all(dir);
    cells
}

/// The table of an engine, and what is wrong in it.
fn matrix(running: &RunningEngine) -> Vec<String> {
    let calls = calls::all();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let Some(call) = calls.get(number) else { return done };
            let row = catch_unwind(AssertUnwindSafe(|| row(call, number, running)));
            done.push((number, row.ok()));
        }
    };
    let mut rows: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    rows.sort_by_key(|(number, _)| *number);
    let mut wrong = Vec::new();
    let mut table = format!("\n{:<16}", running.engine.name);
    for (name, ..) in FAULTS {
        write!(table, " {name:>14}").unwrap();
    }
    for (call, (_, row)) in calls.iter().zip(rows) {
        write!(table, "\n{:<16}", call.name).unwrap();
        let Some(cells) = row else {
            wrong.push(format!("{}: it panicked", call.name));
            continue;
        };
        for ((name, ..), cell) in FAULTS.iter().zip(&cells) {
            write!(table, " {:>9} {:>4.1}", cell.word, cell.took.as_secs_f32()).unwrap();
            if let Some(why) = &cell.wrong {
                wrong.push(format!("{}, {name}: {why}", call.name));
            }
        }
        if cells.iter().filter(|cell| !matches!(cell.word, "-" | "busy")).count() < FAULTS.len() / 2 {
            wrong.push(format!("{}: few faults happened", call.name));
        }
    }
    println!("{table}\n");
    wrong
}

fn on(name: &str) {
    let wanted = COVERING.contains(&name) || std::env::var_os(FULL).is_some();
    let Some(running) = lab::running().into_iter().find(|one| wanted && one.engine.name == name) else {
        return;
    };
    let wrong = matrix(&running);
    assert_eq!(wrong, [""; 0], "{name}");
}

macro_rules! engines {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            on($name);
        })*
    };
}

engines! {
    faults_on_docker_20: "docker-20",
    faults_on_docker_26: "docker-26",
    faults_on_docker_28: "docker-28",
    faults_on_podman_4: "podman-4",
    faults_on_podman_5_4: "podman-5.4",
    faults_on_podman_5_8: "podman-5.8",
}
