//! Both ways, with everybody.

use std::collections::BTreeMap;
use std::fs;

use bytes::BytesMut;
use pocket_dock_core::Limits;
use pocket_dock_core::archive::{Decoder, Encoder, Entry, EntryKind, Event, FileTime};

use super::tools::{READERS, Reader, WRITERS};
use super::tree::{Directory, Item, Level, Listing, SEGMENTS, SPARSE, list};

/// What an archive holds, as our decoder has it.
pub(super) fn decoded(archive: &[u8]) -> Listing {
    decoded_by(archive.chunks(10_007))
}

/// The same of an archive that comes in these pieces.
pub(super) fn decoded_by<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Listing {
    let mut decoder = Decoder::new(&Limits::default());
    let mut input = BytesMut::new();
    let mut all = Listing::new();
    let mut current = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(event) = decoder.decode(&mut input).unwrap() {
            match event {
                Event::Entry(entry) => {
                    current = plain_name(&entry.path);
                    all.insert(current.clone(), item(&entry));
                }
                Event::Data(data) => all.get_mut(&current).unwrap().content.extend_from_slice(&data),
                Event::Hole(size) => {
                    let content = &mut all.get_mut(&current).unwrap().content;
                    content.resize(content.len() + size as usize, 0);
                }
                _ => {}
            }
        }
    }
    decoder.finish(&input).unwrap();
    // The directory that was packed.
    all.remove(&b""[..]);
    all
}

pub(super) fn plain_name(name: &[u8]) -> Vec<u8> {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    if name == b"." { Vec::new() } else { name.to_vec() }
}

fn item(entry: &Entry) -> Item {
    Item {
        kind: entry.kind,
        mode: entry.mode,
        owner: (entry.uid, entry.gid),
        modified: entry.modified,
        link: entry.link.to_vec(),
        content: Vec::new(),
        inode: 0,
    }
}

/// A time in steps of so many nanoseconds: their number.
fn steps(time: FileTime, step: u32) -> i128 {
    (i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds)).div_euclid(step.into())
}

/// Whether a time is another one, which went through a format of this step. Python's times are rounded.
fn is_same_time(got: FileTime, expected: FileTime, step: u32) -> bool {
    (steps(got, step) - steps(expected, step)).abs() <= i128::from(step == 1000)
}

/// What becomes of a time before 1970 with a fraction, in tools that are so many seconds off. bsdtar takes and writes the
/// fraction of a negative number as what is added to it: it is a second late where it reads, and early where it writes.
fn off_before_1970(time: FileTime, seconds: i64) -> FileTime {
    let is_wrong = time.seconds < 0 && time.nanoseconds > 0;
    FileTime {
        seconds: time.seconds + if is_wrong { seconds } else { 0 },
        ..time
    }
}

/// Compares what an archive holds with the tree it was made of.
fn compare_with_tree(name: &str, got: &Listing, tree: &Listing, step: u32) {
    let names =
        |listing: &Listing| -> Vec<String> { listing.keys().map(|name| name.escape_ascii().to_string()).collect() };
    assert_eq!(names(got), names(tree), "{name}");
    for (path, expected) in tree {
        let shown = format!("{name}: {}", path.escape_ascii());
        let mut item = got[path].clone();
        if item.kind == EntryKind::HardLink {
            let target = plain_name(&item.link);
            assert_eq!(tree[&target].inode, expected.inode, "{shown}");
            item = got[&target].clone();
        }
        let time = match name {
            "bsdtar-pax" | "bsdtar-restricted-pax" => off_before_1970(expected.modified, -1),
            "bsdtar-gnu" => expected.modified.max(FileTime::default()),
            // It cuts the fraction off, towards 0.
            "python-gnu" => off_before_1970(expected.modified, 1),
            _ => expected.modified,
        };
        assert!(
            is_same_time(item.modified, time, step),
            "{shown}: {:?}, {time:?}",
            item.modified
        );
        assert!(
            item.content == expected.content,
            "{shown}: {} bytes",
            item.content.len()
        );
        item.modified = expected.modified;
        item.inode = expected.inode;
        item.content.clear();
        let expected = Item {
            content: Vec::new(),
            ..expected.clone()
        };
        assert_eq!(item, expected, "{shown}");
    }
}

