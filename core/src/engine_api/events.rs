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

use serde::Deserialize;
use serde_json::json;

use super::EngineKind;
use super::objects::Objects;
use crate::http::{Path, Request};
use crate::limits::Limits;

/// What befell one container, or anything, up to this time of the epoch. Podman remembers nothing where that is not still
/// to come: it answers at the end of the second.
pub(crate) fn until(kind: EngineKind, container: Option<&str>, now: Duration) -> Request {
    let until = match kind {
        EngineKind::Docker => format!("{}.{:09}", now.as_secs(), now.subsec_nanos()),
        EngineKind::Podman => format!("{}", now.as_secs() + 1),
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

/// Those of this container, or of anything, that make sense.
pub(crate) fn read(container: Option<&str>, body: &[u8], limits: &Limits) -> Vec<Happened> {
    let mut objects = Objects::new(("event", "event bytes"), limits.line_bytes);
    let mut all = Vec::new();
    let _ = objects.push(body, &mut |object| {
        let event: Event = serde_json::from_slice(object).unwrap_or_default();
        let actor = event.actor.unwrap_or_default();
        if let (Some(action), true) = (event.action, container.is_none() || actor.id.as_deref() == container) {
            let attribute = |name: &str| actor.attributes.as_ref()?.get(name)?.parse().ok();
            all.push(Happened {
                action,
                exit_code: attribute("exitCode").or_else(|| attribute("containerExitCode")),
                signal: attribute("signal"),
            });
        }
        Ok(())
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_tell_of_an_end() {
        let id = Some("70ea");
        let docker = r#"{"status":"die","id":"70ea","Type":"container","Action":"die","Actor":{"ID":"70ea","Attributes":
            {"exitCode":"4","image":"busy:latest"}},"time":1795431286}
            {"Action":"kill","Actor":{"ID":"70ea","Attributes":{"signal":"9"}}}
            {"Action":"die","Actor":{"ID":"other","Attributes":{"exitCode":"1"}}}"#;
        let said = read(id, docker.as_bytes(), &Limits::default());
        let wanted = |action: &str, exit_code, signal| Happened {
            action: action.to_owned(),
            exit_code,
            signal,
        };
        assert_eq!(said, [wanted("die", Some(4), None), wanted("kill", None, Some(9))]);
        let podman =
            r#"{"Action":"die","Actor":{"ID":"70ea","Attributes":{"containerExitCode":"4","podId":""}}}{"Action":"#;
        assert_eq!(
            read(id, podman.as_bytes(), &Limits::default()),
            [wanted("die", Some(4), None)]
        );
        assert_eq!(read(id, b"no JSON", &Limits::default()), []);
    }
}
