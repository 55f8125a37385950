//! The rows of what breaks persistent shells, on bash, dash and ash: how commands end, and how much they may print.

use std::time::Duration;

use pocket_dock_core::{CloseReason, ContainerError, ContainerSpec, Error, SessionOptions, ShellState, Signal, Turn};

use super::shells::{At, each, each_with, seconds};
use super::{Adapter, Bench, Verdict, check, same};
use crate::lab;

/// What a command is given that does not end.
const LIMIT: Duration = Duration::from_millis(250);

/// A command whose time is over: nothing is left of it, and the shell is as it was.
fn times_out<A: Adapter>(at: &At<'_, A>, text: &str, stdout: &str) -> Verdict {
    let result = at.wait(Turn::new(text).timeout(LIMIT))?;
    let got = (result.exit_code, result.timed_out, result.shell);
    same(text, got, (137, true, ShellState::Lives))?;
    same(text, result.stdout_text().as_ref(), stdout)?;
    let report = result.killed.ok_or("nothing is said of what was killed")?;
    check(report.is_clean(), || format!("{text}: {report:?}"))?;
    at.until_gone(&format!("sleep {}", seconds(at.shell)))
        .map_err(|failure| format!("{text}: {failure}"))?;
    at.gives("echo $kept; pwd; cat", 0, "v 1\n/proc\n", "")
        .map_err(|failure| format!("behind {text}: {failure}").into())
}

pub(super) fn row_11_a_timeout<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let n = seconds(at.shell);
        at.gives(
            "kept='v 1'; cd /proc; f() { while :; do :; done; }; g() { f; echo no; }",
            0,
            "",
            "",
        )?;
        // Of an earlier turn: a program, and a shell that never becomes one.
        at.gives(
            &format!("sleep 99{n} & (while :; do sleep 98{n}; done) & job=$!"),
            0,
            "",
            "",
        )?;
        times_out(at, &format!("echo part; sleep {n}; echo no"), "part\n")?;
        times_out(at, &format!("while :; do sleep {n}; done; echo no"), "")?;
        times_out(
            at,
            &format!(
                "(setsid sleep {n} &); (sleep {n} & sleep {n}) & setsid sh -c 'sleep {n}; sleep {n}' & echo on; sleep {n}"
            ),
            "on\n",
        )?;
        times_out(at, &format!("g | g | sleep {n}; echo no"), "")?;
        times_out(at, "(while :; do :; done); echo no", "")?;
        times_out(at, "echo a; while :; do :; done; echo no; while :; do :; done", "a\n")?;
        times_out(at, "g; echo no", "")?;
        times_out(at, "x=$(while :; do :; done); echo $x", "")?;
        times_out(at, &format!("sleep {n} & wait; echo no"), "")?;
        // What it waits for has wiped its environment.
        times_out(at, &format!("env -i sleep {n}; echo no"), "")?;
        times_out(
            at,
            &format!("sleep {n} | env -i sh -c 'sleep {n} & sleep {n}'; echo no"),
            "",
        )?;
        let beat = format!("( (while :; do : >/tmp/beat{n}; done) & ); while :; do :; done");
        times_out(at, &beat, "")?;
        at.gives(&format!("rm /tmp/beat{n}; sleep 0.05; test -e /tmp/beat{n}"), 1, "", "")?;
        at.gives("kill -0 $job && echo there", 0, "there\n", "")?;
        check(
            at.runs(&format!("sleep 99{n}"))? && at.runs(&format!("sleep 98{n}"))?,
            || "what an earlier command left is gone".to_owned(),
        )?;
        at.gives("trap", 0, &at.wait("trap")?.stdout_text(), "")?;
        // The limit of all commands.
        at.options = SessionOptions::clone(&at.options).timeout(LIMIT);
        at.reopen()?;
        let result = at.wait(format!("sleep {n}"))?;
        same(
            "the session's own limit",
            (result.exit_code, result.timed_out),
            (137, true),
        )?;
        at.works()
    })
}

