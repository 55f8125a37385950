//! What sending and fetching have in common: which files, whose, until when, and what is asked before the first byte goes.
//!
//! ```text
//! begin ──► look, at the files here ──┐
//!       └─► scout, in the container ──┴─► the engine's archive call | tar or untar, in the container
//! ```

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::call::{About, FileCall, Question, command};
use super::local::{Look, Report, report};
use super::scout::{SAID_BYTES, Scouted, as_path};
use crate::command::Command;
use crate::engine_api::Target;
use crate::error::Error;
use crate::files::{FileErrorKind, FilePath, LocalError, LocalKind, escaped};
use crate::link::Link;
use crate::op::exec::{Exec, Place};
use crate::op::live::over::quietly;
use crate::op::{Step, after, after_the_end};

/// What is between the container and the files here, at most.
pub(super) const PIPE_BYTES: usize = 1024 * 1024;

/// A transfer between the files of this machine and a container's.
pub(crate) struct Errand {
    pub(super) target: Target,
    pub(super) place: Place,
    /// That in the container.
    pub(super) path: FilePath,
    pub(super) about: About,
    look: Option<Look>,
    /// As [`Exec::new`] takes them, for two of them.
    ids: [String; 4],
    until: Option<Instant>,
}

impl Errand {
    pub(crate) fn new(target: &Target, place: Place, path: FilePath, look: Look, ids: [String; 4]) -> Self {
        Self {
            about: About {
                container: place.name.clone(),
                path: path.path.clone(),
            },
            target: target.clone(),
            place,
            path,
            look: Some(look),
            ids,
            until: None,
        }
    }

    /// Its time runs from now on.
    pub(super) fn begin(&mut self, now: Instant) -> Result<(), Error> {
        self.path.check()?;
        self.until = self.path.timeout.map(|limit| after(now, limit));
        Ok(())
    }

    /// When its time is over.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    pub(super) fn timed_out(&self) -> Error {
        self.about.error(FileErrorKind::TimedOut, "")
    }

    /// What is left of its time.
    fn rest(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now))
    }

    /// Nothing can be done before something happens on this machine.
    pub(super) fn wait<T>(&self) -> Step<T> {
        quietly(self.until)
    }

    /// Has it looked what a local path is.
    pub(super) fn look(&mut self, path: PathBuf) -> Result<Report<LocalKind>, Error> {
        let (sender, report) = report();
        let look = self.look.take().ok_or_else(after_the_end)?;
        look((path, sender));
        Ok(report)
    }

    /// What that was found to be.
    pub(super) fn seen(
        &self,
        report: &Report<LocalKind>,
        now: Instant,
        link: &mut Link,
    ) -> Result<Step<Result<LocalKind, LocalError>>, Error> {
        match report.poll(&link.waker()) {
            Poll::Ready(kind) => Ok(Step::Done(kind)),
            Poll::Pending if self.is_late(now) => Err(self.timed_out()),
            Poll::Pending => Ok(self.wait()),
        }
    }

    /// Asks what is at the path in the container, in what is left of the time.
    pub(super) fn scout(&mut self, what: &str, more: &[&str], now: Instant) -> FileCall<Scouted> {
        let path = FilePath {
            timeout: self.rest(now),
            ..self.path.clone()
        };
        let [id, mark, ..] = &mut self.ids;
        let question = Question {
            target: &self.target,
            place: self.place.clone(),
            path: &path,
            id: std::mem::take(id),
            mark: std::mem::take(mark),
        };
        FileCall::new(question, what, more, None, |said| Scouted::read(&said)).limit(SAID_BYTES)
    }

    /// Packs what has this name in a directory of the container, there.
    pub(super) fn tar(&mut self, dir: &[u8], name: &[u8], now: Instant) -> Box<Exec> {
        let name = escaped(as_path(name));
        let command = self.command("tar", dir, &[name.trim_start_matches("./")], now);
        self.exec(command)
    }

    /// Unpacks what it is sent into a directory of the container, there. `as_root`: not as the user.
    pub(super) fn untar(&mut self, dir: &[u8], as_root: bool, now: Instant) -> Box<Exec> {
        let mut command = self.command("untar", dir, &[], now).keep_stdin_open();
        if as_root {
            command.user = Some("0:0".to_owned());
        }
        self.exec(command)
    }

    fn command(&self, what: &str, dir: &[u8], more: &[&str], now: Instant) -> Command {
        let mut path = FilePath::new(as_path(dir));
        path.user.clone_from(&self.path.user);
        path.timeout = self.rest(now);
        command(what, &path, more)
    }

    fn exec(&mut self, command: Command) -> Box<Exec> {
        let [.., id, mark] = &mut self.ids;
        let (id, mark) = (std::mem::take(id), std::mem::take(mark));
        Box::new(Exec::new(&self.target, self.place.clone(), command, id, mark))
    }
}

/// Whether a path means what is in a directory, and not the directory itself: `src/`, `src/.`, `.`, `..`.
pub(super) fn means_content(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    matches!(bytes.rsplit(|byte| *byte == b'/').next(), Some(b"" | b"." | b".."))
}

/// The last part of a path, where it has one.
pub(super) fn own_name(path: &Path) -> Option<Vec<u8>> {
    path.file_name().map(|name| name.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_means_what_is_inside() {
        for content in ["src/", "src/.", ".", "..", "a/..", "/"] {
            assert!(means_content(Path::new(content)), "{content:?}");
        }
        for whole in ["src", "/a/b", "a.", "...", "-"] {
            assert!(!means_content(Path::new(whole)), "{whole:?}");
        }
        assert_eq!(own_name(Path::new("a/b/")), Some(b"b".to_vec()));
        assert_eq!(own_name(Path::new("/")), None);
    }
}
