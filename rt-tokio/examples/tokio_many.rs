//! Many containers at once on one thread, each with a limit of its own:
//! `cargo run -p pocket-dock-tokio --example tokio_many -- IMAGE`.

use std::time::{Duration, Instant};

use pocket_dock_tokio::{ContainerSpec, Engine, Error, wait_for_cleanup};
use tokio::task::JoinSet;

const CONTAINERS: usize = 8;
/// A container whose work is not done by then is dropped, and that removes it.
const LIMIT: Duration = Duration::from_secs(5);

/// One task's work: a container of its own, and a command in it.
async fn work(engine: Engine, image: String, number: usize) -> Result<String, Error> {
    let sandbox = engine.create(ContainerSpec::new(image).memory(64 << 20)).await?;
    // The last one never ends by itself.
    let seconds = if number + 1 == CONTAINERS { 1000 } else { 1 };
    let result = sandbox
        .run(format!("sleep {seconds}; echo $(({number} * {number}))"))
        .await?;
    sandbox.shutdown().await?;
    Ok(result.stdout_text().trim().to_owned())
}

async fn all(image: String) -> Result<(), Error> {
    let engine = Engine::connect().await?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..CONTAINERS {
        let work = work(engine.clone(), image.clone(), number);
        tasks.spawn(async move { (number, tokio::time::timeout(LIMIT, work).await) });
    }
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok((number, Ok(outcome))) => println!("{number}: {}", outcome?),
            Ok((number, Err(_))) => println!("{number}: not done after {LIMIT:?}, and dropped"),
            Err(panic) => println!("{panic}"),
        }
    }
    println!("{CONTAINERS} containers in {:.1} s", begun.elapsed().as_secs_f32());
    Ok(())
}

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(all(image)),
        Err(error) => Err(Error::Misuse(format!("no runtime can be made: {error}"))),
    };
    wait_for_cleanup(LIMIT); // what was dropped is gone before the program is
    outcome
}
