//! Engines and containers: what they are, how they begin and how they end.

use std::io::ErrorKind;
use std::time::Duration;

use pocket_dock_core::{
    ContainerError, ContainerSpec, Endpoint, Engine, EngineKind, Error, ImageError, Options, Signal,
};
use pocket_dock_tests::scripted::{Connection, FakeHost, Peer, Scripted, Split};
use pocket_dock_tests::sim::Reply;

use crate::world::everywhere;

#[test]
fn an_engine_is_recognised() {
    everywhere(|world| {
        assert_eq!(world.engine.kind(), world.kind, "{}", world.at);
        let version = if world.kind == EngineKind::Docker {
            "28.5.2"
        } else {
            "5.8.1"
        };
        assert_eq!(world.engine.version(), version, "{}", world.at);
        let names: Vec<String> = world
            .engine
            .images()
            .unwrap()
            .into_iter()
            .flat_map(|image| image.names)
            .collect();
        let named = |name: &str| names.iter().any(|one| one.ends_with(name));
        assert!(
            named("busybox:latest") && named("distroless:latest"),
            "{}: {names:?}",
            world.at
        );
    });
}

#[test]
fn containers_that_cannot_be_made_leave_nothing() {
    everywhere(|world| {
        let create = |spec: ContainerSpec| world.engine.create(spec).unwrap_err();
        let error = create(ContainerSpec::new("nosuch"));
        assert!(
            matches!(&error, Error::Image(ImageError::NotFound { image, .. }) if image == "nosuch"),
            "{error}"
        );
        let error = create(ContainerSpec::new("busybox").command(["/nope"]));
        assert!(
            matches!(error, Error::Container(ContainerError::StartFailed { .. })),
            "{}: {error}",
            world.at
        );
        let error = create(ContainerSpec::new("busybox").memory(1 << 20));
        assert!(
            matches!(
                error,
                Error::Container(ContainerError::BadMemory { bytes: 1_048_576, .. })
            ),
            "{}: {error}",
            world.at
        );
        assert_eq!(world.sim.containers(), [""; 0], "{}", world.at);
        let first = world.engine.create(ContainerSpec::new("busybox").name("mine")).unwrap();
        let error = create(ContainerSpec::new("busybox").name("mine"));
        assert!(
            matches!(&error, Error::Container(ContainerError::NameInUse { name, .. }) if name == "mine"),
            "{error}"
        );
        assert_eq!(first.run("echo still here").unwrap().exit_code, 0, "{}", world.at);
    });
}

#[test]
fn a_container_that_does_not_run_is_told_apart() {
    everywhere(|world| {
        let container = world.container();
        assert_eq!(container.inspect().unwrap().status, "running", "{}", world.at);
        container.pause().unwrap();
        assert!(container.inspect().unwrap().paused, "{}", world.at);
        let error = container.run("true").unwrap_err();
        assert!(
            matches!(error, Error::Container(ContainerError::Paused { .. })),
            "{}: {error}",
            world.at
        );
        container.unpause().unwrap();
        assert!(container.run("true").unwrap().success(), "{}", world.at);
        world.sim.end_all();
        let error = container.run("true").unwrap_err();
        assert!(
            matches!(error, Error::Container(ContainerError::NotRunning { .. })),
            "{}: {error}",
            world.at
        );
        let error = container.pause().unwrap_err();
        assert!(
            matches!(error, Error::Container(ContainerError::NotRunning { .. })),
            "{}: {error}",
            world.at
        );
        let state = container.inspect().unwrap();
        assert!(!state.running && state.exit_code == Some(1), "{}: {state:?}", world.at);
        world.sim.remove_all();
        let error = container.run("true").unwrap_err();
        assert!(
            matches!(error, Error::Container(ContainerError::Gone { .. })),
            "{}: {error}",
            world.at
        );
        let error = container.inspect().unwrap_err();
        assert!(
            matches!(error, Error::Container(ContainerError::Gone { .. })),
            "{}: {error}",
            world.at
        );
        container.shutdown().unwrap();
        container.shutdown_force().unwrap();
    });
}

