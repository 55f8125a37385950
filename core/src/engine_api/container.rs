//! `/containers`: create, attach, start, stop, kill, pause, remove, inspect, wait, list.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::host_config::HostConfig;
use super::{EngineKind, path};
use crate::error::{ContainerError, Error};
use crate::http::{Path, Request};
use crate::protocol_error::ProtocolError;
use crate::runtime::{Host, Owner};
use crate::signal::Signal;
use crate::spec::{ContainerSpec, LABELS, check_name};

/// The main process of a container without one of its own: it ends when its standard input does, or at once when told
/// to, and reaps what is left over by others.
const LEASH: &str = "trap 'exit 0' TERM INT; exec 3<&0; cat <&3 >/dev/null & wait $!";

/// What all of them begin with.
const OURS: &str = "trap 'exit 0' TERM INT; ";

/// The main process of one that has no leash, where neither is to end.
const FOREVER: u64 = i32::MAX as u64;

/// The main process of a container without one of its own. Where it has so many seconds to live, whatever becomes of us,
/// it waits for those, and another process waits for the end of its input and tells it.
fn main_process(spec: &ContainerSpec) -> String {
    let lifetime = spec.lifetime.map(whole_seconds);
    match (spec.persistent, lifetime) {
        (false, None) => LEASH.to_owned(),
        (false, Some(seconds)) => format!(
            "trap 'exit 0' TERM INT; exec 3<&0; {{ cat <&3 >/dev/null; kill -TERM $$; }} & sleep {seconds} & wait $!"
        ),
        (true, lifetime) => format!(
            "trap 'exit 0' TERM INT; sleep {} & wait $!",
            lifetime.unwrap_or(FOREVER)
        ),
    }
}

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
/// It is not tied to its owner.
pub(crate) const PERSISTENT: &str = "pocket-dock.persistent";
pub(crate) const CREATED_AT: &str = "pocket-dock.created-at";

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
    labels.insert(CREATED_AT, &marks.created_at);
    labels.insert(OWNER, marks.owner.as_deref().unwrap_or(""));
    if spec.persistent {
        // An image that is made of it hands this on, and not the instance that goes with it.
        labels.insert(PERSISTENT, &marks.instance);
    }
    let main = main_process(spec);
    let (entrypoint, cmd) = match &spec.command {
        // The image's own entry point would be put before it.
        Some(words) => (
            Some(vec![words[0].as_str()]),
            words[1..].iter().map(String::as_str).collect(),
        ),
        None => (Some(vec!["/bin/sh"]), vec!["-c", &main]),
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
        open_stdin: !spec.persistent,
        stdin_once: !spec.persistent,
        attach_stdin: !spec.persistent,
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
    whole_seconds(grace).to_string()
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
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

/// Removes it unless it runs or is paused, with its anonymous volumes: the engine itself refuses then, whatever happened
/// since anybody looked.
pub(crate) fn remove_ended(id: &str) -> Result<Request, Error> {
    Ok(Request::delete(path("/containers", id, "")?.query("v", "1")))
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

#[derive(Debug, Clone, Deserialize)]
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
    #[serde(rename = "Image", default)]
    pub(crate) image: Option<String>,
    #[serde(rename = "State", default)]
    pub(crate) state: Option<String>,
    /// Seconds since 1970.
    #[serde(rename = "Created", default)]
    pub(crate) created: Option<i64>,
}

impl Listed {
    /// Whether its labels say that it is ours. They may be those of its image still: see `op::inherited`.
    pub(crate) fn is_ours(&self) -> bool {
        self.labels
            .as_ref()
            .and_then(|labels| own_name(labels, self.names()))
            .is_some()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(|name| name.trim_start_matches('/'))
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// What only it has, or its image and all that is made of that.
    pub(crate) fn instance(&self) -> &str {
        self.label(INSTANCE).unwrap_or_default()
    }

    /// Its name and its labels, if it is ours.
    pub(crate) fn into_ours(self) -> Option<(String, BTreeMap<String, String>)> {
        let name = own_name(self.labels.as_ref()?, self.names())?.to_owned();
        Some((name, self.labels.unwrap_or_default()))
    }

    /// Whether the program that made it is dead, and it should have ended with that.
    pub(crate) fn is_orphan(&self, host: &dyn Host) -> bool {
        let owner = self.label(OWNER).and_then(|text| text.parse::<Owner>().ok());
        let dead = owner.is_some_and(|owner| host.lives(&owner) == Some(false));
        // One that is meant to stay was made and never started, if it is in this state still.
        let is_new = matches!(self.state.as_deref(), Some("created" | "configured" | "initialized"));
        let stays = self.labels.as_ref().is_some_and(is_persistent) && !is_new;
        self.is_ours() && dead && !stays
    }
}

/// Which of these names is the one that the labels say it was made with, if they say that it is ours.
pub(crate) fn own_name<'a>(
    labels: &BTreeMap<String, String>,
    mut names: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let made_with = labels.get(NAME)?;
    let managed = labels.get(MANAGED).is_some_and(|text| text == "true");
    // What we make has an instance. What has none cannot be told from what its image handed on.
    let made = labels.get(INSTANCE).is_some_and(|instance| !instance.is_empty());
    names.find(|name| managed && made && name == made_with)
}

/// Whether these are the labels of one that stays, and are its own: those of its image may say so too.
pub(crate) fn is_persistent(labels: &BTreeMap<String, String>) -> bool {
    let instance = labels.get(INSTANCE).filter(|instance| !instance.is_empty());
    instance.is_some() && labels.get(PERSISTENT) == instance
}

/// An inspected container, as far as we look.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) id: String,
    /// With a slash before it.
    pub(crate) name: Option<String>,
    /// The id of its image.
    pub(crate) image: Option<String>,
    pub(crate) host_config: Option<InspectedHost>,
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
    pub(crate) cmd: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct InspectedHost {
    pub(crate) auto_remove: Option<bool>,
}

/// A container that is ours by its labels. They may be those of its image still: see `op::inherited`.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image_id: String,
    pub(crate) instance: String,
    pub(crate) auto_remove: bool,
    pub(crate) persistent: bool,
    pub(crate) own_main: bool,
}

