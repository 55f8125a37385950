//! Sparse files, in each of their forms.

use super::*;

/// A file in GNU's own form: four segments in the header, 21 in each block behind it.
pub(super) fn old(segments: &[(u64, u64)], size: u64, content: &[u8]) -> Vec<u8> {
    let (first, more) = segments.split_at(segments.len().min(4));
    let entries = |segments: &[(u64, u64)]| {
        segments.iter().fold(Vec::new(), |mut entries, &(offset, length)| {
            let mut entry = [0; 24];
            put_number(&mut entry[..12], offset.cast_signed());
            put_number(&mut entry[12..], length.cast_signed());
            entries.extend_from_slice(&entry);
            entries
        })
    };
    let mut blocks = header(GNU, b'S', b"sparse", content.len() as u64, |block| {
        put(&mut block[386..], &entries(first));
        block[482] = u8::from(!more.is_empty());
        put_number(&mut block[483..495], size.cast_signed());
    });
    for (at, chunk) in more.chunks(21).enumerate() {
        let mut block = entries(chunk);
        block.resize(BLOCK, 0);
        block[504] = u8::from(more.len() > (at + 1) * 21);
        blocks.extend_from_slice(&block);
    }
    padded([&blocks[..], content].concat())
}

/// The four versions of pax: of these segments, a file of this size.
fn modern(version: &str, segments: &[(u64, u64)], size: u64, content: &[u8]) -> Vec<u8> {
    let text: Vec<_> = segments
        .iter()
        .map(|(offset, length)| (offset.to_string(), length.to_string()))
        .collect();
    let (size, count) = (size.to_string(), segments.len().to_string());
    let joined: Vec<_> = text
        .iter()
        .map(|(offset, length)| format!("{offset},{length}"))
        .collect();
    let joined = joined.join(",");
    let mut records: Vec<(&str, &[u8])> = Vec::new();
    let mut content = content.to_vec();
    match version {
        "0.0" => {
            records.extend([
                ("GNU.sparse.size", size.as_bytes()),
                ("GNU.sparse.numblocks", count.as_bytes()),
            ]);
            for (offset, length) in &text {
                records.push(("GNU.sparse.offset", offset.as_bytes()));
                records.push(("GNU.sparse.numbytes", length.as_bytes()));
            }
            return [extended(b'x', &records), file(USTAR, b'0', b"sparse", &content)].concat();
        }
        "0.1" => records.extend([
            ("GNU.sparse.size", size.as_bytes()),
            ("GNU.sparse.numblocks", count.as_bytes()),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.map", joined.as_bytes()),
        ]),
        _ => {
            records.extend([
                ("GNU.sparse.major", &b"1"[..]),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"sparse"),
                ("GNU.sparse.realsize", size.as_bytes()),
            ]);
            let lines = text.iter().map(|(offset, length)| format!("{offset}\n{length}\n"));
            let map = format!("{count}\n{}", lines.collect::<String>());
            content = [padded(map.into_bytes()), content].concat();
        }
    }
    [
        extended(b'x', &records),
        file(USTAR, b'0', b"GNUSparseFile.1/s", &content),
    ]
    .concat()
}

const FORMS: [&str; 4] = ["old", "0.0", "0.1", "1.0"];

fn sparse(form: &str, segments: &[(u64, u64)], size: u64, content: &[u8]) -> Vec<u8> {
    match form {
        "old" => old(segments, size, content),
        version => modern(version, segments, size, content),
    }
}

#[test]
fn data_and_holes_are_told_in_their_order() {
    for form in FORMS {
        let read = |segments: &[(u64, u64)], size, content| {
            let events = events(&[sparse(form, segments, size, content), file(USTAR, b'0', b"b", b"")].concat());
            let (first, rest) = events.split_first().unwrap();
            assert_eq!(first, &Event::Entry(told("sparse", size)), "{form}");
            assert_eq!(rest.last(), Some(&Event::Entry(told("b", 0))));
            rest[..rest.len() - 1].to_vec()
        };
        let hole = Event::Hole;
        assert_eq!(
            read(&[(0, 3), (10, 2)], 12, b"abcde"),
            [data("abc"), hole(7), data("de")]
        );
        assert_eq!(
            read(&[(5, 3), (8, 2), (30, 0)], 30, b"abcde"),
            [hole(5), data("abcde"), hole(20)]
        );
        assert_eq!(read(&[(7, 0)], 7, b""), [hole(7)]);
        assert_eq!(read(&[], 1 << 40, b""), [hole(1 << 40)]);
        assert_eq!(read(&[], 0, b""), []);
        assert_eq!(read(&[(0, 0)], 0, b""), []);
        // More than one block has of the old map.
        let many: Vec<_> = (0..70).map(|at| (at * 1000 + 1, 1)).collect();
        let expected: Vec<_> = (0..70)
            .flat_map(|at| [hole(if at == 0 { 1 } else { 999 }), data("x")])
            .chain([hole(29_998)])
            .collect();
        assert_eq!(read(&many, 99_000, &[b'x'; 70]), expected);
    }
}

