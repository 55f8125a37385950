//! Ends, limits, and what is no archive.

use proptest::prelude::*;

use super::super::Encoder;
use super::*;
use crate::splits::cut;

fn truncated(entry: &str) -> Option<ArchiveError> {
    Some(ArchiveError::Truncated { entry: entry.into() })
}

#[test]
fn an_archive_may_end_between_entries_only() {
    assert_eq!(events(b""), []);
    let blocks = [
        file(GNU, b'L', b"", b"long\0"),
        file(USTAR, b'0', b"a", &[b'x'; 600]),
        file(USTAR, b'5', b"b", b""),
        vec![0; 2 * BLOCK],
    ];
    let archive = blocks.concat();
    for end in 0..archive.len() {
        let expected = match end {
            0 | 2560 | 3072 | 3584 | 4096 => None,
            517..2560 => truncated("long"),
            _ => truncated(""),
        };
        let outcome = outcome_of([&archive[..end]], &Limits::default());
        assert_eq!(outcome.error, expected, "{end}");
        if end % 7 == 0 {
            assert_eq!(outcome_of(archive[..end].chunks(1), &Limits::default()), outcome);
        }
    }
}

#[test]
fn zeros_are_the_end_and_nothing_else() {
    let one = [file(USTAR, b'0', b"a", b""), vec![0; BLOCK]].concat();
    let (offset, detail) = outcome(&[one, file(USTAR, b'0', b"b", b"")].concat()).malformed();
    assert_eq!(
        (offset, &detail[..]),
        (1024, "a block of zeros is followed by one of something else")
    );
    let (offset, detail) = outcome(&[extended(b'x', &[("path", b"a")]), vec![0; 2 * BLOCK]].concat()).malformed();
    assert_eq!((offset, &detail[..]), (1024, "no entry follows an extended header"));
    let only_records = extended(b'x', &[("path", b"a")]);
    assert_eq!(outcome(&only_records).error, truncated("a"));
    // A global one needs no entry behind it.
    assert_eq!(events(&extended(b'g', &[("path", b"a")])), []);
}

#[test]
fn garbage_is_told_with_its_place() {
    for (garbage, part) in [
        (
            vec![b'x'; 512],
            "a header was due, and its checksum is not an octal number",
        ),
        (vec![b'1'; 600], "a header's checksum is "),
        (vec![0xff; 512], "a header's checksum is "),
    ] {
        let (offset, detail) = outcome(&garbage).malformed();
        assert_eq!(offset, 0);
        assert!(detail.starts_with(part), "{detail}");
        let (offset, _) = outcome(&[file(USTAR, b'0', b"a", b"1"), garbage].concat()).malformed();
        assert_eq!(offset, 1024);
    }
    let at = [("size", 124), ("mode", 100), ("uid", 108), ("gid", 116), ("mtime", 136)];
    for (field, place) in at {
        let header = header(USTAR, b'0', b"a\n", 0, |block| block[place] = b'x');
        let expected = ArchiveError::Malformed {
            entry: "a\\n".into(),
            offset: 512,
            detail: format!("the {field} in its header is not an octal number"),
        };
        assert_eq!(
            outcome(&[file(USTAR, b'0', b"b", b""), header].concat()).error,
            Some(expected)
        );
        if field != "mtime" {
            let header = super::header(USTAR, b'0', b"a", 0, |block| put(&mut block[place..], &[0xff; 8]));
            let (_, detail) = outcome(&header).malformed();
            assert_eq!(detail, format!("the {field} in its header is negative"));
        }
    }
}

#[test]
fn wrong_records_are_told_with_their_place() {
    for (key, value) in [
        ("size", "x"),
        ("size", "-1"),
        ("size", "9223372036854775808"),
        ("uid", "1.5"),
        ("mtime", "yesterday"),
        ("path", "a\0b"),
        ("GNU.sparse.numbytes", "1"),
        ("GNU.sparse.map", "1,2,3"),
        ("GNU.sparse.map", "1,,3,4"),
    ] {
        let records = extended(b'x', &[("gid", b"1"), (key, value.as_bytes())]);
        let blocks = [file(USTAR, b'0', b"b", b"1"), records, file(USTAR, b'0', b"a", b"")].concat();
        let (offset, detail) = outcome(&blocks).malformed();
        assert_eq!(offset, 1024 + 512 + 8, "{key}={value}");
        assert!(
            detail.starts_with(&format!("a record of an extended header is wrong: {key} ")),
            "{detail}"
        );
    }
}