/// A question about a container by its name or id, which is nothing else.
pub(crate) fn inspect_by(reference: &str) -> Result<Request, Error> {
    check_name(reference)?;
    inspect(reference)
}

impl Inspected {
    /// If it is ours by its labels, and was asked for by this name or id.
    pub(crate) fn ours(self, reference: &str) -> Result<Ours, Error> {
        let config = self.config.unwrap_or_default();
        let labels = config.labels.unwrap_or_default();
        let named = self.name.as_deref().unwrap_or_default().trim_start_matches('/');
        let meant = named == reference || self.id.starts_with(reference);
        let Some(name) = own_name(&labels, std::iter::once(named)).filter(|_| meant) else {
            let name = reference.to_owned();
            return Err(ContainerError::Foreign { name }.into());
        };
        if self
            .state
            .is_some_and(|state| state.status.as_deref() == Some("removing"))
        {
            let (name, message) = (name.to_owned(), "(it is being removed)".to_owned());
            return Err(ContainerError::Gone { name, message }.into());
        }
        Ok(Ours {
            name: name.to_owned(),
            id: self.id,
            image_id: self.image.unwrap_or_default(),
            instance: labels.get(INSTANCE).cloned().unwrap_or_default(),
            auto_remove: self.host_config.and_then(|host| host.auto_remove).unwrap_or(false),
            persistent: is_persistent(&labels),
            own_main: config.cmd.is_some_and(|cmd| is_main_of_ours(&cmd)),
        })
    }
}

/// Whether this is a main process of ours, and not one of the user's.
pub(crate) fn is_main_of_ours(cmd: &[String]) -> bool {
    matches!(cmd, [flag, script] if flag == "-c" && script.starts_with(OURS))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Waited {
    #[serde(rename = "StatusCode")]
    pub(crate) status_code: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(spec: &ContainerSpec) -> serde_json::Value {
        let marks = Marks {
            instance: "i".into(),
            created_at: "now".into(),
            owner: Some("1:2:b:3".into()),
        };
        let bytes = create(EngineKind::Docker, "pd-1", spec, &marks).unwrap().encode("");
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        serde_json::from_slice(&bytes[at + 4..]).unwrap()
    }

    #[test]
    fn the_leash_is_there_unless_it_is_to_stay() {
        let plain = body(&ContainerSpec::new("i"));
        assert_eq!(plain["Cmd"][1], LEASH);
        assert_eq!(plain["OpenStdin"], true);
        assert!(plain["Labels"][PERSISTENT].is_null());
        let stays = body(&ContainerSpec::new("i").persistent());
        for key in ["OpenStdin", "StdinOnce", "AttachStdin"] {
            assert_eq!(stays[key], false, "{key}");
        }
        assert_eq!(stays["Labels"][PERSISTENT], stays["Labels"][INSTANCE]);
        assert!(
            stays["Labels"][INSTANCE]
                .as_str()
                .is_some_and(|instance| !instance.is_empty())
        );
        assert_eq!(stays["HostConfig"]["AutoRemove"], false);
        assert_eq!(stays["Cmd"][1], "trap 'exit 0' TERM INT; sleep 2147483647 & wait $!");
    }

    #[test]
    fn a_lifetime_is_kept_by_the_main_process_in_whole_seconds() {
        let lifetime = |spec: ContainerSpec| {
            let spec = spec.lifetime(Duration::from_millis(2500));
            body(&spec)["Cmd"][1].as_str().unwrap().to_owned()
        };
        let leashed = lifetime(ContainerSpec::new("i"));
        assert!(
            leashed.ends_with("& sleep 3 & wait $!") && leashed.contains("cat <&3"),
            "{leashed}"
        );
        let stays = lifetime(ContainerSpec::new("i").persistent());
        assert_eq!(stays, "trap 'exit 0' TERM INT; sleep 3 & wait $!");
        for script in [LEASH, &leashed, &stays] {
            assert!(is_main_of_ours(&["-c".to_owned(), script.to_owned()]), "{script}");
        }
        assert!(!is_main_of_ours(&["-c".to_owned(), "make".to_owned()]));
    }

    #[test]
    fn labels_of_an_image_make_no_container_ours() {
        let labels = |managed: &str, name: &str| {
            let labels = [(MANAGED, managed), (NAME, name), (INSTANCE, "i1")];
            BTreeMap::from(labels.map(|(key, value)| (key.to_owned(), value.to_owned())))
        };
        assert_eq!(own_name(&labels("true", "a"), ["b", "a"].into_iter()), Some("a"));
        assert_eq!(own_name(&labels("true", "a"), ["b"].into_iter()), None);
        assert_eq!(own_name(&labels("no", "a"), ["a"].into_iter()), None);
        assert_eq!(own_name(&BTreeMap::new(), ["a"].into_iter()), None);
        // Without an instance, nothing tells them from those of the image.
        let mut handed = labels("true", "a");
        handed.remove(INSTANCE);
        assert_eq!(own_name(&handed, ["a"].into_iter()), None);
        handed.insert(INSTANCE.to_owned(), String::new());
        assert_eq!(own_name(&handed, ["a"].into_iter()), None);
    }
}
