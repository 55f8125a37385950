use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use pocket_dock_core::archive::{ArchiveError, Encoder, EntryKind};
use pocket_dock_core::files::{Refusal, Stopped};

use super::*;

/// An archive of files with their content, of directories (`None`).
fn archive(files: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut tar = Vec::new();
    for (name, content) in files {
        let kind = if content.is_some() {
            EntryKind::File
        } else {
            EntryKind::Directory
        };
        let mut entry = Entry::new(Bytes::copy_from_slice(name.as_bytes()), kind);
        entry.mode = if content.is_some() { 0o640 } else { 0o751 };
        entry.modified.seconds = 1_000_000;
        entry.size = content.unwrap_or_default().len() as u64;
        tar.extend_from_slice(&encoder.entry(&entry).unwrap());
        encoder.content(entry.size).unwrap();
        tar.extend_from_slice(content.unwrap_or_default().as_bytes());
        tar.extend_from_slice(&encoder.end_entry().unwrap());
    }
    tar.extend_from_slice(&encoder.end().unwrap());
    tar
}

fn atomic() -> Unpacking {
    let mut options = Unpacking::default();
    options.atomic = true;
    options
}

#[test]
fn a_tree_is_merged_into_one_that_is_there() {
    let scratch = Scratch::new();
    let dest = scratch.join("dest");
    fs::create_dir_all(dest.join("t/sub")).unwrap();
    for (file, text) in [("t/sub/old", "old"), ("t/sub/both", "old"), ("other", "old")] {
        fs::write(dest.join(file), text).unwrap();
    }
    let inode = fs::metadata(dest.join("t/sub/both")).unwrap().ino();
    let tar = archive(&[
        ("t", None),
        ("t/sub/both", Some("new")),
        ("t/sub", None),
        ("t/more/new", Some("new")),
    ]);
    let progress = unpacked(&target(&dest, "t", Some("t")), &Unpacking::default(), &tar, 4096).unwrap();
    assert_eq!((progress.files, progress.bytes), (2, 6));
    let text = |name: &str| fs::read_to_string(dest.join(name)).unwrap();
    assert_eq!(
        [text("t/sub/old"), text("t/sub/both"), text("other")],
        ["old", "new", "old"]
    );
    assert_eq!(text("t/more/new"), "new");
    assert_ne!(fs::metadata(dest.join("t/sub/both")).unwrap().ino(), inode);
    let sub = fs::metadata(dest.join("t/sub")).unwrap();
    assert_eq!((sub.mode() & 0o7777, sub.mtime()), (0o751, 1_000_000));
}

#[test]
fn a_destination_that_is_there_keeps_its_attributes() {
    for options in [Unpacking::default(), atomic()] {
        let scratch = Scratch::new();
        let dest = scratch.join("dest");
        fs::create_dir(&dest).unwrap();
        fs::set_permissions(&dest, Permissions::from_mode(0o700)).unwrap();
        unpacked(
            &target(&dest, "t", None),
            &options,
            &archive(&[("t", None), ("t/a", Some("a"))]),
            4096,
        )
        .unwrap();
        let meta = fs::metadata(&dest).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o700);
        assert_ne!(meta.mtime(), 1_000_000);
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
    }
}

#[test]
fn without_an_entry_nothing_is_made() {
    let scratch = Scratch::new();
    for options in [Unpacking::default(), atomic()] {
        for name in [None, Some("x")] {
            let to = target(&scratch.join("a/b"), "t", name);
            assert_eq!(unpacked(&to, &options, &archive(&[]), 4096), Err(LocalError::Empty));
            assert_eq!(unpacked(&to, &options, b"", 4096), Err(LocalError::Empty));
            let error = unpacked(&to, &options, &[b'x'; 1024], 4096).unwrap_err();
            assert!(
                matches!(error, LocalError::Archive(ArchiveError::Malformed { .. })),
                "{error}"
            );
            let error = unpacked(&to, &options, &archive(&[("other", None)]), 4096).unwrap_err();
            assert!(
                matches!(
                    error,
                    LocalError::Refused {
                        why: Refusal::Elsewhere(_),
                        ..
                    }
                ),
                "{error}"
            );
            let error = unpack(&to, &options, &Limits::default(), &mut |_| Err(Stopped)).unwrap_err();
            assert_eq!(error, LocalError::Stopped);
            assert!(!scratch.join("a").exists());
        }
    }
}

#[test]
fn an_archive_that_breaks_off_leaves_nothing_or_whole_files() {
    let scratch = Scratch::new();
    let tar = archive(&[("t", None), ("t/a", Some("whole")), ("t/b", Some(&"x".repeat(5000)))]);
    let cut = &tar[..3000];
    for name in [None, Some("t")] {
        let dest = scratch.join("dest");
        let error = unpacked(&target(&dest, "t", name), &atomic(), cut, 100).unwrap_err();
        assert_eq!(
            error,
            LocalError::Archive(ArchiveError::Truncated {
                entry: "t/b".to_owned()
            })
        );
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
        let error = unpacked(&target(&dest, "t", name), &Unpacking::default(), cut, 100).unwrap_err();
        assert_eq!(
            *error.cause(),
            LocalError::Archive(ArchiveError::Truncated {
                entry: "t/b".to_owned()
            })
        );
        let path = dest.join(name.unwrap_or(""));
        assert!(matches!(&error, LocalError::Unfinished { files: 1, .. }), "{error:?}");
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "whole");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o751, "though it failed");
        fs::remove_dir_all(dest).unwrap();
    }
}

