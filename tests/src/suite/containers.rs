//! Making and ending containers.

use std::time::Duration;

use pocket_dock_core::{ContainerError, ContainerSpec, Error, Runtime as _, Signal};
use serde_json::json;

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

pub(super) fn shutdown_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for force in [false, true] {
        let sandbox = bench.sandbox()?;
        let began = bench.adapter.now();
        if force {
            bench.wait(sandbox.shutdown_force())?;
        } else {
            bench.wait(sandbox.shutdown())?;
        }
        // Docker's and Podman's own ten seconds would show.
        let took = bench.adapter.now() - began;
        check(took < Duration::from_secs(5), || format!("it took {took:?}"))?;
        check(!bench.knows(sandbox.id())?, || "it is still there".to_owned())?;
        bench.wait(sandbox.shutdown())?;
        bench.wait(sandbox.shutdown_force())?;
    }
    Ok(())
}

pub(super) fn drop_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let id = sandbox.id().to_owned();
    check(bench.knows(&id)?, || "it is not there".to_owned())?;
    drop(sandbox);
    bench.until_gone(&id)
}

pub(super) fn several_from_several_threads<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    std::thread::scope(|scope| {
        let work = |number: usize| -> Verdict {
            let own = bench.sandbox()?;
            for _ in 0..3 {
                for container in [&own, &sandbox] {
                    let result = bench.wait(container.run(format!("echo {number}")))?;
                    same("output", result.stdout_text().into_owned(), format!("{number}\n"))?;
                }
            }
            Ok(bench.wait(own.shutdown())?)
        };
        // A recorded thread is known by its name.
        let spawn = |number: usize| {
            let named = std::thread::Builder::new().name(format!("case-{number}"));
            named.spawn_scoped(scope, move || work(number))
        };
        let threads: Vec<_> = (0..4).map(spawn).collect::<Result<_, _>>()?;
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| Failure::from("a thread panicked"))?)
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn labels_and_name<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).label("mine", "yes");
    let sandbox = bench.wait(bench.engine.create(spec))?;
    let name = sandbox.name();
    let hex = name.strip_prefix("pd-").ok_or("the name does not begin with pd-")?;
    check(hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()), || {
        format!("name {name:?}")
    })?;
    let seen = bench.peer.inspect(name)?.ok_or("the engine does not know the name")?;
    let labels = &seen["Config"]["Labels"];
    same("label", labels["mine"].as_str(), Some("yes"))?;
    same("managed", labels["pocket-dock.managed"].as_str(), Some("true"))?;
    for label in [
        "pocket-dock.instance",
        "pocket-dock.created-at",
        "pocket-dock.owner",
        "pocket-dock.name",
    ] {
        check(labels[label].as_str().is_some_and(|text| !text.is_empty()), || {
            format!("{label} is missing")
        })?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn no_network_by_default<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let result = bench.wait(sandbox.run("tail -n +3 /proc/net/dev | cut -d: -f1"))?;
    same("interfaces", result.stdout_text().trim().to_owned(), "lo".to_owned())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn the_main_process_is_waited_for<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).command([
        "/bin/sh",
        "-c",
        "trap 'exit 7' USR1; while :; do sleep 0.1; done",
    ]);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    std::thread::scope(|scope| -> Verdict {
        let waiting = scope.spawn(|| bench.wait(sandbox.wait()));
        // It ends its own container: whether it comes to tell its own end is a race.
        match bench.wait(sandbox.run("sleep 3; kill -USR1 1")) {
            Ok(_) | Err(Error::Container(ContainerError::Gone { .. })) => {}
            Err(other) => return Err(other.into()),
        }
        same("exit code", waiting.join().map_err(|_| "the waiter panicked")??, 7)
    })?;
    // One that does not listen to signals, as the first process of a container does not by itself, but to its input.
    let reading = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::BUSYBOX).command(["cat"])),
    )?;
    let began = bench.adapter.now();
    bench.wait(reading.shutdown())?;
    let took = bench.adapter.now() - began;
    check(took < Duration::from_secs(5), || {
        format!("the end of the input was not heard: {took:?}")
    })?;
    // One that ended long ago.
    let spec = ContainerSpec::new(images::BUSYBOX).command(["/bin/sh", "-c", "exit 3"]);
    let ended = bench.wait(bench.engine.create(spec.auto_remove(false)))?;
    let until = bench.adapter.now() + Duration::from_secs(10);
    while bench.wait(ended.inspect())?.running && bench.adapter.now() < until {
        bench.adapter.pause(Duration::from_millis(20));
    }
    for _ in 0..2 {
        same("exit code of one that has ended", bench.wait(ended.wait())?, 3)?;
    }
    bench.wait(ended.shutdown())?;
    let signalled = bench.sandbox()?;
    bench.wait(signalled.kill(Signal::Kill))?;
    bench.wait(signalled.shutdown())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_restart_keeps_files_and_ends_processes<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let old = ["4.", "20."]
        .iter()
        .any(|major| bench.engine.version().starts_with(major));
    if old {
        // It may lose a container that removes itself: that is refused, and nothing is lost.
        let sandbox = bench.sandbox()?;
        let restart = bench.wait(sandbox.restart());
        check(matches!(restart, Err(Error::Misuse(_))), || format!("{restart:?}"))?;
        same("runs on", bench.wait(sandbox.run("true"))?.exit_code, 0)?;
    } else {
        restart_twice(bench, ContainerSpec::new(images::BUSYBOX))?;
    }
    restart_twice(bench, ContainerSpec::new(images::BUSYBOX).auto_remove(false))
}

