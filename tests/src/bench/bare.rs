//! The floor: the engine's calls on raw sockets, written by hand, with nothing of pocket-dock between.
//!
//! As few connections as the protocol allows, as many as our own calls make: one per call, and what follows a stream needs
//! another.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Failure;
use crate::lab::{Peer, read_body, read_head};

/// No engine is silent for so long while it works.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is read at a time from a stream.
const READ_BYTES: usize = 64 * 1024;
/// The main process of our containers, so that both have the same to start and to end.
const MAIN: &str = "trap 'exit 0' TERM INT; exec 3<&0; cat <&3 >/dev/null & wait $!";

/// A connection for one request after the other.
pub(super) struct Wire(BufReader<UnixStream>);

impl Wire {
    pub(super) fn dial(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, method: &str, path: &str, upgrade: bool, body: &str) -> Result<(), Failure> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        if upgrade {
            request.push_str("Connection: Upgrade\r\nUpgrade: tcp\r\n");
        }
        if method == "POST" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        if !body.is_empty() {
            request.push_str("Content-Type: application/json\r\n");
        }
        request.push_str("\r\n");
        request.push_str(body);
        Ok(self.0.get_mut().write_all(request.as_bytes())?)
    }

    /// The status and the whole body.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, Vec<u8>), Failure> {
        self.send(method, path, false, body)?;
        let head = read_head(&mut self.0)?;
        Ok((head.status, read_body(&head, &mut self.0)?))
    }

    /// The JSON of an answer that must be a success.
    pub(super) fn expect(&mut self, method: &str, path: &str, body: &str) -> Result<Value, Failure> {
        match self.ask(method, path, body)? {
            (200..=299, body) => Ok(serde_json::from_slice(&body).unwrap_or(Value::Null)),
            (status, why) => Err(refused(method, path, status, &why)),
        }
    }

    /// Makes a stream of the connection.
    fn upgrade(mut self, path: &str, body: &str) -> Result<Stream, Failure> {
        self.send("POST", path, true, body)?;
        let head = read_head(&mut self.0)?;
        if !matches!(head.status, 101 | 200) {
            return Err(refused("POST", path, head.status, &read_body(&head, &mut self.0)?));
        }
        let early = self.0.buffer().len() as u64;
        Ok(Stream {
            socket: self.0.into_inner(),
            early,
        })
    }

    /// Sends an archive that is there.
    pub(super) fn put(mut self, path: &str, archive: &Path) -> Result<(), Failure> {
        let mut archive = File::open(archive)?;
        let length = archive.metadata()?.len();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-tar\r\nContent-Length: {length}\r\n\r\n"
        );
        let socket = self.0.get_mut();
        socket.write_all(head.as_bytes())?;
        pour(&mut archive, socket)?;
        let head = read_head(&mut self.0)?;
        match head.status {
            200..=299 => Ok(()),
            status => Err(refused("PUT", path, status, &read_body(&head, &mut self.0)?)),
        }
    }

    /// Writes an answer's body to a file just as it comes, chunks' sizes and all.
    pub(super) fn get(mut self, path: &str, to: &Path) -> Result<(), Failure> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.0.get_mut().write_all(head.as_bytes())?;
        let head = read_head(&mut self.0)?;
        if !matches!(head.status, 200..=299) {
            return Err(refused("GET", path, head.status, &read_body(&head, &mut self.0)?));
        }
        let mut file = File::create(to)?;
        file.write_all(self.0.buffer())?;
        pour(self.0.get_mut(), &mut file)
    }

    /// Makes an exec; gives its id.
    pub(super) fn exec(&mut self, container: &str, stdin: bool, command: &[&str]) -> Result<String, Failure> {
        let ask = json!({ "AttachStdin": stdin, "AttachStdout": true, "AttachStderr": true, "Cmd": command });
        let made = self.expect("POST", &format!("/containers/{container}/exec"), &ask.to_string())?;
        id(&made)
    }

    /// Starts an exec on this connection.
    pub(super) fn start(self, exec: &str) -> Result<Stream, Failure> {
        self.upgrade(&format!("/exec/{exec}/start"), r#"{"Detach":false,"Tty":false}"#)
    }

    /// How an exec has ended.
    pub(super) fn exit_code(&mut self, exec: &str) -> Result<Option<i64>, Failure> {
        let seen = self.expect("GET", &format!("/exec/{exec}/json"), "")?;
        Ok(seen["ExitCode"].as_i64().filter(|_| seen["Running"] == false))
    }

    /// Asks until the engine knows no such container.
    pub(super) fn until_gone(&mut self, container: &str) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        let path = format!("/containers/{container}/json");
        while self.ask("GET", &path, "")?.0 != 404 {
            super::check(Instant::now() < until, || format!("{container} is still there"))?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// To the end.
fn pour(from: &mut impl Read, to: &mut impl Write) -> Result<(), Failure> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn id(made: &Value) -> Result<String, Failure> {
    Ok(made["Id"]
        .as_str()
        .ok_or("something was made without an id")?
        .to_owned())
}

fn refused(method: &str, path: &str, status: u16, why: &[u8]) -> Failure {
    let why = String::from_utf8_lossy(why);
    format!("the engine refuses {method} {path}: {status} {}", why.trim()).into()
}

/// The raw stream of an attach or an exec.
pub(super) struct Stream {
    socket: UnixStream,
    /// Bytes that came with the head.
    early: u64,
}

impl Stream {
    /// Reads to the end; gives the bytes of the stream, its frames' headers included.
    pub(super) fn drain(mut self) -> Result<u64, Failure> {
        let (mut buffer, mut count) = (vec![0; READ_BYTES], self.early);
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(count),
                Ok(more) => count += more as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes a question, and reads an answer of so many bytes, its frames' headers included.
    pub(super) fn ask(&mut self, question: &[u8], answer: usize) -> Result<Vec<u8>, Failure> {
        self.socket.write_all(question)?;
        let mut answered = vec![0; answer];
        self.socket.read_exact(&mut answered)?;
        Ok(answered)
    }

    /// Writes from one thread, and reads in another and keeps what comes, frames' headers and all.
    pub(super) fn both_ways(mut self, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut out = self.socket.try_clone()?;
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || out.write_all(input).and_then(|()| out.shutdown(Shutdown::Write)));
            let mut kept = Vec::new();
            let read = self.socket.read_to_end(&mut kept);
            writer.join().map_err(|_| "the writer panicked")??;
            read?;
            Ok(kept)
        })
    }
}

