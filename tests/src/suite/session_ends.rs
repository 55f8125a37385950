//! How sessions end, and what becomes of commands that nobody waits for any more.

use std::time::Duration;

use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{CloseReason, ContainerError, Error, Session, SessionOptions};

use super::reading::{Sandbox, read_until, running, until};
use super::shells::{each, seconds};
use super::{Adapter, Bench, Verdict, check, same};

/// More polls than any of these calls needs.
const MOST: usize = 500;
/// How long the background may take, on a machine with much to do.
const LIMIT: Duration = Duration::from_secs(60);
/// An engine that waits for somebody to read takes ten seconds and more.
const SOON: Duration = Duration::from_secs(10);

fn cleaned_up() -> Verdict {
    check(wait_for_cleanup(LIMIT), || {
        format!("the background has not ended after {LIMIT:?}")
    })
}

/// A call that is dropped there has ended.
fn blocks<A: Adapter>(bench: &Bench<A>) -> bool {
    bench.adapter.name() == "blocking"
}

fn is_closed<T: std::fmt::Debug>(what: &str, ended: Result<T, Error>, is_it: impl Fn(&CloseReason) -> bool) -> Verdict {
    check(
        matches!(&ended, Err(Error::SessionClosed { reason }) if is_it(reason)),
        || format!("{what}: {ended:?}"),
    )
}

/// Its container was ended by this program.
fn ended_here(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Failed(error) if matches!(**error, Error::Container(ContainerError::EndedHere { .. })))
}

/// After each number of polls, and at moments: where calls block, the first has ended.
pub(super) fn a_dropped_turn_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let n = seconds(at.shell);
        at.gives("kept='v 1'; cd /proc", 0, "", "")?;
        let text = format!("echo part; echo err >&2; setsid sleep {n} & (sleep {n} &); sleep {n}; echo never");
        // How often it is woken before its end, nobody can tell, so this one ends by itself.
        let short = "echo part; echo err >&2; sleep 1; echo last";
        for number in 0..12 {
            let wanted = match number {
                _ if blocks(at.bench) => "true",
                0..4 => short,
                _ => text.as_str(),
            };
            let call = at.session.send_and_wait(wanted);
            let ended = match number {
                0..4 => at.bench.adapter.wait_for_polls(call, number),
                _ => at
                    .bench
                    .adapter
                    .wait_for_time(call, Duration::from_micros(400 << (number - 4))),
            };
            check(number < 4 || blocks(at.bench) || ended.is_none(), || {
                format!("call {number}: {ended:?}")
            })?;
            at.gives("echo $kept; pwd; cat", 0, "v 1\n/proc\n", "")
                .map_err(|failure| format!("behind call {number}: {failure}"))?;
            at.until_gone(&format!("sleep {n}"))?;
        }
        // Nothing came late, but for what bash says of those that were killed.
        let late = at.session.read().merged_text();
        check(late.lines().all(|line| line.contains("Killed")), || {
            format!("it came late: {late:?}")
        })
    })
}

/// One that waits for its turn is never begun.
pub(super) fn a_dropped_turn_in_the_queue<A: Adapter>(bench: &Bench<A>) -> Verdict {
    if blocks(bench) {
        return Ok(());
    }
    each(bench, |at| {
        let mut stream = at.bench.wait(
            at.session
                .stream("echo on; while [ ! -e /tmp/go$$ ]; do sleep 0.02; done"),
        )?;
        read_until(at.bench, &mut stream, "on\n")?;
        let call = at.session.send_and_wait("touch /tmp/never$$");
        check(
            at.bench
                .adapter
                .wait_for_time(call, Duration::from_millis(20))
                .is_none(),
            || "it did not wait for its turn".to_owned(),
        )?;
        drop(stream);
        at.gives("ls /tmp/never$$ 2>/dev/null | wc -l", 0, "0\n", "")
    })
}

