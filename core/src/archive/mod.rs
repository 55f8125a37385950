//! Tar archives, incremental both ways: no I/O, and nothing is held but one header.
//!
//! [`Encoder`] gives the blocks in front of an entry's content and behind it; the content itself goes past it uncopied.
//! [`Decoder`] takes bytes however they are cut and gives [`Event`]s. Neither knows what a file is: who reads and writes
//! files, and what of an archive may be written where, is the adapter's to decide.
//!
//! ```text
//! Decoder:  Entry ─► (Data | Hole)* ─► Entry ─► … ─► End        the sizes of Data and Hole add up to the entry's size
//! ```

mod content;
mod decode;
mod encode;
mod error;
mod header;
mod next;
mod pax;
mod sparse;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use bytes::Bytes;

pub use decode::Decoder;
pub use encode::Encoder;
pub use error::ArchiveError;

/// What an entry of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A regular file. The only kind that has content.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to [`Entry::link`].
    Symlink,
    /// Another name of the entry whose name is [`Entry::link`].
    HardLink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// Something else, with its type byte. What content it has is skipped, and its size told as 0.
    Other(u8),
}

/// A time as archives hold it: seconds since 1970-01-01 00:00:00 UTC, and nanoseconds that are added to them.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use pocket_dock_core::archive::FileTime;
///
/// let time = FileTime { seconds: -1, nanoseconds: 500_000_000 };
/// assert_eq!(SystemTime::from(time), SystemTime::UNIX_EPOCH - Duration::from_millis(500));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// Below 1,000,000,000.
    pub nanoseconds: u32,
}

impl From<FileTime> for SystemTime {
    /// Exact, wherever the system counts seconds in 64 bits, as every Unix does. Elsewhere, a time that the system cannot
    /// tell is the nearest that counts from 1970: that moment itself, or the whole second.
    fn from(time: FileTime) -> Self {
        let seconds = Duration::from_secs(time.seconds.unsigned_abs());
        let whole = if time.seconds < 0 {
            Self::UNIX_EPOCH.checked_sub(seconds)
        } else {
            Self::UNIX_EPOCH.checked_add(seconds)
        };
        let whole = whole.unwrap_or(Self::UNIX_EPOCH);
        let exact = whole.checked_add(Duration::from_nanos(time.nanoseconds.into()));
        exact.unwrap_or(whole)
    }
}

/// One entry: everything that is told of a file but its content.
///
/// Names are bytes, as they stand in the archive, and not to be trusted: they may be absolute, hold `..` or anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name. Without the slash that archives put behind the name of a directory.
    pub path: Bytes,
    /// What it is.
    pub kind: EntryKind,
    /// Where a link leads; else empty.
    pub link: Bytes,
    /// The twelve bits of permission, set-id and sticky.
    pub mode: u32,
    /// The number of the user that owns it.
    pub uid: u64,
    /// The number of the group that owns it.
    pub gid: u64,
    /// When its content was changed last.
    pub modified: FileTime,
    /// The bytes of its content, holes counted; 0 for everything but files.
    pub size: u64,
}

impl Entry {
    /// An entry of this name and kind: mode 0, owner 0, time 0, without content.
    #[must_use]
    pub fn new(path: impl Into<Bytes>, kind: EntryKind) -> Self {
        Self {
            path: path.into(),
            kind,
            link: Bytes::new(),
            mode: 0,
            uid: 0,
            gid: 0,
            modified: FileTime::default(),
            size: 0,
        }
    }
}

/// What an archive holds, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The next entry begins. The one before is whole.
    Entry(Entry),
    /// The next bytes of the entry's content; at least one.
    Data(Bytes),
    /// So many bytes of the entry's content are zero: at least one.
    Hole(u64),
    /// The archive has ended.
    End,
}