/// A container made the bare way, just like one of ours. It is removed when it is dropped.
pub(super) struct Bare {
    pub(super) id: String,
    /// Holds its standard input, as ours is held.
    leash: Option<Stream>,
    peer: Peer,
    ended: bool,
}

impl Bare {
    /// Creates, attaches, starts.
    pub(super) fn create(peer: &Peer, name: &str, body: &str) -> Result<Self, Failure> {
        let mut wire = Wire::dial(peer.socket())?;
        let made = wire.expect("POST", &format!("/containers/create?name={name}"), body)?;
        let mut bare = Self {
            id: id(&made)?,
            leash: None,
            peer: peer.clone(),
            ended: false,
        };
        bare.leash = Some(wire.upgrade(&format!("/containers/{}/attach?stream=1&stdin=1", bare.id), "")?);
        let path = format!("/containers/{}/start", bare.id);
        Wire::dial(peer.socket())?.expect("POST", &path, "")?;
        Ok(bare)
    }

    /// It is known to be gone.
    pub(super) fn is_gone(&mut self) {
        self.ended = true;
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.leash.take());
        if !self.ended {
            // What cannot be removed here is tried again when the row has ended, and reported then.
            let _ = self.peer.remove(&self.id);
        }
    }
}

/// The body of the request for a container like ours.
pub(super) fn container(image: &str, labels: &Value) -> String {
    json!({
        "Image": image, "Entrypoint": ["/bin/sh"], "Cmd": ["-c", MAIN], "Env": [], "Labels": labels,
        "OpenStdin": true, "StdinOnce": true, "AttachStdin": true,
        "HostConfig": { "AutoRemove": true, "NetworkMode": "none" },
    })
    .to_string()
}