#[test]
fn maps_that_do_not_fit_are_malformed() {
    for form in FORMS {
        for (segments, content, part) in [
            (&[(0, 3), (2, 2)][..], "abcde", "overlap or are not in order"),
            (&[(5, 3), (0, 2)], "abcde", "overlap or are not in order"),
            (&[(8, 5)], "abcde", "beyond its end"),
            (&[(13, 0)], "", "beyond its end"),
            (&[(i64::MAX.unsigned_abs(), 5)], "abcde", "beyond its end"),
            (&[(1, i64::MAX.unsigned_abs())], "abcde", "beyond its end"),
            (&[(0, 4)], "abcde", "not as long as its data"),
            (&[(0, 6)], "abcde", "not as long as its data"),
        ] {
            let (_, detail) = outcome(&sparse(form, segments, 12, content.as_bytes())).malformed();
            assert!(detail.contains(part), "{form}: {detail}");
        }
    }
}

#[test]
fn segments_have_a_limit() {
    let limits = Limits {
        archive_sparse_segments: 30,
        ..Limits::default()
    };
    for form in FORMS {
        let segments: Vec<_> = (0..31).map(|at| (at * 10, 1)).collect();
        let read = |count: usize| outcome_in(&sparse(form, &segments[..count], 310, &b"x".repeat(count)), &limits);
        assert_eq!(read(30).error, None);
        let expected = ArchiveError::OverLimit {
            what: "segments in a sparse file",
            limit: 30,
            declared: Some(31).filter(|_| form == "1.0"),
        };
        assert_eq!(read(31).error, Some(expected));
    }
}

#[test]
fn records_of_sparse_files_must_fit_together() {
    let sparse = |kind, records: &[(&str, &str)], content: &str| {
        let records: Vec<_> = records.iter().map(|(key, value)| (*key, value.as_bytes())).collect();
        outcome(&[extended(b'x', &records), file(USTAR, kind, b"a", content.as_bytes())].concat())
            .malformed()
            .1
    };
    let version = [
        ("GNU.sparse.major", "2"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.realsize", "5"),
    ];
    assert!(sparse(b'0', &version, "").ends_with("unknown version 2.0"));
    assert!(sparse(b'0', &[("GNU.sparse.map", "0,5")], "abcde").ends_with("its size is not told"));
    assert!(sparse(b'2', &[("GNU.sparse.size", "5")], "").ends_with("not a file"));
    let count = [
        ("GNU.sparse.size", "5"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.map", "0,5"),
    ];
    assert!(sparse(b'0', &count, "abcde").ends_with("does not have the segments it declares"));
    let cut = [("GNU.sparse.size", "5"), ("GNU.sparse.offset", "0")];
    assert!(sparse(b'0', &cut, "").ends_with("does not have the segments it declares"));
    let twice = [("GNU.sparse.offset", "0"), ("GNU.sparse.offset", "0")];
    assert!(sparse(b'0', &twice, "").ends_with("follows another without a length"));
}

#[test]
fn maps_in_front_of_the_data_are_numbers_on_lines() {
    let read = |map: &str, behind: &[u8]| {
        let records: [(&str, &[u8]); 3] = [
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.realsize", b"9"),
        ];
        let content = [map.as_bytes(), behind].concat();
        outcome(&[extended(b'x', &records), file(USTAR, b'0', b"a", &content)].concat())
    };
    let (data, zeros) = (&[b'\n'; 512], [0; 512]);
    for (map, at, part) in [
        ("x", 0, "something other than numbers"),
        ("\n", 0, "not from 0 to 2^63 - 1"),
        ("1\n0 ", 3, "something other than numbers"),
        ("1\n0\n-1\n", 4, "something other than numbers"),
        ("1\n000000000000000000001\n", 22, "something other than numbers"),
        ("1\n9223372036854775808\n", 21, "not from 0 to 2^63 - 1"),
    ] {
        let (offset, detail) = read(map, data).malformed();
        assert_eq!(offset, 1536 + at, "{map:?}");
        assert!(detail.contains(part), "{map:?}: {detail}");
    }
    let (offset, detail) = read("1\n0\n", b"").malformed();
    assert_eq!(
        (offset, &detail[..]),
        (1540, "a sparse map is longer than the data it is in")
    );
    let (offset, detail) = read("1\n0\n0\n", b"").malformed();
    assert_eq!((offset, &detail[..]), (1542, "a sparse map does not end with a block"));
    // It may fill its block, and need a second one.
    let long = format!("1\n{:0>20}\n{:0>20}\n", 0, 0);
    assert!(read(&long, &zeros[long.len()..]).error.is_none());
}

#[test]
fn the_old_form_is_of_gnu_only_and_ends_once() {
    let mut block = old(&[(0, 5)], 5, b"abcde");
    put(&mut block[257..], USTAR);
    let mut header = Header::from_byte_slice(&block[..BLOCK]).clone();
    header.set_cksum();
    let (_, detail) = outcome(header.as_bytes()).malformed();
    assert!(detail.contains("GNU's format"), "{detail}");
    header = Header::from_byte_slice(&old(&[(0, 5)], 5, b"abcde")[..BLOCK]).clone();
    header.as_mut_bytes()[482] = 1;
    header.set_cksum();
    let (_, detail) = outcome(header.as_bytes()).malformed();
    assert!(detail.contains("more of it is declared"), "{detail}");
}
