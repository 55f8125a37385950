//! Containers that begin anew, stay, are found again, and become images.

use std::time::Duration;

use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{
    Applied, CloseReason, Container, ContainerError, ContainerSpec, Error, ImageError, ListFilter, Network, Port,
    PortProtocol, Prune, Runtime as _, Seccomp, SessionOptions, Tmpfs, Volume,
};
use serde_json::{Value, json};

use super::{Adapter, Bench, Failure, Verdict, check, files, options, same};
use crate::lab::{encode, images};

/// More polls than any of these calls needs.
const MOST: usize = 500;
/// How long the background may take, on a machine with much to do.
const LIMIT: Duration = Duration::from_secs(60);

fn spec() -> ContainerSpec {
    ContainerSpec::new(images::BUSYBOX)
}

fn is_gone<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Container(ContainerError::Gone { .. })))
}

fn is_rebooted(error: &Error, name: &str) -> bool {
    matches!(error, Error::Container(ContainerError::Rebooted { name: said }) if said == name)
}

/// Whether the handles of what ran before a reboot say so, and others can be had.
fn reboot_under<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Container<A::Runtime>,
    reboot: impl FnOnce() -> Result<(), Error>,
) -> Verdict {
    let process = bench.wait(sandbox.spawn("sleep 2011"))?;
    let mut stream = bench.wait(sandbox.stream("sleep 2012"))?;
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    same("shell", bench.wait(session.send_and_wait("cd /tmp"))?.exit_code, 0)?;
    reboot()?;
    let name = sandbox.name();
    for told in [bench.wait(process.wait()).err(), bench.wait(stream.result()).err()] {
        check(told.as_ref().is_some_and(|error| is_rebooted(error, name)), || {
            format!("{told:?}")
        })?;
    }
    let told = bench.wait(session.send_and_wait("pwd"));
    let closed =
        matches!(&told, Err(Error::SessionClosed { reason: CloseReason::Failed(why) }) if is_rebooted(why, name));
    check(closed, || format!("the session: {told:?}"))?;
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let said = bench.wait(session.send_and_wait("echo again"))?;
    same(
        "the next session",
        said.stdout_text().into_owned(),
        "again\n".to_owned(),
    )?;
    bench.wait(session.close())?;
    let listed = bench.peer.processes(sandbox.id())?;
    check(listed.iter().all(|one| !one.contains("sleep 201")), || {
        format!("{listed:?}")
    })
}

pub(super) fn a_reboot_keeps_files_and_tells_handles<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for stays in [false, true] {
        let spec = if stays {
            spec().persistent()
        } else {
            spec().auto_remove(false)
        };
        let sandbox = bench.wait(bench.engine.create(spec))?;
        let id = sandbox.id().to_owned();
        bench.wait(sandbox.run("echo kept >/tmp/file"))?;
        reboot_under(bench, &sandbox, || bench.wait(sandbox.reboot()))?;
        same("id", sandbox.id(), id.as_str())?;
        let file = bench.wait(sandbox.run("cat /tmp/file"))?;
        same("file", file.stdout_text().into_owned(), "kept\n".to_owned())?;
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}

/// What an engine says of how a container was made.
fn made<A: Adapter>(bench: &Bench<A>, id: &str) -> Result<Value, Failure> {
    let mut seen = bench.peer.inspect(id)?.ok_or("the engine does not know it")?;
    let (mut config, host) = (seen["Config"].take(), seen["HostConfig"].take());
    // What is each one's own.
    config["Hostname"].take();
    for own in ["pocket-dock.instance", "pocket-dock.created-at"] {
        config["Labels"][own].take();
    }
    for engines in ["CreateCommand", "ExposedPorts"] {
        config[engines].take();
    }
    if let Some(env) = config["Env"].as_array_mut() {
        // Podman puts the host's name among them, in any order.
        env.retain(|one| !one.as_str().is_some_and(|one| one.starts_with("HOSTNAME=")));
        env.sort_by_key(Value::to_string);
    }
    let limits = ["Memory", "MemorySwap", "PidsLimit", "NetworkMode", "AutoRemove"].map(|key| host[key].clone());
    Ok(json!({ "config": config, "limits": limits }))
}