#[test]
fn what_others_write_is_read() {
    let trees = [Level::V7, Level::Ustar, Level::All]
        .map(|level| (level, Directory::filled(&format!("read-{level:?}"), level)));
    let trees: BTreeMap<_, _> = trees.into_iter().collect();
    for writer in WRITERS {
        let tree = trees[&writer.level].path();
        let archive = writer.archive(tree);
        println!("{}: {} bytes", writer.name, archive.len());
        compare_with_tree(writer.name, &decoded(&archive), &list(tree), writer.step);
    }
}

/// What an archive holds, as the `tar` crate has it; of times, the seconds.
pub(super) fn read_by_the_crate(archive: &[u8]) -> Listing {
    let mut all = Listing::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let byte = header.entry_type().as_byte();
        let path = entry.path_bytes();
        let has_slash = path.ends_with(b"/");
        let name = plain_name(path.strip_suffix(b"/").unwrap_or(&path));
        drop(path);
        let kind = match byte {
            // Before there was a kind for directories, the slash told them.
            b'0' | b'\0' if has_slash => EntryKind::Directory,
            b'0' | b'\0' | b'S' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            // In GNU's incremental archives, with what is in them.
            b'5' | b'D' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            // The label of a volume, and what holds for all entries.
            b'V' | b'g' => continue,
            other => EntryKind::Other(other),
        };
        let mut content = Vec::new();
        if byte != b'D' {
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        }
        // It leaves times in records to whoever asks for them.
        let mut seconds = header.mtime().unwrap().cast_signed();
        for record in entry.pax_extensions().unwrap().into_iter().flatten() {
            let record = record.unwrap();
            if record.key_bytes() == b"mtime" {
                seconds = whole_seconds(record.value().unwrap());
            }
        }
        let item = Item {
            kind,
            // Some have the bits of the kind too.
            mode: header.mode().unwrap() & 0o7777,
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            modified: FileTime {
                seconds,
                nanoseconds: 0,
            },
            link: entry.link_name_bytes().map(|link| link.to_vec()).unwrap_or_default(),
            content,
            inode: 0,
        };
        all.insert(name, item);
    }
    all.remove(&b""[..]);
    all
}

/// The whole seconds of a decimal number, rounded down.
fn whole_seconds(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_above = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<i64>().unwrap() - i64::from(is_above)
}

/// The `tar` crate reads the same, where it reads all.
#[test]
fn the_tar_crate_reads_the_same() {
    let trees = [Level::V7, Level::Ustar, Level::All]
        .map(|level| (level, Directory::filled(&format!("crate-{level:?}"), level)));
    let trees: BTreeMap<_, _> = trees.into_iter().collect();
    for writer in WRITERS {
        if writer.name.starts_with("gnu-sparse-")
            || writer.name.ends_with("-pax") && writer.name.starts_with("bsdtar")
            || writer.name.ends_with("-label")
        {
            continue;
        }
        let archive = writer.archive(trees[&writer.level].path());
        let theirs = read_by_the_crate(&archive);
        let mut ours = decoded(&archive);
        // It gives no fractions of seconds.
        ours.values_mut().for_each(|item| item.modified.nanoseconds = 0);
        assert!(ours.keys().eq(theirs.keys()), "{}", writer.name);
        for (path, ours) in ours {
            let theirs = &theirs[&path];
            let told = |item: &Item| {
                format!(
                    "{:?}",
                    Item {
                        content: Vec::new(),
                        ..item.clone()
                    }
                )
            };
            assert!(
                ours == *theirs,
                "{}: {}: ours {}, theirs {}",
                writer.name,
                path.escape_ascii(),
                told(&ours),
                told(theirs)
            );
        }
    }
}

