//! A runtime of one's own, in 30 lines: each call is a thread. `cargo run -p pocket-dock-blocking --example own_runtime`.

use std::sync::Arc;
use std::thread::JoinHandle;

use pocket_dock_blocking::core::{Engine, Host, Link, Op, Runtime};
use pocket_dock_blocking::{ContainerSpec, Error, StdHost, adapter};

/// Calls run on threads of their own; what they give is to be joined.
#[derive(Debug, Clone, Copy, Default)]
struct Threads;

impl Runtime for Threads {
    type Returns<O: Op> = JoinHandle<Result<O::Output, Error>>;

    fn drive<O: Op>(&self, op: O) -> Self::Returns<O> {
        std::thread::spawn(move || adapter::drive(op))
    }

    // What nobody waits for has threads of its own already.

    fn finish<O: Op>(&self, op: O) {
        adapter::finish_in_background(op, Link::default(), None, None);
    }

    fn attend<O: Op>(&self, op: O) {
        adapter::attend(op);
    }

    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        adapter::offload(job);
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(StdHost)
    }
}

fn join<T>(call: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    call.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = join(Engine::<Threads>::connect())?;
    let sandbox = join(engine.create(ContainerSpec::new(image)))?;
    let runs = ["sleep 1; echo one", "sleep 1; echo two"].map(|run| sandbox.run(run));
    for run in runs {
        print!("{}", join(run)?.stdout_text());
    }
    join(sandbox.shutdown())
}
