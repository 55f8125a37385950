//! `/_ping` and `/version`: which engine it is, and which version of the API to speak.

use serde::Deserialize;

use super::EngineKind;
use crate::http::{Path, Request, ResponseHead};

/// The newest version of the API that this crate was tried with.
const NEWEST: Version = Version { major: 1, minor: 44 };
/// The oldest one.
const OLDEST: Version = Version { major: 1, minor: 40 };

pub(crate) fn ping() -> Request {
    Request::get(Path::new("/_ping"))
}

pub(crate) fn version() -> Request {
    Request::get(Path::new("/version"))
}

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

/// What a ping says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pong {
    pub(crate) kind: EngineKind,
    /// The engine's own version, such as `28.5.2`; empty if it does not say.
    pub(crate) version: String,
    api: Option<String>,
}

impl Pong {
    /// `None` if it is no engine that answered.
    pub(crate) fn parse(head: &ResponseHead) -> Option<Self> {
        let text = |name| {
            head.header(name)
                .map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let api = text("Api-Version");
        let libpod = text("Libpod-Api-Version");
        if head.status != 200 || (api.is_none() && libpod.is_none()) {
            return None;
        }
        let server = text("Server").unwrap_or_default();
        let of_server = server
            .split_once('/')
            .and_then(|(_, rest)| rest.split([' ', '+']).next())
            .unwrap_or_default();
        let kind = if libpod.is_some() {
            EngineKind::Podman
        } else {
            EngineKind::Docker
        };
        Some(Self {
            kind,
            version: libpod.unwrap_or_else(|| of_server.to_owned()),
            api,
        })
    }
}

/// The part of `/version` that the negotiation needs.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct About {
    #[serde(default, rename = "MinAPIVersion")]
    min_api: Option<String>,
}

/// The path prefix to use, or why there is none.
pub(crate) fn negotiate(pong: &Pong, about: &About) -> Result<String, String> {
    let engine = match pong.api.as_deref().map(Version::parse) {
        Some(Some(version)) => version,
        Some(None) => return Err(format!("it says an API version that is none: {:?}", pong.api)),
        None => OLDEST,
    };
    if engine < OLDEST {
        return Err(format!(
            "its API version {}.{} is older than 1.40; Docker 20.10 or Podman 4 is needed",
            engine.major, engine.minor
        ));
    }
    let least = about.min_api.as_deref().and_then(Version::parse).unwrap_or(OLDEST);
    let chosen = engine.min(NEWEST).max(least);
    Ok(format!("/v{}.{}", chosen.major, chosen.minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(api: &str, least: Option<&str>) -> Result<String, String> {
        let pong = Pong {
            kind: EngineKind::Docker,
            version: String::new(),
            api: Some(api.to_owned()),
        };
        negotiate(
            &pong,
            &About {
                min_api: least.map(str::to_owned),
            },
        )
    }

    #[test]
    fn the_highest_version_both_know() {
        assert_eq!(choose("1.41", Some("1.12")), Ok("/v1.41".to_owned()));
        assert_eq!(choose("1.51", Some("1.24")), Ok("/v1.44".to_owned()));
        assert_eq!(choose("1.52", Some("1.44")), Ok("/v1.44".to_owned()));
        assert_eq!(choose("1.60", Some("1.50")), Ok("/v1.50".to_owned()));
        assert!(choose("1.24", None).is_err());
        assert!(choose("banana", None).is_err());
    }
}