pub(super) fn row_12_an_interrupt<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let n = seconds(at.shell);
        let none = at.bench.wait(at.session.interrupt())?;
        check(none.signalled.is_empty(), || format!("{none:?}"))?;
        at.gives("kept=1; cd /proc", 0, "", "")?;
        let interrupted = |text: &str, code: i32, stdout: &str| -> Verdict {
            let mut stream = at.bench.wait(at.session.stream(format!("echo on; {text}")))?;
            let mut out = super::reading::read_until(at.bench, &mut stream, "on\n")?;
            at.bench.adapter.pause(Duration::from_millis(100));
            at.bench.wait(at.session.interrupt())?;
            out.push_str(&super::reading::text(at.bench, &mut stream)?.0);
            let ended = at.bench.wait(stream.result())?;
            same(text, (ended.exit_code, out), (code, format!("on\n{stdout}")))?;
            at.gives("echo $kept; pwd", 0, "1\n/proc\n", "")
                .map_err(|failure| format!("behind {text}: {failure}").into())
        };
        interrupted(&format!("sleep {n}"), 130, "")?;
        interrupted(&format!("sleep {n}; echo no"), 130, "")?;
        interrupted(&format!("while :; do sleep {n}; done; echo no"), 130, "")?;
        interrupted(&format!("env -i sleep {n}; echo no"), 130, "")?;
        interrupted("while :; do :; done; echo no", 130, "")?;
        interrupted(
            "sh -c 'trap \"echo int; exit 5\" INT; while :; do sleep 0.02; done'; echo no",
            5,
            "int\n",
        )?;
        at.until_gone(&format!("sleep {n}"))?;
        at.works()
    })
}

pub(super) fn row_13_both_streams_are_complete<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        for round in 0..20 {
            let text = format!("seq 1 {round}00; seq 1 {round}00 >&2; echo last >&2; printf end");
            let numbers: String = (1..=round * 100).map(|number| format!("{number}\n")).collect();
            at.gives(&text, 0, &format!("{numbers}end"), &format!("{numbers}last\n"))?;
        }
        at.gives("(sleep 0.1; echo err >&2) | cat; echo out", 0, "out\n", "err\n")?;
        check(at.session.read().is_empty(), || "something came late".to_owned())
    })
}

pub(super) fn row_14_what_looks_like_a_border<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let hex = format!("{}{}{}", at.bench.random(), at.bench.random(), at.bench.random());
        let forged = format!("__PD_{}_0__\n", &hex[..32]);
        at.gives(
            &format!("printf '{forged}'; printf '{forged}' >&2; echo on; (exit 3)"),
            3,
            &format!("{forged}on\n"),
            &forged,
        )?;
        // The id that the command knows is not that of its borders.
        let own = "for n in 0 1; do echo \"__PD_${POCKET_DOCK_TURN}_0__\"; echo \"__PD_${POCKET_DOCK_EXEC}_0__\" >&2; done; (exit 4)";
        let result = at.wait(own)?;
        let lines = |text: &str| text.lines().filter(|line| line.starts_with("__PD_")).count();
        let got = (
            result.exit_code,
            lines(&result.stdout_text()),
            lines(&result.stderr_text()),
        );
        same("its own id", got, (4, 2, 2))?;
        // The borders of the turns before, from the shell's memory of what it ran; and whatever else can be read of it.
        let look = "for f in /proc/$$/cmdline /proc/$$/environ /proc/$$/comm; do cat $f; done | tr '\\0' '\\n' | sed -n 's/.*\\([0-9a-f]\\{32\\}\\).*/__PD_\\1_0__/p'; set; echo end";
        let seen = at.wait(look)?;
        check(seen.success() && seen.stdout_text().ends_with("end\n"), || {
            format!("{seen:?}")
        })?;
        at.gives(
            "printf '__PD_'; sleep 0.02; printf '%s' \"$POCKET_DOCK_TURN\" | wc -c; printf '__PD_'; printf '_PD_' >&2",
            0,
            "__PD_32\n__PD_",
            "_PD_",
        )?;
        if at.shell == "bash" {
            // It can be had by whoever looks over the shell's shoulder; then it is an old one.
            at.wait("trap 'case $BASH_COMMAND in *__PD_%s_%d*) old=$BASH_COMMAND;; esac' DEBUG")?;
            at.wait("trap - DEBUG")?;
            let old = at.wait("set -- $old; for w; do case $w in [0-9a-f]*) echo \"__PD_${w}_0__\";; esac; done")?;
            check(old.exit_code == 0 && lines(&old.stdout_text()) > 0, || {
                format!("{old:?}")
            })?;
        }
        at.works()
    })
}

