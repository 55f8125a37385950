//! A tree of files of all sorts, and what is in a tree.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use pocket_dock_core::archive::{EntryKind, FileTime};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// What a tree holds, by its names, without `./`.
pub(super) type Listing = BTreeMap<Vec<u8>, Item>;

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) kind: EntryKind,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) modified: FileTime,
    /// Where a symbolic link leads. Of a hard link, the other name, if this is what an archive says.
    pub(super) link: Vec<u8>,
    pub(super) content: Vec<u8>,
    /// What tells hard links; 0 in an archive.
    pub(super) inode: u64,
}

/// How much of the names and times a format can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Names of up to 99 bytes; no pipes.
    V7,
    /// Names of up to 255 bytes, cut at a slash.
    Ustar,
    /// Names of up to 4 KiB, large owners, times before 1970.
    All,
}

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pocket-dock-archives-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// One with a tree in it.
    pub(super) fn filled(name: &str, level: Level) -> Self {
        let directory = Self::new(name);
        fill(directory.path(), level);
        directory
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where the data of the sparse file is, and its size.
pub(super) const SEGMENTS: [(u64, u64); 2] = [(65_536, 4096), (700_416, 8192)];
pub(super) const SPARSE_SIZE: u64 = 1_048_576;
pub(super) const SPARSE: &[u8] = b"sparse";

fn fill(root: &Path, level: Level) {
    let at = |name: &[u8]| root.join(OsStr::from_bytes(name));
    let write = |name: &[u8], content: &[u8], mode| {
        let path = at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    write(b"hello", b"hello\n", 0o644);
    write(b"empty", b"", 0o600);
    write(b"script", b"#!/bin/sh\n", 0o755);
    write(b"set-id", b"x", 0o6755);
    write(b"block", &[b'b'; 512], 0o444);
    let big: Vec<u8> = (0..3_000_017_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    write(b"big", &big, 0o640);
    write(b"dir/sub/file", b"below\n", 0o644);
    fs::create_dir_all(at(b"dir/nothing")).unwrap();
    fs::set_permissions(at(b"dir/nothing"), Permissions::from_mode(0o1777)).unwrap();
    for name in [
        &b"odd/two\nlines"[..],
        b"odd/\xff\xfe",
        b"odd/ sp ace ",
        "odd/ü€".as_bytes(),
        b"odd/a\\b",
        b"odd/-x",
        b"odd/a=b",
    ] {
        write(name, name, 0o644);
    }
    symlink("hello", at(b"link")).unwrap();
    symlink("/nowhere/at all", at(b"dangling")).unwrap();
    fs::hard_link(at(b"hello"), at(b"other-name")).unwrap();
    let mut sparse = File::create(at(SPARSE)).unwrap();
    for (offset, length) in SEGMENTS {
        sparse.seek(SeekFrom::Start(offset)).unwrap();
        sparse.write_all(&vec![b's'; length as usize]).unwrap();
    }
    sparse.set_len(SPARSE_SIZE).unwrap();
    if level >= Level::Ustar {
        mknodat(CWD, at(b"pipe"), FileType::Fifo, Mode::from_raw_mode(0o620), 0).unwrap();
        let long = [&b"p".repeat(60)[..], b"/", &b"q".repeat(59), b"/", &b"n".repeat(99)].concat();
        write(&long, b"split", 0o644);
    }
    if level == Level::All {
        let long = [
            &b"component-of-a-long-name/".repeat(30)[..],
            &"ü".repeat(120).into_bytes(),
        ]
        .concat();
        write(&long, b"long", 0o644);
        symlink(OsStr::from_bytes(&b"target/".repeat(40)), at(b"long-link")).unwrap();
        let alias = [b"alias-", &b"y".repeat(200)[..]].concat();
        fs::hard_link(at(&long), at(&alias)).unwrap();
        // Not everywhere may a file be given away; then this is one more of the same.
        write(b"given", b"", 0o644);
        let _ = chown(at(b"given"), Some(3_000_000), Some(2_500_000));
    }
    let mut times = 0;
    for (name, item) in list(root) {
        times += 1;
        // Tools do not agree on the times of links, and a pipe cannot be opened.
        if matches!(item.kind, EntryKind::File | EntryKind::Directory) {
            let time = UNIX_EPOCH + Duration::new(1_500_000_000 + times, 123_456_000);
            set_time(&at(&name), time);
        }
    }
    if level == Level::All {
        set_time(&at(b"script"), UNIX_EPOCH - Duration::from_millis(1500));
    }
}

fn set_time(path: &Path, time: std::time::SystemTime) {
    let file = File::open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// What is below a directory.
pub(super) fn list(root: &Path) -> Listing {
    let mut all = Listing::new();
    let mut due = vec![root.to_owned()];
    while let Some(directory) = due.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let kind = match meta.mode() & 0o170_000 {
                0o100_000 => EntryKind::File,
                0o040_000 => EntryKind::Directory,
                0o120_000 => EntryKind::Symlink,
                _ => EntryKind::Fifo,
            };
            let (mut link, mut content) = (Vec::new(), Vec::new());
            match kind {
                EntryKind::File => content = fs::read(&path).unwrap(),
                EntryKind::Symlink => link = fs::read_link(&path).unwrap().into_os_string().into_vec(),
                EntryKind::Directory => due.push(path.clone()),
                _ => {}
            }
            let item = Item {
                kind,
                mode: meta.mode() & 0o7777,
                owner: (meta.uid().into(), meta.gid().into()),
                modified: FileTime {
                    seconds: meta.mtime(),
                    nanoseconds: u32::try_from(meta.mtime_nsec()).unwrap(),
                },
                link,
                content,
                inode: meta.ino(),
            };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            all.insert(name, item);
        }
    }
    all
}
