//! The Engine API, as far as pocket-dock speaks it: one file per resource, each with its requests and its answers.
//!
//! Docker and Podman differ in statuses, texts and keys. What is decided by status class and parsed error is decided in
//! [`refusal`]; every field of an answer is optional, and `null` is an empty list.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::Path;
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

pub(crate) mod about;
pub(crate) mod archive;
pub(crate) mod container;
pub(crate) mod details;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod host_config;
pub(crate) mod image;
pub(crate) mod objects;
pub(crate) mod ports;
pub(crate) mod progress;
pub(crate) mod refusal;
pub(crate) mod settings;
pub(crate) mod stats;
pub(crate) mod system;
pub(crate) mod top;

/// Which engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineKind {
    /// Docker Engine, or one that says it is.
    Docker,
    /// Podman's service.
    Podman,
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
        })
    }
}

/// An engine that answered a ping: where, which, and how to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    inner: Arc<Inner>,
    /// Lives as long as anything may have to be asked of the engine.
    _keeper: Option<Arc<dyn Any + Send + Sync>>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    kind: EngineKind,
    prefix: String,
    limits: Limits,
    answer_limit: Duration,
    /// A removal was given up, as nothing answered: those behind it try once.
    lost: AtomicBool,
}

impl Target {
    pub(crate) fn new(
        endpoint: Endpoint,
        kind: EngineKind,
        prefix: String,
        limits: Limits,
        answer_limit: Duration,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                endpoint,
                kind,
                prefix,
                limits,
                // Limits are added to it.
                answer_limit: answer_limit.min(crate::limits::LONGEST),
                lost: AtomicBool::new(false),
            }),
            _keeper: None,
        }
    }

    /// Holds on to what keeps the engine running.
    pub(crate) fn kept_by(self, keeper: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            _keeper: Some(keeper),
            ..self
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn kind(&self) -> EngineKind {
        self.inner.kind
    }

    /// The version prefix of every path, such as `/v1.44`.
    pub(crate) fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Whether a removal was given up, as nothing answered, and no other has had an answer since.
    pub(crate) fn is_lost(&self) -> bool {
        self.inner.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn set_lost(&self, lost: bool) {
        self.inner.lost.store(lost, Ordering::Relaxed);
    }

    pub(crate) fn answer_limit(&self) -> Duration {
        self.inner.answer_limit
    }
}

/// `/{collection}/{id}{rest}`, with the id kept in its segment.
pub(crate) fn path(collection: &'static str, id: &str, rest: &'static str) -> Result<Path, Error> {
    let build = || -> Result<Path, ProtocolError> { Ok(Path::new(collection).segment(id)?.literal(rest)) };
    build().map_err(|error| Error::misuse(error.to_string()))
}

/// A time as engines write it. They write the year 1 where there is none.
pub(crate) fn time(text: &str) -> Option<SystemTime> {
    let time: jiff::Timestamp = text.parse().ok()?;
    (time > jiff::Timestamp::UNIX_EPOCH).then(|| time.into())
}

/// Reads a JSON answer.
pub(crate) fn json<'a, T: serde::Deserialize<'a>>(what: &'static str, body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let source = ProtocolError::Malformed {
            what: "JSON answer",
            detail: error.to_string(),
        };
        Error::protocol(what, source)
    })
}
