//! What a spec asks for, as it is seen from inside of the container.

use std::time::Duration;

use pocket_dock_core::{
    Command, Container, ContainerError, ContainerSpec, Device, EngineKind, Error, Network, Port, PortProtocol, Seccomp,
    SessionOptions, Tmpfs, Turn, Volume,
};
use serde_json::json;

use super::files::said;
use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

type Sandbox<A> = Container<<A as Adapter>::Runtime>;

/// Makes a container, and sees that the engine says to have done all that was asked for.
pub(super) fn made<A: Adapter>(bench: &Bench<A>, spec: ContainerSpec) -> Result<Sandbox<A>, Failure> {
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let applied = bench.wait(sandbox.applied())?;
    check(applied.differences.is_empty(), || {
        format!("differences: {:?}", applied.differences)
    })?;
    Ok(sandbox)
}

/// One line of the file of a control group, as the container sees its own: its name with version 1, and with version 2.
pub(super) fn group<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Sandbox<A>,
    one: &str,
    two: &str,
) -> Result<String, Failure> {
    let find = format!(
        "for f in /sys/fs/cgroup/*/{one} /sys/fs/cgroup/{two}; do [ -e $f ] && exec head -n 1 $f; done; echo no such file"
    );
    Ok(said(bench, sandbox, &find)?)
}

/// A line of `/proc/self/status`.
pub(super) fn status<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>, name: &str) -> Result<String, Failure> {
    let line = format!("sed -n 's/^{name}:[[:space:]]*//p' /proc/self/status");
    Ok(said(bench, sandbox, &line)?)
}

/// What is mounted at a path: its type, its options, and those of what is mounted.
pub(super) fn mounted<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>, path: &str) -> Result<String, Failure> {
    let line = format!("awk '$2 == \"{path}\" {{ line = $3 \" \" $4 }} END {{ print line }}' /proc/mounts");
    Ok(said(bench, sandbox, &line)?)
}

fn has(what: &str, options: &str, wanted: &[&str]) -> Verdict {
    let there: Vec<&str> = options.split([' ', ',']).collect();
    check(wanted.iter().all(|one| there.contains(one)), || {
        format!("{what}: {options:?} lacks some of {wanted:?}")
    })
}

pub(super) fn limits_hold_inside<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .memory("64m")
        .cpu_percent(50)
        .pids(40)
        .ulimit("nofile", 100, 200)
        // Podman sets these two anew where one limit is asked for, and may not be allowed to.
        .ulimit("nproc", 4096, 4096)
        .hostname("box-1.example");
    let sandbox = made(bench, spec)?;
    let bytes = (64_u64 << 20).to_string();
    same(
        "memory",
        group(bench, &sandbox, "memory.limit_in_bytes", "memory.max")?,
        bytes.clone(),
    )?;
    let swap = group(bench, &sandbox, "memory.memsw.limit_in_bytes", "memory.swap.max")?;
    // With version 2, what is beside memory; where the kernel does not count swap, nothing.
    check([bytes.as_str(), "0", "no such file"].contains(&swap.as_str()), || {
        format!("swap {swap:?}")
    })?;
    same(
        "processes",
        group(bench, &sandbox, "pids.max", "pids.max")?,
        "40".to_owned(),
    )?;
    let quota = group(bench, &sandbox, "cpu.cfs_quota_us", "cpu.max")?;
    check(quota == "50000" || quota == "50000 100000", || {
        format!("quota {quota:?}")
    })?;
    // Docker 20 sometimes runs a command with the hard one for both.
    let files = said(bench, &sandbox, "ulimit -Sn; ulimit -Hn")?;
    check(["100\n200", "200\n200"].contains(&files.as_str()), || {
        format!("files {files:?}")
    })?;
    same(
        "hostname",
        said(bench, &sandbox, "hostname")?,
        "box-1.example".to_owned(),
    )?;
    let applied = bench.wait(sandbox.applied())?;
    same(
        "told",
        (
            applied.memory,
            applied.memory_and_swap,
            applied.cpu_percent,
            applied.pids,
        ),
        (Some(64 << 20), Some(64 << 20), Some(50.0), Some(40)),
    )?;
    bench.wait(sandbox.shutdown())?;

    let wrong = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::BUSYBOX).memory("256 monkeys")),
    );
    let told =
        matches!(&wrong, Err(Error::Misuse(words)) if words.contains("256 monkeys") && words.contains("\"256m\""));
    check(told, || format!("{wrong:?}"))
}

