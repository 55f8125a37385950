//! What a build, a load or an import says while it is under way: JSON objects, one after the other.
//!
//! Only the object at hand is held, and of what was said only the end.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Deserialize;

use super::objects::Objects;
use crate::http::Sink;
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

/// Lines that are kept of what was printed, and bytes of them all together: one line may be as long as an object.
const KEPT: (usize, usize) = (20, 64 * 1024);
const WHAT: &str = "progress line";
const BYTES: &str = "progress line bytes";

/// What a progress stream said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The end of what it printed, at most 20 lines of 64 KiB together.
    pub(crate) log: String,
    /// The id of what was made.
    pub(crate) id: Option<String>,
    /// The first error. A status of 200 is not success.
    pub(crate) error: Option<String>,
}

/// Reads a progress stream as it comes.
#[derive(Debug)]
pub(crate) struct Progress {
    objects: Objects,
    seen: Seen,
}

/// What the objects so far have said.
#[derive(Debug, Default)]
struct Seen {
    log: Log,
    id: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    stream: Option<String>,
    status: Option<String>,
    aux: Option<Aux>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    error_detail: Option<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Aux {
    #[serde(rename = "ID")]
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    message: Option<String>,
}

impl Progress {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            objects: Objects::new((WHAT, BYTES), limits.line_bytes),
            seen: Seen::default(),
        }
    }

    /// The stream has ended.
    pub(crate) fn end(self) -> Result<Said, ProtocolError> {
        self.objects.end()?;
        Ok(Said {
            log: self.seen.log.into_text(),
            id: self.seen.id,
            error: self.seen.error,
        })
    }
}

impl Seen {
    fn read(&mut self, object: &[u8]) -> Result<(), ProtocolError> {
        let line: Line = serde_json::from_slice(object).map_err(|error| malformed(error.to_string()))?;
        if let Some(text) = line.stream {
            self.log.push(&text);
        }
        if let Some(status) = line.status {
            self.log.push(&status);
            self.log.push("\n");
            if status.starts_with("sha256:") {
                self.id = Some(status);
            }
        }
        if let Some(id) = line.aux.and_then(|aux| aux.id) {
            self.id = Some(id);
        }
        if self.error.is_none() {
            self.error = line.error_detail.and_then(|detail| detail.message).or(line.error);
        }
        Ok(())
    }
}

impl Sink for Progress {
    fn take(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        let Self { objects, seen } = self;
        objects.push(&data, &mut |object| seen.read(object))
    }
}

fn malformed(detail: String) -> ProtocolError {
    ProtocolError::Malformed { what: WHAT, detail }
}

/// The end of what was printed.
#[derive(Debug, Default)]
struct Log {
    /// The last one may go on.
    lines: VecDeque<String>,
    bytes: usize,
}

impl Log {
    fn push(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.bytes += piece.len();
            match self.lines.back_mut().filter(|line| !line.ends_with('\n')) {
                Some(line) => line.push_str(piece),
                None => self.lines.push_back(piece.to_owned()),
            }
            if self.lines.len() > KEPT.0 {
                self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
            }
            while self.bytes > KEPT.1 {
                self.drop_first(self.bytes - KEPT.1);
            }
        }
    }

    /// At least so many bytes of the first line, or all of it.
    fn drop_first(&mut self, count: usize) {
        let Some(line) = self.lines.front_mut() else {
            self.bytes = 0;
            return;
        };
        let mut from = count.min(line.len());
        while !line.is_char_boundary(from) {
            from += 1;
        }
        self.bytes -= from;
        line.drain(..from);
        if line.is_empty() {
            self.lines.pop_front();
        }
    }

    fn into_text(self) -> String {
        self.lines.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
