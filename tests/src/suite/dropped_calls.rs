//! Every call that has no case of its own, dropped after its first poll, its second, and so on until it ends: nothing is left
//! of it, and the container goes on.

use std::time::Duration;

use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{Checkup, Container, ContainerSpec, FilePath, ListFilter, Op, Prune, Signal};

use super::dropped::{LIMIT, MOST};
use super::{Adapter, Bench, Call, Verdict, check, same};
use crate::lab::images::BUSYBOX;

type Sandbox<A> = Container<<A as Adapter>::Runtime>;

/// Drops a call after each number of polls, makes the container run again whatever that has done, and looks what is left.
fn at_each_poll<A: Adapter, O: Op>(
    bench: &Bench<A>,
    sandbox: &Sandbox<A>,
    what: &str,
    call: impl Fn() -> Call<A, O>,
) -> Verdict {
    at_each_poll_behind(bench, sandbox, what, || Ok(()), call)
}

/// The same, where something is to be so before the call.
fn at_each_poll_behind<A: Adapter, O: Op>(
    bench: &Bench<A>,
    sandbox: &Sandbox<A>,
    what: &str,
    before: impl Fn() -> Verdict,
    call: impl Fn() -> Call<A, O>,
) -> Verdict {
    for polls in 0..MOST {
        before()?;
        let ended = bench.adapter.wait_for_polls(call(), polls);
        check(wait_for_cleanup(LIMIT), || format!("{what}: the background goes on"))?;
        runs_again(bench, sandbox)?;
        if let Some(ended) = ended {
            ended.map_err(|error| format!("{what}: {error}"))?;
            bench
                .until_listed(sandbox, &[])
                .map_err(|error| format!("left of {what}: {error}"))?;
            let well = bench.wait(sandbox.run("ps | grep -c '[7]777'"))?;
            return same(what, well.stdout_text().trim(), "0");
        }
    }
    Err(format!("{what} did not end in {MOST} polls").into())
}

fn runs_again<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Verdict {
    // What an engine was asked for just before a drop may come a moment later, so it is asked until it is so.
    bench.until("it runs again", || {
        let state = bench.wait(sandbox.inspect())?;
        if state.paused {
            drop(bench.wait(sandbox.unpause()));
        } else if !state.running {
            drop(bench.wait(sandbox.start()));
        } else {
            return Ok(bench
                .wait(sandbox.run("true"))
                .is_ok_and(|result| result.exit_code == 0));
        }
        Ok(false)
    })
}

pub(super) fn a_dropped_stop_or_start_leaves_it_whole<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(BUSYBOX).auto_remove(false);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let at = &sandbox;
    at_each_poll(bench, at, "stop", || at.stop())?;
    at_each_poll(bench, at, "restart", || at.restart())?;
    at_each_poll(bench, at, "pause", || at.pause())?;
    let paused = || Ok(bench.wait(at.pause())?);
    at_each_poll_behind(bench, at, "unpause", paused, || at.unpause())?;
    let stopped = || Ok(bench.wait(at.stop())?);
    at_each_poll_behind(bench, at, "start", stopped, || at.start())?;
    at_each_poll(bench, at, "kill", || at.kill(Signal::Cont))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_look_or_reboot_leaves_it_whole<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(BUSYBOX).auto_remove(false);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let (at, engine) = (&sandbox, &bench.engine);
    at_each_poll(bench, at, "applied", || at.applied())?;
    at_each_poll(bench, at, "ports", || at.ports())?;
    at_each_poll(bench, at, "info", || at.info())?;
    at_each_poll(bench, at, "end_reason", || at.end_reason())?;
    at_each_poll(bench, at, "list", || engine.list(ListFilter::new().name(at.name())))?;
    at_each_poll(bench, at, "attach", || engine.attach(at.id()))?;
    at_each_poll(bench, at, "prune_candidates", || engine.prune_candidates(Prune::new()))?;
    at_each_poll(bench, at, "doctor", || engine.doctor(Checkup::new()))?;
    at_each_poll(bench, at, "reboot", || at.reboot())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_call_about_processes_or_files<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let at = &sandbox;
    bench.wait(at.run("mkdir -p /d/e; echo content >/d/f"))?;
    at_each_poll(bench, at, "processes", || at.processes())?;
    at_each_poll(bench, at, "kill_process", || {
        at.kill_process("0".repeat(32), Signal::Kill)
    })?;
    at_each_poll(bench, at, "read_file", || at.read_file("/d/f"))?;
    at_each_poll(bench, at, "write_file", || at.write_file("/d/w", "written"))?;
    same("written", bench.wait(at.read_file("/d/w"))?.as_ref(), b"written")?;
    at_each_poll(bench, at, "list_files", || at.list_files("/d"))?;
    at_each_poll(bench, at, "stat", || at.stat("/d/f"))?;
    at_each_poll(bench, at, "exists", || at.exists("/d/none"))?;
    at_each_poll(bench, at, "make_dir", || at.make_dir("/d/made/of/many"))?;
    at_each_poll(bench, at, "read_file_stream", || at.read_file_stream("/d/f"))?;
    at_each_poll(bench, at, "images", || bench.engine.images())?;
    // Those that happen once: what they did before they were dropped is done.
    bench.wait(at.run("mkdir /r; touch /r/a"))?;
    for polls in 0..MOST {
        let renamed = bench
            .adapter
            .wait_for_polls(at.rename("/r/a", "/r/b"), polls)
            .transpose()?;
        check(wait_for_cleanup(LIMIT), || "rename: the background goes on".to_owned())?;
        let names = bench.wait(at.run("ls /r"))?.stdout_text().into_owned();
        check(names == "a\n" || names == "b\n", || {
            format!("neither or both: {names:?}")
        })?;
        if renamed.is_some() || names == "b\n" {
            break;
        }
    }
    for polls in 0..MOST {
        let call = at.remove(FilePath::new("/d").recursive());
        let removed = bench.adapter.wait_for_polls(call, polls).transpose()?;
        check(wait_for_cleanup(LIMIT), || "remove: the background goes on".to_owned())?;
        if removed.is_some() || !bench.wait(at.exists("/d"))? {
            break;
        }
    }
    check(!bench.wait(at.exists("/d"))?, || "it is not removed".to_owned())?;
    // Where calls block, this one would do so for ever.
    let times: &[u64] = match bench.adapter.name() {
        "blocking" => &[],
        _ => &[0, 1, 3, 10, 100],
    };
    for time in times {
        let ended = bench.adapter.wait_for_time(at.wait(), Duration::from_millis(*time));
        check(ended.is_none(), || {
            format!("the container has ended by itself: {ended:?}")
        })?;
    }
    check(wait_for_cleanup(LIMIT), || "wait: the background goes on".to_owned())?;
    runs_again(bench, at)?;
    Ok(bench.wait(sandbox.shutdown())?)
}