/// Two busy processes for some seconds, by what the kernel counts: the processor time they had, and in how many of the
/// hundred-millisecond periods they were stopped for having used theirs up. On a machine that has nothing else to do that is
/// all of them, and the time is half of one processor's; on one that is busy they may not come to use it up, and only in the
/// periods in which they did must it be so much. It may never be more.
pub(super) fn half_a_processor_is_half_a_processor<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let code = "import glob, os, time\n\
        def stat():\n    \
            for path in glob.glob('/sys/fs/cgroup/*/cpu.stat') + ['/sys/fs/cgroup/cpu.stat']:\n        \
                if os.path.exists(path):\n            \
                    said = dict(line.split() for line in open(path))\n            \
                    if 'nr_periods' in said: return int(said['nr_periods']), int(said['nr_throttled'])\n\
        before, began = stat(), time.monotonic()\n\
        for _ in range(2):\n    \
            if os.fork() == 0:\n        \
                while time.monotonic() < began + 5: pass\n        \
                os._exit(0)\n\
        for _ in range(2): os.wait()\n\
        wall, after = time.monotonic() - began, stat()\n\
        used = os.times()\n\
        print(100 * (used.children_user + used.children_system) / wall, after[0] - before[0], after[1] - before[1])";
    let sandbox = made(bench, ContainerSpec::new(images::PYTHON).cpu_percent(50))?;
    let result = bench.wait(sandbox.run(Command::lang("python", code)))?;
    let text = result.stdout_text().into_owned();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [percent, periods, throttled] = numbers[..] else {
        return Err(format!("{text:?} {}", result.stderr_text()).into());
    };
    let least = 45.0 * (throttled / periods).min(1.0);
    check((least..=55.0).contains(&percent), || {
        format!("{percent} percent, {throttled} of {periods} periods cut short")
    })?;

    // The same as it is told: at once, and second by second.
    let busy = bench.wait(sandbox.spawn("while :; do :; done"))?;
    let half = |what: &str, tell: &dyn Fn() -> Result<(f64, f64), Failure>| -> Verdict {
        let (began, before) = (bench.adapter.now(), times_stopped(bench, &sandbox)?);
        let (percent, seconds) = tell()?;
        let stopped = times_stopped(bench, &sandbox)? - before;
        // In these tenths of a second nobody was looking.
        let unseen = 10.0 * ((bench.adapter.now() - began).as_secs_f64() - seconds) + 2.0;
        let least = 0.9 * 5.0 * (stopped - unseen).max(0.0) / seconds;
        // A second may begin and end in the middle of a period.
        check((least..=56.0).contains(&percent), || {
            format!("{percent} percent {what}, stopped {stopped} times")
        })
    };
    half("now", &|| {
        let info = bench.wait(sandbox.info())?;
        Ok((info.cpu_percent.ok_or("no percentage")?, 1.0))
    })?;
    half("in some seconds", &|| {
        let mut stats = sandbox.stats();
        let mut samples = Vec::new();
        while samples.len() < 5 {
            samples.push(bench.wait(stats.next())?.ok_or("it ended")?);
        }
        let (first, last) = (&samples[0], &samples[4]);
        let seconds = last.at.duration_since(first.at)?.as_secs_f64();
        let used = (last.cpu_time - first.cpu_time).as_secs_f64();
        Ok((100.0 * used / seconds, seconds))
    })?;
    drop(busy);
    Ok(bench.wait(sandbox.shutdown())?)
}

/// In how many hundred-millisecond periods the container was stopped, so far, as it had used them up.
fn times_stopped<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Result<f64, Failure> {
    let find =
        "for f in /sys/fs/cgroup/*/cpu.stat /sys/fs/cgroup/cpu.stat; do grep nr_throttled $f 2>/dev/null && exit; done";
    let line = said(bench, sandbox, find)?;
    let number = line.strip_prefix("nr_throttled ").ok_or_else(|| line.clone())?;
    Ok(number.trim().parse()?)
}

