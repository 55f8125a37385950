//! What an engine made of a spec.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::engine_api::host_config::CPU_PERIOD;
use crate::engine_api::settings::{Mount, Settings, limit};
use crate::spec::{BoundPort, ContainerSpec, Network, Seccomp, Tmpfs, Volume, VolumeSource, capability};

/// How a container is, by the words of its engine, and where that is not what its [`ContainerSpec`] asked for.
///
/// Engines take options that they do not know, or cannot do, and say nothing. This is what they say afterwards; it is not
/// measured from inside. No limit is `None`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// The id of the image, `sha256:` and 64 hex digits.
    pub image: String,
    /// The name of the machine, as the container sees it.
    pub hostname: String,
    /// The user; empty for root.
    pub user: String,
    /// The working directory; empty for `/`.
    pub workdir: String,
    /// The environment, also that of the image.
    pub env: BTreeMap<String, String>,
    /// The labels, also those of the image and of pocket-dock.
    pub labels: BTreeMap<String, String>,
    /// The most memory, in bytes.
    pub memory: Option<u64>,
    /// The most memory and swap together, in bytes.
    pub memory_and_swap: Option<u64>,
    /// The most processor time, in percent of one processor.
    pub cpu_percent: Option<f64>,
    /// The most processes and threads.
    pub pids: Option<u64>,
    /// The most that may be written to the root file system, in bytes.
    pub disk: Option<u64>,
    /// The engine's word for the kind of network, such as `none`, `bridge`, `default`.
    pub network: String,
    /// The names of the networks that it is in.
    pub networks: Vec<String>,
    /// The ports that can be reached, and where.
    pub ports: Vec<BoundPort>,
    /// Where something is mounted that was asked for, by the spec or the image.
    pub mounts: Vec<AppliedMount>,
    /// The paths of the devices that were added, in the container.
    pub devices: Vec<String>,
    /// Whether nothing can be written to the root file system.
    pub read_only_root: bool,
    /// The capabilities of root.
    pub capabilities: Vec<String>,
    /// What the engine says of new privileges, seccomp and its like, in its own words.
    pub security_options: Vec<String>,
    /// What was asked for and is not so. Empty too if the container was not made by this program: then nobody knows what was
    /// asked for.
    pub differences: Vec<Difference>,
}

/// Something that is mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppliedMount {
    /// Where in the container.
    pub target: String,
    /// The path on the engine's machine, or the name of the volume; empty for memory.
    pub source: String,
    /// Whether it is kept in memory.
    pub tmpfs: bool,
    /// Whether it cannot be written to.
    pub read_only: bool,
}

/// What was asked for, and what the engine did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The option, by the name of the spec's method.
    pub what: &'static str,
    /// What was asked for.
    pub asked: String,
    /// What there is.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} was asked for, and the engine has {}",
            self.what, self.asked, self.got
        )
    }
}

/// What root has in a container on Docker, if nothing is added and nothing dropped.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

impl Applied {
    pub(crate) fn new(settings: Settings, spec: Option<&ContainerSpec>) -> Self {
        let runs = settings.state.running;
        let ports = settings.network_settings.ports.bound();
        let (config, host) = (settings.config, settings.host_config);
        let pair = |text: &String| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let period = limit(host.cpu_period).unwrap_or(CPU_PERIOD);
        let of_period = limit(host.cpu_quota).map(|quota| quota as f64 * 100.0 / period as f64);
        let of_second = limit(host.nano_cpus).map(|nano| nano as f64 / 1e7);
        let mut applied = Self {
            image: crate::engine_api::image::normal_id(&settings.image),
            hostname: config.hostname,
            user: config.user,
            workdir: config.working_dir,
            env: config.env.iter().filter_map(pair).collect(),
            labels: config.labels,
            memory: limit(host.memory),
            memory_and_swap: limit(host.memory_swap),
            cpu_percent: of_period.or(of_second),
            pids: limit(host.pids_limit),
            disk: host
                .storage_opt
                .get("size")
                .and_then(|size| crate::spec::Size::from(size.as_str()).bytes().ok()),
            network: host.network_mode,
            networks: settings.network_settings.networks.into_keys().collect(),
            ports,
            mounts: mounts(&settings.mounts, &host.tmpfs),
            devices: host
                .devices
                .iter()
                .map(|device| device.path_in_container.clone())
                .collect(),
            read_only_root: host.readonly_rootfs,
            capabilities: match &settings.bounding_caps {
                Some(told) => sorted(told),
                None => usual_but(&host.cap_add, &host.cap_drop),
            },
            security_options: host.security_opt,
            differences: Vec::new(),
        };
        if let Some(spec) = spec {
            let mut compared = Compared(Vec::new());
            applied.compare(spec, &mut compared);
            // They are bound while it runs, and at no other time.
            if runs {
                applied.compare_ports(spec, &mut compared);
            }
            applied.compare_security(spec, &mut compared);
            applied.compare_mounts(spec, &host.tmpfs, &mut compared);
            for asked in &spec.ulimits {
                let name = format!("{}={}:{}", asked.name, asked.soft, asked.hard);
                let found = host.ulimits.iter().map(|one| {
                    let plain = one.name.trim_start_matches("RLIMIT_").to_ascii_lowercase();
                    format!("{plain}={}:{}", one.soft, one.hard)
                });
                compared.one_of("ulimit", &name, found.collect());
            }
            applied.differences = compared.0;
        }
        applied
    }

