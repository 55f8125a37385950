//! What is told of a container: what it uses, what runs in it, why it ended; and what is told of an engine.

use std::time::Duration;

use pocket_dock_core::{
    Check, Checkup, Command, Container, ContainerInfo, ContainerSpec, EndReason, Engine, Options, Runtime as _,
    Severity, Signal,
};
use serde_json::json;

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

const MIB: u64 = 1 << 20;

pub(super) fn all_about_a_container<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .memory(128 * MIB)
        .pids(64)
        .label("what", "a \"label\"");
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let sleeper = bench.wait(sandbox.spawn("sleep 3001"))?;
    let info = bench.wait(sandbox.info())?;
    same("unknown", info.unknown.clone(), Vec::new())?;
    same(
        "id",
        (info.id.as_str(), info.name.as_str()),
        (sandbox.id(), sandbox.name()),
    )?;
    check(info.image.ends_with("pocket-dock-test/busybox:latest"), || {
        format!("image: {}", info.image)
    })?;
    check(info.image_id.starts_with("sha256:"), || {
        format!("image: {}", info.image_id)
    })?;
    same(
        "state",
        (info.running, info.paused, info.exit_code),
        (true, false, None),
    )?;
    check(
        info.created <= info.started && info.started.is_some() && info.ended.is_none(),
        || format!("{:?}, {:?}, {:?}", info.created, info.started, info.ended),
    )?;
    check(
        info.uptime.is_some_and(|uptime| uptime < Duration::from_secs(300)),
        || format!("uptime: {:?}", info.uptime),
    )?;
    same(
        "limits",
        (info.memory_limit, info.pids_limit),
        (Some(128 * MIB), Some(64)),
    )?;
    same(
        "label",
        info.labels.get("what").map(String::as_str),
        Some("a \"label\""),
    )?;
    check(!info.has_network() && info.ports.is_empty(), || {
        format!("{:?}, {:?}", info.networks, info.ports)
    })?;
    // The main process and its cat, the supervisor, and the sleep.
    let pids = info.pids.ok_or("no pids")?;
    check((4..=8).contains(&pids), || format!("{pids} pids"))?;
    same("whose process ids", info.host_pids, false)?;
    let first = info.processes.first().ok_or("no processes")?;
    check(first.pid == 1 && first.command.starts_with("/bin/sh -c trap"), || {
        format!("{first:?}")
    })?;
    let sleeps = |info: &ContainerInfo| {
        let found = info.processes.iter().filter(|one| one.command == "sleep 3001");
        found.map(|one| one.pid).collect::<Vec<u32>>()
    };
    let [pid] = sleeps(&info)[..] else {
        return Err(format!("{:?}", info.processes).into());
    };
    same(
        "by its id",
        bench.wait(sandbox.run(format!("kill {pid}")))?.exit_code,
        0,
    )?;
    bench.wait(sleeper.wait())?;
    check(sleeps(&bench.wait(sandbox.info())?).is_empty(), || {
        "it is still there".to_owned()
    })?;
    let shown = info.to_string();
    check(shown.contains(sandbox.name()) && shown.contains("of 128.0 MiB"), || {
        shown.clone()
    })?;
    let written = serde_json::to_value(&info)?;
    same("written", written["pids_limit"].as_u64(), Some(64))?;
    // Paused, the engine's own list will do.
    bench.wait(sandbox.pause())?;
    let paused = bench.wait(sandbox.info())?;
    check(paused.running && paused.paused && paused.memory_limit.is_some(), || {
        format!("{paused}")
    })?;
    bench.wait(sandbox.unpause())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn one_that_was_stopped<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::NOSHELL)
        .command(["/bin/cat"])
        .grace(Duration::from_secs(1))
        .auto_remove(false);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let info = bench.wait(sandbox.info())?;
    check(
        info.running && info.unknown.iter().any(|why| why.contains("/bin/sh")),
        || format!("{info}"),
    )?;
    bench.wait(sandbox.stop())?;
    let info = bench.wait(sandbox.info())?;
    let state = (
        info.running,
        info.exit_code.is_some(),
        info.ended.is_some(),
        info.uptime,
    );
    same("stopped", state, (false, true, true, None))?;
    same(
        "uses",
        (info.memory_used, info.cpu_percent, info.pids),
        (None, None, None),
    )?;
    same("command", info.command.clone(), vec!["/bin/cat".to_owned()])?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn memory_without_the_page_cache<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::PYTHON).memory(512 * MIB)),
    )?;
    let before = bench.wait(sandbox.info())?;
    let made =
        bench.wait(sandbox.run("dd if=/dev/zero of=/tmp/file bs=1M count=64 2>/dev/null; cat /tmp/file >/dev/null"))?;
    same("made", made.exit_code, 0)?;
    let code = "x = bytearray(b'x') * (96 << 20)\nprint('up', flush=True)\ninput()";
    let hog = bench.wait(sandbox.spawn(Command::lang("python", code).keep_stdin_open()))?;
    bench.until("its memory", || Ok(hog.peek().stdout_text().contains("up")))?;
    let after = bench.wait(sandbox.info())?;
    let used = |info: &ContainerInfo| info.memory_used.ok_or_else(|| Failure::from(format!("{info}")));
    let more = used(&after)?.saturating_sub(used(&before)?);
    check((90 * MIB..130 * MIB).contains(&more), || {
        format!("96 MiB more are {} MiB", more / MIB)
    })?;
    let cache = after.page_cache.ok_or("no page cache")?;
    check(cache >= 60 * MIB, || format!("a page cache of {} MiB", cache / MIB))?;
    hog.close_stdin();
    bench.wait(hog.wait())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// The CPU time that a container has had, in nanoseconds, as its own cgroup tells it.