#[test]
fn containers_end_in_every_way() {
    everywhere(|world| {
        let stubborn = || {
            ContainerSpec::new("busybox")
                .command(["sleep", "inf"])
                .grace(Duration::from_secs(4))
        };
        drop(world.container());
        assert_eq!(world.sim.containers(), [""; 0], "{}: dropped", world.at);

        world.container().shutdown().unwrap();
        assert_eq!(world.sim.containers(), [""; 0], "{}: shut down", world.at);
        assert!(world.runtime.elapsed() < Duration::from_secs(2), "{}", world.at);

        let container = world.engine.create(stubborn()).unwrap();
        let before = world.runtime.elapsed();
        container.shutdown().unwrap();
        let took = world.runtime.elapsed() - before;
        assert!(
            took >= Duration::from_secs(4) && took < Duration::from_secs(5),
            "{}: {took:?}",
            world.at
        );

        let container = world.engine.create(stubborn()).unwrap();
        let before = world.runtime.elapsed();
        container.shutdown_force().unwrap();
        assert!(
            world.runtime.elapsed() - before < Duration::from_secs(1),
            "{}",
            world.at
        );
        assert_eq!(world.sim.containers(), [""; 0], "{}: forced", world.at);

        let container = world.container();
        container.kill(Signal::Kill).unwrap();
        world.sim.settle();
        let error = container.wait().unwrap_err();
        assert!(
            matches!(error, Error::Container(ContainerError::Gone { .. })),
            "{}: {error}",
            world.at
        );
    });
}

#[test]
fn one_that_has_ended_is_not_waited_for() {
    everywhere(|world| {
        let container = world.container();
        world.sim.end_all();
        assert_eq!(container.wait(), Ok(1), "{}", world.at);
        // An engine that does not even begin to answer is not waited for either.
        world.sim.reply("POST", "/wait", Reply::Silence);
        let error = container.wait().unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{}: {error}", world.at);
        container.shutdown().unwrap();
    });
}

#[test]
fn a_user_that_is_not_in_the_image_is_named() {
    everywhere(|world| {
        let spec = ContainerSpec::new("busybox").user("stranger");
        let error = world.engine.create(spec).unwrap_err();
        let named = matches!(&error, Error::Container(ContainerError::NoUser { user, message }) if user == "stranger" && message.contains("passwd"));
        assert!(named, "{}: {error}", world.at);
    });
}

/// What a runtime without I/O says of every socket.
#[derive(Debug)]
struct WithoutIo;

impl Peer for WithoutIo {
    fn connect(&mut self, _: &Endpoint, _: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        Err(ErrorKind::Unsupported)
    }
}

#[test]
fn a_runtime_without_io_is_no_settings_fault() {
    let hosts = [
        FakeHost::default(),
        FakeHost::default().with_variable("DOCKER_HOST", "unix:///run/engine.sock"),
    ];
    for host in hosts {
        let runtime = Scripted::with_host(WithoutIo, Split::Whole, host);
        let error = Engine::connect_with(runtime, Options::new()).unwrap_err();
        let told =
            matches!(&error, Error::Misuse(text) if text.contains("enable_all") && !text.contains("DOCKER_HOST"));
        assert!(told, "{error}");
    }
}

#[test]
fn an_end_that_the_engine_loses_is_seen_all_the_same() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    everywhere(|world| {
        for auto_remove in [false, true] {
            let spec = ContainerSpec::new("busybox").auto_remove(auto_remove);
            let container = world.engine.create(spec).unwrap();
            // It is killed long after this call has given up, in the middle of the wait.
            let kill = Reply::DoneAfter(Duration::from_secs(95));
            world.sim.reply("POST", "/kill", kill);
            container.kill(Signal::Kill).unwrap_err();
            let head = Reply::Open(HEAD.as_bytes().to_vec());
            world.sim.reply("POST", "/wait", head);
            let before = world.runtime.elapsed();
            let ended = container.wait();
            let took = world.runtime.elapsed() - before;
            assert!(took > Duration::from_secs(30), "{}: {took:?}", world.at);
            assert!(took < Duration::from_secs(50), "{}: {took:?}", world.at);
            if auto_remove {
                let gone = matches!(&ended, Err(Error::Container(ContainerError::Gone { .. })));
                assert!(gone, "{}: {ended:?}", world.at);
            } else {
                assert_eq!(ended, Ok(137), "{}", world.at);
            }
            container.shutdown().unwrap();
        }
    });
}