pub(super) fn a_fresh_reboot_is_as_new<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("fresh-{}", bench.random());
    let spec = spec()
        .name(&name)
        .env("A", "b \"c\"\n'd'")
        .label("k", "v \"]}\n")
        .user("worker")
        .workdir("/tmp")
        .memory(64 << 20)
        .pids(40)
        .lifetime(Duration::from_secs(600));
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let first = sandbox.id().to_owned();
    let before = made(bench, &first)?;
    bench.wait(sandbox.run("echo lost >file"))?;
    reboot_under(bench, &sandbox, || bench.wait(sandbox.reboot_fresh()))?;
    check(sandbox.id() != first, || "the id is the same".to_owned())?;
    check(!bench.knows(&first)?, || "the old one is still there".to_owned())?;
    same("made", made(bench, sandbox.id())?, before)?;
    let seen = bench.wait(sandbox.run("ls; pwd; id -un; echo \"$A\""))?;
    let wanted = "/tmp\nworker\nb \"c\"\n'd'\n".to_owned();
    same("inside", seen.stdout_text().into_owned(), wanted)?;
    bench.wait(sandbox.shutdown())?;
    check(!bench.knows(&name)?, || "it is still there".to_owned())
}

/// What is left of a reboot that fails is told; what is sure to fail changes nothing.
/// Whatever can be asked for is there again, by the engine's word and from inside, whichever way it begins anew.
pub(super) fn a_reboot_keeps_all_that_was_asked_for<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::PYTHON)
        .hostname("sandbox-7")
        .auto_remove(false)
        .network(Network::Default)
        .port(8000)
        .port(Port::udp(8001))
        .memory("96m")
        .cpu_percent(50)
        .pids(50)
        .volume(Volume::bind("/usr/share", "/given").read_only())
        .tmpfs(Tmpfs::new("/tmp").size("8m"))
        .tmpfs(Tmpfs::new("/quiet").mode(0o700).no_exec())
        .device("/dev/fuse")
        .read_only_root(true)
        .add_capability("SYS_PTRACE")
        .drop_capability("NET_RAW")
        .no_new_privileges(true)
        .seccomp(Seccomp::Unconfined)
        // Docker 20 sometimes runs a command with the hard one for both.
        .ulimit("nofile", 200, 200)
        .ulimit("nproc", 4096, 4096);
    let sandbox = options::made(bench, spec)?;
    // Ports are given anew.
    let applied = || -> Result<Applied, Failure> {
        let mut applied = bench.wait(sandbox.applied())?;
        check(applied.differences.is_empty(), || format!("{:?}", applied.differences))?;
        let bound = applied.ports.drain(..).map(|port| (port.container_port, port.protocol));
        let wanted = [(8000, PortProtocol::Tcp), (8001, PortProtocol::Udp)];
        check(bound.eq(wanted), || "not all ports are bound".to_owned())?;
        // The instance and the time are each one's own.
        applied.labels.retain(|name, _| !name.starts_with("pocket-dock."));
        applied.env.remove("HOSTNAME");
        Ok(applied)
    };
    let inside = || -> Result<String, Failure> {
        let line = "hostname; ls /tmp /dev/fuse; touch /x 2>&1; ulimit -Sn; ulimit -Hn; \
                    grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; \
                    awk '$2 ~ \"^/(given|tmp|quiet)?$\" { print $2, $4 }' /proc/mounts | sort";
        let said = files::said(bench, &sandbox, line)?;
        let limits = [("memory.limit_in_bytes", "memory.max"), ("pids.max", "pids.max")];
        let limits: Vec<String> = limits
            .into_iter()
            .map(|(one, two)| options::group(bench, &sandbox, one, two))
            .collect::<Result<_, _>>()?;
        // The layers of a root file system have names of their own.
        let root = |line: &&str| !line.starts_with("/ ");
        let said: Vec<&str> = said.lines().filter(root).collect();
        Ok(format!("{}\n{limits:?}", said.join("\n")))
    };
    let (applied_before, inside_before) = (applied()?, inside()?);
    check(inside_before.contains("sandbox-7"), || inside_before.clone())?;
    for fresh in [false, true] {
        bench.wait(sandbox.run("echo lost >/tmp/file"))?;
        if fresh {
            bench.wait(sandbox.reboot_fresh())?;
        } else {
            bench.wait(sandbox.reboot())?;
        }
        same("inside", inside()?, inside_before.clone())?;
        let (now, before) = (applied()?, &applied_before);
        check(now == *before, || format!("got {now:#?}, wanted {before:#?}"))?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_reboot_without_its_image<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let peer = &bench.peer;
    let name = format!("pocket-dock-test/gone-{}", bench.random());
    let tag = format!("/images/{}/tag?repo={}&tag=x", encode(images::BUSYBOX), encode(&name));
    let (status, _) = peer.request("POST", &tag, b"")?;
    check(status == 201, || format!("tag: {status}"))?;
    let image = format!("{name}:x");
    let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(&image)))?;
    // The image itself has another name, and stays.
    let (status, said) = peer.request("DELETE", &format!("/images/{}", encode(&image)), b"")?;
    check(status == 200, || {
        format!("untag: {status} {}", String::from_utf8_lossy(&said))
    })?;
    let refused = bench.wait(sandbox.reboot_fresh());
    check(
        matches!(&refused, Err(Error::Image(ImageError::NotFound { image: said, .. })) if *said == image),
        || format!("{refused:?}"),
    )?;
    same("runs", bench.wait(sandbox.run("true"))?.exit_code, 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_dropped_fresh_reboot_goes_on<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("redo-{}", bench.random());
    let sandbox = bench.wait(bench.engine.create(spec().name(&name).label("redo", &name)))?;
    for polls in (0..MOST).step_by(3) {
        let id = sandbox.id().to_owned();
        let ended = bench.adapter.wait_for_polls(sandbox.reboot_fresh(), polls);
        if ended.is_none() {
            check(wait_for_cleanup(LIMIT), || "the background does not end".to_owned())?;
        }
        check(bench.knows(&name)?, || format!("it is gone after {polls} polls"))?;
        let fresh = sandbox.id() != id;
        check(bench.knows(&id)? != fresh, || {
            format!("{polls} polls: both are there, or none")
        })?;
        same("runs", bench.wait(sandbox.run("true"))?.exit_code, 0)?;
        if let Some(ended) = ended {
            ended?;
            // Two that are asked for before either is waited for: each makes anew what is there by then.
            let (one, two) = (sandbox.reboot_fresh(), sandbox.reboot_fresh());
            bench.wait(one)?;
            bench.wait(two)?;
            same("runs", bench.wait(sandbox.run("true"))?.exit_code, 0)?;
            let left = bench.wait(bench.engine.list(ListFilter::new().label("redo", &name)))?;
            let left: Vec<_> = left.iter().map(|found| found.id.as_str()).collect();
            check(left == [sandbox.id()], || {
                format!("{left:?} are left, the last is {}", sandbox.id())
            })?;
            bench.wait(sandbox.shutdown())?;
            return check(!bench.knows(&name)?, || "it is still there".to_owned());
        }
    }
    Err(format!("it did not end in {MOST} polls").into())
}