fn cpu_time<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>) -> Result<u128, Failure> {
    let line = "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || cat /sys/fs/cgroup/cpu,cpuacct/cpuacct.usage 2>/dev/null || sed -n 's/^usage_usec \\(.*\\)/\\1000/p' /sys/fs/cgroup/cpu.stat";
    let said = bench.wait(sandbox.run(line))?;
    Ok(said.stdout_text().trim().parse()?)
}

pub(super) fn cpu_use_is_what_was_used<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let busy = bench.wait(sandbox.spawn("while :; do :; done"))?;
    let before = cpu_time(bench, &sandbox)?;
    let info = bench.wait(sandbox.info())?;
    let after = cpu_time(bench, &sandbox)?;
    let told = info.cpu_time.ok_or("no CPU time")?.as_nanos();
    check((before..=after).contains(&told), || {
        format!("{before} <= {told} <= {after}")
    })?;
    // How much of a processor it gets is the machine's to say. It is one thread, and what looks inside is little.
    let percent = info.cpu_percent.ok_or("no percentage")?;
    check(percent > 1.0 && percent < 190.0, || format!("{percent} %"))?;
    drop(busy);
    let mut stats = sandbox.stats();
    let mut samples = Vec::new();
    while samples.len() < 3 {
        samples.push(bench.wait(stats.next())?.ok_or("it ended")?);
    }
    for pair in samples.windows(2) {
        let time = pair[1].at.duration_since(pair[0].at)?.as_secs_f64();
        let used = (pair[1].cpu_time - pair[0].cpu_time).as_secs_f64();
        let percent = pair[1].cpu_percent.ok_or("no percentage")?;
        check((percent - used / time * 100.0).abs() < 0.1 && time > 0.2, || {
            format!("{percent} % for {used} s in {time} s")
        })?;
    }
    let last = &samples[2];
    check(last.memory_usage > 0 && last.pids.is_some_and(|pids| pids >= 2), || {
        format!("{last:?}")
    })?;
    bench.wait(sandbox.shutdown())?;
    let until = bench.adapter.now() + Duration::from_secs(30);
    while bench.wait(stats.next())?.is_some() {
        check(bench.adapter.now() < until, || {
            "statistics go on without a container".to_owned()
        })?;
    }
    Ok(())
}

pub(super) fn why_a_container_ended<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let kept = |command: &[&str]| {
        ContainerSpec::new(images::BUSYBOX)
            .command(command.to_vec())
            .grace(Duration::from_secs(1))
            .auto_remove(false)
    };
    let reason = |spec: ContainerSpec| -> Result<Option<EndReason>, Failure> {
        let sandbox = bench.wait(bench.engine.create(spec))?;
        bench.wait(sandbox.wait())?;
        let reason = bench.wait(sandbox.end_reason())?;
        bench.wait(sandbox.shutdown())?;
        Ok(reason)
    };
    same(
        "exit code",
        reason(kept(&["/bin/sh", "-c", "sleep 1; exit 3"]))?,
        Some(EndReason::Exited(3)),
    )?;
    same(
        "signal",
        reason(kept(&["/bin/sh", "-c", "sleep 1; exit 139"]))?,
        Some(EndReason::Signal(11)),
    )?;
    let hog = kept(&["/bin/sh", "-c", "sleep 1; exec tail /dev/zero"]).memory(24 * MIB);
    same("memory", reason(hog)?, Some(EndReason::OutOfMemory))?;

    let sandbox = bench.wait(bench.engine.create(kept(&["/bin/cat"])))?;
    same("while it runs", bench.wait(sandbox.end_reason())?, None)?;
    bench.wait(sandbox.stop())?;
    same(
        "stopped here",
        bench.wait(sandbox.end_reason())?,
        Some(EndReason::EndedHere),
    )?;
    bench.wait(sandbox.start())?;
    same("started again", bench.wait(sandbox.end_reason())?, None)?;
    let (status, _) = bench
        .peer
        .request("POST", &format!("/containers/{}/kill", sandbox.id()), b"")?;
    same("kill by another", status, 204)?;
    bench.wait(sandbox.wait())?;
    same(
        "killed by another",
        bench.wait(sandbox.end_reason())?,
        Some(EndReason::StoppedByOther),
    )?;
    bench.wait(sandbox.start())?;
    bench.wait(sandbox.kill(Signal::Kill))?;
    bench.wait(sandbox.wait())?;
    same(
        "killed here",
        bench.wait(sandbox.end_reason())?,
        Some(EndReason::EndedHere),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn why_one_that_is_gone_ended<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).command(["/bin/sh", "-c", "sleep 1; exit 4"]);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    bench.wait(sandbox.wait())?;
    bench.until_gone(sandbox.id())?;
    same(
        "removed itself",
        bench.wait(sandbox.end_reason())?,
        Some(EndReason::Exited(4)),
    )?;

    let sandbox = bench.sandbox()?;
    bench.peer.remove(sandbox.id())?;
    bench.until_gone(sandbox.id())?;
    let reason = bench.wait(sandbox.end_reason())?;
    same("removed by another", reason, Some(EndReason::RemovedByOther))?;

    let sandbox = bench.sandbox()?;
    bench.wait(sandbox.shutdown())?;
    same(
        "shut down here",
        bench.wait(sandbox.end_reason())?,
        Some(EndReason::EndedHere),
    )
}