/// What needs more memory than there is ends, and nothing else does.
pub(super) fn a_hog_is_killed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = made(bench, ContainerSpec::new(images::PYTHON).memory("48m"))?;
    let hog = "x = []\nwhile True: x.append(bytearray(1 << 20))";
    let result = bench.wait(sandbox.run(Command::lang("python", hog).timeout(Duration::from_secs(60))))?;
    same("the hog", (result.exit_code, result.timed_out), (137, false))?;
    let after = bench.wait(sandbox.run("echo still here"))?;
    same("afterwards", after.stdout_text().as_ref(), "still here\n")?;
    let most: u64 = group(bench, &sandbox, "memory.max_usage_in_bytes", "memory.peak")?.parse()?;
    check(most <= 48 << 20, || format!("it had {most} bytes"))?;
    same("runs", bench.wait(sandbox.inspect())?.running, true)?;
    bench.wait(sandbox.shutdown())?;

    // What is written to memory counts.
    let spec = ContainerSpec::new(images::BUSYBOX).memory("32m").tmpfs("/scratch");
    let sandbox = made(bench, spec)?;
    let full = bench.wait(sandbox.run("dd if=/dev/zero of=/scratch/x bs=1M count=64"))?;
    check(full.exit_code != 0, || format!("{full:?}"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// What can be limited is; where nothing can, that is said.
pub(super) fn a_disk_limit_holds_or_is_refused<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).disk("16m");
    match bench.wait(bench.engine.create(spec)) {
        Err(Error::Container(ContainerError::NoDiskLimit { bytes, message })) => {
            same("bytes", bytes, 16 << 20)?;
            check(!message.is_empty(), || "the engine's words are lost".to_owned())
        }
        Err(error) => Err(error.into()),
        Ok(sandbox) => {
            let full = bench.wait(sandbox.run("dd if=/dev/zero of=/x bs=1M count=64"))?;
            let told = bench.wait(sandbox.applied())?.differences;
            check(full.exit_code != 0 || told.iter().any(|one| one.what == "disk"), || {
                format!("64 MiB could be written, and nothing is told: {told:?}")
            })?;
            Ok(bench.wait(sandbox.shutdown())?)
        }
    }
}

pub(super) fn what_is_mounted_is_as_asked<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("pd-test-{}", bench.random());
    let spec = || {
        ContainerSpec::new(images::BUSYBOX)
            .volume(Volume::bind("/usr/share", "/data/host").read_only())
            .volume(Volume::named(&name, "/data/kept"))
            .tmpfs(Tmpfs::new("/scratch").size("2m").mode(0o700).no_exec())
            .tmpfs("/fast")
    };
    let outcome = (|| -> Verdict {
        let sandbox = made(bench, spec())?;
        has("bind", &mounted(bench, &sandbox, "/data/host")?, &["ro"])?;
        let there = said(bench, &sandbox, "ls /data/host | head -n 1; touch /data/host/x")?;
        check(there.contains("Read-only") && !there.starts_with("touch"), || {
            format!("{there:?}")
        })?;
        has(
            "scratch",
            &mounted(bench, &sandbox, "/scratch")?,
            &["tmpfs", "rw", "nosuid", "nodev", "noexec", "size=2048k", "mode=700"],
        )?;
        let fast = mounted(bench, &sandbox, "/fast")?;
        has("fast", &fast, &["tmpfs", "rw", "nosuid", "nodev"])?;
        check(!fast.contains("noexec"), || fast.clone())?;
        let runs = "printf '#!/bin/sh\\necho ran\\n' >/fast/x; cp /fast/x /scratch; chmod +x /fast/x /scratch/x; /fast/x; \
                    /scratch/x; dd if=/dev/zero of=/scratch/y bs=1M count=3";
        let said_of_it = said(bench, &sandbox, runs)?;
        let words = ["ran\n", "Permission denied", "No space left"];
        check(words.iter().all(|word| said_of_it.contains(word)), || {
            said_of_it.clone()
        })?;
        bench.wait(sandbox.run("echo kept >/data/kept/file"))?;
        bench.wait(sandbox.shutdown())?;

        // The volume is there for the next one, which may not write to it.
        let again = ContainerSpec::new(images::BUSYBOX).volume(Volume::named(&name, "/v").read_only());
        let sandbox = made(bench, again)?;
        let kept = said(bench, &sandbox, "cat /v/file; touch /v/x")?;
        check(kept.starts_with("kept\n") && kept.contains("Read-only"), || {
            kept.clone()
        })?;
        Ok(bench.wait(sandbox.shutdown())?)
    })();
    let (status, _) = bench.peer.request("DELETE", &format!("/volumes/{name}?force=1"), b"")?;
    outcome?;
    same("the volume's removal", status, 204)
}

