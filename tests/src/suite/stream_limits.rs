//! What bounds a stream: its reader, its time, its amount; and what it needs to be one at all.

use std::time::Duration;

use pocket_dock_core::{Channel, Command, ContainerSpec, Error, ExecError};

use super::reading::{drain, flood, rest, running, said, text, until, until_held};
use super::{Adapter, Bench, Verdict, check, same};
use crate::lab::images;

pub(super) fn a_slow_reader_holds_the_command_up<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let times = 256; // 16 MiB
    let mut stream = bench.wait(sandbox.stream(format!("{}; echo done", flood(times))))?;
    let held = until_held(bench, &sandbox)?;
    check(held < times, || "it was not held up".to_owned())?;
    let first = bench.wait(stream.next())?.ok_or("nothing came")?;
    let out = rest(bench, &mut stream)?.0;
    let amount = first.data.len() + out.len();
    same("amount", amount, (times << 16) + 5)?;
    check(
        out.ends_with(b"\0done\n") && out.iter().filter(|byte| **byte != 0).count() == 5,
        || "other bytes came".to_owned(),
    )?;
    let ended = bench.wait(stream.result())?;
    same(
        "counted",
        (ended.exit_code, ended.stdout_bytes, ended.omitted_bytes),
        (0, amount as u64, 0),
    )?;
    same("count", said(bench, &sandbox, "/tmp/count")?, times.to_string())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_stream_times_out<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    // With a reader.
    let line = "printf so; printf far >&2; setsid sleep 3101 & (sleep 3102 &); trap '' TERM; sleep 3103";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).timeout(Duration::from_secs(2))))?;
    same("output", text(bench, &mut stream)?, ("so".to_owned(), "far".to_owned()))?;
    let ended = bench.wait(stream.result())?;
    same(
        "ended",
        (ended.timed_out, ended.exit_code, ended.success()),
        (true, 137, false),
    )?;
    let killed = ended.killed.ok_or("no report")?;
    check(killed.is_clean() && killed.signalled.len() >= 4, || {
        format!("{killed:?}")
    })?;
    check(ended.duration >= Duration::from_millis(1900), || {
        format!("{:?}", ended.duration)
    })?;
    same("left", running(bench, &sandbox, "sleep 31")?, Vec::new())?;
    // Without, while more waits than anyone holds.
    let endless = Command::from(flood(1 << 20)).timeout(Duration::from_secs(3));
    let mut stream = bench.wait(sandbox.stream(endless))?;
    until(bench, "it is over, though nobody reads", || {
        Ok(running(bench, &sandbox, "/tmp/count")?.is_empty())
    })?;
    let out = rest(bench, &mut stream)?.0;
    check(out.len() >= 900 << 10, || format!("only {} bytes are there", out.len()))?;
    let ended = bench.wait(stream.result())?;
    same("ended", (ended.timed_out, ended.exit_code), (true, 137))?;
    same("counted", ended.stdout_bytes, out.len() as u64)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_stream_with_a_limit<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "printf 0123456789; until [ -e /tmp/go ]; do sleep 0.1; done; head -c 8388608 /dev/zero; \
                printf error >&2; printf abcdefghij; exit 3";
    let mut stream = bench.wait(sandbox.stream(Command::from(line).output_limit(12)))?;
    // The head comes while the command runs.
    let mut head = Vec::new();
    while head.len() < 6 {
        head.extend_from_slice(&bench.wait(stream.next())?.ok_or("it is over")?.data);
    }
    same("head", String::from_utf8(head)?, "012345".to_owned())?;
    bench.wait(sandbox.run("touch /tmp/go"))?;
    let (out, err) = text(bench, &mut stream)?;
    same("tail", (out, err), ("efghij".to_owned(), "error".to_owned()))?;
    let ended = bench.wait(stream.result())?;
    same("exit code", ended.exit_code, 3)?;
    let all = (8 << 20) + 20;
    same(
        "counted",
        (ended.stdout_bytes, ended.stderr_bytes, ended.omitted_bytes),
        (all, 5, all - 12),
    )?;
    // Nothing is kept.
    let mut stream = bench.wait(sandbox.stream(Command::from("echo out").output_limit(0)))?;
    same("nothing", bench.wait(stream.next())?, None)?;
    same("omitted", bench.wait(stream.result())?.omitted_bytes, 4)?;
    // More than `run` keeps.
    let much = Command::from("head -c 20000000 /dev/zero");
    let mut stream = bench.wait(sandbox.stream(much))?;
    same("no limit", rest(bench, &mut stream)?.0.len(), 20_000_000)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_streams_background_child_is_not_waited_for<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let began = bench.adapter.now();
    let line = "(sleep 15; echo late; echo done >/tmp/child) & echo now; exit 4";
    let mut stream = bench.wait(sandbox.stream(line))?;
    same("output", text(bench, &mut stream)?.0, "now\n".to_owned())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 4)?;
    let took = bench.adapter.now() - began;
    check(took < Duration::from_secs(15), || {
        format!("it was waited for: {took:?}")
    })?;
    drop(stream);
    // It ended before the drop, so what it left is nobody's.
    until(bench, "the child lives on to its end", || {
        Ok(said(bench, &sandbox, "/tmp/child")? == "done")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_stream_that_cannot_begin<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    macro_rules! fails {
        ($sandbox:expr, $command:expr, $error:pat) => {
            match bench.wait($sandbox.stream($command)) {
                Err($error) => {}
                other => return Err(format!("{}: {:?}", stringify!($error), other.map(|_| "it began")).into()),
            }
        };
    }
    let missing = || Command::argv(["no-such-program", "x"]);
    fails!(sandbox, missing(), Error::Exec(ExecError::NotFound { .. }));
    fails!(
        sandbox,
        Command::argv(["/etc"]),
        Error::Exec(ExecError::NotExecutable { .. })
    );
    let nowhere = Command::from("true").workdir("/no/such");
    fails!(sandbox, nowhere, Error::Exec(ExecError::NoDirectory { .. }));
    let nobody = Command::from("true").user("no-such-user");
    fails!(sandbox, nobody, Error::Exec(ExecError::NoUser { .. }));
    fails!(sandbox, Command::argv(Vec::<String>::new()), Error::Misuse(_));
    // A shell that finds nothing has begun.
    let mut ran = bench.wait(sandbox.stream("no-such-program"))?;
    same("exit code", bench.wait(ran.result())?.exit_code, 127)?;
    bench.wait(sandbox.shutdown())?;
    let spec = ContainerSpec::new(images::NOSHELL).command(["/bin/cat"]);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    fails!(sandbox, "echo x", Error::Exec(ExecError::NoTool { .. }));
    fails!(sandbox, missing(), Error::Exec(ExecError::NotFound { .. }));
    Ok(bench.wait(sandbox.shutdown_force())?)
}

pub(super) fn a_stream_without_a_shell<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::NOSHELL).command(["/bin/cat"]);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["/bin/echo", "hello"])))?;
    same("output", text(bench, &mut stream)?.0, "hello\n".to_owned())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    let mut stream = bench.wait(sandbox.stream(Command::argv(["cat"]).keep_stdin_open()))?;
    for word in ["one", "two"] {
        bench.wait(stream.write(word))?;
        let piece = bench.wait(stream.next())?.ok_or("it is over")?;
        same(
            "echo",
            (piece.channel, &piece.data[..]),
            (Channel::Stdout, word.as_bytes()),
        )?;
        bench.adapter.pause(Duration::from_millis(600)); // meanwhile the engine is asked how it is
    }
    stream.close_stdin();
    same("output", text(bench, &mut stream)?.0, String::new())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    // Its end does not hide what nobody has read by then.
    let mut stream = bench.wait(sandbox.stream(Command::argv(["head", "-c", "1200000", "/dev/zero"])))?;
    until(bench, "it has ended, and nobody reads", || {
        Ok(running(bench, &sandbox, "head -c")?.is_empty())
    })?;
    bench.adapter.pause(Duration::from_secs(4));
    same("late", rest(bench, &mut stream)?.0.len(), 1_200_000)?;
    // It prints without end, and is held up; reading on, it goes on.
    let endless = Command::argv(["yes", "x"]).timeout(Duration::from_secs(3));
    let mut stream = bench.wait(sandbox.stream(endless))?;
    let (out, _, failure) = drain(bench, &mut stream);
    check(failure.is_none() && out.len() > 1 << 20, || {
        format!("{} bytes, {failure:?}", out.len())
    })?;
    check(bench.wait(stream.result())?.timed_out, || {
        "it did not time out".to_owned()
    })?;
    Ok(bench.wait(sandbox.shutdown_force())?)
}
