//! What a container is to be.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;

/// What a container is to be: an image, and how to run it.
///
/// Without a [`command`](Self::command) of your own, the main process is a small shell script that waits, reaps what is
/// left over by others, and ends when the program that created the container ends, even by `kill -9`. The container then
/// removes itself.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Network};
///
/// let spec = ContainerSpec::new("alpine:3.21")
///     .env("LANG", "C.UTF-8")
///     .workdir("/tmp")
///     .memory(256 * 1024 * 1024)
///     .pids(128)
///     .network(Network::None);
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    pub(crate) image: String,
    pub(crate) name: Option<String>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) workdir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) memory: Option<u64>,
    pub(crate) pids: Option<u64>,
    pub(crate) network: Network,
    pub(crate) grace: Duration,
    pub(crate) auto_remove: bool,
    pub(crate) persistent: bool,
    pub(crate) lifetime: Option<Duration>,
}

/// What a container may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// Nothing but itself. The default: sandboxes run what is not trusted.
    #[default]
    None,
    /// The engine's default network.
    Default,
    /// A network of the engine, by name. The words that engines take for something else, such as `host`, `bridge`, `none`
    /// and `container:`, are refused.
    Named(String),
}

/// The longest lifetime, in seconds: what every `sleep` takes.
const LONGEST_LIFETIME: u64 = i32::MAX as u64;

/// The longest grace: a day.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 3600);

/// The prefix of the labels that are ours.
pub(crate) const LABELS: &str = "pocket-dock.";

