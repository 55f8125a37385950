//! Running commands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pocket_dock_core::{Command, Container, ContainerSpec, Error, ExecError, ExecResult};

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

pub(super) fn two_hundred_commands<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for number in 0..bench.amount(200, 20) {
        let result = bench.wait(sandbox.run(format!("echo line {number}; exit {}", number % 7)))?;
        same("output", result.stdout_text().into_owned(), format!("line {number}\n"))?;
        same("exit code", result.exit_code, i32::try_from(number % 7)?)?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn exit_codes_and_signals<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for code in [0, 1, 2, 126, 127, 128, 255] {
        same(
            "exit code",
            bench.wait(sandbox.run(format!("exit {code}")))?.exit_code,
            code,
        )?;
    }
    same("killed", bench.wait(sandbox.run("kill -9 $$"))?.exit_code, 137)?;
    same("terminated", bench.wait(sandbox.run("kill -TERM $$"))?.exit_code, 143)?;
    same(
        "not found by the shell",
        bench.wait(sandbox.run("no-such-program"))?.exit_code,
        127,
    )?;
    same(
        "group killed",
        bench.wait(sandbox.run("echo before; kill -TERM 0; sleep 1"))?.exit_code,
        143,
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn stdout_and_stderr_are_apart_and_exact<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let result = bench.wait(sandbox.run(r"printf 'a\000b\377'; printf 'e\n\n' >&2; printf '\n'"))?;
    same("stdout", &result.stdout.to_bytes()[..], &b"a\0b\xff\n"[..])?;
    same("stderr", &result.stderr.to_bytes()[..], &b"e\n\n"[..])?;
    let result = bench.wait(sandbox.run("true"))?;
    same("nothing", (result.stdout.head.len(), result.stderr.head.len()), (0, 0))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn argv_is_untouched<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let odd = "a b;$HOME `x` '\"\\ *\n-";
    let result = bench.wait(sandbox.run(Command::argv(["printf", "%s|", odd, "", "-n"])))?;
    same("output", result.stdout_text().into_owned(), format!("{odd}||-n|"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn environment_directory_and_user<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .env("A", "container")
        .env("B", "container")
        .workdir("/tmp");
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let command = Command::from("echo $A $B $(pwd) $(id -u)").env("B", "run\u{e9}");
    same(
        "own",
        bench.wait(sandbox.run(command))?.stdout_text().into_owned(),
        "container run\u{e9} /tmp 0\n".to_owned(),
    )?;
    let command = Command::from("echo $(pwd) $(id -u)").workdir("/bin").user("worker");
    same(
        "other",
        bench.wait(sandbox.run(command))?.stdout_text().into_owned(),
        "/bin 1000\n".to_owned(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn python_runs<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.python()?;
    let code = "import sys\nprint(sum(map(int, sys.stdin)))\nsys.exit(3)";
    let result = bench.wait(sandbox.run(Command::lang("python", code).stdin("1\n2\n39\n")))?;
    same(
        "output",
        (result.stdout_text().into_owned(), result.exit_code),
        ("42\n".to_owned(), 3),
    )?;
    let result = bench.wait(sandbox.run(Command::lang("bash", "echo ${BASH_VERSION:+bash}")))?;
    same("bash", result.stdout_text().into_owned(), "bash\n".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn code_of_any_size<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.python()?;
    let padding = "# padding\n".repeat(bench.amount(60_000, 12_000)); // an argument has room for 128 KiB
    let input = bench.amount(300_000, 30_000);
    let code = format!("{padding}import sys\nprint(len(sys.stdin.buffer.read()))\n");
    let result = bench.wait(sandbox.run(Command::lang("python", code).stdin(vec![b'x'; input])))?;
    same(
        "python",
        (result.stdout_text().into_owned(), result.exit_code),
        (format!("{input}\n"), 0),
    )?;
    let line = format!("{padding}wc -c; exit 5");
    let result = bench.wait(sandbox.run(Command::from(line).stdin("12345")))?;
    same(
        "shell",
        (result.stdout_text().trim().to_owned(), result.exit_code),
        ("5".to_owned(), 5),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn sixty_four_mebibytes_of_input<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut seed = 88_172_645_463_325_252_u64;
    let amount = bench.amount(64 << 20, 32 << 10);
    let mut data = Vec::with_capacity(amount);
    while data.len() < amount {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        data.extend_from_slice(&seed.to_le_bytes());
    }
    let data = bytes::Bytes::from(data);
    let result = bench.wait(sandbox.run(Command::argv(["cat"]).stdin(data.clone()).unlimited_output()))?;
    same("exit code", result.exit_code, 0)?;
    check(result.stdout.to_bytes() == data, || {
        format!("{} bytes came back, or others", result.stdout.head.len())
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_flood_keeps_head_and_tail<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let (flood, limit) = (bench.amount(256 << 20, 256 << 10), bench.amount(1 << 20, 1 << 16));
    let line = format!("echo first; head -c {flood} /dev/zero; echo last; exit 9");
    let result = bench.wait(sandbox.run(Command::from(line).output_limit(limit as u64)))?;
    same("exit code", result.exit_code, 9)?;
    check(result.stdout.head.starts_with(b"first\n"), || {
        "the head is lost".to_owned()
    })?;
    check(result.stdout.tail.ends_with(b"last\n"), || {
        "the tail is lost".to_owned()
    })?;
    let kept = result.stdout.head.len() + result.stdout.tail.len();
    same("kept", kept, limit)?;
    same("omitted", result.omitted_bytes(), (flood + 11 - kept) as u64)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn background_child_is_not_waited_for<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let began = bench.adapter.now();
    let result = bench.wait(sandbox.run("(sleep 15; echo late; echo done >/tmp/child) & echo now; exit 4"))?;
    let took = bench.adapter.now() - began;
    check(took < Duration::from_secs(15), || {
        format!("it was waited for: {took:?}")
    })?;
    same(
        "result",
        (result.stdout_text().into_owned(), result.exit_code),
        ("now\n".to_owned(), 4),
    )?;
    let wait = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do [ -e /tmp/child ] && break; sleep 1; done; cat /tmp/child";
    same(
        "the child lived on",
        bench.wait(sandbox.run(wait))?.stdout_text().into_owned(),
        "done\n".to_owned(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Runs a command until its time is over. On an engine, another thread sees meanwhile that all of it lives: on a machine with
/// much to do, it is given more time. A recording has nobody who looks.
fn timed_out<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Container<A::Runtime>,
    line: &str,
    lives: impl Fn() -> Result<bool, Failure> + Sync,
) -> Result<ExecResult, Failure> {
    let run = |limit| bench.wait(sandbox.run(Command::from(line).timeout(Duration::from_secs(limit))));
    if bench.adapter.is_recorded() {
        return Ok(run(3)?);
    }
    for limit in [3, 12, 48] {
        let over = AtomicBool::new(false);
        let look = || -> Result<bool, Failure> {
            while !over.load(Ordering::SeqCst) {
                if lives()? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let (ran, seen) = std::thread::scope(|scope| {
            let looks = scope.spawn(look);
            let ran = run(limit);
            over.store(true, Ordering::SeqCst);
            (ran, looks.join())
        });
        let ran = ran?;
        if seen.map_err(|_| "it panicked")?? {
            return Ok(ran);
        }
    }
    Err("not all of it was seen alive".into())
}

pub(super) fn a_timeout_kills_the_tree<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let tree = "trap '' TERM HUP INT; setsid sleep 1000 & (sleep 1001 &); (trap '' TERM; sleep 1002) & sleep 1003";
    let rows = || -> Result<Vec<String>, Failure> {
        let mut rows = bench.peer.processes(sandbox.id())?;
        rows.retain(|row| row.contains("sleep 100"));
        Ok(rows)
    };
    // The shells of the tree have all of it in their command lines.
    let all = || -> Result<bool, Failure> {
        let (rows, sleeps) = (rows()?, |row: &String| !row.contains("trap"));
        let sleeps: Vec<_> = rows.into_iter().filter(sleeps).collect();
        Ok((1000..=1003).all(|time| sleeps.iter().any(|row| row.ends_with(&format!("sleep {time}")))))
    };
    let result = timed_out(bench, &sandbox, tree, all)?;
    check(result.timed_out, || "it did not time out".to_owned())?;
    let killed = result.killed.ok_or("no report")?;
    check(killed.is_clean() && killed.signalled.len() >= 5, || {
        format!("{killed:?}")
    })?;
    same("processes left", rows()?, Vec::new())?;
    same(
        "usable",
        bench.wait(sandbox.run("echo on"))?.stdout_text().into_owned(),
        "on\n".to_owned(),
    )?;
    let user = Command::from("sleep 1004 & sleep 1005")
        .user("worker")
        .timeout(Duration::from_secs(3));
    let killed = bench.wait(sandbox.run(user))?.killed.ok_or("no report")?;
    check(killed.is_clean() && killed.signalled.len() >= 3, || {
        format!("as another user: {killed:?}")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_timeout_keeps_the_output_so_far<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let result = bench
        .wait(sandbox.run(Command::from("printf so; printf far >&2; sleep 1000").timeout(Duration::from_secs(4))))?;
    let texts = (result.stdout_text().into_owned(), result.stderr_text().into_owned());
    same("output", texts, ("so".to_owned(), "far".to_owned()))?;
    same("ended", (result.timed_out, result.exit_code), (true, 137))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn what_looks_like_a_mark_is_output<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let forged = "\n__PD_0123456789abcdef0123456789abcdef_0__\n";
    let result = bench.wait(sandbox.run(Command::argv(["printf", "%s", forged])))?;
    same("output", result.stdout_text().into_owned(), forged.to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn bash_as_sh<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(images::BASH)))?;
    let result = bench.wait(sandbox.run("printf x; [[ a == a ]] && exit 3"))?;
    same(
        "result",
        (result.stdout_text().into_owned(), result.exit_code),
        ("x".to_owned(), 3),
    )?;
    // What writes into the middle of a mark would break it. In a recording, once is enough.
    for _ in 0..bench.amount(8, 1) {
        let flood = "(n=0; while [ $n -lt 20000 ]; do printf x; n=$((n+1)); done) & sleep 0.02; exit 3";
        let flood = Command::from(flood).timeout(Duration::from_secs(20)).output_limit(100);
        let result = bench.wait(sandbox.run(flood))?;
        same("beside a flood", (result.timed_out, result.exit_code), (false, 3))?;
    }
    let result = bench.wait(sandbox.run(Command::from("sleep 1000 & sleep 1000").timeout(Duration::from_secs(3))))?;
    check(result.killed.as_ref().is_some_and(|killed| killed.is_clean()), || {
        format!("{:?}", result.killed)
    })?;
    let missing = bench.wait(sandbox.run(Command::argv(["no-such-program"])));
    check(matches!(missing, Err(Error::Exec(ExecError::NotFound { .. }))), || {
        format!("{missing:?}")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn an_image_without_a_shell<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::NOSHELL).command(["/bin/cat"])),
    )?;
    let result = bench.wait(sandbox.run(Command::argv(["/bin/echo", "hello"])))?;
    same(
        "output",
        (result.stdout_text().into_owned(), result.exit_code),
        ("hello\n".to_owned(), 0),
    )?;
    same("false", bench.wait(sandbox.run(Command::argv(["false"])))?.exit_code, 1)?;
    let result = bench.wait(sandbox.run(Command::argv(["cat"]).stdin("in")))?;
    same("input", result.stdout_text().into_owned(), "in".to_owned())?;
    let shell = bench.wait(sandbox.run("echo x"));
    check(matches!(shell, Err(Error::Exec(ExecError::NoTool { .. }))), || {
        format!("{shell:?}")
    })?;
    let missing = bench.wait(sandbox.run(Command::argv(["no-such-program"])));
    check(matches!(missing, Err(Error::Exec(ExecError::NotFound { .. }))), || {
        format!("{missing:?}")
    })?;
    Ok(bench.wait(sandbox.shutdown_force())?)
}
