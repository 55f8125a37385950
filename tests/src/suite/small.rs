//! Small commands, each with everything that it says, streamed and in the background.

use std::time::Duration;

use pocket_dock_core::{Channel, ContainerError, Error, Signal};

use super::callbacks::Log;
use super::{Adapter, Bench, Verdict, check, same};

/// A command line, its standard output, its standard error, and its exit code.
type Small = (&'static str, &'static str, &'static str, i32);

const SMALL: [Small; 8] = [
    ("echo hello", "hello\n", "", 0),
    ("echo err >&2", "", "err\n", 0),
    ("echo out && echo err >&2 && echo out2", "out\nout2\n", "err\n", 0),
    ("echo hello && echo world", "hello\nworld\n", "", 0),
    ("echo detached", "detached\n", "", 0),
    ("echo cb_out && echo cb_err >&2", "cb_out\n", "cb_err\n", 0),
    ("sleep 1 && echo done", "done\n", "", 0),
    ("exit 42", "", "", 42),
];

/// The same for one that says more.
fn each<A: Adapter>(bench: &Bench<A>, one: impl Fn(&str, &str, &str, i32) -> Verdict) -> Verdict {
    for (line, stdout, stderr, code) in SMALL {
        one(line, stdout, stderr, code).map_err(|why| format!("{line}: {why}"))?;
    }
    let numbers: String = (1..=bench.amount(100, 10))
        .map(|number| format!("{number}\n"))
        .collect();
    one(&format!("seq 1 {}", bench.amount(100, 10)), &numbers, "", 0)
}

pub(super) fn small_commands_are_streamed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandbox, log) = (bench.sandbox()?, Log::default());
    log.on_stdout::<A>(&sandbox, "out");
    log.on_stderr::<A>(&sandbox, "err");
    log.on_exit::<A>(&sandbox, "exit");
    each(bench, |line, stdout, stderr, code| {
        let mut stream = bench.wait(sandbox.stream(line))?;
        let id = stream.id().to_owned();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(chunk) = bench.wait(stream.next())? {
            check(!chunk.data.is_empty(), || "a chunk of nothing".to_owned())?;
            match chunk.channel {
                Channel::Stdout => out.extend_from_slice(&chunk.data),
                Channel::Stderr => err.extend_from_slice(&chunk.data),
            }
        }
        let said = (String::from_utf8(out)?, String::from_utf8(err)?);
        same("said", said, (stdout.to_owned(), stderr.to_owned()))?;
        let ended = bench.wait(stream.result())?;
        same("exit code", (ended.exit_code, ended.success()), (code, code == 0))?;
        let counted = (ended.stdout_bytes, ended.stderr_bytes, ended.omitted_bytes);
        same("counted", counted, (stdout.len() as u64, stderr.len() as u64, 0))?;
        log.until_ended(bench, &id, 1)?;
        same("told of stdout", log.heard("out", &id), stdout.as_bytes().to_vec())?;
        same("told of stderr", log.heard("err", &id), stderr.as_bytes().to_vec())?;
        same("told of the end", log.ends(&id), vec![Ok(ended)])
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn small_commands_in_the_background<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandbox, log) = (bench.sandbox()?, Log::default());
    log.on_stdout::<A>(&sandbox, "out");
    log.on_stderr::<A>(&sandbox, "err");
    log.on_exit::<A>(&sandbox, "exit");
    each(bench, |line, stdout, stderr, code| {
        let process = bench.wait(sandbox.spawn(line))?;
        if line.starts_with("sleep") {
            same("it runs", process.is_running(), true)?;
        }
        let ended = bench.wait(process.wait_timeout(Duration::from_secs(10)))?;
        let ended = ended.ok_or("it has not ended within 10 s")?;
        same("exit code", (ended.exit_code, ended.success()), (code, code == 0))?;
        same("it runs behind its end", process.is_running(), false)?;
        let held = stdout.len() + stderr.len();
        let wanted = (stdout.to_owned(), stderr.to_owned());
        // A look takes nothing, and a read everything.
        for seen in [process.peek(), process.peek(), process.read()] {
            let texts = (seen.stdout_text().into_owned(), seen.stderr_text().into_owned());
            same("held", (seen.len(), texts), (held, wanted.clone()))?;
        }
        let left = process.read();
        same(
            "left",
            (left.stdout_text().into_owned(), left.len()),
            (String::new(), 0),
        )?;
        same("lost", (process.buffer_size(), process.buffer_overflow()), (0, false))?;
        log.until_ended(bench, process.id(), 1)?;
        let heard = |by| log.heard(by, process.id());
        same("told of stdout", heard("out"), stdout.as_bytes().to_vec())?;
        same("told of stderr", heard("err"), stderr.as_bytes().to_vec())?;
        same("told of the end", log.ends(process.id()), vec![Ok(ended)])
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Half a second after its start it runs, and is killed.
pub(super) fn a_sleeping_process_is_killed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let process = bench.wait(sandbox.spawn("sleep 60"))?;
    bench.adapter.pause(Duration::from_millis(500));
    same("it runs", process.is_running(), true)?;
    let report = bench.wait(process.kill(Signal::Kill))?;
    check(report.is_clean() && !report.signalled.is_empty(), || {
        format!("{report:?}")
    })?;
    same("exit code", bench.wait(process.wait())?.exit_code, 137)?;
    same("it runs behind its end", process.is_running(), false)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// A stream that nobody has read, and which has ended or not, and a process that sleeps.
pub(super) fn a_shutdown_waits_for_no_reader<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let (id, name) = (sandbox.id().to_owned(), sandbox.name().to_owned());
    let mut ended = bench.wait(sandbox.stream("seq 1 10000"))?;
    same("exit code", bench.wait(ended.result())?.exit_code, 0)?;
    let _unread = bench.wait(sandbox.stream("seq 1 10000"))?;
    let process = bench.wait(sandbox.spawn("sleep 60"))?;
    bench.adapter.pause(Duration::from_millis(300));
    same("it runs", process.is_running(), true)?;
    let began = bench.adapter.now();
    bench.wait(sandbox.shutdown())?;
    let took = bench.adapter.now() - began;
    check(took < Duration::from_secs(10), || format!("it took {took:?}"))?;
    same("it runs behind its container", process.is_running(), false)?;
    let told = bench.wait(process.wait());
    let typed = matches!(&told, Err(Error::Container(ContainerError::EndedHere { name: said })) if *said == name);
    check(typed, || format!("{told:?}"))?;
    bench.until_gone(&id)
}
