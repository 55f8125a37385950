//! What is said is so: of users, of paused containers, of removed ones, and of builds.

use std::time::Duration;

use pocket_dock_blocking::BuildContext;
use pocket_dock_core::{Container, ContainerError, ContainerSpec, Error, ImageError, Signal};

use super::{Adapter, Bench, Verdict, check, same};
use crate::lab::images;

pub(super) fn a_user_that_is_not_in_the_image<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for user in ["no-such-user", "root:no-such-group"] {
        let name = format!("user-{}", bench.random());
        let spec = ContainerSpec::new(images::BUSYBOX).name(&name).user(user);
        let made = bench.wait(bench.engine.create(spec));
        let typed = matches!(&made, Err(Error::Container(ContainerError::NoUser { user: named, message })) if named == user && message.contains("no-such"));
        check(typed, || format!("{made:?}"))?;
        check(!bench.knows(&name)?, || "it is still there".to_owned())?;
    }
    Ok(())
}

/// A main process that says with its exit code that it was told to end. It makes no other processes, as those that appear
/// in the middle of a pause let Docker fail at it.
fn polite() -> ContainerSpec {
    ContainerSpec::new(images::BUSYBOX)
        .command(["/bin/sh", "-c", "trap 'exit 7' TERM; sleep 1000 & wait $!"])
        .auto_remove(false)
}

fn paused<A: Adapter>(bench: &Bench<A>, spec: ContainerSpec) -> Result<Container<A::Runtime>, Error> {
    let sandbox = bench.wait(bench.engine.create(spec))?;
    // A signal that comes before it listens would be lost.
    bench.wait(sandbox.run("until grep -q 'SigCgt:.*[4-7c-f]...$' /proc/1/status; do sleep 0.05; done"))?;
    bench.wait(sandbox.pause())?;
    Ok(sandbox)
}

pub(super) fn a_paused_one_goes_on_for_its_end<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = paused(bench, polite())?;
    bench.wait(sandbox.start())?;
    // Docker 20 hears of the pause once more when it is over, and for a moment believes in it.
    let until = bench.adapter.now() + Duration::from_secs(10);
    let ran = loop {
        match bench.wait(sandbox.run("true")) {
            Err(Error::Container(ContainerError::Paused { .. })) if bench.adapter.now() < until => {
                bench.adapter.pause(Duration::from_millis(20));
            }
            ran => break ran?,
        }
    };
    same("runs", ran.exit_code, 0)?;
    bench.wait(sandbox.pause())?;
    bench.wait(sandbox.restart())?;
    same("restarted", bench.wait(sandbox.run("true"))?.exit_code, 0)?;
    bench.wait(sandbox.shutdown())?;
    for (signal, code) in [(None, 7), (Some(Signal::Term), 7), (Some(Signal::Kill), 137)] {
        let sandbox = paused(bench, polite())?;
        match signal {
            Some(signal) => bench.wait(sandbox.kill(signal))?,
            None => bench.wait(sandbox.stop())?,
        }
        same("exit code", bench.wait(sandbox.wait())?, code)?;
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}

pub(super) fn a_paused_one_is_shut_down<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for force in [false, true] {
        for spec in [
            ContainerSpec::new(images::BUSYBOX),
            polite(),
            polite().auto_remove(true),
        ] {
            let sandbox = paused(bench, spec)?;
            let began = bench.adapter.now();
            if force {
                bench.wait(sandbox.shutdown_force())?;
            } else {
                bench.wait(sandbox.shutdown())?;
            }
            let took = bench.adapter.now() - began;
            check(took < Duration::from_secs(8), || format!("it took {took:?}"))?;
            check(!bench.knows(sandbox.id())?, || "it is still there".to_owned())?;
        }
    }
    let sandbox = paused(bench, polite())?;
    let id = sandbox.id().to_owned();
    drop(sandbox);
    bench.until_gone(&id)
}

pub(super) fn one_that_is_gone_is_not_waited_for<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    bench.peer.remove(sandbox.id())?;
    bench.until_gone(sandbox.id())?;
    let waited = bench.wait(sandbox.wait());
    let gone = matches!(&waited, Err(Error::Container(ContainerError::Gone { message, .. })) if !message.is_empty());
    check(gone, || format!("{waited:?}"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_build_that_fails_shows_its_log<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let dockerfile = format!("FROM {}\nENV A=seen-in-the-log\nCOPY no-such-file /\n", images::BUSYBOX);
    let context = BuildContext::new().file("Dockerfile", dockerfile)?.finish()?;
    let built = bench.wait(bench.engine.build_image("no-such-build:1", context));
    let Err(Error::Image(ImageError::BuildFailed { message, log })) = &built else {
        return Err(format!("{built:?}").into());
    };
    check(message.contains("no-such-file"), || format!("message {message:?}"))?;
    check(log.contains("seen-in-the-log"), || format!("log {log:?}"))?;
    let images = bench.wait(bench.engine.images())?;
    let named = |name: &String| name.contains("no-such-build");
    check(!images.iter().any(|image| image.names.iter().any(named)), || {
        "there is an image".to_owned()
    })
}
