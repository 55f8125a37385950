//! What tests and the lab ask a [`Peer`]: containers, images, processes.

use serde_json::{Value, json};

use super::error::{Error, Result};
use super::peer::{Peer, encode};

/// The label that every container made by pocket-dock has.
const OURS: &str = "pocket-dock.managed";

/// What a command printed on both streams, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code.
    pub code: i64,
    /// Everything written to stdout.
    pub stdout: Vec<u8>,
    /// Everything written to stderr.
    pub stderr: Vec<u8>,
}

impl Peer {
    /// Asks whether the engine answers at all.
    ///
    /// # Errors
    /// When it does not.
    pub fn ping(&self) -> Result<()> {
        self.expect("GET", "/_ping", &Value::Null).map(|_| ())
    }

    /// The engine's own description of its version (`Version`, `ApiVersion`, …).
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn version(&self) -> Result<Value> {
        self.expect("GET", "/version", &Value::Null)
    }

    /// The containers as the engine lists them: running ones or all, with a label (`key` or `key=value`) or any.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn containers(&self, all: bool, label: Option<&str>) -> Result<Vec<Value>> {
        let mut path = format!("/containers/json?all={}", u8::from(all));
        if let Some(label) = label {
            path.push_str(&format!(
                "&filters={}",
                encode(&json!({ "label": [label] }).to_string())
            ));
        }
        match self.expect("GET", &path, &Value::Null)? {
            Value::Array(list) => Ok(list),
            _ => Ok(Vec::new()),
        }
    }

    /// Everything the engine knows of a container, or `None` if it has no such container.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn inspect(&self, name: &str) -> Result<Option<Value>> {
        self.find(&format!("/containers/{}/json", encode(name)))
    }

    /// Everything the engine knows of an image, or `None` if it has no such image.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn image(&self, name: &str) -> Result<Option<Value>> {
        self.find(&format!("/images/{name}/json"))
    }

    /// The processes of a running container, one line each, as the engine's `top` prints them.
    ///
    /// Podman 4 runs the image's own `ps` for that, and says nothing at all if it has none: to be certain, ask the
    /// kernel with [`Engine::processes`](super::Engine::processes).
    ///
    /// # Errors
    /// When the engine does not answer or refuses (the container does not run).
    pub fn processes(&self, name: &str) -> Result<Vec<String>> {
        let answer = self.expect("GET", &format!("/containers/{}/top", encode(name)), &Value::Null)?;
        let rows = answer["Processes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let line = |row: &Value| {
            let cells = row.as_array().map(Vec::as_slice).unwrap_or_default();
            cells.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        };
        Ok(rows.iter().map(line).collect())
    }

    /// Creates and starts a container from the body of a create request; returns its id.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn start(&self, create: &Value) -> Result<String> {
        let made = self.expect("POST", "/containers/create", create)?;
        let id = made["Id"]
            .as_str()
            .ok_or_else(|| Error::new("a container was made without an id", ""))?;
        self.expect("POST", &format!("/containers/{id}/start"), &Value::Null)?;
        Ok(id.to_owned())
    }

    /// Runs a command in a running container and waits for its end.
    ///
    /// # Errors
    /// When the engine does not answer or refuses, or the stream is cut off.
    pub fn exec(&self, name: &str, command: &[&str]) -> Result<Outcome> {
        let ask = json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": command });
        let made = self.expect("POST", &format!("/containers/{}/exec", encode(name)), &ask)?;
        let id = made["Id"]
            .as_str()
            .ok_or_else(|| Error::new("an exec was made without an id", ""))?;
        let start = json!({ "Detach": false, "Tty": false }).to_string();
        let path = format!("/exec/{id}/start");
        let (status, stream) = self.request("POST", &path, start.as_bytes())?;
        if status >= 300 {
            return Err(refused("POST", &path, status, &stream));
        }
        let (stdout, stderr) = split(&stream).ok_or_else(|| Error::new("the exec's stream is cut off", ""))?;
        let after = self.expect("GET", &format!("/exec/{id}/json"), &Value::Null)?;
        Ok(Outcome {
            code: after["ExitCode"].as_i64().unwrap_or(-1),
            stdout,
            stderr,
        })
    }

    /// Kills and removes a container with its anonymous volumes. It need not be there.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn remove(&self, name: &str) -> Result<()> {
        let name = encode(name);
        // Podman 5 asks politely first, for ten seconds, even when the removal is forced.
        self.request("POST", &format!("/containers/{name}/kill"), b"")?;
        let path = format!("/containers/{name}?force=1&v=1");
        match self.request("DELETE", &path, b"")? {
            (200..=299 | 404, _) => Ok(()),
            (409, why) if String::from_utf8_lossy(&why).contains("already in progress") => Ok(()),
            (status, why) => Err(refused("DELETE", &path, status, &why)),
        }
    }

    /// Removes every container that pocket-dock made and nothing else; returns how many there were.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub fn remove_all_of_ours(&self) -> Result<usize> {
        let ours = self.containers(true, Some(OURS))?;
        for container in &ours {
            if let Some(id) = container["Id"].as_str() {
                self.remove(id)?;
            }
        }
        Ok(ours.len())
    }

    fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.request("GET", path, b"")? {
            (200..=299, body) => Ok(Some(parse(&body))),
            (404, _) => Ok(None),
            (status, why) => Err(refused("GET", path, status, &why)),
        }
    }

    fn expect(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        match self.request(method, path, body.as_bytes())? {
            (200..=299, body) => Ok(parse(&body)),
            (status, why) => Err(refused(method, path, status, &why)),
        }
    }
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

fn refused(method: &str, path: &str, status: u16, why: &[u8]) -> Error {
    let why = String::from_utf8_lossy(why);
    Error::new(
        format!("the engine refuses {method} {path}: {status} {}", why.trim()),
        "",
    )
}

/// Takes an attach stream apart: frames of an 8-byte header (stream number, three zeros, length) and the payload.
fn split(mut stream: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while !stream.is_empty() {
        let (header, rest) = stream.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        if header[0] == 2 { &mut stderr } else { &mut stdout }.extend_from_slice(payload);
        stream = rest;
    }
    Some((stdout, stderr))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn takes_streams_apart() {
        let stream = b"\x01\0\0\0\0\0\0\x02hi\x02\0\0\0\0\0\0\x01!\x01\0\0\0\0\0\0\0";
        assert_eq!(split(stream), Some((b"hi".to_vec(), b"!".to_vec())));
        assert_eq!(split(b""), Some((Vec::new(), Vec::new())));
        assert_eq!(split(&stream[..9]), None);
        assert_eq!(split(&stream[..3]), None);
    }
}