pub(super) fn a_dropped_session_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let gone = |what: &str| -> Verdict {
        cleaned_up()?;
        until(bench, what, || Ok(shells_in(bench, &sandbox)?.is_empty()))
    };
    for polls in 0..MOST {
        let ended = bench
            .adapter
            .wait_for_polls(sandbox.session(SessionOptions::new()), polls);
        let over = ended.is_some();
        drop(ended.transpose()?);
        gone(&format!("nothing is left after {polls} polls"))?;
        if over {
            break;
        }
    }
    // At moments of its start, and in the middle of a command.
    for number in 0..8 {
        let call = sandbox.session(SessionOptions::new());
        drop(
            bench
                .adapter
                .wait_for_time(call, Duration::from_micros(500 << number))
                .transpose()?,
        );
        gone(&format!("nothing is left of call {number}"))?;
    }
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let mut stream = bench.wait(session.stream("setsid sleep 4501 & sleep 4502 & echo on; sleep 4503"))?;
    read_until(bench, &mut stream, "on\n")?;
    drop(session);
    is_closed("its stream", bench.wait(stream.result()), |reason| {
        *reason == CloseReason::ByCaller
    })?;
    gone("nothing is left of a command")?;
    until(bench, "nothing is left of a command", || {
        Ok(running(bench, &sandbox, "sleep 45")?.is_empty())
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// The shells of sessions that a container has.
fn shells_in<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Result<Vec<String>, super::Failure> {
    running(bench, sandbox, "sh -s")
}

pub(super) fn a_closed_session_leaves_its_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let n = seconds(at.shell);
        let other = at.another()?;
        let elsewhere = at
            .bench
            .wait(other.send_and_wait(format!("x=1; sleep 97{n} & cd /tmp")))?;
        same("elsewhere", elsewhere.exit_code, 0)?;
        at.gives(
            &format!("sleep {n} & (setsid sleep {n} &); trap '' TERM HUP INT"),
            0,
            "",
            "",
        )?;
        let mut stream = at.bench.wait(at.session.stream(format!("echo on; sleep {n}")))?;
        read_until(at.bench, &mut stream, "on\n")?;
        at.session.send("echo waits")?;
        at.bench.wait(at.session.close())?;
        is_closed("its stream", at.bench.wait(stream.result()), |reason| {
            *reason == CloseReason::ByCaller
        })?;
        at.is_closed("closed", |reason| *reason == CloseReason::ByCaller)?;
        is_closed("interrupt", at.bench.wait(at.session.interrupt()), |reason| {
            *reason == CloseReason::ByCaller
        })?;
        is_closed("send", at.session.send("true"), |reason| {
            *reason == CloseReason::ByCaller
        })?;
        at.bench.wait(at.session.close())?;
        at.until_gone(&format!("sleep {n}"))?;
        // What is not in it goes on.
        check(at.runs(&format!("sleep 97{n}"))?, || {
            "another session lost its job".to_owned()
        })?;
        let result = at.bench.wait(other.send_and_wait("echo $x; pwd"))?;
        same("elsewhere", result.stdout_text().as_ref(), "1\n/tmp\n")?;
        at.reopen()?;
        at.works()
    })
}

pub(super) fn a_shutdown_closes_sessions_first<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for (what, by_force) in [("shutdown", false), ("shutdown by force", true)] {
        let sandbox = bench.sandbox()?;
        let sessions: Vec<Session<A::Runtime>> = (0..3)
            .map(|_| bench.wait(sandbox.session(SessionOptions::new())))
            .collect::<Result<_, _>>()?;
        let mut stream = bench.wait(sessions[0].stream("trap '' TERM; echo on; sleep 4601"))?;
        read_until(bench, &mut stream, "on\n")?;
        let began = bench.adapter.now();
        std::thread::scope(|scope| -> Verdict {
            let session = &sessions[1];
            let turn = scope.spawn(|| bench.wait(session.send_and_wait("touch /tmp/on; sleep 4602")));
            until(bench, "it is under way", || {
                Ok(bench.wait(sandbox.run("test -e /tmp/on"))?.success())
            })?;
            let queued = scope.spawn(|| bench.wait(session.send_and_wait("echo never")));
            bench.adapter.pause(Duration::from_millis(100));
            bench.wait(if by_force {
                sandbox.shutdown_force()
            } else {
                sandbox.shutdown()
            })?;
            for (which, ended) in [("running", turn.join()), ("queued", queued.join())] {
                let ended = ended.map_err(|_| "a caller panicked")?;
                is_closed(&format!("{what}, {which}"), ended, ended_here)?;
            }
            Ok(())
        })?;
        let took = bench.adapter.now() - began;
        check(took < SOON, || format!("{what} took {took:?}"))?;
        let ended = bench.wait(stream.result());
        is_closed(what, ended, ended_here)?;
        for session in &sessions {
            is_closed(what, bench.wait(session.send_and_wait("true")), ended_here)?;
            check(!session.is_alive(), || format!("{what}: a session is said to be alive"))?;
            bench.wait(session.close())?;
        }
        bench.until_gone(sandbox.id())?;
    }
    Ok(())
}

pub(super) fn several_sessions_of_one_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let sessions: Vec<Session<A::Runtime>> = (0..6)
        .map(|_| bench.wait(sandbox.session(SessionOptions::new())))
        .collect::<Result<_, _>>()?;
    std::thread::scope(|scope| -> Verdict {
        let callers: Vec<_> = sessions
            .iter()
            .enumerate()
            .map(|(number, session)| {
                scope.spawn(move || -> Verdict {
                    bench.wait(session.send_and_wait(format!("own={number}; n=0")))?;
                    for step in 1..=20 {
                        let result = bench.wait(session.send_and_wait("n=$((n+1)); echo $own.$n"))?;
                        same(
                            "output",
                            result.stdout_text().into_owned(),
                            format!("{number}.{step}\n"),
                        )?;
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok(())
    })?;
    drop(sessions);
    cleaned_up()?;
    until(bench, "no shell is left", || Ok(shells_in(bench, &sandbox)?.is_empty()))?;
    Ok(bench.wait(sandbox.shutdown())?)
}
