//! Where a tree is laid: straight in its destination, or in a directory beside it that is renamed when all is there.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use pocket_dock_core::files::{LocalError, Target};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::place::{Trail, failed, kind_of, names, open_directory, remove, stat_at};
use super::write::Attributes;

/// The destination while it is written to.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) trail: Trail,
    /// The name below the trail's root that stands for the archive's top, if it is not that root itself.
    pub(super) name: Option<OsString>,
    /// Whether the attributes of the archive's top are to be set: not to a directory that was there before, and was
    /// not asked for by a name.
    pub(super) sets_top: bool,
    atomic: Option<Beside>,
    /// The directories that were made to have the destination, the outermost first.
    made: Vec<PathBuf>,
}

#[derive(Debug)]
struct Beside {
    /// The directory that the tree will be in.
    parent: OwnedFd,
    /// The name of the directory it is in so far.
    own: Vec<u8>,
    /// The permissions of the empty directory whose place it takes.
    mode: Option<Mode>,
    path: PathBuf,
}

impl Stage {
    /// `own` is a name that nobody else has.
    pub(super) fn new(target: &Target, atomic: bool, own: Vec<u8>) -> Result<Self, LocalError> {
        if let Some(name) = &target.name
            && (matches!(name.as_bytes(), b"" | b"." | b"..") || name.as_bytes().contains(&b'/'))
        {
            let path = target.dir.join(name);
            return Err(LocalError::Other {
                path,
                kind: ErrorKind::InvalidInput,
            });
        }
        if atomic {
            return Self::beside(target, own);
        }
        let made = make(&target.dir)?;
        let sets_top = target.name.is_some() || !made.is_empty();
        let trail = open(&target.dir).and_then(|root| Trail::new(root).map_err(|error| failed(&target.dir, error)));
        Ok(Self {
            trail: trail.inspect_err(|_| unmake(&made))?,
            name: target.name.clone(),
            sets_top,
            atomic: None,
            made,
        })
    }

    fn beside(target: &Target, own: Vec<u8>) -> Result<Self, LocalError> {
        let (dir, name) = match &target.name {
            Some(name) => (target.dir.clone(), name.clone()),
            None => split(&target.dir)?,
        };
        let made = make(&dir)?;
        let opened = Self::open_beside(target, &dir, &name, own);
        let (trail, atomic) = opened.inspect_err(|_| unmake(&made))?;
        Ok(Self {
            trail,
            name: Some(name),
            sets_top: atomic.mode.is_none(),
            atomic: Some(atomic),
            made,
        })
    }

    fn open_beside(target: &Target, dir: &Path, name: &OsString, own: Vec<u8>) -> Result<(Trail, Beside), LocalError> {
        let path = dir.join(name);
        let parent = open(dir)?;
        let mut mode = None;
        if let Some(stat) = stat_at(parent.as_fd(), name.as_bytes()).map_err(|error| failed(&path, error))? {
            match (kind_of(&stat), &target.name) {
                (FileType::Directory, None) => mode = Some(Mode::from_raw_mode(stat.st_mode & 0o7777)),
                (FileType::Directory, Some(_)) => {}
                (_, None) => return Err(LocalError::NotADirectory { path }),
                (_, Some(_)) => {}
            }
            if kind_of(&stat) == FileType::Directory {
                let there = open_directory(parent.as_fd(), name.as_bytes()).and_then(|fd| names(fd.as_fd()));
                if !there.map_err(|error| failed(&path, error))?.is_empty() {
                    return Err(LocalError::Exists { path });
                }
            }
        }
        rustix::fs::mkdirat(&parent, &own, Mode::RWXU).map_err(|error| failed(dir, error))?;
        let trail = open_directory(parent.as_fd(), &own).and_then(Trail::new);
        let trail = trail.map_err(|error| {
            // Nothing is in it yet.
            let _ = rustix::fs::unlinkat(&parent, &own, AtFlags::REMOVEDIR);
            failed(dir, error)
        })?;
        let atomic = Beside {
            parent,
            own,
            mode,
            path,
        };
        Ok((trail, atomic))
    }

    /// Whether the archive's top is to get its attributes by [`finish`](Self::finish).
    pub(super) fn is_atomic(&self) -> bool {
        self.atomic.is_some()
    }

    /// All is there. `top` is for the directory that is the archive's top.
    pub(super) fn finish(&mut self, top: Option<Attributes>) -> Result<(), LocalError> {
        let (Some(atomic), Some(name)) = (&self.atomic, &self.name) else {
            return Ok(());
        };
        self.trail.home();
        let (name, failed) = (name.as_bytes(), |error| failed(&atomic.path, error));
        let Some(stat) = stat_at(self.trail.here(), name).map_err(failed)? else {
            return Err(LocalError::Empty);
        };
        let tree = (kind_of(&stat) == FileType::Directory).then(|| open_directory(self.trail.here(), name));
        let tree = tree.transpose().map_err(failed)?;
        rustix::fs::renameat(self.trail.here(), name, &atomic.parent, name).map_err(failed)?;
        let gone = rustix::fs::unlinkat(&atomic.parent, &atomic.own, AtFlags::REMOVEDIR);
        if let Err(error) = gone {
            tracing::warn!(path = %atomic.path.display(), %error, "an empty directory stays beside it");
        }
        // Not before: a directory that may not be written to cannot be moved.
        if let Some(tree) = tree {
            if let Some(top) = top {
                top.apply(tree.as_fd()).map_err(failed)?;
            } else if let Some(mode) = atomic.mode {
                rustix::fs::fchmod(&tree, mode).map_err(failed)?;
            }
        }
        self.atomic = None;
        Ok(())
    }

    /// It failed: what can be taken back is.
    pub(super) fn give_up(&mut self) {
        self.trail.home();
        if let Some(atomic) = self.atomic.take() {
            let path = atomic.path;
            if let Err(error) = remove(atomic.parent, &atomic.own)
                && error != Errno::NOENT
            {
                tracing::warn!(path = %path.display(), %error, "a part of a tree stays beside it");
            }
        }
        unmake(&self.made);
    }
}

/// The directory that another one is in, and its name there.
fn split(dir: &Path) -> Result<(PathBuf, OsString), LocalError> {
    let other = |kind| LocalError::Other {
        path: dir.to_owned(),
        kind,
    };
    let dir = match fs::canonicalize(dir) {
        Ok(dir) => dir,
        Err(error) if error.kind() == ErrorKind::NotFound => dir.to_owned(),
        Err(error) => return Err(other(error.kind())),
    };
    let name = dir.file_name().ok_or_else(|| other(ErrorKind::InvalidInput))?;
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((parent.to_owned(), name.to_owned()))
}

fn open(dir: &Path) -> Result<OwnedFd, LocalError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).map_err(|error| failed(dir, error))
}

/// Makes a directory and those above it that are missing: which these were.
fn make(dir: &Path) -> Result<Vec<PathBuf>, LocalError> {
    let missing = dir
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let missing: Vec<_> = missing.map(Path::to_owned).collect();
    let mut made = Vec::new();
    for dir in missing.into_iter().rev() {
        match rustix::fs::mkdir(&dir, Mode::from_raw_mode(0o777)) {
            Ok(()) => made.push(dir),
            Err(Errno::EXIST) => {}
            Err(error) => {
                unmake(&made);
                return Err(failed(&dir, error));
            }
        }
    }
    Ok(made)
}

/// Removes the directories that were made, as far as they are empty.
fn unmake(made: &[PathBuf]) {
    for dir in made.iter().rev() {
        if fs::remove_dir(dir).is_err() {
            return;
        }
    }
}