    fn compare(&self, spec: &ContainerSpec, compared: &mut Compared) {
        if let Some(hostname) = &spec.hostname {
            compared.same("hostname", hostname, &self.hostname);
        }
        if let Some(user) = &spec.user {
            compared.same("user", user, &self.user);
        }
        if let Some(workdir) = &spec.workdir {
            compared.same("workdir", workdir, &self.workdir);
        }
        for (name, value) in &spec.env {
            compared.told(
                "env",
                &format!("{name}={value}"),
                self.env.get(name) == Some(value),
                || assigned(name, self.env.get(name)),
            );
        }
        for (name, value) in &spec.labels {
            compared.told(
                "label",
                &format!("{name}={value}"),
                self.labels.get(name) == Some(value),
                || assigned(name, self.labels.get(name)),
            );
        }
        if let Some(bytes) = spec.memory_bytes() {
            compared.limit("memory", bytes, self.memory);
            compared.limit("memory, and no swap", bytes, self.memory_and_swap);
        }
        if let Some(percent) = spec.cpu_percent {
            let same = self
                .cpu_percent
                .is_some_and(|got| (got - f64::from(percent)).abs() < 0.5);
            compared.told("cpu_percent", &percent.to_string(), same, || or_none(self.cpu_percent));
        }
        if let Some(count) = spec.pids {
            compared.limit("pids", count, self.pids);
        }
        if let Some(bytes) = spec.disk_bytes() {
            compared.limit("disk", bytes, self.disk);
        }
        let (asked, same) = match &spec.network {
            Network::None => ("none", self.network == "none"),
            Network::Default => ("the default", !matches!(self.network.as_str(), "none" | "host")),
            // Podman calls them all `bridge`.
            Network::Named(name) => (name.as_str(), self.network == *name || self.networks.contains(name)),
        };
        compared.told("network", asked, same, || self.network.clone());
    }

    fn compare_ports(&self, spec: &ContainerSpec, compared: &mut Compared) {
        for port in &spec.ports {
            let address = Some(port.address).filter(|address| !address.is_unspecified());
            let like = |bound: &BoundPort| {
                (bound.container_port, bound.protocol, bound.host_ip) == (port.container, port.protocol, address)
                    && (port.host == 0 || bound.host_port == port.host)
            };
            let asked = match port.host {
                0 => format!("{} at {}", port.key(), port.address),
                host => format!("{} at {}", port.key(), std::net::SocketAddr::new(port.address, host)),
            };
            compared.told("port", &asked, self.ports.iter().any(like), || list(&self.ports));
        }
    }

    fn compare_security(&self, spec: &ContainerSpec, compared: &mut Compared) {
        if spec.read_only_root && !self.read_only_root {
            compared.told("read_only_root", "a read-only root", false, || {
                "a writable one".to_owned()
            });
        }
        let added: BTreeSet<String> = spec.add_capabilities.iter().map(|name| capability(name)).collect();
        let has = |name: &String| self.capabilities.contains(name) || self.capabilities.iter().any(|one| one == "ALL");
        for name in &added {
            compared.told("add_capability", name, has(name), || list(&self.capabilities));
        }
        for name in spec.drop_capabilities.iter().map(|name| capability(name)) {
            let gone = match name.as_str() {
                "ALL" => self
                    .capabilities
                    .iter()
                    .all(|one| added.contains(one) || added.contains("ALL")),
                _ => added.contains(&name) || !has(&name),
            };
            compared.told("drop_capability", &name, gone, || list(&self.capabilities));
        }
        let says = |option: &str| self.security_options.iter().any(|one| one.starts_with(option));
        if spec.no_new_privileges {
            compared.told("no_new_privileges", "none", says("no-new-privileges"), || {
                list(&self.security_options)
            });
        }
        match &spec.seccomp {
            Seccomp::Default => {}
            Seccomp::Unconfined => {
                compared.told("seccomp", "unconfined", says("seccomp=unconfined"), || {
                    list(&self.security_options)
                });
            }
            Seccomp::Profile(_) | Seccomp::File(_) => {
                let own = says("seccomp=") && !says("seccomp=unconfined");
                compared.told("seccomp", "a profile", own, || list(&self.security_options));
            }
        }
    }