pub(super) fn a_persistent_one_stays_and_is_found_again<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("stays-{}", bench.random());
    let sandbox = bench.wait(bench.engine.create(spec().name(&name).persistent()))?;
    sandbox.persist()?;
    bench.wait(sandbox.run("echo kept >/root/file"))?;
    let id = sandbox.id().to_owned();
    drop(sandbox);
    let other = bench.another()?;
    // What sweeps after the dead lets it live.
    other.wait(other.sandbox()?.shutdown())?;
    let found = other.wait(other.engine.attach(&id[..16]))?;
    same("name", found.name(), name.as_str())?;
    same("runs", other.wait(found.inspect())?.running, true)?;
    let began = bench.adapter.now();
    other.wait(found.stop())?;
    let took = bench.adapter.now() - began;
    check(took < Duration::from_secs(5), || format!("the stop took {took:?}"))?;
    drop(found);
    let found = other.wait(other.engine.attach(&name))?;
    same("runs by being looked at", other.wait(found.inspect())?.running, false)?;
    let resumed = other.wait(other.engine.resume(&name))?;
    let file = other.wait(resumed.run("cat /root/file"))?;
    same("file", file.stdout_text().into_owned(), "kept\n".to_owned())?;
    // Its main process takes in what others left, and lets it go when it has ended.
    let orphan = other.wait(resumed.run("(sleep 0.2 >/dev/null 2>&1 & echo $!)"))?;
    let there = format!("[ -e /proc/{} ]", orphan.stdout_text().trim());
    other.until("an orphan is gone", || {
        Ok(!other.wait(resumed.run(there.as_str()))?.success())
    })?;
    other.wait(resumed.pause())?;
    drop(resumed);
    let resumed = other.wait(other.engine.resume(&name))?;
    same("paused", other.wait(resumed.inspect())?.paused, false)?;
    drop(resumed);
    bench.wait(bench.engine.destroy(&name))?;
    check(!bench.knows(&id)?, || "it is still there".to_owned())?;
    let again = bench.wait(bench.engine.destroy(&name));
    check(is_gone(&again), || format!("{again:?}"))?;
    let attached = bench.wait(bench.engine.attach(&name));
    check(is_gone(&attached), || format!("{attached:?}"))
}

