//! Output while it runs, on a thread that blocks: `cargo run -p pocket-dock-blocking --example watch [IMAGE]`.

use pocket_dock_blocking::{Command, ContainerSpec, Engine, Error, Signal};

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = Engine::connect()?;
    let sandbox = engine.create(ContainerSpec::new(image))?;

    // As it comes.
    let mut build = sandbox.stream("for step in one two three; do echo step $step; sleep 0.1; done; exit 3")?;
    while let Some(line) = build.next_line()? {
        println!("{}", line.line.text());
    }
    println!("it ended with {}", build.result()?.exit_code);

    // In the background, with its input open.
    let server = sandbox.spawn(Command::from("while read line; do echo got $line; done").keep_stdin_open())?;
    server.write("hello\n")?;
    server.close_stdin();
    server.wait()?;
    print!("{}", server.read().stdout_text());

    // Ended by us.
    let sleeper = sandbox.spawn("sleep 1000")?;
    let report = sleeper.kill(Signal::Kill)?;
    println!("{} processes killed", report.signalled.len());
    sandbox.shutdown()
}
