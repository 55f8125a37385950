//! The same with what is made up: pieces of any size, and entries of any kind.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::LazyLock;

use pocket_dock_core::archive::{Encoder, Entry, EntryKind, FileTime};
use proptest::prelude::*;

use super::agreement::{decoded, decoded_by, read_by_the_crate};
use super::tools::WRITERS;
use super::tree::{Directory, Item, Level, Listing};

/// An archive by each tool, and what is in it if it comes whole.
static ARCHIVES: LazyLock<Vec<(&str, Vec<u8>, Listing)>> = LazyLock::new(|| {
    let trees = [Level::V7, Level::Ustar, Level::All]
        .map(|level| (level, Directory::filled(&format!("pieces-{level:?}"), level)));
    let trees: BTreeMap<_, _> = trees.into_iter().collect();
    let archives = WRITERS.iter().map(|writer| {
        let archive = writer.archive(trees[&writer.level].path());
        let whole = decoded_by(std::iter::once(&archive[..]));
        (writer.name, archive, whole)
    });
    archives.collect()
});

/// Cuts something into pieces of these sizes, in turn.
fn cut<'a>(mut rest: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at(rest.len().min(*sizes.next()?));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Sizes of pieces: some of a few bytes, some about as large as a block, and one that is large, so that it ends.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let small = prop_oneof![1..=3_usize, 4..=600_usize, 500..=520_usize, 1..=40_000_usize];
    (prop::collection::vec(small, 1..12), 20_000..=90_000_usize).prop_map(|(mut sizes, large)| {
        sizes.push(large);
        sizes
    })
}

/// A name of one to four parts; of some, one is long. The `tar` crate cannot write a long one that begins with what is not
/// UTF-8.
fn names() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => b'a'..=b'z', 1 => 1..=255_u8];
    let byte = byte.prop_map(|byte| if byte == b'/' { b'_' } else { byte });
    let part = prop_oneof![
        4 => prop::collection::vec(byte.clone(), 1..20),
        1 => prop::collection::vec(byte, 90..180),
    ];
    let part = part.prop_map(|part| match &part[..] {
        b"." | b".." => b"dot".to_vec(),
        _ => part,
    });
    prop::collection::vec(part, 1..5).prop_map(|parts| [b"n", &parts.join(&b'/')[..]].concat())
}

/// An entry of any kind that both can write.
fn items() -> impl Strategy<Value = Item> {
    let kind = prop_oneof![
        4 => Just(EntryKind::File),
        1 => Just(EntryKind::Directory),
        1 => Just(EntryKind::Symlink),
        1 => Just(EntryKind::HardLink),
        1 => Just(EntryKind::Fifo),
    ];
    let owner = || {
        prop_oneof![
            0..3_000_u64,
            Just(0o7_777_777),
            Just(0o10_000_000),
            0..1_099_511_627_776_u64
        ]
    };
    let seconds = prop_oneof![
        0..2_000_000_000_i64,
        Just((1 << 33) - 1),
        Just(1 << 33),
        0..1_099_511_627_776_i64
    ];
    let content = prop::collection::vec(any::<u8>(), 0..1500);
    let rest = (names(), content);
    (
        kind,
        0..0o10_000_u32,
        owner(),
        owner(),
        seconds,
        0..1_000_000_000_u32,
        rest,
    )
        .prop_map(
            |(kind, mode, user, group, seconds, nanoseconds, (link, content))| Item {
                kind,
                mode,
                owner: (user, group),
                modified: FileTime { seconds, nanoseconds },
                link: match kind {
                    EntryKind::Symlink | EntryKind::HardLink => link,
                    _ => Vec::new(),
                },
                content: if kind == EntryKind::File { content } else { Vec::new() },
                inode: 0,
            },
        )
}

fn listings() -> impl Strategy<Value = Listing> {
    prop::collection::btree_map(names(), items(), 1..8)
}

/// Without what the `tar` crate does not give.
fn in_seconds(mut listing: Listing) -> Listing {
    listing.values_mut().for_each(|item| item.modified.nanoseconds = 0);
    listing
}

/// An archive by the `tar` crate, in GNU's format or POSIX's.
fn written_by_the_crate(listing: &Listing, is_gnu: bool) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, item) in listing {
        let mut header = if is_gnu {
            tar::Header::new_gnu()
        } else {
            tar::Header::new_ustar()
        };
        header.set_mode(item.mode);
        header.set_uid(item.owner.0);
        header.set_gid(item.owner.1);
        header.set_mtime(item.modified.seconds.cast_unsigned());
        header.set_size(item.content.len() as u64);
        header.set_entry_type(match item.kind {
            EntryKind::File => tar::EntryType::Regular,
            EntryKind::Directory => tar::EntryType::Directory,
            EntryKind::Symlink => tar::EntryType::Symlink,
            EntryKind::HardLink => tar::EntryType::Link,
            _ => tar::EntryType::Fifo,
        });
        let name = Path::new(OsStr::from_bytes(name));
        if item.link.is_empty() {
            builder.append_data(&mut header, name, &item.content[..]).unwrap();
        } else {
            let link = OsStr::from_bytes(&item.link);
            builder.append_link(&mut header, name, link).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// An archive by our encoder.
fn written_by_us(listing: &Listing) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut archive = Vec::new();
    for (name, item) in listing {
        let mut entry = Entry::new(name.clone(), item.kind);
        entry.link = item.link.clone().into();
        entry.mode = item.mode;
        (entry.uid, entry.gid) = item.owner;
        entry.modified = item.modified;
        entry.size = item.content.len() as u64;
        archive.extend_from_slice(&encoder.entry(&entry).unwrap());
        encoder.content(entry.size).unwrap();
        archive.extend_from_slice(&item.content);
        archive.extend_from_slice(&encoder.end_entry().unwrap());
    }
    archive.extend_from_slice(&encoder.end().unwrap());
    archive
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_others_write_is_read_however_it_is_cut(sizes in sizes()) {
        for (name, archive, whole) in ARCHIVES.iter() {
            let got = decoded_by(cut(archive, &sizes));
            prop_assert!(got == *whole, "{}: it differs", name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_tar_crate_writes_is_read(listing in listings(), is_gnu in any::<bool>()) {
        let listing = in_seconds(listing);
        let archive = written_by_the_crate(&listing, is_gnu);
        prop_assert_eq!(&decoded(&archive), &listing);
        prop_assert_eq!(read_by_the_crate(&archive), listing);
    }

    #[test]
    fn the_tar_crate_reads_what_we_write(listing in listings()) {
        let archive = written_by_us(&listing);
        prop_assert_eq!(&decoded(&archive), &listing);
        prop_assert_eq!(read_by_the_crate(&archive), in_seconds(listing));
    }
}
