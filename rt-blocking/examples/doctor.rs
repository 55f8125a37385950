//! What is well and what is not with the engine here, and what a container of it does:
//! `cargo run -p pocket-dock-blocking --example doctor [IMAGE]`.

use pocket_dock_blocking::{Checkup, ContainerSpec, Engine, Error, Options, doctor};

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let report = doctor(Options::new(), Checkup::new().image(&image))?;
    println!("{report}\n");
    if !report.is_usable() {
        return Ok(());
    }

    let engine = Engine::connect()?;
    let sandbox = engine.create(ContainerSpec::new(image).memory(64 << 20).pids(64))?;
    let busy = sandbox.spawn("while :; do :; done")?;
    println!("{}\n", sandbox.info()?);
    for stats in sandbox.stats().take(3) {
        println!("{}", stats?);
    }
    drop(busy);

    let hog = sandbox.run("exec tail /dev/zero")?;
    println!("\na hog: {}; {}", hog.end_reason(), hog.end_reason().hint());
    sandbox.shutdown()
}
