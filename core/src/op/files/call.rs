//! One small call about a file: a script of ours, from the creation of its exec to what it says.
//!
//! ```text
//! Exec ──(output, up to the limit)──► Exec ──(its end)──► what was said is read ──► Done | Err
//!   └──(more than the limit)──► killed ──► Err(TooLarge)
//! ```

use std::fmt;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::command::Command;
use crate::engine_api::Target;
use crate::engine_api::refusal::{self, Subject};
use crate::error::{Error, ExecError};
use crate::files::{FileError, FileErrorKind, FilePath};
use crate::http::Answer;
use crate::link::Link;
use crate::op::exec::{Ended, Event, Exec, Place};
use crate::op::{Op, Step, after_the_end, ready};
use crate::shell;
use crate::stream::Channel;

/// What a script says at most, unless told otherwise: what is told of one file, and the path of a link.
const SAID_BYTES: u64 = 64 * 1024;

/// What is kept of a program's complaints: their end.
const WORDS_BYTES: usize = 4096;

/// What a small call about a file asks, and of whom.
pub(crate) struct Question<'a> {
    pub(crate) target: &'a Target,
    pub(crate) place: Place,
    pub(crate) path: &'a FilePath,
    /// As [`Exec::new`] takes them.
    pub(crate) id: String,
    pub(crate) mark: String,
}

/// Does something with one file of a container.
pub struct FileCall<T> {
    exec: Exec,
    refused: Option<Error>,
    /// Which path it is if something exists.
    onto: Option<std::path::PathBuf>,
    about: About,
    limit: u64,
    said: Vec<Bytes>,
    said_bytes: u64,
    words: BytesMut,
    read: Option<Read<T>>,
}

type Read<T> = Box<dyn FnOnce(Bytes) -> Option<T> + Send>;

/// What a call is about, for its errors.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) container: String,
    pub(crate) path: std::path::PathBuf,
}

impl About {
    pub(crate) fn error(&self, kind: FileErrorKind, message: impl Into<String>) -> Error {
        FileError {
            kind,
            container: self.container.clone(),
            path: self.path.clone(),
            message: message.into(),
        }
        .into()
    }

    /// What a script's end means.
    pub(crate) fn outcome(&self, exit_code: i32, timed_out: bool, words: &[u8]) -> Result<(), Error> {
        if timed_out {
            return Err(self.error(FileErrorKind::TimedOut, ""));
        }
        let words = String::from_utf8_lossy(words);
        match exit_code {
            0 => Ok(()),
            127 => Err(ExecError::NoTool {
                tool: "`stat`, `cat`, `tar` or another of the basic tools",
                needed_for: "this call about files",
            }
            .into()),
            _ => Err(self.error(FileErrorKind::of_words(&words), words.trim())),
        }
    }

    /// What an engine's refusal to transfer files means.
    pub(super) fn refused(&self, answer: &Answer) -> Error {
        let words = refusal::words(&answer.body);
        let kind = FileErrorKind::of_engine(&words);
        let of_container = kind == FileErrorKind::NotFound && words.contains("container") && !words.contains("file");
        if kind == FileErrorKind::Other || of_container {
            let subject = Subject::Container(self.container.clone());
            return refusal::refused("transfer files", &subject, answer);
        }
        self.error(kind, words)
    }
}

/// The script, to do this.
pub(crate) fn command(what: &str, path: &FilePath, more: &[&str]) -> Command {
    let path_text = path.escaped();
    let words = ["/bin/sh", "-c", &shell::FILES, "pocket-dock", what, &path_text];
    let mut command = Command::argv(words.into_iter().chain(more.iter().copied()));
    command.user.clone_from(&path.user);
    command.timeout = path.timeout;
    command
}

/// An image without a shell has no script run either.
pub(crate) fn needs_shell(error: Error) -> Error {
    match error {
        Error::Exec(ExecError::NotFound { program }) if program == "/bin/sh" => ExecError::NoTool {
            tool: "/bin/sh",
            needed_for: "this call about files",
        }
        .into(),
        error => error,
    }
}

impl<T> FileCall<T> {
    /// `read` makes sense of what was said, if it makes any.
    pub(crate) fn new(
        question: Question<'_>,
        what: &str,
        more: &[&str],
        stdin: Option<Bytes>,
        read: impl FnOnce(Bytes) -> Option<T> + Send + 'static,
    ) -> Self {
        let Question {
            target,
            place,
            path,
            id,
            mark,
        } = question;
        let mut command = command(what, path, more);
        command.stdin = stdin;
        Self {
            about: About {
                container: place.name.clone(),
                path: path.path.clone(),
            },
            exec: Exec::new(target, place, command, id, mark),
            refused: path.check().err(),
            onto: None,
            limit: SAID_BYTES,
            said: Vec::new(),
            said_bytes: 0,
            words: BytesMut::new(),
            read: Some(Box::new(read)),
        }
    }

    /// How many bytes may be said. More is told as a file that is too large.
    pub(crate) fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Nothing is done if this is an error.
    pub(crate) fn refusing(mut self, check: Result<(), Error>) -> Self {
        self.refused = self.refused.or(check.err());
        self
    }

    /// Where something may exist already.
    pub(crate) fn onto(mut self, path: std::path::PathBuf) -> Self {
        self.onto = Some(path);
        self
    }

    fn end(&mut self, ended: &Ended) -> Result<T, Error> {
        if self.said_bytes > self.limit {
            let message = format!("it has more than {} bytes", self.limit);
            return Err(self.about.error(FileErrorKind::TooLarge, message));
        }
        self.about
            .outcome(ended.exit_code, ended.timed_out, &self.words)
            .map_err(|error| match (error, self.onto.take()) {
                (Error::File(error), Some(path)) if error.kind == FileErrorKind::Exists => {
                    FileError { path, ..error }.into()
                }
                (error, _) => error,
            })?;
        let said = match self.said.as_slice() {
            [one] => one.clone(),
            many => many.concat().into(),
        };
        let read = self.read.take().ok_or_else(after_the_end)?;
        read(said).ok_or_else(|| {
            let message = "the tools of the container said something that makes no sense";
            self.about.error(FileErrorKind::Other, message)
        })
    }
}

/// Keeps the end of what is said.
pub(crate) fn keep_end(words: &mut BytesMut, data: &[u8]) {
    words.extend_from_slice(data);
    let over = words.len().saturating_sub(WORDS_BYTES);
    let _ = words.split_to(over);
}

impl<T: Send + 'static> Op for FileCall<T> {
    type Output = T;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<T>, Error> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        loop {
            match ready!(self.exec.poll(now, link, true).map_err(needs_shell)) {
                Event::Output(Channel::Stdout, data) if self.said_bytes <= self.limit => {
                    self.said_bytes += data.len() as u64;
                    self.said.push(data);
                    if self.said_bytes > self.limit {
                        self.said.clear();
                        self.exec.abandon();
                    }
                }
                Event::Output(Channel::Stdout, _) => {}
                Event::Output(Channel::Stderr, data) => keep_end(&mut self.words, &data),
                Event::Ended(ended) => return self.end(&ended).map(Step::Done),
            }
        }
    }

    fn abandon(&mut self) -> bool {
        self.refused.is_none() && self.exec.abandon()
    }
}

impl<T> fmt::Debug for FileCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCall")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}
