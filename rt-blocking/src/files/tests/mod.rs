mod changing;
mod huge;
mod landing;
mod packing;
mod round_trip;
#[cfg(feature = "ignore")]
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Bytes, BytesMut};
use pocket_dock_core::Limits;
use pocket_dock_core::archive::{Decoder, Entry, Event};
use pocket_dock_core::files::{LocalError, Packing, Progress, Target, Unpacking};

use super::{PIECE, pack, unpack};

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pocket-dock-files-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let parent = fs::File::open(self.0.parent().unwrap()).unwrap();
        super::place::remove(parent.into(), self.0.file_name().unwrap().as_bytes()).unwrap();
    }
}

fn packed(source: &Path, name: &str, options: &Packing) -> (Vec<u8>, Result<Progress, LocalError>) {
    let mut tar = Vec::new();
    let mut before = Progress::default();
    let result = pack(source, name.as_bytes(), options, &mut |piece, progress| {
        assert!(!piece.is_empty() && piece.len() <= PIECE);
        assert!(progress.bytes >= before.bytes && progress.files >= before.files);
        before = *progress;
        tar.extend_from_slice(&piece);
        Ok(())
    });
    (tar, result)
}

fn target(dir: &Path, top: &str, name: Option<&str>) -> Target {
    Target {
        dir: dir.to_owned(),
        top: Bytes::copy_from_slice(top.as_bytes()),
        name: name.map(Into::into),
    }
}

/// Unpacks in pieces of this size.
fn unpacked(target: &Target, options: &Unpacking, tar: &[u8], size: usize) -> Result<Progress, LocalError> {
    let mut pieces = tar.chunks(size).map(Bytes::copy_from_slice);
    unpack(target, options, &Limits::default(), &mut |_| Ok(pieces.next()))
}

fn entries(tar: &[u8]) -> Vec<Entry> {
    let mut decoder = Decoder::new(&Limits::default());
    let mut buffer = BytesMut::from(tar);
    let mut entries = Vec::new();
    while let Some(event) = decoder.decode(&mut buffer).unwrap() {
        if let Event::Entry(entry) = event {
            entries.push(entry);
        }
    }
    decoder.finish(&buffer).unwrap();
    entries
}

fn entry_names(tar: &[u8]) -> Vec<String> {
    let entries = entries(tar).into_iter();
    entries
        .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
        .collect()
}

/// Everything that is told of a tree: kind, mode, time and content by the path, and which paths are one file.
fn told(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut told = BTreeMap::new();
    let mut firsts = BTreeMap::new();
    tell(root, Path::new(""), &mut told, &mut firsts);
    told
}

fn tell(root: &Path, path: &Path, told: &mut BTreeMap<PathBuf, String>, firsts: &mut BTreeMap<(u64, u64), PathBuf>) {
    let full = if path == Path::new("") {
        root.to_owned()
    } else {
        root.join(path)
    };
    let meta = fs::symlink_metadata(&full).unwrap();
    let time = format!("{}.{:09}", meta.mtime(), meta.mtime_nsec());
    let mut text = format!("{:o} {time} ", meta.mode());
    if meta.is_dir() {
        let mut names: Vec<_> = fs::read_dir(&full)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        for name in names {
            tell(root, &path.join(name), told, firsts);
        }
    } else if meta.is_symlink() {
        text += &format!("-> {:?}", fs::read_link(&full).unwrap());
    } else if meta.is_file() {
        let content = fs::read(&full).unwrap();
        let sum = content
            .iter()
            .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        text += &format!("{} bytes, {sum:x}", content.len());
        let first = firsts
            .entry((meta.dev(), meta.ino()))
            .or_insert_with(|| path.to_owned());
        text += &format!(", is {first:?}");
    }
    told.insert(path.to_owned(), text);
}
