//! Answers and streams that are none.

use std::time::Duration;

use pocket_dock_core::{Command, ContainerSpec, Engine, EngineKind, Error, ProtocolError, SocketError};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::{Fault, Faulty, Reply, Sim};

use crate::common::{ANSWER_LIMIT, KINDS, MOST_BYTES, connect, is_typed, options};

fn over_limit(error: &Error) -> bool {
    matches!(
        error,
        Error::Protocol {
            source: ProtocolError::OverLimit { .. },
            ..
        }
    )
}

fn malformed(error: &Error) -> bool {
    matches!(
        error,
        Error::Protocol {
            source: ProtocolError::Malformed { .. },
            ..
        }
    )
}

fn truncated(error: &Error) -> bool {
    matches!(
        error,
        Error::Protocol {
            source: ProtocolError::Truncated { .. },
            ..
        }
    )
}

fn deadline(error: &Error) -> bool {
    matches!(error, Error::Deadline { .. })
}

/// What an error is to be.
type Expected = fn(&Error) -> bool;

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunked(rest: &[u8]) -> Vec<u8> {
    [CHUNKED, rest].concat()
}

/// Answers that are none, and what they are taken for.
fn wrong_answers() -> Vec<(Reply, Expected)> {
    let ok = || b"HTTP/1.1 200 OK\r\n".to_vec();
    let length = |length: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    vec![
        (Reply::Silence, deadline),
        (Reply::Close(Vec::new()), truncated),
        (Reply::Endless(ok(), b"X-Header: value\r\n".to_vec()), over_limit),
        (Reply::Endless(ok(), b"a".to_vec()), over_limit),
        (
            Reply::Endless(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
            over_limit,
        ),
        (Reply::Endless(Vec::new(), b"\0".to_vec()), malformed),
        (
            Reply::Endless(length("18446744073709551615"), b"[".to_vec()),
            over_limit,
        ),
        (Reply::Open(length("18446744073709551615")), deadline),
        (Reply::Open(length("18446744073709551616")), malformed),
        (Reply::Open(length("-1")), malformed),
        (Reply::Open(length("")), malformed),
        (
            Reply::Endless(chunked(b"ffffffffffffffff\r\n"), b"[".to_vec()),
            over_limit,
        ),
        (Reply::Open(chunked(b"ffffffffffffffff\r\n[")), deadline),
        (Reply::Close(chunked(b"ffffffffffffffff\r\n[")), truncated),
        (Reply::Open(chunked(b"10000000000000000\r\n[")), malformed),
        (Reply::Open(chunked(b"\r\n[]")), malformed),
        (Reply::Endless(chunked(b"1;"), b"x".to_vec()), over_limit),
        (Reply::Endless(chunked(b""), b"1\r\n[\r\n".to_vec()), over_limit),
        (
            Reply::Endless(chunked(b"2\r\n[]\r\n0\r\n"), b"T: x\r\n".to_vec()),
            over_limit,
        ),
        (
            Reply::Endless([ok(), b"\r\n".to_vec()].concat(), b"[".to_vec()),
            over_limit,
        ),
        (Reply::Close([ok(), b"\r\n[".to_vec()].concat()), malformed),
        (Reply::Open(length("2").into_iter().chain(*b"{]").collect()), malformed),
        (Reply::Open(b"HTTP/1.1 101 UPGRADED\r\n\r\n".to_vec()), malformed),
    ]
}

#[test]
fn an_answer_that_is_none_is_an_error_that_says_so() {
    for kind in KINDS {
        for split in [Split::Whole, Split::Seeded(3)] {
            for (reply, expected) in wrong_answers() {
                let sim = Sim::new(kind);
                let (runtime, engine) = connect(&sim, split);
                let at = format!("{kind}, {split:?}, {reply:?}");
                sim.reply("GET", "/images/json", reply);
                let error = engine.images().unwrap_err();
                assert!(expected(&error), "{at}: {error}");
                assert!(runtime.elapsed() < 2 * ANSWER_LIMIT, "{at}: {:?}", runtime.elapsed());
                assert!(
                    runtime.most_received() <= MOST_BYTES,
                    "{at}: {} bytes",
                    runtime.most_received()
                );
                assert_eq!(engine.images().unwrap().len(), 2, "{at}: the next call is not spoilt");
            }
        }
    }
}

#[test]
fn a_container_that_may_have_been_made_is_removed() {
    for kind in KINDS {
        for reply in [
            Reply::DoneThenClose(Vec::new()),
            Reply::DoneThenClose(b"HTTP/1.1 201 Created\r\nContent-Le".to_vec()),
            Reply::DoneThenClose(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{\"Id\":".to_vec()),
            Reply::DoneThenClose(b"nonsense\r\n\r\n".to_vec()),
            Reply::DoneThenClose(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{]".to_vec()),
            Reply::DoneThenClose(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}".to_vec()),
        ] {
            let sim = Sim::new(kind);
            let (_, engine) = connect(&sim, Split::Whole);
            sim.reply("POST", "/containers/create", reply.clone());
            let error = engine.create(ContainerSpec::new("busybox")).unwrap_err();
            assert!(is_typed(&error), "{kind}, {reply:?}: {error}");
            sim.settle();
            assert_eq!(
                sim.containers(),
                [""; 0],
                "{kind}, {reply:?}: left behind after: {error}"
            );
            assert_eq!(
                sim.requests()
                    .iter()
                    .filter(|request| request.method == "DELETE")
                    .count(),
                1,
                "{reply:?}"
            );
        }
    }
}

#[test]
fn somebody_elses_container_is_not_removed_for_ours() {
    for kind in KINDS {
        let sim = Sim::new(kind);
        let (_, engine) = connect(&sim, Split::Whole);
        let theirs = engine.create(ContainerSpec::new("busybox").name("taken")).unwrap();
        sim.reply("POST", "/containers/create", Reply::Close(Vec::new()));
        let error = engine.create(ContainerSpec::new("busybox").name("taken")).unwrap_err();
        assert!(is_typed(&error), "{kind}: {error}");
        assert_eq!(sim.containers(), ["taken"], "{kind}");
        assert!(theirs.run("true").unwrap().success(), "{kind}");
    }
}

const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

#[test]
fn a_stream_that_lies_ends_the_call() {
    let stream = |rest: &[u8]| [UPGRADED, rest].concat();
    let cases: [(Reply, Expected); 6] = [
        (Reply::Open(stream(b"\x01\0\0\0\xff\xff\xff\xff")), over_limit),
        (
            Reply::Endless(stream(b"\x01\0\0\0\xff\xff\xff\xff"), b"x".to_vec()),
            over_limit,
        ),
        (Reply::Open(stream(b"\x09\0\0\0\0\0\0\x01")), malformed),
        (Reply::Open(stream(b"\x01\x01\0\0\0\0\0\x01")), malformed),
        (Reply::Close(stream(b"\x01\0\0\0\0\0\0\x09half")), truncated),
        (Reply::Open(stream(b"\x03\0\0\0\0\0\0\x04swarm")), malformed),
    ];
    for kind in KINDS {
        for split in Split::EACH {
            for (reply, expected) in cases.clone() {
                let sim = Sim::new(kind);
                let (runtime, engine) = connect(&sim, split);
                let container = engine.create(ContainerSpec::new("busybox")).unwrap();
                sim.reply("POST", "/start", reply.clone());
                let error = container.run("true").unwrap_err();
                assert!(expected(&error), "{kind}, {split:?}, {reply:?}: {error}");
                assert!(
                    runtime.most_received() <= MOST_BYTES,
                    "{kind}, {reply:?}: {}",
                    runtime.most_received()
                );
                assert!(container.run("true").unwrap().success(), "{kind}, {reply:?}");
            }
        }
    }
}

#[test]
fn output_without_an_end_is_cut_off_at_the_deadline() {
    let frame = [b"\x01\0\0\0\0\0\x10\0", &[b'\n'; 4096][..]].concat();
    let empty = b"\x02\0\0\0\0\0\0\0".to_vec();
    for kind in KINDS {
        for pattern in [frame.clone(), empty.clone()] {
            let sim = Sim::new(kind);
            let (runtime, engine) = connect(&sim, Split::Whole);
            let container = engine.create(ContainerSpec::new("busybox")).unwrap();
            sim.reply("POST", "/start", Reply::Endless(UPGRADED.to_vec(), pattern));
            let command = Command::shell("yes")
                .timeout(Duration::from_micros(50))
                .output_limit(1000);
            let result = container.run(command).unwrap();
            assert!(result.timed_out, "{kind}: {result:?}");
            assert!(result.stdout.head.len() + result.stdout.tail.len() <= 1000, "{kind}");
            assert!(
                runtime.most_received() <= MOST_BYTES,
                "{kind}: {}",
                runtime.most_received()
            );
        }
    }
}

#[test]
fn a_socket_without_an_engine_is_told_apart() {
    let sim = Sim::new(EngineKind::Docker);
    sim.reply(
        "GET",
        "/_ping",
        Reply::Open(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK".to_vec()),
    );
    let runtime = Scripted::new(sim, Split::Bytes);
    let error = Engine::connect_with(runtime, options()).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let runtime = Scripted::new(Faulty::new(Sim::new(EngineKind::Podman), Fault::Death, 0), Split::Whole);
    assert!(truncated(
        &Engine::connect_with(runtime.clone(), options()).unwrap_err()
    ));
    let error = Engine::connect_with(runtime, options()).unwrap_err();
    assert!(matches!(error, Error::Socket(SocketError::Connect { .. })), "{error}");
}
