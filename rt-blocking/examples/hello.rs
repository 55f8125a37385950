//! A container, a command, and its output: `cargo run --example hello`.

use pocket_dock_blocking::{ContainerSpec, Engine, Error};

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let sandbox = Engine::connect()?.create(ContainerSpec::new(image))?;
    print!("{}", sandbox.run("echo hello from $(hostname)")?.stdout_text());
    sandbox.shutdown()
}
