//! Output that is read while it comes.

use pocket_dock_core::{Channel, ExecStream, ExecSummary, LineEnd};
use pocket_dock_tests::scripted::Scripted;
use pocket_dock_tests::sim::Behaviour;

use crate::world::everywhere;

const PIECES: usize = 10_000;

/// What was written to a stream, until something was written to the other.
type Run = (Channel, Vec<u8>);

/// What a command is to write to both streams in turn: lines of many lengths, one of them longer than any frame.
fn runs() -> Vec<Run> {
    let line = |number: usize| match number {
        5_000 => "x".repeat(40_000) + "\n",
        _ => format!("{number}{}\n", "é".repeat(number % 5)),
    };
    let channels = [Channel::Stdout, Channel::Stderr].into_iter().cycle();
    channels
        .zip((0..PIECES).map(|number| line(number).into_bytes()))
        .collect()
}

/// Has a command write all that, and this read it.
fn read(wanted: &[Run], reader: impl Fn(&mut ExecStream<Scripted>, &mut Vec<Run>)) {
    everywhere(|world| {
        let behaviour = Behaviour {
            in_turn: wanted.iter().map(|(_, data)| data.clone()).collect(),
            exit_code: 3,
            ..Behaviour::default()
        };
        world.sim.command("talk", behaviour);
        let sandbox = world.container();
        let (mut stream, mut got) = (sandbox.stream("talk").unwrap(), Vec::new());
        reader(&mut stream, &mut got);
        check(&world.at, &got, wanted, &stream.result().unwrap());
    });
}

/// Appends what was read: wherever it was cut, it belongs to what came before it on the same stream.
fn join(runs: &mut Vec<Run>, channel: Channel, data: &[u8]) {
    assert!(!data.is_empty());
    match runs.last_mut().filter(|(last, _)| *last == channel) {
        Some((_, before)) => before.extend_from_slice(data),
        None => runs.push((channel, data.to_vec())),
    }
}

fn check(at: &str, got: &[Run], wanted: &[Run], ended: &ExecSummary) {
    let wrong = got.iter().zip(wanted).position(|(got, wanted)| got != wanted);
    assert_eq!((got.len(), wrong), (wanted.len(), None), "{at}");
    let bytes = |of| {
        let those = wanted.iter().filter(|(channel, _)| *channel == of);
        those.map(|(_, data)| data.len() as u64).sum::<u64>()
    };
    let counted = (ended.stdout_bytes, ended.stderr_bytes, ended.omitted_bytes);
    assert_eq!(counted, (bytes(Channel::Stdout), bytes(Channel::Stderr), 0), "{at}");
    assert_eq!(ended.exit_code, 3, "{at}");
}

#[test]
fn ten_thousand_pieces_on_both_streams_in_turn() {
    read(&runs(), |stream, got| {
        while let Some(piece) = stream.next().unwrap() {
            join(got, piece.channel, &piece.data);
        }
        assert_eq!(stream.next().unwrap(), None);
    });
}

#[test]
fn the_same_with_the_loop_of_the_language() {
    read(&runs(), |stream, got| {
        // By reference: the stream is wanted once more for its result.
        for piece in stream {
            let piece = piece.unwrap();
            join(got, piece.channel, &piece.data);
        }
    });
}

#[test]
fn the_same_as_text() {
    read(&runs(), |stream, got| {
        while let Some(piece) = stream.next_text().unwrap() {
            join(got, piece.channel, piece.text.as_bytes());
        }
    });
}

#[test]
fn the_same_by_lines() {
    read(&runs(), |stream, got| {
        while let Some(line) = stream.next_line().unwrap() {
            assert_eq!(line.line.end, LineEnd::Terminated);
            got.push((line.channel, [&line.line.data[..], b"\n"].concat()));
        }
    });
}

/// The mark of a command's end begins with an underscore, and is never output.
#[test]
fn what_may_begin_a_mark_comes_with_what_follows_on_its_stream() {
    let write = |text: &str| text.as_bytes().to_vec();
    let in_turn = ["one_", "two__PD", "_three__", "four", "five_"].map(write).to_vec();
    everywhere(|world| {
        let behaviour = Behaviour {
            in_turn: in_turn.clone(),
            ..Behaviour::default()
        };
        world.sim.command("talk", behaviour);
        let sandbox = world.container();
        let (mut stream, mut got) = (sandbox.stream("talk").unwrap(), Vec::new());
        while let Some(piece) = stream.next().unwrap() {
            join(&mut got, piece.channel, &piece.data);
        }
        let wanted = [
            (Channel::Stdout, "one"),
            (Channel::Stderr, "two"),
            (Channel::Stdout, "__three"),
            (Channel::Stderr, "__PDfour"),
            (Channel::Stdout, "__five_"),
        ];
        assert_eq!(
            got,
            wanted.map(|(channel, text)| (channel, write(text))),
            "{}",
            world.at
        );
    });
}
