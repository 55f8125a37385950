//! What goes wrong while containers are made and ended, and what is left of it: nothing.

use std::time::Duration;

use pocket_dock_core::{
    ContainerError, ContainerSpec, Engine, EngineKind, Error, ImageError, Options, Owner, ProtocolError,
};
use pocket_dock_tests::scripted::{FakeHost, Scripted, Split};
use pocket_dock_tests::sim::{Reply, Sim};

const KINDS: [EngineKind; 2] = [EngineKind::Docker, EngineKind::Podman];
const LIMIT: Duration = Duration::from_secs(10);

fn connect(sim: &Sim, host: FakeHost) -> (Scripted, Engine<Scripted>) {
    let runtime = Scripted::with_host(sim.clone(), Split::Whole, host);
    let options = Options::new().socket("/run/engine.sock").answer_limit(LIMIT);
    let engine = Engine::connect_with(runtime.clone(), options).unwrap();
    (runtime, engine)
}

/// Runs a check on both kinds of engine, and sees that nothing is left behind.
fn on_both(check: impl Fn(&Sim, &Scripted, &Engine<Scripted>)) {
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (runtime, engine) = connect(&sim, FakeHost::default());
        check(&sim, &runtime, &engine);
        sim.settle();
        assert_eq!(sim.containers(), [""; 0], "{kind}");
    }
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[test]
fn an_id_that_is_none_is_the_engines_fault_and_undone() {
    for id in ["", "..", "../images/prune", "a//b"] {
        on_both(|sim, _, engine| {
            let created = answer(201, &format!("{{\"Id\":\"{id}\"}}"));
            sim.reply("POST", "/containers/create", Reply::DoneThenClose(created));
            let error = engine.create(ContainerSpec::new("busybox")).unwrap_err();
            let malformed = |source: &ProtocolError| matches!(source, ProtocolError::Malformed { .. });
            assert!(
                matches!(&error, Error::Protocol { source, .. } if malformed(source)),
                "{id:?}: {error}"
            );
        });
    }
}

#[test]
fn a_creation_that_comes_late_is_undone() {
    on_both(|sim, _, engine| {
        sim.reply(
            "POST",
            "/containers/create",
            Reply::DoneAfter(LIMIT + Duration::from_secs(5)),
        );
        let error = engine.create(ContainerSpec::new("busybox")).unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
    });
}

#[test]
fn only_an_engine_that_says_so_has_no_container() {
    on_both(|sim, _, engine| {
        sim.reply("POST", "/containers/create", Reply::DoneThenClose(Vec::new()));
        for _ in 0..3 {
            sim.reply("GET", "late/json", Reply::Open(answer(500, "{\"message\":\"busy\"}")));
        }
        engine.create(ContainerSpec::new("busybox").name("late")).unwrap_err();
    });
}

#[test]
fn a_stop_that_fails_is_followed_by_force() {
    on_both(|sim, _, engine| {
        let spec = ContainerSpec::new("busybox")
            .command(["sleep", "inf"])
            .grace(Duration::from_secs(1));
        let container = engine.create(spec).unwrap();
        sim.reply("POST", "/stop", Reply::Silence);
        container.shutdown().unwrap();
        assert_eq!(sim.containers(), [""; 0]);
    });
}

#[test]
fn a_drop_after_a_shutdown_that_failed_tries_again() {
    on_both(|sim, _, engine| {
        let container = engine
            .create(ContainerSpec::new("busybox").command(["sleep", "inf"]))
            .unwrap();
        sim.reply("DELETE", container.id(), Reply::Silence);
        container.shutdown_force().unwrap_err();
        assert_eq!(sim.containers().len(), 1);
    });
}

#[test]
fn one_that_stays_says_why() {
    on_both(|sim, _, engine| {
        let container = engine.create(ContainerSpec::new("busybox").name("mine")).unwrap();
        for _ in 0..1100 {
            let busy = answer(500, "{\"message\":\"unlinkat: device busy\"}");
            sim.reply("DELETE", container.id(), Reply::Open(busy));
        }
        let error = container.shutdown().unwrap_err();
        assert!(
            matches!(&error, Error::Container(ContainerError::StillThere { message, .. }) if message.contains("device busy")),
            "{error}"
        );
    });
}

#[test]
fn a_restart_does_not_wait_for_ever() {
    on_both(|sim, runtime, engine| {
        let spec = ContainerSpec::new("busybox")
            .auto_remove(false)
            .grace(Duration::from_secs(1));
        let container = engine.create(spec).unwrap();
        for _ in 0..2000 {
            let runs = answer(200, "{\"Id\":\"x\",\"State\":{\"Running\":true}}");
            sim.reply("GET", &format!("{}/json", container.id()), Reply::Open(runs));
        }
        let before = runtime.elapsed();
        let error = container.restart().unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
        let took = runtime.elapsed() - before;
        assert!(took < LIMIT + Duration::from_secs(2), "{took:?}");
        sim.remove_all();
    });
}

