//! `/events`: what befell a container, as far as the engine remembers.
//!
//! | | Docker | Podman |
//! |---|---|---|
//! | kept | the last 256 of all, while it runs | in a file or the journal |
//! | its end | `die` with `exitCode` | `die` with `containerExitCode` |
//! | its removal | `destroy` | `remove` |
//! | out of memory | `oom`, also for a command in it | nothing |
//! | killed | `kill` with `signal` | `kill`, without |
//! | told to stop | `kill` with `signal`, and `stop` | nothing |
//! | removed by force | `kill` with `signal` | `stop` now and then |

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::EngineKind;
use super::objects::Objects;
use crate::http::{Path, Request, Sink};
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

/// How far ahead the end is that Podman is given.
const AHEAD: u64 = 5;

/// What befell one container, or anything, up to this time of the epoch. Podman remembers nothing if that has passed when
/// it looks, so it is given an end that is to come, and goes on until then.
pub(crate) fn until(kind: EngineKind, container: Option<&str>, now: Duration) -> Request {
    let until = match kind {
        EngineKind::Docker => format!("{}.{:09}", now.as_secs(), now.subsec_nanos()),
        EngineKind::Podman => format!("{}", now.as_secs() + AHEAD),
    };
    let path = Path::new("/events").query("since", "0").query("until", &until);
    Request::get(match container {
        Some(id) => {
            let filters = json!({ "type": ["container"], "container": [id] }).to_string();
            path.query("filters", &filters)
        }
        None => path,
    })
}

/// One thing that befell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub(crate) action: String,
    pub(crate) exit_code: Option<i64>,
    pub(crate) signal: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "Action")]
    action: Option<String>,
    #[serde(rename = "Actor")]
    actor: Option<Actor>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Actor {
    #[serde(rename = "ID")]
    id: Option<String>,
    #[serde(rename = "Attributes")]
    attributes: Option<BTreeMap<String, String>>,
}

/// What is heard of this container, or of anything, as it comes. What makes no sense is left out.
#[derive(Debug)]
pub(crate) struct Heard {
    container: Option<String>,
    objects: Objects,
    pub(crate) all: Vec<Happened>,
}

impl Heard {
    pub(crate) fn new(container: Option<&str>, limits: &Limits) -> Self {
        Self {
            container: container.map(str::to_owned),
            objects: Objects::new(("event", "event bytes"), limits.line_bytes),
            all: Vec::new(),
        }
    }

    /// Whether it has started and died, and not started since.
    pub(crate) fn knows_the_end(&self) -> bool {
        let last = |action: &str| self.all.iter().rposition(|one| one.action == action);
        last("start").is_some_and(|start| last("die").is_some_and(|die| die > start))
    }
}

impl Sink for Heard {
    fn take(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        let Self {
            container,
            objects,
            all,
        } = self;
        objects.push(&data, &mut |object| {
            let event: Event = serde_json::from_slice(object).unwrap_or_default();
            let actor = event.actor.unwrap_or_default();
            if let (Some(action), true) = (event.action, container.is_none() || actor.id == *container) {
                let attribute = |name: &str| actor.attributes.as_ref()?.get(name)?.parse().ok();
                all.push(Happened {
                    action,
                    exit_code: attribute("exitCode").or_else(|| attribute("containerExitCode")),
                    signal: attribute("signal"),
                });
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(container: Option<&str>, text: &'static str) -> Heard {
        let mut heard = Heard::new(container, &Limits::default());
        for piece in text.as_bytes().chunks(7) {
            let _ = heard.take(Bytes::from_static(piece));
        }
        heard
    }

    #[test]
    fn both_engines_tell_of_an_end() {
        let id = Some("70ea");
        let docker = r#"{"status":"die","id":"70ea","Type":"container","Action":"die","Actor":{"ID":"70ea","Attributes":
            {"exitCode":"4","image":"busy:latest"}},"time":1795431286}
            {"Action":"kill","Actor":{"ID":"70ea","Attributes":{"signal":"9"}}}
            {"Action":"die","Actor":{"ID":"other","Attributes":{"exitCode":"1"}}}"#;
        let wanted = |action: &str, exit_code, signal| Happened {
            action: action.to_owned(),
            exit_code,
            signal,
        };
        let said = heard(id, docker);
        assert_eq!(said.all, [wanted("die", Some(4), None), wanted("kill", None, Some(9))]);
        assert!(!said.knows_the_end());
        assert_eq!(heard(None, docker).all.len(), 3);
        let podman = r#"{"Action":"start","Actor":{"ID":"70ea"}}
            {"Action":"die","Actor":{"ID":"70ea","Attributes":{"containerExitCode":"4","podId":""}}}{"Action":"#;
        let said = heard(id, podman);
        assert_eq!(said.all, [wanted("start", None, None), wanted("die", Some(4), None)]);
        assert!(said.knows_the_end());
        assert_eq!(heard(id, "no JSON").all, []);
    }
}
