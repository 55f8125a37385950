//! Commands whose output ends before they do, and engines that do not say what became of them: nothing is left running.

use std::time::Duration;

use pocket_dock_core::{Command, Container, ContainerError, ContainerSpec, Engine, EngineKind, Error, ExecError};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::{Behaviour, Reply, Sim};

use crate::common::{ANSWER_LIMIT, KINDS, connect};

const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const LONG: Duration = Duration::from_secs(1000);

fn json(status: u16, body: &str) -> Reply {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    Reply::Open(text.into_bytes())
}

/// A command is started, and its stream ends at once.
fn cut(rest: &[u8]) -> Reply {
    Reply::DoneThenClose([UPGRADED, rest].concat())
}

struct World {
    kind: EngineKind,
    sim: Sim,
    runtime: Scripted,
    _engine: Engine<Scripted>,
    container: Container<Scripted>,
}

fn worlds(image: &str, auto_remove: bool) -> Vec<World> {
    let make = |kind| {
        let sim = Sim::new(kind);
        let (runtime, engine) = connect(&sim, Split::Whole);
        let spec = ContainerSpec::new(image).name("mine").command(["sleep", "inf"]);
        let container = engine.create(spec.auto_remove(auto_remove)).unwrap();
        World {
            kind,
            sim,
            runtime,
            _engine: engine,
            container,
        }
    };
    KINDS.into_iter().map(make).collect()
}

impl World {
    /// The engine has no shell to start, and says so by the exit code alone.
    fn has_no_shell(&self) {
        self.sim.reply("POST", "/start", Reply::Close(UPGRADED.to_vec()));
        self.sim
            .reply("GET", "/json", json(200, "{\"Running\":false,\"ExitCode\":127}"));
    }
}

#[test]
fn a_command_that_runs_on_behind_its_output_is_killed() {
    for world in worlds("busybox", true) {
        for timeout in [None, Some(Duration::from_secs(1)), Some(Duration::from_secs(5))] {
            world.sim.reply("POST", "/start", cut(b""));
            let before = world.runtime.elapsed();
            let command = Command::shell("sleep 1000");
            let result = world.container.run(match timeout {
                Some(timeout) => command.timeout(timeout),
                None => command,
            });
            let took = world.runtime.elapsed() - before;
            if timeout == Some(Duration::from_secs(1)) {
                let result = result.unwrap();
                assert!(
                    result.timed_out && result.killed.is_some_and(|killed| killed.signalled.len() == 1),
                    "{}",
                    world.kind
                );
            } else {
                let error = result.unwrap_err();
                assert!(matches!(error, Error::Exec(ExecError::Lost { .. })), "{error}");
            }
            assert_eq!(world.sim.running(), 0, "{}, {timeout:?}", world.kind);
            assert!(took < Duration::from_secs(4), "{}: {took:?}", world.kind);
        }
    }
}

#[test]
fn a_command_that_ends_a_moment_behind_its_output_is_not_killed() {
    for world in worlds("distroless", true) {
        world.has_no_shell();
        world.sim.reply("POST", "/start", cut(b"\x01\0\0\0\0\0\0\x01x"));
        let result = world.container.run(Command::argv(["sleep", "9"])).unwrap();
        assert_eq!((result.exit_code, &*result.stdout_text()), (0, "x"), "{}", world.kind);
        assert!(result.duration >= Duration::from_secs(9) && result.duration < Duration::from_secs(10));
    }
}

#[test]
fn a_direct_command_that_runs_on_behind_its_output_has_its_deadline() {
    for world in worlds("busybox", true) {
        world.has_no_shell();
        world.sim.reply("POST", "/start", cut(b""));
        let command = Command::argv(["sleep", "1000"]).timeout(Duration::from_secs(5));
        let result = world.container.run(command).unwrap();
        assert!(
            result.timed_out && result.exit_code == 137,
            "{}: {result:?}",
            world.kind
        );
        assert_eq!(world.sim.running(), 0, "{}", world.kind);
    }
}

#[test]
fn an_engine_that_does_not_say_whether_it_runs_does_not_stop_the_deadline() {
    for world in worlds("busybox", true) {
        let behaviour = Behaviour {
            duration: LONG,
            ..Behaviour::default()
        };
        world.sim.command("long", behaviour);
        for (timeout, start) in [
            (Some(Duration::from_secs(1)), None),
            (Some(Duration::from_secs(1)), Some(cut(b""))),
            (None, None),
            (None, Some(cut(b""))),
        ] {
            world.has_no_shell();
            if let Some(start) = start.clone() {
                world.sim.reply("POST", "/start", start);
            }
            world.sim.reply("GET", "/json", Reply::Silence);
            let before = world.runtime.elapsed();
            let command = Command::argv(["long"]);
            let result = world.container.run(match timeout {
                Some(timeout) => command.timeout(timeout),
                None => command,
            });
            let took = world.runtime.elapsed() - before;
            let at = format!("{}, {timeout:?}, {start:?}: {took:?} {result:?}", world.kind);
            match timeout {
                Some(_) => assert!(
                    result.is_ok_and(|result| result.timed_out) && took < Duration::from_secs(2),
                    "{at}"
                ),
                None => assert!(
                    matches!(result, Err(Error::Deadline { .. })) && took < 2 * ANSWER_LIMIT,
                    "{at}"
                ),
            }
            assert_eq!(world.sim.running(), 0, "{at}");
        }
    }
}

