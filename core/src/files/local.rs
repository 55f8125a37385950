//! What `push` and `pull` say of files on this machine: options, progress and errors. Nothing here touches a file: who
//! does, is the adapter.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::archive::ArchiveError;

/// Which files of a tree are taken: it gets the path below the tree's root, and whether it is a directory.
///
/// A directory that is not taken is not looked into. The root itself is not asked about.
pub type Filter = Arc<dyn Fn(&Path, bool) -> bool + Send + Sync>;

/// Is told how far a transfer has come, now and then: each time that some 256 KiB are on their way, and at the end.
///
/// It is called on the thread that reads or writes the local files, and holds the transfer up for as long as it takes.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(&Progress) + Send + Sync>);

impl Watch {
    /// Has this called.
    pub fn new(call: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    /// Tells it.
    pub fn tell(&self, progress: &Progress) {
        (self.0)(progress);
    }
}

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Watch {}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// How local files become an archive.
///
/// ```
/// use pocket_dock_core::files::Packing;
///
/// let packing = Packing::new().owner(1000, 1000).filter(|path, _| !path.starts_with("target"));
/// assert!(!packing.sparse);
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Packing {
    /// The user and group that the entries get. Default: as the files have them here.
    pub owner: Option<(u32, u32)>,
    /// What is taken. Default: everything.
    pub filter: Option<Filter>,
    /// Whether the `.gitignore` files of the tree are obeyed, those in it and below, but none above it. Default: no.
    ///
    /// It needs the feature `ignore` of the adapter.
    pub ignore_files: bool,
    /// More such rules, in the words of `.gitignore`. They stand above those of files, and the later above the earlier.
    ///
    /// They need the feature `ignore` of the adapter.
    pub ignore: Vec<String>,
    /// Whether who reads the archive knows GNU's sparse files (PAX 1.0): holes of 64 KiB and more are then left out.
    /// Default: no, and holes are sent as zeros.
    pub sparse: bool,
    /// Whether each directory is told once more behind what is in it. An extractor that sets times and modes at once
    /// then ends with the right ones. Default: no. [`Container::push`](crate::Container::push) decides it, and
    /// [`sparse`](Self::sparse).
    pub repeat_directories: bool,
    /// Whether the tree's own directory is not told, but only what is in it: where that goes keeps its own mode, time and
    /// owner. Default: no. [`Container::push`](crate::Container::push) decides it by the slash at the end.
    pub content_only: bool,
    /// Who is told how far it has come. Default: nobody.
    pub watch: Option<Watch>,
}

impl Packing {
    /// Everything, as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`owner`](Self::owner).
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = Some((uid, gid));
        self
    }

    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, takes: impl Fn(&Path, bool) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(takes));
        self
    }

    /// Has the tree's `.gitignore` files obeyed; see [`ignore_files`](Self::ignore_files).
    #[must_use]
    pub fn ignore_files(mut self) -> Self {
        self.ignore_files = true;
        self
    }

    /// Adds a rule; see [`ignore`](Self::ignore).
    #[must_use]
    pub fn ignore(mut self, rule: impl Into<String>) -> Self {
        self.ignore.push(rule.into());
        self
    }

    /// Has this told how far it has come; see [`Watch`].
    #[must_use]
    pub fn watch(mut self, call: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.watch = Some(Watch::new(call));
        self
    }
}

impl fmt::Debug for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packing")
            .field("owner", &self.owner)
            .field("filter", &self.filter.is_some())
            .field("ignore_files", &self.ignore_files)
            .field("ignore", &self.ignore)
            .field("sparse", &self.sparse)
            .field("repeat_directories", &self.repeat_directories)
            .field("content_only", &self.content_only)
            .field("watch", &self.watch)
            .finish()
    }
}

/// How an archive becomes local files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unpacking {
    /// Whether the whole appears at once or not at all. The destination must then not exist, be an empty directory, or
    /// (for one file) be something else than a directory. Default: no.
    pub atomic: bool,
    /// The bytes of content altogether, holes counted. Default: no limit.
    pub max_bytes: Option<u64>,
    /// The entries altogether. Default: no limit.
    pub max_entries: Option<u64>,
    /// The components of one name. Default: 4,096.
    pub max_depth: usize,
    /// The bytes of one name. Default: 1 MiB.
    pub max_path_bytes: usize,
    /// Whether files keep their set-user-id and set-group-id bits. Default: no.
    pub keep_setid: bool,
    /// Whether files belong to the users and groups whose numbers the archive has; only root can do that. Default: no,
    /// they are this user's.
    pub keep_owner: bool,
    /// Whether entries that are not files, directories or links are left out. Default: no, they are refused.
    pub skip_special: bool,
    /// Who is told how far it has come. Default: nobody.
    pub watch: Option<Watch>,
}

