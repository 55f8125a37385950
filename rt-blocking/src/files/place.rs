//! Places in a tree, reached one component at a time and never through a link.
//!
//! A [`Trail`] is a path of open directories below a root. It opens each by its name alone, relative to the one above it,
//! and refuses links, so that no name and no link leads out of the root, whatever else is done to the tree meanwhile.
//! Of a deep path only some descriptors stay open: on the way back, `..` leads to the others, and whether it has led to
//! the same directory is seen by its device and inode.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use pocket_dock_core::files::{LocalError, Refusal};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

/// Descriptors of one trail that stay open, besides the root's.
const OPEN: usize = 48;
/// Longer than any file system takes.
const LONGEST_NAME: usize = 255;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What a file is, as opposed to how it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id {
    dev: u64,
    ino: u64,
}

impl Id {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
        }
    }
}

#[derive(Debug)]
struct Level {
    name: Vec<u8>,
    id: Id,
}

/// The way from a root to the directory that is being worked on.
#[derive(Debug)]
pub(super) struct Trail {
    root: OwnedFd,
    root_id: Id,
    levels: Vec<Level>,
    /// The descriptors of the deepest levels.
    open: VecDeque<OwnedFd>,
    /// Whether [`go`](Self::go) made any of them.
    pub(super) made: bool,
}

impl Trail {
    pub(super) fn new(root: OwnedFd) -> Result<Self> {
        let root_id = Id::of(&rustix::fs::fstat(&root)?);
        Ok(Self {
            root,
            root_id,
            levels: Vec::new(),
            open: VecDeque::new(),
            made: false,
        })
    }

    /// The directory it has led to.
    pub(super) fn here(&self) -> BorrowedFd<'_> {
        self.open.back().unwrap_or(&self.root).as_fd()
    }

    /// The path from the root, for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.levels.iter().map(|level| OsStr::from_bytes(&level.name)).collect()
    }

    /// Into a directory that is in this one.
    pub(super) fn enter(&mut self, name: &[u8]) -> Result<()> {
        let fd = open_directory(self.here(), name)?;
        self.enter_opened(name, fd)
    }

    /// Into a directory that has just been opened as the one of this name.
    pub(super) fn enter_opened(&mut self, name: &[u8], fd: OwnedFd) -> Result<()> {
        let id = Id::of(&rustix::fs::fstat(&fd)?);
        self.levels.push(Level {
            name: name.to_vec(),
            id,
        });
        self.open.push_back(fd);
        if self.open.len() > OPEN {
            self.open.pop_front();
        }
        Ok(())
    }

    /// Back to the directory that this one is in. At the root, nothing happens.
    pub(super) fn leave(&mut self) -> Result<()> {
        let (Some(below), Some(_)) = (self.open.pop_back(), self.levels.pop()) else {
            return Ok(());
        };
        if !self.open.is_empty() || self.levels.is_empty() {
            return Ok(());
        }
        let above = rustix::fs::openat(&below, "..", DIRECTORY, Mode::empty())?;
        let expected = self.levels.last().map_or(self.root_id, |level| level.id);
        if Id::of(&rustix::fs::fstat(&above)?) != expected {
            // Somebody moved it; the way back is not known any more.
            return Err(Errno::STALE);
        }
        self.open.push_back(above);
        Ok(())
    }

    /// Back to the root.
    pub(super) fn home(&mut self) {
        self.levels.clear();
        self.open.clear();
    }

    /// To the directory of this path below the root, one [`enter`](Self::enter) at a time. `make` makes one that is
    /// missing.
    pub(super) fn go(&mut self, parts: &[&[u8]], make: bool) -> std::result::Result<(), Blocked> {
        let common = self
            .levels
            .iter()
            .zip(parts)
            .take_while(|(level, part)| level.name == **part);
        let common = common.count();
        while self.levels.len() > common {
            if self.leave().is_err() {
                // A directory may have become one that we may not leave by `..`: from the root then, by names.
                self.home();
            }
        }
        for part in parts.get(self.levels.len()..).unwrap_or_default() {
            let mut entered = self.enter(part);
            if make && entered == Err(Errno::NOENT) {
                match rustix::fs::mkdirat(self.here(), *part, Mode::from_raw_mode(0o777)) {
                    Ok(()) => {
                        self.made = true;
                        entered = self.enter(part);
                    }
                    Err(Errno::EXIST) => entered = self.enter(part),
                    Err(error) => entered = Err(error),
                }
            }
            if let Err(error) = entered {
                let mut path = self.path();
                path.push(OsStr::from_bytes(part));
                return Err(match kind_at(self.here(), part) {
                    Ok(Some(FileType::Symlink)) => Blocked::Link(path),
                    Ok(Some(kind)) if kind != FileType::Directory => Blocked::File(path),
                    _ => Blocked::Failed(path, error),
                });
            }
        }
        Ok(())
    }
}

