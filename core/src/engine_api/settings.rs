//! `/containers/{id}/json`, with what the engine made of a spec.
//!
//! Podman is asked in its own way: there it tells which capabilities root has. In Docker's way it tells how they differ from
//! what is usual, which is fourteen of them with Podman 4, eleven with Podman 5, and whatever its configuration says.
//!
//! Lists are `null` or missing where they are empty, and numbers 0 or -1 where there is no limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::ports::Ports;
use super::{EngineKind, path};
use crate::error::Error;
use crate::http::Request;

pub(crate) fn inspect(kind: EngineKind, id: &str) -> Result<Request, Error> {
    let collection = match kind {
        EngineKind::Docker => "/containers",
        EngineKind::Podman => "/libpod/containers",
    };
    Ok(Request::get(path(collection, id, "/json")?))
}

/// `null` is as good as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

macro_rules! answer {
    ($(#[$attribute:meta])* $name:ident { $($(#[$field_attribute:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, rename_all = "PascalCase")]
        pub(crate) struct $name {
            $(
                $(#[$field_attribute])*
                #[serde(deserialize_with = "or_default")]
                pub(crate) $field: $kind,
            )*
        }
    };
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Settings {
    #[serde(deserialize_with = "or_default")]
    pub(crate) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) state: State,
    #[serde(deserialize_with = "or_default")]
    pub(crate) config: Config,
    #[serde(deserialize_with = "or_default")]
    pub(crate) host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    pub(crate) mounts: Vec<Mount>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) network_settings: NetworkSettings,
    /// The capabilities of root, which Podman tells in its own kind of answer: `null` if it has none.
    #[serde(deserialize_with = "told")]
    pub(crate) bounding_caps: Option<Vec<String>>,
}

/// What is there, though it be `null`, was told.
fn told<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    or_default(from).map(Some)
}

answer! { State {
    running: bool,
} }

answer! { Config {
    hostname: String,
    user: String,
    working_dir: String,
    env: Vec<String>,
    labels: BTreeMap<String, String>,
} }

answer! { HostConfig {
    network_mode: String,
    memory: i64,
    memory_swap: i64,
    nano_cpus: i64,
    cpu_period: i64,
    cpu_quota: i64,
    pids_limit: i64,
    storage_opt: BTreeMap<String, String>,
    tmpfs: BTreeMap<String, String>,
    devices: Vec<Device>,
    readonly_rootfs: bool,
    cap_add: Vec<String>,
    cap_drop: Vec<String>,
    security_opt: Vec<String>,
    ulimits: Vec<Ulimit>,
} }

answer! { Mount {
    r#type: String,
    name: String,
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    rw: bool,
} }

answer! { Device {
    path_in_container: String,
} }

answer! { Ulimit {
    name: String,
    soft: i128,
    hard: i128,
} }

answer! { NetworkSettings {
    ports: Ports,
    networks: BTreeMap<String, serde::de::IgnoredAny>,
} }

/// A limit, if it is one.
pub(crate) fn limit(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value > 0)
}