#[test]
fn what_was_there_stays_until_a_file_is_whole() {
    let scratch = Scratch::new();
    fs::write(scratch.join("dest"), "old").unwrap();
    let tar = archive(&[("t", Some(&"x".repeat(5000)))]);
    for options in [Unpacking::default(), atomic()] {
        let to = target(&scratch.0, "t", Some("dest"));
        unpacked(&to, &options, &tar[..2000], 100).unwrap_err();
        assert_eq!(fs::read_to_string(scratch.join("dest")).unwrap(), "old");
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
    }
}

#[test]
fn at_once_means_that_nothing_is_there() {
    let scratch = Scratch::new();
    let dest = scratch.join("dest");
    fs::create_dir_all(dest.join("t")).unwrap();
    fs::write(dest.join("t/old"), "old").unwrap();
    let tar = archive(&[("t", None), ("t/a", Some("new"))]);
    let before = told(&scratch.0);
    for (to, path) in [
        (target(&dest, "t", Some("t")), dest.join("t")),
        (target(&dest.join("t"), "t", None), dest.join("t")),
    ] {
        assert_eq!(unpacked(&to, &atomic(), &tar, 4096), Err(LocalError::Exists { path }));
        assert_eq!(told(&scratch.0), before);
    }
    // A file is no place for a tree, and a tree none for a file.
    fs::write(dest.join("file"), "old").unwrap();
    let before = told(&scratch.0);
    let error = unpacked(&target(&dest, "t", Some("file")), &atomic(), &tar, 4096).unwrap_err();
    assert!(matches!(error, LocalError::NotADirectory { .. }), "{error}");
    let error = unpacked(
        &target(&dest, "f", Some("t")),
        &atomic(),
        &archive(&[("f", Some(""))]),
        4096,
    )
    .unwrap_err();
    assert!(matches!(error, LocalError::Exists { .. }), "{error}");
    let now = told(&scratch.0);
    let differs = before.iter().filter(|(path, text)| now.get(*path) != Some(text));
    assert!(
        differs.map(|(path, _)| path).eq([Path::new("dest")]),
        "all but the time of the directory"
    );
    // Through a link of the caller's own.
    fs::create_dir(scratch.join("empty")).unwrap();
    symlink("empty", scratch.join("link")).unwrap();
    unpacked(&target(&scratch.join("link"), "t", None), &atomic(), &tar, 4096).unwrap();
    assert_eq!(fs::read_to_string(scratch.join("empty/a")).unwrap(), "new");
}

#[test]
fn limits_have_errors_of_their_own() {
    let scratch = Scratch::new();
    let tar = archive(&[("t", None), ("t/a", Some("12345")), ("t/b", Some("12345"))]);
    let to = target(&scratch.join("x"), "t", None);
    let over = |change: fn(&mut Unpacking)| {
        let mut options = atomic();
        change(&mut options);
        match unpacked(&to, &options, &tar, 4096) {
            Err(LocalError::OverLimit { what, limit, entry }) => format!("{limit} {what}, {entry}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(over(|options| options.max_entries = Some(2)), "2 entries, t/b");
    assert_eq!(over(|options| options.max_bytes = Some(9)), "9 bytes of content, t/b");
    assert_eq!(over(|options| options.max_depth = 0), "0 components in a name, t/a");
    assert_eq!(over(|options| options.max_path_bytes = 2), "2 bytes in a name, t/a");
    assert!(!scratch.join("x").exists());
    let mut options = atomic();
    (options.max_entries, options.max_bytes) = (Some(3), Some(10));
    unpacked(&to, &options, &tar, 4096).unwrap();
}

#[test]
fn zeros_become_holes_wherever_they_are_cut() {
    let scratch = Scratch::new();
    let mut content = "\0".repeat(100_000) + "x" + &"\0".repeat(200_000) + "yz";
    content += &"\0".repeat(50_000);
    let tar = archive(&[("t", Some(&content))]);
    for size in [1, 512, 1000, 4096, 1 << 20] {
        unpacked(&target(&scratch.0, "t", Some("f")), &Unpacking::default(), &tar, size).unwrap();
        assert_eq!(fs::read_to_string(scratch.join("f")).unwrap(), content);
        assert!(fs::metadata(scratch.join("f")).unwrap().blocks() < 64);
    }
}

#[test]
fn a_name_of_the_target_is_one_component() {
    let scratch = Scratch::new();
    for name in ["", ".", "..", "a/b", "/"] {
        let to = target(&scratch.0, "t", Some(name));
        let result = unpacked(&to, &Unpacking::default(), &archive(&[("t", None)]), 4096);
        assert!(matches!(result, Err(LocalError::Other { .. })), "{name}");
    }
}
