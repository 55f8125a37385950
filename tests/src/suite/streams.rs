//! Output while it runs: what comes, in which order, and what is said at the end.

use std::time::Duration;

use pocket_dock_core::{Channel, Command, LineEnd, StreamChunk};

use super::reading::{rest, text};
use super::{Adapter, Bench, Verdict, check, same};

/// Lines of a long stream.
const LINES: usize = 10_000;

pub(super) fn chunks_come_in_order<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    // Each waits for the one before it to have been read.
    let line = "while read word; do case $word in *e) echo $word >&2;; *) echo $word;; esac; done; exit 3";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).keep_stdin_open()))?;
    for word in ["1", "2e", "3e", "4", "5e"] {
        bench.wait(stream.write(format!("{word}\n")))?;
        let piece = bench.wait(stream.next())?.ok_or("it is over")?;
        let channel = if word.ends_with('e') {
            Channel::Stderr
        } else {
            Channel::Stdout
        };
        same(
            "piece",
            (piece.channel, piece.data.to_vec()),
            (channel, format!("{word}\n").into_bytes()),
        )?;
    }
    stream.close_stdin();
    same("end", bench.wait(stream.next())?, None)?;
    same("end again", bench.wait(stream.next())?, None)?;
    same("exit code", bench.wait(stream.result())?.exit_code, 3)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn ten_thousand_lines_on_both_streams<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = format!("n=0; while [ $n -lt {LINES} ]; do echo out $n; echo err $n >&2; n=$((n+1)); done");
    let mut stream = bench.wait(sandbox.stream(line))?;
    let wanted = |word: &str| (0..LINES).map(|n| format!("{word} {n}\n")).collect::<String>();
    let (out, err) = text(bench, &mut stream)?;
    check(out == wanted("out") && err == wanted("err"), || {
        format!("{} and {} bytes, or others", out.len(), err.len())
    })?;
    let ended = bench.wait(stream.result())?;
    let counted = (ended.stdout_bytes, ended.stderr_bytes, ended.omitted_bytes);
    same("counted", counted, (out.len() as u64, err.len() as u64, 0))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn ten_thousand_whole_lines<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream(format!("seq {LINES}; printf last")))?;
    for number in 1..=LINES {
        let got = bench.wait(stream.next_line())?.ok_or("it is over")?;
        let whole = got.channel == Channel::Stdout && got.line.end == LineEnd::Terminated;
        check(whole && got.line.text() == number.to_string(), || {
            format!("line {number} is {got:?}")
        })?;
    }
    let last = bench.wait(stream.next_line())?.ok_or("it is over")?;
    same(
        "last",
        (&last.line.data[..], last.line.end),
        (&b"last"[..], LineEnd::Ended),
    )?;
    same("end", bench.wait(stream.next_line())?, None)?;
    check(bench.wait(stream.result())?.success(), || "it failed".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn lines_are_whole_across_frames<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = r"printf 'on'; printf 'er' >&2; sleep 0.1; printf 'e\r\n\ntwo\nth'; sleep 0.1; printf 'ror\nx' >&2; printf 'ree'";
    let mut stream = bench.wait(sandbox.stream(line))?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(got) = bench.wait(stream.next_line())? {
        let lines = match got.channel {
            Channel::Stdout => &mut out,
            Channel::Stderr => &mut err,
        };
        lines.push((got.line.text().into_owned(), got.line.end));
    }
    let full = |text: &str| (text.to_owned(), LineEnd::Terminated);
    let cut = |text: &str| (text.to_owned(), LineEnd::Ended);
    // Only a terminal makes line ends of its own; elsewhere, a carriage return is the program's.
    same("stdout", out, vec![full("one\r"), full(""), full("two"), cut("three")])?;
    same("stderr", err, vec![full("error"), cut("x")])?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_character_split_over_frames_is_whole<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = r"printf 'a\342'; sleep 0.1; printf '\202' ; printf 'e\303' >&2; sleep 0.1; printf '\254b\342'";
    let mut stream = bench.wait(sandbox.stream(line))?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = bench.wait(stream.next_text())? {
        match chunk.channel {
            Channel::Stdout => out.push(chunk.text),
            Channel::Stderr => err.push(chunk.text),
        }
    }
    let whole = out.iter().any(|text| text.starts_with('\u{20ac}'));
    check(whole && out.iter().chain(&err).all(|text| !text.is_empty()), || {
        format!("{out:?}")
    })?;
    // What never became whole is replaced at the end.
    same("stdout", out.concat(), "a\u{20ac}b\u{fffd}".to_owned())?;
    same("stderr", err.concat(), "e\u{fffd}".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn binary_output_is_exact<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "n=0; while [ $n -lt 256 ]; do printf \"\\\\$(printf %03o $n)\"; n=$((n+1)); done >/tmp/all; \
                n=0; while [ $n -lt 300 ]; do cat /tmp/all; cat /tmp/all >&2; n=$((n+1)); done";
    let mut stream = bench.wait(sandbox.stream(line))?;
    let all: Vec<u8> = (0..=255).cycle().take(300 * 256).collect();
    let (out, err) = rest(bench, &mut stream)?;
    check(out == all && err == all, || {
        format!("{} and {} bytes, or others", out.len(), err.len())
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn the_result_comes_after_the_end<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream("echo out; sleep 1; printf error >&2; exit 9"))?;
    same(
        "id",
        (stream.id().len(), stream.id().bytes().all(|b| b.is_ascii_hexdigit())),
        (32, true),
    )?;
    rest(bench, &mut stream)?;
    for _ in 0..2 {
        let ended = bench.wait(stream.result())?;
        same(
            "ended",
            (ended.exit_code, ended.timed_out, ended.success()),
            (9, false, false),
        )?;
        same(
            "counted",
            (ended.stdout_bytes, ended.stderr_bytes, ended.omitted_bytes),
            (4, 5, 0),
        )?;
        check(ended.killed.is_none(), || format!("{:?}", ended.killed))?;
        check(ended.duration >= Duration::from_millis(900), || {
            format!("{:?}", ended.duration)
        })?;
    }
    drop(stream);
    let mut killed = bench.wait(sandbox.stream("kill -9 $$"))?;
    same("exit code", bench.wait(killed.result())?.exit_code, 137)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn the_result_needs_no_reader<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream("head -c 8388608 /dev/zero; echo x >&2; exit 4"))?;
    let ended = bench.wait(stream.result())?;
    same("exit code", ended.exit_code, 4)?;
    same("counted", (ended.stdout_bytes, ended.stderr_bytes), (8 << 20, 2))?;
    same("nothing is left", bench.wait(stream.next())?, None)?;
    // Nothing at all.
    let mut stream = bench.wait(sandbox.stream("true"))?;
    same("no output", bench.wait(stream.next())?, None)?;
    let ended = bench.wait(stream.result())?;
    same(
        "counted",
        (ended.exit_code, ended.stdout_bytes, ended.stderr_bytes),
        (0, 0, 0),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn dropped_reads_lose_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "n=0; while [ $n -lt 2000 ]; do echo $n; n=$((n+1)); [ $((n % 100)) = 0 ] && sleep 0.05; done";
    let wanted: String = (0..2000).map(|n| format!("{n}\n")).collect();

    let mut stream = bench.wait(sandbox.stream(line))?;
    let mut got = Vec::new();
    for polls in (0..3).cycle().take(100) {
        if let Some(piece) = bench.adapter.wait_for_polls(stream.next(), polls) {
            got.extend_from_slice(&piece?.map(|piece| piece.data).unwrap_or_default());
        }
    }
    got.extend(rest(bench, &mut stream)?.0);
    same("pieces", String::from_utf8(got)?, wanted.clone())?;

    let mut stream = bench.wait(sandbox.stream(line))?;
    let mut got = String::new();
    for polls in (0..3).cycle().take(300) {
        if let Some(line) = bench.adapter.wait_for_polls(stream.next_line(), polls) {
            got.extend(line?.map(|line| format!("{}\n", line.line.text())));
        }
    }
    while let Some(line) = bench.wait(stream.next_line())? {
        got.push_str(&format!("{}\n", line.line.text()));
    }
    same("lines", got, wanted)?;
    // A wait for the end that is dropped is one that may be made again.
    let mut stream = bench.wait(sandbox.stream("sleep 0.5; exit 5"))?;
    for _ in 0..3 {
        drop(bench.adapter.wait_for_polls(stream.result(), 1));
    }
    same("exit code", bench.wait(stream.result())?.exit_code, 5)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn it_is_what_the_language_iterates<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let stream = bench.wait(sandbox.stream(format!("seq {LINES}; sleep 0.2; echo end >&2; exit 6")))?;
    let (mut stream, items) = bench.adapter.items(stream);
    let pieces: Vec<StreamChunk> = items.into_iter().collect::<Result<_, _>>()?;
    check(pieces.iter().all(|piece| !piece.data.is_empty()), || {
        "an empty piece".to_owned()
    })?;
    let last = pieces.last().ok_or("nothing came")?;
    same("last", (last.channel, &last.data[..]), (Channel::Stderr, &b"end\n"[..]))?;
    let out: Vec<u8> = pieces
        .iter()
        .filter(|piece| piece.channel == Channel::Stdout)
        .flat_map(|piece| piece.data.to_vec())
        .collect();
    let wanted: String = (1..=LINES).map(|n| format!("{n}\n")).collect();
    same("stdout", out, wanted.into_bytes())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 6)?;
    let (_, items) = bench.adapter.items(stream);
    same("behind the end", items.len(), 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn several_streams_of_one_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut streams = Vec::new();
    for number in 0..5 {
        let line =
            format!("echo begin {number}; until [ -e /tmp/go ]; do sleep 0.1; done; echo end {number}; exit {number}");
        streams.push(bench.wait(sandbox.stream(line))?);
    }
    bench.wait(sandbox.run("touch /tmp/go"))?;
    for (number, stream) in streams.iter_mut().enumerate() {
        same(
            "output",
            text(bench, stream)?.0,
            format!("begin {number}\nend {number}\n"),
        )?;
        same(
            "exit code",
            bench.wait(stream.result())?.exit_code,
            i32::try_from(number)?,
        )?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}
