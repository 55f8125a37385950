//! The lab: six real engines on one machine, each in a root tree and in namespaces of its own.
//!
//! [`up`] makes everything that is missing and starts the engines; tests find them with [`running`]. What an engine
//! really holds is asked with a [`Peer`], which shares no code with the library under test.
//!
//! The command `cargo lab` is a thin layer over this module.

mod apt;
mod census;
mod check;
mod error;
mod held;
pub mod images;
mod launch;
mod opinion;
mod peer;
mod place;
mod rootfs;
mod trees;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub use apt::ensure_tool;
pub use census::Seen;
pub use check::check;
pub use error::{Error, Result};
pub use opinion::Outcome;
pub use peer::{Oracle, Peer, encode};
pub(crate) use peer::{read_body, read_head};
pub use place::home;

/// Which family an engine is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `dockerd`
    Docker,
    /// `podman system service`
    Podman,
}

/// An engine of the lab, running or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Engine {
    /// Its name: the family, and the version that the suite had when the lab was made.
    pub name: &'static str,
    /// Its family.
    pub kind: Kind,
    /// The Debian suite it comes from.
    pub suite: &'static str,
}

/// All engines of the lab.
pub const ENGINES: [Engine; 6] = [
    Engine {
        name: "docker-20",
        kind: Kind::Docker,
        suite: "bookworm",
    },
    Engine {
        name: "docker-26",
        kind: Kind::Docker,
        suite: "trixie",
    },
    Engine {
        name: "docker-28",
        kind: Kind::Docker,
        suite: "sid",
    },
    Engine {
        name: "podman-4",
        kind: Kind::Podman,
        suite: "bookworm",
    },
    Engine {
        name: "podman-5.4",
        kind: Kind::Podman,
        suite: "trixie",
    },
    Engine {
        name: "podman-5.8",
        kind: Kind::Podman,
        suite: "sid",
    },
];

/// An engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningEngine {
    /// Which one.
    pub engine: Engine,
    /// Where it listens.
    pub socket: PathBuf,
    /// The version it reports.
    pub version: String,
    /// The API version it reports.
    pub api: String,
}

impl RunningEngine {
    /// A client that asks this engine, independent of the library under test.
    #[must_use]
    pub fn peer(&self) -> Peer {
        Peer::new(&self.socket)
    }
}

impl Engine {
    /// The engine of this name.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn named(name: &str) -> Result<Self> {
        ENGINES.into_iter().find(|engine| engine.name == name).ok_or_else(|| {
            let names = ENGINES.map(|engine| engine.name).join(", ");
            Error::new(
                format!("the lab has no engine named {name:?}"),
                format!("take one of: {names}"),
            )
        })
    }

    /// Where it listens when it runs.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        place::run(self.name).join("shared/engine.sock")
    }

    /// Where it writes its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        place::run(self.name).join("log")
    }

    /// Whether the process that holds it is alive. It may not answer for all that.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        launch::held(self).is_some()
    }

    /// Asks the engine who it is, if it runs.
    #[must_use]
    pub fn running(&self) -> Option<RunningEngine> {
        launch::held(self)?;
        let version = Peer::new(self.socket())
            .with_patience(Duration::from_secs(20))
            .version()
            .ok()?;
        let field = |name: &str| version[name].as_str().unwrap_or("?").to_owned();
        let (socket, api) = (self.socket(), field("ApiVersion"));
        Some(RunningEngine {
            engine: *self,
            socket,
            version: field("Version"),
            api,
        })
    }

    /// All processes of the engine, its containers and whatever was started in them, as the kernel shows them.
    /// Empty when the engine does not run.
    #[must_use]
    pub fn processes(&self) -> Vec<Seen> {
        launch::held(self)
            .map(|held| census::below(held.pid))
            .unwrap_or_default()
    }

    /// A command that runs inside the engine's namespaces, with the engine's socket in its environment.
    ///
    /// # Errors
    /// When the engine does not run.
    pub fn inside(&self) -> Result<Command> {
        need_root()?;
        launch::inside(self)
    }
}

/// The engines that run now, in the order of [`ENGINES`].
#[must_use]
pub fn running() -> Vec<RunningEngine> {
    ENGINES.iter().filter_map(Engine::running).collect()
}

