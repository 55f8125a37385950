//! Responses as the engines write them.

use pocket_dock_core::EngineKind;
use serde_json::{Value, json};

/// Where Go's server stops to say a length and takes to chunks.
const CHUNKED_FROM: usize = 2048;

/// Writes the responses of one kind of engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer(pub(super) EngineKind);

impl Writer {
    pub(super) fn is_docker(self) -> bool {
        self.0 == EngineKind::Docker
    }

    /// What every response but that of a stream has.
    fn common(self) -> &'static str {
        if self.is_docker() {
            "Api-Version: 1.51\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Docker/28.5.2 (linux)\r\n"
        } else {
            "Api-Version: 1.41\r\nBuildkit-Version: \r\nLibpod-Api-Version: 5.8.1\r\nServer: Libpod/5.8.1 (linux)\r\n"
        }
    }

    pub(super) fn empty(self, status: u16) -> Vec<u8> {
        let length = if matches!(status, 204 | 304) {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        format!("HTTP/1.1 {status} Status\r\n{}{length}\r\n", self.common()).into_bytes()
    }

    pub(super) fn text(self, status: u16, text: &str) -> Vec<u8> {
        let length = text.len();
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: text/plain; charset=utf-8\r\n{}Content-Length: {length}\r\n\r\n",
            self.common()
        );
        head.into_bytes().into_iter().chain(text.bytes()).collect()
    }

    pub(super) fn json(self, status: u16, value: &Value) -> Vec<u8> {
        let body = format!("{value}\n");
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{}",
            self.common()
        );
        if body.len() < CHUNKED_FROM {
            return format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        }
        let mut bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for piece in body.as_bytes().chunks(CHUNKED_FROM) {
            bytes.extend(chunk(piece));
        }
        bytes.extend(chunk(b""));
        bytes
    }

    /// The head of a response whose one chunk comes later.
    pub(super) fn chunked_head(self) -> Vec<u8> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        format!("{head}{}Transfer-Encoding: chunked\r\n\r\n", self.common()).into_bytes()
    }

    /// Each engine's form of an error. `cause` is Podman's word for the kind of error.
    pub(super) fn error(self, status: u16, message: &str, cause: &str) -> Vec<u8> {
        let body = if self.is_docker() {
            json!({ "message": message })
        } else {
            json!({ "cause": cause, "message": message, "response": status })
        };
        self.json(status, &body)
    }

    /// An upgrade where one was asked for. Podman says nothing else in it.
    pub(super) fn stream_head(self, upgrade: bool) -> Vec<u8> {
        const TYPE: &str = "Content-Type: application/vnd.docker.raw-stream\r\n";
        let common = if self.is_docker() { self.common() } else { "" };
        if upgrade {
            format!("HTTP/1.1 101 UPGRADED\r\n{TYPE}Connection: Upgrade\r\nUpgrade: tcp\r\n{common}\r\n").into_bytes()
        } else {
            format!("HTTP/1.1 200 OK\r\n{TYPE}{common}\r\n").into_bytes()
        }
    }
}

/// One chunk; the last one for no bytes.
pub(super) fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}
