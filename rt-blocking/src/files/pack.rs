//! Local files to the bytes of an archive.
//!
//! - A source that is a link is followed; links in the tree stay links, with the bytes that are in them.
//! - Permissions (twelve bits) and times (nanoseconds) are kept, and owners unless [`Packing::owner`] gives others. Empty
//!   directories and hidden files are in.
//! - Sockets, named pipes and devices are left out, counted ([`Progress::skipped`]) and told as a warning.
//! - Of files with several names, the second and later names that are in the tree are hard links to the first.
//! - Each directory comes before what is in it, sorted by bytes: the same tree gives the same archive.
//! - Every name is opened relative to its directory, and links are not followed: a tree that changes meanwhile does not
//!   lead out of itself.
//! - A file that has become shorter is filled up with zeros, of one that has become longer only the announced bytes are
//!   sent, one that is gone is left out; what is behind it is sent as usual, and then it is [`LocalError::Changed`].

use std::collections::HashMap;
use std::collections::hash_map;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pocket_dock_core::archive::{Encoder, Entry, EntryKind, FileTime};
use pocket_dock_core::files::{LocalError, Packing, Progress, Stopped};
use rustix::fs::{FileType, Mode, OFlags, SeekFrom, Stat};
use rustix::io::Errno;

use super::content::{Outlet, parts};
use super::place::{Id, Trail, failed, kind_of, names, stat_at};
use super::rules::Rules;

/// What takes the pieces, and hears how far it has come.
pub type Out<'a> = dyn FnMut(Bytes, &Progress) -> Result<(), Stopped> + 'a;

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Packs a file or a tree under a name.
///
/// The entries of a tree are `name` and `name/…`. If the name is empty, the root is `.`, and the names of what is in it
/// are relative to it; a single file then has its own name. `out` gets pieces of at most [`PIECE`](super::PIECE) bytes, the
/// end of the archive among them. [`Progress::files`] counts what is no directory.
///
/// # Errors
/// [`LocalError::Stopped`] if `out` gave an error. After [`LocalError::Changed`] the archive is whole, though not true;
/// after any other, it is broken off.
pub fn pack<'a>(
    source: &Path,
    name: &[u8],
    options: &'a Packing,
    out: &'a mut Out<'a>,
) -> Result<Progress, LocalError> {
    let mut packer = Packer {
        source,
        options,
        encoder: Encoder::new(),
        outlet: Outlet::new(out),
        rules: Rules::new(options)?,
        links: HashMap::new(),
        changed: None,
        name: name.to_vec(),
        path: Vec::new(),
    };
    packer.source()?;
    let end = packer.encoder.end()?;
    packer.outlet.bytes(&end)?;
    packer.outlet.flush()?;
    match packer.changed {
        Some(path) => Err(LocalError::Changed { path }),
        None => Ok(packer.outlet.progress),
    }
}

/// A directory whose names are being taken.
struct Listed {
    /// Those that are left, the next one last.
    names: Vec<Vec<u8>>,
    entry: Entry,
    /// The length of the path of the directory it is in.
    above: usize,
}

struct Packer<'a> {
    source: &'a Path,
    options: &'a Packing,
    encoder: Encoder,
    outlet: Outlet<'a>,
    rules: Rules,
    /// Files that have more names than were found so far: the first one that was found, and how many more may come.
    links: HashMap<Id, (Bytes, u64)>,
    /// The first file that was changed.
    changed: Option<PathBuf>,
    name: Vec<u8>,
    /// Where it is, below the source.
    path: Vec<u8>,
}