/// Neither is one that every container may use.
pub(super) fn devices_are_given<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .device("/dev/fuse")
        .device(Device::new("/dev/loop-control").at("/dev/pd-loops").read_only());
    let sandbox = made(bench, spec)?;
    let opened = said(
        bench,
        &sandbox,
        "(: <>/dev/fuse) && echo opened; (: </dev/pd-loops) && echo read",
    )?;
    same("opened", opened, "opened\nread".to_owned())?;
    let denied = said(bench, &sandbox, "(: >/dev/pd-loops) && echo written")?;
    check(denied.contains("not permitted"), || denied.clone())?;
    bench.wait(sandbox.shutdown())?;

    let missing = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::BUSYBOX).device("/dev/no-such-device")),
    );
    check(missing.is_err(), || "a device that is not there was given".to_owned())
}

/// A port is bound where it was asked to be, the engine's choice is told, and what listens behind it is reached.
pub(super) fn ports_are_bound_and_told<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .network(Network::Default)
        .port(8000)
        .port(Port::udp(8000))
        .port(8001);
    let sandbox = made(bench, spec)?;
    let ports = bench.wait(sandbox.ports())?;
    let seen: Vec<(u16, PortProtocol)> = ports.iter().map(|one| (one.container_port, one.protocol)).collect();
    let (tcp, udp) = (PortProtocol::Tcp, PortProtocol::Udp);
    same("ports", seen, vec![(8000, tcp), (8000, udp), (8001, tcp)])?;
    check(
        ports
            .iter()
            .all(|one| one.host_ip.is_some_and(|ip| ip.to_string() == "127.0.0.1") && one.host_port != 0),
        || format!("{ports:?}"),
    )?;
    same("told twice", bench.wait(sandbox.applied())?.ports, ports.clone())?;

    let server = bench.wait(sandbox.spawn("while :; do echo reached | nc -l -p 8000; done"))?;
    // From where the engine is, which may be in a network of its own: not through us, who would refuse that.
    let name = format!("pd-test-{}", bench.random());
    let line = format!(
        "i=0; while [ $i -lt 100 ]; do nc -w 2 127.0.0.1 {} </dev/null 2>/dev/null | grep reached && exit; sleep 0.1; i=$((i+1)); done",
        ports[0].host_port
    );
    let body = json!({
        "Image": images::BUSYBOX, "Cmd": ["/bin/sh", "-c", line], "HostConfig": { "NetworkMode": "host" },
    });
    let asked = (|| -> Result<String, Failure> {
        let path = format!("/containers/create?name={name}");
        let (status, answer) = bench.peer.request("POST", &path, body.to_string().as_bytes())?;
        check(status == 201, || String::from_utf8_lossy(&answer).into_owned())?;
        bench.peer.request("POST", &format!("/containers/{name}/start"), b"")?;
        bench.until("the other one has ended", || {
            let state = bench.peer.inspect(&name)?.ok_or("it is gone")?;
            Ok(state["State"]["Status"] == "exited")
        })?;
        let (_, log) = bench
            .peer
            .request("GET", &format!("/containers/{name}/logs?stdout=1"), b"")?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    })();
    bench.peer.remove(&name)?;
    let log = asked?;
    check(log.contains("reached"), || format!("{log:?}"))?;
    drop(server);
    bench.wait(sandbox.shutdown())?;

    let none = bench.wait(bench.engine.create(ContainerSpec::new(images::BUSYBOX).port(80)));
    check(matches!(none, Err(Error::Misuse(_))), || format!("{none:?}"))
}

