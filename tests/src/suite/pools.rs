//! Pools of containers.

use std::collections::BTreeSet;
use std::time::Duration;

use pocket_dock_blocking::adapter::wait_for_cleanup;
use pocket_dock_core::{ContainerSpec, EngineKind, Error, ImageError, Pool, Port};

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::images;

/// How long the background may take, on a machine with much to do.
const LIMIT: Duration = Duration::from_secs(60);

/// A pool, and the label of its containers.
fn pool<A: Adapter>(bench: &Bench<A>, size: usize) -> Result<(Pool<A::Runtime>, String), Failure> {
    let mark = bench.random();
    let spec = ContainerSpec::new(images::BUSYBOX)
        .label("pool", &mark)
        .auto_remove(false);
    Ok((Pool::new(&bench.engine, spec, size)?, format!("pool={mark}")))
}

fn there<A: Adapter>(bench: &Bench<A>, label: &str) -> Result<usize, Failure> {
    Ok(bench.peer.containers(true, Some(label))?.len())
}

fn until_full<A: Adapter>(bench: &Bench<A>, pool: &Pool<A::Runtime>) -> Verdict {
    bench.until("the pool fills", || Ok(pool.ready() == pool.size()))
}

/// In the background, where drops do not wait.
fn until_empty<A: Adapter>(bench: &Bench<A>, label: &str) -> Verdict {
    check(wait_for_cleanup(LIMIT), || "the background does not end".to_owned())?;
    same("left", there(bench, label)?, 0)
}

pub(super) fn a_pool_gives_each_once<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (pool, label) = pool(bench, 2)?;
    let mut seen = BTreeSet::new();
    for number in 0..5 {
        let taken = bench.wait(pool.take())?;
        check(seen.insert(taken.id().to_owned()), || "one was given twice".to_owned())?;
        let result = bench.wait(taken.run(format!("ls /tmp; echo {number} >/tmp/mine")))?;
        same("what others left", result.stdout_text().into_owned(), String::new())?;
        check(pool.ready() <= pool.size(), || format!("{} are ready", pool.ready()))?;
        bench.wait(taken.shutdown())?;
    }
    until_full(bench, &pool)?;
    same("containers", there(bench, &label)?, 2)?;
    let kept = bench.wait(pool.take())?;
    drop(pool);
    same("runs", bench.wait(kept.run("true"))?.exit_code, 0)?;
    bench.wait(kept.shutdown())?;
    until_empty(bench, &label)
}

pub(super) fn a_dead_one_of_a_pool_is_replaced<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (pool, label) = pool(bench, 3)?;
    until_full(bench, &pool)?;
    let listed = bench.peer.containers(true, Some(&label))?;
    let ids: Vec<&str> = listed.iter().filter_map(|one| one["Id"].as_str()).collect();
    let [killed, removed, paused] = ids[..] else {
        return Err(format!("there are {ids:?}").into());
    };
    let (status, _) = bench.peer.request("POST", &format!("/containers/{killed}/kill"), b"")?;
    check(status < 300, || format!("kill: {status}"))?;
    bench.peer.remove(removed)?;
    // Whom nobody asks does not tell that it is paused.
    if bench.engine.kind() == EngineKind::Docker {
        bench.wait(bench.wait(bench.engine.attach(paused))?.pause())?;
    } else {
        bench.peer.remove(paused)?;
    }
    // Docker is asked: not every version of it tells by the connection.
    if bench.engine.kind() == EngineKind::Podman {
        bench.until("they are known to be dead", || Ok(pool.ready() == 0))?;
    }
    let taken = bench.wait(pool.take())?;
    check(!ids.contains(&taken.id()), || "a dead one was given".to_owned())?;
    same("runs", bench.wait(taken.run("true"))?.exit_code, 0)?;
    until_full(bench, &pool)?;
    bench.wait(taken.shutdown())?;
    drop(pool);
    until_empty(bench, &label)
}

pub(super) fn a_pool_that_is_dropped_leaves_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    for wait in [0, 50, 200, 1000] {
        let (pool, label) = pool(bench, 4)?;
        bench.adapter.pause(Duration::from_millis(wait));
        drop(pool);
        until_empty(bench, &label)?;
    }
    Ok(())
}

pub(super) fn several_take_from_a_pool<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let (pool, label) = pool(bench, 2)?;
    let ids = std::thread::scope(|scope| -> Result<BTreeSet<String>, Failure> {
        let work = || -> Result<String, Failure> {
            let taken = bench.wait(pool.take())?;
            let name = bench.wait(taken.run("hostname"))?.stdout_text().trim().to_owned();
            check(taken.id().starts_with(&name), || {
                format!("{name} answered for {}", taken.id())
            })?;
            bench.wait(taken.shutdown())?;
            Ok(taken.id().to_owned())
        };
        let takers: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        takers
            .into_iter()
            .map(|taker| taker.join().map_err(|_| Failure::from("a taker panicked"))?)
            .collect()
    })?;
    same("containers", ids.len(), 8)?;
    drop(pool);
    until_empty(bench, &label)
}

pub(super) fn a_pool_has_its_errors<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let pool = Pool::new(&bench.engine, ContainerSpec::new("pocket-dock-test/no-such"), 3)?;
    for _ in 0..2 {
        let refused = bench.wait(pool.take());
        check(
            matches!(refused, Err(Error::Image(ImageError::NotFound { .. }))),
            || format!("{refused:?}"),
        )?;
    }
    drop(pool);
    for (spec, what) in [
        (ContainerSpec::new(images::BUSYBOX).name("one"), "one name"),
        (
            ContainerSpec::trusted(images::BUSYBOX).port(Port::tcp(80).host_port(8080)),
            "port 8080 of the host",
        ),
        (ContainerSpec::new(images::BUSYBOX).lifetime(LIMIT), "lifetime"),
        (ContainerSpec::new(images::BUSYBOX).persistent(), "persistent"),
    ] {
        let refused = Pool::new(&bench.engine, spec, 1);
        let told = matches!(&refused, Err(Error::Misuse(why)) if why.contains(what));
        check(told, || format!("{what}: {refused:?}"))?;
    }
    let (pool, label) = self::pool(bench, 1)?;
    until_full(bench, &pool)?;
    let taken = bench.wait(pool.take())?;
    let empty = bench.wait(pool.take_within(Duration::ZERO));
    // It may be faster than this, on a fast machine.
    check(matches!(empty, Err(Error::PoolEmpty { size: 1, .. }) | Ok(_)), || {
        format!("{empty:?}")
    })?;
    drop((taken, empty, pool));
    until_empty(bench, &label)
}
