//! A second opinion about an engine: a small HTTP client that shares no code with the library under test.
//!
//! One connection per request, `Connection: close`, everything in memory, one deadline for the whole exchange.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{Error, Result};

const LONGEST_LINE: u64 = 64 * 1024;

/// Answers in place of the socket, or listens to what it answers.
pub trait Oracle: Debug + Send + Sync {
    /// The answer to one request.
    ///
    /// # Errors
    /// As [`Peer::request`].
    fn request(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)>;
}

/// A client of one engine's socket.
#[derive(Debug, Clone)]
pub struct Peer {
    socket: PathBuf,
    patience: Duration,
    oracle: Option<Arc<dyn Oracle>>,
}

impl Peer {
    /// A client of the engine that listens on `socket`, with 60 seconds for each exchange.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            patience: Duration::from_secs(60),
            oracle: None,
        }
    }

    /// The same client, asking this oracle and not the socket.
    #[must_use]
    pub fn with_oracle(mut self, oracle: impl Oracle + 'static) -> Self {
        self.oracle = Some(Arc::new(oracle));
        self
    }

    /// The same client with another limit for each exchange.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The socket this client talks to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends one request and returns the status and the whole body, chunks joined. A non-empty `body` is sent as JSON.
    ///
    /// Upgrades are not asked for; the output of an attach or exec-start is the raw stream to its end.
    ///
    /// # Errors
    /// When the engine cannot be reached, does not answer in time, or answers something that is not HTTP.
    /// An answer with an error status is not an error here.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        if let Some(oracle) = &self.oracle {
            return oracle.request(method, path, body);
        }
        let length = body.len() as u64;
        self.exchange(method, path, "application/json", length, body)
            .map_err(|cause| self.failed(method, path, &cause))
    }

    /// The same with a file as the body, sent as a tar archive.
    ///
    /// # Errors
    /// As [`Peer::request`], and when the file cannot be read.
    pub fn upload(&self, method: &str, path: &str, file: &Path) -> Result<(u16, Vec<u8>)> {
        let open = || File::open(file).and_then(|open| Ok((open.metadata()?.len(), open)));
        let (length, open) = open().map_err(|cause| Error::file("read", file, &cause))?;
        self.exchange(method, path, "application/x-tar", length, open)
            .map_err(|cause| self.failed(method, path, &cause))
    }

    fn failed(&self, method: &str, path: &str, cause: &io::Error) -> Error {
        Error::new(
            format!("{method} {path} on {}: {cause}", self.socket.display()),
            "see whether the engine runs (cargo lab status) and what its log says",
        )
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        length: u64,
        mut body: impl Read,
    ) -> io::Result<(u16, Vec<u8>)> {
        let stream = UnixStream::connect(&self.socket)?;
        let deadline = Instant::now() + self.patience;
        let mut out = Timed {
            stream: stream.try_clone()?,
            deadline,
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        if length > 0 || method != "GET" {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        if length > 0 {
            head.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        head.push_str("\r\n");
        let sent = out
            .write_all(head.as_bytes())
            .and_then(|()| io::copy(&mut body, &mut out));
        match sent {
            // An engine that refuses early closes its side: its answer says why.
            Err(cause) if !matches!(cause.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Err(cause),
            _ => read_answer(&mut BufReader::new(Timed { stream, deadline })),
        }
    }
}

/// A stream on which every read and write ends at one common deadline.
struct Timed {
    stream: UnixStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::Error::new(ErrorKind::TimedOut, "no answer in time")),
            left => Ok(Some(left)),
        }
    }
}

fn in_time(result: io::Result<usize>) -> io::Result<usize> {
    result.map_err(|cause| match cause.kind() {
        ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "no answer in time"),
        _ => cause,
    })
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        in_time(self.stream.read(into))
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        in_time(self.stream.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    match bytes.pop() {
        Some(b'\n') => {
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Err(malformed(
            "the answer ends, or goes on without end, in the middle of a line",
        )),
    }
}

fn exactly(from: &mut impl Read, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    match from.take(length).read_to_end(body)? as u64 {
        got if got == length => Ok(()),
        _ => Err(malformed("the answer's body ends early")),
    }
}

/// What the head of an answer says about what follows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) status: u16,
    length: Option<u64>,
    chunked: bool,
}

/// Reads up to the blank line and nothing behind it.
pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Head> {
    let first = line(from)?;
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|code| code.parse().ok());
    let mut head = Head {
        status: status.ok_or_else(|| malformed("the answer is not HTTP"))?,
        length: None,
        chunked: false,
    };
    loop {
        let header = line(from)?;
        let Some((name, value)) = header.split_once(':') else {
            return Ok(head);
        };
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.trim().parse();
            head.length = Some(length.map_err(|_| malformed("the Content-Length is no number"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
}

/// Reads the whole body that belongs to a head.
pub(crate) fn read_body(head: &Head, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match (head.status, head.length) {
        (204 | 304, _) => {}
        _ if head.chunked => loop {
            let size = line(from)?;
            let digits = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_| malformed("a chunk has no size"))?;
            exactly(from, size, &mut body)?;
            if !line(from)?.is_empty() {
                return Err(malformed("a chunk is longer than it says"));
            }
            if size == 0 {
                break;
            }
        },
        (_, Some(length)) => exactly(from, length, &mut body)?,
        (_, None) => {
            from.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_answer(from: &mut impl BufRead) -> io::Result<(u16, Vec<u8>)> {
    let head = read_head(from)?;
    Ok((head.status, read_body(&head, from)?))
}

/// Percent-encodes everything that is not plainly harmless in a query.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Peer, encode, read_answer};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    fn read(bytes: &str) -> Option<(u16, String)> {
        let answer = read_answer(&mut bytes.as_bytes()).ok()?;
        Some((answer.0, String::from_utf8(answer.1).unwrap()))
    }

    #[test]
    fn reads_bodies_of_every_kind() {
        let ok = |status, body: &str| Some((status, body.to_owned()));
        assert_eq!(
            read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOKmore"),
            ok(200, "OK")
        );
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n"), ok(204, ""));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nto the end"), ok(200, "to the end"));
        let chunks =
            "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(read(chunks), ok(404, "abc0123456789"));
    }

    #[test]
    fn refuses_what_is_cut_off_or_wrong() {
        for bad in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nabcde",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn encodes_queries() {
        assert_eq!(encode(r#"{"a":["b.c"]}"#), "%7B%22a%22%3A%5B%22b.c%22%5D%7D");
    }

    #[test]
    fn gives_up_in_time() {
        let path = std::env::temp_dir().join(format!("pocket-dock-lab-peer-{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let peer = Peer::new(&path).with_patience(Duration::from_millis(50));
        let error = peer.request("GET", "/_ping", b"").unwrap_err();
        assert!(error.to_string().contains("no answer in time"), "{error}");
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 14];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"GET /_ping HTT");
        let _ = stream.write_all(b"late");
        std::fs::remove_file(&path).unwrap();
    }
}
