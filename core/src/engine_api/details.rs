//! `/containers/{id}/json`, with all that [`ContainerInfo`](crate::ContainerInfo) and
//! [`EndReason`](crate::EndReason) are made of.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use serde::Deserialize;

use super::ports::Ports;
use super::time;
use crate::info::NetworkAddress;
use crate::spec::BoundPort;

/// An inspected container. Everything may be missing or `null`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Details {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    created: Option<String>,
    /// The id of its image; Podman 4 leaves `sha256:` out.
    pub(crate) image: Option<String>,
    pub(crate) state: Option<State>,
    pub(crate) config: Option<Config>,
    host_config: Option<HostConfig>,
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) status: Option<String>,
    pub(crate) running: Option<bool>,
    pub(crate) paused: Option<bool>,
    pub(crate) exit_code: Option<i64>,
    #[serde(rename = "OOMKilled")]
    pub(crate) oom_killed: Option<bool>,
    /// Podman 5.8 says `container is running` here of one that was told to start twice: only of one that did not start is
    /// it a failure.
    pub(crate) error: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) image: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    cmd: Option<Vec<String>>,
    entrypoint: Option<Entrypoint>,
}

/// Podman 4 gives the words in one string.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entrypoint {
    Words(Vec<String>),
    Text(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    memory: Option<i64>,
    pids_limit: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
    ports: Option<Ports>,
    networks: Option<BTreeMap<String, Option<Network>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Network {
    #[serde(rename = "IPAddress")]
    ip_address: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    global_ipv6: Option<String>,
    gateway: Option<String>,
    mac_address: Option<String>,
}

impl State {
    pub(crate) fn is_running(&self) -> bool {
        self.running.unwrap_or(false)
    }

    pub(crate) fn started(&self) -> Option<SystemTime> {
        self.started_at.as_deref().and_then(time)
    }

    /// When it ended last: that stays while it runs again.
    pub(crate) fn finished(&self) -> Option<SystemTime> {
        self.finished_at.as_deref().and_then(time)
    }
}

impl Details {
    pub(crate) fn created(&self) -> Option<SystemTime> {
        self.created.as_deref().and_then(time)
    }

    pub(crate) fn state(&self) -> &State {
        static NONE: State = State {
            status: None,
            running: None,
            paused: None,
            exit_code: None,
            oom_killed: None,
            error: None,
            started_at: None,
            finished_at: None,
        };
        self.state.as_ref().unwrap_or(&NONE)
    }

    /// Its limit of memory, if it has one.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        limit(self.host_config.as_ref()?.memory)
    }

    /// Its limit of processes and threads, if it has one. Docker writes `null`, 0 or -1 for none.
    pub(crate) fn pids_limit(&self) -> Option<u64> {
        limit(self.host_config.as_ref()?.pids_limit)
    }

    /// The words of its main process.
    pub(crate) fn command(&self) -> Vec<String> {
        let Some(config) = &self.config else { return Vec::new() };
        let mut words = match &config.entrypoint {
            Some(Entrypoint::Words(words)) => words.clone(),
            Some(Entrypoint::Text(text)) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        words.extend(config.cmd.iter().flatten().cloned());
        words
    }

    /// Where it can be reached. An address that is empty is none: on Podman those of a container that has ended.
    pub(crate) fn networks(&self) -> Vec<NetworkAddress> {
        let networks = self.network_settings.as_ref().and_then(|all| all.networks.as_ref());
        let each = networks.into_iter().flatten();
        each.map(|(name, network)| {
            let network = network.as_ref();
            let address = |text: Option<&String>| text.and_then(|text| text.parse::<IpAddr>().ok());
            NetworkAddress {
                name: name.clone(),
                ipv4: address(network.and_then(|one| one.ip_address.as_ref())),
                ipv6: address(network.and_then(|one| one.global_ipv6.as_ref())),
                gateway: address(network.and_then(|one| one.gateway.as_ref())),
                mac: network
                    .and_then(|one| one.mac_address.clone())
                    .filter(|text| !text.is_empty()),
            }
        })
        .collect()
    }

    /// What is bound on the host, in order. What the image only names is not.
    pub(crate) fn ports(&self) -> Vec<BoundPort> {
        let ports = self.network_settings.as_ref().and_then(|all| all.ports.as_ref());
        ports.map(Ports::bound).unwrap_or_default()
    }
}

fn limit(value: Option<i64>) -> Option<u64> {
    value
        .and_then(|value| u64::try_from(value).ok())
        .filter(|value| *value > 0)
}

#[cfg(test)]
mod tests;
