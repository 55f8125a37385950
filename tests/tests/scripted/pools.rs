//! Pools of containers.

use std::time::Duration;

use pocket_dock_core::{ContainerError, ContainerSpec, EngineKind, Error, ImageError, Pool};
use pocket_dock_tests::sim::Reply;

use crate::world::everywhere;

fn spec() -> ContainerSpec {
    ContainerSpec::new("busybox")
}

#[test]
fn each_is_taken_once_and_replaced() {
    everywhere(|world| {
        let pool = Pool::new(&world.engine, spec(), 3).unwrap();
        let mut seen = Vec::new();
        for _ in 0..7 {
            let taken = pool.take().unwrap();
            assert!(taken.run("true").unwrap().success(), "{}", world.at);
            assert!(!seen.contains(&taken.id().to_owned()), "{}: taken twice", world.at);
            seen.push(taken.id().to_owned());
            assert!(pool.ready() <= pool.size(), "{}", world.at);
        }
        world.runtime.pause(Duration::from_secs(5));
        assert_eq!((pool.ready(), pool.size()), (3, 3), "{}", world.at);
        assert_eq!(world.sim.containers().len(), 3, "{}", world.at);
        let kept = pool.take().unwrap();
        drop(pool);
        assert!(
            kept.run("true").unwrap().success(),
            "{}: a taken one is its taker's",
            world.at
        );
        assert_eq!(world.sim.containers(), [kept.name()], "{}", world.at);
    });
}

#[test]
fn what_is_being_made_when_it_is_dropped_is_not_left() {
    everywhere(|world| {
        drop(Pool::new(&world.engine, spec(), 20).unwrap());
        world.sim.settle();
        assert_eq!(world.sim.containers(), [""; 0], "{}: at once", world.at);
        for step in 0..12 {
            let pool = Pool::new(&world.engine, spec(), 20).unwrap();
            world.runtime.pause(Duration::from_micros(step * step * 3));
            drop(pool);
            assert_eq!(world.sim.containers(), [""; 0], "{}: step {step}", world.at);
            assert_eq!(world.runtime.attended(), 0, "{}: step {step}", world.at);
        }
    });
}

#[test]
fn a_dead_or_paused_one_is_replaced_and_not_handed_out() {
    everywhere(|world| {
        let pool = Pool::new(&world.engine, spec().auto_remove(false), 3).unwrap();
        world.runtime.pause(Duration::from_secs(5));
        let names = world.sim.containers();
        assert_eq!(names.len(), 3, "{}", world.at);
        world.sim.end(&names[0]);
        // Podman is not asked, and its connection does not tell of a pause.
        match world.engine.kind() {
            EngineKind::Docker => world.engine.attach(&names[1]).unwrap().pause().unwrap(),
            _ => world.sim.end(&names[1]),
        }
        let taken = pool.take().unwrap();
        assert!(!names[..2].contains(&taken.name().to_owned()), "{}", world.at);
        world.runtime.pause(Duration::from_secs(5));
        assert_eq!(pool.ready(), 3, "{}", world.at);
        // All of them.
        world.sim.end_all();
        let after = pool.take().unwrap();
        assert!(after.inspect().unwrap().running, "{}", world.at);
        world.sim.remove_all();
        let after = pool.take().unwrap();
        assert!(after.inspect().unwrap().running, "{}", world.at);
    });
}

