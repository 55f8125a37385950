//! Whole trees of processes: signalled, listed, and gone.

use std::time::Duration;

use pocket_dock_core::{
    Command, Container, ContainerSpec, Error, ExecError, KillReport, Process, RunningProcess, Signal,
};

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

type Sandbox<A> = Container<<A as Adapter>::Runtime>;

/// The images of three shells: ash, dash, bash.
const SHELLS: [&str; 3] = [images::BUSYBOX, images::PYTHON, images::BASH];

fn container<A: Adapter>(bench: &Bench<A>, image: &str) -> Result<Sandbox<A>, Failure> {
    Ok(bench.wait(bench.engine.create(ContainerSpec::new(image)))?)
}

/// Starts a command that goes on, and waits until it has said that it is up by writing the file `/tmp/up`.
fn spawn<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Sandbox<A>,
    command: impl Into<Command>,
) -> Result<Process<A::Runtime>, Failure> {
    let process = bench.wait(sandbox.spawn(command))?;
    let wait = "until [ -e /tmp/up ]; do sleep 0.05; done; rm -f /tmp/up";
    let up = bench.wait(sandbox.run(Command::from(wait).timeout(Duration::from_secs(20))))?;
    check(up.success(), || format!("it did not come up: {up:?}"))?;
    Ok(process)
}

fn kill<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>, id: &str, signal: Signal) -> Result<KillReport, Failure> {
    Ok(bench.wait(sandbox.kill_process(id, signal))?)
}

fn list<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Result<Vec<RunningProcess>, Failure> {
    Ok(bench.wait(sandbox.processes())?)
}

/// How many processes have this word for their last argument.
fn count<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>, word: &str) -> Result<usize, Failure> {
    let look = format!(
        "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null | grep -c '^sleep {word} $' || :"
    );
    let said = bench.wait(sandbox.run(look))?.stdout_text().trim().to_owned();
    said.parse().map_err(|_| format!("{said:?} is no count").into())
}

fn clean(what: &str, report: &KillReport, least: usize) -> Verdict {
    check(report.is_clean() && report.signalled.len() >= least, || {
        format!("{what}: {report:?}")
    })
}

/// What obeys has ended, what does not has survived, and nothing of another command is touched.
pub(super) fn signals_are_obeyed_or_survived<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for image in SHELLS {
        let sandbox = container(bench, image)?;
        let other = spawn(bench, &sandbox, "sleep 5001 & touch /tmp/up; sleep 5001")?;
        let obeys = spawn(bench, &sandbox, "sleep 5002 & sleep 5002 & touch /tmp/up; sleep 5002")?;
        let report = kill(bench, &sandbox, obeys.id(), Signal::Term)?;
        // What has not ended a moment later, on a machine with much to do, is truly said to be there still.
        let of_those = report.survivors.iter().all(|pid| report.signalled.contains(pid));
        check(
            report.unknown.is_none() && of_those && report.signalled.len() >= 4,
            || format!("obeyed on {image}: {report:?}"),
        )?;
        check(
            bench.wait(obeys.wait_timeout(Duration::from_secs(10)))?.is_some(),
            || "what obeyed has not ended".to_owned(),
        )?;
        same("left of it", count(bench, &sandbox, "5002")?, 0)?;
        let stubborn = "trap '' TERM; (trap '' TERM; sleep 5003) & touch /tmp/up; wait; wait";
        let stubborn = spawn(bench, &sandbox, stubborn)?;
        let report = kill(bench, &sandbox, stubborn.id(), Signal::Term)?;
        check(report.unknown.is_none() && report.survivors.len() >= 3, || {
            format!("ignored on {image}: {report:?}")
        })?;
        check(
            report.survivors.iter().all(|pid| report.signalled.contains(pid)),
            || format!("survivors that were not signalled: {report:?}"),
        )?;
        clean("killed", &kill(bench, &sandbox, stubborn.id(), Signal::Kill)?, 3)?;
        same("left of what ignored it", count(bench, &sandbox, "5003")?, 0)?;
        same("of another command", count(bench, &sandbox, "5001")?, 2)?;
        let report = kill(bench, &sandbox, obeys.id(), Signal::Kill)?;
        same("of what has ended", report, KillReport::default())?;
        clean("the other", &kill(bench, &sandbox, other.id(), Signal::Kill)?, 3)?;
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}

