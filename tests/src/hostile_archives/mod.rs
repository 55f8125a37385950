//! Archives that want to write where they were not asked to, and those that only look so.
//!
//! All are of one tree, whose top is [`Site::top`]. They can be unpacked straight from memory, or be what a tar in a
//! container gives that lies.

mod links;
mod names;
mod other;
mod raw;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

pub use raw::{Header, Tar};

/// What an archive knows of the place it attacks.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The top of the tree that is asked for.
    pub top: &'a str,
    /// A directory outside the destination, as an absolute path, that [`decoys`] has filled.
    pub outside: &'a str,
    /// The same from the top of the tree.
    pub relative: &'a str,
}

/// What is to become of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It gives an error.
    Refused,
    /// It is unpacked, and does no harm.
    Confined,
    /// It gives an error where [`plant`] has planted links, and else is unpacked and does no harm.
    RefusedIfPlanted,
    /// The file system decides which of both.
    Either,
}

/// One archive.
#[derive(Debug, Clone, Copy)]
pub struct Hostile {
    /// What it tries.
    pub name: &'static str,
    /// Puts it together, but for its end.
    pub build: fn(&Site<'_>, &mut Tar),
    /// What is to become of it.
    pub outcome: Outcome,
}

impl Hostile {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self, site: &Site<'_>) -> Vec<u8> {
        let mut tar = Tar::default();
        (self.build)(site, &mut tar);
        tar.into_bytes()
    }
}

const fn case(name: &'static str, outcome: Outcome, build: fn(&Site<'_>, &mut Tar)) -> Hostile {
    Hostile { name, build, outcome }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Hostile> {
    names::CASES.iter().chain(links::CASES).chain(other::CASES)
}

/// Fills a directory with what none of them may touch.
///
/// # Errors
/// The system's.
pub fn decoys(outside: &Path) -> io::Result<()> {
    fs::create_dir_all(outside.join("dir/below"))?;
    for name in ["secret", "hard", "dir/file", "dir/below/file"] {
        fs::write(outside.join(name), format!("this is {name}"))?;
    }
    symlink("secret", outside.join("link"))?;
    symlink("not-there", outside.join("dangling"))
}

/// Plants links to what is outside into the destination of a tree, which is made.
///
/// # Errors
/// The system's.
pub fn plant(root: &Path, outside: &Path) -> io::Result<()> {
    fs::create_dir_all(root.join("dir"))?;
    fs::create_dir(root.join("full"))?;
    fs::write(root.join("full/file"), "mine")?;
    fs::write(root.join("plain"), "mine")?;
    symlink(outside, root.join("to-dir"))?;
    symlink(outside.join("secret"), root.join("to-file"))?;
    symlink(outside.join("new"), root.join("dangling"))?;
    symlink(outside.join("dir"), root.join("dir/inner"))?;
    symlink("loop", root.join("loop"))?;
    fs::hard_link(outside.join("hard"), root.join("hard"))?;
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, mode, 0)?;
    Ok(())
}

/// Everything that can be seen of a tree without what is below `except`, a line for each path.
///
/// Of the directory that `except` is in, the time is left out, as it may be written to. Links are not followed.
///
/// # Errors
/// The system's.
pub fn seen(root: &Path, except: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    see(root, except, &mut lines)?;
    Ok(lines)
}

fn see(path: &Path, except: &Path, lines: &mut Vec<String>) -> io::Result<()> {
    if path == except {
        return Ok(());
    }
    let meta = fs::symlink_metadata(path)?;
    let (dev, ino, mode, owner) = (meta.dev(), meta.ino(), meta.mode(), (meta.uid(), meta.gid()));
    let mut line = format!("{path:?} {dev}:{ino} {mode:o} {owner:?} {}", meta.rdev());
    if Some(path) != except.parent() {
        line += &format!(" {}.{:09}", meta.mtime(), meta.mtime_nsec());
    }
    if meta.is_symlink() {
        line += &format!(" -> {:?}", fs::read_link(path)?);
    } else if meta.is_file() {
        line += &format!(" {:?}", String::from_utf8_lossy(&fs::read(path)?));
    }
    lines.push(line);
    if meta.is_dir() {
        let mut names = fs::read_dir(path)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            see(&name, except, lines)?;
        }
    }
    Ok(())
}
