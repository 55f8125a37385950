//! `cargo demo`: the main job, from nothing. Finds an engine or gets one, makes the image, runs code in a sandbox.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::{Command as Program, ExitCode, Stdio};
use std::time::Duration;

use pocket_dock_blocking::{BuildContext, Checkup, Command, ContainerSpec, Engine, Error, ExecResult, SocketError};
use pocket_dock_tests::lab;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const IMAGE: &str = "pocket-dock/minimal:latest";
const DOCKERFILE: &str = include_str!("../../../images/minimal/Dockerfile");

fn main() -> ExitCode {
    match demo(std::env::args().any(|argument| argument == "--yes")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(yes: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    let engine = engine(yes)?;
    writeln!(
        out,
        "engine     {} {} at {}",
        engine.kind(),
        engine.version(),
        engine.socket()
    )?;
    image(&engine)?;
    writeln!(out, "image      {IMAGE}")?;
    writeln!(out, "\n{}\n", engine.doctor(Checkup::new().image(IMAGE))?)?;

    let sandbox = engine.create(ContainerSpec::new(IMAGE))?;
    writeln!(out, "sandbox    {}\n", sandbox.name())?;
    let python = "import platform, sys\nprint('Python', platform.python_version())\nprint(sum(map(int, sys.stdin)))";
    for (what, command) in [
        (
            "a shell command",
            Command::from("echo hello from $(uname -s); echo and to stderr >&2"),
        ),
        (
            "Python, with input",
            Command::lang("python", python).stdin("1\n2\n39\n"),
        ),
        ("a command that fails", Command::from("ls /no/such/place")),
        (
            "one that never ends",
            Command::from("echo begun; sleep 1000").timeout(Duration::from_secs(1)),
        ),
    ] {
        let result = sandbox.run(command)?;
        show(&mut out, what, &result)?;
    }
    writeln!(out, "{}\n", sandbox.info()?)?;
    sandbox.shutdown()?;
    writeln!(out, "the sandbox is gone")?;
    Ok(())
}

fn show(out: &mut impl io::Write, what: &str, result: &ExecResult) -> io::Result<()> {
    writeln!(
        out,
        "-- {what}: exit code {}, {} ms",
        result.exit_code,
        result.duration.as_millis()
    )?;
    for (stream, text) in [("out", result.stdout_text()), ("err", result.stderr_text())] {
        for line in text.lines() {
            writeln!(out, "   {stream} {line}")?;
        }
    }
    if let Some(killed) = &result.killed {
        let clean = if killed.is_clean() {
            "none is left"
        } else {
            "NOT all are gone"
        };
        writeln!(
            out,
            "   timed out: {} processes killed, {clean}",
            killed.signalled.len()
        )?;
    }
    writeln!(out)
}

/// An engine: one that runs, one that can be started, or one that is installed first.
fn engine(yes: bool) -> Result<Engine> {
    let missing = match Engine::connect() {
        Err(Error::Socket(error @ SocketError::NoEngine { .. })) => error,
        other => return Ok(other?),
    };
    let debian = Path::new("/etc/debian_version").exists();
    if !debian || on_path("podman") || pocket_dock_core::Host::user_id(&pocket_dock_blocking::StdHost) != 0 {
        return Err(missing.into());
    }
    if !yes && io::stdin().is_terminal() && !agreed()? {
        return Err(missing.into());
    }
    install()?;
    Ok(Engine::connect()?)
}

fn agreed() -> io::Result<bool> {
    let mut out = io::stdout();
    write!(out, "There is no container engine. Install Podman with apt-get? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn install() -> Result<()> {
    writeln!(io::stdout(), "installing Podman with apt-get ...")?;
    let packages = [
        "install",
        "-y",
        "-qq",
        "--no-install-recommends",
        "podman",
        "crun",
        "runc",
        "conmon",
        "ca-certificates",
    ];
    for arguments in [&["update", "-qq"][..], &packages[..]] {
        let run = Program::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()?;
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            return Err(format!("`apt-get {}` failed: {said}", arguments.join(" ")).into());
        }
    }
    Ok(())
}

fn on_path(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}

/// Makes the image, unless the engine has it: from the Dockerfile, or where no registry answers, from Debian packages.
fn image(engine: &Engine) -> Result<()> {
    if engine
        .images()?
        .iter()
        .any(|image| image.names.iter().any(|name| name.ends_with(IMAGE)))
    {
        return Ok(());
    }
    let mut out = io::stdout();
    writeln!(out, "building the image (a minute or so) ...")?;
    let context = BuildContext::new().file("Dockerfile", DOCKERFILE)?.finish()?;
    let Err(error) = engine.build_image(IMAGE, context) else {
        return Ok(());
    };
    if !Path::new("/etc/debian_version").exists() {
        return Err(error.into());
    }
    writeln!(
        out,
        "no registry answers; making the image of Debian packages instead ..."
    )?;
    let root = std::fs::read(lab::images::offline_root()?)?;
    let path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    engine.import_image(IMAGE, root, [path, "CMD [\"/bin/sh\"]"])?;
    Ok(())
}
