//! The bytes of an archive to local files.
//!
//! Nothing is written, made, changed or removed outside the destination, whatever the archive says and whatever is in
//! the destination. The rules:
//!
//! - **Names.** Absolute names, names with `..` or a NUL, and empty ones are refused; `.` and doubled slashes are left out.
//!   With [`Target::top`], so are names that do not begin with it. Directories that no entry is about are made.
//! - **Directories on the way** are opened one at a time and never through a link: an entry that is below a link, be it
//!   one of the archive's or one that was there, is refused.
//! - **Replacing.** A file, a symbolic link or a hard link takes the place of what is no directory, which is not opened: a
//!   link is replaced itself, and not where it leads; over a directory, even an empty one, they are refused. A directory
//!   takes the place of a file, is refused over a link, and leaves a directory that is there with what is in it. The same
//!   holds for names that are twice in the archive.
//! - **Symbolic links** are made as they are, wherever they lead: nothing here follows them.
//! - **Hard links** only to files that this archive wrote before.
//! - **Devices, pipes** and unknown kinds are refused, or left out with [`Unpacking::skip_special`].
//! - **Attributes.** Permissions and times are set to what is open, never by a name that could lead elsewhere; those of
//!   directories at the end. Set-user-id and set-group-id bits are taken off, and owners left, unless the options say
//!   otherwise. A destination that was there before and gets the content of the archive's top keeps its own.
//! - **Files** are written under a name of their own, `.pocket-dock-…`, and renamed when they are whole. Holes, and blocks
//!   of 4 KiB that are all zeros, are left as holes.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use bytes::{Bytes, BytesMut};
use pocket_dock_core::archive::{ArchiveError, Decoder, Entry, EntryKind, Event};
use pocket_dock_core::files::{LocalError, Progress, Refusal, Stopped, Target, Unpacking};
use pocket_dock_core::{Host as _, Limits};
use rustix::io::Errno;

use super::place::{Id, components, failed, open_directory};
use super::stage::Stage;
use super::write::{Attributes, Writer};
use crate::StdHost;

/// What gives the pieces of an archive, and hears how far it has come: `None` behind the last one.
pub type Input<'a> = dyn FnMut(&Progress) -> Result<Option<Bytes>, Stopped> + 'a;

/// Unpacks an archive. The whole of `input` is taken, behind the end of the archive too.
///
/// Before the first entry, nothing is made.
///
/// # Errors
/// [`LocalError::Stopped`] if `input` gave an error. With [`Unpacking::atomic`], nothing has changed after any error. If
/// not, and something was written, it stays and the error is [`LocalError::Unfinished`]; a file that was not whole is
/// removed, and the one it was to replace is still there.
pub fn unpack(
    target: &Target,
    options: &Unpacking,
    limits: &Limits,
    input: &mut Input<'_>,
) -> Result<Progress, LocalError> {
    let own = StdHost.entropy().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut unpacker = Unpacker {
        target,
        options,
        own,
        temporary: 0,
        stage: None,
        current: None,
        directories: BTreeMap::new(),
        written: HashSet::new(),
        progress: Progress::default(),
        entries: 0,
        declared: 0,
        touched: false,
    };
    let result = unpacker.read(limits, input).and_then(|()| unpacker.finish());
    match result {
        Ok(()) => Ok(unpacker.progress),
        Err(error) => Err(unpacker.give_up(error)),
    }
}

/// A directory that gets its attributes at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later {
    pub(super) id: Id,
    pub(super) attributes: Attributes,
}

pub(super) struct Unpacker<'a> {
    pub(super) target: &'a Target,
    pub(super) options: &'a Unpacking,
    /// A part of names that nobody else has.
    own: String,
    /// How many of these names were used.
    temporary: u64,
    pub(super) stage: Option<Stage>,
    pub(super) current: Option<Writer>,
    /// By their path below the root of the trail.
    pub(super) directories: BTreeMap<Vec<u8>, Later>,
    /// The files that were written.
    pub(super) written: HashSet<Id>,
    pub(super) progress: Progress,
    entries: u64,
    /// The bytes of all entries so far.
    declared: u64,
    /// Whether anything was made.
    pub(super) touched: bool,
}

