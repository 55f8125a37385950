//! `/containers`: create, attach, start, stop, kill, pause, remove, inspect, wait, list.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::host_config::HostConfig;
use super::{EngineKind, path};
use crate::error::Error;
use crate::http::{Path, Request};
use crate::protocol_error::ProtocolError;
use crate::runtime::{Host, Owner};
use crate::signal::Signal;
use crate::spec::{ContainerSpec, LABELS};

/// The main process of a container without one of its own: it ends when its standard input does, or at once when told
/// to, and reaps what is left over by others.
const LEASH: &str = "trap 'exit 0' TERM INT; exec 3<&0; cat <&3 >/dev/null & wait $!";

/// The labels of one container.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    pub(crate) instance: String,
    pub(crate) created_at: String,
    pub(crate) owner: Option<String>,
}

pub(crate) const MANAGED: &str = "pocket-dock.managed";
pub(crate) const INSTANCE: &str = "pocket-dock.instance";
pub(crate) const OWNER: &str = "pocket-dock.owner";
/// The name the container was made with. Images made of a container hand its labels on to others, which have other
/// names.
pub(crate) const NAME: &str = "pocket-dock.name";

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Create<'a> {
    image: &'a str,
    cmd: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entrypoint: Option<Vec<&'a str>>,
    env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<String, Empty>,
    open_stdin: bool,
    stdin_once: bool,
    attach_stdin: bool,
    /// What Podman leaves the main process of a container that is removed. Every stop names its own.
    stop_timeout: u32,
    host_config: HostConfig<'a>,
}

#[derive(Debug, Serialize)]
struct Empty {}

/// The request, of a spec that was checked.
pub(crate) fn create(kind: EngineKind, name: &str, spec: &ContainerSpec, marks: &Marks) -> Result<Request, Error> {
    let mut labels: BTreeMap<&str, &str> = spec.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    debug_assert!(labels.keys().all(|name| !name.starts_with(LABELS)));
    labels.insert(MANAGED, "true");
    labels.insert(INSTANCE, &marks.instance);
    labels.insert(NAME, name);
    labels.insert("pocket-dock.created-at", &marks.created_at);
    labels.insert(OWNER, marks.owner.as_deref().unwrap_or(""));
    let (entrypoint, cmd) = match &spec.command {
        // The image's own entry point would be put before it.
        Some(words) => (
            Some(vec![words[0].as_str()]),
            words[1..].iter().map(String::as_str).collect(),
        ),
        None => (Some(vec!["/bin/sh"]), vec!["-c", LEASH]),
    };
    let body = Create {
        image: &spec.image,
        cmd,
        entrypoint,
        env: spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        working_dir: spec.workdir.as_deref(),
        user: spec.user.as_deref(),
        hostname: spec.hostname.as_deref(),
        labels,
        exposed_ports: spec.ports.iter().map(|port| (port.key(), Empty {})).collect(),
        open_stdin: true,
        stdin_once: true,
        attach_stdin: true,
        stop_timeout: 0,
        host_config: HostConfig::new(kind, spec)?,
    };
    sendable(Request::post(Path::new("/containers/create").query("name", name)).json(&body))
}

pub(crate) fn sendable(request: Result<Request, ProtocolError>) -> Result<Request, Error> {
    request.map_err(|error| Error::misuse(error.to_string()))
}

#[derive(Debug, Deserialize)]
pub(crate) struct CreatedAnswer {
    #[serde(rename = "Id", deserialize_with = "id")]
    pub(crate) id: String,
}

/// An id that can be put into a path. Engines give 64 hex digits.
fn id<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let id = String::deserialize(from)?;
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(serde::de::Error::custom(format!("{id:?} is no id")));
    }
    Ok(id)
}

/// Holds the container's standard input: the leash.
pub(crate) fn attach_stdin(id: &str) -> Result<Request, Error> {
    let path = path("/containers", id, "/attach")?
        .query("stream", "1")
        .query("stdin", "1");
    Ok(Request::post(path).upgrade())
}

