//! The `HostConfig` of `/containers/create`: what of a spec is about the machine.
//!
//! Podman makes command lines of several fields, which it then reads: what could be taken there for more than it is was
//! refused by [`ContainerSpec::check`]. A field that is not asked for is not sent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::EngineKind;
use crate::error::Error;
use crate::spec::{ContainerSpec, Network, Tmpfs, VolumeSource, capability};

/// The time in which a share of a processor is counted, in microseconds: the kernel's own, and each engine's.
pub(crate) const CPU_PERIOD: u64 = 100_000;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HostConfig<'a> {
    auto_remove: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_swap: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_period: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pids_limit: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    storage_opt: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    port_bindings: BTreeMap<String, Vec<Binding>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mounts: Vec<Mount<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tmpfs: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<Device<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    readonly_rootfs: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cap_add: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cap_drop: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security_opt: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ulimits: Vec<Ulimit<'a>>,
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    host_ip: String,
    host_port: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mount<'a> {
    r#type: &'static str,
    source: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    read_only: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Device<'a> {
    path_on_host: &'a str,
    path_in_container: String,
    cgroup_permissions: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ulimit<'a> {
    name: &'a str,
    soft: u64,
    hard: u64,
}

impl<'a> HostConfig<'a> {
    /// Of a spec that was checked.
    pub(crate) fn new(kind: EngineKind, spec: &'a ContainerSpec) -> Result<Self, Error> {
        let memory = spec.memory_bytes();
        let mut port_bindings: BTreeMap<String, Vec<Binding>> = BTreeMap::new();
        for port in &spec.ports {
            port_bindings.entry(port.key()).or_default().push(Binding {
                host_ip: host_ip(kind, port.address),
                host_port: port.host.to_string(),
            });
        }
        let capabilities = |names: &[String]| -> Vec<String> { names.iter().map(|name| capability(name)).collect() };
        let security = spec.no_new_privileges.then(|| "no-new-privileges".to_owned());
        Ok(Self {
            auto_remove: spec.auto_remove,
            network_mode: match &spec.network {
                Network::None => Some("none"),
                Network::Default => None,
                Network::Named(name) => Some(name),
            },
            memory,
            memory_swap: memory,
            cpu_period: spec.cpu_percent.map(|_| CPU_PERIOD),
            cpu_quota: spec.cpu_percent.map(|percent| u64::from(percent) * CPU_PERIOD / 100),
            pids_limit: spec.pids,
            storage_opt: spec
                .disk_bytes()
                .map(|bytes| ("size", bytes.to_string()))
                .into_iter()
                .collect(),
            port_bindings,
            mounts: spec.volumes.iter().map(mount).collect(),
            tmpfs: spec
                .tmpfs
                .iter()
                .map(|tmpfs| (tmpfs.target.as_str(), tmpfs_options(tmpfs)))
                .collect(),
            devices: spec.devices.iter().map(device).collect(),
            readonly_rootfs: spec.read_only_root,
            cap_add: capabilities(&spec.add_capabilities),
            cap_drop: capabilities(&spec.drop_capabilities),
            security_opt: security.into_iter().chain(spec.seccomp.option(kind)?).collect(),
            ulimits: spec
                .ulimits
                .iter()
                .map(|limit| Ulimit {
                    name: &limit.name,
                    soft: limit.soft,
                    hard: limit.hard,
                })
                .collect(),
        })
    }
}

/// The address as this engine takes it. Podman 4.3 binds a port at 0.0.0.0 to nothing that can be reached; it says every
/// address by saying none.
fn host_ip(kind: EngineKind, address: IpAddr) -> String {
    if kind == EngineKind::Podman && address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        return String::new();
    }
    address.to_string()
}

fn mount(volume: &crate::spec::Volume) -> Mount<'_> {
    let (r#type, source) = match &volume.source {
        VolumeSource::Bind(path) => ("bind", path.to_str().unwrap_or_default()),
        VolumeSource::Named(name) => ("volume", name.as_str()),
    };
    Mount {
        r#type,
        source,
        target: &volume.target,
        read_only: volume.read_only,
    }
}

/// Both engines add `noexec` unless told otherwise. Podman copies what the image has there unless told otherwise, and Docker
/// does not know the word for that.
fn tmpfs_options(tmpfs: &Tmpfs) -> String {
    let exec = if tmpfs.exec { "exec" } else { "noexec" };
    let mut options = format!("rw,nosuid,nodev,{exec},mode={:o}", tmpfs.mode);
    if let Some(Ok(bytes)) = tmpfs.size.as_ref().map(crate::spec::Size::bytes) {
        options += &format!(",size={bytes}");
    }
    options
}