/// Makes these engines run (all, if none is named) and returns them, in the order given. What is missing is made;
/// what runs is kept, without the containers that earlier users of pocket-dock left in it.
///
/// # Errors
/// When the machine lacks something the lab cannot make by itself, or an engine does not start.
pub fn up(engines: &[Engine]) -> Result<Vec<RunningEngine>> {
    need_root()?;
    let engines = if engines.is_empty() { &ENGINES } else { engines };
    if let Some(engine) = engines.iter().find(|engine| engine.socket().as_os_str().len() > 107) {
        return Err(Error::new(
            format!("{} is too long for the path of a socket", engine.socket().display()),
            "set POCKET_DOCK_LAB_DIR to a shorter directory",
        ));
    }
    let _lock = place::lock()?;
    prepare(engines)?;
    at_once(engines.iter().map(|engine| || bring_up(engine)))
}

/// Ends these engines (all, if none is named); with `purge` their storage is removed too. Returns those that ran.
///
/// # Errors
/// When an engine cannot be ended or its storage cannot be removed.
pub fn down(engines: &[Engine], purge: bool) -> Result<Vec<Engine>> {
    need_root()?;
    let engines = if engines.is_empty() { &ENGINES } else { engines };
    let _lock = place::lock()?;
    let ended = at_once(engines.iter().map(|engine| {
        move || {
            if engine.is_alive() {
                // Not needed for what follows, only quicker than to let each container have its time to stop.
                let _ = Peer::new(engine.socket())
                    .with_patience(Duration::from_secs(10))
                    .remove_all_of_ours();
            }
            let ran = launch::stop(engine)?;
            if purge {
                place::remove_dir(&place::data(engine.name))?;
                place::remove_dir(&place::run(engine.name))?;
            }
            Ok(ran.then_some(*engine))
        }
    }))?;
    Ok(ended.into_iter().flatten().collect())
}

fn need_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::new(
        "the lab needs root: it makes root trees, mounts and namespaces",
        "run it as root, or run the tests on an engine of your own",
    ))
}

fn prepare(engines: &[Engine]) -> Result<()> {
    let mut suites: Vec<&str> = engines.iter().map(|engine| engine.suite).collect();
    suites.sort_unstable();
    suites.dedup();
    let made = suites.iter().all(|suite| place::tree(suite).is_dir());
    if !(made && place::image("python").is_file() && place::image("bash").is_file()) {
        apt::ensure_tools()?;
    }
    // apt is asked for busybox before the rest begins, and only once: it has a lock of its own.
    rootfs::ensure_small()?;
    let trees = suites
        .iter()
        .map(|suite| Box::new(|| trees::ensure(suite)) as Box<dyn FnOnce() -> Result<()> + Send>);
    at_once(trees.chain([Box::new(rootfs::ensure_debian) as Box<_>])).map(|_| ())
}

fn bring_up(engine: &Engine) -> Result<RunningEngine> {
    let name = engine.name;
    let alive = engine.is_alive();
    let mut running = engine.running();
    if running.is_none() {
        if alive {
            place::say(&format!("{name} runs but does not answer; starting it anew"));
            launch::stop(engine)?;
        }
        launch::start(engine)?;
        running = engine.running();
    }
    let running = running.ok_or_else(|| {
        Error::new(
            format!("{name} answered and then fell silent"),
            format!("see {}", engine.log().display()),
        )
    })?;
    let peer = running.peer().with_patience(Duration::from_secs(180));
    let left = peer.remove_all_of_ours()?;
    if left > 0 {
        place::say(&format!("{name}: removed {left} container(s) that earlier runs left"));
    }
    let loaded = images::load(&peer)?;
    if loaded > 0 {
        place::say(&format!("{name}: loaded {loaded} test image(s)"));
    }
    Ok(running)
}

/// Runs all jobs at once, lets each one finish, and returns all results or the first error.
fn at_once<T: Send, J: FnOnce() -> Result<T> + Send>(jobs: impl Iterator<Item = J>) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = jobs.map(|job| scope.spawn(job)).collect();
        let ended: Vec<Result<T>> = threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(Error::new("a thread of the lab panicked", "")))
            })
            .collect();
        ended.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{ENGINES, Engine, Error, at_once};

    #[test]
    fn engines_have_names() {
        assert!(ENGINES.iter().all(|engine| Engine::named(engine.name) == Ok(*engine)));
        assert!(
            Engine::named("docker-1")
                .unwrap_err()
                .to_string()
                .contains("podman-5.8")
        );
    }

    #[test]
    fn every_job_is_finished() {
        let all = at_once((0..5).map(|n| move || Ok(n)));
        assert_eq!(all, Ok(vec![0, 1, 2, 3, 4]));
        let one_fails = at_once((0..3).map(|n| move || if n == 1 { Err(Error::new("no", "")) } else { Ok(n) }));
        assert_eq!(one_fails, Err(Error::new("no", "")));
    }
}
