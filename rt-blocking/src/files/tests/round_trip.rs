use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use super::*;

fn date(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// One of everything that a tree can have.
fn rich(root: &Path) {
    fs::create_dir(root).unwrap();
    for (name, content) in [
        ("script", "#!/bin/sh\n"),
        (".hidden", ""),
        ("name with\nnewline, blank ", "x"),
        ("öäü", "y"),
        ("-rf", "z"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    fs::write(root.join(OsStr::from_bytes(b"odd \xff\xfe")), "odd").unwrap();
    fs::write(root.join("l".repeat(255)), "long").unwrap();
    mode(&root.join("script"), 0o755);
    mode(&root.join(".hidden"), 0o400);
    let big: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    fs::write(root.join("big"), big).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    mode(&root.join("empty"), 0o1777);
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/file"), "deep").unwrap();
    fs::hard_link(root.join("a/b/c/file"), root.join("a/other")).unwrap();
    fs::hard_link(root.join("a/b/c/file"), root.join("third")).unwrap();
    mode(&root.join("a/b"), 0o500);
    symlink("nowhere/at/all", root.join("dangling")).unwrap();
    symlink("/usr/bin/env", root.join("absolute")).unwrap();
    symlink("../../..", root.join("a/up")).unwrap();
    symlink(OsStr::from_bytes(b"to \xff\n"), root.join("odd link")).unwrap();
    symlink("t".repeat(300), root.join("long link")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(8 << 20).unwrap();
    sparse.write_all_at(b"middle", 4 << 20).unwrap();
    date(&root.join("dangling"), 1_000_000_000, 123_456_789);
    date(&root.join("script"), -1, 999_999_999);
    date(&root.join("big"), 5_000_000_000, 1);
    date(&root.join("a/b"), 1_234_567_890, 987_654_321);
    date(&root.join("a"), 1_234_567_891, 0);
    date(root, 1_234_567_892, 42);
}

/// Also what may not be written to.
fn removed(path: &Path) {
    let parent = File::open(path.parent().unwrap()).unwrap();
    super::super::place::remove(parent.into(), path.file_name().unwrap().as_bytes()).unwrap();
}

fn blocks(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks()
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    rich(&source);
    let before = told(&source);
    for (sparse, repeat_directories) in [(false, false), (true, true)] {
        let mut packing = Packing::default();
        packing.sparse = sparse;
        packing.repeat_directories = repeat_directories;
        let (tar, result) = packed(&source, "base", &packing);
        let progress = result.unwrap();
        assert_eq!((progress.files, progress.skipped, progress.total), (17, 0, None));
        assert_eq!(progress.bytes, (8 << 20) + 700_001 + 20 + 4);
        assert_eq!(tar.len() < 2 << 20, sparse, "{}", tar.len());
        for atomic in [false, true] {
            let mut unpacking = Unpacking::default();
            unpacking.atomic = atomic;
            let dest = scratch.join("made/dest");
            let again = unpacked(&target(&dest, "base", Some("new")), &unpacking, &tar, 100_000).unwrap();
            assert_eq!((again.bytes, again.files), (progress.bytes, progress.files));
            assert_eq!(told(&dest.join("new")), before);
            assert!(blocks(&dest.join("new/sparse")) < 256);
            assert_eq!(fs::read_dir(&dest).unwrap().count(), 1, "nothing else is left");
            removed(&scratch.join("made"));
            // Its content, into a directory that it makes.
            unpacked(&target(&dest, "base", None), &unpacking, &tar, 1 << 20).unwrap();
            assert_eq!(told(&dest), before);
            removed(&scratch.join("made"));
        }
    }
    let (tar, result) = packed(&source, "", &Packing::default());
    result.unwrap();
    assert_eq!(entries(&tar).first().unwrap().path, ".");
    unpacked(
        &target(&scratch.join("again"), "", None),
        &Unpacking::default(),
        &tar,
        511,
    )
    .unwrap();
    assert_eq!(told(&scratch.join("again")), before);
    assert_eq!(packed(&source, "", &Packing::default()).0, tar, "the same again");
}

#[test]
fn a_file_comes_back_as_it_was() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    fs::write(&source, "content").unwrap();
    mode(&source, 0o6751);
    date(&source, 1, 2);
    symlink("source", scratch.join("link")).unwrap();
    let (tar, result) = packed(&scratch.join("link"), "name", &Packing::default());
    assert_eq!(result.unwrap().total, Some(7));
    let to = target(&scratch.0, "name", Some("dest"));
    symlink("source", scratch.join("dest")).unwrap();
    let before = told(&source);
    for atomic in [false, true] {
        let mut unpacking = Unpacking::default();
        unpacking.atomic = atomic;
        assert_eq!(unpacked(&to, &unpacking, &tar, 7).unwrap().total, Some(7));
        assert_eq!(fs::metadata(scratch.join("dest")).unwrap().mode() & 0o7777, 0o751);
        unpacking.keep_setid = true;
        unpacked(&to, &unpacking, &tar, 7).unwrap();
        assert!(fs::symlink_metadata(scratch.join("dest")).unwrap().is_file());
        assert_eq!(told(&scratch.join("dest")), before);
    }
    assert_eq!(told(&source), before);
    // Without a name, it has its own.
    assert_eq!(entry_names(&packed(&source, "", &Packing::default()).0), ["source"]);
}

// 1,024 descriptors are what a process has as a rule.
#[test]
fn a_tree_deeper_than_there_are_descriptors_comes_back_with_few_descriptors() {
    let scratch = Scratch::new();
    let mut at = File::open(&scratch.0).unwrap();
    for level in 0..1200 {
        rustix::fs::mkdirat(&at, "d", 0o700.into()).unwrap();
        if level == 600 {
            rustix::fs::symlinkat("x", &at, "z").unwrap();
        }
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::RDONLY, 0.into())
            .unwrap()
            .into();
    }
    rustix::fs::symlinkat("x", &at, "end").unwrap();
    let (tar, result) = packed(&scratch.join("d"), "d", &Packing::default());
    assert_eq!(result.unwrap().files, 2);
    let names = entry_names(&tar);
    assert_eq!(names.len(), 1202);
    unpacked(
        &target(&scratch.0, "d", Some("e")),
        &Unpacking::default(),
        &tar,
        1 << 20,
    )
    .unwrap();
    assert_eq!(packed(&scratch.join("e"), "d", &Packing::default()).0, tar);
    let mut shallow = Unpacking::default();
    shallow.max_depth = 100;
    shallow.atomic = true;
    let error = unpacked(&target(&scratch.0, "d", Some("f")), &shallow, &tar, 1 << 20).unwrap_err();
    assert!(matches!(error, LocalError::OverLimit { limit: 100, .. }), "{error}");
    assert!(!scratch.join("f").exists());
}
