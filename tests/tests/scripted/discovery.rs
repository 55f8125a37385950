//! Which engine is found where there are several, and what is said where there is none.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_dock_core::{ContainerSpec, Endpoint, Engine, EngineKind, Error, Options, Service, SocketError};
use pocket_dock_tests::scripted::{Connection, FakeHost, Peer, Scripted, Split};
use pocket_dock_tests::sim::{Reply, Sim};

const SETTINGS: [&str; 3] = ["POCKET_DOCK_SOCKET", "DOCKER_HOST", "CONTAINER_HOST"];
/// Where a user's engine is looked for, in this order.
const PLACES: [&str; 10] = [
    "/run/mine/podman/podman.sock",
    "/run/podman/podman.sock",
    "/var/run/docker.sock",
    "/run/mine/docker.sock",
    "/home/me/.docker/run/docker.sock",
    "/home/me/.local/share/containers/podman/machine/podman.sock",
    "/home/me/.local/share/containers/podman/machine/qemu/podman.sock",
    "/home/me/.colima/default/docker.sock",
    "/home/me/.orbstack/run/docker.sock",
    "/home/me/.rd/docker.sock",
];
/// Where the engine listens that is started for us.
const OURS: &str = "/run/mine/ours/podman.sock";

/// What is at a socket's path.
#[derive(Debug, Clone)]
enum There {
    Engine(Sim),
    /// This is what comes of dialling; [`ErrorKind::WouldBlock`]: nothing for as long as one waits.
    Fails(ErrorKind),
}

/// A machine's sockets. Clones are the same machine.
#[derive(Debug, Clone, Default)]
struct Machine(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    sockets: BTreeMap<String, There>,
    /// Those that were dialled; the same one again is left out.
    dialled: Vec<String>,
    /// Whether the program that starts an engine was asked to start one, and to end it.
    service: (bool, bool),
}

impl Machine {
    fn put(&self, path: &str, there: There) {
        self.0.lock().unwrap().sockets.insert(path.to_owned(), there);
    }

    /// An engine of this kind.
    fn engine(&self, path: &str, kind: EngineKind) -> Sim {
        let sim = Sim::new(kind);
        self.put(path, There::Engine(sim.clone()));
        sim
    }

    fn dialled(&self) -> Vec<String> {
        self.0.lock().unwrap().dialled.clone()
    }

    fn service(&self) -> (bool, bool) {
        self.0.lock().unwrap().service
    }
}

impl Peer for Machine {
    fn connect(&mut self, at: &Endpoint, now: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        let mut inside = self.0.lock().unwrap();
        let path = at.to_string();
        let there = inside.sockets.get(&path).cloned();
        if inside.dialled.last() != Some(&path) {
            inside.dialled.push(path);
        }
        match there {
            Some(There::Engine(mut sim)) => sim.connect(at, now),
            Some(There::Fails(why)) => Err(why),
            None => Err(ErrorKind::NotFound),
        }
    }

    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        let sockets = self.0.lock().unwrap().sockets.clone();
        let next = sockets.into_values().filter_map(|there| match there {
            There::Engine(mut sim) => sim.next_event(now),
            There::Fails(_) => None,
        });
        next.min()
    }
}

/// The program that starts an engine: it listens when it was asked three times, unless it has something to say.
#[derive(Debug)]
struct Program {
    machine: Machine,
    asked: usize,
    failure: Option<&'static str>,
}

impl Service for Program {
    fn poll_start(&mut self) -> Result<Option<Endpoint>, String> {
        self.machine.0.lock().unwrap().service.0 = true;
        self.asked += 1;
        match (self.asked, self.failure) {
            (..3, _) => Ok(None),
            (_, Some(failure)) => Err(failure.to_owned()),
            (_, None) => {
                self.machine.engine(OURS, EngineKind::Podman);
                Ok(Some(Endpoint::unix(OURS)))
            }
        }
    }

