//! Several containers at once, and a race: `cargo run -p pocket-dock-smol --example smol_many -- IMAGE`.
//!
//! Nothing but a plain `block_on` is needed; tasks and several threads are the executor's affair.

use std::time::{Duration, Instant};

use pocket_dock_smol::{ContainerSpec, Engine, Error, wait_for_cleanup};
use smol::Timer;
use smol::future::{or, try_zip};

/// A container of its own, and a command in it.
async fn answer(engine: &Engine, image: &str, command: &str) -> Result<String, Error> {
    let sandbox = engine.create(ContainerSpec::new(image)).await?;
    let result = sandbox.run(command).await?;
    sandbox.shutdown().await?;
    Ok(result.stdout_text().trim().to_owned())
}

async fn all(image: &str) -> Result<(), Error> {
    let engine = Engine::connect().await?;
    let begun = Instant::now();
    let (one, two) = try_zip(
        answer(&engine, image, "sleep 1; echo one"),
        answer(&engine, image, "sleep 1; echo two"),
    )
    .await?;
    println!("{one} and {two} in {:.1} s", begun.elapsed().as_secs_f32());

    // Whoever loses a race is dropped: the command is killed, and its container removed.
    let limit = async {
        Timer::after(Duration::from_secs(1)).await;
        Ok("too late, and dropped".to_owned())
    };
    println!("{}", or(answer(&engine, image, "sleep 1000"), limit).await?);
    Ok(())
}

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let outcome = smol::block_on(all(&image));
    wait_for_cleanup(Duration::from_secs(10)); // what was dropped is gone before the program is
    outcome
}