/// A clean environment does not hide what has a parent or a session; a new session and a second fork do not hide what
/// has the environment.
pub(super) fn nothing_hides_by_half<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for image in SHELLS {
        let sandbox = container(bench, image)?;
        // A few engines start a command in a session of their own, which nobody in the container can tell from others.
        let look = bench.wait(sandbox.run("read -r _ _ _ _ _ session _ </proc/$$/stat; echo $session"))?;
        let tells = look.stdout_text().trim() != "0";
        let orphan = if tells { "(env -i sleep 5010 &);" } else { "" };
        let tree = format!(
            "env -i sleep 5010 & env -i sh -c 'sleep 5010 & sleep 5010' & setsid env -i sleep 5010 & \
             (setsid sleep 5010 &); {orphan} touch /tmp/up; sleep 5010; :"
        );
        let process = spawn(bench, &sandbox, tree)?;
        let wanted = 6 + usize::from(tells);
        let until = bench.adapter.now() + Duration::from_secs(5);
        while count(bench, &sandbox, "5010")? < wanted && bench.adapter.now() < until {}
        same("come up", count(bench, &sandbox, "5010")?, wanted)?;
        let report = kill(bench, &sandbox, process.id(), Signal::Kill)?;
        clean(image, &report, wanted + 2)?;
        same("left", count(bench, &sandbox, "5010")?, 0)?;
        bench.wait(sandbox.shutdown())?;
    }
    let sandbox = bench.python()?;
    let tree = "import subprocess as s, time\n\
                s.Popen(['sleep', '5011'], env={})\n\
                s.Popen(['sleep', '5011'], env={}, start_new_session=True)\n\
                time.sleep(1000)";
    let killed = bench.wait(sandbox.run(Command::lang("python", tree).timeout(Duration::from_secs(3))))?;
    clean("python", &killed.killed.ok_or("no report")?, 4)?;
    same("left of Python's", count(bench, &sandbox, "5011")?, 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// A tree of another user, one whose members become another user, and a name that is hard to read.
pub(super) fn trees_of_any_user<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.python()?;
    let worker = Command::from("sleep 5020 & setsid env -i sleep 5020 & touch /tmp/up; sleep 5020").user("worker");
    let process = spawn(bench, &sandbox, worker)?;
    bench.until_listed(&sandbox, &[process.id()])?;
    clean("worker's", &kill(bench, &sandbox, process.id(), Signal::Kill)?, 4)?;
    same("left of the worker's", count(bench, &sandbox, "5020")?, 0)?;
    let becomes = "import os, time\n\
                   if os.fork() == 0:\n    os.setsid()\n    if os.fork():\n        os._exit(0)\n    os.setgid(1000)\n    \
                   os.setuid(1000)\n    os.execvp('sleep', ['sleep', '5021'])\n\
                   open('/proc/self/comm', 'w').write(') R 1\\n2 (')\n\
                   open('/tmp/up', 'w').close()\n\
                   time.sleep(1000)";
    let process = spawn(bench, &sandbox, Command::lang("python", becomes))?;
    clean(
        "that became another's",
        &kill(bench, &sandbox, process.id(), Signal::Kill)?,
        3,
    )?;
    same("left of what became another's", count(bench, &sandbox, "5021")?, 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// A fork bomb in a container with few processes is gone after its time, and the container works again.
pub(super) fn a_fork_bomb_ends_with_its_time<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let shell = "sh -c 'b(){ b|b & };b' & exec sleep 5030";
    let python = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass";
    let bombs = [
        (images::BUSYBOX, Command::from(shell), 1),
        (images::PYTHON, Command::lang("python", python), 30),
    ];
    for (image, bomb, least) in bombs {
        let spec = ContainerSpec::new(image).pids(50);
        let sandbox = bench.wait(bench.engine.create(spec))?;
        let result = bench.wait(sandbox.run(bomb.timeout(Duration::from_secs(1))))?;
        clean(image, &result.killed.ok_or("no report")?, least)?;
        let after = bench.wait(sandbox.run("echo still here"))?;
        same("afterwards", after.stdout_text().as_ref(), "still here\n")?;
        bench.until_listed(&sandbox, &[])?;
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}

/// Exactly as many processes as there may be: killing needs none of its own, or says that nothing can be started.
pub(super) fn a_tree_that_fills_its_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).pids(20);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let full =
        "exec 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 5040 & done; wait";
    let result = bench.wait(sandbox.run(Command::from(full).timeout(Duration::from_secs(2))));
    match result {
        // The shell that cannot fork has ended, and its children live on.
        Ok(result) if !result.timed_out => {
            let running = list(bench, &sandbox)?;
            let id = &running.first().ok_or("nothing runs")?.id;
            clean("of what it left", &kill(bench, &sandbox, id, Signal::Kill)?, 10)?;
        }
        Ok(result) => clean("full", &result.killed.ok_or("no report")?, 10)?,
        Err(Error::Exec(ExecError::AtLimit { .. })) => return Ok(bench.wait(sandbox.shutdown())?),
        Err(error) => return Err(error.into()),
    }
    same("left", count(bench, &sandbox, "5040")?, 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// What runs is known to whoever asks, also to a client that has not started it.
pub(super) fn another_client_lists_and_kills<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for image in SHELLS {
        let sandbox = container(bench, image)?;
        same("at first", list(bench, &sandbox)?, Vec::new())?;
        let one = spawn(bench, &sandbox, "env -i sleep 5050 & touch /tmp/up; sleep 5051")?;
        let two = spawn(bench, &sandbox, "touch /tmp/up; sleep 5052")?;
        bench.until("only those two run", || Ok(list(bench, &sandbox)?.len() == 2))?;
        let seen = list(bench, &sandbox)?;
        let find = |id: &str| seen.iter().find(|running| running.id == id).ok_or("it is not listed");
        let commands: Vec<_> = find(one.id())?
            .processes
            .iter()
            .map(|one| one.command.as_str())
            .collect();
        for wanted in ["sleep 5050", "sleep 5051"] {
            check(commands.contains(&wanted), || format!("{commands:?}"))?;
        }
        let wrong = bench.wait(sandbox.kill_process("../x", Signal::Kill));
        check(matches!(wrong, Err(Error::Misuse(_))), || format!("{wrong:?}"))?;
        let nobody = kill(bench, &sandbox, &"0".repeat(32), Signal::Kill)?;
        same("of nobody", nobody, KillReport::default())?;
        clean("first", &kill(bench, &sandbox, one.id(), Signal::Kill)?, 3)?;
        bench.until_listed(&sandbox, &[two.id()])?;
        clean("second", &kill(bench, &sandbox, two.id(), Signal::Kill)?, 2)?;
        bench.until_listed(&sandbox, &[])?;
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}

/// A command that tells its own end is killed before it is told that nobody knows how it ended.
pub(super) fn a_forged_end_harms_only_itself<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    // By what it is found it cannot tell its end.
    let known = bench.wait(sandbox.run("echo __PD_${POCKET_DOCK_EXEC}_0__; exit 3"))?;
    same("by its id", known.exit_code, 3)?;
    let forge = "mark=$(tr '\\0' '\\n' </proc/$PPID/cmdline | grep -x '[0-9a-f]\\{32\\}'); \
                 printf '__PD_%s_777__\\n' $mark; printf '__PD_%s_777__\\n' $mark >&2; sleep 5060";
    let lost = bench.wait(sandbox.run(forge));
    check(matches!(lost, Err(Error::Exec(ExecError::Lost { .. }))), || {
        format!("{lost:?}")
    })?;
    same("left", count(bench, &sandbox, "5060")?, 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}
