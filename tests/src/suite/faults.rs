//! What cannot be done, and how it is said.

use pocket_dock_core::{Command, ContainerError, ContainerSpec, Error, ExecError, ImageError, Network};

use super::{Adapter, Bench, Verdict, check};
use crate::lab::images;

/// Whether an engine's own message has all these words, in whatever case.
fn says(message: &str, words: &[&str]) -> bool {
    let message = message.to_lowercase();
    words.iter().all(|word| message.contains(word))
}

pub(super) fn missing_image<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let made = bench.wait(bench.engine.create(ContainerSpec::new("no-such-image:1")));
    let Err(Error::Image(ImageError::NotFound { image, message })) = made else {
        return Err(format!("{made:?}").into());
    };
    let told = says(&message, &["no such image", "no-such-image:1"]);
    check(image == "no-such-image:1" && told, || format!("{image:?} {message:?}"))
}

pub(super) fn name_in_use<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("taken-{}", bench.random());
    let spec = ContainerSpec::new(images::BUSYBOX).name(&name);
    let first = bench.wait(bench.engine.create(spec.clone()))?;
    let second = bench.wait(bench.engine.create(spec));
    let named = matches!(&second, Err(Error::Container(ContainerError::NameInUse { message, .. })) if says(message, &[&name, "already in use"]));
    check(named, || format!("{second:?}"))?;
    check(bench.knows(first.id())?, || "the first was removed".to_owned())?;
    Ok(bench.wait(first.shutdown())?)
}

pub(super) fn missing_network<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("network-{}", bench.random());
    let spec = ContainerSpec::new(images::BUSYBOX).name(&name);
    let made = bench.wait(
        bench
            .engine
            .create(spec.network(Network::Named("no-such-network".into()))),
    );
    let typed = matches!(&made, Err(Error::Container(ContainerError::NoNetwork { network, message })) if network == "no-such-network" && says(message, &["no-such-network", "not found"]));
    check(typed, || format!("{made:?}"))?;
    check(!bench.knows(&name)?, || "it is still there".to_owned())
}

pub(super) fn a_build_that_is_refused<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let built = bench.wait(bench.engine.build_image("no-such-build:1", &b"this is no tar"[..]));
    let typed = matches!(&built, Err(Error::Image(ImageError::BuildFailed { message, .. })) if !message.is_empty());
    check(typed, || format!("{built:?}"))
}

pub(super) fn bad_memory_limit<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("memory-{}", bench.random());
    let made = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::BUSYBOX).name(&name).memory(1000)),
    );
    let typed = matches!(&made, Err(Error::Container(ContainerError::BadMemory { bytes: 1000, message })) if says(message, &["memory limit"]));
    check(typed, || format!("{made:?}"))?;
    check(!bench.knows(&name)?, || "it is still there".to_owned())
}

pub(super) fn a_failed_start_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let name = format!("start-{}", bench.random());
    let made = bench.wait(
        bench.engine.create(
            ContainerSpec::new(images::BUSYBOX)
                .name(&name)
                .command(["/no/such/program"]),
        ),
    );
    let typed = matches!(&made, Err(Error::Container(ContainerError::StartFailed { message, .. })) if says(message, &["/no/such/program"]));
    check(typed, || format!("{made:?}"))?;
    check(!bench.knows(&name)?, || "it is still there".to_owned())
}

pub(super) fn paused_stopped_and_removed<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let id = sandbox.id().to_owned();
    bench.wait(sandbox.pause())?;
    check(bench.wait(sandbox.inspect())?.paused, || "it is not paused".to_owned())?;
    let run = bench.wait(sandbox.run("true"));
    let typed = matches!(&run, Err(Error::Container(ContainerError::Paused { message, .. })) if says(message, &[&id, "is paused"]));
    check(typed, || format!("paused: {run:?}"))?;
    let again = bench.wait(sandbox.pause());
    let told = matches!(&again, Err(Error::Refused { message, .. }) if says(message, &[&id, "is already paused"]));
    check(told, || format!("paused twice: {again:?}"))?;
    bench.wait(sandbox.unpause())?;
    let again = bench.wait(sandbox.unpause());
    let told = matches!(&again, Err(Error::Refused { message, .. }) if says(message, &[&id, "is not paused"]));
    check(told, || format!("not paused: {again:?}"))?;
    check(bench.wait(sandbox.run("true"))?.success(), || {
        "it does not go on".to_owned()
    })?;
    bench.peer.remove(sandbox.id())?;
    bench.until_gone(sandbox.id())?;
    let run = bench.wait(sandbox.run("true"));
    let gone = |error: &Error| matches!(error, Error::Container(ContainerError::Gone { message, .. }) if says(message, &[&id, "no such container"]));
    check(run.as_ref().is_err_and(gone), || format!("removed: {run:?}"))?;
    let seen = bench.wait(sandbox.inspect());
    check(seen.as_ref().is_err_and(gone), || format!("removed: {seen:?}"))?;
    bench.wait(sandbox.shutdown())?;
    let stopped = bench.wait(
        bench
            .engine
            .create(ContainerSpec::new(images::BUSYBOX).auto_remove(false)),
    )?;
    bench.wait(stopped.stop())?;
    let run = bench.wait(stopped.run("true"));
    // Docker says which one is not, Podman which ones it can use.
    let typed = matches!(&run, Err(Error::Container(ContainerError::NotRunning { message, .. })) if says(message, &["running"]));
    check(typed, || format!("stopped: {run:?}"))?;
    Ok(bench.wait(stopped.shutdown())?)
}

pub(super) fn what_cannot_be_started<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let missing = bench.wait(sandbox.run(Command::argv(["no-such-program", "x"])));
    check(matches!(missing, Err(Error::Exec(ExecError::NotFound { .. }))), || {
        format!("{missing:?}")
    })?;
    let directory = bench.wait(sandbox.run(Command::argv(["/etc"])));
    check(
        matches!(directory, Err(Error::Exec(ExecError::NotExecutable { .. }))),
        || format!("{directory:?}"),
    )?;
    let nowhere = bench.wait(sandbox.run(Command::from("true").workdir("/no/such")));
    check(
        matches!(nowhere, Err(Error::Exec(ExecError::NoDirectory { .. }))),
        || format!("{nowhere:?}"),
    )?;
    let nobody = bench.wait(sandbox.run(Command::from("true").user("no-such-user")));
    let typed = matches!(&nobody, Err(Error::Exec(ExecError::NoUser { user, message })) if user == "no-such-user" && says(message, &["no-such-user"]));
    check(typed, || format!("{nobody:?}"))?;
    let ran = bench.wait(sandbox.run(Command::argv(["sh", "-c", "exit 127"])))?;
    check(ran.exit_code == 127, || format!("{ran:?}"))?;
    let misuse = bench.wait(sandbox.run(Command::argv(Vec::<String>::new())));
    check(matches!(misuse, Err(Error::Misuse(_))), || format!("{misuse:?}"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}