    fn poll_end(&mut self) -> bool {
        let mut inside = self.machine.0.lock().unwrap();
        inside.sockets.remove(OURS);
        inside.service.1 = true;
        true
    }
}

fn program(machine: &Machine, failure: Option<&'static str>) -> Box<dyn Service> {
    Box::new(Program {
        machine: machine.clone(),
        asked: 0,
        failure,
    })
}

fn user(variables: &[(&str, &str)]) -> FakeHost {
    let homes = [("XDG_RUNTIME_DIR", "/run/mine"), ("HOME", "/home/me")];
    let all = homes.iter().chain(variables);
    all.fold(FakeHost::default(), |host, (name, value)| {
        host.with_variable(name, value)
    })
}

fn connect(machine: &Machine, split: Split, host: FakeHost) -> (Scripted, Result<Engine<Scripted>, Error>) {
    let runtime = Scripted::with_host(machine.clone(), split, host);
    let engine = Engine::connect_with(runtime.clone(), Options::new());
    (runtime, engine)
}

/// All that a socket can be without being of any use, and what is said of it.
const USELESS: [(&str, &str); 10] = [
    ("missing", "there is no such file"),
    ("stale", "nothing listens there"),
    ("not ours", "permission denied"),
    ("does not accept", "timed out"),
    ("silent", "did not answer within 5s"),
    ("hangs up", "ping the engine"),
    ("speaks no HTTP", "ping the engine"),
    ("a web server", "no container engine"),
    ("refuses", "no container engine"),
    ("too old", "older than 1.40"),
];

fn useless(machine: &Machine, path: &str, how: &str) {
    let replies = |reply: Reply| machine.engine(path, EngineKind::Docker).reply("GET", "/_ping", reply);
    let says = |answer: &str| replies(Reply::Close(answer.as_bytes().to_vec()));
    match how {
        "missing" => {}
        "stale" => machine.put(path, There::Fails(ErrorKind::ConnectionRefused)),
        "not ours" => machine.put(path, There::Fails(ErrorKind::PermissionDenied)),
        "does not accept" => machine.put(path, There::Fails(ErrorKind::WouldBlock)),
        "silent" => replies(Reply::Silence),
        "hangs up" => says(""),
        "speaks no HTTP" => says("SSH-2.0-OpenSSH_9.2p1\r\n"),
        "a web server" => says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"),
        "refuses" => says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        "too old" => replies(Reply::Open(
            b"HTTP/1.1 200 OK\r\nApi-Version: 1.24\r\nContent-Length: 2\r\n\r\nOK".to_vec(),
        )),
        other => panic!("{other}"),
    }
}

#[test]
fn the_first_setting_that_is_set_is_used_and_nothing_else_is_asked() {
    let values = ["/run/first.sock", "unix:///run/second.sock", "unix:///run/third.sock"];
    let paths = ["/run/first.sock", "/run/second.sock", "/run/third.sock"];
    for split in Split::EACH {
        // Each of the three is not set, empty, or set.
        for how in 0..27 {
            let kinds = [how / 9, how / 3 % 3, how % 3];
            let variables: Vec<_> = (0..3)
                .filter(|at| kinds[*at] > 0)
                .map(|at| (SETTINGS[at], if kinds[at] == 1 { "" } else { values[at] }))
                .collect();
            let machine = Machine::default();
            for path in paths.iter().chain(&PLACES) {
                machine.engine(path, EngineKind::Docker);
            }
            let (_, engine) = connect(&machine, split, user(&variables));
            let wanted = kinds
                .iter()
                .position(|kind| *kind == 2)
                .map_or(PLACES[0], |first| paths[first]);
            assert_eq!(engine.unwrap().socket().to_string(), wanted, "{split:?}, {variables:?}");
            assert_eq!(machine.dialled(), [wanted], "{split:?}, {variables:?}");
        }
    }
}

