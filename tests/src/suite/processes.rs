//! Commands that run in the background: their output, their input, and their end by themselves.

use std::sync::Mutex;
use std::time::Duration;

use pocket_dock_core::{Channel, Command, Container, ContainerSpec, Error, ExecError, Process};

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

/// Waits until the process holds so many bytes of output.
pub(super) fn until_held<A: Adapter>(bench: &Bench<A>, process: &Process<A::Runtime>, bytes: usize) -> Verdict {
    bench.until("the output", || Ok(process.buffer_size() >= bytes))
}

/// The command lines in a container that contain this.
pub(super) fn found<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Container<A::Runtime>,
    what: &str,
) -> Result<Vec<String>, Failure> {
    let look = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null";
    let said = bench.wait(sandbox.run(look))?;
    let mut lines: Vec<String> = said.stdout_text().lines().map(str::to_owned).collect();
    lines.retain(|line| line.contains(what) && !line.contains("/proc/[0-9]*"));
    Ok(lines)
}

pub(super) fn a_process_is_read_while_it_runs<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "echo one; echo $POCKET_DOCK_EXEC >&2; read go; echo two; exit 5";
    let process = bench.wait(sandbox.spawn(Command::from(line).keep_stdin_open()))?;
    let id = process.id().to_owned();
    check(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        || format!("id {id:?}"),
    )?;
    until_held(bench, &process, 4 + 33)?;
    check(process.is_running(), || "it does not run".to_owned())?;
    let none = bench.wait(process.wait_timeout(Duration::from_millis(50)))?;
    same("it runs on", none, None)?;
    for _ in 0..2 {
        let seen = process.peek();
        let texts = (seen.stdout_text().into_owned(), seen.stderr_text().into_owned());
        same("a look", texts, ("one\n".to_owned(), format!("{id}\n")))?;
        same("held", process.buffer_size(), 37)?;
    }
    let taken = process.read();
    let texts = (taken.stdout_text().into_owned(), taken.stderr_text().into_owned());
    same("taken", texts, ("one\n".to_owned(), format!("{id}\n")))?;
    same("left", (process.buffer_size(), process.read().len()), (0, 0))?;

    bench.wait(process.write("\n"))?;
    let ended = bench.wait(process.wait())?;
    same("exit code", (ended.exit_code, ended.success()), (5, false))?;
    same("written", (ended.stdout_bytes, ended.stderr_bytes), (8, 33))?;
    same("lost", (ended.omitted_bytes, process.lost_bytes()), (0, 0))?;
    same("by itself", (ended.timed_out, ended.killed.is_none()), (false, true))?;
    check(ended.duration > Duration::from_millis(50), || {
        format!("it took {:?}", ended.duration)
    })?;
    check(!process.is_running(), || "it still runs".to_owned())?;
    same(
        "told again",
        bench.wait(process.wait_timeout(Duration::ZERO))?,
        Some(ended.clone()),
    )?;
    same("and again", bench.wait(process.wait())?, ended)?;
    same(
        "read behind the end",
        process.read().stdout_text().into_owned(),
        "two\n".to_owned(),
    )?;
    same("overflow", process.buffer_overflow(), false)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_buffer_keeps_channels_and_their_order<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    // It prints when it is told to, so that the engine has no choice.
    let line =
        "printf a; read x; printf bb >&2; read x; printf c; read x; printf '\\377\\0\\n' >&2; read x; printf d >&2";
    let process = bench.wait(sandbox.spawn(Command::from(line).keep_stdin_open()))?;
    for bytes in [1, 3, 4, 7] {
        until_held(bench, &process, bytes)?;
        bench.wait(process.write("\n"))?;
    }
    same("success", bench.wait(process.wait())?.success(), true)?;
    let taken = process.read();
    let pieces: Vec<_> = taken
        .segments()
        .map(|piece| (piece.channel, piece.data.to_vec()))
        .collect();
    let wanted = [
        (Channel::Stdout, b"a".to_vec()),
        (Channel::Stderr, b"bb".to_vec()),
        (Channel::Stdout, b"c".to_vec()),
        (Channel::Stderr, b"\xff\0\nd".to_vec()),
    ];
    same("in order", pieces, wanted.to_vec())?;
    let merged = taken.merged_text();
    same("as text", merged, "abbc\u{fffd}\0\nd".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn several_wait_for_one_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let process = bench.wait(sandbox.spawn(Command::from("read x; echo $x; exit 3").keep_stdin_open()))?;
    let long = Duration::from_secs(60);
    let (first, others) = std::thread::scope(|scope| -> Result<_, Failure> {
        let waiting = [(); 3].map(|()| scope.spawn(|| bench.wait(process.wait())));
        let patient = scope.spawn(|| bench.wait(process.wait_timeout(long)));
        bench.adapter.pause(Duration::from_millis(100));
        bench.wait(process.write("word\n"))?;
        let mut ends = Vec::new();
        for thread in waiting {
            ends.push(thread.join().map_err(|_| "a waiter panicked")??);
        }
        let patient = patient.join().map_err(|_| "a waiter panicked")??;
        Ok((patient.ok_or("it ended, and its end was not told")?, ends))
    })?;
    same("exit code", (first.exit_code, first.stdout_bytes), (3, 5))?;
    same("the others", others, vec![first.clone(); 3])?;
    // Where calls are futures, both are there at once.
    let (one, two) = (process.wait(), process.wait());
    let late = (bench.wait(two)?, bench.wait(one)?);
    same("behind the end", late, (first.clone(), first))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_buffer_keeps_the_newest<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let (lines, size) = (3000, 1002);
    let command = Command::from(format!("yes \u{20ac} | head -n {lines}")).buffer_size(size);
    let process = bench.wait(sandbox.spawn(command))?;
    let ended = bench.wait(process.wait())?;
    let written = 4 * lines;
    let lost = written - size as u64;
    same("written", ended.stdout_bytes, written)?;
    same(
        "lost",
        (process.lost_bytes(), ended.omitted_bytes, process.buffer_overflow()),
        (lost, lost, true),
    )?;
    same("held", process.buffer_size(), size)?;
    let taken = process.read();
    same("lost before it", taken.lost_bytes(), lost)?;
    let all = "\u{20ac}\n".repeat(usize::try_from(lines)?);
    check(taken.stdout()[..] == all.as_bytes()[all.len() - size..], || {
        "those are not the newest".to_owned()
    })?;
    // It begins with the last byte of a character, which is none by itself.
    check(taken.stdout_text() == all[all.len() - size + 1..], || {
        "the text is another".to_owned()
    })?;
    same("lost before nothing", process.read().lost_bytes(), 0)?;
    same("lost in all", process.lost_bytes(), lost)?;

    let none = bench.wait(sandbox.spawn(Command::from("echo gone; echo gone >&2").buffer_size(0)))?;
    same("of nothing", bench.wait(none.wait())?.omitted_bytes, 10)?;
    same(
        "nothing is held",
        (none.buffer_size(), none.read().len(), none.lost_bytes()),
        (0, 0, 10),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn what_is_written_is_read_or_lost<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let amount = 3_000_001;
    let line = format!("yes 0123456789 | head -c {amount}; yes e | head -c 70000 >&2; exit 1");
    let process = bench.wait(sandbox.spawn(Command::from(line).buffer_size(64 << 10)))?;
    let (mut read, mut lost) = ([0, 0], 0);
    let mut ended = None;
    loop {
        let taken = process.read();
        lost += taken.lost_bytes();
        for (count, bytes) in read.iter_mut().zip([taken.stdout(), taken.stderr()]) {
            *count += bytes.len() as u64;
        }
        if ended.is_some() {
            break;
        }
        ended = bench.wait(process.wait_timeout(Duration::from_millis(1)))?;
    }
    let ended = ended.ok_or("no end")?;
    same("written", (ended.stdout_bytes, ended.stderr_bytes), (amount, 70_000))?;
    same(
        "lost",
        (lost, process.lost_bytes()),
        (process.lost_bytes(), ended.omitted_bytes),
    )?;
    same("read and lost", read[0] + read[1] + lost, amount + 70_000)?;
    same("overflow", process.buffer_overflow(), lost > 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn output_is_gathered_though_nobody_looks<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mebibyte = 1 << 20;
    let line = "head -c 1048576 /dev/zero; yes | head -c 1048576; exit 6";
    let process = bench.wait(sandbox.spawn(line))?;
    let ended = bench.wait(process.wait())?;
    same("ended", (ended.exit_code, ended.stdout_bytes), (6, 2 * mebibyte))?;
    let taken = process.read();
    same("lost", (taken.lost_bytes(), process.lost_bytes()), (mebibyte, mebibyte))?;
    check(
        taken.stdout().len() as u64 == mebibyte && taken.stdout().starts_with(b"y\n") && !taken.stdout().contains(&0),
        || format!("those are not the newest: {taken:?}"),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn input_of_a_process<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let command = Command::argv(["cat"]).stdin("first ").keep_stdin_open();
    let process = bench.wait(sandbox.spawn(command))?;
    bench.wait(process.write("second "))?;
    let input = process.stdin();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| bench.wait(input.write("third")));
        writing.join().map_err(|_| "a writer panicked")?.map_err(Failure::from)
    })?;
    until_held(bench, &process, 18)?;
    check(process.is_running(), || "it does not wait for more".to_owned())?;
    process.close_stdin();
    same("success", bench.wait(process.wait())?.success(), true)?;
    same(
        "output",
        process.read().stdout_text().into_owned(),
        "first second third".to_owned(),
    )?;
    let closed = [bench.wait(process.write("x")), bench.wait(input.write("x"))];
    for late in closed {
        check(matches!(late, Err(Error::Exec(ExecError::InputClosed))), || {
            format!("behind the end: {late:?}")
        })?;
    }
    input.close();

    let without = bench.wait(sandbox.spawn("wc -c"))?;
    let never = bench.wait(without.write("x"));
    check(matches!(never, Err(Error::Exec(ExecError::InputClosed))), || {
        format!("without input: {never:?}")
    })?;
    same("it ends", bench.wait(without.wait())?.success(), true)?;
    same("read", without.read().stdout_text().trim().to_owned(), "0".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_hundred_processes_at_once<A: Adapter>(bench: &Bench<A>) -> Verdict {
    const COUNT: usize = 100;
    const AT_ONCE: usize = 4;
    let sandbox = bench.sandbox()?;
    let made = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let (made, sandbox) = (&made, &sandbox);
        // Podman loses its way when it is asked too much at a time.
        let work = move |first: usize| -> Verdict {
            for number in (first..COUNT).step_by(AT_ONCE) {
                let line = format!(
                    "echo {number}; until [ -e /tmp/go ]; do sleep 1; done; echo {number} >&2; exit {}",
                    number % 7
                );
                let process = bench.wait(sandbox.spawn(line))?;
                made.lock().map_err(|_| "a thread panicked")?.push((number, process));
            }
            Ok(())
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|first| scope.spawn(move || work(first))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| Failure::from("a thread panicked"))?)
    })?;
    let processes = made.into_inner().map_err(|_| "a thread panicked")?;
    same("made", processes.len(), COUNT)?;
    for (number, process) in &processes {
        until_held(bench, process, number.to_string().len() + 1)?;
    }
    let running = processes.iter().filter(|(_, process)| process.is_running()).count();
    same("at once", running, COUNT)?;
    bench.wait(sandbox.run("touch /tmp/go"))?;
    for (number, process) in &processes {
        same(
            "exit code",
            bench.wait(process.wait())?.exit_code,
            i32::try_from(number % 7)?,
        )?;
        let taken = process.read();
        let texts = (taken.stdout_text().into_owned(), taken.stderr_text().into_owned());
        same("output", texts, (format!("{number}\n"), format!("{number}\n")))?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn late_output_of_a_child_is_not_waited_for<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    // Its parent's parent ends first.
    let line = "(setsid sh -c 'until [ -e /tmp/go ]; do sleep 0.1; done; echo late; echo >/tmp/late' &); \
                yes | head -n 5000; echo now >&2; exit 4";
    let process = bench.wait(sandbox.spawn(line))?;
    let ended = bench.wait(process.wait())?;
    same("exit code", ended.exit_code, 4)?;
    same("bytes", (ended.stdout_bytes, ended.stderr_bytes), (10_000, 4))?;
    bench.wait(sandbox.run("touch /tmp/go"))?;
    // The child lives on, and what it says has nobody who hears it.
    bench.until("the child", || {
        Ok(bench.wait(sandbox.run("[ -e /tmp/late ]"))?.success())
    })?;
    let taken = process.read();
    check(
        taken.stdout()[..] == *"y\n".repeat(5000).as_bytes() && taken.stderr()[..] == b"now\n"[..],
        || format!("{taken:?}"),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_process_without_a_shell<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::NOSHELL).command(["/bin/cat"]);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let process = bench.wait(sandbox.spawn(Command::argv(["cat"]).keep_stdin_open()))?;
    bench.wait(process.write("hello"))?;
    until_held(bench, &process, 5)?;
    check(process.is_running(), || "it does not run".to_owned())?;
    process.close_stdin();
    let ended = bench.wait(process.wait())?;
    same("ended", (ended.exit_code, ended.stdout_bytes), (0, 5))?;
    same("output", process.read().stdout_text().into_owned(), "hello".to_owned())?;
    let missing = bench.wait(sandbox.spawn(Command::argv(["no-such-program"])));
    check(matches!(missing, Err(Error::Exec(ExecError::NotFound { .. }))), || {
        format!("{missing:?}")
    })?;
    let failing = bench.wait(sandbox.spawn(Command::argv(["false"])))?;
    same("false", bench.wait(failing.wait())?.exit_code, 1)?;
    Ok(bench.wait(sandbox.shutdown_force())?)
}
