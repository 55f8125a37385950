//! How streams end that do not end by themselves: dropped, killed, or with their container.

use std::time::Duration;

use pocket_dock_core::{Command, ContainerError, ContainerSpec, Error, Signal};

use super::reading::{Sandbox, Stream, drain, flood, read_until, rest, running, text, until, until_held};
use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

/// An engine that waits for somebody to read takes ten seconds and more.
const SOON: Duration = Duration::from_secs(10);
/// What is held for a reader, at least: 1 MiB, what each piece takes besides its bytes included.
const HELD: usize = 900 << 10;
/// A tree that leaves its session and its parents.
const TREE: &str = "trap '' TERM HUP; setsid sleep 3201 & (sleep 3202 &); (setsid sh -c 'sleep 3203 & sleep 3204' &); \
                    echo ready; sleep 3205; echo never";

/// None of [`TREE`] is left, or will be soon.
fn nothing_left<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Verdict {
    // Where calls block, the drop has done it.
    let at_once = bench.adapter.name() == "blocking";
    let left = running(bench, sandbox, "sleep 32")?;
    check(!at_once || left.is_empty(), || format!("behind the drop: {left:?}"))?;
    until(bench, "nothing of the tree is left", || {
        Ok(running(bench, sandbox, "sleep 32")?.is_empty())
    })
}

/// A stream of which more waits than anyone reads.
fn held_up<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Result<Stream<A>, Failure> {
    bench.wait(sandbox.run("rm -f /tmp/count"))?;
    let stream = bench.wait(sandbox.stream(flood(1 << 20)))?;
    until_held(bench, sandbox)?;
    Ok(stream)
}

