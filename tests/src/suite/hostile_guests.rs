//! What a container that lies can do to whoever asks it for something: nothing but to its own answers.

use std::time::Duration;

use pocket_dock_core::{Command, Container, ContainerSpec, Error, FilePath, Op, SessionOptions, Signal, Turn};

use super::files::said;
use super::{Adapter, Bench, Call, Failure, Verdict, check, same};
use crate::lab::images;
use crate::tree::Scratch;

/// In the place of a container's own programs: a shell of another name runs them.
const LIES: [(&str, &str); 3] = [
    ("nothing is done", "exit 0"),
    ("everything fails", "echo \"$0: No such file or directory\" >&2; exit 1"),
    (
        "nonsense is said",
        "echo 1 2 3; echo pd:0:0; echo POCKET_DOCK_EXEC=0 >&2; echo 'drwx 0 0 x/'",
    ),
];
/// The same, and each call takes all the time it has.
const ENDLESS: [(&str, &str); 1] = [("nothing ends", "exec /bin/real-sleep 100000")];
/// Whatever a script of ours may use.
const TOOLS: &str = "awk base64 cat chmod chown cp cut dd dirname env find grep head id kill ln ls mkdir mktemp mv od printf \
                     ps pwd readlink rm rmdir sed setsid sleep sort stat stty tail tar test touch tr uname wc xargs";
/// How long a call may take of which nothing can come: its own limit, the time it takes to kill what it began, and a busy
/// machine.
const LIMIT: Duration = Duration::from_secs(120);
/// The limits of the calls themselves.
const SHORT: Duration = Duration::from_secs(2);

/// Waits for a call that must end, whatever comes of it.
fn ends<A: Adapter, O: Op>(
    bench: &Bench<A>,
    what: &str,
    call: Call<A, O>,
) -> Result<Result<O::Output, Error>, Failure> {
    let ended = bench.adapter.wait_for_time(call, LIMIT);
    ended.ok_or_else(|| format!("{what}: it did not end within {LIMIT:?}").into())
}

/// Everything that is asked of a container by way of its own programs.
fn everything<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, scratch: &Scratch) -> Verdict {
    let path = |path: &str| FilePath::new(path).timeout(SHORT);
    let busy = Command::from("while :; do :; done").timeout(SHORT);
    if let Ok(result) = ends(bench, "run", sandbox.run(busy))? {
        // Where the shell is a liar too, it may have ended.
        check(result.timed_out || result.duration < SHORT, || format!("{result:?}"))?;
    }
    drop(ends(bench, "processes", sandbox.processes())?);
    drop(ends(bench, "kill", sandbox.kill_process("0".repeat(32), Signal::Kill))?);
    drop(ends(bench, "write", sandbox.write_file(path("/tmp/a"), "text"))?);
    drop(ends(bench, "read", sandbox.read_file(path("/etc/passwd")))?);
    drop(ends(bench, "list", sandbox.list_files(path("/etc")))?);
    drop(ends(bench, "stat", sandbox.stat(path("/etc/passwd")))?);
    drop(ends(bench, "exists", sandbox.exists(path("/etc/passwd")))?);
    drop(ends(bench, "make a directory", sandbox.make_dir(path("/tmp/b")))?);
    drop(ends(bench, "rename", sandbox.rename(path("/tmp/a"), path("/tmp/c")))?);
    drop(ends(bench, "remove", sandbox.remove(path("/tmp/c")))?);
    drop(ends(
        bench,
        "push",
        sandbox.push(scratch.path("given"), path("/tmp/given")),
    )?);
    drop(ends(bench, "pull", sandbox.pull(path("/etc"), scratch.path("taken")))?);
    drop(ends(bench, "info", sandbox.info())?);
    let options = SessionOptions::new().timeout(SHORT);
    if let Ok(session) = ends(bench, "session", sandbox.session(options))? {
        drop(ends(bench, "turn", session.send_and_wait("echo in"))?);
        let stored = Turn::from("read x").stdin("input").timeout(SHORT);
        drop(ends(bench, "turn with input", session.send_and_wait(stored))?);
        drop(ends(bench, "close", session.close())?);
    }
    Ok(())
}

/// Programs that lie, and then a shell that does, in every way: each call ends, with a result or an error, nothing appears
/// where it should not, others are not harmed, and the container goes as any other.
pub(super) fn programs_that_lie_harm_nobody_else<A: Adapter>(bench: &Bench<A>) -> Verdict {
    lied_to(bench, &LIES, true)
}

pub(super) fn programs_that_never_end_hold_up_nobody_for_ever<A: Adapter>(bench: &Bench<A>) -> Verdict {
    lied_to(bench, &ENDLESS, false)
}

