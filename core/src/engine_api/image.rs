//! `/images`, `/build` and `/commit`: list, inspect, build, load, import, commit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::path;
use crate::error::Error;
use crate::http::{Path, Request};
use crate::protocol_error::ProtocolError;

pub(crate) fn list() -> Request {
    Request::get(Path::new("/images/json"))
}

/// The body is a tar with a Dockerfile in it. A base image that is missing is pulled by the engine, if it can.
pub(crate) fn build(tag: &str) -> Request {
    let path = Path::new("/build")
        .query("t", tag)
        .query("rm", "1")
        .query("forcerm", "1");
    Request::post(path).chunked("application/x-tar")
}

/// The body is what `docker save` or `podman save` wrote.
pub(crate) fn load() -> Request {
    Request::post(Path::new("/images/load").query("quiet", "1")).chunked("application/x-tar")
}

/// The body is a tar of a root file system.
/// Podman 4 does not look at a `tag` beside the `repo`; all engines take both in one.
pub(crate) fn import(repository: &str, tag: &str, changes: &[String]) -> Request {
    let mut path = Path::new("/images/create")
        .query("fromSrc", "-")
        .query("repo", &format!("{repository}:{tag}"));
    for change in changes {
        path = path.query("changes", change);
    }
    Request::post(path).chunked("application/x-tar")
}

/// By name or id. The slashes of a name stay in its segment, escaped: engines take them so.
pub(crate) fn inspect(name: &str) -> Result<Request, Error> {
    Ok(Request::get(path("/images", name, "/json")?))
}

/// Makes an image of a container, which is frozen meanwhile. `changes` are lines as in a Dockerfile. Docker takes an entry
/// point without words in them for none that is said, and lets the container's stay: `no_entrypoint` says it in its other way.
pub(crate) fn commit(
    container: &str,
    repository: &str,
    tag: &str,
    changes: &[String],
    no_entrypoint: bool,
) -> Result<Request, ProtocolError> {
    let mut path = Path::new("/commit")
        .query("container", container)
        .query("repo", repository)
        .query("tag", tag)
        .query("pause", "1");
    for change in changes {
        path = path.query("changes", change);
    }
    if no_entrypoint {
        return Request::post(path).json(&serde_json::json!({ "Entrypoint": [] }));
    }
    // Podman 4 wants a body.
    Ok(Request::post(path).empty_json())
}

/// An image on the engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ImageSummary {
    /// Its id, `sha256:` and 64 hex digits.
    #[serde(rename = "Id")]
    pub id: String,
    /// Its names, as this engine writes them: Podman puts `docker.io/library/` or `localhost/` before short ones.
    #[serde(rename = "RepoTags", default, deserialize_with = "null_is_empty")]
    pub names: Vec<String>,
    /// Bytes on disk, layers shared with other images among them.
    #[serde(rename = "Size", default)]
    pub size: u64,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An id as Docker writes it: Podman leaves `sha256:` out here and there.
pub(crate) fn normal_id(id: &str) -> String {
    let id = id.trim();
    if id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        format!("sha256:{id}")
    } else {
        id.to_owned()
    }
}

/// An inspected image, as far as we look.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) config: Option<Config>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Committed {
    #[serde(rename = "Id")]
    pub(crate) id: String,
}
