//! One file that is being written: under a name of its own until it is whole, then under the one it is to have.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use pocket_dock_core::archive::{Entry, FileTime};
use pocket_dock_core::files::{LocalError, Unpacking};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::place::failed;

/// Blocks of this size that are all zeros are left as holes.
const BLOCK: usize = 4096;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Permissions, owner and time of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    pub(super) mode: Mode,
    owner: Option<(u64, u64)>,
    modified: FileTime,
}

impl Attributes {
    pub(super) fn of(entry: &Entry, options: &Unpacking) -> Self {
        let kept = if options.keep_setid { 0o7777 } else { 0o1777 };
        Self {
            mode: Mode::from_raw_mode(entry.mode & kept),
            owner: options.keep_owner.then_some((entry.uid, entry.gid)),
            modified: entry.modified,
        }
    }

    fn owner(&self) -> rustix::io::Result<Option<(Uid, Gid)>> {
        let number = |number: u64| match u32::try_from(number) {
            Ok(number) if number != u32::MAX => Ok(number),
            _ => Err(Errno::INVAL),
        };
        self.owner
            .map(|(uid, gid)| Ok((Uid::from_raw(number(uid)?), Gid::from_raw(number(gid)?))))
            .transpose()
    }

    fn times(&self) -> Timestamps {
        Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: self.modified.seconds,
                tv_nsec: self.modified.nanoseconds.min(999_999_999).into(),
            },
        }
    }

    /// To what is open. The owner first, as a change of it takes bits from the mode.
    pub(super) fn apply(&self, fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
        if let Some((uid, gid)) = self.owner()? {
            rustix::fs::fchown(fd, Some(uid), Some(gid))?;
        }
        rustix::fs::fchmod(fd, self.mode)?;
        rustix::fs::futimens(fd, &self.times())
    }

    /// To a symbolic link itself. It has no mode.
    pub(super) fn apply_to_link(&self, at: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
        if let Some((uid, gid)) = self.owner()? {
            rustix::fs::chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::utimensat(at, name, &self.times(), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// A file that is not whole yet.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    /// The name that it has until it is whole.
    own: Vec<u8>,
    name: Vec<u8>,
    attributes: Attributes,
    size: u64,
    position: u64,
    /// Where the last byte that was written ends.
    end: u64,
    /// For messages.
    path: PathBuf,
}

impl Writer {
    /// A new file in a directory.
    pub(super) fn new(
        at: BorrowedFd<'_>,
        own: Vec<u8>,
        name: &[u8],
        entry: &Entry,
        attributes: Attributes,
        path: PathBuf,
    ) -> Result<Self, LocalError> {
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(at, &own, NEW, mode).map_err(|error| failed(&path, error))?;
        Ok(Self {
            file: File::from(fd),
            own,
            name: name.to_vec(),
            attributes,
            size: entry.size,
            position: 0,
            end: 0,
            path,
        })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.position >= self.size
    }

    pub(super) fn hole(&mut self, length: u64) {
        self.position = self.position.saturating_add(length);
    }

    /// The next bytes. Whole blocks of zeros are only gone past.
    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        let mut run = bytes;
        // How much of the run has been looked at.
        let mut seen = 0;
        while seen < run.len() {
            let begun = usize::try_from((self.position + seen as u64) % BLOCK as u64).unwrap_or(0);
            let length = (BLOCK - begun).min(run.len() - seen);
            let (before, rest) = run.split_at(seen);
            let (block, behind) = rest.split_at(length);
            // A part of a block too: what is not written is zero.
            if ZEROS.starts_with(block) {
                self.write(before)?;
                self.hole(length as u64);
                (run, seen) = (behind, 0);
            } else {
                seen += length;
            }
        }
        self.write(run)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all_at(bytes, self.position);
        written.map_err(|error| failed(&self.path, errno(&error)))?;
        self.position += bytes.len() as u64;
        self.end = self.position;
        Ok(())
    }

    /// Gives it its attributes and its name, in the directory that it was made in.
    pub(super) fn finish(&self, at: BorrowedFd<'_>) -> rustix::io::Result<()> {
        if self.position > self.end {
            rustix::fs::ftruncate(&self.file, self.position)?;
        }
        self.attributes.apply(self.file.as_fd())?;
        rustix::fs::renameat(at, &self.own, at, &self.name)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It will not be whole.
    pub(super) fn give_up(&self, at: BorrowedFd<'_>) {
        // It is not there if it was renamed.
        if let Err(error) = rustix::fs::unlinkat(at, &self.own, AtFlags::empty())
            && error != Errno::NOENT
        {
            tracing::warn!(path = %self.path.display(), %error, "a part of a file stays beside it");
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
