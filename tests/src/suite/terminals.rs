//! Commands on a terminal.

use std::time::Duration;

use pocket_dock_core::{Channel, Command, ContainerSpec, Error, ExecError};

use super::reading::{Stream, read_until, running, text};
use super::{Adapter, Bench, Verdict, check, same};
use crate::lab::images;

pub(super) fn a_terminal_has_one_raw_stream<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "echo out; echo err >&2; printf last; exit 5";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).tty(80, 24)))?;
    same(
        "output",
        text(bench, &mut stream)?,
        ("out\r\nerr\r\nlast".to_owned(), String::new()),
    )?;
    let ended = bench.wait(stream.result())?;
    same(
        "ended",
        (ended.exit_code, ended.stdout_bytes, ended.stderr_bytes),
        (5, 14, 0),
    )?;
    // By whole lines, the ends that the terminal made are no part of them.
    let mut stream = bench.wait(sandbox.stream(Command::from(line).tty(80, 24)))?;
    let mut lines = Vec::new();
    while let Some(got) = bench.wait(stream.next_line())? {
        same("channel", got.channel, Channel::Stdout)?;
        lines.push(got.line.text().into_owned());
    }
    same("lines", lines, ["out", "err", "last"].map(str::to_owned).to_vec())?;
    // Much of it.
    let mut stream = bench.wait(sandbox.stream(Command::from("seq 10000").tty(80, 24)))?;
    let wanted: String = (1..=10_000).map(|n| format!("{n}\r\n")).collect();
    let out = text(bench, &mut stream)?.0;
    check(out == wanted, || format!("{} bytes, or others", out.len()))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_run_on_a_terminal<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let command = Command::from("stty size; tty -s && echo yes; echo err >&2; exit 7").tty(101, 37);
    let result = bench.wait(sandbox.run(command))?;
    same(
        "output",
        result.stdout_text().into_owned(),
        "37 101\r\nyes\r\nerr\r\n".to_owned(),
    )?;
    same("ended", (result.exit_code, result.stderr.head.len()), (7, 0))?;
    // Its input ends, in the middle of a line too.
    for input in ["a line\n", "a part", ""] {
        let result = bench.wait(sandbox.run(Command::from("stty -echo; cat; echo .").tty(80, 24).stdin(input)))?;
        let text = result.stdout_text().into_owned();
        check(text.ends_with(".\r\n") && text.contains(input.trim()), || {
            format!("{input:?}: {text:?}")
        })?;
        same("exit code", result.exit_code, 0)?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn the_size_is_right_from_the_start<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for (cols, rows) in [(123, 45), (2, 3), (500, 200)] {
        let mut stream = bench.wait(sandbox.stream(Command::from("stty size").tty(cols, rows)))?;
        same("size", text(bench, &mut stream)?.0, format!("{rows} {cols}\r\n"))?;
        let mut stream = bench.wait(sandbox.stream(Command::argv(["stty", "size"]).tty(cols, rows)))?;
        same("size", text(bench, &mut stream)?.0, format!("{rows} {cols}\r\n"))?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_terminal_is_resized<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "trap 'echo winch' WINCH; n=0; while [ $n -lt 600 ]; do stty size; sleep 0.05; n=$((n+1)); done";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).tty(80, 24)))?;
    read_until(bench, &mut stream, "24 80\r\n")?;
    for (cols, rows) in [(132, 43), (20, 10)] {
        bench.wait(stream.resize(cols, rows))?;
        // On some engines it is done a moment after it was accepted; the loop ends after 30 s.
        read_until(bench, &mut stream, &format!("\n{rows} {cols}\r\n"))?;
    }
    let misuse = bench.wait(stream.resize(0, 10));
    check(matches!(misuse, Err(Error::Misuse(_))), || format!("{misuse:?}"))?;
    drop(stream);
    // At once, before it can have printed anything.
    let line = "n=0; until [ \"$(stty size)\" = '11 22' ] || [ $n = 600 ]; do sleep 0.05; n=$((n+1)); done; stty size";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).tty(80, 24)))?;
    bench.wait(stream.resize(22, 11))?;
    same("size", text(bench, &mut stream)?.0, "11 22\r\n".to_owned())?;
    let late = bench.wait(stream.resize(80, 24));
    check(late.is_err(), || "it has ended, and was resized".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn sizes_that_cannot_be<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for (cols, rows) in [(0, 24), (80, 0), (0, 0)] {
        let misuse = bench.wait(sandbox.stream(Command::from("true").tty(cols, rows)));
        check(matches!(misuse, Err(Error::Misuse(_))), || format!("{misuse:?}"))?;
    }
    let stream = bench.wait(sandbox.stream(Command::argv(["cat"]).keep_stdin_open()))?;
    let misuse = bench.wait(stream.resize(80, 24));
    check(matches!(misuse, Err(Error::Misuse(_))), || format!("{misuse:?}"))?;
    drop(stream);
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn input_on_a_terminal<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["cat"]).tty(80, 24).keep_stdin_open()))?;
    for word in ["hello", "again"] {
        bench.wait(stream.write(format!("{word}\n")))?;
        // Once by the terminal, once by the program.
        read_until(bench, &mut stream, &format!("{word}\r\n{word}\r\n"))?;
    }
    stream.close_stdin();
    let closed = bench.wait(stream.write("more"));
    check(matches!(closed, Err(Error::Exec(ExecError::InputClosed))), || {
        format!("{closed:?}")
    })?;
    text(bench, &mut stream)?;
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    // Ctrl-C is a key.
    let line = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.05; done";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).tty(80, 24).keep_stdin_open()))?;
    read_until(bench, &mut stream, "ready\r\n")?;
    bench.wait(stream.write(&b"\x03"[..]))?;
    read_until(bench, &mut stream, "interrupted\r\n")?;
    same("exit code", bench.wait(stream.result())?.exit_code, 9)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn an_interactive_shell<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let shell = Command::argv(["sh", "-i"])
        .tty(200, 24)
        .env("PS1", "ready> ")
        .keep_stdin_open();
    let mut stream: Stream<A> = bench.wait(sandbox.stream(shell))?;
    read_until(bench, &mut stream, "ready> ")?;
    bench.wait(stream.write("echo $((40 + 2))-\n"))?;
    read_until(bench, &mut stream, "42-\r\n")?;
    bench.wait(stream.write("exit 6\n"))?;
    same("exit code", bench.wait(stream.result())?.exit_code, 6)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_terminal_times_out<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "printf so; sleep 3501 & setsid sleep 3502 & sleep 3503";
    let command = Command::from(line).tty(80, 24).timeout(Duration::from_secs(2));
    let mut stream = bench.wait(sandbox.stream(command))?;
    same("output", text(bench, &mut stream)?.0, "so".to_owned())?;
    let ended = bench.wait(stream.result())?;
    same("ended", (ended.timed_out, ended.exit_code), (true, 137))?;
    check(ended.killed.as_ref().is_some_and(|killed| killed.is_clean()), || {
        format!("{:?}", ended.killed)
    })?;
    same("left", running(bench, &sandbox, "sleep 35")?, Vec::new())?;
    // And when it is dropped.
    let mut stream =
        bench.wait(sandbox.stream(Command::from("echo ready; setsid sleep 3504 & sleep 3505").tty(80, 24)))?;
    read_until(bench, &mut stream, "ready\r\n")?;
    drop(stream);
    super::reading::until(bench, "nothing is left", || {
        Ok(running(bench, &sandbox, "sleep 35")?.is_empty())
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn python_sees_a_terminal<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.python()?;
    let code =
        "import os, sys\nprint(*(f.isatty() for f in (sys.stdin, sys.stdout, sys.stderr)), *os.get_terminal_size())";
    let mut stream = bench.wait(sandbox.stream(Command::lang("python", code).tty(90, 30)))?;
    same(
        "output",
        text(bench, &mut stream)?.0,
        "True True True 90 30\r\n".to_owned(),
    )?;
    let code = "import sys\nprint(sys.stdin.isatty(), sys.stdout.isatty())";
    let mut stream = bench.wait(sandbox.stream(Command::lang("python", code)))?;
    same("without one", text(bench, &mut stream)?.0, "False False\n".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_terminal_without_a_shell<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::NOSHELL).command(["/bin/cat"]);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["/bin/echo", "hello"]).tty(80, 24)))?;
    same("output", text(bench, &mut stream)?.0, "hello\r\n".to_owned())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["cat"]).tty(80, 24).keep_stdin_open()))?;
    bench.wait(stream.write("hello\n"))?;
    read_until(bench, &mut stream, "hello\r\nhello\r\n")?;
    stream.close_stdin();
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    same(
        "false",
        bench.wait(sandbox.run(Command::argv(["false"]).tty(80, 24)))?.exit_code,
        1,
    )?;
    Ok(bench.wait(sandbox.shutdown_force())?)
}

pub(super) fn a_terminal_that_cannot_begin<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let nowhere = bench
        .wait(sandbox.stream(Command::from("true").tty(80, 24).workdir("/no/such")))
        .map(|_| "it began");
    check(
        matches!(nowhere, Err(Error::Exec(ExecError::NoDirectory { .. }))),
        || format!("{nowhere:?}"),
    )?;
    let nobody = bench
        .wait(sandbox.stream(Command::from("true").tty(80, 24).user("no-such-user")))
        .map(|_| "it began");
    check(matches!(nobody, Err(Error::Exec(ExecError::NoUser { .. }))), || {
        format!("{nobody:?}")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}
