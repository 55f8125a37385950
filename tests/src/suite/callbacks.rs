//! What functions are told that users have registered on a container.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pocket_dock_core::{Command, Container, ContainerError, Error, ExecSummary, Origin};

use super::processes::until_held;
use super::{Adapter, Bench, Failure, Verdict, check, same};

/// How long something is waited for that comes at once.
const LIMIT: Duration = Duration::from_secs(30);

/// What was told: which function, of what, and what.
#[derive(Debug, Clone)]
struct Told {
    by: &'static str,
    origin: Origin,
    data: Vec<u8>,
    ended: Option<Result<ExecSummary, Error>>,
}

/// Everything that the functions of some containers were told, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Told>>>);

impl Log {
    fn all(&self) -> Vec<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, by: &'static str, origin: &Origin, data: &[u8], ended: Option<Result<ExecSummary, Error>>) {
        let told = Told {
            by,
            origin: origin.clone(),
            data: data.to_vec(),
            ended,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// What these were told of one process, in one piece.
    pub(super) fn heard(&self, by: &str, process: &str) -> Vec<u8> {
        let all = self.all();
        let heard = all
            .iter()
            .filter(|told| told.by == by && told.origin.process == process);
        heard.flat_map(|told| told.data.clone()).collect()
    }

    pub(super) fn ends(&self, process: &str) -> Vec<Result<ExecSummary, Error>> {
        let all = self.all().into_iter().filter(|told| told.origin.process == process);
        all.filter_map(|told| told.ended).collect()
    }

    pub(super) fn on_stdout<A: Adapter>(&self, sandbox: &Container<A::Runtime>, by: &'static str) {
        let log = self.clone();
        sandbox.on_stdout(move |origin, data| log.add(by, origin, data, None));
    }

    pub(super) fn on_stderr<A: Adapter>(&self, sandbox: &Container<A::Runtime>, by: &'static str) {
        let log = self.clone();
        sandbox.on_stderr(move |origin, data| log.add(by, origin, data, None));
    }

    pub(super) fn on_exit<A: Adapter>(&self, sandbox: &Container<A::Runtime>, by: &'static str) {
        let log = self.clone();
        sandbox.on_exit(move |origin, ended| log.add(by, origin, &[], Some(ended.clone())));
    }

    /// Waits until the end of a process was told so often.
    pub(super) fn until_ended<A: Adapter>(&self, bench: &Bench<A>, process: &str, times: usize) -> Verdict {
        bench.until("the exit callbacks", || Ok(self.ends(process).len() >= times))
    }
}

pub(super) fn callbacks_are_told_all<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandbox, log) = (bench.sandbox()?, Log::default());
    log.on_stdout::<A>(&sandbox, "out");
    log.on_stdout::<A>(&sandbox, "out again");
    log.on_stderr::<A>(&sandbox, "err");
    log.on_exit::<A>(&sandbox, "exit");
    // One of them without any buffer.
    let line = "echo out; printf '\\377\\0' >&2; yes | head -c 300000; exit 42";
    for size in [0, 1 << 20] {
        let process = bench.wait(sandbox.spawn(Command::from(line).buffer_size(size)))?;
        let ended = bench.wait(process.wait())?;
        log.until_ended(bench, process.id(), 1)?;
        let wanted = [b"out\n", &b"y\n".repeat(150_000)[..]].concat();
        for by in ["out", "out again"] {
            check(log.heard(by, process.id()) == wanted, || format!("{by}: other bytes"))?;
        }
        same("stderr", log.heard("err", process.id()), b"\xff\0".to_vec())?;
        let ends = log.ends(process.id());
        check(matches!(&ends[..], [Ok(told)] if *told == ended), || {
            format!("{ends:?}")
        })?;
        same("exit code", (ended.exit_code, ended.stdout_bytes), (42, 300_004))?;
        same("read", process.read().len(), size.min(300_006))?;
    }
    // Each piece is told to one after the other, and the end behind all of them.
    let all = log.all();
    let outs: Vec<&Told> = all.iter().filter(|told| told.by.starts_with("out")).collect();
    for pair in outs.chunks(2) {
        check(
            matches!(pair, [first, second] if (first.by, second.by) == ("out", "out again") && first.data == second.data),
            || {
                format!(
                    "out of order: {:?}",
                    pair.iter().map(|told| told.by).collect::<Vec<_>>()
                )
            },
        )?;
    }
    for process in outs.iter().map(|told| &told.origin.process) {
        let last = all.iter().rfind(|told| told.origin.process == *process);
        same("the last of one", last.map(|told| told.by), Some("exit"))?;
    }
    same("panics", sandbox.callback_panics(), 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn callbacks_come_at_any_time<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandbox, log) = (bench.sandbox()?, Log::default());
    let command = Command::from("echo one; read x; echo two; exit 1").keep_stdin_open();
    let process = bench.wait(sandbox.spawn(command))?;
    until_held(bench, &process, 4)?;
    log.on_stdout::<A>(&sandbox, "late");
    log.on_exit::<A>(&sandbox, "exit");
    log.on_exit::<A>(&sandbox, "exit again");
    bench.wait(process.write("\n"))?;
    same("exit code", bench.wait(process.wait())?.exit_code, 1)?;
    log.until_ended(bench, process.id(), 2)?;
    same("from then on", log.heard("late", process.id()), b"two\n".to_vec())?;
    same(
        "buffer",
        process.read().stdout_text().into_owned(),
        "one\ntwo\n".to_owned(),
    )?;
    // A stream is heard, and a run is not.
    let mut stream = bench.wait(sandbox.stream("echo streamed"))?;
    let id = stream.id().to_owned();
    bench.wait(sandbox.run("echo run"))?;
    same("exit code", bench.wait(stream.result())?.exit_code, 0)?;
    log.until_ended(bench, &id, 2)?;
    same("stream", log.heard("late", &id), b"streamed\n".to_vec())?;
    let bytes: usize = log.all().iter().map(|told| told.data.len()).sum();
    same("nothing else", bytes, "two\n".len() + "streamed\n".len())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn callbacks_know_their_origin<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandboxes, log) = ([bench.sandbox()?, bench.sandbox()?], Log::default());
    let mut wanted = Vec::new();
    for (number, sandbox) in sandboxes.iter().enumerate() {
        log.on_stdout::<A>(sandbox, ["first", "second"][number]);
        log.on_exit::<A>(sandbox, ["first", "second"][number]);
        for line in ["echo a", "echo b"] {
            let process = bench.wait(sandbox.spawn(line))?;
            bench.wait(process.wait())?;
            log.until_ended(bench, process.id(), 1)?;
            let place = (sandbox.id().to_owned(), sandbox.name().to_owned());
            for data in [format!("{}\n", &line[5..]), String::new()] {
                wanted.push((
                    ["first", "second"][number],
                    place.clone(),
                    process.id().to_owned(),
                    data,
                ));
            }
        }
    }
    let told = log.all().into_iter().map(|told| {
        let (place, data) = ((told.origin.container, told.origin.name), String::from_utf8(told.data));
        Ok((told.by, place, told.origin.process, data?))
    });
    same("told", told.collect::<Result<Vec<_>, Failure>>()?, wanted)?;
    for sandbox in sandboxes {
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}