pub(super) fn why_a_command_ended<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(images::PYTHON).memory(64 * MIB)))?;
    let hog = "exec tail /dev/zero";
    let killed = bench.wait(sandbox.run(hog))?;
    same("memory", (killed.exit_code, killed.out_of_memory), (137, Some(true)))?;
    same("memory", killed.end_reason(), EndReason::OutOfMemory)?;
    let other = bench.wait(sandbox.run("kill -9 $$"))?;
    same(
        "kill",
        (other.out_of_memory, other.end_reason()),
        (Some(false), EndReason::Signal(9)),
    )?;
    let well = bench.wait(sandbox.run("exit 5"))?;
    same(
        "exit",
        (well.out_of_memory, well.end_reason()),
        (Some(false), EndReason::Exited(5)),
    )?;
    // It lived on, and something of it did not.
    let survivor = bench.wait(sandbox.run("(exec tail /dev/zero); echo lived on"))?;
    same(
        "a part of it",
        (
            survivor.exit_code,
            survivor.out_of_memory,
            survivor.stdout_text().into_owned(),
        ),
        (0, Some(true), "lived on\n".to_owned()),
    )?;
    let late = bench.wait(sandbox.run(Command::from("sleep 3002").timeout(Duration::from_millis(500))))?;
    same("time", late.end_reason(), EndReason::TimedOut)?;
    let process = bench.wait(sandbox.spawn(hog))?;
    same(
        "in the background",
        bench.wait(process.wait())?.end_reason(),
        EndReason::OutOfMemory,
    )?;
    // Whoever it runs as.
    let worker = bench.wait(sandbox.run(Command::from(hog).user("worker")))?;
    same("another user", worker.end_reason(), EndReason::OutOfMemory)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn the_doctor_knows_its_engine<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let me = bench.adapter.runtime().host().owner().ok_or("no owner here")?;
    let name = format!("doctor-{}", bench.random());
    let body = json!({
        "Image": images::BUSYBOX, "Cmd": ["/bin/true"],
        "Labels": {
            "pocket-dock.managed": "true", "pocket-dock.name": name, "pocket-dock.instance": name,
            "pocket-dock.owner": format!("1:1:{}:{}", me.boot, me.namespace),
        },
    });
    let create = format!("/containers/create?name={name}");
    let (status, _) = bench.peer.request("POST", &create, body.to_string().as_bytes())?;
    same("create", status, 201)?;
    let checkup = Checkup::new().image(images::BUSYBOX).image("pocket-dock-test/nosuch:1");
    let report = bench.wait(bench.engine.doctor(checkup))?;
    bench.peer.remove(&name)?;
    let all = |check: Check| report.of(check).map(|one| one.severity).collect::<Vec<_>>();
    for (check, wanted) in [
        (Check::Engine, Severity::Good),
        (Check::Version, Severity::Good),
        (Check::Rootless, Severity::Note),
        (Check::Storage, Severity::Good),
    ] {
        same("finding", (check, all(check)), (check, vec![wanted]))?;
    }
    check(all(Check::Limits).iter().all(|one| *one <= Severity::Note), || {
        format!("{report}")
    })?;
    same("images", all(Check::Image), vec![Severity::Good, Severity::Problem])?;
    check(
        report
            .findings
            .iter()
            .all(|one| one.remedy.is_some() == (one.severity > Severity::Good)),
        || format!("{report}"),
    )?;
    // Another case may sweep it meanwhile.
    let orphans: Vec<_> = report.of(Check::Orphans).collect();
    let found = orphans.iter().any(|one| one.message.contains(&name));
    check(
        orphans.len() == 1 && (found || all(Check::Orphans) == [Severity::Good]),
        || format!("{report}"),
    )?;
    let nowhere = Options::new().socket("/run/pocket-dock-nowhere.sock");
    let report = bench.wait(Engine::diagnose(bench.adapter.runtime(), nowhere, Checkup::new()))?;
    check(!report.is_usable() && report.findings[0].remedy.is_some(), || {
        format!("{report}")
    })
}