#[test]
fn a_pause_of_the_paused_is_refused() {
    on_both(|_, _, engine| {
        let container = engine.create(ContainerSpec::new("busybox")).unwrap();
        let error = container.unpause().unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        container.pause().unwrap();
        container.unpause().unwrap();
    });
}

#[test]
fn a_build_that_is_refused_has_failed() {
    on_both(|sim, _, engine| {
        let refusal = answer(400, "{\"message\":\"dockerfile parse error\"}");
        sim.reply("POST", "/build", Reply::Open(refusal));
        let error = engine.build_image("a:1", "x").unwrap_err();
        assert!(
            matches!(&error, Error::Image(ImageError::BuildFailed { message, .. }) if message.contains("parse error")),
            "{error}"
        );
    });
}

#[test]
fn orphans_are_swept_and_others_are_not() {
    let dead = Owner {
        pid: 1,
        started: 1,
        boot: "b".to_owned(),
        namespace: 1,
    };
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (_, engine) = connect(&sim, FakeHost::default().dead(dead.clone()));
        let owner = dead.to_string();
        let labels = [
            ("pocket-dock.managed", "true"),
            ("pocket-dock.owner", owner.as_str()),
            ("pocket-dock.name", "pd-dead"),
            ("pocket-dock.instance", "0123"),
        ];
        sim.add("pd-dead", &labels);
        // Of an image that was made of the first.
        sim.add_of_labelled("snapshot", "production", &labels);
        // And, by chance or not, of the same name as what its image was made of.
        let of_image = [labels[0], labels[1], ("pocket-dock.name", "web"), labels[3]];
        sim.add_of_labelled("hostile", "web", &of_image);
        // Of an image that has not even an instance.
        let of_image = [labels[0], labels[1], ("pocket-dock.name", "db")];
        sim.add_of_labelled("careless", "db", &of_image);
        drop(engine.create(ContainerSpec::new("busybox")).unwrap());
        assert_eq!(sim.containers(), ["production", "web", "db"], "{kind}");

        // One that cannot be removed does not hold up the first creation for long.
        sim.remove_all();
        let (runtime, engine) = connect(&sim, FakeHost::default().dead(dead.clone()));
        for name in ["pd-a", "pd-b", "pd-c", "pd-d"] {
            sim.add(name, &[labels[0], labels[1], ("pocket-dock.name", name), labels[3]]);
        }
        for _ in 0..4000 {
            let busy = answer(500, "{\"message\":\"device busy\"}");
            sim.reply("DELETE", "", Reply::Open(busy));
        }
        let before = runtime.elapsed();
        let container = engine.create(ContainerSpec::new("busybox")).unwrap();
        let took = runtime.elapsed() - before;
        assert!(
            took >= Duration::from_secs(9) && took < Duration::from_secs(12),
            "{kind}: {took:?}"
        );
        std::mem::forget(container);
    }
}

#[test]
fn a_removal_goes_on_when_its_connections_break() {
    let broken = || Reply::Close(Vec::new());
    on_both(|sim, _, engine| {
        let spec = ContainerSpec::new("busybox").auto_remove(false);
        let container = engine.create(spec.clone()).unwrap();
        let path = format!("/containers/{}", container.id());
        // The answer is lost, and so are those to the next questions.
        sim.reply("DELETE", &path, broken());
        sim.reply("DELETE", &path, broken());
        sim.reply("GET", &format!("{path}/json"), broken());
        drop(container);
        assert_eq!(sim.containers(), [""; 0], "dropped");

        // One whose start fails, likewise.
        sim.reply("POST", "/start", Reply::Close(Vec::new()));
        sim.reply("DELETE", "", broken());
        let error = engine.create(spec).unwrap_err();
        assert!(matches!(&error, Error::Protocol { .. } | Error::Socket(_)), "{error}");
    });
}

#[test]
fn a_removal_does_not_go_on_for_ever() {
    on_both(|sim, runtime, engine| {
        let container = engine.create(ContainerSpec::new("busybox").auto_remove(false)).unwrap();
        let path = format!("/containers/{}", container.id());
        for _ in 0..100 {
            sim.reply("DELETE", &path, Reply::Close(Vec::new()));
        }
        let began = runtime.elapsed();
        drop(container);
        let took = runtime.elapsed() - began;
        let bounds = Duration::from_secs(15)..Duration::from_secs(16);
        assert!(bounds.contains(&took), "{took:?}");
        sim.remove_all();
    });
}
