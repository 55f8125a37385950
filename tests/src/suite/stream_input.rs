//! Input for a command whose output is read at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pocket_dock_core::{Command, Error, ExecError};

use super::reading::{read_until, rest, text, until};
use super::{Adapter, Bench, Failure, Verdict, check, same};

/// More than is held anywhere on the way.
const MUCH: usize = 8 << 20;

/// Bytes that do not repeat.
pub(super) fn noise(amount: usize) -> Bytes {
    let mut seed = 88_172_645_463_325_252_u64;
    let mut data = Vec::with_capacity(amount);
    while data.len() < amount {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        data.extend_from_slice(&seed.to_le_bytes());
    }
    data.into()
}

fn is_closed<T: std::fmt::Debug>(written: Result<T, Error>) -> Verdict {
    check(matches!(written, Err(Error::Exec(ExecError::InputClosed))), || {
        format!("{written:?}")
    })
}

pub(super) fn input_given_at_once<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream(Command::from("wc -c; echo end").stdin(noise(MUCH))))?;
    same("output", text(bench, &mut stream)?.0, format!("{MUCH}\nend\n"))?;
    // It is closed behind that, and was never open without any.
    is_closed(bench.wait(stream.write("more")))?;
    let mut stream = bench.wait(sandbox.stream("cat; echo end"))?;
    is_closed(bench.wait(stream.write("more")))?;
    stream.close_stdin();
    same("output", text(bench, &mut stream)?.0, "end\n".to_owned())?;
    // At once, and then more.
    let cat = Command::argv(["cat"]).stdin("first ").keep_stdin_open();
    let mut stream = bench.wait(sandbox.stream(cat))?;
    bench.wait(stream.write("second"))?;
    stream.close_stdin();
    same("output", text(bench, &mut stream)?.0, "first second".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn input_written_while_it_runs<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["cat"]).keep_stdin_open()))?;
    for number in 0..20 {
        bench.wait(stream.write(format!("line {number}\n")))?;
        let got = bench.wait(stream.next_line())?.ok_or("it is over")?;
        same("echo", got.line.text().into_owned(), format!("line {number}"))?;
    }
    bench.wait(stream.write(Bytes::new()))?;
    let input = stream.stdin();
    bench.wait(input.clone().write("last"))?;
    input.close();
    is_closed(bench.wait(stream.write("too late")))?;
    is_closed(bench.wait(input.write("too late")))?;
    stream.close_stdin();
    let last = bench.wait(stream.next_line())?.ok_or("it is over")?;
    same("last", last.line.text().into_owned(), "last".to_owned())?;
    same("end", bench.wait(stream.next_line())?, None)?;
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    is_closed(bench.wait(input.write("too late")))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn the_end_of_the_input_alone<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "echo ready; cat >/dev/null; echo seen; sleep 0.3; echo after; exit 5";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).keep_stdin_open()))?;
    read_until(bench, &mut stream, "ready\n")?;
    stream.close_stdin();
    same("output", text(bench, &mut stream)?.0, "seen\nafter\n".to_owned())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 5)?;
    // Dropping what writes closes nothing.
    let mut stream = bench.wait(sandbox.stream(Command::from("head -n 1").keep_stdin_open()))?;
    drop(stream.stdin());
    bench.wait(stream.write("still\n"))?;
    same("output", text(bench, &mut stream)?.0, "still\n".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn eight_mebibytes_through_a_command<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let data = noise(MUCH);
    let mut stream = bench.wait(sandbox.stream(Command::argv(["cat"]).keep_stdin_open()))?;
    let input = stream.stdin();
    let got = std::thread::scope(|scope| {
        let writer = scope.spawn(|| -> Verdict {
            // Pieces of every size, none of them a power of two.
            let mut left = data.clone();
            let mut size = 1;
            while !left.is_empty() {
                bench.wait(input.write(left.split_to(size.min(left.len()))))?;
                size = size * 3 % 300_007 + 1;
            }
            input.close();
            Ok(())
        });
        let got = rest(bench, &mut stream)?.0;
        writer.join().map_err(|_| "the writer panicked")??;
        Ok::<_, Failure>(got)
    })?;
    check(got == data, || format!("{} bytes came back, or others", got.len()))?;
    let ended = bench.wait(stream.result())?;
    same("ended", (ended.exit_code, ended.stdout_bytes), (0, MUCH as u64))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_writer_waits_for_the_command<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "until [ -e /tmp/go ]; do sleep 0.1; done; wc -c";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).keep_stdin_open()))?;
    let input = stream.stdin();
    let written = AtomicUsize::new(0);
    std::thread::scope(|scope| -> Verdict {
        let so_far = || written.load(Ordering::Relaxed);
        let writer = scope.spawn(|| -> Verdict {
            let piece = Bytes::from(vec![b'x'; 1 << 16]);
            for _ in 0..MUCH >> 16 {
                bench.wait(input.write(piece.clone()))?;
                written.fetch_add(piece.len(), Ordering::Relaxed);
            }
            input.close();
            Ok(())
        });
        // What the system and the engine take is soon full.
        let (mut last, mut seen) = (0, 0);
        until(bench, "the writer waits", || {
            seen = if so_far() == last && last > 0 { seen + 1 } else { 0 };
            last = so_far();
            bench.adapter.pause(Duration::from_millis(50));
            Ok(seen >= 10)
        })?;
        check(last < MUCH, || "all of it was taken, and by whom".to_owned())?;
        bench.wait(sandbox.run("touch /tmp/go"))?;
        same("output", text(bench, &mut stream)?.0, format!("{MUCH}\n"))?;
        writer.join().map_err(|_| "the writer panicked")?
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_write_wrote_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["cat"]).keep_stdin_open()))?;
    let mut wanted = String::new();
    for number in 0..50 {
        let word = format!("{number} ");
        match bench.adapter.wait_for_polls(stream.write(word.clone()), number % 2) {
            Some(written) => {
                written?;
                wanted.push_str(&word);
            }
            None => check(number % 2 == 0, || "there was room, and it waited".to_owned())?,
        }
    }
    stream.close_stdin();
    same("output", text(bench, &mut stream)?.0, wanted)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Input that nobody takes holds up neither the output nor the end.
pub(super) fn a_command_ends_before_its_input<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let data = noise(MUCH);
    let line = "head -c 1 >/dev/null; echo out; echo err >&2; exit 7";
    let ended = |stream: &mut _| -> Verdict {
        same("output", text(bench, stream)?, ("out\n".to_owned(), "err\n".to_owned()))?;
        same("exit code", bench.wait(stream.result())?.exit_code, 7)?;
        is_closed(bench.wait(stream.write("more")))
    };
    let mut stream = bench.wait(sandbox.stream(Command::from(line).stdin(data.clone())))?;
    ended(&mut stream)?;
    let mut stream = bench.wait(sandbox.stream(Command::from(line).keep_stdin_open()))?;
    let input = stream.stdin();
    std::thread::scope(|scope| -> Verdict {
        let writer = scope.spawn(|| {
            let mut left = data.clone();
            while !left.is_empty() {
                if let Err(error) = bench.wait(input.write(left.split_to(65_536))) {
                    return Some(error);
                }
            }
            None
        });
        ended(&mut stream)?;
        let failure = writer.join().map_err(|_| "the writer panicked")?;
        is_closed(failure.map_or(Ok(()), Err))
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}
