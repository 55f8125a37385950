//! Engines that go away, or fall silent, and come back: nothing is left on them. Answers that nobody asked for, and
//! peers that take no input.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_dock_core::{ContainerSpec, Endpoint, Engine, Error, SessionOptions, Turn};
use pocket_dock_tests::scripted::{Connection, Peer, Scripted, Split};
use pocket_dock_tests::sim::{Reply, Said, Sim, Talk, Told};

use crate::common::{ANSWER_LIMIT, KINDS, connect, is_typed, options};

const SECOND: Duration = Duration::from_secs(1);
const GONE: &[u8] = b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}";
const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/// An engine at whose place nothing listens for a while.
#[derive(Debug, Clone)]
struct Away {
    sim: Sim,
    time: Arc<Mutex<Range<Duration>>>,
}

impl Peer for Away {
    fn connect(&mut self, at: &Endpoint, now: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        if self.time.lock().unwrap().contains(&now) {
            return Err(ErrorKind::ConnectionRefused);
        }
        self.sim.connect(at, now)
    }

    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        self.sim.next_event(now)
    }
}

impl Away {
    fn goes(&self, runtime: &Scripted, time: Duration) {
        *self.time.lock().unwrap() = runtime.elapsed()..runtime.elapsed() + time;
    }
}

fn world(sim: &Sim) -> (Away, Scripted, Engine<Scripted>) {
    let away = Away {
        sim: sim.clone(),
        time: Arc::default(),
    };
    let runtime = Scripted::new(away.clone(), Split::Whole);
    let engine = Engine::connect_with(runtime.clone(), options()).unwrap();
    (away, runtime, engine)
}

/// One that does not end by itself when it is let go.
fn stubborn() -> ContainerSpec {
    ContainerSpec::new("busybox").command(["sleep", "inf"])
}

#[test]
fn a_drop_waits_for_an_engine_that_comes_back() {
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (away, runtime, engine) = world(&sim);
        let container = engine.create(stubborn()).unwrap();
        away.goes(&runtime, 20 * SECOND);
        drop(container);
        assert_eq!(sim.containers(), [""; 0], "{kind}");
    }
}

#[test]
fn a_drop_is_not_stopped_by_silence_nor_by_a_connection_that_breaks() {
    for kind in KINDS {
        for reply in [
            Reply::Silence,
            Reply::Close(Vec::new()),
            Reply::Close(b"HTTP/1.1 2".to_vec()),
        ] {
            let sim = Sim::new(kind);
            let (_, engine) = connect(&sim, Split::Whole);
            let container = engine.create(stubborn()).unwrap();
            sim.reply("DELETE", container.id(), reply.clone());
            drop(container);
            assert_eq!(sim.containers(), [""; 0], "{kind}, {reply:?}");
        }
    }
}

#[test]
fn a_create_that_fails_is_undone_when_the_engine_is_back() {
    for kind in KINDS {
        for reply in [Reply::Silence, Reply::Close(Vec::new())] {
            let sim = Sim::new(kind);
            let (_, engine) = connect(&sim, Split::Whole);
            sim.reply("POST", "/start", Reply::Close(Vec::new()));
            sim.reply("DELETE", "", reply.clone());
            let error = engine.create(stubborn()).unwrap_err();
            assert!(is_typed(&error), "{kind}: {error}");
            assert_eq!(sim.containers(), [""; 0], "{kind}, {reply:?}");
        }
    }
}

#[test]
fn an_engine_that_stays_away_is_given_up_for_all() {
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (away, runtime, engine) = world(&sim);
        let containers: Vec<_> = (0..5).map(|_| engine.create(stubborn()).unwrap()).collect();
        away.goes(&runtime, 3600 * SECOND);
        let before = runtime.elapsed();
        drop(containers);
        let took = runtime.elapsed() - before;
        assert!(took > 30 * SECOND && took < 60 * SECOND, "{kind}: {took:?}");
    }
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_believed() {
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (_, engine) = connect(&sim, Split::Whole);
        let container = engine.create(stubborn()).unwrap();
        // The engine accepts the removal and is slow to do it; behind what it says of the container comes what was not asked.
        let accepted = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
        sim.reply("DELETE", container.id(), Reply::Open(accepted));
        let there = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
        let late = Reply::OpenThen(there, Duration::from_millis(1), GONE.to_vec());
        sim.reply("GET", &format!("{}/json", container.id()), late);
        container.shutdown_force().unwrap();
        assert_eq!(sim.containers(), [""; 0], "{kind}: the surplus was believed");
    }
}

/// A shell that never says anything.
#[derive(Debug)]
struct Silent;

impl Talk for Silent {
    fn told(&mut self, _: Told<'_>) -> Vec<Said> {
        Vec::new()
    }
}

#[test]
fn input_that_nobody_stores_is_given_up() {
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (runtime, engine) = connect(&sim, Split::Whole);
        let container = engine.create(ContainerSpec::new("busybox")).unwrap();
        sim.talk(Silent);
        let session = container.session(SessionOptions::new()).unwrap();
        let silent = Reply::OpenThen(UPGRADED.to_vec(), 3600 * SECOND, Vec::new());
        sim.reply("POST", "/start", silent);
        let before = runtime.elapsed();
        let error = session.send_and_wait(Turn::new("cat").stdin("in")).unwrap_err();
        let took = runtime.elapsed() - before;
        let stored = |error: &Error| {
            matches!(
                error,
                Error::Deadline {
                    what: "store input",
                    ..
                }
            )
        };
        assert!(stored(&error), "{kind}: {error:?}");
        assert!(took < ANSWER_LIMIT + 20 * SECOND, "{kind}: {took:?}");
    }
}
