//! What is written, and that it is read as it was written.

use proptest::prelude::*;

use super::super::Encoder;
use super::*;
use crate::splits::cut;

/// What an encoder writes of an entry with this content.
fn encoded(encoder: &mut Encoder, entry: &Entry, content: &[u8]) -> Vec<u8> {
    let mut archive = encoder.entry(entry).unwrap().to_vec();
    archive.extend_from_slice(content);
    encoder.content(content.len() as u64).unwrap();
    archive.extend_from_slice(&encoder.end_entry().unwrap());
    archive
}

fn blocks_of(entry: &Entry) -> usize {
    Encoder::new().entry(entry).unwrap().len() / BLOCK
}

#[test]
fn what_fits_is_one_block() {
    let mut entry = told("a", 0);
    assert_eq!(blocks_of(&entry), 1);
    for (name, blocks) in [
        ("x".repeat(100), 1),
        ("x".repeat(101), 3),
        (format!("{}/{}", "p".repeat(155), "x".repeat(100)), 1),
        (format!("{}/{}", "p".repeat(156), "x".repeat(100)), 3),
        (format!("{}/{}", "p".repeat(155), "x".repeat(101)), 3),
        (format!("/{}", "x".repeat(100)), 3),
        (format!("/a/{}", "x".repeat(100)), 1),
    ] {
        entry.path = name.into();
        assert_eq!(blocks_of(&entry), blocks, "{entry:?}");
    }
    entry.path = "a".into();
    entry.modified.nanoseconds = 1;
    assert_eq!(blocks_of(&entry), 3);
    entry.modified = FileTime {
        seconds: -1,
        nanoseconds: 0,
    };
    assert_eq!(blocks_of(&entry), 3);
    entry.modified.seconds = (1 << 33) - 1;
    (entry.uid, entry.gid) = (0o7777777, 0o7777777);
    assert_eq!(blocks_of(&entry), 1);
    entry.size = 1 << 33;
    assert_eq!(blocks_of(&entry), 3);
    entry = Entry::new("d".repeat(99), EntryKind::Directory);
    assert_eq!(blocks_of(&entry), 1);
    entry.path = "d".repeat(100).into();
    assert_eq!(blocks_of(&entry), 3);
    entry = Entry::new("l", EntryKind::Symlink);
    entry.link = "x".repeat(100).into();
    assert_eq!(blocks_of(&entry), 1);
    entry.link = "x".repeat(101).into();
    assert_eq!(blocks_of(&entry), 3);
}

/// The headers behind GNU's records have the beginning of the name, which is neither half a character nor a directory's.
#[test]
fn the_short_name_is_fit_for_readers_that_know_no_long_ones() {
    for (name, short) in [
        ("x".repeat(300), "x".repeat(100)),
        (format!("{}ü{}", "x".repeat(99), "x".repeat(200)), "x".repeat(99)),
        (
            format!("{}€{}", "x".repeat(97), "x".repeat(200)),
            format!("{}€", "x".repeat(97)),
        ),
        (format!("{}//{}", "x".repeat(98), "y".repeat(200)), "x".repeat(98)),
        (format!("{}{}", "/".repeat(150), "y".repeat(200)), "_".into()),
    ] {
        let mut entry = told("", 0);
        entry.path = name.into();
        let blocks = Encoder::new().entry(&entry).unwrap();
        let last = blocks.chunks(BLOCK).next_back().unwrap();
        assert_eq!(crate::archive::header::text(&last[..100]), short.as_bytes());
    }
}

