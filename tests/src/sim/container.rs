//! Containers and their states.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// How long a container that ended takes to remove itself.
pub(super) const REMOVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Running,
    Paused,
    Exited(i32),
    /// It removes itself.
    Removing(i32, Duration),
}

/// What the main process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Main {
    /// Ends with its input, or when told to.
    Leash,
    /// Ends when killed.
    Stubborn,
    /// Is not in the image.
    Missing,
}

#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) user: String,
    pub(super) memory: u64,
    pub(super) auto_remove: bool,
    pub(super) main: Main,
    pub(super) state: State,
    /// How often its input was attached.
    pub(super) leash: u64,
    /// The one that was attached last has ended.
    pub(super) stdin_ended: bool,
    /// How long the main process that is ours runs, and when it ends by itself.
    pub(super) lifetime: Option<Duration>,
    pub(super) ends: Option<Duration>,
    /// What was asked for beside what is modelled.
    pub(super) body: Value,
}

impl Container {
    /// Reads what a request to create one says.
    pub(super) fn new(id: String, name: String, body: &Value) -> Self {
        let words = |key: &str| {
            let list = body[key].as_array().cloned().unwrap_or_default();
            list.into_iter().filter_map(|word| word.as_str().map(str::to_owned))
        };
        let command: Vec<String> = words("Entrypoint").chain(words("Cmd")).collect();
        let main = match command.first().map(String::as_str) {
            Some("/bin/sh" | "sh") => Main::Leash,
            Some("sleep") => Main::Stubborn,
            _ => Main::Missing,
        };
        let labels = body["Labels"].as_object().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            id,
            name,
            image: text(&body["Image"]),
            labels: labels.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
            user: text(&body["User"]),
            memory: body["HostConfig"]["Memory"].as_u64().unwrap_or(0),
            auto_remove: body["HostConfig"]["AutoRemove"].as_bool().unwrap_or(false),
            main,
            state: State::Created,
            leash: 0,
            stdin_ended: false,
            lifetime: command.get(2).and_then(|script| lifetime(script)),
            ends: None,
            body: body.clone(),
        }
    }

    /// By its id, the beginning of it, or its name.
    pub(super) fn is_called(&self, reference: &str) -> bool {
        self.name == reference || (reference.len() >= 12 && self.id.starts_with(reference))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    pub(super) fn exit_code(&self) -> i32 {
        match self.state {
            State::Exited(code) | State::Removing(code, _) => code,
            State::Created | State::Running | State::Paused => 0,
        }
    }

    pub(super) fn end(&mut self, code: i32, now: Duration) {
        self.ends = None;
        if self.is_running() {
            self.state = if self.auto_remove {
                State::Removing(code, now + REMOVAL)
            } else {
                State::Exited(code)
            };
        }
    }

    pub(super) fn status(&self) -> &'static str {
        match self.state {
            State::Created => "created",
            State::Running => "running",
            State::Paused => "paused",
            State::Exited(_) => "exited",
            State::Removing(..) => "removing",
        }
    }

    pub(super) fn inspected(&self) -> Value {
        let state = json!({
            "Status": self.status(), "Running": self.is_running(), "Paused": self.state == State::Paused,
            "ExitCode": self.exit_code(), "OOMKilled": false, "Pid": if self.is_running() { 4242 } else { 0 },
        });
        json!({
            "Id": self.id, "Name": format!("/{}", self.name), "State": state, "Image": self.image,
            "Created": "2023-11-14T22:13:20.5Z",
            "Config": { "Labels": self.labels, "Image": self.image, "Cmd": self.body["Cmd"] },
            "HostConfig": { "AutoRemove": self.auto_remove, "Memory": self.memory },
        })
    }

    pub(super) fn listed(&self) -> Value {
        json!({
            "Id": self.id, "Names": [format!("/{}", self.name)], "Image": self.image, "Labels": self.labels,
            "State": self.status(), "Created": 1_700_000_000,
        })
    }
}

/// What a main process of ours says to `sleep`, behind which it ends.
fn lifetime(script: &str) -> Option<Duration> {
    let (_, rest) = script.split_once("sleep ")?;
    let seconds: u64 = rest.split(' ').next()?.parse().ok()?;
    // The longest there is means for ever.
    (seconds < i32::MAX as u64).then_some(Duration::from_secs(seconds))
}
