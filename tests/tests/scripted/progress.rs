//! Builds and uploads, whose answers are read as they come.

use pocket_dock_core::{Engine, Error, ImageError, Limits, Options, ProtocolError};
use pocket_dock_tests::scripted::Scripted;
use pocket_dock_tests::sim::Reply;

use crate::world::{World, everywhere};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

/// Another client, that believes little.
fn strict(world: &World) -> Engine<Scripted> {
    let mut limits = Limits::default();
    (limits.body_bytes, limits.line_bytes) = (3000, 300);
    let options = Options::new().socket("/run/engine.sock").limits(limits);
    Engine::connect_with(world.runtime.clone(), options).unwrap()
}

#[test]
fn a_stream_may_be_long_and_its_end_is_kept() {
    everywhere(|world| {
        let engine = strict(world);
        let steps: String = (0..100)
            .map(|at| format!("{{\"stream\":\"Step {at} of many\\n\"}}\r\n"))
            .collect();
        let answer = format!("{HEAD}{steps}{{\"aux\":{{\"ID\":\"sha256:12\"}}}}\r\n");
        world.sim.reply("POST", "/build", Reply::Close(answer.into_bytes()));
        let built = engine.build_image("a:1", &b"tar"[..]).unwrap();
        assert_eq!(built.id, "sha256:12", "{}", world.at);
        assert_eq!(built.log.lines().count(), 20, "{}", world.at);
        assert!(
            built.log.ends_with("Step 99 of many\n"),
            "{}: {:?}",
            world.at,
            built.log
        );

        let answer = format!("{HEAD}{steps}{{\"error\":\"exit 3\"}}\n{{\"error\":\"second\"}}\n");
        world.sim.reply("POST", "/build", Reply::Close(answer.into_bytes()));
        let error = engine.build_image("a:1", &b"tar"[..]).unwrap_err();
        let Error::Image(ImageError::BuildFailed { message, log }) = &error else {
            panic!("{}: {error}", world.at);
        };
        assert_eq!((message.as_str(), log.lines().count()), ("exit 3", 20), "{}", world.at);
    });
}

#[test]
fn a_line_without_an_end_is_not_collected() {
    everywhere(|world| {
        let head = format!("{HEAD}{{\"stream\":\"");
        let reply = Reply::Endless(head.into_bytes(), b"x".to_vec());
        world.sim.reply("POST", "/images/load", reply);
        let error = strict(world).load_image(&b"tar"[..]).unwrap_err();
        let Error::Protocol { source, .. } = &error else {
            panic!("{}: {error}", world.at);
        };
        let over = matches!(source, ProtocolError::OverLimit { limit: 300, .. });
        assert!(over, "{}: {error}", world.at);
    });
}

#[test]
fn a_stream_that_breaks_off_is_no_success() {
    everywhere(|world| {
        let answer = format!("{HEAD}{{\"stream\":\"Loaded");
        world
            .sim
            .reply("POST", "/images/load", Reply::Close(answer.into_bytes()));
        let error = strict(world).load_image(&b"tar"[..]).unwrap_err();
        let Error::Protocol { source, .. } = &error else {
            panic!("{}: {error}", world.at);
        };
        assert!(
            matches!(source, ProtocolError::Truncated { .. }),
            "{}: {error}",
            world.at
        );
    });
}
