//! Tells requests from what else is sent on a connection, byte for byte.

use bytes::BytesMut;

use crate::scripted::RequestReader;

/// Takes the bytes of one connection until a request is whole.
#[derive(Debug, Default)]
pub(super) struct RawReader {
    reader: RequestReader,
    received: BytesMut,
    raw: Vec<u8>,
}

impl RawReader {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        self.raw.extend_from_slice(bytes);
    }

    /// The next request as it was sent, but without its `User-Agent`: a new version of ours changes no answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.reader.next(&mut self.received)?.is_none() {
            return Ok(None);
        }
        let rest = self.raw.split_off(self.raw.len() - self.received.len());
        let request = std::mem::replace(&mut self.raw, rest);
        Ok(Some(without_agent(request)))
    }

    /// Whether a request has begun.
    pub(super) fn is_amid(&self) -> bool {
        !self.raw.is_empty()
    }
}

fn without_agent(request: Vec<u8>) -> Vec<u8> {
    without(request, b"\r\nUser-Agent: ")
}

/// A request without a field of its head, given with the line break before it.
pub(super) fn without(mut request: Vec<u8>, field: &[u8]) -> Vec<u8> {
    let find = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted);
    let head = find(&request, b"\r\n\r\n").unwrap_or(0);
    if let Some(begin) = find(&request[..head], field) {
        let end = find(&request[begin + 2..], b"\r\n").unwrap_or(0);
        request.drain(begin..begin + 2 + end);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::RawReader;

    #[test]
    fn requests_are_cut_out_as_they_were_sent() {
        let first = "POST /v1/a HTTP/1.1\r\nHost: d\r\nUser-Agent: me/1\r\nContent-Length: 3\r\n\r\nabc";
        let second = "GET /b HTTP/1.1\r\n\r\n";
        for size in [1, 5, 500] {
            let (mut reader, mut found) = (RawReader::default(), Vec::new());
            for piece in format!("{first}{second}GE").as_bytes().chunks(size) {
                reader.push(piece);
                while let Some(request) = reader.next().unwrap() {
                    found.push(String::from_utf8(request).unwrap());
                }
            }
            assert_eq!(found, [&first.replace("User-Agent: me/1\r\n", ""), second]);
            assert!(reader.is_amid());
        }
    }
}