impl Unpacking {
    /// Everything into the destination, without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the whole appear at once or not at all; see [`atomic`](Self::atomic).
    #[must_use]
    pub fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets [`max_entries`](Self::max_entries).
    #[must_use]
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.max_entries = Some(entries);
        self
    }

    /// Has files keep their set-user-id and set-group-id bits.
    #[must_use]
    pub fn keep_setid(mut self) -> Self {
        self.keep_setid = true;
        self
    }

    /// Has files belong to whom they belong there; see [`keep_owner`](Self::keep_owner).
    #[must_use]
    pub fn keep_owner(mut self) -> Self {
        self.keep_owner = true;
        self
    }

    /// Has devices, pipes and other things left out, and not refused.
    #[must_use]
    pub fn skip_special(mut self) -> Self {
        self.skip_special = true;
        self
    }

    /// Has this told how far it has come; see [`Watch`].
    #[must_use]
    pub fn watch(mut self, call: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.watch = Some(Watch::new(call));
        self
    }
}

impl Default for Unpacking {
    fn default() -> Self {
        Self {
            atomic: false,
            max_bytes: None,
            max_entries: None,
            max_depth: 4096,
            max_path_bytes: 1024 * 1024,
            keep_setid: false,
            keep_owner: false,
            skip_special: false,
            watch: None,
        }
    }
}

/// Where on this machine an archive goes, and which part of it.
///
/// Of an archive with the entries `base` and `base/…`, this gives
///
/// | `top`  | `name`       | |
/// |--------|--------------|-|
/// | `base` | `Some(name)` | `dir/name`, be it a file or a tree |
/// | `base` | `None`       | what is in `base`, in `dir` |
/// | empty  | `None`       | an archive whose entries have no common top, in `dir` |
/// | empty  | `Some(name)` | the same, in `dir/name` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The directory that everything stays in. It is made, with those above it, if it is not there. Links that are in
    /// this path are followed, as it is the caller's.
    pub dir: PathBuf,
    /// The first component of every entry's name: an entry without it is refused. Empty: there is none.
    pub top: Bytes,
    /// The name in `dir` that stands in the place of `top`: one component. `None`: what is in `top` goes straight into `dir`.
    pub name: Option<std::ffi::OsString>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of files' content, holes counted.
    pub bytes: u64,
    /// Files and links that are done; directories are not counted.
    pub files: u64,
    /// Files that were left out because they are sockets, pipes or devices.
    pub skipped: u64,
    /// The bytes that it will be, where that is known: for one file.
    pub total: Option<u64>,
}

/// The other side has ended it: its own error is the one to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// Why an entry of an archive was refused. It was not written, and nothing behind it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no name.
    #[error("its name is empty")]
    EmptyName,
    /// The name begins with a slash.
    #[error("its name is absolute")]
    Absolute,
    /// The name has a `..`.
    #[error("its name leaves the directory with `..`")]
    Parent,
    /// The name, or where the link leads, has a byte that names cannot have.
    #[error("its name or where it leads has a NUL in it")]
    Nul,
    /// A component is longer than any file system takes.
    #[error("a part of its name is longer than 255 bytes")]
    LongName,
    /// It does not belong to what was asked for.
    #[error("it does not belong to what was asked for, whose entries begin with {0:?}")]
    Elsewhere(String),
    /// It would be written through a link.
    #[error("{0:?}, which it is below, is a symbolic link")]
    ThroughLink(String),
    /// It is below something that is no directory.
    #[error("{0:?}, which it is below, is not a directory")]
    BelowFile(String),
    /// A directory where a link is.
    #[error("it is a directory, and in its place is a symbolic link")]
    DirectoryOverLink,
    /// Something else where a directory is.
    #[error("it is not a directory, and in its place is one")]
    OverDirectory,
    /// What is to be the top is not a directory, though it goes straight into one.
    #[error("it is not a directory, and only what is in a directory was asked for")]
    NotATree,
    /// A hard link to something that this archive did not write as a file before.
    #[error("it is a hard link to {0:?}, which is no file that came before it")]
    LinkTarget(String),
    /// A symbolic link to nothing.
    #[error("it is a symbolic link that leads nowhere")]
    EmptyLink,
    /// A device.
    #[error("it is a device")]
    Device,
    /// A named pipe.
    #[error("it is a named pipe")]
    Fifo,
    /// A kind of entry that is not known here.
    #[error("its kind {0:#04x} is not known")]
    UnknownKind(u8),
}