pub(super) fn one_on_a_leash_is_tied<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.wait(bench.engine.create(spec().auto_remove(false)))?;
    let refused = sandbox.persist();
    let typed = matches!(&refused, Err(Error::Container(ContainerError::NotPersistent { .. })));
    check(typed, || format!("{refused:?}"))?;
    let other = bench.another()?;
    let found = other.wait(other.engine.attach(sandbox.name()))?;
    same("runs", other.wait(found.run("true"))?.exit_code, 0)?;
    let restarted = other.wait(found.restart());
    check(matches!(restarted, Err(Error::Misuse(_))), || format!("{restarted:?}"))?;
    drop(found);
    same("runs", bench.wait(sandbox.run("sleep 1"))?.exit_code, 0)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_lifetime_holds_without_us<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let lifetime = Duration::from_secs(3);
    let spec = || spec().lifetime(lifetime);
    let began = bench.adapter.now();
    let leashed = bench.wait(bench.engine.create(spec()))?;
    let removes = bench.wait(bench.engine.create(spec().persistent().auto_remove(true)))?;
    let stays = bench.wait(bench.engine.create(spec().persistent()))?;
    let removed = removes.id().to_owned();
    drop(removes);
    same("runs", bench.wait(stays.run("true"))?.exit_code, 0)?;
    let code = bench.wait(stays.wait())?;
    same("exit code", code, 0)?;
    let took = bench.adapter.now() - began;
    check(took >= lifetime, || format!("it ended after {took:?}"))?;
    bench.until_gone(leashed.id())?;
    bench.until_gone(&removed)?;
    // It begins anew with each start; and a leash still holds.
    bench.wait(stays.start())?;
    same("runs again", bench.wait(stays.inspect())?.running, true)?;
    bench.wait(stays.shutdown())?;
    let long = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::BUSYBOX).lifetime(Duration::from_secs(600))),
    )?;
    same("runs", bench.wait(long.run("true"))?.exit_code, 0)?;
    let id = long.id().to_owned();
    drop(long);
    bench.until_gone(&id)
}