fn lied_to<A: Adapter>(bench: &Bench<A>, lies: &[(&str, &str)], shell_too: bool) -> Verdict {
    let witness = bench.sandbox()?;
    let asleep = bench.wait(witness.spawn("sleep 7010"))?;
    for &(what, lie) in lies {
        let scratch = Scratch::new(&bench.random())?;
        std::fs::create_dir(scratch.path("given"))?;
        std::fs::write(scratch.path("given/file"), "given")?;
        let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(images::PYTHON).pids(64)))?;
        let replace = format!(
            "cp /bin/sh /bin/real-sh; cp /bin/sleep /bin/real-sleep; cp /bin/ln /bin/real-ln; printf '#!/bin/real-sh\\n%s\\n' {} >/bin/lie; \
             chmod 755 /bin/lie; for tool in {TOOLS}; do for dir in /bin /usr/bin; do \
             [ ! -e $dir/$tool ] || /bin/real-ln -f /bin/lie $dir/$tool; done; done",
            quoted(lie)
        );
        let done = bench.wait(sandbox.run(replace))?;
        check(done.success(), || format!("{what}: {done:?}"))?;
        // The shell's own words are still its own.
        let hello = bench.wait(sandbox.run(Command::from("echo hello; exit 3").timeout(LIMIT)))?;
        same(what, (hello.stdout_text().as_ref(), hello.exit_code), ("hello\n", 3))?;
        everything(bench, &sandbox, &scratch).map_err(|error| format!("{what}: {error}"))?;
        if shell_too {
            // Now the shell as well, by the last that it does.
            let code = "import os, shutil\n\
                        for folder in ('/bin', '/usr/bin'):\n    \
                            for shell in ('sh', 'bash', 'dash'):\n        \
                                path = folder + '/' + shell\n        \
                                if os.path.lexists(path):\n            \
                                    os.unlink(path)\n            \
                                    shutil.copy('/bin/lie', path)";
            let shell = Command::argv(["python3", "-c", code]).timeout(LIMIT);
            drop(ends(bench, "replace the shell", sandbox.run(shell))?);
            everything(bench, &sandbox, &scratch).map_err(|error| format!("{what}, by the shell too: {error}"))?;
        }
        let id = sandbox.id().to_owned();
        bench.wait(sandbox.shutdown())?;
        check(!bench.knows(&id)?, || format!("{what}: the container is still there"))?;
        // Nothing but what was asked for is on the host.
        let mut here: Vec<_> = std::fs::read_dir(scratch.path(""))?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        here.retain(|name| name != "given" && name != "taken");
        check(here.is_empty(), || format!("{what}: {here:?}"))?;
        same("the witness", said(bench, &witness, "echo well")?, "well".to_owned())?;
    }
    check(asleep.is_running(), || "the witness's process is gone".to_owned())?;
    drop(asleep);
    Ok(bench.wait(witness.shutdown())?)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A crowd of processes that claim to be of other commands neither hides a command from its time limit nor is harmed by it.
pub(super) fn decoys_neither_hide_nor_suffer<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(images::BUSYBOX).pids(600)))?;
    let decoys = "i=0; while [ $i -lt 100 ]; do POCKET_DOCK_EXEC=$(printf '%032x' $i) setsid sleep 7020 & i=$((i+1)); done; \
                  POCKET_DOCK_EXEC='x\ny' setsid sleep 7020 & POCKET_DOCK_EXEC= setsid sleep 7020 & \
                  exec >/dev/null 2>&1; echo >/tmp/up; exec sleep 7021";
    let crowd = bench.wait(sandbox.spawn(decoys))?;
    bench.until("the decoys are there", || {
        Ok(bench.wait(sandbox.run("[ -e /tmp/up ]"))?.success())
    })?;
    let count = |word: &str| -> Result<String, Failure> {
        let line = format!(
            "n=0; for p in /proc/[0-9]*; do read -r c <$p/cmdline; case $c in sleep{word}) n=$((n+1));; esac; done \
             2>/dev/null; echo $n"
        );
        Ok(said(bench, &sandbox, &line)?)
    };
    let before = count("7020")?;
    let tree = "sleep 7022 & setsid sleep 7022 & sleep 7022";
    let result = bench.wait(sandbox.run(Command::from(tree).timeout(Duration::from_secs(1))))?;
    let report = result.killed.ok_or("it was not killed")?;
    check(result.timed_out && report.survivors.is_empty(), || {
        format!("{report:?}")
    })?;
    same("left of the tree", count("7022")?, "0".to_owned())?;
    same("decoys", count("7020")?, before)?;
    let listed = bench.wait(sandbox.processes())?;
    check(listed.iter().any(|one| one.id == crowd.id()), || {
        format!("of {} groups none is the crowd's", listed.len())
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// What looks as an engine's own frames do is output.
pub(super) fn what_looks_like_frames_is_output<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let frames = "\\001\\000\\000\\000\\000\\000\\000\\005hello\\002\\000\\000\\000\\377\\377\\377\\377\\003\\000\\000\\000\\000\\000\\000\\001x\\r\\n0\\r\\n\\r\\n";
    let line = format!("printf '{frames}'; printf '{frames}' >&2; sleep 0.1; printf '{frames}'");
    let once = b"\x01\0\0\0\0\0\0\x05hello\x02\0\0\0\xff\xff\xff\xff\x03\0\0\0\0\0\0\x01x\r\n0\r\n\r\n";
    let result = bench.wait(sandbox.run(line.as_str()))?;
    same("stdout", &*result.stdout.to_bytes(), once.repeat(2).as_slice())?;
    same("stderr", &*result.stderr.to_bytes(), once.as_slice())?;
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let turn = bench.wait(session.send_and_wait(line.as_str()))?;
    same("stdout of a turn", &*turn.stdout.to_bytes(), once.repeat(2).as_slice())?;
    same("stderr of a turn", &*turn.stderr.to_bytes(), once.as_slice())?;
    bench.wait(session.close())?;
    Ok(bench.wait(sandbox.shutdown())?)
}
