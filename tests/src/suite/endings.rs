//! The ends of commands in the background that are not their own doing: signals, time limits, drops, and the ends of their
//! containers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pocket_dock_core::{Command, Container, ContainerError, ContainerSpec, Error, Op, Process, Signal};

use super::processes::{found, until_held};
use super::{Adapter, Bench, Call, Failure, Verdict, check, same};
use crate::lab::images;

/// A tree of five or more processes that ignore what can be ignored, two of them out of its session or its parents' sight.
/// Its sleeps last for `mark` seconds.
fn stubborn(mark: u32) -> String {
    format!(
        "trap '' TERM HUP INT; setsid sleep {mark} & (sleep {mark} &); (trap '' TERM; sleep {mark}) & echo up; sleep {mark}"
    )
}

/// Waits until no process of this mark is left.
fn until_none<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, mark: u32) -> Verdict {
    let sleep = format!("sleep {mark}");
    bench.until("the end of all of them", || {
        Ok(found(bench, sandbox, &sleep)?.is_empty())
    })
}

pub(super) fn a_killed_process_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let process = bench.wait(sandbox.spawn(stubborn(2001)))?;
    until_held(bench, &process, 3)?;
    let report = bench.wait(process.kill(Signal::Kill))?;
    check(report.is_clean() && report.signalled.len() >= 5, || {
        format!("{report:?}")
    })?;
    let ended = bench.wait(process.wait())?;
    same(
        "ended",
        (ended.exit_code, ended.timed_out, process.is_running()),
        (137, false, false),
    )?;
    same("output", process.read().stdout_text().into_owned(), "up\n".to_owned())?;
    same("left", found(bench, &sandbox, "sleep 2001")?, Vec::new())?;
    let again = bench.wait(process.kill(Signal::Kill))?;
    same(
        "nothing to kill",
        (again.is_clean(), again.signalled),
        (true, Vec::new()),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn who_ignores_a_signal_is_told_of<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let process = bench.wait(sandbox.spawn(stubborn(2002)))?;
    until_held(bench, &process, 3)?;
    let report = bench.wait(process.kill(Signal::Term))?;
    check(report.survivors.len() >= 5 && report.unknown.is_none(), || {
        format!("TERM: {report:?}")
    })?;
    check(process.is_running(), || "it did not ignore TERM".to_owned())?;
    same("alive", found(bench, &sandbox, "sleep 2002")?.len() >= 4, true)?;
    let killed = bench.wait(process.kill(Signal::Kill))?;
    check(killed.is_clean() && killed.signalled.len() >= 5, || {
        format!("KILL: {killed:?}")
    })?;
    same("exit code", bench.wait(process.wait())?.exit_code, 137)?;
    same("left", found(bench, &sandbox, "sleep 2002")?, Vec::new())?;
    // One that takes it.
    let line = "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.1; done";
    let polite = bench.wait(sandbox.spawn(line))?;
    until_held(bench, &polite, 3)?;
    bench.wait(polite.kill(Signal::Term))?;
    same("exit code", bench.wait(polite.wait())?.exit_code, 9)?;
    same(
        "output",
        polite.read().stdout_text().into_owned(),
        "up\nbye\n".to_owned(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_process_has_its_time<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let command = Command::from(stubborn(2003)).timeout(Duration::from_secs(2));
    let process = bench.wait(sandbox.spawn(command))?;
    let ended = bench.wait(process.wait())?;
    same(
        "ended",
        (ended.timed_out, ended.exit_code, ended.success()),
        (true, 137, false),
    )?;
    let killed = ended.killed.ok_or("no report")?;
    check(killed.is_clean() && killed.signalled.len() >= 5, || {
        format!("{killed:?}")
    })?;
    same("output", process.read().stdout_text().into_owned(), "up\n".to_owned())?;
    same("left", found(bench, &sandbox, "sleep 2003")?, Vec::new())?;
    let quick = Command::from("echo in time").timeout(Duration::from_secs(60));
    let quick = bench.wait(sandbox.spawn(quick))?;
    same("in time", bench.wait(quick.wait())?.success(), true)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_process_is_killed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let process = bench.wait(sandbox.spawn(stubborn(2004)))?;
    let other = bench.wait(sandbox.spawn("sleep 2005"))?;
    until_held(bench, &process, 3)?;
    drop(process);
    until_none(bench, &sandbox, 2004)?;
    check(other.is_running(), || "another was killed as well".to_owned())?;
    same("another", found(bench, &sandbox, "sleep 2005")?.is_empty(), false)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn what_is_left_running_lives_on<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "cat >/tmp/input; echo heard by nobody; sleep 2006";
    let process = bench.wait(sandbox.spawn(Command::from(line).keep_stdin_open()))?;
    let amount = 700_001;
    bench.wait(process.write(vec![b'x'; amount]))?;
    let id = process.leave_running();
    bench.until("the input", || {
        let seen = bench.wait(sandbox.run("wc -c </tmp/input"))?;
        Ok(seen.stdout_text().trim() == amount.to_string())
    })?;
    // Its input has ended, so it goes on to sleep.
    bench.until("what is behind the input", || {
        Ok(!found(bench, &sandbox, "sleep 2006")?.is_empty())
    })?;
    // Whoever knows the id finds it, and ends it.
    let line = format!(
        "for p in /proc/[0-9]*; do grep -qs POCKET_DOCK_EXEC={id} $p/environ && kill -9 ${{p#/proc/}} && echo found; done"
    );
    let killed = bench.wait(sandbox.run(line))?;
    check(killed.stdout_text().contains("found"), || {
        format!("{id} is not there: {killed:?}")
    })?;
    until_none(bench, &sandbox, 2006)?;
    // One that is silent, and has no input.
    let silent = bench.wait(sandbox.spawn("sleep 2007"))?;
    let _ = silent.leave_running();
    bench.adapter.pause(Duration::from_millis(300));
    same("it lives", found(bench, &sandbox, "sleep 2007")?.is_empty(), false)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_removed_container_is_told_to_its_processes<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let process = bench.wait(sandbox.spawn("echo before; sleep 2008"))?;
    until_held(bench, &process, 7)?;
    bench.peer.remove(sandbox.id())?;
    for _ in 0..2 {
        let ended = bench.wait(process.wait());
        let typed = matches!(&ended, Err(Error::Container(ContainerError::Gone { .. })));
        check(typed, || format!("removed: {ended:?}"))?;
    }
    same("it runs", process.is_running(), false)?;
    same(
        "output",
        process.read().stdout_text().into_owned(),
        "before\n".to_owned(),
    )?;
    drop(process);
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Whether this is how a process ends that is ended with its container by us.
fn ended_here<T: std::fmt::Debug>(what: &str, ended: &Result<T, Error>, name: &str) -> Verdict {
    let typed = matches!(ended, Err(Error::Container(ContainerError::EndedHere { name: said })) if said == name);
    check(typed, || format!("{what}: {ended:?}"))
}

/// Two processes of a container, one of which prints without end, and one who waits for each, while the container is ended
/// in some way.
fn end_under<A: Adapter>(
    bench: &Bench<A>,
    what: &str,
    sandbox: Container<A::Runtime>,
    end: impl FnOnce(Container<A::Runtime>) -> Result<Option<Container<A::Runtime>>, Failure>,
) -> Result<Option<Container<A::Runtime>>, Failure> {
    let name = sandbox.name().to_owned();
    let silent = bench.wait(sandbox.spawn("echo up; sleep 2009"))?;
    let noisy = bench.wait(sandbox.spawn(Command::from("yes").buffer_size(1000)))?;
    until_held(bench, &silent, 3)?;
    until_held(bench, &noisy, 1000)?;
    let (left, ends) = std::thread::scope(|scope| -> Result<_, Failure> {
        let waiting = [&silent, &noisy].map(|process| scope.spawn(|| bench.wait(process.wait())));
        let left = end(sandbox)?;
        let [silent, noisy] = waiting.map(std::thread::ScopedJoinHandle::join);
        let ends = [silent, noisy].map(|end| end.map_err(|_| "a waiter panicked"));
        Ok((left, ends))
    })?;
    for ended in ends {
        ended_here(what, &ended?, &name)?;
    }
    ended_here(what, &bench.wait(silent.wait()), &name)?;
    let running = silent.is_running() || noisy.is_running();
    same("a process runs", running, false)?;
    same("output", silent.read().stdout_text().into_owned(), "up\n".to_owned())?;
    Ok(left)
}

/// The container, if it is still there.
type Left<A> = Result<Option<Container<<A as Adapter>::Runtime>>, Failure>;

fn call<A: Adapter, O: Op>(
    bench: &Bench<A>,
    begin: impl FnOnce(&Container<A::Runtime>) -> Call<A, O>,
) -> impl FnOnce(Container<A::Runtime>) -> Left<A> {
    move |sandbox| {
        bench.wait(begin(&sandbox))?;
        Ok(Some(sandbox))
    }
}

pub(super) fn processes_end_before_their_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for is_forced in [false, true] {
        let sandbox = bench.sandbox()?;
        let id = sandbox.id().to_owned();
        let end = |sandbox: Container<A::Runtime>| {
            bench.wait(if is_forced {
                sandbox.shutdown_force()
            } else {
                sandbox.shutdown()
            })?;
            Ok(Some(sandbox))
        };
        end_under(bench, "shutdown", sandbox, end)?;
        check(!bench.knows(&id)?, || "it is still there".to_owned())?;
    }
    let sandbox = bench.sandbox()?;
    let id = sandbox.id().to_owned();
    end_under(bench, "dropped", sandbox, |sandbox| {
        drop(sandbox);
        Ok(None)
    })?;
    bench.until_gone(&id)
}

pub(super) fn processes_end_before_a_restart<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).auto_remove(false);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let left = end_under(bench, "restart", sandbox, call(bench, Container::restart))?;
    let sandbox = left.ok_or("no container")?;
    // It can be used as before.
    let process = bench.wait(sandbox.spawn("echo again"))?;
    same("success", bench.wait(process.wait())?.success(), true)?;
    let left = end_under(bench, "stop", sandbox, call(bench, Container::stop))?;
    let sandbox = left.ok_or("no container")?;
    let stopped = bench.wait(sandbox.spawn("true"));
    let typed = matches!(&stopped, Err(Error::Container(ContainerError::NotRunning { .. })));
    check(typed, || format!("stopped: {stopped:?}"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Whoever waits for a process knows its end when its container begins to be ended, and not when that is done.
pub(super) fn processes_do_not_wait_for_the_grace<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .command(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
        .grace(Duration::from_secs(3))
        .auto_remove(false);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let process: Process<A::Runtime> = bench.wait(sandbox.spawn("sleep 2010"))?;
    let is_told = AtomicBool::new(false);
    let (told, ended) = std::thread::scope(|scope| -> Result<_, Failure> {
        let waiting = scope.spawn(|| {
            let ended = bench.wait(process.wait());
            is_told.store(true, Ordering::SeqCst);
            ended
        });
        bench.wait(sandbox.stop())?;
        let told = is_told.load(Ordering::SeqCst);
        Ok((told, waiting.join().map_err(|_| "the waiter panicked")?))
    })?;
    ended_here("stop", &ended, sandbox.name())?;
    same("told before the stop had ended", told, true)?;
    Ok(bench.wait(sandbox.shutdown_force())?)
}