pub(super) fn a_callback_that_panics_stops_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandbox, log) = (bench.sandbox()?, Log::default());
    // A panic that says nothing on standard error.
    sandbox.on_stdout(|_, _| std::panic::resume_unwind(Box::new("this panic is part of the test")));
    sandbox.on_stderr(|_, _| std::panic::resume_unwind(Box::new("this panic is part of the test")));
    sandbox.on_exit(|_, _| std::panic::resume_unwind(Box::new("this panic is part of the test")));
    log.on_stdout::<A>(&sandbox, "out");
    log.on_stderr::<A>(&sandbox, "err");
    log.on_exit::<A>(&sandbox, "exit");
    let process = bench.wait(sandbox.spawn("echo out; echo err >&2; exit 42"))?;
    let ended = bench.wait(process.wait())?;
    log.until_ended(bench, process.id(), 1)?;
    same("exit code", ended.exit_code, 42)?;
    same(
        "the others",
        (log.heard("out", process.id()), log.heard("err", process.id())),
        (b"out\n".to_vec(), b"err\n".to_vec()),
    )?;
    same("panics", sandbox.callback_panics(), 3)?;
    same("read", process.read().merged_text().len(), 8)?;
    let again = bench.wait(sandbox.spawn("echo out"))?;
    same("afterwards", bench.wait(again.wait())?.success(), true)?;
    log.until_ended(bench, again.id(), 1)?;
    same("panics", sandbox.callback_panics(), 5)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// A function, what releases it, and what it says.
type Gate<F> = (F, Sender<()>, Receiver<()>);

/// A function that blocks until it is released, and says that it does.
fn blocking(log: &Log) -> Gate<impl Fn(&Origin, &[u8]) + Send + Sync + 'static> {
    let (release, released) = mpsc::channel::<()>();
    let (enter, entered) = mpsc::channel();
    let (released, log) = (Mutex::new(released), log.clone());
    let call = move |origin: &Origin, data: &[u8]| {
        let _ = enter.send(());
        let waiting = released.lock().unwrap_or_else(PoisonError::into_inner);
        // Until somebody sends, or nobody can any more.
        let _ = waiting.recv_timeout(2 * LIMIT);
        log.add("slow", origin, data, None);
    };
    (call, release, entered)
}

