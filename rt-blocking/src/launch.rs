//! Starts Podman's service where no engine runs.
//!
//! The service listens in a directory of its own and ends with this process. A small shell script between the two holds
//! a pipe from here: when that ends, be it by `kill -9`, the script ends the service and removes the directory.
//!
//! ```text
//! Settings ──► Starting ──► Listening ──► Ending ──► Ended
//!                  └── failed, or ──────────▲
//!                      not wanted any more
//! ```
//! Nothing here blocks: whoever started it asks again a little later.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Host as _, Service};

use crate::host::StdHost;

mod settings;
use settings::{Finding, Settings};

const START_LIMIT: Duration = Duration::from_secs(30);
/// The script kills the service 5 s after it asked it to end; this is a little later.
const STOP_LIMIT: Duration = Duration::from_secs(7);
/// The socket's name in the service's directory.
const SOCKET: &str = "podman.sock";
/// A socket's path has room for 107 bytes.
const SOCKET_PATH: usize = 107;
/// Of the service's own words, in an error.
const TAIL_LINES: usize = 15;

const KEEPER: &str = include_str!("launch/keeper.sh");

/// Starts `podman system service`, if there is a `podman`.
pub(crate) fn podman() -> Option<Box<dyn Service>> {
    let program = on_path("podman")?;
    let settings = settings::find(&program);
    Some(Box::new(Podman::new(program, settings, START_LIMIT)))
}

/// The service, from when it is wanted until it has ended.
#[derive(Debug)]
struct Podman {
    program: PathBuf,
    limit: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Settings(Finding),
    /// Gives up at that time.
    Starting(Process, Instant),
    Listening(Process),
    Ending(Process),
    Ended,
}

impl Podman {
    fn new(program: PathBuf, settings: Finding, limit: Duration) -> Self {
        Self {
            program,
            limit,
            state: State::Settings(settings),
        }
    }

    fn start(&self, settings: Settings) -> std::result::Result<Process, String> {
        let dir = private_dir().map_err(|error| {
            format!("no directory for its socket could be made: {error}; set XDG_RUNTIME_DIR to one of your own")
        })?;
        match start(&self.program, settings, &dir) {
            Ok((keeper, held)) => Ok(Process {
                keeper,
                held: Some(held),
                dir,
                killed_at: None,
            }),
            Err(error) => {
                drop(std::fs::remove_dir_all(&dir));
                Err(format!("{} could not be started: {error}", self.program.display()))
            }
        }
    }
}

impl Service for Podman {
    fn poll_start(&mut self) -> std::result::Result<Option<Endpoint>, String> {
        match &mut self.state {
            State::Settings(settings) => {
                let Some(settings) = settings.poll() else {
                    return Ok(None);
                };
                let process = self.start(settings)?;
                self.state = State::Starting(process, Instant::now() + self.limit);
                Ok(None)
            }
            State::Starting(process, until) => {
                let endpoint = Endpoint::unix(process.dir.join(SOCKET));
                if crate::socket::connect(&endpoint).is_ok() {
                    if let State::Starting(process, _) = std::mem::replace(&mut self.state, State::Ended) {
                        self.state = State::Listening(process);
                    }
                    return Ok(Some(endpoint));
                }
                let what = match process.keeper.try_wait() {
                    Ok(Some(status)) => format!("ended while it started ({status})"),
                    Err(error) => format!("cannot be waited for ({error})"),
                    Ok(None) if Instant::now() >= *until => format!("did not listen within {:?}", self.limit),
                    Ok(None) => return Ok(None),
                };
                Err(format!(
                    "`{} system service` {what}; mend what it says, or start an engine yourself. It said: {}",
                    self.program.display(),
                    tail(&process.dir.join("log"))
                ))
            }
            _ => Err("it has been started already".to_owned()),
        }
    }

    fn poll_end(&mut self) -> bool {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Starting(mut process, _) | State::Listening(mut process) => {
                    process.let_go();
                    State::Ending(process)
                }
                State::Ending(mut process) => {
                    if !process.has_ended() {
                        self.state = State::Ending(process);
                        return false;
                    }
                    State::Ended
                }
                State::Settings(_) | State::Ended => return true,
            };
        }
    }
}

fn start(program: &Path, settings: Settings, dir: &Path) -> Result<(Child, ChildStdin)> {
    let log = std::fs::File::create(dir.join("log"))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", KEEPER, "pocket-dock"]).args([dir, program]);
    command.args(settings.arguments).args(["system", "service", "--time=0"]);
    command.arg(format!("unix://{}", dir.join(SOCKET).display()));
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
        if dir.as_os_str().len() + 1 + SOCKET.len() > SOCKET_PATH {
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

/// The script that keeps the service. Dropping it ends the service too, since the pipe ends.
#[derive(Debug)]
struct Process {
    keeper: Child,
    held: Option<ChildStdin>,
    dir: PathBuf,
    /// When it is killed, once it was told to end.
    killed_at: Option<Instant>,
}

impl Process {
    fn let_go(&mut self) {
        drop(self.held.take()); // the script ends the service
        self.killed_at = Some(Instant::now() + STOP_LIMIT);
    }

    fn has_ended(&mut self) -> bool {
        if matches!(self.keeper.try_wait(), Ok(None)) {
            if self.killed_at.is_some_and(|at| Instant::now() >= at) {
                self.killed_at = None;
                tracing::warn!("Podman's service does not end, and is killed");
                let group = i32::try_from(self.keeper.id())
                    .ok()
                    .and_then(rustix::process::Pid::from_raw);
                if let Some(group) = group {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
            }
            return false;
        }
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(dir = %self.dir.display(), %error, "the directory of Podman's service cannot be removed");
            }
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests;
