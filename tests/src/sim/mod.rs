//! A small, honest model of an engine: Docker's or Podman's answers, and commands that run in fake time.
//!
//! ```text
//!   Wire (one per connection) ──► routes ──► Engine { containers, execs, images }
//!     │ Http · Exec · Leash · Wait              time: `advance(now)` lets everything happen that is due
//!     └ Drop: the client went away; a leash ends its container, an exec's command lives on
//! ```
//!
//! Known commands are `echo`, `cat`, `exit`, `fail`, `true`, `false`, `sleep` and `emit`; a test adds others by
//! [`Sim::command`]. Images are `busybox`, and `distroless` without a shell.

mod answer;
mod behaviour;
mod connection;
mod container;
mod engine;
mod exec;
mod fault;
mod routes;
mod session;

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_dock_core::{Endpoint, EngineKind};

pub use behaviour::{Behaviour, emitted};
pub use fault::{Fault, Faulty};
pub use session::{Cut, Said, Saying, Talk, Told};

use crate::scripted::{Connection, Peer, Request, locked};
use engine::Engine;

/// The simulated engine. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Sim(Arc<Mutex<Engine>>);

/// What an engine that is not itself answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// These bytes; the connection stays open.
    Open(Vec<u8>),
    /// The first bytes, and so much later the second ones, which nobody asked for. Nothing is answered meanwhile.
    OpenThen(Vec<u8>, Duration, Vec<u8>),
    /// These bytes, and the end of the connection.
    Close(Vec<u8>),
    /// It does what was asked, answers with these bytes, and ends the connection.
    DoneThenClose(Vec<u8>),
    /// The first bytes, then the second ones over and over.
    Endless(Vec<u8>, Vec<u8>),
    /// Nothing.
    Silence,
    /// Nothing; what was asked is done so much later.
    DoneAfter(Duration),
}

/// Which request a [`Reply`] is for.
#[derive(Debug)]
struct Matcher {
    method: String,
    ending: String,
}

impl Matcher {
    fn matches(&self, request: &Request) -> bool {
        request.method == self.method && request.path.ends_with(&self.ending)
    }
}

impl Sim {
    /// An engine of this kind without containers.
    #[must_use]
    pub fn new(kind: EngineKind) -> Self {
        Self(Arc::new(Mutex::new(Engine::new(answer::Writer(kind)))))
    }

    /// Says what a command line, or a program with its arguments, does.
    pub fn command(&self, line: &str, behaviour: Behaviour) {
        locked(&self.0).commands.insert(line.to_owned(), behaviour);
    }

    /// What stands in for the shell of the next session that has none. Without any, a session finds no shell.
    pub fn talk(&self, talk: impl Talk + 'static) {
        locked(&self.0).talks.push_back(Box::new(talk));
    }

    /// Where the streams of the sessions to come are cut.
    pub fn cut(&self, cut: Cut) {
        locked(&self.0).cut = cut;
    }

    /// How many bytes the last session's stream has had so far.
    #[must_use]
    pub fn session_bytes(&self) -> usize {
        let engine = locked(&self.0);
        let mut sessions = engine.execs.iter().rev().filter(|exec| exec.is_session());
        sessions
            .find_map(|exec| Some(exec.process.as_ref()?.cutting.bytes))
            .unwrap_or(0)
    }

    /// Somebody else kills the shell of each session.
    pub fn kill_shells(&self) {
        let mut engine = locked(&self.0);
        let now = engine.now;
        for process in engine.execs.iter_mut().filter_map(|exec| exec.process.as_mut()) {
            if process.shell.is_some() && process.is_running() {
                let what = Saying::Exits(137);
                process.say(
                    vec![Said {
                        after: Duration::ZERO,
                        what,
                    }],
                    now,
                );
            }
        }
        engine.advance(now);
    }

    /// Forgets what was asked, and the commands that are over.
    pub fn forget(&self) {
        let mut engine = locked(&self.0);
        engine.requests.clear();
        engine
            .execs
            .retain(|exec| exec.process.as_ref().is_none_or(|process| !process.closed));
    }

