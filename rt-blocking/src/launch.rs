//! Starts Podman's service where no engine runs.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Host, Launched};

use crate::StdHost;

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Ends the service when its standard input ends, so that it goes with this process, however that ends.
const KEEPER: &str = r#"exec 3<&0 </dev/null
"$@" 3<&- & pid=$!
{ cat <&3 >/dev/null; kill "$pid" 2>/dev/null; } &
exec 3<&-
wait "$pid""#;

/// Starts `podman system service`, if there is a `podman`.
pub(crate) fn podman() -> Result<Option<Launched>, String> {
    let Some(program) = on_path("podman") else {
        return Ok(None);
    };
    let dir = private_dir().map_err(|error| format!("no private directory could be made: {error}"))?;
    let socket = dir.join("podman.sock");
    let log = dir.join("log");
    let started = start(&program, &dir, &socket, &log);
    let mut service = match started {
        Ok((keeper, held)) => Service {
            keeper,
            held: Some(held),
            dir,
        },
        Err(error) => {
            drop(std::fs::remove_dir_all(&dir));
            return Err(format!("podman could not be started: {error}"));
        }
    };
    let until = Instant::now() + START_LIMIT;
    loop {
        if UnixStream::connect(&socket).is_ok() {
            return Ok(Some(Launched {
                endpoint: Endpoint::unix(socket),
                guard: Box::new(service),
            }));
        }
        let ended = matches!(service.keeper.try_wait(), Ok(Some(_)) | Err(_));
        if ended || Instant::now() > until {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let what = if ended {
                "ended at once"
            } else {
                "did not listen within 30 s"
            };
            return Err(format!("`podman system service` {what}; it said: {}", said.trim()));
        }
        std::thread::sleep(PAUSE);
    }
}

fn start(program: &Path, dir: &Path, socket: &Path, log: &Path) -> std::io::Result<(Child, ChildStdin)> {
    let out = std::fs::File::create(log)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", KEEPER, "pocket-dock"]).arg(program);
    if is_hybrid() && on_path("runc").is_some() {
        command.args(["--runtime", "runc"]); // crun refuses hybrid control groups
    }
    command
        .args(["system", "service", "--time=0"])
        .arg(format!("unix://{}", socket.display()));
    if std::env::var_os("CONTAINERS_CONF").is_none() && cannot_raise_limits() {
        let settings = dir.join("containers.conf");
        std::fs::write(
            &settings,
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n",
        )?;
        command.env("CONTAINERS_CONF", settings);
    }
    command.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out);
    let mut keeper = command.spawn()?;
    match keeper.stdin.take() {
        Some(held) => Ok((keeper, held)),
        None => Err(std::io::Error::from(ErrorKind::BrokenPipe)),
    }
}

/// Root without the capability to raise limits: Podman's own defaults would fail.
fn cannot_raise_limits() -> bool {
    const SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    StdHost.user_id() == 0 && effective.is_some_and(|bits| bits & (1 << SYS_RESOURCE) == 0)
}

fn is_hybrid() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        let mut fields = line.split(' ');
        matches!(
            (fields.nth(1), fields.next()),
            (Some("/sys/fs/cgroup/unified"), Some("cgroup2"))
        )
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|place| place.join(name))
        .find(|file| file.is_file())
}

fn private_dir() -> std::io::Result<PathBuf> {
    let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let random = StdHost
        .entropy()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let dir = base.join(format!("pocket-dock-{random}"));
    std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(dir)
}

/// Ends the service when dropped.
struct Service {
    keeper: Child,
    held: Option<ChildStdin>,
    dir: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.held.take());
        let until = Instant::now() + STOP_LIMIT;
        while matches!(self.keeper.try_wait(), Ok(None)) {
            if Instant::now() > until {
                drop(self.keeper.kill());
                drop(self.keeper.wait());
                break;
            }
            std::thread::sleep(PAUSE);
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "the service's directory could not be removed");
        }
    }
}