pub(crate) fn start(id: &str) -> Result<Request, Error> {
    Ok(Request::post(path("/containers", id, "/start")?))
}

/// Tells the main process to end, and kills it after `grace`, rounded up to whole seconds.
pub(crate) fn stop(id: &str, grace: Duration) -> Result<Request, Error> {
    Ok(Request::post(
        path("/containers", id, "/stop")?.query("t", &seconds(grace)),
    ))
}

/// The same, and runs the main process again.
pub(crate) fn restart(id: &str, grace: Duration) -> Result<Request, Error> {
    Ok(Request::post(
        path("/containers", id, "/restart")?.query("t", &seconds(grace)),
    ))
}

/// Rounded up: engines take whole seconds.
fn seconds(grace: Duration) -> String {
    (grace.as_secs() + u64::from(grace.subsec_nanos() > 0)).to_string()
}

pub(crate) fn kill(id: &str, signal: Signal) -> Result<Request, Error> {
    Ok(Request::post(
        path("/containers", id, "/kill")?.query("signal", signal.name()),
    ))
}

pub(crate) fn pause(id: &str) -> Result<Request, Error> {
    Ok(Request::post(path("/containers", id, "/pause")?))
}

pub(crate) fn unpause(id: &str) -> Result<Request, Error> {
    Ok(Request::post(path("/containers", id, "/unpause")?))
}

/// Kills and removes it, with its anonymous volumes.
pub(crate) fn remove(id: &str) -> Result<Request, Error> {
    Ok(Request::delete(
        path("/containers", id, "")?.query("force", "1").query("v", "1"),
    ))
}

pub(crate) fn inspect(id: &str) -> Result<Request, Error> {
    Ok(Request::get(path("/containers", id, "/json")?))
}

/// Answers when the container ends next: never, if it has ended already.
pub(crate) fn wait(id: &str) -> Result<Request, Error> {
    Ok(Request::post(
        path("/containers", id, "/wait")?.query("condition", "next-exit"),
    ))
}

/// All containers of ours, running or not.
pub(crate) fn list_managed() -> Request {
    let filters = json!({ "label": [format!("{MANAGED}=true")] }).to_string();
    Request::get(
        Path::new("/containers/json")
            .query("all", "1")
            .query("filters", &filters),
    )
}

#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    #[serde(rename = "Id")]
    pub(crate) id: String,
    /// The id of its image.
    #[serde(rename = "ImageID", default)]
    pub(crate) image_id: Option<String>,
    /// With a slash before each.
    #[serde(rename = "Names", default)]
    names: Option<Vec<String>>,
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Listed {
    /// Whether its labels say that it is ours. They may be those of its image still: see `op::inherited`.
    pub(crate) fn is_ours(&self) -> bool {
        let names = self.names.as_deref().unwrap_or_default();
        let named = |name: &str| names.iter().any(|one| one.trim_start_matches('/') == name);
        self.label(MANAGED) == Some("true") && self.label(NAME).is_some_and(named)
    }

    /// One of its names.
    pub(crate) fn name(&self) -> &str {
        let first = self.names.iter().flatten().next();
        first.map_or(&self.id, |name| name.trim_start_matches('/'))
    }

    /// Whether it is one of ours whose program is dead.
    pub(crate) fn is_orphan(&self, host: &dyn Host) -> bool {
        let owner = self.label(OWNER).and_then(|text| text.parse::<Owner>().ok());
        self.is_ours() && owner.is_some_and(|owner| host.lives(&owner) == Some(false))
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.as_ref()?.get(name).map(String::as_str)
    }
}

/// An inspected container, as far as we look.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) id: String,
    pub(crate) state: Option<State>,
    pub(crate) config: Option<Config>,
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
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Waited {
    #[serde(rename = "StatusCode")]
    pub(crate) status_code: i64,
}
