//! The two output streams of one command: its marks are taken out, and what is kept is capped.

use bytes::Bytes;

use crate::result::Output;
use crate::stream::{Capture, Channel, Frame, Sentinel};

#[derive(Debug)]
pub(super) struct Streams {
    stdout: One,
    stderr: One,
    limit: Option<u64>,
    bytes: u64,
}

#[derive(Debug)]
struct One {
    sentinel: Sentinel,
    capture: Capture,
    code: Option<String>,
}

impl One {
    fn new(id: &str, limit: Option<u64>) -> Self {
        Self {
            sentinel: Sentinel::new(id),
            capture: Capture::new(limit),
            code: None,
        }
    }
}

impl Streams {
    pub(super) fn new(id: &str, limit: Option<u64>) -> Self {
        Self {
            stdout: One::new(id, limit),
            stderr: One::new(id, limit),
            limit,
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, frame: Frame, marked: bool) {
        self.bytes += frame.data.len() as u64;
        let one = match frame.channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        };
        if one.code.is_some() {
            return; // what a child in the background says after the end is not the command's
        }
        let capture = &mut one.capture;
        let mut keep = |data: Bytes| capture.push(data);
        if !marked {
            keep(frame.data);
        } else if let Some(found) = one.sentinel.push(frame.data, &mut keep) {
            one.code = Some(found.code);
        }
    }

    /// How the command ended, once both streams have said so.
    pub(super) fn code(&self) -> Option<String> {
        self.stderr.code.as_ref().and(self.stdout.code.clone())
    }

    /// How many bytes have come, marks included.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Nothing more will come: what could have been the beginning of a mark was none.
    pub(super) fn finish(&mut self) {
        for one in [&mut self.stdout, &mut self.stderr] {
            let capture = &mut one.capture;
            one.sentinel.finish(&mut |data| capture.push(data));
        }
    }

    /// Everything that came, as text: an engine's complaint that it could not start something. Leaves it in place.
    pub(super) fn text(&mut self) -> String {
        let (stdout, stderr) = self.take();
        let text = format!("{}{}", stdout.text(), stderr.text());
        self.stdout.capture.push(stdout.to_bytes());
        self.stderr.capture.push(stderr.to_bytes());
        text
    }

    pub(super) fn take(&mut self) -> (Output, Output) {
        let empty = || Capture::new(self.limit);
        let (stdout, stderr) = (empty(), empty());
        let stdout = std::mem::replace(&mut self.stdout.capture, stdout);
        let stderr = std::mem::replace(&mut self.stderr.capture, stderr);
        (stdout.into_parts().into(), stderr.into_parts().into())
    }
}