fn restart_twice<A: Adapter>(bench: &Bench<A>, spec: ContainerSpec) -> Verdict {
    let sandbox = bench.wait(bench.engine.create(spec))?;
    bench.wait(sandbox.run("echo kept >/tmp/file; sleep 1000 &"))?;
    for _ in 0..2 {
        bench.wait(sandbox.restart())?;
        let result = bench.wait(sandbox.run("cat /tmp/file"))?;
        same(
            "after a restart",
            result.stdout_text().into_owned(),
            "kept\n".to_owned(),
        )?;
        let processes = bench.peer.processes(sandbox.id())?;
        check(processes.iter().all(|one| !one.contains("sleep 1000")), || {
            format!("{processes:?}")
        })?;
    }
    // A leash that was cut by the restart would end it now.
    bench.wait(sandbox.run("sleep 1"))?;
    same("runs", bench.wait(sandbox.inspect())?.running, true)?;
    bench.wait(sandbox.shutdown())?;
    bench.until_gone(sandbox.id())
}

pub(super) fn a_stopped_one_starts_again<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let spec = ContainerSpec::new(images::BUSYBOX).auto_remove(false);
    let sandbox = bench.wait(bench.engine.create(spec))?;
    bench.wait(sandbox.run("echo kept >/tmp/file"))?;
    for _ in 0..2 {
        bench.wait(sandbox.stop())?;
        bench.wait(sandbox.stop())?;
        let state = bench.wait(sandbox.inspect())?;
        check(!state.running && state.exit_code.is_some(), || {
            format!("stopped: {state:?}")
        })?;
        bench.wait(sandbox.start())?;
        bench.wait(sandbox.start())?;
        let result = bench.wait(sandbox.run("cat /tmp/file"))?;
        same("after a start", result.stdout_text().into_owned(), "kept\n".to_owned())?;
    }
    bench.wait(sandbox.shutdown())?;
    check(!bench.knows(sandbox.id())?, || "it is still there".to_owned())?;
    let gone = bench.wait(sandbox.start());
    check(
        matches!(gone, Err(Error::Container(ContainerError::Gone { .. }))),
        || format!("gone: {gone:?}"),
    )
}

/// A container that was made by a program that has died, and never started, has no main process to end it.
pub(super) fn orphans_are_swept<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let peer = &bench.peer;
    let me = bench.adapter.runtime().host().owner().ok_or("no owner here")?;
    let mut made = Vec::new();
    let dead = format!("1:1:{}:{}", me.boot, me.namespace);
    for (owner, is_named) in [
        (dead.clone(), true),
        (me.to_string(), true),
        (format!("1:1:another:{}", me.namespace), true),
        // Its labels are those of an image that was made of another container.
        (dead, false),
    ] {
        let name = format!("sweep-{}", bench.random());
        let labelled = if is_named { name.as_str() } else { "pd-another" };
        let body = json!({
            "Image": images::BUSYBOX, "Cmd": ["/bin/true"],
            "Labels": {
                "pocket-dock.managed": "true", "pocket-dock.owner": owner, "pocket-dock.name": labelled,
                "pocket-dock.instance": name,
            },
        });
        let (status, answer) = peer.request(
            "POST",
            &format!("/containers/create?name={name}"),
            body.to_string().as_bytes(),
        )?;
        check(status == 201, || {
            format!("create: {status} {}", String::from_utf8_lossy(&answer))
        })?;
        made.push(name);
    }
    let fresh = bench.another()?;
    let sandbox = fresh.sandbox()?;
    let there: Vec<bool> = made.iter().map(|name| bench.knows(name)).collect::<Result<_, _>>()?;
    for name in &made {
        peer.remove(name)?;
    }
    same("there", there, vec![false, true, true, true])?;
    Ok(bench.wait(sandbox.shutdown())?)
}
