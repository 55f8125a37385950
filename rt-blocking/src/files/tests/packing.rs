use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use pocket_dock_core::archive::EntryKind;
use rustix::fs::{CWD, FileType, Mode};

use super::*;

#[test]
fn the_order_is_that_of_bytes_and_directories_may_come_again() {
    let scratch = Scratch::new();
    for dir in ["a", "a.b", "a/z", "B"] {
        fs::create_dir(scratch.join(dir)).unwrap();
    }
    for file in ["a/x", "a!", "b"] {
        fs::write(scratch.join(file), "").unwrap();
    }
    let mut packing = Packing::default();
    let (tar, _) = packed(&scratch.0, "", &packing);
    assert_eq!(entry_names(&tar), [".", "B", "a", "a/x", "a/z", "a!", "a.b", "b"]);
    packing.repeat_directories = true;
    let (tar, _) = packed(&scratch.0, "t", &packing);
    let expected = [
        "t", "t/B", "t/B", "t/a", "t/a/x", "t/a/z", "t/a/z", "t/a", "t/a!", "t/a.b", "t/a.b", "t/b", "t",
    ];
    assert_eq!(entry_names(&tar), expected);
}

#[test]
fn owners_are_kept_or_given() {
    let scratch = Scratch::new();
    fs::write(scratch.join("a"), "").unwrap();
    let mut packing = Packing::default();
    let me = (
        u64::from(rustix::process::geteuid().as_raw()),
        u64::from(rustix::process::getegid().as_raw()),
    );
    let owners = |packing: &Packing| {
        let entries = entries(&packed(&scratch.0, "t", packing).0).into_iter();
        entries.map(|entry| (entry.uid, entry.gid)).collect::<Vec<_>>()
    };
    assert_eq!(owners(&packing), [me, me]);
    packing.owner = Some((1000, 3_000_000_000));
    assert_eq!(owners(&packing), [(1000, 3_000_000_000); 2]);
}

#[test]
fn what_the_filter_does_not_take_is_not_looked_into() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.join("no/below")).unwrap();
    fs::create_dir(scratch.join("yes")).unwrap();
    for file in ["yes/no", "yes/a"] {
        fs::write(scratch.join(file), "").unwrap();
    }
    let mut packing = Packing::default();
    packing.filter = Some(Arc::new(|path, is_directory| {
        assert!(!path.starts_with("no/below"));
        assert_eq!(is_directory, path == Path::new("yes") || path == Path::new("no"));
        !path.ends_with("no")
    }));
    assert_eq!(entry_names(&packed(&scratch.0, "", &packing).0), [".", "yes", "yes/a"]);
}

#[test]
fn sockets_pipes_and_devices_are_left_out_and_counted() {
    let scratch = Scratch::new();
    let _listener = UnixListener::bind(scratch.join("socket")).unwrap();
    rustix::fs::mknodat(CWD, scratch.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::write(scratch.join("z"), "").unwrap();
    let (tar, result) = packed(&scratch.0, "t", &Packing::default());
    let progress = result.unwrap();
    assert_eq!((progress.skipped, progress.files), (2, 1));
    assert_eq!(entry_names(&tar), ["t", "t/z"]);
    let (_, result) = packed(&scratch.join("pipe"), "t", &Packing::default());
    let path = scratch.join("pipe");
    assert_eq!(result, Err(LocalError::Special { path }));
}

#[test]
fn hard_links_are_among_what_is_taken() {
    let scratch = Scratch::new();
    fs::write(scratch.join("outside"), "text").unwrap();
    let root = scratch.join("root");
    fs::create_dir(&root).unwrap();
    for name in ["a", "b", "c"] {
        fs::hard_link(scratch.join("outside"), root.join(name)).unwrap();
    }
    let mut packing = Packing::default();
    packing.filter = Some(Arc::new(|path, _| path != Path::new("a")));
    let entries = entries(&packed(&root, "t", &packing).0);
    let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.link.clone())).collect();
    let expected = [
        (EntryKind::Directory, Bytes::new()),
        (EntryKind::File, Bytes::new()),
        (EntryKind::HardLink, "t/b".into()),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_source_that_cannot_be_is_told_by_its_kind() {
    let scratch = Scratch::new();
    let nowhere = scratch.join("nowhere");
    let result = packed(&nowhere, "t", &Packing::default()).1;
    assert_eq!(result, Err(LocalError::NotFound { path: nowhere.clone() }));
    symlink(&nowhere, scratch.join("dangling")).unwrap();
    let result = packed(&scratch.join("dangling"), "t", &Packing::default()).1;
    assert!(matches!(result, Err(LocalError::NotFound { .. })));
    fs::write(scratch.join("file"), "").unwrap();
    let result = packed(&scratch.join("file/below"), "t", &Packing::default()).1;
    assert!(matches!(result, Err(LocalError::NotADirectory { .. })));
}

#[cfg(not(feature = "ignore"))]
#[test]
fn rules_need_their_feature() {
    let mut packing = Packing::default();
    packing.ignore_files = true;
    let result = packed(Path::new("/"), "t", &packing).1;
    assert!(matches!(result, Err(LocalError::NotBuilt { feature: "ignore", .. })));
}

#[test]
fn files_of_proc_say_that_they_are_empty() {
    let result = packed(Path::new("/proc/self/status"), "t", &Packing::default()).1;
    let path = PathBuf::from("/proc/self/status");
    assert_eq!(result, Err(LocalError::Changed { path }));
}
