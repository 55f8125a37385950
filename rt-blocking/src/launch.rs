//! Starts Podman's service where no engine runs.
//!
//! The service listens in a directory of its own and ends with this process. A small shell script between the two holds
//! a pipe from here: when that ends, be it by `kill -9`, the script ends the service and removes the directory.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Host as _, Launched};

use crate::host::StdHost;

mod settings;
use settings::Settings;

const START_LIMIT: Duration = Duration::from_secs(30);
/// The script kills the service 5 s after it asked it to end; this is a little later.
const STOP_LIMIT: Duration = Duration::from_secs(7);
const PAUSE: Duration = Duration::from_millis(20);
/// A socket's path has room for 107 bytes.
const SOCKET_PATH: usize = 107;
/// Of the service's own words, in an error.
const TAIL_LINES: usize = 15;

const KEEPER: &str = include_str!("launch/keeper.sh");

/// Starts `podman system service`, if there is a `podman`.
pub(crate) fn podman() -> std::result::Result<Option<Launched>, String> {
    on_path("podman")
        .map(|program| launch(&program, settings::find(&program), START_LIMIT))
        .transpose()
}

fn launch(program: &Path, settings: Settings, limit: Duration) -> std::result::Result<Launched, String> {
    let dir = private_dir().map_err(|error| {
        format!("no directory for its socket could be made: {error}; set XDG_RUNTIME_DIR to one of your own")
    })?;
    let socket = dir.join("podman.sock");
    let (keeper, held) = match start(program, settings, &dir, &socket) {
        Ok(started) => started,
        Err(error) => {
            drop(std::fs::remove_dir_all(&dir));
            return Err(format!("{} could not be started: {error}", program.display()));
        }
    };
    let mut service = Service {
        keeper,
        held: Some(held),
        dir,
    };
    let endpoint = Endpoint::unix(&socket);
    let until = Instant::now() + limit;
    loop {
        if crate::socket::connect_until(&endpoint, until).is_ok() {
            return Ok(Launched {
                endpoint,
                guard: Box::new(service),
            });
        }
        let what = match service.keeper.try_wait() {
            Ok(Some(status)) => format!("ended while it started ({status})"),
            Err(error) => format!("cannot be waited for ({error})"),
            Ok(None) if Instant::now() >= until => format!("did not listen within {limit:?}"),
            Ok(None) => {
                std::thread::sleep(PAUSE);
                continue;
            }
        };
        let said = tail(&service.dir.join("log"));
        return Err(format!(
            "`{} system service` {what}; mend what it says, or start an engine yourself. It said: {said}",
            program.display()
        ));
    }
}

fn start(program: &Path, settings: Settings, dir: &Path, socket: &Path) -> Result<(Child, ChildStdin)> {
    let log = std::fs::File::create(dir.join("log"))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", KEEPER, "pocket-dock"]).args([dir, program]);
    command.args(settings.arguments).args(["system", "service", "--time=0"]);
    command.arg(format!("unix://{}", socket.display()));
    // With these it would be the client of another service, or report to somebody else's service manager.
    for name in [
        "CONTAINER_HOST",
        "CONTAINER_CONNECTION",
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
    ] {
        command.env_remove(name);
    }
    command.envs(settings.environment);
    // A Ctrl-C on the terminal is for us, and we may still need the service to clean up.
    command.process_group(0).current_dir("/");
    command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
    let mut keeper = command.spawn()?;
    match keeper.stdin.take() {
        Some(held) => Ok((keeper, held)),
        None => Err(Error::from(ErrorKind::BrokenPipe)),
    }
}

/// The last lines of what the service wrote.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(4096)..]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// An executable file on PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|place| place.is_absolute())
        .map(|place| place.join(name))
        .find(|file| std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

/// A fresh directory that only we may use, and whose path leaves room for a socket's name.
fn private_dir() -> Result<PathBuf> {
    let random: String = StdHost
        .entropy()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("pocket-dock-{random}");
    let ours = |dir: &PathBuf| {
        dir.is_absolute() && std::fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == StdHost.user_id())
    };
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(ours);
    let mut last = Error::from(ErrorKind::NotFound);
    for base in [runtime, Some(std::env::temp_dir()), Some("/tmp".into())]
        .into_iter()
        .flatten()
    {
        let dir = base.join(&name);
        if dir.as_os_str().len() + "/podman.sock".len() > SOCKET_PATH {
            last = Error::new(
                ErrorKind::InvalidFilename,
                format!("{} is too long for a socket", dir.display()),
            );
            continue;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = Error::new(error.kind(), format!("{}: {error}", dir.display())),
        }
    }
    Err(last)
}

/// Ends the service when dropped.
#[derive(Debug)]
struct Service {
    keeper: Child,
    held: Option<ChildStdin>,
    dir: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.held.take()); // the script ends the service
        let until = Instant::now() + STOP_LIMIT;
        while matches!(self.keeper.try_wait(), Ok(None)) {
            if Instant::now() >= until {
                tracing::warn!("Podman's service does not end, and is killed");
                let group = i32::try_from(self.keeper.id())
                    .ok()
                    .and_then(rustix::process::Pid::from_raw);
                if let Some(group) = group {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                drop(self.keeper.wait());
                break;
            }
            std::thread::sleep(PAUSE);
        }
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(dir = %self.dir.display(), %error, "the directory of Podman's service cannot be removed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