    /// Answers the next request with this method, whose path ends so, in another way. Once.
    pub fn reply(&self, method: &str, ending: &str, reply: Reply) {
        let matcher = Matcher {
            method: method.to_owned(),
            ending: ending.to_owned(),
        };
        locked(&self.0).replies.push((matcher, reply));
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.0).requests.clone()
    }

    /// How many requests with this method had a path that ends so.
    #[must_use]
    pub fn count(&self, method: &str, ending: &str) -> usize {
        let matcher = Matcher {
            method: method.to_owned(),
            ending: ending.to_owned(),
        };
        locked(&self.0)
            .requests
            .iter()
            .filter(|request| matcher.matches(request))
            .count()
    }

    /// The containers there are, by name, in the time of the last event.
    #[must_use]
    pub fn containers(&self) -> Vec<String> {
        locked(&self.0)
            .containers
            .iter()
            .map(|container| container.name.clone())
            .collect()
    }

    /// How many commands run.
    #[must_use]
    pub fn running(&self) -> usize {
        let engine = locked(&self.0);
        engine
            .execs
            .iter()
            .filter(|exec| exec.process.as_ref().is_some_and(exec::Process::is_running))
            .count()
    }

    /// Bytes of input that were sent too early and lost.
    #[must_use]
    pub fn lost_input(&self) -> usize {
        locked(&self.0).lost_input
    }

    /// Somebody else makes a container, with these labels, and starts it.
    pub fn add(&self, name: &str, labels: &[(&str, &str)]) {
        self.add_of("busybox", name, labels);
    }

    /// Somebody else makes a container of an image that has these labels, and starts it.
    pub fn add_of_labelled(&self, image: &str, name: &str, labels: &[(&str, &str)]) {
        let own = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        locked(&self.0).image_labels.insert(image.to_owned(), own.collect());
        self.add_of(image, name, labels);
    }

    fn add_of(&self, image: &str, name: &str, labels: &[(&str, &str)]) {
        let mut engine = locked(&self.0);
        let labels: serde_json::Map<String, serde_json::Value> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).into()))
            .collect();
        let body = serde_json::json!({ "Image": image, "Cmd": ["sleep"], "Labels": labels });
        let id = engine.new_id();
        let mut container = container::Container::new(id, name.to_owned(), &body);
        container.state = container::State::Running;
        engine.containers.push(container);
    }

    /// Somebody else says what becomes of the main process of a container: it ends, and the container stays.
    pub fn end(&self, name: &str) {
        let mut engine = locked(&self.0);
        if let Some(container) = engine.container(name) {
            container.state = container::State::Exited(1);
        }
    }

    /// Somebody else removes an image.
    pub fn remove_image(&self, name: &str) {
        locked(&self.0).images.retain(|(known, _)| known != name);
    }

    /// What was asked for when a container was made.
    #[must_use]
    pub fn spec_of(&self, name: &str) -> Option<serde_json::Value> {
        locked(&self.0).container(name).map(|container| container.body.clone())
    }

    /// Somebody else removes all containers.
    pub fn remove_all(&self) {
        locked(&self.0).containers.clear();
    }

    /// The main processes of all containers end, and the containers stay.
    pub fn end_all(&self) {
        for container in &mut locked(&self.0).containers {
            container.state = container::State::Exited(1);
        }
    }

    /// Lets the time pass until nothing more happens by itself.
    pub fn settle(&self) {
        let mut engine = locked(&self.0);
        while let Some(next) = engine.next_event() {
            engine.advance(next);
        }
    }
}

impl Peer for Sim {
    fn connect(&mut self, _: &Endpoint, now: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        locked(&self.0).advance(now);
        Ok(Box::new(connection::Wire::new(Arc::clone(&self.0))))
    }

    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        let mut engine = locked(&self.0);
        engine.advance(now);
        engine.next_event()
    }
}