#[test]
fn a_paused_one_goes_on_for_its_end() {
    everywhere(|world| {
        let spec = || ContainerSpec::new("busybox").auto_remove(false);
        let container = world.engine.create(spec()).unwrap();
        container.pause().unwrap();
        container.start().unwrap();
        assert!(!container.inspect().unwrap().paused, "{}", world.at);
        assert!(container.run("true").unwrap().success(), "{}", world.at);
        container.pause().unwrap();
        container.stop().unwrap();
        assert_eq!(container.inspect().unwrap().exit_code, Some(0), "{}", world.at);
        container.shutdown().unwrap();

        for (signal, code) in [(Signal::Term, 0), (Signal::Kill, 137)] {
            let container = world.engine.create(spec()).unwrap();
            container.pause().unwrap();
            container.kill(signal).unwrap();
            assert_eq!(container.inspect().unwrap().exit_code, Some(code), "{}", world.at);
            container.shutdown().unwrap();
        }

        let stubborn = || {
            ContainerSpec::new("busybox")
                .command(["sleep", "inf"])
                .grace(Duration::from_secs(4))
        };
        let container = world.engine.create(stubborn().auto_remove(false)).unwrap();
        container.pause().unwrap();
        container.restart().unwrap();
        assert_eq!(container.inspect().unwrap().status, "running", "{}", world.at);
        container.shutdown_force().unwrap();

        // Its grace is its own also where it is paused.
        for force in [false, true] {
            let container = world.engine.create(stubborn()).unwrap();
            container.pause().unwrap();
            let before = world.runtime.elapsed();
            if force {
                container.shutdown_force().unwrap();
            } else {
                container.shutdown().unwrap();
            }
            let took = world.runtime.elapsed() - before;
            assert_eq!(took < Duration::from_secs(4), force, "{}: {took:?}", world.at);
            assert!(took < Duration::from_secs(5), "{}: {took:?}", world.at);
        }
        let container = world.container();
        container.pause().unwrap();
        drop(container);
    });
}

#[test]
fn one_that_cannot_be_frozen_at_once_is_paused_later() {
    const BUSY: &str = "{\"message\":\"cannot pause: OCI runtime pause failed: unable to freeze: unknown\"}";
    let busy = || {
        let head = format!("HTTP/1.1 500 X\r\nContent-Length: {}\r\n\r\n", BUSY.len());
        Reply::Open((head + BUSY).into_bytes())
    };
    everywhere(|world| {
        let container = world.container();
        for _ in 0..3 {
            world.sim.reply("POST", "/pause", busy());
        }
        container.pause().unwrap();
        assert!(container.inspect().unwrap().paused, "{}", world.at);
        assert_eq!(world.sim.count("POST", "/pause"), 4, "{}", world.at);
        container.unpause().unwrap();
        for _ in 0..500 {
            world.sim.reply("POST", "/pause", busy());
        }
        let before = world.runtime.elapsed();
        let error = container.pause().unwrap_err();
        assert!(
            matches!(error, Error::Refused { status: 500, .. }),
            "{}: {error}",
            world.at
        );
        let took = world.runtime.elapsed() - before;
        assert!(took < Duration::from_secs(11), "{}: {took:?}", world.at);
    });
}

#[test]
fn no_limit_is_too_long() {
    everywhere(|world| {
        let options = Options::new().socket("/run/engine.sock").answer_limit(Duration::MAX);
        let engine = Engine::connect_with(world.runtime.clone(), options).unwrap();
        let container = engine.create(ContainerSpec::new("busybox").auto_remove(false)).unwrap();
        container.restart().unwrap();
        container.stop().unwrap();
        container.shutdown().unwrap();
        let error = engine
            .create(ContainerSpec::new("busybox").grace(Duration::MAX))
            .unwrap_err();
        assert!(
            matches!(&error, Error::Misuse(text) if text.contains("grace")),
            "{}: {error}",
            world.at
        );
    });
}