pub(super) fn a_slow_callback_holds_up_no_other_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (slow, quick, log) = (bench.sandbox()?, bench.sandbox()?, Log::default());
    let (call, release, entered) = blocking(&log);
    slow.on_stdout(call);
    log.on_exit::<A>(&slow, "exit");
    log.on_stdout::<A>(&quick, "quick");
    log.on_exit::<A>(&quick, "exit");
    let held = bench.wait(slow.spawn("echo one; echo two >&2; exit 3"))?;
    entered.recv_timeout(LIMIT)?;
    // Its own output is read on.
    same("exit code", bench.wait(held.wait())?.exit_code, 3)?;
    same("read", held.read().merged_text().len(), 8)?;
    let run = bench.wait(slow.run("echo three"))?;
    same("a run beside it", run.stdout_text().into_owned(), "three\n".to_owned())?;
    // So is that of the other, which is told.
    let process = bench.wait(quick.spawn("yes | head -c 3000000"))?;
    bench.wait(process.wait())?;
    log.until_ended(bench, process.id(), 1)?;
    same("quick", log.heard("quick", process.id()).len(), 3_000_000)?;
    check(log.ends(held.id()).is_empty(), || {
        "the end was told before the output".to_owned()
    })?;
    release.send(())?;
    log.until_ended(bench, held.id(), 1)?;
    same("slow", log.heard("slow", held.id()), b"one\n".to_vec())?;
    bench.wait(slow.shutdown())?;
    Ok(bench.wait(quick.shutdown())?)
}

pub(super) fn a_slow_callback_loses_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (sandbox, log) = (bench.sandbox()?, Log::default());
    let (call, release, entered) = blocking(&log);
    sandbox.on_stdout(call);
    log.on_exit::<A>(&sandbox, "exit");
    let amount = 6 << 20;
    let process = bench.wait(sandbox.spawn(format!("yes | head -c {amount}")))?;
    entered.recv_timeout(LIMIT)?;
    // Far more than what is queued for it: the process is held up, and goes on with it.
    let none = bench.wait(process.wait_timeout(Duration::from_millis(300)))?;
    check(none.is_none() && process.is_running(), || {
        format!("not held up: {none:?}")
    })?;
    drop(release);
    same("written", bench.wait(process.wait())?.stdout_bytes, amount)?;
    log.until_ended(bench, process.id(), 1)?;
    same("told", log.heard("slow", process.id()).len() as u64, amount)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn callbacks_are_told_of_a_containers_end<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (removed, ended, log) = (bench.sandbox()?, bench.sandbox()?, Log::default());
    let mut ids = Vec::new();
    let mut processes = Vec::new();
    for sandbox in [&removed, &ended] {
        log.on_stdout::<A>(sandbox, "out");
        log.on_exit::<A>(sandbox, "exit");
        let process = bench.wait(sandbox.spawn("echo up; sleep 2020"))?;
        until_held(bench, &process, 3)?;
        ids.push(process.id().to_owned());
        processes.push(process);
    }
    bench.peer.remove(removed.id())?;
    bench.wait(ended.shutdown())?;
    for id in &ids {
        log.until_ended(bench, id, 1)?;
        same("output", log.heard("out", id), b"up\n".to_vec())?;
    }
    let ends: Vec<_> = ids.iter().map(|id| log.ends(id)).collect();
    let typed = matches!(
        &ends.iter().map(Vec::as_slice).collect::<Vec<_>>()[..],
        [
            [Err(Error::Container(ContainerError::Gone { .. }))],
            [Err(Error::Container(ContainerError::EndedHere { .. }))],
        ]
    );
    check(typed, || format!("{ends:?}"))?;
    Ok(bench.wait(removed.shutdown())?)
}

pub(super) fn a_callback_may_call_its_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = Arc::new(bench.sandbox()?);
    let (send, answers) = mpsc::channel();
    let (own, inner) = (bench.adapter.clone(), Arc::downgrade(&sandbox));
    sandbox.on_stdout(move |origin, data| {
        let Some(sandbox) = inner.upgrade() else { return };
        if data == b"inner\n" {
            let _ = send.send(Ok(format!("{} told", sandbox.callback_panics())));
            return;
        }
        // Where calls are futures, this thread is one that may block on them.
        let answer = own.wait(sandbox.run("echo from a callback")).and_then(|result| {
            let process = own.wait(sandbox.spawn("echo inner"))?;
            own.wait(process.wait())?;
            sandbox.on_exit(|_, _| {});
            Ok(format!(
                "{} {}",
                result.stdout_text().trim(),
                origin.process == process.id()
            ))
        });
        let _ = send.send(answer);
    });
    let process = bench.wait(sandbox.spawn("echo outer"))?;
    for wanted in ["from a callback false", "0 told"] {
        same("answer", answers.recv_timeout(LIMIT)??, wanted.to_owned())?;
    }
    same("success", bench.wait(process.wait())?.success(), true)?;
    Ok(bench.wait(sandbox.shutdown())?)
}
