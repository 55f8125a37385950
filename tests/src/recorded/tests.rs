use std::io::ErrorKind;

use pocket_dock_core::Endpoint;

use super::*;
use crate::scripted::{Peer as _, Sent};
use crate::suite::cases;

fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

fn case(name: &str) -> Case<Recorded> {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// How a case ends when its recording was changed.
fn changed(engine: &str, name: &str, change: impl FnOnce(&mut Recording)) -> String {
    let (mut recording, case) = (load(engine, name).unwrap(), case(name));
    replay(&recording, &case, Split::Whole).unwrap();
    change(&mut recording);
    replay(&recording, &case, Split::Whole).unwrap_err().to_string()
}

fn stream(recording: &mut Recording) -> &mut Vec<Event> {
    let started = |exchange: &&mut Exchange| exchange.line().contains("/exec/") && exchange.is_upgraded();
    &mut recording.exchanges.iter_mut().find(started).unwrap().events
}

/// What came of an exec's output with these bytes in it.
fn output<'a>(recording: &'a mut Recording, part: &[u8]) -> (&'a mut bytes::Bytes, usize) {
    let came = stream(recording).iter_mut().find_map(|event| match &mut event.what {
        What::Came(bytes) => {
            let at = bytes.windows(part.len()).position(|window| window == part)?;
            Some((bytes, at))
        }
        _ => None,
    });
    came.unwrap()
}

#[test]
fn a_changed_recording_fails() {
    for engine in ["docker-28", "podman-5.8"] {
        let path = |recording: &mut Recording| {
            let exchange = &mut recording.exchanges[2];
            let line = exchange.line().replacen("containers", "container_", 1);
            let rest = exchange.request.split_off(line.len());
            exchange.request = [line.as_bytes(), &rest].concat();
        };
        let failure = changed(engine, "no_network_by_default", path);
        assert!(
            failure.contains("differs from what was recorded") && failure.contains("cargo lab record"),
            "{failure}"
        );

        // One byte less in a frame: the header of the next one is taken for its end.
        let frame = |recording: &mut Recording| {
            let (bytes, at) = output(recording, b"a\0b\xff");
            *bytes = [&bytes[..at], &bytes[at + 1..]].concat().into();
        };
        let failure = changed(engine, "stdout_and_stderr_are_apart_and_exact", frame);
        assert!(failure.contains("stdout"), "{failure}");

        let other = |recording: &mut Recording| {
            let (bytes, at) = output(recording, b"lo\n");
            *bytes = [&bytes[..at], b"l0", &bytes[at + 2..]].concat().into();
        };
        let failure = changed(engine, "no_network_by_default", other);
        assert!(failure.contains("interfaces"), "{failure}");

        // The connection that keeps the container alive is closed with it, and not before.
        let leash = |recording: &mut Recording| {
            let attached = |exchange: &&mut Exchange| exchange.line().contains("/attach?");
            let exchange = recording.exchanges.iter_mut().find(attached).unwrap();
            exchange.closed = exchange.closed.map(|_| micros(0));
        };
        let failure = changed(engine, "no_network_by_default", leash);
        assert!(failure.contains("is open this time"), "{failure}");

        let more = |recording: &mut Recording| {
            let mut extra = recording.exchanges[2].clone();
            extra.at = Duration::from_secs(3600);
            extra.request = b"DELETE /x HTTP/1.1\r\n\r\n".to_vec();
            recording.exchanges.push(extra);
        };
        let failure = changed(engine, "no_network_by_default", more);
        assert!(failure.contains("was not sent this time"), "{failure}");

        let name = |recording: &mut Recording| recording.salt += 1;
        changed(engine, "labels_and_name", name);

        let asked = |recording: &mut Recording| recording.questions.clear();
        let failure = changed(engine, "labels_and_name", asked);
        assert!(failure.contains("was not asked"), "{failure}");

        let input = |recording: &mut Recording| {
            let sent = stream(recording).iter_mut().find_map(|event| match &mut event.what {
                What::Sent(input) => Some(input),
                _ => None,
            });
            *sent.unwrap() = Input::of(b"1\n2\n38\n".to_vec());
        };
        let failure = changed(engine, "python_runs", input);
        assert!(failure.contains("other input is sent"), "{failure}");
    }
}

#[test]
fn what_answers_to_input_is_not_said_before_the_input_came() {
    let event = |after, what| Event {
        after: micros(after),
        what,
    };
    let request = "POST /exec/1/start HTTP/1.1\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}";
    let came = |text: &'static str| What::Came(text.into());
    let exchange = Exchange {
        closed: Some(micros(60)),
        at: micros(1000),
        request: request.into(),
        events: vec![
            event(10, came("HTTP/1.1 101 UPGRADED\r\n\r\n")),
            event(20, What::Sent(Input::of(b"abcd".to_vec()))),
            event(25, came("x")),
            event(30, What::Finished),
            event(50, came("yz")),
            event(51, What::Ended),
        ],
        thread: 0,
    };
    let recording = Recording {
        exchanges: vec![exchange],
        ..Recording::default()
    };
    let shelf = Shelf::new(recording);
    let mut peer = Playing(shelf.clone());
    let mut wire = peer.connect(&Endpoint::unix("/"), Duration::ZERO).unwrap();
    let nothing = Sent::Nothing;
    for byte in request.bytes() {
        assert_eq!(wire.send(micros(5000), 9), nothing);
        assert_eq!(wire.receive(micros(5000), &[byte]), Ok(1));
    }
    assert_eq!(peer.next_event(micros(5000)), Some(micros(5010)));
    assert_eq!(wire.send(micros(5009), 9), nothing);
    assert_eq!(wire.send(micros(5010), 8), Sent::Bytes(b"HTTP/1.1".to_vec()));
    assert_eq!(
        wire.send(micros(5010), 99),
        Sent::Bytes(b" 101 UPGRADED\r\n\r\n".to_vec())
    );
    // The engine waits for four bytes, however long that takes.
    assert_eq!(peer.next_event(micros(5010)), None);
    assert_eq!(wire.receive(micros(7000), b"abc"), Ok(3));
    assert_eq!(wire.send(micros(9999), 9), nothing);
    assert_eq!(wire.receive(micros(9999), b"d"), Ok(1));
    assert_eq!(wire.send(micros(10_003), 9), nothing);
    assert_eq!(wire.send(micros(10_004), 9), Sent::Bytes(b"x".to_vec()));
    assert_eq!(
        (wire.send(micros(20_000), 9), peer.next_event(micros(10_004))),
        (nothing, None)
    );
    wire.finish(micros(20_000));
    assert_eq!(peer.next_event(micros(20_000)), Some(micros(20_020)));
    assert_eq!(wire.send(micros(20_020), 9), Sent::Bytes(b"yz".to_vec()));
    assert_eq!(wire.send(micros(20_020), 9), Sent::Nothing);
    assert_eq!(wire.send(micros(20_021), 9), Sent::Eof);
    drop(wire);
    assert_eq!((shelf.complaint(), shelf.unused()), (None, None));
    let mut again = peer.connect(&Endpoint::unix("/"), Duration::ZERO).unwrap();
    assert_eq!(
        again.receive(micros(30_000), request.as_bytes()),
        Err(ErrorKind::InvalidData)
    );
    assert!(
        shelf
            .complaint()
            .unwrap()
            .contains("everything that was recorded has been sent")
    );
}