pub(super) fn a_dropped_stream_leaves_no_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    // At once, in its midst, and when its input is open.
    drop(bench.wait(sandbox.stream(TREE))?);
    nothing_left(bench, &sandbox)?;
    for command in [Command::from(TREE), Command::from(TREE).keep_stdin_open()] {
        let mut stream = bench.wait(sandbox.stream(command))?;
        read_until(bench, &mut stream, "ready\n")?;
        drop(stream);
        nothing_left(bench, &sandbox)?;
    }
    // As another user, and behind a read that was dropped.
    let mut stream = bench.wait(sandbox.stream(Command::from(TREE).user("worker")))?;
    read_until(bench, &mut stream, "ready\n")?;
    if bench.adapter.name() != "blocking" {
        let read = bench.adapter.wait_for_time(stream.next(), Duration::from_millis(20));
        check(read.is_none(), || format!("{read:?}"))?;
    }
    drop(stream);
    nothing_left(bench, &sandbox)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_stream_that_is_held_up_leaves_no_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let stream = held_up(bench, &sandbox)?;
    let began = bench.adapter.now();
    drop(stream);
    until(bench, "it is gone", || {
        Ok(running(bench, &sandbox, "/tmp/count")?.is_empty())
    })?;
    let took = bench.adapter.now() - began;
    check(took < SOON, || format!("it took {took:?}"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_stream_is_killed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream(TREE))?;
    read_until(bench, &mut stream, "ready\n")?;
    let report = bench.wait(stream.kill(Signal::Kill))?;
    check(report.is_clean() && report.signalled.len() >= 5, || {
        format!("{report:?}")
    })?;
    same("left", running(bench, &sandbox, "sleep 32")?, Vec::new())?;
    same("output", text(bench, &mut stream)?.0, String::new())?;
    let ended = bench.wait(stream.result())?;
    same("ended", (ended.exit_code, ended.timed_out), (137, false))?;
    // Nothing is left to be killed.
    let report = bench.wait(stream.kill(Signal::Kill))?;
    check(report.is_clean() && report.signalled.is_empty(), || {
        format!("{report:?}")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_stream_is_told_to_end<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut stream = bench.wait(sandbox.stream(line))?;
    read_until(bench, &mut stream, "ready\n")?;
    let report = bench.wait(stream.kill(Signal::Term))?;
    check(!report.signalled.is_empty(), || format!("{report:?}"))?;
    let out = text(bench, &mut stream)?.0;
    check(out.ends_with("term\n"), || format!("it said {out:?}"))?;
    same("exit code", bench.wait(stream.result())?.exit_code, 5)?;
    // One that does not listen is still there, and that is said.
    let mut stream = bench.wait(sandbox.stream("trap '' TERM; echo ready; while :; do sleep 0.05; done"))?;
    read_until(bench, &mut stream, "ready\n")?;
    let report = bench.wait(stream.kill(Signal::Term))?;
    check(!report.survivors.is_empty(), || format!("{report:?}"))?;
    let report = bench.wait(stream.kill(Signal::Kill))?;
    check(report.is_clean(), || format!("{report:?}"))?;
    same("exit code", bench.wait(stream.result())?.exit_code, 137)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_stream_is_killed_while_output_waits<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for signal in [Signal::Term, Signal::Kill] {
        let mut stream = held_up(bench, &sandbox)?;
        let began = bench.adapter.now();
        let report = bench.wait(stream.kill(signal))?;
        let took = bench.adapter.now() - began;
        check(took < SOON, || format!("{signal} took {took:?}"))?;
        check(!report.signalled.is_empty(), || format!("{signal}: {report:?}"))?;
        let out = rest(bench, &mut stream)?.0;
        check(out.len() >= HELD, || {
            format!("{signal}: only {} bytes are there", out.len())
        })?;
        let ended = bench.wait(stream.result())?;
        let code = if signal == Signal::Term { 143 } else { 137 };
        same("exit code", ended.exit_code, code)?;
        same("counted", ended.stdout_bytes - ended.omitted_bytes, out.len() as u64)?;
        until(bench, "it is gone", || {
            Ok(running(bench, &sandbox, "/tmp/count")?.is_empty())
        })?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Ends a container under a stream of which much is not read, and looks at what its reader gets.
fn ended_under<A: Adapter>(
    bench: &Bench<A>,
    auto_remove: bool,
    what: &str,
    end: impl FnOnce(Sandbox<A>) -> Result<Option<Sandbox<A>>, Error>,
) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).auto_remove(auto_remove);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let id = sandbox.id().to_owned();
    let mut stream = held_up(bench, &sandbox)?;
    let mut quiet = bench.wait(sandbox.stream("echo ready; sleep 3301"))?;
    read_until(bench, &mut quiet, "ready\n")?;
    let began = bench.adapter.now();
    let left = end(sandbox)?;
    let took = bench.adapter.now() - began;
    check(took < SOON, || format!("{what} took {took:?}"))?;
    for (stream, held) in [(&mut stream, HELD), (&mut quiet, 0)] {
        let (out, _, failure) = drain(bench, stream);
        check(out.len() >= held, || {
            format!("{what}: only {} bytes are there", out.len())
        })?;
        // What is only killed may come back; everything else is ended by us.
        let told = match &failure {
            Some(Error::Container(ContainerError::EndedHere { .. })) => what != "kill",
            Some(Error::Container(ContainerError::Gone { .. } | ContainerError::NotRunning { .. })) => what == "kill",
            _ => false,
        };
        check(told, || format!("{what}: {failure:?}"))?;
        same("behind the end", bench.wait(stream.next())?, None)?;
        let ended = bench.wait(stream.result());
        check(matches!(ended, Err(Error::Container(_))), || {
            format!("{what}: {ended:?}")
        })?;
    }
    if let Some(sandbox) = left {
        drop((stream, quiet));
        bench.wait(sandbox.shutdown())?;
    }
    bench.until_gone(&id)
}

pub(super) fn a_shutdown_ends_a_stream_that_is_held_up<A: Adapter>(bench: &Bench<A>) -> Verdict {
    ended_under(bench, true, "shutdown", |sandbox| {
        bench.wait(sandbox.shutdown()).map(|()| None)
    })?;
    ended_under(bench, true, "shutdown by force", |sandbox| {
        bench.wait(sandbox.shutdown_force()).map(|()| None)
    })
}

pub(super) fn a_drop_ends_a_stream_that_is_held_up<A: Adapter>(bench: &Bench<A>) -> Verdict {
    ended_under(bench, true, "drop", |sandbox| {
        drop(sandbox);
        Ok(None)
    })
}

pub(super) fn a_stop_ends_a_stream_that_is_held_up<A: Adapter>(bench: &Bench<A>) -> Verdict {
    ended_under(bench, false, "stop", |sandbox| {
        bench.wait(sandbox.stop())?;
        Ok(Some(sandbox))
    })
}

pub(super) fn a_restart_ends_a_stream_that_is_held_up<A: Adapter>(bench: &Bench<A>) -> Verdict {
    ended_under(bench, false, "restart", |sandbox| {
        bench.wait(sandbox.restart())?;
        let mut stream = bench.wait(sandbox.stream("echo on"))?;
        match bench.wait(stream.next())? {
            Some(piece) if piece.data == "on\n" => Ok(Some(sandbox)),
            other => Err(Error::Misuse(format!("it does not go on: {other:?}"))),
        }
    })
}

pub(super) fn a_kill_ends_a_stream_that_is_held_up<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for auto_remove in [true, false] {
        ended_under(bench, auto_remove, "kill", |sandbox| {
            bench.wait(sandbox.kill(Signal::Kill))?;
            Ok(Some(sandbox))
        })?;
    }
    Ok(())
}

pub(super) fn a_stream_of_a_container_that_is_removed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream("echo ready; sleep 3401"))?;
    read_until(bench, &mut stream, "ready\n")?;
    let ended = std::thread::scope(|scope| -> Result<_, Failure> {
        let waiting = scope.spawn(|| bench.wait(stream.next()));
        bench.peer.remove(sandbox.id())?;
        Ok(waiting.join().map_err(|_| "the reader panicked")?)
    })?;
    check(
        matches!(ended, Err(Error::Container(ContainerError::Gone { .. }))),
        || format!("{ended:?}"),
    )?;
    same("behind the end", bench.wait(stream.next())?, None)?;
    let again = bench.wait(sandbox.stream("true"));
    check(
        matches!(again, Err(Error::Container(ContainerError::Gone { .. }))),
        || format!("{again:?}"),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_pause_loses_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "n=0; while [ $n -lt 60 ]; do echo $n; n=$((n+1)); sleep 0.02; done; exit 3";
    let mut stream = bench.wait(sandbox.stream(line))?;
    let mut out = read_until(bench, &mut stream, "5\n")?;
    bench.wait(sandbox.pause())?;
    let refused = bench.wait(sandbox.stream("true"));
    check(
        matches!(refused, Err(Error::Container(ContainerError::Paused { .. }))),
        || format!("{refused:?}"),
    )?;
    bench.adapter.pause(Duration::from_millis(700));
    bench.wait(sandbox.unpause())?;
    out.push_str(&text(bench, &mut stream)?.0);
    same("output", out, (0..60).map(|n| format!("{n}\n")).collect())?;
    same("exit code", bench.wait(stream.result())?.exit_code, 3)?;
    Ok(bench.wait(sandbox.shutdown())?)
}