fn device(device: &crate::spec::Device) -> Device<'_> {
    Device {
        path_on_host: device.source.to_str().unwrap_or_default(),
        path_in_container: device.target(),
        cgroup_permissions: if device.read_only { "r" } else { "rwm" },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spec::{Device, Port, Seccomp, Volume};

    fn host(kind: EngineKind, spec: &ContainerSpec) -> Value {
        spec.check().unwrap();
        serde_json::to_value(HostConfig::new(kind, spec).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        let spec = ContainerSpec::new("busybox");
        for kind in [EngineKind::Docker, EngineKind::Podman] {
            assert_eq!(host(kind, &spec), json!({ "AutoRemove": true, "NetworkMode": "none" }));
        }
        assert_eq!(
            host(EngineKind::Docker, &ContainerSpec::trusted("busybox")),
            json!({ "AutoRemove": true })
        );
    }

    #[test]
    fn what_is_not_trusted_gets_little() {
        let tmpfs = |bytes: u64| format!("rw,nosuid,nodev,exec,mode=1777,size={bytes}");
        let sent = json!({
            "AutoRemove": true,
            "NetworkMode": "none",
            "Memory": 512 << 20,
            "MemorySwap": 512 << 20,
            "PidsLimit": 256,
            "Tmpfs": { "/tmp": tmpfs(256 << 20), "/var/tmp": tmpfs(64 << 20), "/run": tmpfs(16 << 20) },
            "ReadonlyRootfs": true,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
        });
        for kind in [EngineKind::Docker, EngineKind::Podman] {
            assert_eq!(host(kind, &ContainerSpec::untrusted("busybox")), sent);
        }
    }

    #[test]
    fn everything_has_its_field() {
        let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#;
        let spec = ContainerSpec::new("busybox")
            .network(Network::Default)
            .memory("256m")
            .cpu_percent(50)
            .disk("1g")
            .port(80)
            .port(Port::tcp(80).host_port(8080).address(Ipv4Addr::UNSPECIFIED))
            .port(Port::udp(53))
            .volume(Volume::bind("/srv/a b", "/data").read_only())
            .volume(Volume::named("cache", "/cache"))
            .tmpfs(Tmpfs::new("/tmp").mode(0o700).no_exec())
            .device("/dev/fuse")
            .device(Device::new("/dev/null").at("/dev/nil").read_only())
            .add_capability("sys_ptrace")
            .drop_capability("CAP_NET_RAW")
            .seccomp(Seccomp::Profile(profile.to_owned()))
            .ulimit("nofile", 64, 128);
        let sent = json!({
            "AutoRemove": true,
            "Memory": 256 << 20,
            "MemorySwap": 256 << 20,
            "CpuPeriod": 100_000,
            "CpuQuota": 50_000,
            "StorageOpt": { "size": "1073741824" },
            "PortBindings": {
                "80/tcp": [
                    { "HostIp": "127.0.0.1", "HostPort": "0" },
                    { "HostIp": "0.0.0.0", "HostPort": "8080" },
                ],
                "53/udp": [{ "HostIp": "127.0.0.1", "HostPort": "0" }],
            },
            "Mounts": [
                { "Type": "bind", "Source": "/srv/a b", "Target": "/data", "ReadOnly": true },
                { "Type": "volume", "Source": "cache", "Target": "/cache" },
            ],
            "Tmpfs": { "/tmp": "rw,nosuid,nodev,noexec,mode=700" },
            "Devices": [
                { "PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm" },
                { "PathOnHost": "/dev/null", "PathInContainer": "/dev/nil", "CgroupPermissions": "r" },
            ],
            "CapAdd": ["CAP_SYS_PTRACE"],
            "CapDrop": ["CAP_NET_RAW"],
            "SecurityOpt": [format!("seccomp={profile}")],
            "Ulimits": [{ "Name": "nofile", "Soft": 64, "Hard": 128 }],
        });
        assert_eq!(host(EngineKind::Docker, &spec), sent);
    }

    #[test]
    fn every_address_is_said_as_the_engine_takes_it() {
        let ip = |kind, address: &str| host_ip(kind, address.parse().unwrap());
        assert_eq!(ip(EngineKind::Docker, "0.0.0.0"), "0.0.0.0");
        assert_eq!(ip(EngineKind::Podman, "0.0.0.0"), "");
        for kind in [EngineKind::Docker, EngineKind::Podman] {
            assert_eq!(ip(kind, "127.0.0.1"), "127.0.0.1");
            assert_eq!(ip(kind, "::"), "::");
        }
    }

    #[test]
    fn a_profile_goes_the_way_of_the_engine() {
        let json = Seccomp::Profile(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.to_owned());
        let file = Seccomp::File("/etc/profile.json".into());
        for (kind, seccomp, sent) in [
            (
                EngineKind::Docker,
                &json,
                Some("seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"),
            ),
            (EngineKind::Docker, &file, None),
            (EngineKind::Podman, &json, None),
            (EngineKind::Podman, &file, Some("seccomp=/etc/profile.json")),
            (EngineKind::Podman, &Seccomp::Unconfined, Some("seccomp=unconfined")),
        ] {
            let spec = ContainerSpec::new("busybox").seccomp(seccomp.clone());
            match (HostConfig::new(kind, &spec), sent) {
                (Ok(host), Some(sent)) => assert_eq!(host.security_opt, [sent]),
                (Err(Error::Misuse(_)), None) => {}
                (other, sent) => panic!("{kind}, {seccomp:?}: {other:?}, not {sent:?}"),
            }
        }
    }
}