#[test]
fn a_stream_that_breaks_off_or_an_answer_that_is_none_leaves_nothing_running() {
    for world in worlds("busybox", true) {
        for (direct, rest, answer) in [
            (false, &b"\x01\0\0\0\0\0\0\x09half"[..], None),
            (true, &b"\x01\0\0\0\0\0\0\x09half"[..], None),
            (false, b"", Some(json(500, "{\"message\":\"busy\"}"))),
            (false, b"", Some(json(404, "{\"message\":\"No such exec instance\"}"))),
            (true, b"", Some(json(404, "{\"message\":\"No such exec instance\"}"))),
            (true, b"", Some(json(200, "{]"))),
            (true, b"", Some(json(200, "{\"Running\":false,\"ExitCode\":null}"))),
            (false, b"", Some(json(200, "{\"Running\":false,\"ExitCode\":125}"))),
        ] {
            if direct {
                world.has_no_shell();
            }
            world.sim.reply("POST", "/start", cut(rest));
            let at = format!("{}, {direct}, {rest:?}, {answer:?}", world.kind);
            if let Some(answer) = answer {
                world.sim.reply("GET", "/json", answer);
            }
            let error = world.container.run(Command::argv(["sleep", "1000"])).unwrap_err();
            assert!(
                !matches!(error, Error::Container(_) | Error::Misuse(_)),
                "{at}: {error}"
            );
            assert_eq!(world.sim.running(), 0, "{at}: {error}");
        }
    }
}

#[test]
fn a_run_that_is_dropped_while_the_engine_is_asked_leaves_nothing_running() {
    for kind in KINDS {
        for direct in [false, true] {
            let mut polls = 0;
            loop {
                let sim = Sim::new(kind);
                let (runtime, engine) = connect(&sim, Split::Whole);
                let container = engine.create(ContainerSpec::new("busybox")).unwrap();
                if direct {
                    sim.reply("POST", "/start", Reply::Close(UPGRADED.to_vec()));
                    sim.reply("GET", "/json", json(200, "{\"Running\":false,\"ExitCode\":127}"));
                } else {
                    sim.reply("POST", "/start", cut(b""));
                }
                runtime.abandon_after(polls);
                let ended = container
                    .run(Command::argv(["sleep", "4"]))
                    .map_err(|error| error.to_string());
                assert_eq!(sim.running(), 0, "{kind}, {direct}, dropped after {polls} polls");
                if !matches!(&ended, Err(text) if text.starts_with("abandoned")) {
                    break;
                }
                polls += 1;
            }
            assert!(polls > 20, "{kind}, {direct}: over after {polls} polls");
        }
    }
}

const GONE: [(u16, &str); 1] = [(404, "{\"message\":\"No such container: 1\"}")];

#[test]
fn a_command_that_ends_with_its_container_says_so() {
    let stopped = "{\"Id\":\"1\",\"State\":{\"Status\":\"exited\",\"Running\":false,\"ExitCode\":137}}";
    let running = "{\"Id\":\"1\",\"State\":{\"Status\":\"running\",\"Running\":true}}";
    let execs = [
        (200, "{\"Running\":false,\"ExitCode\":137,\"Pid\":7}"),
        (404, "{\"message\":\"No such exec instance: 1\"}"),
    ];
    for exec in execs {
        for (auto_remove, seen) in [
            (true, &GONE[..]),
            (false, &GONE[..]),
            (true, &[(200, stopped), GONE[0]]),
            (true, &[(200, stopped); 40]),
            (false, &[(200, stopped)]),
            (true, &[(200, running)]),
        ] {
            for world in worlds("busybox", auto_remove) {
                world.sim.reply("POST", "/start", Reply::Close(UPGRADED.to_vec()));
                world.sim.reply("GET", "/json", json(exec.0, exec.1));
                for (status, body) in seen {
                    world.sim.reply("GET", "/json", json(*status, body));
                }
                let at = format!("{}, {exec:?}, {auto_remove}, {} looks", world.kind, seen.len());
                match world.container.run("sleep 1000") {
                    Err(Error::Container(ContainerError::Gone { name, .. })) => {
                        assert!(name == "mine" && (auto_remove || seen == GONE), "{at}");
                    }
                    Err(Error::Container(ContainerError::NotRunning { name, .. })) => {
                        assert!(name == "mine" && !auto_remove && seen[0].1 == stopped, "{at}");
                    }
                    Err(Error::Exec(ExecError::Lost { .. })) => assert!(exec.0 == 404 && seen[0].1 == running, "{at}"),
                    Ok(result) => assert!(
                        result.exit_code == 137 && exec.0 == 200 && seen[0].1 == running,
                        "{at}: {result:?}"
                    ),
                    Err(error) => panic!("{at}: {error}"),
                }
            }
        }
    }
}
