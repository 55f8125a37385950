//! What a container is to be.

use std::collections::BTreeMap;
use std::time::Duration;

mod check;
mod port;
mod presets;
mod security;
mod size;
mod storage;
pub(crate) use check::{check_env, check_name, check_text, check_workdir};
pub use port::{BoundPort, Port, PortProtocol};
pub use security::Seccomp;
pub(crate) use security::{Ulimit, capability};
pub use size::{Size, SizeError};
pub(crate) use storage::VolumeSource;
pub use storage::{Device, Tmpfs, Volume};

use crate::command::Command;

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
///     .memory("256m")
///     .pids(128)
///     .network(Network::None);
/// # let _ = spec;
/// ```
///
/// [`new`](Self::new) is the default: nothing can be reached, and everything else is as the engine has it, so that what an
/// image does elsewhere works here. [`untrusted`](Self::untrusted) also takes away what programs rarely need, and
/// [`trusted`](Self::trusted) gives a network.
///
/// | | `untrusted` | `new` | `trusted` |
/// |---|---|---|---|
/// | network | none | none | the engine's default |
/// | capabilities | none | the engine's default | the engine's default |
/// | new privileges | never | by set-user-id programs | by set-user-id programs |
/// | root file system | read-only; `/tmp`, `/var/tmp` and `/run` in memory | writable | writable |
/// | memory, with what is in `/tmp` | 512 MiB | unlimited | unlimited |
/// | processes | 256 | the engine's own limit | the engine's own limit |
/// | system calls | the engine's default profile | the same | the same |
///
/// Each of them can be changed by the methods below. What cannot be is refused by
/// [`Engine::create`](crate::Engine::create) before anything is sent; what an engine did not do although it said yes is told
/// by [`Container::applied`](crate::Container::applied).
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    pub(crate) image: String,
    pub(crate) name: Option<String>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) workdir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) hostname: Option<String>,
    pub(crate) memory: Option<Size>,
    pub(crate) cpu_percent: Option<u32>,
    pub(crate) pids: Option<u64>,
    pub(crate) disk: Option<Size>,
    pub(crate) network: Network,
    pub(crate) ports: Vec<Port>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) tmpfs: Vec<Tmpfs>,
    pub(crate) devices: Vec<Device>,
    pub(crate) read_only_root: bool,
    pub(crate) add_capabilities: Vec<String>,
    pub(crate) drop_capabilities: Vec<String>,
    pub(crate) no_new_privileges: bool,
    pub(crate) seccomp: Seccomp,
    pub(crate) ulimits: Vec<Ulimit>,
    pub(crate) default_timeout: Option<Duration>,
    pub(crate) default_output_limit: Option<u64>,
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
            hostname: None,
            memory: None,
            cpu_percent: None,
            pids: None,
            disk: None,
            network: Network::None,
            ports: Vec::new(),
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            devices: Vec::new(),
            read_only_root: false,
            add_capabilities: Vec::new(),
            drop_capabilities: Vec::new(),
            no_new_privileges: false,
            seccomp: Seccomp::Default,
            ulimits: Vec::new(),
            default_timeout: None,
            default_output_limit: None,
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

    /// Several of them.
    ///
    /// ```
    /// use pocket_dock_core::ContainerSpec;
    ///
    /// let spec = ContainerSpec::new("alpine:3.21").envs([("LANG", "C.UTF-8"), ("TZ", "UTC")]);
    /// # let _ = spec;
    /// ```
    #[must_use]
    pub fn envs<I, N, V>(mut self, variables: I) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Into<String>,
    {
        self.env
            .extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
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

    /// The name of the machine, as the container sees it: 63 letters, digits, `-` and `.` at most. The beginning of the
    /// container's id by default.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.hostname = Some(name.into());
        self
    }

    /// A label. Those that begin with `pocket-dock.` are refused, and so are names with `=`.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// The most memory, in bytes or as text such as `"256m"`, with no swap beside it. Docker takes no less than 6 MiB, Podman
    /// what is enough to start the main process. Unlimited by default. A process that is killed for want of memory has exit
    /// code 137, as one that is killed for any other reason: which it was, a command's
    /// [end reason](crate::ExecResult::end_reason) tells, and the [container's](crate::Container::end_reason).
    #[must_use]
    pub fn memory(mut self, size: impl Into<Size>) -> Self {
        self.memory = Some(size.into());
        self
    }

    /// The most processor time, in percent of one processor: 50 is half of one, 200 are two. From 1 to 100,000. Unlimited by
    /// default. The kernel shares it out in tenths of a second: with 50, after 50 ms of work on one processor comes a rest
    /// until the next tenth.
    #[must_use]
    pub fn cpu_percent(mut self, percent: u32) -> Self {
        self.cpu_percent = Some(percent);
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

    /// The most that the container may write to its root file system, in bytes or as text such as `"1g"`. Few engines can
    /// do that: Docker and Podman with overlay on XFS that is mounted with `pquota`, or on btrfs or ZFS. Others refuse it with
    /// [`ContainerError::NoDiskLimit`](crate::ContainerError::NoDiskLimit). Everywhere, [`read_only_root`](Self::read_only_root)
    /// and a [`tmpfs`](Self::tmpfs) with a size limit what is written. Unlimited by default.
    #[must_use]
    pub fn disk(mut self, size: impl Into<Size>) -> Self {
        self.disk = Some(size.into());
        self
    }

    /// What the container may reach: nothing, by default.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// A port of the container that can be reached from outside: a number for one of TCP at 127.0.0.1, where the engine
    /// likes, or a [`Port`]. Several are given by several calls. Takes a [`network`](Self::network).
    #[must_use]
    pub fn port(mut self, port: impl Into<Port>) -> Self {
        self.ports.push(port.into());
        self
    }

    /// A directory or file of the machine, or a volume of the engine, to be seen in the container. It takes the place of a
    /// [`tmpfs`](Self::tmpfs) at the same path.
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.tmpfs.retain(|other| !same_place(&other.target, &volume.target));
        self.volumes.push(volume);
        self
    }

    /// A directory in memory: its path, or a [`Tmpfs`]. It takes the place of another one at the same path.
    #[must_use]
    pub fn tmpfs(mut self, tmpfs: impl Into<Tmpfs>) -> Self {
        let tmpfs = tmpfs.into();
        self.tmpfs.retain(|other| !same_place(&other.target, &tmpfs.target));
        self.tmpfs.push(tmpfs);
        self
    }

    /// A device of the machine: its path, or a [`Device`].
    #[must_use]
    pub fn device(mut self, device: impl Into<Device>) -> Self {
        self.devices.push(device.into());
        self
    }

    /// Whether nothing can be written to the root file system. It can by default. Volumes, also those that the image asks
    /// for, and directories in memory are as they are; Podman adds `/tmp`, `/var/tmp` and `/run` in memory, of any size, unless
    /// they are given here.
    #[must_use]
    pub fn read_only_root(mut self, yes: bool) -> Self {
        self.read_only_root = yes;
        self
    }

    /// A capability of root that the engine does not give by default, such as `"SYS_PTRACE"`, with or without `CAP_` before it.
    #[must_use]
    pub fn add_capability(mut self, name: impl Into<String>) -> Self {
        self.add_capabilities.push(name.into());
        self
    }

    /// A capability that root is not to have in the container, such as `"NET_RAW"`, or `"ALL"` for none but those that are
    /// [added](Self::add_capability).
    #[must_use]
    pub fn drop_capability(mut self, name: impl Into<String>) -> Self {
        self.drop_capabilities.push(name.into());
        self
    }

    /// Whether no program in the container gets more rights than the one that started it has, as set-user-id programs do.
    /// They do by default.
    #[must_use]
    pub fn no_new_privileges(mut self, yes: bool) -> Self {
        self.no_new_privileges = yes;
        self
    }

    /// Which system calls the container may make: those of the engine's own profile, by default.
    #[must_use]
    pub fn seccomp(mut self, seccomp: Seccomp) -> Self {
        self.seccomp = seccomp;
        self
    }

    /// A limit of each process, by the name that the system has for it, such as `"nofile"`: the one that holds, and the one
    /// to which a process may raise it. The engine's own by default.
    #[must_use]
    pub fn ulimit(mut self, name: impl Into<String>, soft: u64, hard: u64) -> Self {
        let name = name.into();
        self.ulimits.retain(|other| other.name != name);
        self.ulimits.push(Ulimit { name, soft, hard });
        self
    }

    /// How long a command may run that has no [time limit](crate::Command::timeout) of its own, whether it is run, streamed,
    /// spawned or a turn of a session. No limit by default; a command that is given [`Duration::MAX`] has none.
    #[must_use]
    pub fn default_timeout(mut self, limit: Duration) -> Self {
        self.default_timeout = Some(limit);
        self
    }

    /// How many bytes of each stream are kept of a command that says [nothing](crate::Command::output_limit) about it, whether
    /// it is run, streamed or a turn of a session. By default 16 MiB of what is gathered, and all of a stream.
    #[must_use]
    pub fn default_output_limit(mut self, bytes: u64) -> Self {
        self.default_output_limit = Some(bytes);
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
    /// in time, as with `timeout 60 PROGRAM`. While it is paused it does not end, but at once when it goes on. One that has ended
    /// so has exit code 0, and its [end reason](crate::Container::end_reason) is an exit with that. What runs in the container as root, or as the same user, can end it early, and,
    /// if it means to, stop the clock.
    #[must_use]
    pub fn lifetime(mut self, limit: Duration) -> Self {
        self.lifetime = Some(limit);
        self
    }

    /// The memory limit in bytes, if there is one that was [checked](Self::check).
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.memory.as_ref().and_then(|size| size.bytes().ok())
    }

    /// The disk limit in bytes, as well.
    pub(crate) fn disk_bytes(&self) -> Option<u64> {
        self.disk.as_ref().and_then(|size| size.bytes().ok())
    }

    /// What its commands have that do not say otherwise.
    pub(crate) fn defaults(&self) -> Defaults {
        Defaults {
            timeout: self.default_timeout,
            output_limit: self.default_output_limit,
        }
    }
}

fn same_place(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// What commands have that do not say otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Defaults {
    timeout: Option<Duration>,
    output_limit: Option<u64>,
}

impl Defaults {
    pub(crate) fn fill(self, mut command: Command) -> Command {
        command.timeout = command.timeout.or(self.timeout);
        match self.output_limit {
            Some(bytes) if command.output_limit == crate::command::OutputLimit::Unsaid => command.output_limit(bytes),
            _ => command,
        }
    }
}

#[cfg(test)]
mod tests;
