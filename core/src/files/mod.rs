//! Files of a container and of this machine: their names, what is told of them, and what can go wrong. Nothing here
//! touches a file: who does, is the adapter.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::FileTime;
use crate::error::Error;

mod error;
mod local;
mod mounts;
mod pipe;
mod stat;
pub use error::{FileError, FileErrorKind};
pub use local::{Filter, LocalError, LocalKind, Packing, Progress, Refusal, Stopped, Target, Unpacking, Watch};
pub(crate) use mounts::Mounts;
pub(crate) use pipe::pipe;
pub use pipe::{PipeReader, PipeWriter};
pub(crate) use stat::{read_list, read_stat};

/// The content that [`Container::read_file`](crate::Container::read_file) takes into memory unless
/// [told otherwise](FilePath::limit): 64 MiB.
pub const DEFAULT_FILE_LIMIT: u64 = 64 * 1024 * 1024;

/// A path in a container, and how it is used.
///
/// Any byte but NUL may be in a path: no shell reads it. A relative one begins at the container's working directory.
///
/// [`user`](Self::user) and [`timeout`](Self::timeout) hold for every call; each other option says for which. Others take
/// no notice of it.
///
/// ```
/// use pocket_dock_core::FilePath;
///
/// let plain = FilePath::from("/etc/hostname");
/// let script = FilePath::new("/usr/local/bin/run me").user("root").mode(0o755);
/// # let _ = (plain, script);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilePath {
    pub(crate) path: PathBuf,
    pub(crate) user: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) mode: Option<u32>,
    pub(crate) limit: u64,
    pub(crate) recursive: bool,
    pub(crate) follows: bool,
}

impl FilePath {
    /// A path, used as the container's user would.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            user: None,
            timeout: None,
            mode: None,
            limit: DEFAULT_FILE_LIMIT,
            recursive: false,
            follows: true,
        }
    }

    /// As whom it is used: `name`, `uid`, `name:group` or `uid:gid`. The container's own user by default.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// How long the call may take. No limit by default.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// For `write_file`, `write_file_stream` and `make_dir`: the permissions, such as `0o755`, also of what is there already.
    /// By default those that it has, or that the container's user gives new ones.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// For `read_file`: how many bytes are read into memory at most. [`DEFAULT_FILE_LIMIT`], 64 MiB, by default.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// For `remove`: also a directory with everything in it.
    #[must_use]
    pub fn recursive(mut self) -> Self {
        self.recursive = true;
        self
    }

    /// For `stat` and `exists`: asks about a symbolic link itself, and not about what it leads to.
    #[must_use]
    pub fn no_follow(mut self) -> Self {
        self.follows = false;
        self
    }

    /// Refuses what no system could open, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let bytes = self.path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Err(Error::misuse(
                "the path is empty: give the path of a file in the container",
            ));
        }
        if bytes.contains(&0) {
            return Err(Error::misuse(format!(
                "the path {:?} has a NUL byte in it, which no path can have: remove it",
                self.path
            )));
        }
        if bytes.len() > LONGEST {
            return Err(Error::misuse(format!(
                "the path is {} bytes long, and Linux takes at most {LONGEST}",
                bytes.len()
            )));
        }
        if self.mode.is_some_and(|mode| mode > 0o7777) {
            return Err(Error::misuse(
                "the mode has more than twelve bits: give one such as 0o755",
            ));
        }
        Ok(())
    }

    /// As a shell's `printf %b` takes it: nothing in it can be taken for an option, or for anything else than bytes.
    pub(crate) fn escaped(&self) -> String {
        escaped(&self.path)
    }
}

/// The longest path that Linux takes, without its end.
const LONGEST: usize = 4095;

pub(crate) fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let mut text = String::with_capacity(bytes.len() + 2);
    if !bytes.starts_with(b"/") {
        text.push_str("./");
    }
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("\\0{byte:03o}"));
        }
    }
    text
}

impl From<&str> for FilePath {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for FilePath {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl From<&String> for FilePath {
    fn from(path: &String) -> Self {
        Self::new(path)
    }
}

impl From<&PathBuf> for FilePath {
    fn from(path: &PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<OsString> for FilePath {
    fn from(path: OsString) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for FilePath {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<PathBuf> for FilePath {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, a named pipe or a socket.
    Other,
}

/// What is told of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Its size in bytes; of a link, that of the path it holds.
    pub size: u64,
    /// The twelve bits of permission, set-id and sticky.
    pub mode: u32,
    /// The number of the user that owns it.
    pub uid: u32,
    /// The number of the group that owns it.
    pub gid: u32,
    /// When its content was changed last. [`SystemTime::from`](std::time::SystemTime) takes it.
    pub modified: FileTime,
    /// Where a link leads, as it holds it; told by [`Container::stat`](crate::Container::stat) of a link that is
    /// [not followed](FilePath::no_follow).
    pub link: Option<PathBuf>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileEntry {
    /// Its name, without the directory's. Any byte but `/` and NUL may be in it.
    pub name: OsString,
    /// What it is. A link is not followed.
    pub stat: FileStat,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_path_is_bytes_and_nothing_else() {
        for (path, text) in [
            (&b"/etc/a-b_c.d"[..], "/etc/a-b_c.d"),
            (b"-rf", "./-rf"),
            (
                b"/a b;c'\"$(x)`\\\n",
                r"/a\0040b\0073c\0047\0042\0044\0050x\0051\0140\0134\0012",
            ),
            (b"/\xff1", r"/\03771"),
        ] {
            assert_eq!(escaped(Path::new(OsStr::from_bytes(path))), text);
        }
    }

    #[test]
    fn what_no_system_opens_is_refused() {
        assert_eq!(FilePath::from("/").check(), Ok(()));
        for wrong in [
            FilePath::from(""),
            FilePath::from("a\0"),
            FilePath::new("x".repeat(5000)),
            FilePath::from("x").mode(1 << 12),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
        }
    }
}
