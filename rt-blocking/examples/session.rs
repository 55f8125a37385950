//! A shell that stays, on a thread that blocks: `cargo run -p pocket-dock-blocking --example session [IMAGE]`.

use std::time::Duration;

use pocket_dock_blocking::{ContainerSpec, Engine, Error, SessionOptions, Turn};

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = Engine::connect()?;
    let sandbox = engine.create(ContainerSpec::new(image))?;
    let shell = sandbox.session(SessionOptions::new())?;

    // What one command changes, the next one finds.
    shell.send_and_wait("cd /tmp; greeting=hello; greet() { echo \"$greeting from $PWD\"; }")?;
    print!("{}", shell.send_and_wait("greet")?.stdout_text());

    // One with an input of its own, and one that is given no more time.
    let words = shell.send_and_wait(Turn::new("wc -w").stdin("one two three"))?;
    println!("{} words", words.stdout_text().trim());
    let late = shell.send_and_wait(Turn::new("sleep 1000").timeout(Duration::from_millis(500)))?;
    println!("timed out: {}", late.timed_out);

    // Output as it comes.
    let mut steps = shell.stream("for i in 1 2 3; do greet $i; done; exit 3")?;
    while let Some(line) = steps.next_line()? {
        println!("{}", line.line.text());
    }
    println!("it ended with {}", steps.result()?.exit_code);
    drop(steps);
    if let Err(error) = shell.send_and_wait("greet") {
        println!("{error}");
    }
    sandbox.shutdown()
}