#[test]
fn a_wrong_setting_is_an_error_though_engines_answer_elsewhere() {
    let elsewhere = ["tcp://127.0.0.1:2375", "ssh://me@there", "run/engine.sock", "unix://"];
    for split in Split::EACH {
        for (at, setting) in SETTINGS.into_iter().enumerate() {
            let wrong = USELESS.iter().map(|(how, said)| ("/run/wrong.sock", *how, *said));
            let none = elsewhere.iter().map(|value| (*value, "missing", "absolute path"));
            for (value, how, said) in wrong.chain(none) {
                let machine = Machine::default();
                useless(&machine, "/run/wrong.sock", how);
                for path in PLACES.iter().chain(&["/run/right.sock"]) {
                    machine.engine(path, EngineKind::Podman);
                }
                let mut variables: Vec<_> = SETTINGS[at..].iter().map(|name| (*name, "/run/right.sock")).collect();
                variables[0].1 = value;
                let host = user(&variables).program(Ok(program(&machine, None)));
                let (_, engine) = connect(&machine, split, host);
                let error = engine.unwrap_err();
                let text = error.to_string();
                let named = matches!(
                    &error,
                    Error::Socket(SocketError::Setting { setting: named, value: told, .. })
                        if *named == setting && told == value
                );
                let said = if value.contains("://") && value.len() > 7 {
                    "forward the engine's socket"
                } else {
                    said
                };
                assert!(named && text.contains(said), "{split:?}, {setting}, {how}: {text}");
                assert!(text.contains("correct it, or unset it"), "{text}");
                let asked = machine.dialled();
                assert!(asked.iter().all(|path| path == "/run/wrong.sock"), "{how}: {asked:?}");
                assert_eq!(machine.service(), (false, false), "{how}");
            }
        }
    }
}

#[test]
fn an_explicit_socket_goes_before_the_settings_and_is_final_too() {
    for split in Split::EACH {
        for (how, said) in [("fine", "")].into_iter().chain(USELESS) {
            let machine = Machine::default();
            for path in PLACES.iter().chain(&["/run/set.sock"]) {
                machine.engine(path, EngineKind::Podman);
            }
            match how {
                "fine" => drop(machine.engine("/run/told.sock", EngineKind::Docker)),
                how => useless(&machine, "/run/told.sock", how),
            }
            let settings = SETTINGS.map(|name| (name, "/run/set.sock"));
            let host = user(&settings).program(Ok(program(&machine, None)));
            let runtime = Scripted::with_host(machine.clone(), split, host);
            match Engine::connect_with(runtime, Options::new().socket("/run/told.sock")) {
                Ok(engine) => assert_eq!((engine.kind(), how), (EngineKind::Docker, "fine")),
                Err(error) => assert!(
                    how != "fine" && error.to_string().contains(said),
                    "{split:?}, {how}: {error}"
                ),
            }
            assert_eq!(machine.dialled(), ["/run/told.sock"], "{how}");
            assert_eq!(machine.service(), (false, false), "{how}");
        }
    }
}

#[test]
fn each_usual_place_is_found_behind_any_that_are_of_no_use() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        for split in Split::EACH {
            for (at, place) in PLACES.into_iter().enumerate() {
                // Every way to be of no use comes before it at some time, and a later engine is not preferred.
                for turn in 0..USELESS.len() {
                    let machine = Machine::default();
                    for (before, path) in PLACES[..at].iter().enumerate() {
                        useless(&machine, path, USELESS[(before + turn) % USELESS.len()].0);
                    }
                    for path in &PLACES[at..] {
                        machine.engine(path, kind);
                    }
                    let host = user(&[]).program(Ok(program(&machine, None)));
                    let (runtime, engine) = connect(&machine, split, host);
                    let engine = engine.unwrap();
                    let found = (engine.kind(), engine.socket().to_string());
                    assert_eq!(found, (kind, place.to_owned()), "{split:?}, turn {turn}");
                    assert_eq!(machine.dialled(), PLACES[..=at], "{split:?}, turn {turn}");
                    let most = Duration::from_secs(6) * u32::try_from(at + 1).unwrap();
                    assert!(runtime.elapsed() < most, "{:?} for {at}", runtime.elapsed());
                    assert_eq!(machine.service(), (false, false));
                    // And it is of use.
                    drop(engine.create(ContainerSpec::new("busybox")).unwrap());
                }
            }
        }
    }
}