#[test]
fn a_spec_that_cannot_be_made_is_told_and_tried_again() {
    everywhere(|world| {
        let pool = Pool::new(&world.engine, ContainerSpec::new("nosuch"), 2).unwrap();
        for _ in 0..2 {
            let error = pool.take().unwrap_err();
            let typed = matches!(&error, Error::Image(ImageError::NotFound { image, .. }) if image == "nosuch");
            assert!(typed, "{}: {error}", world.at);
        }
        // Nobody asks: nothing is tried.
        world.runtime.pause(Duration::from_secs(600));
        assert!(world.sim.count("POST", "/containers/create") <= 6, "{}", world.at);

        // An engine that fails once, while somebody waits.
        let busy = "{\"message\":\"busy!\"}";
        let busy = format!("HTTP/1.1 500 X\r\nContent-Length: {}\r\n\r\n{busy}", busy.len());
        world
            .sim
            .reply("POST", "/containers/create", Reply::Open(busy.clone().into_bytes()));
        let pool = Pool::new(&world.engine, spec().command(["sleep", "inf"]), 1).unwrap();
        let error = pool.take().unwrap_err();
        assert!(
            matches!(&error, Error::Refused { message, .. } if message == "busy!"),
            "{}: {error}",
            world.at
        );
        drop(pool.take().unwrap());
        // And once while nobody does: the next one who comes has it tried again.
        world.runtime.pause(Duration::from_secs(5));
        world
            .sim
            .reply("POST", "/containers/create", Reply::Open(busy.into_bytes()));
        drop(pool.take().unwrap());
        world.runtime.pause(Duration::from_secs(5));
        assert_eq!(pool.ready(), 0, "{}", world.at);
        drop(pool.take().unwrap());
    });
}

#[test]
fn an_empty_one_is_waited_for_for_so_long() {
    everywhere(|world| {
        // The engine makes one, and says so much too late.
        for _ in 0..4 {
            world.sim.reply("POST", "/containers/create", Reply::Silence);
        }
        let pool = Pool::new(&world.engine, spec(), 1).unwrap();
        let before = world.runtime.elapsed();
        let limit = Duration::from_secs(7);
        let error = pool.take_within(limit).unwrap_err();
        let took = world.runtime.elapsed() - before;
        assert!(
            matches!(error, Error::PoolEmpty { size: 1, limit: said } if said == limit),
            "{}: {error}",
            world.at
        );
        assert!(took >= limit && took < limit * 2, "{}: {took:?}", world.at);
        let error = pool.take_within(Duration::ZERO).unwrap_err();
        assert!(matches!(error, Error::PoolEmpty { .. }), "{}: {error}", world.at);
    });
}

#[test]
fn several_take_at_a_time() {
    everywhere(|world| {
        let pool = Pool::new(&world.engine, spec(), 2).unwrap();
        let taken = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..6).map(|_| scope.spawn(|| pool.take().unwrap())).collect();
            takers
                .into_iter()
                .map(|taker| taker.join().unwrap())
                .collect::<Vec<_>>()
        });
        let mut ids: Vec<&str> = taken.iter().map(|one| one.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6, "{}", world.at);
    });
}

#[test]
fn a_take_that_is_dropped_puts_back_what_it_had() {
    everywhere(|world| {
        for polls in 0..12 {
            let pool = Pool::new(&world.engine, spec(), 1).unwrap();
            world.runtime.pause(Duration::from_secs(2));
            world.runtime.abandon_after(polls);
            let taken = pool.take();
            world.runtime.pause(Duration::from_secs(2));
            let there = usize::from(taken.is_ok()) + 1;
            assert_eq!(world.sim.containers().len(), there, "{}: {polls} polls", world.at);
            assert_eq!(pool.ready(), 1, "{}: {polls} polls", world.at);
        }
    });
}

#[test]
fn pools_that_cannot_be_are_refused() {
    everywhere(|world| {
        let asked = world.sim.requests().len();
        for (spec, size) in [
            (spec(), 0),
            (spec(), 1025),
            (spec().name("one"), 2),
            (spec().persistent(), 2),
            (ContainerSpec::new(""), 2),
        ] {
            let refused = Pool::new(&world.engine, spec, size);
            assert!(matches!(refused, Err(Error::Misuse(_))), "{}: {refused:?}", world.at);
        }
        assert_eq!(world.sim.requests().len(), asked, "{}", world.at);
        let pool = Pool::new(&world.engine, spec(), 1).unwrap();
        let taken = pool.take().unwrap();
        drop(pool);
        world.sim.remove_all();
        let gone = taken.run("true");
        assert!(
            matches!(gone, Err(Error::Container(ContainerError::Gone { .. }))),
            "{}: {gone:?}",
            world.at
        );
    });
}
