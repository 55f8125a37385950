//! What each kind of entry does to the destination. The rules are told where archives are unpacked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use pocket_dock_core::archive::Entry;
use pocket_dock_core::files::{LocalError, Refusal, Target};
use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::place::{Blocked, Id, failed, kind_at, kind_of, open_for_us, stat_at};
use super::unpack::{Later, Unpacker, refused, shown};
use super::write::{Attributes, Writer};

impl Unpacker<'_> {
    /// To the directory that an entry is in.
    fn go(&mut self, entry: &Entry, above: &[&[u8]]) -> Result<(), LocalError> {
        let trail = &mut self.stage()?.trail;
        let reached = trail.go(above, true);
        self.touched |= trail.made;
        reached.map_err(|blocked| match blocked {
            Blocked::Link(path) => refused(entry, Refusal::ThroughLink(path.to_string_lossy().into_owned())),
            Blocked::File(path) => refused(entry, Refusal::BelowFile(path.to_string_lossy().into_owned())),
            Blocked::Failed(path, error) => failed(self.target.dir.join(path), error),
        })
    }

    /// The archive's top, which is the destination itself.
    pub(super) fn root(&mut self, entry: &Entry) -> Result<(), LocalError> {
        let attributes = Attributes::of(entry, self.options);
        let dir = &self.target.dir;
        let stage = self.stage()?;
        stage.trail.home();
        if stage.sets_top {
            let stat = rustix::fs::fstat(stage.trail.here()).map_err(|error| failed(dir, error))?;
            let id = Id::of(&stat);
            self.directories.insert(Vec::new(), Later { id, attributes });
        }
        self.touched = true;
        Ok(())
    }

    pub(super) fn directory(
        &mut self,
        entry: &Entry,
        above: &[&[u8]],
        name: &[u8],
        is_top: bool,
    ) -> Result<(), LocalError> {
        self.go(entry, above)?;
        let target = self.target;
        let failed = |error| failed(local(target, above, name), error);
        let stage = self.stage()?;
        let at = stage.trail.here();
        let kind = kind_at(at, name).map_err(failed)?;
        if kind == Some(FileType::Symlink) {
            return Err(refused(entry, Refusal::DirectoryOverLink));
        }
        if kind != Some(FileType::Directory) {
            if kind.is_some() {
                rustix::fs::unlinkat(at, name, AtFlags::empty()).map_err(failed)?;
            }
            rustix::fs::mkdirat(at, name, Mode::RWXU).map_err(failed)?;
        }
        // Until the end it is one that we can write in.
        let fd = open_for_us(at, name).map_err(failed)?;
        let id = Id::of(&rustix::fs::fstat(&fd).map_err(failed)?);
        let sets = !is_top || stage.sets_top;
        stage.trail.enter_opened(name, fd).map_err(failed)?;
        self.touched = true;
        if sets {
            let attributes = Attributes::of(entry, self.options);
            self.directories.insert(joined(above, name), Later { id, attributes });
        }
        Ok(())
    }

    /// To where something that is no directory will be.
    fn go_to_replace(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), LocalError> {
        self.go(entry, above)?;
        let kind = kind_at(self.stage()?.trail.here(), name);
        let kind = kind.map_err(|error| failed(local(self.target, above, name), error))?;
        if kind == Some(FileType::Directory) {
            return Err(refused(entry, Refusal::OverDirectory));
        }
        self.touched = true;
        Ok(())
    }

    pub(super) fn file(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), LocalError> {
        self.go_to_replace(entry, above, name)?;
        let target = self.target;
        let (own, attributes) = (self.temporary(), Attributes::of(entry, self.options));
        let at = self.stage()?.trail.here();
        self.current = Some(Writer::new(
            at,
            own,
            name,
            entry,
            attributes,
            local(target, above, name),
        )?);
        self.end_if_whole()
    }

    pub(super) fn symlink(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), LocalError> {
        if entry.link.is_empty() {
            return Err(refused(entry, Refusal::EmptyLink));
        }
        if entry.link.contains(&0) {
            return Err(refused(entry, Refusal::Nul));
        }
        self.go_to_replace(entry, above, name)?;
        let target = self.target;
        let (own, attributes) = (self.temporary(), Attributes::of(entry, self.options));
        let at = self.stage()?.trail.here();
        let failed = |error| failed(local(target, above, name), error);
        rustix::fs::symlinkat(&*entry.link, at, &own).map_err(failed)?;
        let made = attributes.apply_to_link(at, &own);
        let made = made.and_then(|()| rustix::fs::renameat(at, &own, at, name));
        if made.is_err() {
            let _ = rustix::fs::unlinkat(at, &own, AtFlags::empty());
        }
        made.map_err(failed)?;
        self.progress.files += 1;
        Ok(())
    }

    pub(super) fn hard_link(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), LocalError> {
        let no_file = || refused(entry, Refusal::LinkTarget(shown(&entry.link)));
        let mut from = self.below_top(&entry.link).map_err(|_| no_file())?;
        let top = self.stage()?.name.clone();
        if let Some(top) = &top {
            from.insert(0, top.as_bytes());
        }
        let (from, from_above) = from.split_last().ok_or_else(no_file)?;
        let trail = &mut self.stage()?.trail;
        trail.go(from_above, false).map_err(|_| no_file())?;
        let from_at = trail.here().try_clone_to_owned();
        let stat = stat_at(trail.here(), from).ok().flatten().ok_or_else(no_file)?;
        let id = Id::of(&stat);
        if kind_of(&stat) != FileType::RegularFile || !self.written.contains(&id) {
            return Err(no_file());
        }
        self.go_to_replace(entry, above, name)?;
        let target = self.target;
        let from_at = from_at.map_err(|error| LocalError::Other {
            path: local(target, above, name),
            kind: error.kind(),
        })?;
        let own = self.temporary();
        let at = self.stage()?.trail.here();
        let failed = |error| failed(local(target, above, name), error);
        // Without the flag that follows links, and then looked at: it is the file that was meant, or it goes.
        rustix::fs::linkat(&from_at, *from, at, &own, AtFlags::empty()).map_err(failed)?;
        let linked = stat_at(at, &own).map(|stat| stat.as_ref().map(Id::of) == Some(id));
        let linked = match linked {
            Ok(true) => rustix::fs::renameat(at, &own, at, name),
            Ok(false) => Err(Errno::STALE),
            Err(error) => Err(error),
        };
        // It is still there if that failed, or if the name was one of the same file.
        let _ = rustix::fs::unlinkat(at, &own, AtFlags::empty());
        linked.map_err(failed)?;
        self.progress.files += 1;
        Ok(())
    }
}

fn joined(above: &[&[u8]], name: &[u8]) -> Vec<u8> {
    above.iter().copied().chain([name]).collect::<Vec<_>>().join(&b'/')
}

/// The path on this machine, for messages.
fn local(target: &Target, above: &[&[u8]], name: &[u8]) -> PathBuf {
    let below = OsStr::from_bytes(&joined(above, name)).to_owned();
    target.dir.join(below)
}
