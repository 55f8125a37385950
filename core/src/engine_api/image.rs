//! `/images` and `/build`: list, build, load, import.

use serde::Deserialize;

use crate::error::Error;
use crate::http::{Path, Request};

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

/// `repository[:tag]` in its two parts. The colon of a registry's port is not taken for the tag's.
pub(crate) fn split_name(name: &str) -> Result<(&str, &str), Error> {
    if name.contains('@') {
        return Err(Error::misuse(format!(
            "the image name {name:?} has a digest, which cannot be chosen: leave it out"
        )));
    }
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    };
    let lower = repository
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c));
    let tag_fits = tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if repository.is_empty() || tag.is_empty() || !lower || !tag_fits {
        return Err(Error::misuse(format!(
            "the image name {name:?} cannot be used: it is `repository` or `repository:tag`, and the repository has lower \
             case letters, digits, `.`, `_`, `-` and `/` only"
        )));
    }
    Ok((repository, tag))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_tag_and_not_at_the_port() {
        assert_eq!(split_name("a/b").ok(), Some(("a/b", "latest")));
        assert_eq!(split_name("a/b:1.2").ok(), Some(("a/b", "1.2")));
        assert_eq!(
            split_name("localhost:5000/img").ok(),
            Some(("localhost:5000/img", "latest"))
        );
        assert_eq!(
            split_name("localhost:5000/img:x").ok(),
            Some(("localhost:5000/img", "x"))
        );
        for wrong in ["", ":x", "a:", "A/b", "a b", "a@sha256:12"] {
            assert!(split_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