pub(super) fn row_15_much_output<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let flood = "printf head; head -c 67108864 /dev/zero; printf tail; (exit 3)";
        let result = at.wait(Turn::new(flood).output_limit(1000))?;
        same("exit code", result.exit_code, 3)?;
        check(
            result.stdout.to_bytes().starts_with(b"head") && result.stdout.to_bytes().ends_with(b"tail"),
            || "it has neither head nor tail".to_owned(),
        )?;
        let got = (
            result.stdout.to_bytes().len(),
            result.stdout.omitted_bytes,
            result.truncated(),
        );
        same("kept", got, (1000, (64 << 20) + 8 - 1000, true))?;
        let line = "head -c 20971520 /dev/zero | tr '\\0' x; echo; echo err >&2";
        let result = at.wait(Turn::new(line).output_limit(64 << 10))?;
        same(
            "one line",
            (result.exit_code, result.stdout.omitted_bytes),
            (0, (20 << 20) + 1 - (64 << 10)),
        )?;
        same("stderr", result.stderr_text().as_ref(), "err\n")?;
        // Nobody reads it: the newest is kept, and the rest counted.
        at.session.send("head -c 4194304 /dev/zero; printf end")?;
        at.works()?;
        let read = at.session.read();
        same(
            "in the ring",
            (read.len() as u64 + read.lost_bytes(), read.stdout().ends_with(b"end")),
            ((4 << 20) + 3, true),
        )?;
        check(read.len() <= 1 << 20, || format!("{} bytes are held", read.len()))
    })
}

pub(super) fn row_16_prompts_come_as_they_are<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let text = "for n in 1 2 3; do printf '\\r%s%%' $n; printf . >&2; while [ ! -e /tmp/go$$ ]; do sleep 0.01; done; rm /tmp/go$$; done";
        let pid = at.wait("echo $$")?.stdout_text().trim().to_owned();
        let mut stream = at.bench.wait(at.session.stream(text))?;
        for step in 1..=3 {
            let (mut out, mut err) = (String::new(), String::new());
            while out.len() < 3 || err.is_empty() {
                let piece = at.bench.wait(stream.next())?.ok_or("it is over")?;
                let whole = String::from_utf8(piece.data.to_vec())?;
                match piece.channel {
                    pocket_dock_core::Channel::Stdout => out.push_str(&whole),
                    pocket_dock_core::Channel::Stderr => err.push_str(&whole),
                }
            }
            same("piece", (out, err), (format!("\r{step}%"), ".".to_owned()))?;
            at.bench.wait(at.sandbox.run(format!("touch /tmp/go{pid}")))?;
        }
        same("end", at.bench.wait(stream.next())?, None)?;
        same("exit code", at.bench.wait(stream.result())?.exit_code, 0)
    })
}

