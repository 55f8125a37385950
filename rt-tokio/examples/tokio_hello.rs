//! A container, a command, and its output: `cargo run -p pocket-dock-tokio --example tokio_hello -- IMAGE`.

use pocket_dock_tokio::{ContainerSpec, Engine, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = Engine::connect().await?;
    let sandbox = engine.create(ContainerSpec::new(image)).await?;
    print!("{}", sandbox.run("echo hello from $(hostname)").await?.stdout_text());
    sandbox.shutdown().await
}
