//! Output while it runs, on smol: `cargo run -p pocket-dock-smol --example smol_watch -- IMAGE`.

use pocket_dock_smol::{Command, Container, ContainerSpec, Engine, Error, Signal, wait_for_cleanup};

async fn watch(sandbox: &Container) -> Result<(), Error> {
    // As it comes.
    let mut build = sandbox
        .stream("for step in one two three; do echo step $step; sleep 0.1; done; exit 3")
        .await?;
    while let Some(line) = build.next_line().await? {
        println!("{}", line.line.text());
    }
    println!("it ended with {}", build.result().await?.exit_code);

    // Its input and its output at once.
    let mut echo = sandbox.stream(Command::argv(["cat"]).keep_stdin_open()).await?;
    let stdin = echo.stdin();
    let write = async {
        for word in ["one\n", "two\n"] {
            stdin.write(word).await?;
        }
        stdin.close();
        Ok::<_, Error>(())
    };
    let read = async {
        while let Some(text) = echo.next_text().await? {
            print!("{}", text.text);
        }
        Ok(())
    };
    smol::future::try_zip(write, read).await?;

    // In the background, and ended by us.
    let sleeper = sandbox.spawn("sleep 1000").await?;
    let report = sleeper.kill(Signal::Kill).await?;
    println!("{} processes killed", report.signalled.len());
    Ok(())
}

async fn all(image: String) -> Result<(), Error> {
    let engine = Engine::connect().await?;
    let sandbox = engine.create(ContainerSpec::new(image)).await?;
    sandbox.on_exit(|origin, ended| println!("{}: {}", &origin.process[..8], ended.is_ok()));
    watch(&sandbox).await?;
    sandbox.shutdown().await
}

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    smol::block_on(all(image))?;
    wait_for_cleanup(std::time::Duration::from_secs(10));
    Ok(())
}