/// Names and labels can say anything, and reach nothing else.
pub(super) fn only_ours_are_seen<A: Adapter>(bench: &Bench<A>) -> Verdict {
    // No name of a label has a `=` in it.
    const HOSTILE: &str = "\"],\"name\":[\"x\"]}\n\\'$(id)&%";
    let mark = bench.random();
    let body = json!({
        "Image": images::BUSYBOX, "Cmd": ["/bin/sh", "-c", "sleep 600"],
        "Labels": { "pocket-dock.managed": "true", "pocket-dock.owner": "", "pocket-dock.name": "pd-another",
            "pocket-dock.instance": mark, "mark": mark },
    });
    let foreign = format!("foreign-{mark}");
    let path = format!("/containers/create?name={foreign}");
    let (status, _) = bench.peer.request("POST", &path, body.to_string().as_bytes())?;
    check(status == 201, || format!("create: {status}"))?;
    let labelled = spec().label("mark", &mark).label("k", HOSTILE).label(HOSTILE, "v");
    let sandbox = bench.wait(bench.engine.create(labelled))?;
    let other = bench.another()?;
    let list = |filter: ListFilter| -> Result<Vec<String>, Failure> {
        let listed = other.wait(other.engine.list(filter))?;
        Ok(listed.into_iter().map(|one| one.id).collect())
    };
    let mine = vec![sandbox.id().to_owned()];
    let verdict = (|| {
        same(
            "by its mark",
            list(ListFilter::new().label("mark", &mark))?,
            mine.clone(),
        )?;
        same(
            "by its value",
            list(ListFilter::new().label("k", HOSTILE).label("mark", &mark))?,
            mine.clone(),
        )?;
        same(
            "by its label",
            list(ListFilter::new().has_label(HOSTILE).label("mark", &mark))?,
            mine.clone(),
        )?;
        same(
            "by its name",
            list(ListFilter::new().name(sandbox.name()).running())?,
            mine.clone(),
        )?;
        same(
            "by another value",
            list(ListFilter::new().label("mark", HOSTILE))?,
            Vec::new(),
        )?;
        same(
            "persistent",
            list(ListFilter::new().label("mark", &mark).persistent())?,
            Vec::new(),
        )?;
        bench.wait(sandbox.pause())?;
        same(
            "paused",
            list(ListFilter::new().label("mark", &mark).running())?,
            mine.clone(),
        )?;
        for outcome in [
            other.wait(other.engine.attach(&foreign)).map(drop),
            other.wait(other.engine.resume(&foreign)).map(drop),
            other.wait(other.engine.destroy(&foreign)),
        ] {
            let typed = matches!(&outcome, Err(Error::Container(ContainerError::Foreign { .. })));
            check(typed, || format!("foreign: {outcome:?}"))?;
        }
        for hostile in ["../images", "..", "", "a/b", "x?all=1", "x%2f..%2f..", "x\ny", HOSTILE] {
            let outcome = other.wait(other.engine.attach(hostile));
            check(matches!(outcome, Err(Error::Misuse(_))), || {
                format!("{hostile:?}: {outcome:?}")
            })?;
        }
        check(bench.knows(&foreign)?, || "the foreign one is gone".to_owned())
    })();
    bench.peer.remove(&foreign)?;
    bench.wait(sandbox.shutdown())?;
    verdict
}

pub(super) fn a_snapshot_is_an_image<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let image = format!("localhost:5000/pocket-dock-test/snapshot-{}:1.2", bench.random());
    let sandbox = bench.sandbox()?;
    bench.wait(sandbox.run("echo kept >/root/file"))?;
    let id = bench.wait(sandbox.snapshot(&image))?;
    check(id.len() == 71 && id.starts_with("sha256:"), || id.clone())?;
    let verdict = (|| {
        same("runs on", bench.wait(sandbox.run("true"))?.exit_code, 0)?;
        let names: Vec<String> = bench
            .wait(bench.engine.images())?
            .into_iter()
            .flat_map(|one| one.names)
            .collect();
        check(names.contains(&image), || format!("{names:?}"))?;
        for reference in [&image, &id] {
            let copy = bench.wait(bench.engine.create(ContainerSpec::new(reference)))?;
            let file = bench.wait(copy.run("cat /root/file"))?;
            same("file", file.stdout_text().into_owned(), "kept\n".to_owned())?;
            bench.wait(copy.shutdown())?;
        }
        // What others make of it is not ours, even if it has our name.
        let peer = &bench.peer;
        let body = json!({ "Image": image, "Cmd": ["/bin/true"] });
        bench.wait(sandbox.shutdown())?;
        let path = format!("/containers/create?name={}", sandbox.name());
        let (status, said) = peer.request("POST", &path, body.to_string().as_bytes())?;
        check(status == 201, || {
            format!("create: {status} {}", String::from_utf8_lossy(&said))
        })?;
        let attached = bench.wait(bench.engine.attach(sandbox.name()));
        peer.remove(sandbox.name())?;
        let typed = matches!(&attached, Err(Error::Container(ContainerError::Foreign { .. })));
        check(typed, || format!("{attached:?}"))?;
        let seen = peer.image(&image)?.ok_or("the image is not there")?;
        let base = peer.image(images::BUSYBOX)?.ok_or("the base is not there")?;
        for key in ["Cmd", "Entrypoint"] {
            let words = |image: &Value| image["Config"][key].as_array().cloned().unwrap_or_default();
            same(key, words(&seen), words(&base))?;
        }
        let wrong = bench.wait(sandbox.snapshot("../images"));
        check(matches!(wrong, Err(Error::Image(ImageError::BadName { .. }))), || {
            format!("{wrong:?}")
        })
    })();
    drop(sandbox);
    let (status, said) = bench
        .peer
        .request("DELETE", &format!("/images/{}", encode(&image)), b"")?;
    let removed = check(status == 200, || {
        format!(
            "the image cannot be removed: {status} {}",
            String::from_utf8_lossy(&said)
        )
    });
    verdict.and(removed)
}