    fn compare_mounts(&self, spec: &ContainerSpec, tmpfs: &BTreeMap<String, String>, compared: &mut Compared) {
        let at = |target: &str| {
            let target = target.trim_end_matches('/');
            self.mounts
                .iter()
                .find(|one| one.target.trim_end_matches('/') == target)
        };
        for Volume {
            source,
            target,
            read_only,
            ..
        } in &spec.volumes
        {
            let source = match source {
                VolumeSource::Bind(path) => path.to_string_lossy().into_owned(),
                VolumeSource::Named(name) => name.clone(),
            };
            let asked = AppliedMount {
                target: target.trim_end_matches('/').to_owned(),
                source: source.trim_end_matches('/').to_owned(),
                tmpfs: false,
                read_only: *read_only,
            };
            let got = at(target);
            let same = got.is_some_and(|got| {
                !got.tmpfs && got.read_only == asked.read_only && got.source.trim_end_matches('/') == asked.source
            });
            compared.told("volume", &asked.to_string(), same, || or_none(got));
        }
        for Tmpfs { target, size, .. } in &spec.tmpfs {
            let got = at(target);
            let asked = size.as_ref().and_then(|size| size.bytes().ok());
            let options = tmpfs
                .iter()
                .find(|(path, _)| path.trim_end_matches('/') == target.trim_end_matches('/'));
            let option = |name| options.and_then(|(_, text)| text.split(',').find_map(|one| one.strip_prefix(name)));
            let size = option("size=").and_then(|text| crate::spec::Size::from(text).bytes().ok());
            let words = match asked {
                Some(bytes) => format!("{bytes} bytes of memory at {target}"),
                None => format!("memory at {target}"),
            };
            let same = got.is_some_and(|got| got.tmpfs) && (asked.is_none() || asked == size);
            compared.told("tmpfs", &words, same, || or_none(got));
        }
        for device in &spec.devices {
            compared.one_of("device", &device.target(), self.devices.clone());
        }
    }
}

fn mounts(mounts: &[Mount], tmpfs: &BTreeMap<String, String>) -> Vec<AppliedMount> {
    let in_memory = |target: &str, read_only| AppliedMount {
        target: target.to_owned(),
        source: String::new(),
        tmpfs: true,
        read_only,
    };
    let listed = mounts.iter().map(|mount| match mount.r#type.as_str() {
        "tmpfs" => in_memory(&mount.destination, !mount.rw),
        kind => AppliedMount {
            target: mount.destination.clone(),
            source: if kind == "volume" {
                mount.name.clone()
            } else {
                mount.source.clone()
            },
            tmpfs: false,
            read_only: !mount.rw,
        },
    });
    let mut all: Vec<AppliedMount> = listed.collect();
    for (target, options) in tmpfs {
        if !all.iter().any(|one| one.target == *target) {
            all.push(in_memory(target, options.split(',').any(|option| option == "ro")));
        }
    }
    all.sort_by(|one, other| one.target.cmp(&other.target));
    all
}

fn sorted(capabilities: &[String]) -> Vec<String> {
    let set: BTreeSet<String> = capabilities.iter().map(|name| capability(name)).collect();
    set.into_iter().collect()
}

fn usual_but(added: &[String], dropped: &[String]) -> Vec<String> {
    let dropped = sorted(dropped);
    let is_dropped = |name: &str| dropped.iter().any(|one| one == "ALL" || one == name);
    let usual = CAPABILITIES.into_iter().filter(|name| !is_dropped(name));
    let left: Vec<String> = usual.map(str::to_owned).chain(added.iter().cloned()).collect();
    sorted(&left)
}

impl fmt::Display for AppliedMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.tmpfs { "memory" } else { self.source.as_str() };
        let how = if self.read_only { ", read-only" } else { "" };
        write!(f, "{what} at {}{how}", self.target)
    }
}

struct Compared(Vec<Difference>);

impl Compared {
    fn told(&mut self, what: &'static str, asked: &str, same: bool, got: impl FnOnce() -> String) {
        if !same {
            let (asked, got) = (asked.to_owned(), got());
            self.0.push(Difference { what, asked, got });
        }
    }

    fn same(&mut self, what: &'static str, asked: &str, got: &str) {
        self.told(what, asked, asked == got, || format!("{got:?}"));
    }

    fn limit(&mut self, what: &'static str, asked: u64, got: Option<u64>) {
        self.told(what, &asked.to_string(), got == Some(asked), || or_none(got));
    }

    fn one_of(&mut self, what: &'static str, asked: &str, there: Vec<String>) {
        let same = there.iter().any(|one| one == asked);
        self.told(what, asked, same, || list(&there));
    }
}

fn or_none(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn assigned(name: &str, value: Option<&String>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{name}={value}"))
}

fn list(those: &[impl fmt::Display]) -> String {
    let words: Vec<String> = those.iter().map(ToString::to_string).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

#[cfg(test)]
mod tests;
