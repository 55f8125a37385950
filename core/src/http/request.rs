//! Requests as bytes.

use std::fmt::{self, Write as _};

use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::path::Path;
use crate::protocol_error::ProtocolError;

/// What a version prefix may not have: everything but unreserved characters and the slash.
const NOT_IN_PREFIX: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The methods of the engine API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`: its response has no body, whatever its header fields say.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The method as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One request: its head, and its body unless that is sent in chunks.
///
/// ```
/// use pocket_dock_core::http::{Path, Request};
///
/// let request = Request::post(Path::new("/exec").segment("4f5d")?.literal("/start")).empty_json().upgrade();
/// let bytes = request.encode("/v1.41");
/// assert!(bytes.starts_with(b"POST /v1.41/exec/4f5d/start HTTP/1.1\r\nHost: pocket-dock\r\n"));
/// assert!(bytes.ends_with(b"Content-Length: 2\r\n\r\n{}"));
/// # Ok::<(), pocket_dock_core::protocol_error::ProtocolError>(())
/// ```
#[derive(Clone)]
pub struct Request {
    method: Method,
    path: Path,
    upgrade: bool,
    body: Body,
}

#[derive(Clone)]
enum Body {
    None,
    Whole { content_type: &'static str, data: Bytes },
    Chunked { content_type: &'static str },
}

impl Request {
    /// A `GET` request without a body.
    #[must_use]
    pub const fn get(path: Path) -> Self {
        Self::new(Method::Get, path)
    }

    /// A `HEAD` request without a body.
    #[must_use]
    pub const fn head(path: Path) -> Self {
        Self::new(Method::Head, path)
    }

    /// A `POST` request, without a body so far.
    #[must_use]
    pub const fn post(path: Path) -> Self {
        Self::new(Method::Post, path)
    }

    /// A `PUT` request, without a body so far.
    #[must_use]
    pub const fn put(path: Path) -> Self {
        Self::new(Method::Put, path)
    }

    /// A `DELETE` request without a body.
    #[must_use]
    pub const fn delete(path: Path) -> Self {
        Self::new(Method::Delete, path)
    }

    const fn new(method: Method, path: Path) -> Self {
        Self {
            method,
            path,
            upgrade: false,
            body: Body::None,
        }
    }

    /// Sends `value` as JSON.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::BadRequest`] if `value` cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self, ProtocolError> {
        let data =
            serde_json::to_vec(value).map_err(|error| ProtocolError::bad_request("JSON body", error.to_string()))?;
        Ok(self.body("application/json", data.into()))
    }

    /// Sends `{}`: some calls fail without a body although they need nothing in it.
    #[must_use]
    pub fn empty_json(self) -> Self {
        self.body("application/json", Bytes::from_static(b"{}"))
    }

    /// Sends `data` with its length in front.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, data: Bytes) -> Self {
        self.body = Body::Whole { content_type, data };
        self
    }

    /// Announces a body of unknown length. It is sent after the head, piece by piece with
    /// [`chunked::encode`](super::chunked::encode), and ends with [`chunked::LAST`](super::chunked::LAST).
    #[must_use]
    pub fn chunked(mut self, content_type: &'static str) -> Self {
        self.body = Body::Chunked { content_type };
        self
    }

    /// Asks the engine to turn the connection into a raw stream after its response head.
    #[must_use]
    pub const fn upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// The method, which the [`ResponseReader`](super::ResponseReader) of the response needs to know.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Whether the request asks for an upgrade, which the [`ResponseReader`](super::ResponseReader) of the response
    /// needs to know.
    #[must_use]
    pub const fn wants_upgrade(&self) -> bool {
        self.upgrade
    }

