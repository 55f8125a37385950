use std::fs::{self, OpenOptions};
use std::io::Write as _;

use super::*;
use pocket_dock_core::files::Stopped;

/// What is done when so much of the archive was given.
fn packed_while(
    source: &Path,
    options: &Packing,
    mut at: impl FnMut(usize),
) -> (Vec<u8>, Result<Progress, LocalError>) {
    let mut tar = Vec::new();
    let result = pack(source, b"t", options, &mut |piece, _| {
        tar.extend_from_slice(&piece);
        at(tar.len());
        Ok(())
    });
    (tar, result)
}

fn tree(scratch: &Scratch) -> PathBuf {
    let root = scratch.join("tree");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a"), vec![b'a'; 1 << 20]).unwrap();
    fs::write(root.join("b"), "behind").unwrap();
    root
}

fn content(tar: &[u8], scratch: &Scratch) -> (Vec<u8>, String) {
    let out = scratch.join("out");
    unpacked(&target(&out, "t", None), &Unpacking::default(), tar, 4096).unwrap();
    (
        fs::read(out.join("a")).unwrap(),
        fs::read_to_string(out.join("b")).unwrap(),
    )
}

#[test]
fn a_file_that_shrinks_is_filled_up_and_told() {
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let (tar, result) = packed_while(&root, &Packing::default(), |length| {
        if length == PIECE {
            let file = OpenOptions::new().write(true).open(root.join("a")).unwrap();
            file.set_len(500_000).unwrap();
        }
    });
    assert_eq!(result, Err(LocalError::Changed { path: root.join("a") }));
    let (a, b) = content(&tar, &scratch);
    assert_eq!((a.len(), b.as_str()), (1 << 20, "behind"));
    let (before, after) = a.split_at(500_000);
    assert!(before.iter().all(|byte| *byte == b'a') && after.iter().all(|byte| *byte == 0));
}

#[test]
fn a_file_that_grows_is_cut_and_told() {
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let (tar, result) = packed_while(&root, &Packing::default(), |length| {
        if length == PIECE {
            let mut file = OpenOptions::new().append(true).open(root.join("a")).unwrap();
            file.write_all(b"more").unwrap();
        }
    });
    assert_eq!(result, Err(LocalError::Changed { path: root.join("a") }));
    let (a, b) = content(&tar, &scratch);
    assert!(a == vec![b'a'; 1 << 20] && b == "behind");
}

#[test]
fn what_is_gone_or_something_else_is_left_out_and_told() {
    for other in [false, true] {
        let scratch = Scratch::new();
        let root = tree(&scratch);
        fs::create_dir(root.join("c")).unwrap();
        let (tar, result) = packed_while(&root, &Packing::default(), |length| {
            if length == PIECE {
                fs::remove_dir(root.join("c")).unwrap();
                if other {
                    std::os::unix::fs::symlink("/", root.join("c")).unwrap();
                }
            }
        });
        // As a link it is as good as any other; nothing is read through it.
        assert_eq!(result.is_ok(), other);
        assert_eq!(entry_names(&tar).len(), if other { 4 } else { 3 });
    }
}

#[test]
fn a_directory_that_is_moved_does_not_lead_out() {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    // So deep that the way back goes by `..`.
    let deep = root.join(["d"; 60].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("a"), vec![b'a'; 1 << 20]).unwrap();
    fs::write(scratch.join("secret"), "secret").unwrap();
    let mut moved = false;
    let (tar, result) = packed_while(&root, &Packing::default(), |_| {
        if !std::mem::replace(&mut moved, true) {
            fs::rename(root.join("d/d"), scratch.join("away")).unwrap();
        }
    });
    assert!(matches!(result, Err(LocalError::Changed { .. })), "{result:?}");
    assert!(!tar.windows(6).any(|bytes| bytes == b"secret"));
}

#[test]
fn who_takes_the_pieces_can_end_it() {
    let scratch = Scratch::new();
    let root = tree(&scratch);
    let mut pieces = 0;
    let result = pack(&root, b"t", &Packing::default(), &mut |_, _| {
        pieces += 1;
        if pieces == 2 { Err(Stopped) } else { Ok(()) }
    });
    assert_eq!((result, pieces), (Err(LocalError::Stopped), 2));
}