/// What went wrong on this machine's side of a transfer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// It is not there.
    #[error("{} does not exist (any more): check the path", .path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// We may not.
    #[error("{} may not be read or written by this user: change its permissions, or leave it out", .path.display())]
    Permission {
        /// The path.
        path: PathBuf,
    },
    /// Something that is not a directory where one must be.
    #[error("{} is not a directory, or is below something that is none: name another one", .path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A directory where none may be.
    #[error("{} is a directory: take it away, or name another path", .path.display())]
    IsADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Neither a file nor a directory: a device, a pipe or a socket.
    #[error("{} is neither a file nor a directory: only these can be sent", .path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// What is to appear at once is there already.
    #[error("{} is there already: take it away, or do without `atomic`", .path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// No room.
    #[error("there is no room for {}: free some, or raise the quota", .path.display())]
    NoSpace {
        /// The path.
        path: PathBuf,
    },
    /// A file system that is not written to.
    #[error("{} is on a read-only file system: name another path", .path.display())]
    ReadOnly {
        /// The path.
        path: PathBuf,
    },
    /// A file was written to, moved or removed while it was read. The rest was sent nevertheless.
    #[error("{} was changed while it was read, and what was sent of it is not whole; everything else was sent: send it again when nobody writes to it", .path.display())]
    Changed {
        /// The first one.
        path: PathBuf,
    },
    /// An entry of the archive would do harm, or cannot be.
    #[error("the entry {entry:?} of the archive is refused: {why}")]
    Refused {
        /// Its name, as text.
        entry: String,
        /// Why.
        why: Refusal,
    },
    /// The archive is larger than allowed.
    #[error(
        "the archive has more than {limit} {what} (at its entry {entry:?}): raise this limit if it is to be trusted with more"
    )]
    OverLimit {
        /// What is limited, in the plural.
        what: &'static str,
        /// How much of it is allowed.
        limit: u64,
        /// The entry that went over it.
        entry: String,
    },
    /// The archive has no entry at all.
    #[error("the archive is empty: there was nothing to write")]
    Empty,
    /// It is not an archive, or one that cannot be.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The other side has ended it, and has its own error.
    #[error("the other side of the transfer has ended it")]
    Stopped,
    /// The program's own filter or watch panicked.
    #[error("the filter of this transfer, or who watches it, panicked: see the panic's own message")]
    Panicked,
    /// The adapter was built without what was asked for.
    #[error("{what} needs the feature {feature:?}, which this program was built without: turn it on in its Cargo.toml")]
    NotBuilt {
        /// What was asked for.
        what: &'static str,
        /// The feature of the adapter crate.
        feature: &'static str,
    },
    /// A rule that is none.
    #[error("{rule:?} is no rule that can be obeyed: {why}")]
    BadRule {
        /// The rule.
        rule: String,
        /// What is wrong.
        why: String,
    },
    /// It failed after something was written, and that stays.
    #[error("{why}; what was written to {} before that ({files} files) stays", .path.display())]
    Unfinished {
        /// The destination.
        path: PathBuf,
        /// Files and links that are whole.
        files: u64,
        /// What happened.
        why: Box<Self>,
    },
    /// Anything else.
    #[error("{}: {kind}", .path.display())]
    Other {
        /// The path.
        path: PathBuf,
        /// What the system said.
        kind: ErrorKind,
    },
}

impl LocalError {
    /// What happened, without whether anything stays.
    #[must_use]
    pub fn cause(&self) -> &Self {
        if let Self::Unfinished { why, .. } = self {
            why.cause()
        } else {
            self
        }
    }
}

impl From<Stopped> for LocalError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// What a local path is, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}