impl ContainerSpec {
    /// A container of this image, which the engine must have: nothing is ever pulled.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            name: None,
            command: None,
            env: BTreeMap::new(),
            workdir: None,
            user: None,
            labels: BTreeMap::new(),
            memory: None,
            pids: None,
            network: Network::None,
            grace: Duration::from_secs(10),
            auto_remove: true,
            persistent: false,
            lifetime: None,
        }
    }

    /// A name in place of the random `pd-{8 hex digits}`. Names are unique on an engine.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A main process of your own. It should end when its standard input ends: only then is the container sure to go
    /// when your program is killed. Otherwise it is removed by the next program that uses pocket-dock on this engine.
    #[must_use]
    pub fn command<I>(mut self, words: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.command = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// An environment variable of the container and of every command in it.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// The working directory, an absolute path. The engine creates it if it is missing.
    #[must_use]
    pub fn workdir(mut self, path: impl Into<String>) -> Self {
        self.workdir = Some(path.into());
        self
    }

    /// The user, as `name`, `uid`, `name:group` or `uid:gid`. The image's own by default.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// A label. Those that begin with `pocket-dock.` are refused.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// The most memory, in bytes, with no swap beside it. Docker takes no less than 6 MiB, Podman what is enough to start
    /// the main process. Unlimited by default. A process that is killed for want of memory has exit code 137, as one that
    /// is killed for any other reason; of the main process, the engine [says so](crate::ContainerState::oom_killed).
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// The most processes and threads at a time. The engine's own limit by default: none on Docker, 2048 on Podman.
    ///
    /// The main process that is there without a command of yours takes two of them, and each [`Command`](crate::Command)
    /// one besides its own, of which the shell of a command line is one: 8 is few, 64 are many. Where they do not suffice,
    /// the container may not start or end at once, and commands say that they cannot fork, or end as
    /// [`ExecError::Lost`](crate::ExecError::Lost).
    #[must_use]
    pub fn pids(mut self, count: u64) -> Self {
        self.pids = Some(count);
        self
    }

    /// What the container may reach: nothing, by default.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// How long `shutdown` leaves the main process after it was told to end (SIGTERM) before it is killed. 10 s by
    /// default, a day at most, rounded up to whole seconds; the main process that is there without a command of yours ends at once.
    #[must_use]
    pub fn grace(mut self, limit: Duration) -> Self {
        self.grace = limit;
        self
    }

    /// Whether the container removes itself when its main process ends. It does by default. One that does not can be
    /// [started](crate::Container::start) again; it is removed with its [`Container`](crate::Container) all the same, and
    /// if this program is killed, the next one that uses pocket-dock on this engine removes it.
    #[must_use]
    pub fn auto_remove(mut self, yes: bool) -> Self {
        self.auto_remove = yes;
        self
    }

    /// It outlives the value that stands for it, and this program: it goes on until it is
    /// [shut down](crate::Container::shutdown), [destroyed](crate::Engine::destroy), or its main process ends. Any program
    /// finds it with [`Engine::list`](crate::Engine::list) and [`Engine::attach`](crate::Engine::attach).
    ///
    /// It does not [remove itself](Self::auto_remove) then, unless that is asked for behind this. A main process of your
    /// own gets no standard input. That a container stays cannot be decided later: the main process of any other ends with
    /// its input, which is this program's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pocket_dock_core::ContainerSpec;
    ///
    /// // It outlives this program, for an hour at most, and leaves nothing behind then.
    /// let spec = ContainerSpec::new("busybox")
    ///     .name("build-cache")
    ///     .persistent()
    ///     .lifetime(Duration::from_secs(3600))
    ///     .auto_remove(true);
    /// # let _ = spec;
    /// ```
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self.auto_remove = false;
        self
    }

    /// How long its main process runs after each start, whatever becomes of this program: then it ends by itself, and all
    /// in it. Rounded up to whole seconds, 1 s at least and 68 years at most. The image must have `sleep`, and two more of its
    /// [processes](Self::pids) are taken where it is not [persistent](Self::persistent).
    ///
    /// It is the main process that is there without a command of yours that keeps it; with one, it is refused: end your own
    /// in time, as with `timeout 60 PROGRAM`. What runs in the container as root, or as the same user, can end it early, and,
    /// if it means to, stop the clock.
    #[must_use]
    pub fn lifetime(mut self, limit: Duration) -> Self {
        self.lifetime = Some(limit);
        self
    }

    /// How many processes the main process that is ours takes.
    fn main_processes(&self) -> u64 {
        match (self.persistent, self.lifetime) {
            (false, Some(_)) => 4,
            _ => 2,
        }
    }

    /// Refuses what no engine could do, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_text("the image's name", &self.image)?;
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        if self.command.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::misuse(
                "the container's command is empty: give at least the program",
            ));
        }
        for (at, word) in self.command.iter().flatten().enumerate() {
            if word.contains('\0') || (at == 0 && word.is_empty()) {
                return Err(Error::misuse(format!(
                    "{word:?} cannot be in the container's command: no word has a NUL character, and the program is not \
                     empty"
                )));
            }
        }
        for (name, value) in &self.env {
            check_env(name, value)?;
        }
        if let Some(path) = &self.workdir {
            check_workdir(path)?;
        }
        if let Some(user) = &self.user {
            check_text("the user", user)?;
        }
        for name in self.labels.keys() {
            check_text("a label's name", name)?;
            if name.starts_with(LABELS) {
                return Err(Error::misuse(format!(
                    "the label {name:?} is one of pocket-dock's own: choose another name"
                )));
            }
        }
        if self.memory == Some(0) || self.memory.is_some_and(|bytes| i64::try_from(bytes).is_err()) {
            return Err(Error::misuse(
                "a memory limit is at least one byte (6 MiB on Docker) and less than 2^63 bytes",
            ));
        }
        if self.pids == Some(0) || self.pids.is_some_and(|count| i64::try_from(count).is_err()) {
            return Err(Error::misuse("a limit of processes is at least 1 and less than 2^63"));
        }
        let taken = self.main_processes();
        if let (None, Some(count)) = (&self.command, self.pids.filter(|count| *count < taken)) {
            return Err(Error::misuse(format!(
                "a limit of {count} process(es) is too small: the main process takes {taken}, and each command two or \
                 more; raise it"
            )));
        }
        if let Some(lifetime) = self.lifetime {
            if self.command.is_some() {
                return Err(Error::misuse(
                    "a lifetime is kept by the main process that is there without a command: leave the command out, or \
                     end it in time by itself, as with `timeout 60 PROGRAM`",
                ));
            }
            if lifetime.is_zero() || lifetime > Duration::from_secs(LONGEST_LIFETIME) {
                return Err(Error::misuse(format!(
                    "a lifetime of {lifetime:?} cannot be kept: it is more than nothing and 68 years at most"
                )));
            }
        }
        if self.grace > LONGEST_GRACE {
            return Err(Error::misuse(format!(
                "a grace of {:?} is too long: it is a day at most",
                self.grace
            )));
        }
        if let Network::Named(name) = &self.network {
            check_network(name)?;
        }
        Ok(())
    }
}

