//! The shell of a session, in whose place a [`Talk`] answers.
//!
//! ```text
//!   first lines, commands ──► Shell ──(whole)──► Talk ──► what is printed, in its own time, and whether the shell ends
//!   a script that signals its processes ──────────┘
//! ```

use std::fmt;
use std::time::Duration;

/// What stands in for the shell of a session.
pub trait Talk: Send + fmt::Debug {
    /// What comes of it that the shell is told this.
    fn told(&mut self, what: Told<'_>) -> Vec<Said>;
}

/// What a shell is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// The first lines, or those that hand it a command.
    Lines(&'a str),
    /// A script signals the processes of its command: the whole command line of that.
    Signal(&'a [String]),
    /// A file with this name, and this in it, is in its container now.
    File(&'a str, &'a [u8]),
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How long after it was told.
    pub after: Duration,
    /// What that is.
    pub what: Saying,
}

/// What a shell does that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// It, or what it has begun, prints to stdout.
    Out(Vec<u8>),
    /// To stderr.
    Err(Vec<u8>),
    /// It ends.
    Exits(i32),
}

/// The shell of a session while it runs.
#[derive(Debug)]
pub(super) struct Shell {
    talk: Box<dyn Talk>,
    heard: Vec<u8>,
}

/// How what it is sent ends: a command, or what it is asked behind one; and the first lines.
const ENDS: [&[u8]; 2] = [b"} >/dev/null 2>&1\n", b"\"$__pd_kind\" >&9\n"];

impl Shell {
    pub(super) fn new(talk: Box<dyn Talk>) -> Self {
        let heard = Vec::new();
        Self { talk, heard }
    }

    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
    }

    /// What comes of what it heard, once that is whole.
    pub(super) fn answer(&mut self) -> Vec<Said> {
        if !ENDS.iter().any(|end| self.heard.ends_with(end)) {
            return Vec::new();
        }
        let heard = std::mem::take(&mut self.heard);
        self.talk.told(Told::Lines(&String::from_utf8_lossy(&heard)))
    }

    pub(super) fn signalled(&mut self, script: &[String]) -> Vec<Said> {
        self.talk.told(Told::Signal(script))
    }

    pub(super) fn sees(&mut self, file: &str, data: &[u8]) {
        drop(self.talk.told(Told::File(file, data)));
    }
}

/// Where the script that stores the input of a command puts it, if it is that.
pub(super) fn stored(words: &[&str]) -> Option<String> {
    match words {
        ["/bin/sh", "-c", script, _, name] if script.contains(".pocket-dock-$1") => {
            Some(format!("/dev/shm/.pocket-dock-{name}"))
        }
        _ => None,
    }
}

/// Where a stream is cut: what is behind a cut cannot be read together with what is in front of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    #[default]
    Nowhere,
    /// In two, behind so many bytes.
    At(usize),
    /// Behind each byte.
    Everywhere,
}

/// A stream with cuts.
#[derive(Debug, Default)]
pub(super) struct Cutting {
    pub(super) cut: Cut,
    /// How many bytes have gone through.
    pub(super) bytes: usize,
    rests: bool,
}

impl Cutting {
    /// How many bytes go through now, of so many.
    pub(super) fn lets(&mut self, count: usize) -> usize {
        if std::mem::take(&mut self.rests) {
            return 0;
        }
        let count = match self.cut {
            Cut::At(at) if self.bytes < at => count.min(at - self.bytes),
            Cut::At(_) | Cut::Nowhere => count,
            Cut::Everywhere => count.min(1),
        };
        self.bytes += count;
        self.rests = match self.cut {
            Cut::At(at) => count > 0 && self.bytes == at,
            Cut::Everywhere => count > 0,
            Cut::Nowhere => false,
        };
        count
    }
}