#[test]
fn what_no_archive_holds_is_refused() {
    let change = |kind, change: fn(&mut Entry)| {
        let mut entry = Entry::new("name", kind);
        if matches!(kind, EntryKind::Symlink | EntryKind::HardLink) {
            entry.link = "link".into();
        }
        change(&mut entry);
        entry
    };
    use EntryKind::{BlockDevice, CharDevice, Directory, File, HardLink, Other, Symlink};
    for (entry, part) in [
        (change(File, |e| e.path = "".into()), "name is empty"),
        (change(File, |e| e.path = "a\0".into()), "name has a NUL"),
        (change(File, |e| e.path = "a/".into()), "ends in a slash"),
        (change(File, |e| e.link = "a".into()), "has a link"),
        (change(File, |e| e.size = 1 << 63), "size is 2^63"),
        (change(File, |e| e.uid = 1 << 62), "owner is 2^62"),
        (change(File, |e| e.gid = u64::MAX), "owner is 2^62"),
        (change(File, |e| e.mode = 0o10_0644), "twelve bits"),
        (change(File, |e| e.modified.nanoseconds = 1_000_000_000), "nanoseconds"),
        (change(Symlink, |e| e.link = "".into()), "nowhere"),
        (change(Symlink, |e| e.link = "a\0b".into()), "link has a NUL"),
        (change(HardLink, |e| e.size = 1), "has a size"),
        (change(Directory, |e| e.size = 1), "has a size"),
        (change(CharDevice, |_| {}), "only files"),
        (change(BlockDevice, |_| {}), "only files"),
        (change(Other(b'0'), |_| {}), "only files"),
    ] {
        let mut encoder = Encoder::new();
        match encoder.entry(&entry) {
            Err(ArchiveError::Unencodable { detail, .. }) => assert!(detail.contains(part), "{detail}"),
            other => panic!("{other:?} for {part}"),
        }
        assert!(encoder.entry(&told("next", 0)).is_ok(), "others may follow");
    }
    let mut entry = told("a", 10);
    for segments in [
        &[(0, 11)][..],
        &[(5, 2), (6, 1)],
        &[(5, 2), (0, 1)],
        &[(u64::MAX, 2)],
        &[(10, 1)],
    ] {
        let refused = Encoder::new().sparse(&entry, segments);
        assert!(matches!(refused, Err(ArchiveError::Unencodable { .. })), "{segments:?}");
    }
    entry.kind = EntryKind::Fifo;
    entry.size = 0;
    assert!(Encoder::new().sparse(&entry, &[]).is_err());
}

#[test]
fn calls_out_of_order_are_refused() {
    let is_misuse = |result: Result<Bytes, ArchiveError>| matches!(result, Err(ArchiveError::Misuse { .. }));
    let mut encoder = Encoder::new();
    assert_eq!((encoder.due(), encoder.end_entry()), (0, Ok(Bytes::new())));
    encoder.entry(&told("a", 3)).unwrap();
    assert_eq!(encoder.due(), 3);
    assert!(encoder.content(4).is_err());
    assert_eq!(encoder.content(2), Ok(()));
    assert!(is_misuse(encoder.end_entry()) && is_misuse(encoder.end()) && is_misuse(encoder.entry(&told("b", 0))));
    assert_eq!(encoder.content(1), Ok(()));
    assert_eq!(encoder.due(), 0);
    assert!(is_misuse(encoder.end()) && is_misuse(encoder.entry(&told("b", 0))));
    assert_eq!(encoder.end_entry().unwrap().len(), 509);
    assert!(encoder.content(1).is_err());
    encoder.entry(&told("b", 0)).unwrap();
    encoder.entry(&told("c", 0)).unwrap();
    assert_eq!(encoder.end().unwrap()[..], [0; 1024]);
    assert!(is_misuse(encoder.end()) && is_misuse(encoder.entry(&told("d", 0))));
}

#[test]
fn a_sparse_file_has_its_map_in_front_of_its_data() {
    let mut encoder = Encoder::new();
    let entry = told("dir/sparse", 1 << 40);
    let mut archive = encoder
        .sparse(&entry, &[(512, 3), (600, 0), (4096, 2)])
        .unwrap()
        .to_vec();
    assert_eq!(encoder.due(), 5);
    archive.extend_from_slice(b"abcde");
    encoder.content(5).unwrap();
    archive.extend_from_slice(&encoder.end_entry().unwrap());
    let expected = [
        Event::Entry(entry),
        Event::Hole(512),
        data("abc"),
        Event::Hole(4096 - 515),
        data("de"),
        Event::Hole((1 << 40) - 4098),
    ];
    assert_eq!(events(&archive), expected);
    let map = archive.chunks(BLOCK).rev().nth(1).unwrap();
    assert!(map.starts_with(b"3\n512\n3\n4096\n2\n1099511627776\n0\n\0"));
}

/// Any byte but NUL; components of up to 255 bytes, names of up to 4 KiB.
fn name() -> impl Strategy<Value = Bytes> {
    let byte = || prop_oneof![1..=255_u8, b'a'..=b'z', Just(b'\n')];
    let component = prop_oneof![
        4 => proptest::collection::vec(byte(), 1..12),
        1 => proptest::collection::vec(byte(), 90..=255),
    ];
    let components = prop_oneof![4 => 1..4_usize, 1 => 4..16_usize];
    let components = components.prop_flat_map(move |count| proptest::collection::vec(component.clone(), count));
    (any::<bool>(), components).prop_map(|(absolute, components)| {
        let mut name = components.join(&b'/');
        if absolute {
            name.insert(0, b'/');
        }
        while name.len() > 1 && name.ends_with(b"/") {
            name.pop();
        }
        if name == b"/" {
            Bytes::from_static(b"x")
        } else {
            name.into()
        }
    })
}