/// None that runs or is paused, and none of another's.
pub(super) fn what_is_left_over_is_pruned<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (peer, mark) = (&bench.peer, bench.random());
    let me = bench.adapter.runtime().host().owner().ok_or("no owner here")?;
    let dead = format!("1:1:{}:{}", me.boot, me.namespace);
    // Others sweep what is to end with its program, but not these.
    let add = |what: &str, owner: &str, ours: bool, verbs: &[&str]| -> Result<String, Failure> {
        let name = format!("{what}-{mark}");
        let labelled = if ours { name.as_str() } else { "pd-another" };
        let body = json!({
            "Image": images::BUSYBOX, "Cmd": ["/bin/sh", "-c", "sleep 600"],
            "Labels": {
                "pocket-dock.managed": "true", "pocket-dock.owner": owner, "pocket-dock.name": labelled,
                "pocket-dock.instance": name, "pocket-dock.persistent": name, "mark": mark,
            },
        });
        let create = format!("/containers/create?name={name}");
        let (status, _) = peer.request("POST", &create, body.to_string().as_bytes())?;
        check(status == 201, || format!("create: {status}"))?;
        for verb in verbs {
            let (status, _) = peer.request("POST", &format!("/containers/{name}/{verb}"), b"")?;
            check(status < 300, || format!("{verb}: {status}"))?;
        }
        Ok(name)
    };
    let ends = ["start", "stop?t=0"];
    let left = [add("dead", &dead, true, &ends)?, add("unowned", "", true, &ends)?];
    let kept = [
        add("runs", &dead, true, &["start"])?,
        add("paused", &dead, true, &["start", "pause"])?,
        add("mine", &me.to_string(), true, &ends)?,
        add("foreign", &dead, false, &ends)?,
        add("new", "", true, &[])?,
    ];
    let verdict = (|| {
        let prune = || Prune::new().persistent().label("mark", &mark);
        let none = bench.wait(bench.engine.prune_candidates(Prune::new().label("mark", &mark)))?;
        same("not asked for", none.len(), 0)?;
        let candidates = bench.wait(bench.engine.prune_candidates(prune()))?;
        let mut names: Vec<&str> = candidates.iter().map(|one| one.name.as_str()).collect();
        names.sort_unstable();
        same("candidates", names, left.iter().map(String::as_str).collect())?;
        for name in &left {
            check(bench.knows(name)?, || format!("{name} is gone by being looked at"))?;
        }
        let pruned = bench.wait(bench.engine.prune(prune()))?;
        check(pruned.kept.is_empty() && pruned.removed.len() == 2, || {
            format!("{pruned:?}")
        })?;
        for (name, there) in left
            .iter()
            .map(|name| (name, false))
            .chain(kept.iter().map(|name| (name, true)))
        {
            check(bench.knows(name)? == there, || format!("{name} is there: {}", !there))?;
        }
        Ok(())
    })();
    for name in left.iter().chain(&kept) {
        if bench.knows(name)? {
            peer.remove(name)?;
        }
    }
    verdict
}