pub(super) fn row_17_a_long_script<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let lines: String = (0..10_000).map(|number| format!("x={number}\n")).collect();
        at.gives(&format!("{lines}echo $x; (exit 3)"), 3, "9999\n", "")?;
        let line = format!("n=$((n+1)) # {}\n", "x".repeat(90));
        let megabyte = format!(
            "{}echo $n $0; cat; set -- a b; return 5; echo no",
            line.repeat((1 << 20) / line.len())
        );
        let began = at.bench.adapter.now();
        let result = at.wait(megabyte)?;
        let took = at.bench.adapter.now() - began;
        check(took < Duration::from_secs(10), || format!("it took {took:?}"))?;
        check(
            result.exit_code == 5
                && result
                    .stdout_text()
                    .starts_with(&format!("{} ", (1 << 20) / line.len())),
            || format!("{:?} {:?}", result.stdout_text(), result.stderr_text()),
        )?;
        at.gives("echo $n $*", 0, &format!("{} a b\n", (1 << 20) / line.len()), "")?;
        at.nothing_stored()?;
        let word = "y".repeat(1 << 20);
        at.outcome(
            Turn::new(format!("v={word}; echo ${{#v}}; cat")).stdin("in"),
            0,
            "1048576\nin",
            "",
        )?;
        at.works()
    })
}

pub(super) fn row_18_the_shell_or_its_container_is_killed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let pid = at.wait("echo $$")?.stdout_text().trim().to_owned();
        let n = seconds(at.shell);
        let mut stream = at.bench.wait(at.session.stream(format!("echo on; sleep {n}")))?;
        super::reading::read_until(at.bench, &mut stream, "on\n")?;
        let began = at.bench.adapter.now();
        // As the kernel does when memory is short.
        at.bench.wait(at.sandbox.run(format!("kill -9 {pid}")))?;
        let ended = at.bench.wait(stream.result())?;
        same("killed", ended.exit_code, 137)?;
        at.is_closed("killed", |reason| *reason == CloseReason::Exited(137))?;
        let took = at.bench.adapter.now() - began;
        check(took < Duration::from_secs(5), || format!("it took {took:?}"))
    })?;
    let sandbox = bench.sandbox()?;
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let mut stream = bench.wait(session.stream("echo on; sleep 4400"))?;
    super::reading::read_until(bench, &mut stream, "on\n")?;
    bench.peer.remove(sandbox.id())?;
    for what in ["running", "next"] {
        let ended = if what == "running" {
            bench.wait(stream.result()).map(|_| ())
        } else {
            bench.wait(session.send_and_wait("true")).map(|_| ())
        };
        let reason = match ended {
            Err(pocket_dock_core::Error::SessionClosed {
                reason: CloseReason::Failed(error),
            }) => *error,
            other => return Err(format!("{what}: {other:?}").into()),
        };
        let gone = matches!(
            reason,
            pocket_dock_core::Error::Container(pocket_dock_core::ContainerError::Gone { .. })
        );
        check(gone, || format!("{what}: {reason:?}"))?;
    }
    bench.wait(sandbox.shutdown())?;
    a_container_that_stops(bench)?;
    the_shell_takes_too_much(bench)
}