#[test]
fn where_there_is_none_all_that_was_tried_is_told_and_what_to_do() {
    for split in Split::EACH {
        for turn in 0..USELESS.len() {
            let machine = Machine::default();
            let whats: Vec<_> = (0..PLACES.len())
                .map(|at| USELESS[(at + turn) % USELESS.len()])
                .collect();
            for (path, (how, _)) in PLACES.iter().zip(&whats) {
                useless(&machine, path, how);
            }
            let (_, engine) = connect(&machine, split, user(&[]));
            let error = engine.unwrap_err();
            let Error::Socket(SocketError::NoEngine { tried }) = &error else {
                panic!("{error}");
            };
            let told: Vec<_> = tried.iter().map(|(place, _)| place.as_str()).collect();
            assert_eq!((&told[..PLACES.len()], told.len()), (&PLACES[..], PLACES.len() + 1));
            for ((place, why), (how, said)) in tried.iter().zip(&whats) {
                assert!(why.contains(said), "{split:?}, {how}: {why:?}");
                assert!(error.to_string().contains(&format!("  {place}: {why}\n")), "{error}");
            }
            assert_eq!(
                tried.last().unwrap(),
                &(
                    "podman system service".to_owned(),
                    "there is no podman program".to_owned()
                )
            );
            for word in ["apt-get install podman", "Docker", "start it", "POCKET_DOCK_SOCKET"] {
                assert!(error.to_string().contains(word), "{word}: {error}");
            }
        }
    }
}

#[test]
fn a_podman_program_is_started_where_no_engine_answers_and_ends_with_its_last_user() {
    for split in Split::EACH {
        let machine = Machine::default();
        useless(&machine, PLACES[1], "stale");
        let host = user(&[]).program(Ok(program(&machine, None)));
        let (runtime, engine) = connect(&machine, split, host);
        let engine = engine.unwrap();
        assert_eq!(machine.dialled(), [&PLACES[..], &[OURS]].concat(), "{split:?}");
        assert_eq!(
            (engine.kind(), engine.socket().to_string()),
            (EngineKind::Podman, OURS.to_owned())
        );
        let sandbox = engine.create(ContainerSpec::new("busybox")).unwrap();
        drop(engine);
        assert!(sandbox.run("true").unwrap().success(), "{split:?}");
        assert_eq!(machine.service(), (true, false), "{split:?}: a container needs it");
        sandbox.shutdown().unwrap();
        drop(sandbox);
        assert_eq!(machine.service(), (true, true), "{split:?}");
        assert!(
            runtime.finished().iter().all(Option::is_none),
            "{:?}",
            runtime.finished()
        );
    }
}

#[test]
fn a_podman_program_that_does_not_work_is_told_with_all_that_was_tried() {
    for split in Split::EACH {
        for at_once in [true, false] {
            let machine = Machine::default();
            let started = if at_once {
                Err("no directory for its socket".to_owned())
            } else {
                Ok(program(&machine, Some("no space left")))
            };
            let (_, engine) = connect(&machine, split, user(&[]).program(started));
            let error = engine.unwrap_err();
            let Error::Socket(SocketError::NoEngine { tried }) = &error else {
                panic!("{error}");
            };
            let why = if at_once {
                "no directory for its socket"
            } else {
                "no space left"
            };
            assert_eq!(tried.len(), PLACES.len() + 1);
            assert_eq!(
                tried.last().unwrap(),
                &("podman system service".to_owned(), why.to_owned())
            );
            assert_eq!(machine.service(), (!at_once, !at_once), "what was begun is ended");
        }
    }
}
