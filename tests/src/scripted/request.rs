//! Requests as an engine reads them.

use bytes::{Buf as _, BytesMut};
use pocket_dock_core::Limits;
use pocket_dock_core::http::chunked::{Decoder, Piece};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// The path without a version prefix and without the query, as it was sent.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The header fields, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header field with this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first query parameter with this name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it asks for an upgrade.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.header("upgrade").is_some()
    }

    /// Method and path, for comparing.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn parse(head: &str) -> Result<Self, String> {
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let line = lines.next().unwrap_or_default();
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("not a request line: {line:?}"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .map(|line| {
                line.split_once(':')
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<Option<_>>()
            .ok_or_else(|| format!("a header field without a colon: {head:?}"))?;
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        });
        Ok(Self {
            method: method.to_owned(),
            path: unversioned(path).to_owned(),
            query: query.collect(),
            headers,
            body: Vec::new(),
        })
    }
}

/// `/v1.41/x` is `/x`.
fn unversioned(path: &str) -> &str {
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) else {
        return path;
    };
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return path;
    }
    &path[path.len() - rest.len() - 1..]
}

/// Without percent-encoding.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(escaped) if byte == b'%' => {
                bytes.push(escaped);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads requests from one connection.
#[derive(Debug, Default)]
pub struct RequestReader {
    scanned: usize,
    under_way: Option<(Request, Body)>,
}

#[derive(Debug)]
enum Body {
    Length(usize),
    Chunked(Decoder),
}

impl RequestReader {
    /// Takes the next whole request from the front of `received`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn next(&mut self, received: &mut BytesMut) -> Result<Option<Request>, String> {
        if self.under_way.is_none() {
            let Some(end) = self.head_end(received) else {
                return Ok(None);
            };
            let request = Request::parse(&String::from_utf8_lossy(&received[..end]))?;
            received.advance(end);
            let body = if request.header("transfer-encoding") == Some("chunked") {
                Body::Chunked(Decoder::new(&Limits::default()))
            } else {
                let length = request.header("content-length").unwrap_or("0");
                Body::Length(length.parse().map_err(|_| format!("not a length: {length:?}"))?)
            };
            self.under_way = Some((request, body));
        }
        let Some((request, body)) = &mut self.under_way else {
            return Ok(None);
        };
        match body {
            Body::Length(length) if received.len() < *length => return Ok(None),
            Body::Length(length) => request.body = received.split_to(*length).to_vec(),
            Body::Chunked(decoder) => loop {
                match decoder.next(received, false).map_err(|error| error.to_string())? {
                    Some(Piece::Data(data)) => request.body.extend_from_slice(&data),
                    Some(Piece::End) => break,
                    None => return Ok(None),
                }
            },
        }
        Ok(self.under_way.take().map(|(request, _)| request))
    }

    /// Where the blank line ends, if it is there. Looks at each byte once.
    fn head_end(&mut self, received: &[u8]) -> Option<usize> {
        const BLANK: &[u8] = b"\r\n\r\n";
        let from = self.scanned.saturating_sub(BLANK.len() - 1);
        let found = received[from..].windows(BLANK.len()).position(|window| window == BLANK);
        self.scanned = if found.is_some() { 0 } else { received.len() };
        found.map(|at| from + at + BLANK.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_however_they_come() {
        let bytes = b"POST /v1.41/a/b?x=%7B%22&y HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc\
                      PUT /vx/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\nrest";
        for size in [1, 2, 3, 7, 500] {
            let (mut reader, mut received, mut requests) = (RequestReader::default(), BytesMut::new(), Vec::new());
            for piece in bytes.chunks(size) {
                received.extend_from_slice(piece);
                while let Some(request) = reader.next(&mut received).unwrap() {
                    requests.push(request);
                }
            }
            let [first, second] = &requests[..] else {
                panic!("{requests:?}")
            };
            assert_eq!((first.line().as_str(), &first.body[..]), ("POST /a/b", &b"abc"[..]));
            assert_eq!(
                (first.query("x"), first.query("y"), first.query("z")),
                (Some("{\""), Some(""), None)
            );
            assert_eq!((second.line().as_str(), &second.body[..]), ("PUT /vx/c", &b"de"[..]));
            assert_eq!(&received[..], b"rest");
        }
    }
}