/// Why a directory was not reached. With the path below the root.
#[derive(Debug)]
pub(super) enum Blocked {
    Link(PathBuf),
    File(PathBuf),
    Failed(PathBuf, Errno),
}

/// Opens a directory, and nothing else, by its name alone.
pub(super) fn open_directory(at: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::openat(at, name, DIRECTORY, Mode::empty())
}

/// What has this name, itself and not where it leads.
pub(super) fn stat_at(at: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Stat>> {
    match rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(super) fn kind_at(at: BorrowedFd<'_>, name: &[u8]) -> Result<Option<FileType>> {
    Ok(stat_at(at, name)?.as_ref().map(kind_of))
}

/// The names in a directory, sorted by their bytes.
pub(super) fn names(at: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(at)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The components of a name in an archive: empty ones and `.` are left out, and what could lead elsewhere is refused.
pub(super) fn components(name: &[u8]) -> std::result::Result<Vec<&[u8]>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::EmptyName);
    }
    if name.contains(&0) {
        return Err(Refusal::Nul);
    }
    if name.starts_with(b"/") {
        return Err(Refusal::Absolute);
    }
    let mut parts = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(Refusal::Parent),
            part if part.len() > LONGEST_NAME => return Err(Refusal::LongName),
            part => parts.push(part),
        }
    }
    Ok(parts)
}

/// Removes what has this name, a whole tree or not, and nothing that a link in it leads to.
pub(super) fn remove(at: OwnedFd, name: &[u8]) -> Result<()> {
    let mut trail = Trail::new(at)?;
    if kind_at(trail.here(), name)? != Some(FileType::Directory) {
        return rustix::fs::unlinkat(trail.here(), name, AtFlags::empty());
    }
    enter_to_empty(&mut trail, name)?;
    // The names that are yet to be removed, of each directory on the trail.
    let mut left = vec![(name.to_vec(), names(trail.here())?)];
    while let Some((_, names_here)) = left.last_mut() {
        if let Some(name) = names_here.pop() {
            if kind_at(trail.here(), &name)? == Some(FileType::Directory) {
                enter_to_empty(&mut trail, &name)?;
                left.push((name, names(trail.here())?));
            } else {
                rustix::fs::unlinkat(trail.here(), &*name, AtFlags::empty())?;
            }
        } else if let Some((name, _)) = left.pop() {
            trail.leave()?;
            rustix::fs::unlinkat(trail.here(), &*name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(())
}

fn enter_to_empty(trail: &mut Trail, name: &[u8]) -> Result<()> {
    let fd = open_for_us(trail.here(), name)?;
    trail.enter_opened(name, fd)
}

/// Opens a directory by its name alone, and makes it one that we may read and write in.
pub(super) fn open_for_us(at: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    let fd = match open_directory(at, name) {
        Err(Errno::ACCESS) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let path = rustix::fs::openat(at, name, flags, Mode::empty())?;
            // No call changes the mode of what is open as a path only.
            rustix::fs::chmod(format!("/proc/self/fd/{}", path.as_raw_fd()), Mode::RWXU)?;
            open_directory(at, name)?
        }
        opened => opened?,
    };
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode & 0o7777);
    if !mode.contains(Mode::RWXU) {
        rustix::fs::fchmod(&fd, mode | Mode::RWXU)?;
    }
    Ok(fd)
}

/// What the system said, in our words.
pub(super) fn failed(path: impl AsRef<Path>, error: Errno) -> LocalError {
    let path = path.as_ref().to_owned();
    match error {
        Errno::NOENT => LocalError::NotFound { path },
        Errno::ACCESS | Errno::PERM => LocalError::Permission { path },
        Errno::NOTDIR | Errno::LOOP => LocalError::NotADirectory { path },
        Errno::ISDIR => LocalError::IsADirectory { path },
        Errno::EXIST | Errno::NOTEMPTY => LocalError::Exists { path },
        Errno::NOSPC | Errno::DQUOT => LocalError::NoSpace { path },
        Errno::ROFS => LocalError::ReadOnly { path },
        Errno::STALE => LocalError::Changed { path },
        error => LocalError::Other {
            path,
            kind: std::io::Error::from(error).kind(),
        },
    }
}
