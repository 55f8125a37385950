//! Starts and ends one engine.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use super::held::Held;
use super::peer::Peer;
use super::place;
use super::{Engine, Kind};

const SCRIPT: &str = include_str!("launch.sh");

/// How the process that holds an engine makes itself known before it becomes that process.
const HOLDER: &str = r#"
{ cat "/proc/$$/stat"; cat /proc/sys/kernel/random/boot_id; } > "$PID_FILE.new"
mv "$PID_FILE.new" "$PID_FILE"
exec unshare --mount --net --pid --fork --kill-child sh -c "$0" launch "$@"
"#;

const CONTAINERS_CONF: &str = r#"# Limits that need no privilege to set, and no service manager.
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[network]
network_backend = "netavark"
"#;

const STORAGE_CONF: &str = r#"[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"#;

const DEADLINE: Duration = Duration::from_secs(60);

/// The process that holds the engine, if it is alive.
pub(super) fn held(engine: &Engine) -> Option<Held> {
    Held::from_pid_file(&place::run(engine.name).join("pid"))
}

/// Starts an engine that does not run, and waits until it answers.
pub(super) fn start(engine: &Engine) -> Result<()> {
    clean(engine)?;
    let run = place::run(engine.name);
    let (shared, data) = (run.join("shared"), place::data(engine.name));
    place::make_dir(&shared)?;
    place::make_dir(&data)?;
    for (name, text) in [("containers.conf", CONTAINERS_CONF), ("storage.conf", STORAGE_CONF)] {
        let path = shared.join(name);
        fs::write(&path, text).map_err(|cause| Error::file("write", &path, &cause))?;
    }
    let log = run.join("log");
    let child = spawn(engine, &shared, &data, &log)?;
    wait_for_answer(engine, child, &log)
}

fn spawn(engine: &Engine, shared: &Path, data: &Path, log: &Path) -> Result<Child> {
    let _ = fs::rename(log, log.with_extension("old"));
    let open = || File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = open().map_err(|cause| Error::file("write", log, &cause))?;
    let (data_at, words): (&str, &[&str]) = match engine.kind {
        Kind::Docker => (
            "/var/lib/docker",
            &[
                "dockerd",
                "--data-root=/var/lib/docker",
                "--host=unix:///run/shared/engine.sock",
                "--exec-root=/run/docker",
                "--pidfile=/run/docker.pid",
                "--shutdown-timeout=5",
            ],
        ),
        Kind::Podman => (
            "/var/lib/containers",
            &[
                "podman",
                "system",
                "service",
                "--time=0",
                "unix:///run/shared/engine.sock",
            ],
        ),
    };
    let mut command = Command::new("setsid");
    // The limits of whoever calls the lab, and their environment, are not the engine's business.
    command.args(["sh", "-euc", HOLDER, SCRIPT]).args(words).env_clear();
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8");
    command.env("CONTAINERS_CONF", "/run/shared/containers.conf");
    command.env("CONTAINERS_STORAGE_CONF", "/run/shared/storage.conf");
    command.env("PODMAN_IGNORE_CGROUPSV1_WARNING", "1");
    command.env("PID_FILE", place::run(engine.name).join("pid"));
    command
        .env("TREE", place::tree(engine.suite))
        .env("SHARED", shared)
        .env("DATA", data)
        .env("DATA_AT", data_at);
    command.current_dir("/").stdin(Stdio::null()).stdout(out).stderr(err);
    command
        .spawn()
        .map_err(|cause| Error::new(format!("cannot run setsid: {cause}"), "install util-linux"))
}

fn wait_for_answer(engine: &Engine, mut child: Child, log: &Path) -> Result<()> {
    let peer = Peer::new(engine.socket()).with_patience(Duration::from_secs(5));
    let deadline = Instant::now() + DEADLINE;
    let what = loop {
        if peer.ping().is_ok() {
            return Ok(());
        }
        match child.try_wait() {
            Ok(Some(status)) => break format!("{} ended while it started ({status})", engine.name),
            _ if Instant::now() >= deadline => break format!("{} did not answer in {DEADLINE:?}", engine.name),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let tail = place::tail(log, 15);
    stop(engine)?;
    let next = format!("the engine's own words are above, all of them in {}", log.display());
    Err(Error::new(format!("{what}; its log ends with\n{tail}"), next))
}

/// Ends an engine if it runs. Returns whether it did.
pub(super) fn stop(engine: &Engine) -> Result<bool> {
    let held = held(engine);
    let ran = held.is_some();
    if let Some(held) = held {
        held.end(Duration::from_secs(15))?;
    }
    clean(engine)?;
    Ok(ran)
}

/// Removes what a dead engine left: its pid file and its socket. The log stays.
fn clean(engine: &Engine) -> Result<()> {
    let run = place::run(engine.name);
    let _ = fs::remove_file(run.join("pid"));
    place::remove_dir(&run.join("shared"))
}

/// A command that runs inside the namespaces of a running engine.
pub(super) fn inside(engine: &Engine) -> Result<Command> {
    let first = held(engine).and_then(|held| held.child());
    let first = first.ok_or_else(|| {
        Error::new(
            format!("{} does not run", engine.name),
            format!("start it: cargo lab up --engine {}", engine.name),
        )
    })?;
    let mut command = Command::new("nsenter");
    command.args(["--target", &first.pid.to_string(), "--mount", "--net", "--pid", "--"]);
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root");
    command.env("CONTAINERS_CONF", "/run/shared/containers.conf");
    command.env("CONTAINERS_STORAGE_CONF", "/run/shared/storage.conf");
    command.env("DOCKER_HOST", "unix:///run/shared/engine.sock");
    command.env("CONTAINER_HOST", "unix:///run/shared/engine.sock");
    Ok(command)
}