fn number(max: u64) -> impl Strategy<Value = u64> {
    prop_oneof![0..=0_u64, 0..5000_u64, (1 << 21) - 2..=(1 << 21) + 2_u64, 0..=max]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let seconds = prop_oneof![any::<i64>(), -10..10_i64, 0..1_i64 << 34];
    let nanoseconds = prop_oneof![Just(0), 0..1_000_000_000_u32];
    let owner = || number((1 << 62) - 1);
    (
        0..5_u8,
        name(),
        name(),
        0..=0o7777_u32,
        owner(),
        owner(),
        seconds,
        nanoseconds,
    )
        .prop_map(|(kind, path, link, mode, uid, gid, seconds, nanoseconds)| {
            let kind = match kind {
                0 => EntryKind::Directory,
                1 => EntryKind::Symlink,
                2 => EntryKind::HardLink,
                3 => EntryKind::Fifo,
                _ => EntryKind::File,
            };
            let link = Some(link).filter(|_| matches!(kind, EntryKind::Symlink | EntryKind::HardLink));
            let mut entry = Entry::new(path, kind);
            entry.link = link.unwrap_or_default();
            (entry.mode, entry.uid, entry.gid) = (mode, uid, gid);
            entry.modified = FileTime { seconds, nanoseconds };
            entry
        })
}

/// Gaps and lengths, which make the segments of a file, and what is behind the last.
fn segments() -> impl Strategy<Value = (Vec<(u64, u64)>, u64)> {
    let piece = (prop_oneof![0..3_u64, 0..1_u64 << 50], 0..700_u64);
    (proptest::collection::vec(piece, 0..40), 0..1_u64 << 40).prop_map(|(pieces, tail)| {
        let mut end = 0;
        let mut segments = Vec::new();
        for (gap, length) in pieces {
            segments.push((end + gap, length));
            end += gap + length;
        }
        (segments, end + tail)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn entries_come_out_as_they_went_in(
        entries in proptest::collection::vec((any_entry(), proptest::collection::vec(any::<u8>(), 0..1100)), 0..5),
        sizes in proptest::collection::vec(1..2000_usize, 1..8),
    ) {
        let mut encoder = Encoder::new();
        let mut archive = Vec::new();
        let mut expected = Vec::new();
        for (mut entry, mut content) in entries {
            if entry.kind != EntryKind::File {
                content.clear();
            }
            entry.size = content.len() as u64;
            archive.extend_from_slice(&encoded(&mut encoder, &entry, &content));
            expected.push(Event::Entry(entry));
            if !content.is_empty() {
                expected.push(Event::Data(content.into()));
            }
        }
        archive.extend_from_slice(&encoder.end().unwrap());
        expected.push(Event::End);
        prop_assert_eq!(archive.len() % BLOCK, 0);
        prop_assert_eq!(outcome_of(cut(&archive, &sizes), &Limits::default()).events(), expected);
    }

    /// The size is read before the content, so that it needs none.
    #[test]
    fn sizes_come_out_as_they_went_in(entry in any_entry(), size in number(i64::MAX.unsigned_abs())) {
        let entry = Entry { kind: EntryKind::File, link: Bytes::new(), size, ..entry };
        let mut archive = BytesMut::from(&Encoder::new().entry(&entry).unwrap()[..]);
        prop_assert_eq!(Decoder::new(&Limits::default()).decode(&mut archive), Ok(Some(Event::Entry(entry))));
    }

    #[test]
    fn sparse_files_come_out_as_they_went_in(
        entry in any_entry(),
        (segments, size) in segments(),
        sizes in proptest::collection::vec(1..2000_usize, 1..8),
    ) {
        let entry = Entry { kind: EntryKind::File, link: Bytes::new(), size, ..entry };
        let mut encoder = Encoder::new();
        let mut archive = encoder.sparse(&entry, &segments).unwrap().to_vec();
        let mut expected: Vec<(u64, Vec<u8>)> = Vec::new();
        for (at, &(offset, length)) in segments.iter().enumerate() {
            let content = vec![at as u8; length as usize];
            archive.extend_from_slice(&content);
            encoder.content(length).unwrap();
            if length > 0 {
                match expected.last_mut().filter(|(begin, data)| begin + data.len() as u64 == offset) {
                    Some((_, data)) => data.extend_from_slice(&content),
                    None => expected.push((offset, content)),
                }
            }
        }
        archive.extend_from_slice(&encoder.end_entry().unwrap());
        let events = outcome_of(cut(&archive, &sizes), &Limits::default()).events();
        prop_assert_eq!(&events[0], &Event::Entry(entry));
        let mut position = 0;
        let mut got = Vec::new();
        for event in &events[1..] {
            match event {
                Event::Hole(size) => position += size,
                Event::Data(data) => {
                    got.push((position, data.to_vec()));
                    position += data.len() as u64;
                }
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(position, size);
        prop_assert_eq!(got, expected);
    }
}