/// A container's name, or its id: neither is anything but one segment of a path.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.len() >= 2 && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "the container name {name:?} cannot be used: names have at least two characters, letters, digits, `_`, `.` or \
         `-`, and begin with a letter or a digit"
    )))
}

/// Engines take some words, and anything with a colon, as kinds of network: `host` would give the host's own.
fn check_network(name: &str) -> Result<(), Error> {
    let instead = match name {
        "bridge" | "default" | "private" => "use `Network::Default` for the engine's default network",
        "none" => "use `Network::None`",
        "host" | "slirp4netns" | "pasta" | "ns" | "container" | "nat" => {
            "a network of the engine, made with its own tool, may be named, and nothing else"
        }
        name if name.is_empty()
            || !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) =>
        {
            "a network's name has letters, digits, `_`, `.` and `-` only"
        }
        _ => return Ok(()),
    };
    Err(Error::misuse(format!(
        "the network {name:?} cannot be named: {instead}"
    )))
}

/// Text that a JSON field takes and that an operating system takes: not empty, and no NUL.
pub(crate) fn check_text(what: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() || text.contains('\0') {
        return Err(Error::misuse(format!(
            "{what} {text:?} is empty or has a NUL character in it: correct it"
        )));
    }
    Ok(())
}

pub(crate) fn check_env(name: &str, value: &str) -> Result<(), Error> {
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(Error::misuse(format!(
            "the environment variable {name:?} cannot be set: names are not empty and have no `=`, and neither name nor \
             value has a NUL character"
        )));
    }
    Ok(())
}

pub(crate) fn check_workdir(path: &str) -> Result<(), Error> {
    check_text("the working directory", path)?;
    if !path.starts_with('/') {
        return Err(Error::misuse(format!(
            "the working directory {path:?} is relative: give an absolute path"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_sent() {
        let spec = || ContainerSpec::new("busybox");
        assert_eq!(spec().check(), Ok(()));
        assert_eq!(spec().command(["true"]).pids(1).check(), Ok(()));
        assert_eq!(spec().lifetime(Duration::from_secs(9)).pids(4).check(), Ok(()));
        assert_eq!(
            spec().lifetime(Duration::from_secs(9)).persistent().pids(2).check(),
            Ok(())
        );
        for wrong in [
            ContainerSpec::new(""),
            spec().name("../x"),
            spec().name("-x"),
            spec().name("x"),
            spec().command(Vec::<String>::new()),
            spec().env("A=B", ""),
            spec().env("", ""),
            spec().env("A", "a\0b"),
            spec().workdir("tmp"),
            spec().user(""),
            spec().label("pocket-dock.managed", "x"),
            spec().memory(0),
            spec().pids(0),
            spec().pids(1),
            spec().lifetime(Duration::from_secs(9)).pids(3),
            spec().lifetime(Duration::ZERO),
            spec().lifetime(Duration::MAX),
            spec().lifetime(Duration::from_secs(9)).command(["true"]),
            spec().network(Network::Named(String::new())),
            spec().network(Network::Named("host".into())),
            spec().network(Network::Named("none".into())),
            spec().network(Network::Named("bridge".into())),
            spec().network(Network::Named("default".into())),
            spec().network(Network::Named("container:x".into())),
            spec().network(Network::Named("slirp4netns:port_handler=slirp4netns".into())),
            spec().command([""]),
            spec().command(["a", "b\0"]),
            spec().grace(Duration::MAX),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
        }
    }
}
