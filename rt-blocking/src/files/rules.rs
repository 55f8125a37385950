//! The rules of `.gitignore` files, each for the directory it is in, and the caller's own above all of them.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::BorrowedFd;
use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use pocket_dock_core::files::{LocalError, Packing};
use rustix::fs::{FileType, Mode, OFlags};

use super::place::kind_of;

/// Of one file with rules; what is behind that is not obeyed.
const MOST: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Rules {
    given: Gitignore,
    read: bool,
    /// Those of the directories from the root to the one that is being listed.
    files: Vec<Gitignore>,
}

impl Rules {
    pub(super) fn new(options: &Packing) -> Result<Self, LocalError> {
        let mut builder = GitignoreBuilder::new("");
        let bad = |rule: &str, why: ignore::Error| LocalError::BadRule {
            rule: rule.to_owned(),
            why: why.to_string(),
        };
        for rule in &options.ignore {
            builder.add_line(None, rule).map_err(|error| bad(rule, error))?;
        }
        Ok(Self {
            given: builder
                .build()
                .map_err(|error| bad(&options.ignore.join("\n"), error))?,
            read: options.ignore_files,
            files: Vec::new(),
        })
    }

    /// Into a directory, with its path below the root.
    pub(super) fn enter(&mut self, at: BorrowedFd<'_>, path: &Path) {
        if !self.read {
            return;
        }
        let mut builder = GitignoreBuilder::new(path);
        for line in read(at).unwrap_or_default().lines() {
            if let Err(error) = builder.add_line(None, line) {
                tracing::warn!(directory = %path.display(), %error, "a rule in .gitignore is not obeyed");
            }
        }
        self.files.push(builder.build().unwrap_or_else(|error| {
            tracing::warn!(directory = %path.display(), %error, "a .gitignore is not obeyed");
            Gitignore::empty()
        }));
    }

    pub(super) fn leave(&mut self) {
        self.files.pop();
    }

    /// Whether a rule leaves it out. Of several, the last one of the nearest directory decides.
    pub(super) fn ignores(&self, path: &Path, is_directory: bool) -> bool {
        for rules in std::iter::once(&self.given).chain(self.files.iter().rev()) {
            match rules.matched(path, is_directory) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

/// The text of the directory's `.gitignore`. As with git, one that is a link is none.
fn read(at: BorrowedFd<'_>) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(at, ".gitignore", flags, Mode::empty()).ok()?;
    if kind_of(&rustix::fs::fstat(&fd).ok()?) != FileType::RegularFile {
        return None;
    }
    let mut text = Vec::new();
    File::from(fd).take(MOST).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