#[test]
fn what_is_told_of_an_entry_has_a_limit() {
    let limits = Limits {
        archive_header_bytes: 100,
        ..Limits::default()
    };
    let name = |kind, length| file(GNU, kind, b"", &vec![b'n'; length]);
    let entry = file(GNU, b'2', b"a", b"");
    let fits = [
        name(b'L', 50),
        name(b'K', 50),
        entry.clone(),
        name(b'L', 100),
        entry.clone(),
    ]
    .concat();
    assert_eq!(outcome_in(&fits, &limits).events().len(), 2);
    for (blocks, declared) in [
        ([name(b'L', 50), name(b'K', 51), entry.clone()], 51),
        ([name(b'x', 101), name(b'K', 1), entry.clone()], 101),
        ([name(b'L', 1), name(b'g', 100), entry.clone()], 100),
        (
            [entry, header(GNU, b'L', b"", i64::MAX.unsigned_abs(), |_| {}), vec![]],
            i64::MAX.unsigned_abs(),
        ),
    ] {
        let expected = ArchiveError::OverLimit {
            what: "bytes of extended headers and long names of one entry",
            limit: 100,
            declared: Some(declared),
        };
        assert_eq!(outcome_in(&blocks.concat(), &limits).error, Some(expected));
    }
    // Empty ones count too.
    let many = vec![header(GNU, b'L', b"", 0, |_| {}); 101].concat();
    assert!(matches!(
        outcome_in(&many, &limits).error,
        Some(ArchiveError::OverLimit { .. })
    ));
}

#[test]
fn content_is_not_copied() {
    let mut input = BytesMut::from(&file(USTAR, b'0', b"a", b"hello")[..]);
    let place = input[BLOCK..].as_ptr();
    let mut decoder = Decoder::new(&Limits::default());
    assert!(matches!(decoder.decode(&mut input), Ok(Some(Event::Entry(_)))));
    match decoder.decode(&mut input) {
        Ok(Some(Event::Data(data))) => assert_eq!((data.as_ptr(), &data[..]), (place, &b"hello"[..])),
        other => panic!("{other:?}"),
    }
}

/// An archive with something of everything.
fn everything() -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut sparse = told("sparse", 9000);
    sparse.modified.nanoseconds = 5;
    let mut blocks = [
        extended(b'g', &[("gid", b"7")]),
        file(GNU, b'L', b"", &[b'n'; 150]),
        file(V7, 0, b"a", b"content"),
        super::sparse::old(&[(512, 10), (4000, 6)], 5000, b"0123456789abcdef"),
        extended(
            b'x',
            &[
                ("path", b"b"),
                ("mtime", b"-0.5"),
                ("GNU.sparse.size", b"20"),
                ("GNU.sparse.map", b"3,4"),
            ],
        ),
        file(USTAR, b'0', b"c", b"data"),
        file(USTAR, b'5', b"d/", b""),
        encoder.sparse(&sparse, &[(100, 8), (8000, 2)]).unwrap().to_vec(),
        b"12345678ab".to_vec(),
    ]
    .concat();
    encoder.content(10).unwrap();
    blocks.extend_from_slice(&encoder.end_entry().unwrap());
    blocks.extend_from_slice(&encoder.end().unwrap());
    blocks
}

#[test]
fn an_archive_of_everything_is_read() {
    let events = outcome(&everything()).events();
    assert_eq!(
        events.iter().filter(|event| matches!(event, Event::Entry(_))).count(),
        5
    );
    assert_eq!(events.last(), Some(&Event::End));
}

/// Makes the checksum right, so that a change is seen by what is behind it.
fn with_checksums(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(BLOCK) {
        if &block[257..262] == b"ustar" {
            let mut header = Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn splitting_changes_nothing_of_what_was_mutated(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        resum in any::<bool>(),
        sizes in proptest::collection::vec(1..1500_usize, 1..6),
    ) {
        let mut archive = everything();
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        if resum {
            with_checksums(&mut archive);
        }
        let end = end.map_or(archive.len(), |end| end.index(archive.len()));
        let limits = Limits { archive_sparse_segments: 4, archive_header_bytes: 400, ..Limits::default() };
        let whole = outcome_of([&archive[..end]], &limits);
        prop_assert_eq!(outcome_of(cut(&archive[..end], &sizes), &limits), whole);
    }

    #[test]
    fn splitting_changes_nothing_of_any_bytes(
        pieces in proptest::collection::vec((any::<u8>(), 1..700_usize), 0..6),
        kind in any::<u8>(),
        content in proptest::collection::vec(any::<u8>(), 0..1200),
        sizes in proptest::collection::vec(1..1500_usize, 1..6),
    ) {
        let garbage: Vec<u8> = pieces.iter().flat_map(|&(byte, count)| vec![byte; count]).collect();
        for archive in [garbage.clone(), [file(USTAR, kind, b"a", &content), garbage].concat()] {
            let whole = outcome_of([&archive[..]], &Limits::default());
            prop_assert_eq!(outcome_of(cut(&archive, &sizes), &Limits::default()), whole);
        }
    }
}
