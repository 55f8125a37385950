//! Calls that are dropped after the first poll, the second, and so on until one ends. Where calls block, the first has
//! ended.

use std::time::Duration;

use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{Container, ContainerSpec, Op};

use super::{Adapter, Bench, Call, Verdict, check, same};
use crate::lab::images;

/// More polls than any of these calls needs.
pub(super) const MOST: usize = 500;
/// How long the background may take, on a machine with much to do.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

fn cleaned_up() -> Verdict {
    check(wait_for_cleanup(LIMIT), || {
        format!("the background has not ended after {LIMIT:?}")
    })
}

pub(super) fn a_dropped_create_leaves_no_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for polls in 0..MOST {
        let name = format!("dropped-{}", bench.random());
        let call = bench.engine.create(ContainerSpec::new(images::BUSYBOX).name(&name));
        let ended = bench.adapter.wait_for_polls(call, polls);
        if let Some(sandbox) = ended {
            return Ok(bench.wait(sandbox?.shutdown())?);
        }
        cleaned_up()?;
        check(!bench.knows(&name)?, || {
            format!("it is there, and was dropped after {polls} polls")
        })?;
    }
    Err(format!("it did not end in {MOST} polls").into())
}

pub(super) fn a_dropped_run_leaves_no_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for polls in 0..MOST {
        let mark = 7000 + polls;
        let call = sandbox.run(format!(
            "sleep {mark} & (sleep {mark} &); echo a; sleep 0.2; echo b; sleep 0.1"
        ));
        let ended = bench.adapter.wait_for_polls(call, polls);
        if let Some(result) = ended {
            same("exit code", result?.exit_code, 0)?;
            return Ok(bench.wait(sandbox.shutdown())?);
        }
        cleaned_up()?;
        let left = processes(bench, &sandbox, mark)?;
        same(&format!("processes left after {polls} polls"), left, String::new())?;
    }
    Err(format!("it did not end in {MOST} polls").into())
}

/// A call that begins a command which goes on beside calls has few polls of its own, and much that goes on beside it: it is
/// dropped at moments too.
fn drop_at_moments<A: Adapter, O: Op>(
    bench: &Bench<A>,
    begin: impl Fn(&Container<A::Runtime>, String) -> Call<A, O>,
) -> Verdict {
    let sandbox = bench.sandbox()?;
    let command = |mark| format!("sleep {mark} & (sleep {mark} &); setsid sleep {mark} & echo a; sleep {mark}");
    for number in 0..12 {
        let mark = 8000 + number;
        let call = begin(&sandbox, command(mark));
        let ended = match number {
            0..3 => bench.adapter.wait_for_polls(call, number),
            // 0.5 ms, 1 ms, and so on to 128 ms.
            _ => {
                let moment = Duration::from_micros(500 << (number - 3));
                bench.adapter.wait_for_time(call, moment)
            }
        };
        drop(ended.transpose()?);
        cleaned_up()?;
        let left = processes(bench, &sandbox, mark)?;
        same(&format!("processes left of call {number}"), left, String::new())?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_stream_call_leaves_no_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    drop_at_moments(bench, |sandbox, command| sandbox.stream(command))
}

pub(super) fn a_dropped_spawn_leaves_no_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    drop_at_moments(bench, |sandbox, command| sandbox.spawn(command))
}

pub(super) fn a_dropped_file_writer_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    bench.wait(sandbox.make_dir("/w"))?;
    for polls in 0..MOST {
        let call = sandbox.write_file_stream("/w/f");
        let writer = bench.adapter.wait_for_polls(call, polls).transpose()?;
        let begun = writer.is_some();
        drop(writer);
        cleaned_up()?;
        let left = bench.wait(sandbox.list_files("/w"))?;
        same(&format!("files left after {polls} polls"), left, Vec::new())?;
        if begun {
            return Ok(bench.wait(sandbox.shutdown())?);
        }
    }
    Err(format!("it did not begin in {MOST} polls").into())
}

/// The processes that have this word in their command line, but not the one that looks.
fn processes<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Container<A::Runtime>,
    mark: usize,
) -> Result<String, super::Failure> {
    let look =
        format!("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null | grep '^sleep {mark}'");
    Ok(bench.wait(sandbox.run(look))?.stdout_text().into_owned())
}

pub(super) fn a_dropped_shutdown_goes_on<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for polls in 0..MOST {
        let sandbox = bench.sandbox()?;
        let call = sandbox.shutdown();
        let ended = bench.adapter.wait_for_polls(call, polls);
        if ended.is_none() {
            cleaned_up()?;
        }
        check(!bench.knows(sandbox.id())?, || {
            format!("it is there after {polls} polls")
        })?;
        if let Some(ended) = ended {
            return Ok(ended?);
        }
    }
    Err(format!("it did not end in {MOST} polls").into())
}

pub(super) fn a_dropped_question_changes_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for polls in 0..MOST {
        if let Some(state) = bench.adapter.wait_for_polls(sandbox.inspect(), polls) {
            check(state?.running, || "it does not run".to_owned())?;
            return Ok(bench.wait(sandbox.shutdown())?);
        }
        cleaned_up()?;
    }
    Err(format!("it did not end in {MOST} polls").into())
}
