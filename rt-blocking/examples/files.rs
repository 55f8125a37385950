//! Files in and out, on a thread that blocks: `cargo run -p pocket-dock-blocking --example files [IMAGE]`.

use pocket_dock_blocking::files::Unpacking;
use pocket_dock_blocking::{ContainerSpec, Engine, Error, FileErrorKind, FilePath};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = Engine::connect()?;
    let sandbox = engine.create(ContainerSpec::new(image))?;

    // Whole files. No shell reads their names.
    sandbox.write_file("/tmp/job/in put;.txt", "one two three\n")?;
    let script = "#!/bin/sh\ncd /tmp/job && wc -w <'in put;.txt' >words\n";
    sandbox.write_file(FilePath::new("/tmp/job/run").mode(0o755), script)?;
    println!("exit code {}", sandbox.run("/tmp/job/run")?.exit_code);
    println!(
        "{} words",
        String::from_utf8_lossy(&sandbox.read_file("/tmp/job/words")?).trim()
    );
    for entry in sandbox.list_files("/tmp/job")? {
        println!(
            "{:?}: {:?}, mode {:o}, {} bytes",
            entry.name, entry.stat.kind, entry.stat.mode, entry.stat.size
        );
    }

    // A tree out of the container and into it again, all or nothing.
    let here = std::env::temp_dir().join(format!("pocket-dock-example-{}", std::process::id()));
    let unpacking = Unpacking::new()
        .atomic()
        .max_bytes(1024 * 1024)
        .watch(|progress| println!("{} bytes so far", progress.bytes));
    let got = sandbox.pull_with("/tmp/job/", &here, unpacking)?;
    println!("{} files, {} bytes came", got.files, got.bytes);
    let sent = sandbox.push(here.join(""), "/tmp/again");
    std::fs::remove_dir_all(&here)?;
    println!("{} files went back", sent?.files);

    // Piece by piece, however large.
    let numbers = sandbox.write_file_stream("/tmp/numbers")?;
    for number in 0..1000 {
        numbers.write(format!("{number}\n"))?;
    }
    numbers.finish()?;
    let mut bytes = 0;
    for piece in sandbox.read_file_stream("/tmp/numbers")? {
        bytes += piece?.len();
    }
    println!("{bytes} bytes of numbers");

    // What can go wrong has a kind.
    match sandbox.read_file("/tmp/none") {
        Err(Error::File(error)) if error.kind == FileErrorKind::NotFound => println!("{error}"),
        other => println!("{other:?}"),
    }
    Ok(sandbox.shutdown()?)
}
