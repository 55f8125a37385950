//! A container, a command, and its output: `cargo run -p pocket-dock-smol --example smol_hello -- IMAGE`.

use pocket_dock_smol::{ContainerSpec, Engine, Error};

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    smol::block_on(async {
        let engine = Engine::connect().await?;
        let sandbox = engine.create(ContainerSpec::new(image)).await?;
        print!("{}", sandbox.run("echo hello from $(hostname)").await?.stdout_text());
        sandbox.shutdown().await
    })
}