    /// The bytes to send: the head, and the body unless it is chunked.
    ///
    /// `prefix` comes in front of the path: nothing, or the API version such as `/v1.41`. Characters in it that are
    /// neither unreserved nor a slash are percent-encoded.
    #[must_use]
    pub fn encode(&self, prefix: &str) -> Bytes {
        let mut head = String::with_capacity(256);
        let prefix = utf8_percent_encode(prefix, NOT_IN_PREFIX);
        // Writing to a string cannot fail.
        let _ = write!(
            head,
            "{} {prefix}{} HTTP/1.1\r\nHost: pocket-dock\r\nUser-Agent: pocket-dock/{}\r\n",
            self.method.as_str(),
            self.path,
            env!("CARGO_PKG_VERSION"),
        );
        if self.upgrade {
            head.push_str("Connection: Upgrade\r\nUpgrade: tcp\r\n");
        }
        let mut body: &[u8] = &[];
        match &self.body {
            Body::Whole { content_type, data } => {
                let _ = write!(
                    head,
                    "Content-Type: {content_type}\r\nContent-Length: {}\r\n",
                    data.len()
                );
                body = data;
            }
            Body::Chunked { content_type } => {
                let _ = write!(head, "Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n");
            }
            Body::None if matches!(self.method, Method::Post | Method::Put) => head.push_str("Content-Length: 0\r\n"),
            Body::None => {}
        }
        head.push_str("\r\n");
        let mut bytes = BytesMut::with_capacity(head.len() + body.len());
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(body);
        bytes.freeze()
    }
}

/// Shows the body's length only: bodies carry environments and files.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Request");
        debug
            .field("method", &self.method)
            .field("path", &self.path.to_string())
            .field("upgrade", &self.upgrade);
        match &self.body {
            Body::None => debug.finish(),
            Body::Whole { content_type, data } => debug
                .field("content_type", content_type)
                .field("body_bytes", &data.len())
                .finish(),
            Body::Chunked { content_type } => debug
                .field("content_type", content_type)
                .field("body_bytes", &"chunked")
                .finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER_AGENT: &str = concat!("User-Agent: pocket-dock/", env!("CARGO_PKG_VERSION"), "\r\n");

    fn encoded(request: &Request, prefix: &str) -> String {
        let text = String::from_utf8(request.encode(prefix).to_vec()).unwrap();
        assert!(text.contains(USER_AGENT), "{text}");
        text.replace(USER_AGENT, "")
    }

    #[test]
    fn every_method_and_body() {
        let path = || Path::new("/x").query("a", "b c");
        let cases = [
            (
                Request::get(path()),
                "GET /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\n\r\n",
            ),
            (
                Request::head(path()),
                "HEAD /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\n\r\n",
            ),
            (
                Request::delete(path()),
                "DELETE /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\n\r\n",
            ),
            (
                Request::post(path()),
                "POST /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                Request::put(path()),
                "PUT /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                Request::post(path()).json(&["ä"]).unwrap(),
                "POST /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\nContent-Type: application/json\r\n\
                 Content-Length: 6\r\n\r\n[\"ä\"]",
            ),
            (
                Request::put(path()).chunked("application/x-tar"),
                "PUT /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\nContent-Type: application/x-tar\r\n\
                 Transfer-Encoding: chunked\r\n\r\n",
            ),
            (
                Request::post(path()).empty_json().upgrade(),
                "POST /x?a=b%20c HTTP/1.1\r\nHost: pocket-dock\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(encoded(&request, ""), expected);
        }
    }

    #[test]
    fn a_prefix_cannot_end_the_request_line() {
        let text = encoded(&Request::get(Path::new("/_ping")), "/v1.41 HTTP/1.1\r\nX: y");
        assert!(
            text.starts_with("GET /v1.41%20HTTP/1.1%0D%0AX%3A%20y/_ping HTTP/1.1\r\nHost"),
            "{text}"
        );
        assert!(encoded(&Request::get(Path::new("/_ping")), "/v1.41").starts_with("GET /v1.41/_ping HTTP/1.1\r\n"));
    }

    #[test]
    fn what_cannot_be_json_is_refused() {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = Request::post(Path::new("/x")).json(&map).unwrap_err();
        assert!(
            matches!(error, ProtocolError::BadRequest { what: "JSON body", .. }),
            "{error}"
        );
    }

    #[test]
    fn debug_hides_the_body() {
        let text = format!(
            "{:?}",
            Request::post(Path::new("/x")).body("text/plain", "secret".into())
        );
        assert!(text.contains("body_bytes: 6") && !text.contains("secret"), "{text}");
    }
}