impl Packer<'_> {
    fn source(&mut self) -> Result<(), LocalError> {
        let failed = |error| failed(self.source, error);
        // Opening a device may do something: that it is none is seen before.
        let kind = kind_of(&rustix::fs::stat(self.source).map_err(failed)?);
        if !matches!(kind, FileType::Directory | FileType::RegularFile) {
            let path = self.source.to_owned();
            return Err(LocalError::Special { path });
        }
        let fd = rustix::fs::open(self.source, READ, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::fstat(&fd).map_err(failed)?;
        match kind_of(&stat) {
            FileType::Directory => self.tree(fd, &stat),
            FileType::RegularFile => {
                if self.name.is_empty() {
                    self.name = self.source.file_name().unwrap_or_default().as_bytes().to_vec();
                }
                self.outlet.progress.total = u64::try_from(stat.st_size).ok();
                self.file(fd, &stat)
            }
            _ => Err(failed(Errno::STALE)),
        }
    }

    fn tree(&mut self, root: OwnedFd, stat: &Stat) -> Result<(), LocalError> {
        let mut trail = Trail::new(root).map_err(|error| failed(self.source, error))?;
        let mut listed = vec![self.directory(trail.here(), stat, 0)?];
        while let Some(level) = listed.last_mut() {
            let Some(name) = level.names.pop() else {
                self.rules.leave();
                self.path.truncate(level.above);
                let entry = level.entry.clone();
                listed.pop();
                if self.options.repeat_directories && !(self.options.content_only && listed.is_empty()) {
                    self.write(&entry)?;
                }
                trail.leave().map_err(|error| failed(self.local(), error))?;
                continue;
            };
            let above = self.path.len();
            if above > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            let below = self.visit(&mut trail, &name, above)?;
            if below.is_none() {
                self.path.truncate(above);
            }
            listed.extend(below);
        }
        Ok(())
    }

    /// One name in the directory that the trail has led to. If it is a directory, the trail leads into it.
    fn visit(&mut self, trail: &mut Trail, name: &[u8], above: usize) -> Result<Option<Listed>, LocalError> {
        let at = trail.here();
        let Some(stat) = stat_at(at, name).map_err(|error| failed(self.local(), error))? else {
            self.changed();
            return Ok(None);
        };
        let kind = kind_of(&stat);
        if !self.is_taken(kind == FileType::Directory) {
            return Ok(None);
        }
        match kind {
            FileType::Directory => {
                if self.there(trail.enter(name))?.is_none() {
                    return Ok(None);
                }
                let stat = rustix::fs::fstat(trail.here()).map_err(|error| failed(self.local(), error))?;
                return self.directory(trail.here(), &stat, above).map(Some);
            }
            FileType::Symlink => {
                if let Some(target) = self.there(rustix::fs::readlinkat(at, name, Vec::new()))? {
                    let mut entry = self.entry(EntryKind::Symlink, &stat);
                    entry.link = Bytes::from(target.into_bytes());
                    self.write(&entry)?;
                    self.outlet.progress.files += 1;
                }
            }
            FileType::RegularFile => {
                let opened = rustix::fs::openat(at, name, READ | OFlags::NOFOLLOW, Mode::empty());
                if let Some(fd) = self.there(opened)? {
                    let stat = rustix::fs::fstat(&fd).map_err(|error| failed(self.local(), error))?;
                    if kind_of(&stat) == FileType::RegularFile {
                        self.file(fd, &stat)?;
                    } else {
                        self.changed();
                    }
                }
            }
            kind => {
                tracing::warn!(path = %self.local().display(), ?kind, "left out, as it is neither a file, a directory nor a link");
                self.outlet.progress.skipped += 1;
            }
        }
        Ok(None)
    }

    fn is_taken(&self, is_directory: bool) -> bool {
        let path = Path::new(OsStr::from_bytes(&self.path));
        !self.rules.ignores(path, is_directory)
            && self
                .options
                .filter
                .as_ref()
                .is_none_or(|takes| takes(path, is_directory))
    }

    fn directory(&mut self, at: BorrowedFd<'_>, stat: &Stat, above: usize) -> Result<Listed, LocalError> {
        let mut names = names(at).map_err(|error| failed(self.local(), error))?;
        names.reverse();
        self.rules.enter(at, Path::new(OsStr::from_bytes(&self.path)));
        let entry = self.entry(EntryKind::Directory, stat);
        if !(self.options.content_only && self.path.is_empty()) {
            self.write(&entry)?;
        }
        Ok(Listed { names, entry, above })
    }

    fn file(&mut self, fd: OwnedFd, stat: &Stat) -> Result<(), LocalError> {
        let mut entry = self.entry(EntryKind::File, stat);
        if stat.st_nlink > 1 && self.is_further_name(&mut entry, stat) {
            self.write(&entry)?;
            self.outlet.progress.files += 1;
            return Ok(());
        }
        let (file, path) = (File::from(fd), self.local());
        let (size, begun) = (entry.size, self.outlet.progress.bytes);
        let may_have_holes = self.options.sparse && blocks(stat).saturating_mul(512) < size;
        let sparse = if may_have_holes { parts(&file, size) } else { None };
        let header = match &sparse {
            Some(parts) => self.encoder.sparse(&entry, parts)?,
            None => self.encoder.entry(&entry)?,
        };
        self.outlet.bytes(&header)?;
        let mut whole = true;
        if let Some(parts) = sparse {
            for (from, length) in parts {
                rustix::fs::seek(&file, SeekFrom::Start(from)).map_err(|error| failed(&path, error))?;
                whole &= self.outlet.content(&file, length, &path)?;
                self.encoder.content(length)?;
            }
        } else {
            whole = self.outlet.content(&file, size, &path)?;
            self.encoder.content(size)?;
        }
        self.outlet.progress.bytes = begun + size;
        let end = self.encoder.end_entry()?;
        self.outlet.bytes(&end)?;
        self.outlet.progress.files += 1;
        // What says that it has no bytes, as much in /proc does, may have some.
        let more = file.read_at(&mut [0], size).is_ok_and(|count| count > 0);
        if !whole || more {
            self.changed();
        }
        Ok(())
    }

    /// Whether the file has had an entry by another name. This one is then a link to that.
    fn is_further_name(&mut self, entry: &mut Entry, stat: &Stat) -> bool {
        match self.links.entry(Id::of(stat)) {
            hash_map::Entry::Occupied(mut first) => {
                let (name, left) = first.get_mut();
                entry.kind = EntryKind::HardLink;
                entry.size = 0;
                entry.link = name.clone();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    first.remove();
                }
                true
            }
            hash_map::Entry::Vacant(first) => {
                first.insert((entry.path.clone(), further_names(stat)));
                false
            }
        }
    }

    /// The entry of what is at the path.
    fn entry(&self, kind: EntryKind, stat: &Stat) -> Entry {
        let path = match (self.name.is_empty(), self.path.is_empty()) {
            (true, true) => Bytes::from_static(b"."),
            (true, false) => Bytes::copy_from_slice(&self.path),
            (false, true) => Bytes::copy_from_slice(&self.name),
            (false, false) => [&*self.name, b"/", &*self.path].concat().into(),
        };
        let mut entry = Entry::new(path, kind);
        entry.mode = stat.st_mode & 0o7777;
        (entry.uid, entry.gid) = match self.options.owner {
            Some((uid, gid)) => (uid.into(), gid.into()),
            None => (stat.st_uid.into(), stat.st_gid.into()),
        };
        entry.modified = FileTime {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        };
        if kind == EntryKind::File {
            entry.size = u64::try_from(stat.st_size).unwrap_or(0);
        }
        entry
    }

    /// An entry without content.
    fn write(&mut self, entry: &Entry) -> Result<(), LocalError> {
        let header = self.encoder.entry(entry)?;
        self.outlet.bytes(&header)?;
        let end = self.encoder.end_entry()?;
        self.outlet.bytes(&end)
    }

    fn local(&self) -> PathBuf {
        if self.path.is_empty() {
            return self.source.to_owned();
        }
        self.source.join(OsStr::from_bytes(&self.path))
    }

    /// What is at the path is not any more what it was.
    fn changed(&mut self) {
        if self.changed.is_none() {
            self.changed = Some(self.local());
        }
    }

    /// `None` if what was there a moment ago is gone or something else.
    fn there<T>(&mut self, result: rustix::io::Result<T>) -> Result<Option<T>, LocalError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::INVAL | Errno::NXIO) => {
                self.changed();
                Ok(None)
            }
            Err(error) => Err(failed(self.local(), error)),
        }
    }
}

/// The names that a file has besides one.
fn further_names(stat: &Stat) -> u64 {
    number(stat.st_nlink).saturating_sub(1)
}

/// Of a field that is wider on some machines than on others.
fn number(field: impl Into<u64>) -> u64 {
    field.into()
}

/// The blocks of 512 bytes that a file has on the disk.
fn blocks(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0)
}