pub(super) fn rights_are_taken_and_given<A: Adapter>(bench: &Bench<A>) -> Verdict {
    const KILL: u64 = 1 << 5;
    const NET_RAW: u64 = 1 << 13;
    const SYS_PTRACE: u64 = 1 << 19;
    let caps = |sandbox: &Sandbox<A>| -> Result<u64, Failure> {
        let all: Vec<u64> = ["CapPrm", "CapEff", "CapBnd"]
            .into_iter()
            .map(|name| Ok(u64::from_str_radix(&status(bench, sandbox, name)?, 16)?))
            .collect::<Result<_, Failure>>()?;
        check(all.iter().all(|one| *one == all[0]), || format!("{all:x?}"))?;
        Ok(all[0])
    };
    let usual = made(bench, ContainerSpec::new(images::BUSYBOX))?;
    let before = caps(&usual)?;
    check(before & KILL != 0 && before & SYS_PTRACE == 0, || format!("{before:x}"))?;
    same("new privileges", status(bench, &usual, "NoNewPrivs")?, "0".to_owned())?;
    let filtered = status(bench, &usual, "Seccomp")?;
    bench.wait(usual.shutdown())?;

    let spec = ContainerSpec::new(images::BUSYBOX)
        .add_capability("sys_ptrace")
        .drop_capability("CAP_KILL")
        .drop_capability("NET_RAW")
        .no_new_privileges(true)
        .read_only_root(true);
    let changed = made(bench, spec)?;
    same("changed", caps(&changed)?, (before | SYS_PTRACE) & !KILL & !NET_RAW)?;
    same(
        "no new privileges",
        status(bench, &changed, "NoNewPrivs")?,
        "1".to_owned(),
    )?;
    same(
        "as filtered as before",
        status(bench, &changed, "Seccomp")?,
        filtered.clone(),
    )?;
    has("root", &mounted(bench, &changed, "/")?, &["ro"])?;
    let refused = said(bench, &changed, "touch /x /etc/x /bin/x 2>&1 | grep -c Read-only")?;
    same("refused", refused, "3".to_owned())?;
    bench.wait(changed.shutdown())?;

    let spec = ContainerSpec::new(images::BUSYBOX)
        .drop_capability("ALL")
        .add_capability("KILL");
    let few = made(bench, spec)?;
    same("few", caps(&few)?, KILL)?;
    bench.wait(few.shutdown())?;

    let open = made(bench, ContainerSpec::new(images::BUSYBOX).seccomp(Seccomp::Unconfined))?;
    same("unconfined", status(bench, &open, "Seccomp")?, "0".to_owned())?;
    bench.wait(open.shutdown())?;
    same("filtered", filtered, "2".to_owned())
}

/// A profile of one's own, in the way that the engine takes it; in the other, it is refused here.
pub(super) fn a_profile_of_ones_own<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}"#;
    let json = Seccomp::Profile(profile.to_owned());
    // Podman's own, which comes with it.
    let file = Seccomp::File("/usr/share/containers/seccomp.json".into());
    let (right, wrong) = match bench.engine.kind() {
        EngineKind::Podman => (file, json),
        _ => (json, file),
    };
    let refused = bench.wait(bench.engine.create(ContainerSpec::new(images::BUSYBOX).seccomp(wrong)));
    check(matches!(refused, Err(Error::Misuse(_))), || format!("{refused:?}"))?;
    let sandbox = made(bench, ContainerSpec::new(images::BUSYBOX).seccomp(right))?;
    same("filtered", status(bench, &sandbox, "Seccomp")?, "2".to_owned())?;
    if bench.engine.kind() == EngineKind::Docker {
        let refused = said(bench, &sandbox, "mkdir /tmp/x")?;
        check(refused.contains("not permitted"), || refused.clone())?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

/// What a command does not say itself, its container says.
pub(super) fn commands_have_their_containers_limits<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX)
        .default_timeout(Duration::from_secs(3))
        .default_output_limit(10);
    let sandbox = made(bench, spec)?;
    let late = bench.wait(sandbox.run("echo so far; sleep 100"))?;
    same(
        "a run",
        (late.timed_out, late.stdout_text().into_owned()),
        (true, "so far\n".to_owned()),
    )?;
    let long = bench.wait(sandbox.run("echo 0123456789abcdef"))?;
    same("kept", (long.truncated(), long.omitted_bytes()), (true, 7))?;
    let own = Command::from("sleep 4; echo 0123456789abcdef")
        .timeout(Duration::MAX)
        .unlimited_output();
    let own = bench.wait(sandbox.run(own))?;
    same(
        "its own",
        (own.timed_out, own.stdout_text().into_owned()),
        (false, "0123456789abcdef\n".to_owned()),
    )?;
    let mut stream = bench.wait(sandbox.stream("sleep 100"))?;
    while bench.wait(stream.next())?.is_some() {}
    same("a stream", bench.wait(stream.result())?.timed_out, true)?;
    let process = bench.wait(sandbox.spawn("sleep 100"))?;
    same("a process", bench.wait(process.wait())?.timed_out, true)?;
    let shell = bench.wait(sandbox.session(SessionOptions::new()))?;
    let turn = bench.wait(shell.send_and_wait("sleep 100"))?;
    same("a turn", turn.timed_out, true)?;
    let turn = bench.wait(shell.send_and_wait(Turn::new("sleep 4; echo done").timeout(Duration::from_secs(60))))?;
    same(
        "a turn of its own",
        turn.stdout_text().into_owned(),
        "done\n".to_owned(),
    )?;
    bench.wait(shell.close())?;
    Ok(bench.wait(sandbox.shutdown())?)
}