/// The container is stopped by somebody else, and does not vanish.
fn a_container_that_stops<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let mut stream = bench.wait(session.stream("echo on; sleep 4401"))?;
    super::reading::read_until(bench, &mut stream, "on\n")?;
    let began = bench.adapter.now();
    let (status, answer) = bench
        .peer
        .request("POST", &format!("/v1.40/containers/{}/kill", sandbox.id()), b"")?;
    check(status < 300, || {
        format!("kill: {status} {}", String::from_utf8_lossy(&answer))
    })?;
    let running = bench.wait(stream.result()).map(|_| ());
    let next = bench.wait(session.send_and_wait("true")).map(|_| ());
    for ended in [running, next] {
        check(is_stopped(&ended), || format!("stopped: {ended:?}"))?;
    }
    let took = bench.adapter.now() - began;
    check(took < Duration::from_secs(10), || format!("it took {took:?}"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

fn is_stopped(ended: &Result<(), Error>) -> bool {
    let Err(Error::SessionClosed { reason }) = ended else {
        return false;
    };
    match reason {
        // Its shell was killed with all that was in the container, and its end was seen first.
        CloseReason::Exited(137) => true,
        CloseReason::Failed(error) => matches!(
            **error,
            Error::Container(ContainerError::NotRunning { .. } | ContainerError::Gone { .. })
        ),
        _ => false,
    }
}

/// The kernel kills the shell when its container has no memory left.
fn the_shell_takes_too_much<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(lab::images::BUSYBOX).memory(64 << 20);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let text = "echo on; x=0123456789abcdef; while :; do x=$x$x; done";
    let ended = bench.wait(session.send_and_wait(text))?;
    let got = (ended.exit_code, ended.shell, ended.stdout_text().into_owned());
    same("out of memory", got, (137, ShellState::Exited, "on\n".to_owned()))?;
    let next = bench.wait(session.send_and_wait("true")).map(|_| ());
    check(
        matches!(
            &next,
            Err(Error::SessionClosed {
                reason: CloseReason::Exited(137)
            })
        ),
        || format!("out of memory: {next:?}"),
    )?;
    let well = bench.wait(sandbox.run("echo well"))?;
    same("its container", well.stdout_text().as_ref(), "well\n")?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn row_19_exit_codes_and_signals<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        for code in [1, 2, 125, 126, 127, 128, 129, 200, 255] {
            at.gives(&format!("(exit {code})"), code, "", "")?;
        }
        for (name, number, signal) in [
            ("KILL", 137, Signal::Kill),
            ("TERM", 143, Signal::Term),
            ("PIPE", 141, Signal::Pipe),
        ] {
            let result = at.wait(format!("sh -c 'kill -{name} $$'"))?;
            same(name, (result.exit_code, result.signal()), (number, Some(signal)))?;
        }
        at.gives("echo $?", 0, "0\n", "")?;
        at.works()
    })
}

pub(super) fn row_20_many_callers<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        at.gives("n=0", 0, "", "")?;
        let (threads, each) = (8, 12);
        std::thread::scope(|scope| -> Verdict {
            let callers: Vec<_> = (0..threads)
                .map(|caller| {
                    let at = &*at;
                    scope.spawn(move || -> Verdict {
                        for number in 0..each {
                            let text = format!("n=$((n+1)); printf '{caller} '; echo {number}; echo e{caller}.{number} >&2; (exit {caller})");
                            at.gives(&text, caller, &format!("{caller} {number}\n"), &format!("e{caller}.{number}\n"))?;
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
        at.gives("echo $n", 0, &format!("{}\n", threads * each), "")?;
        for number in 0..500 {
            at.session.send(format!("printf {number},"))?;
        }
        at.works()?;
        let wanted: String = (0..500).map(|number| format!("{number},")).collect();
        same("sent", at.session.read().stdout_text().as_ref(), wanted.as_str())
    })
}

pub(super) fn a_shell_that_does_not_come_back<A: Adapter>(bench: &Bench<A>) -> Verdict {
    // What the shell is told by is taken from it.
    let text = "trap '' URG; echo part; while :; do :; done";
    each(bench, |at| {
        let result = at.wait(Turn::new(text).timeout(LIMIT))?;
        let got = (result.timed_out, result.shell, result.stdout_text().into_owned());
        same("closed", got, (true, ShellState::Exited, "part\n".to_owned()))?;
        at.is_closed("stuck", |reason| *reason == CloseReason::Stuck)
    })?;
    let options = SessionOptions::new().on_stuck(pocket_dock_core::OnStuck::Replace);
    each_with(bench, options, |at| {
        at.gives("kept=1; cd /proc; set -x", 0, "", "")?;
        let result = at.wait(Turn::new(text).timeout(LIMIT))?;
        let got = (result.timed_out, result.shell, result.stdout_text().into_owned());
        same("replaced", got, (true, ShellState::Replaced, "part\n".to_owned()))?;
        at.gives("echo ${kept-lost}", 0, "lost\n", "")?;
        check(at.session.is_alive(), || "it is said to be closed".to_owned())?;
        at.works()?;
        times_out_briefly(at)
    })
}

fn times_out_briefly<A: Adapter>(at: &At<'_, A>) -> Verdict {
    let result = at.wait(Turn::new("while :; do :; done").timeout(LIMIT))?;
    same("behind it", (result.timed_out, result.shell), (true, ShellState::Lives))?;
    at.works()
}
