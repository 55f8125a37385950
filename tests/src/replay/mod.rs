//! Recorded exchanges with real engines, and an engine that says what they said.

mod index;
mod peer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use pocket_dock_core::Limits;
use pocket_dock_core::http::{Event, Method, ResponseReader};

pub use index::{Framing, Index, Verdict};
pub use peer::Replay;

use crate::scripted::{Request, RequestReader};

/// The engines that were recorded.
pub const ENGINES: [&str; 4] = ["docker-20.10", "docker-28", "podman-4.3", "podman-5.8"];

/// Where the recordings are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings")
}

/// One recorded exchange: what was sent on one connection, and what came.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its name in the index.
    pub name: String,
    /// All that was sent.
    pub request: Vec<u8>,
    /// All that came.
    pub response: Vec<u8>,
}

impl Recording {
    /// One recording of one engine.
    ///
    /// # Errors
    /// It is not there.
    pub fn load(engine: &str, name: &str) -> io::Result<Self> {
        let read = |suffix: &str| {
            let path = folder().join(engine).join(format!("{name}.{suffix}"));
            fs::read(&path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        Ok(Self {
            name: name.to_owned(),
            request: read("req")?,
            response: read("resp")?,
        })
    }

    /// All recordings of one engine, by name.
    ///
    /// # Errors
    /// They are not there.
    pub fn all(engine: &str) -> io::Result<Vec<Self>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder().join(engine))? {
            let file = entry?.file_name();
            names.extend(
                file.to_str()
                    .and_then(|file| file.strip_suffix(".req"))
                    .map(str::to_owned),
            );
        }
        names.sort();
        names.iter().map(|name| Self::load(engine, name)).collect()
    }

    /// The requests that were sent, as far as they are any.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let mut received = BytesMut::from(&self.request[..]);
        let mut reader = RequestReader::default();
        let mut requests = Vec::new();
        while let Ok(Some(request)) = reader.next(&mut received) {
            let takes_the_connection = request.path.ends_with("/start") && request.path.starts_with("/exec/");
            requests.push(request);
            if takes_the_connection {
                break; // what follows is input of the command
            }
        }
        requests
    }

    /// For each response, the method and whether an upgrade was asked for. A request that is none has an answer too.
    #[must_use]
    pub fn expected(&self) -> Vec<(Method, bool)> {
        let mut expected: Vec<_> = self
            .requests()
            .iter()
            .map(|r| (method(&r.method), r.wants_upgrade()))
            .collect();
        if expected.is_empty() {
            expected.push((Method::Get, false));
        }
        expected
    }

    /// Whether the engine kept the connection open behind the responses.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        let mut received = BytesMut::from(&self.response[..]);
        self.expected().into_iter().all(|(method, upgrade)| {
            let mut reader = ResponseReader::new(&Limits::default(), method, upgrade);
            loop {
                match reader.next(&mut received, false) {
                    Ok(Some(Event::End { keep_alive })) => return keep_alive,
                    Ok(Some(Event::Head(_) | Event::Data(_))) => {}
                    Ok(Some(Event::Upgraded) | None) | Err(_) => return false,
                }
            }
        })
    }

    /// Whether the exec it started, if any, had a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        const TERMINAL: &[u8] = b"\"Tty\":true";
        self.requests()
            .iter()
            .any(|request| request.body.windows(TERMINAL.len()).any(|window| window == TERMINAL))
    }
}

fn method(name: &str) -> Method {
    match name {
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        _ => Method::Get,
    }
}
