//! Executors of smol that are dropped in the middle of a call: what it began is cleaned up without them.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pocket_dock_core::{ContainerSpec, Engine, EngineKind, Options};
use pocket_dock_smol::Smol;

use crate::common::LONG;
use crate::served::Served;

/// An executor that somebody runs by hand.
trait ByHand: Default {
    /// Begins a task that nobody waits for.
    fn begin(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Waits until a task can go on, and polls it once.
    fn tick(&self);
}

macro_rules! by_hand {
    ($($executor:ty),*) => {
        $(impl ByHand for $executor {
            fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
                self.spawn(task).detach();
            }

            fn tick(&self) {
                smol::block_on(<$executor>::tick(self));
            }
        })*
    };
}

by_hand!(smol::Executor<'static>, smol::LocalExecutor<'static>);

fn engine(served: &Served) -> Engine<Smol> {
    let options = Options::new().socket(served.endpoint.path());
    smol::block_on(Engine::connect_with(Smol, options)).unwrap()
}

/// Drops an executor after so many polls of a task; whether the task had ended by then.
fn dropped_after<E: ByHand, F: Future<Output = ()> + Send + 'static>(polls: usize, task: F) -> bool {
    let (executor, ended) = (E::default(), Arc::new(AtomicBool::new(false)));
    let tell = Arc::clone(&ended);
    executor.begin(async move {
        task.await;
        tell.store(true, Ordering::SeqCst);
    });
    for _ in 0..polls {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        executor.tick();
    }
    drop(executor);
    assert!(pocket_dock_smol::wait_for_cleanup(LONG), "after {polls} polls");
    ended.load(Ordering::SeqCst)
}

/// Tries it with more and more polls until it comes to its end; so it was dropped everywhere.
fn everywhere(mut ended: impl FnMut(usize) -> bool) {
    let polls = (0..1000).find(|polls| ended(*polls)).unwrap();
    assert!(polls > 3, "it ends after {polls} polls");
}

fn a_create_leaves_no_container<E: ByHand>() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        let mut made = 0;
        everywhere(|polls| {
            let served = Served::new(kind);
            let engine = engine(&served);
            let ended = dropped_after::<E, _>(polls, async move {
                drop(engine.create(ContainerSpec::new("busybox")).await.unwrap());
            });
            assert_eq!(served.sim.containers(), [""; 0], "{kind}, after {polls} polls");
            made += usize::from(served.sim.count("POST", "/create") > 0);
            ended
        });
        assert!(made > 1, "it was never dropped with a container to be removed");
    }
}

fn a_run_leaves_no_process<E: ByHand>() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        let mut began = 0;
        everywhere(|polls| {
            let served = Served::new(kind);
            let create = engine(&served).create(ContainerSpec::new("busybox"));
            let sandbox = Arc::new(smol::block_on(create).unwrap());
            let within = Arc::clone(&sandbox);
            let ended = dropped_after::<E, _>(polls, async move {
                within.run("sleep 0.3").await.unwrap();
            });
            assert_eq!(served.sim.running(), 0, "{kind}, after {polls} polls");
            began += usize::from(served.sim.count("POST", "/start") > 1);
            assert!(smol::block_on(sandbox.run("true")).unwrap().success(), "{kind}");
            smol::block_on(sandbox.shutdown()).unwrap();
            ended
        });
        assert!(began > 1, "it was never dropped with a process to be killed");
    }
}

fn what_a_task_holds_ends_with_it<E: ByHand>() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        let served = Served::new(kind);
        let engine = engine(&served);
        let (executor, held) = (E::default(), Arc::new(AtomicBool::new(false)));
        let tell = Arc::clone(&held);
        executor.begin(async move {
            let sandbox = engine.create(ContainerSpec::new("busybox")).await.unwrap();
            let _stream = sandbox.stream("sleep 1000").await.unwrap();
            let _process = sandbox.spawn("sleep 1000").await.unwrap();
            tell.store(true, Ordering::SeqCst);
            pending::<()>().await;
        });
        while !held.load(Ordering::SeqCst) {
            executor.tick();
        }
        assert_eq!((served.sim.containers().len(), served.sim.running()), (1, 2), "{kind}");
        drop(executor);
        assert!(pocket_dock_smol::wait_for_cleanup(LONG), "{kind}");
        assert_eq!((served.sim.containers().len(), served.sim.running()), (0, 0), "{kind}");
    }
}

macro_rules! both {
    ($($case:ident),* $(,)?) => {
        mod executor {
            $(#[test]
            fn $case() {
                super::$case::<smol::Executor<'static>>();
            })*
        }
        mod local_executor {
            $(#[test]
            fn $case() {
                super::$case::<smol::LocalExecutor<'static>>();
            })*
        }
    };
}

both!(
    a_create_leaves_no_container,
    a_run_leaves_no_process,
    what_a_task_holds_ends_with_it,
);