impl Unpacker<'_> {
    fn read(&mut self, limits: &Limits, input: &mut Input<'_>) -> Result<(), LocalError> {
        let mut decoder = Decoder::new(limits);
        let mut buffer = BytesMut::new();
        let (mut last, mut ended) = (Bytes::new(), false);
        loop {
            while let Some(event) = decoder.decode(&mut buffer)? {
                match event {
                    Event::Entry(entry) => {
                        self.entry(&entry)?;
                        last = entry.path;
                    }
                    Event::End => ended = true,
                    Event::Data(data) => {
                        self.progress.bytes += data.len() as u64;
                        self.content(|writer| writer.data(&data))?;
                    }
                    Event::Hole(length) => {
                        self.progress.bytes += length;
                        self.content(|writer| {
                            writer.hole(length);
                            Ok(())
                        })?;
                    }
                    _ => {}
                }
            }
            match input(&self.progress)? {
                Some(piece) if buffer.is_empty() => buffer = BytesMut::from(piece),
                Some(piece) => buffer.extend_from_slice(&piece),
                None => break,
            }
        }
        decoder.finish(&buffer)?;
        if let Some(writer) = &self.current {
            let entry = writer.path().to_string_lossy().into_owned();
            return Err(ArchiveError::Truncated { entry }.into());
        }
        // What packs for a container writes the end, always: an archive without it was cut between two entries.
        if !ended && self.entries > 0 {
            let entry = String::from_utf8_lossy(&last).into_owned();
            return Err(ArchiveError::Truncated { entry }.into());
        }
        Ok(())
    }

    fn content(&mut self, apply: impl FnOnce(&mut Writer) -> Result<(), LocalError>) -> Result<(), LocalError> {
        let Some(writer) = &mut self.current else {
            return Ok(());
        };
        apply(writer)?;
        self.end_if_whole()
    }

    pub(super) fn end_if_whole(&mut self) -> Result<(), LocalError> {
        let (Some(writer), Some(stage)) = (&self.current, &self.stage) else {
            return Ok(());
        };
        if !writer.is_whole() {
            return Ok(());
        }
        let failed = |error| failed(writer.path(), error);
        writer.finish(stage.trail.here()).map_err(failed)?;
        self.written
            .insert(Id::of(&rustix::fs::fstat(writer.file()).map_err(failed)?));
        self.current = None;
        self.progress.files += 1;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), LocalError> {
        let mut parts = self.parts(entry)?;
        self.count(entry, parts.len())?;
        let is_top = parts.is_empty();
        if is_top && entry.kind != EntryKind::Directory && (self.target.name.is_none() || self.target.top.is_empty()) {
            return Err(refused(entry, Refusal::NotATree));
        }
        let special = match entry.kind {
            EntryKind::File | EntryKind::Directory | EntryKind::Symlink | EntryKind::HardLink => None,
            EntryKind::CharDevice | EntryKind::BlockDevice => Some(Refusal::Device),
            EntryKind::Fifo => Some(Refusal::Fifo),
            EntryKind::Other(kind) => Some(Refusal::UnknownKind(kind)),
            _ => Some(Refusal::UnknownKind(0)),
        };
        if let Some(why) = special {
            if !self.options.skip_special {
                return Err(refused(entry, why));
            }
            tracing::warn!(entry = shown(&entry.path), %why, "left out");
            self.progress.skipped += 1;
            return Ok(());
        }
        if is_top && entry.kind == EntryKind::File {
            self.progress.total = Some(entry.size);
        }
        let name = self.stage()?.name.clone();
        if let Some(name) = &name {
            parts.insert(0, name.as_bytes());
        }
        let Some((name, above)) = parts.split_last() else {
            return self.root(entry);
        };
        match entry.kind {
            EntryKind::Directory => self.directory(entry, above, name, is_top),
            EntryKind::File => self.file(entry, above, name),
            EntryKind::Symlink => self.symlink(entry, above, name),
            _ => self.hard_link(entry, above, name),
        }
    }

    /// The components of an entry's name, below the top.
    fn parts<'e>(&self, entry: &'e Entry) -> Result<Vec<&'e [u8]>, LocalError> {
        self.below_top(&entry.path).map_err(|why| refused(entry, why))
    }

    pub(super) fn below_top<'e>(&self, name: &'e [u8]) -> Result<Vec<&'e [u8]>, Refusal> {
        let mut parts = components(name)?;
        if !self.target.top.is_empty() {
            if parts.first().copied() != Some(&*self.target.top) {
                return Err(Refusal::Elsewhere(shown(&self.target.top)));
            }
            parts.remove(0);
        }
        Ok(parts)
    }

    fn count(&mut self, entry: &Entry, depth: usize) -> Result<(), LocalError> {
        self.entries += 1;
        self.declared = self.declared.saturating_add(entry.size);
        let over = |what, limit| {
            Err(LocalError::OverLimit {
                what,
                limit,
                entry: shown(&entry.path),
            })
        };
        match (self.options.max_entries, self.options.max_bytes) {
            (Some(limit), _) if self.entries > limit => return over("entries", limit),
            (_, Some(limit)) if self.declared > limit => return over("bytes of content", limit),
            _ => {}
        }
        if depth > self.options.max_depth {
            return over("components in a name", self.options.max_depth as u64);
        }
        if entry.path.len().max(entry.link.len()) > self.options.max_path_bytes {
            return over("bytes in a name", self.options.max_path_bytes as u64);
        }
        Ok(())
    }

    pub(super) fn stage(&mut self) -> Result<&mut Stage, LocalError> {
        let stage = match self.stage.take() {
            Some(stage) => stage,
            None => Stage::new(self.target, self.options.atomic, self.temporary())?,
        };
        Ok(self.stage.insert(stage))
    }

    /// A name that nobody else has.
    pub(super) fn temporary(&mut self) -> Vec<u8> {
        self.temporary += 1;
        format!(".pocket-dock-{}-{}", self.own, self.temporary).into_bytes()
    }

    fn finish(&mut self) -> Result<(), LocalError> {
        if self.stage.is_none() {
            return Err(LocalError::Empty);
        }
        let top = self.settle()?;
        self.stage()?.finish(top)
    }

    /// Gives the directories their attributes, the deepest first. Those of the top are given back if it is yet to be moved.
    fn settle(&mut self) -> Result<Option<Attributes>, LocalError> {
        let directories = std::mem::take(&mut self.directories);
        let target = self.target;
        let stage = self.stage()?;
        let top = stage.name.clone().unwrap_or_default().into_vec();
        let mut of_top = None;
        for (path, later) in directories.into_iter().rev() {
            if stage.is_atomic() && path == top {
                of_top = Some(later.attributes);
                continue;
            }
            let local = target.dir.join(OsStr::from_bytes(&path));
            let failed = |error| failed(&local, error);
            let parts: Vec<_> = path
                .split(|byte| *byte == b'/')
                .filter(|part| !part.is_empty())
                .collect();
            let Some((name, above)) = parts.split_last() else {
                stage.trail.home();
                later.attributes.apply(stage.trail.here()).map_err(failed)?;
                continue;
            };
            let there = stage.trail.go(above, false);
            there.map_err(|_| failed(Errno::STALE))?;
            // Not by going into it: there may be no way back out.
            let fd = open_directory(stage.trail.here(), name).map_err(failed)?;
            if Id::of(&rustix::fs::fstat(&fd).map_err(failed)?) != later.id {
                return Err(failed(Errno::STALE));
            }
            later.attributes.apply(fd.as_fd()).map_err(failed)?;
        }
        Ok(of_top)
    }

    /// What can be taken back is, and the error says what cannot.
    fn give_up(mut self, error: LocalError) -> LocalError {
        if let (Some(writer), Some(stage)) = (self.current.take(), &self.stage) {
            writer.give_up(stage.trail.here());
        }
        let Some(mut stage) = self.stage.take() else {
            return error;
        };
        if stage.is_atomic() {
            stage.give_up();
            return error;
        }
        self.stage = Some(stage);
        if let Err(error) = self.settle() {
            tracing::warn!(%error, "not every directory has its permissions and its time");
        }
        if let Some(mut stage) = self.stage.take() {
            stage.give_up();
        }
        if !self.touched {
            return error;
        }
        LocalError::Unfinished {
            path: self
                .target
                .name
                .as_ref()
                .map_or(self.target.dir.clone(), |name| self.target.dir.join(name)),
            files: self.progress.files,
            why: Box::new(error),
        }
    }
}

pub(super) fn refused(entry: &Entry, why: Refusal) -> LocalError {
    LocalError::Refused {
        entry: shown(&entry.path),
        why,
    }
}

/// A name as text, cut where nobody reads on.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.char_indices().nth(256) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.into_owned(),
    }
}