/// An archive of a tree, as our encoder writes it. The sparse file is a sparse one if it is to be.
fn encoded(tree: &Listing, sparse: bool) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut archive = Vec::new();
    let mut seen: BTreeMap<u64, &[u8]> = BTreeMap::new();
    for (path, item) in tree {
        let mut entry = Entry::new(path.clone(), item.kind);
        entry.link = item.link.clone().into();
        if item.kind == EntryKind::File
            && let Some(first) = seen.insert(item.inode, path)
        {
            seen.insert(item.inode, first);
            entry.kind = EntryKind::HardLink;
            entry.link = first.to_vec().into();
        }
        entry.mode = item.mode;
        (entry.uid, entry.gid) = item.owner;
        entry.modified = item.modified;
        let mut parts = vec![];
        if entry.kind == EntryKind::File {
            entry.size = item.content.len() as u64;
            parts.push((0, entry.size));
        }
        if path.starts_with(SPARSE) && sparse {
            parts = SEGMENTS.to_vec();
            archive.extend_from_slice(&encoder.sparse(&entry, &parts).unwrap());
        } else {
            archive.extend_from_slice(&encoder.entry(&entry).unwrap());
        }
        for (offset, length) in parts {
            encoder.content(length).unwrap();
            archive.extend_from_slice(&item.content[offset as usize..(offset + length) as usize]);
        }
        archive.extend_from_slice(&encoder.end_entry().unwrap());
    }
    archive.extend_from_slice(&encoder.end().unwrap());
    archive
}

fn check_reader(Reader { name, step, .. }: &Reader, got: &Listing, tree: &Listing) {
    let names =
        |listing: &Listing| -> Vec<String> { listing.keys().map(|name| name.escape_ascii().to_string()).collect() };
    assert_eq!(names(got), names(tree), "{name}");
    for (path, expected) in tree {
        let shown = format!("{name}: {}", path.escape_ascii());
        let mut item = got[path].clone();
        let is_timed = item.kind != EntryKind::Symlink && (item.kind != EntryKind::Directory || *name != "busybox");
        let time = match *name {
            "bsdtar" => off_before_1970(expected.modified, 1),
            _ => expected.modified,
        };
        assert!(
            !is_timed || is_same_time(item.modified, time, *step),
            "{shown}: {:?}, {time:?}",
            item.modified
        );
        assert!(
            item.content == expected.content,
            "{shown}: {} bytes",
            item.content.len()
        );
        // The same files have one inode.
        for (other, other_item) in tree {
            let is_same = got[other].inode == item.inode;
            assert_eq!(
                is_same,
                other_item.inode == expected.inode,
                "{shown}, {}",
                other.escape_ascii()
            );
        }
        (item.modified, item.inode) = (expected.modified, expected.inode);
        item.content.clear();
        let expected = Item {
            content: Vec::new(),
            ..expected.clone()
        };
        assert_eq!(item, expected, "{shown}");
    }
}

#[test]
fn what_we_write_is_read_by_others() {
    let source = Directory::filled("write", Level::All);
    let mut tree = list(source.path());
    for sparse in [false, true] {
        if sparse {
            // One with a name that is not UTF-8 and a time that needs a record.
            let mut odd = tree[SPARSE].clone();
            odd.modified.seconds = 1 << 33;
            odd.inode = u64::MAX;
            tree.insert([SPARSE, b"-\xff\xfe"].concat(), odd);
        }
        let archive = encoded(&tree, sparse);
        compare_with_tree("ours", &decoded(&archive), &tree, 1);
        let place = Directory::new(&format!("archive-{sparse}"));
        let path = place.path().join("archive.tar");
        fs::write(&path, &archive).unwrap();
        for reader in &READERS {
            if sparse && reader.name == "busybox" {
                continue;
            }
            let into = Directory::new(&format!("into-{}-{sparse}", reader.name));
            reader.extract(&path, into.path());
            check_reader(reader, &list(into.path()), &tree);
        }
    }
}
