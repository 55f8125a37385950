//! What every format tells of an entry.

use super::*;

#[test]
fn files_of_every_format() {
    for magic in [V7, USTAR, GNU] {
        for kind in [0, b'0', b'7'] {
            let events = events(&[file(magic, kind, b"a", b"hello"), file(magic, kind, b"b", b"")].concat());
            let expected = [Event::Entry(told("a", 5)), data("hello"), Event::Entry(told("b", 0))];
            assert_eq!(events, expected);
        }
        let content = "x".repeat(1024);
        let whole = events(&file(magic, b'0', b"blocks", content.as_bytes()));
        assert_eq!(whole, [Event::Entry(told("blocks", 1024)), Event::Data(content.into())]);
    }
}

#[test]
fn other_kinds_have_no_content() {
    for (flag, kind) in [
        (b'1', EntryKind::HardLink),
        (b'2', EntryKind::Symlink),
        (b'3', EntryKind::CharDevice),
        (b'4', EntryKind::BlockDevice),
        (b'5', EntryKind::Directory),
        (b'6', EntryKind::Fifo),
    ] {
        // Whatever size it declares: what follows is the next header.
        for size in [0, 5, 1 << 40] {
            let header = header(USTAR, flag, b"a", size, |block| put(&mut block[157..], b"to"));
            let mut expected = Entry { kind, ..told("a", 0) };
            if matches!(kind, EntryKind::HardLink | EntryKind::Symlink) {
                expected.link = "to".into();
            }
            let next = [Event::Entry(expected), Event::Entry(told("b", 0))];
            assert_eq!(events(&[header.clone(), file(USTAR, b'0', b"b", b"")].concat()), next);
            let records = extended(b'x', &[("size", b"5")]);
            assert_eq!(events(&[records, header, file(USTAR, b'0', b"b", b"")].concat()), next);
        }
    }
    for flag in [b'A', b'N', b'Z', 0xff] {
        let expected = [
            Event::Entry(Entry {
                kind: EntryKind::Other(flag),
                ..told("a", 0)
            }),
            Event::Entry(told("b", 0)),
        ];
        let blocks = [file(USTAR, flag, b"a", b"content"), file(USTAR, b'0', b"b", b"")].concat();
        assert_eq!(events(&blocks), expected);
    }
}

#[test]
fn directories_lose_their_slash() {
    let directory = |name| Entry {
        kind: EntryKind::Directory,
        ..told(name, 0)
    };
    for (kind, name, expected) in [
        (b'5', "a", "a"),
        (b'5', "a/", "a"),
        (b'5', "./a//", "./a"),
        (b'5', "/", "/"),
        (b'5', "///", "/"),
        (b'5', "", ""),
        (b'0', "a/", "a"),
        (0, "a/b/", "a/b"),
        (b'D', "a/", "a"),
    ] {
        assert_eq!(entry(&file(V7, kind, name.as_bytes(), b"")), directory(expected));
    }
    // The content of those that are files by their type is skipped.
    for kind in [0, b'0', b'D'] {
        let blocks = [file(GNU, kind, b"a/", b"Yb\0\0"), file(GNU, b'0', b"b", b"")].concat();
        assert_eq!(
            events(&blocks),
            [Event::Entry(directory("a")), Event::Entry(told("b", 0))]
        );
    }
}

#[test]
fn a_name_may_be_empty_or_fill_its_field() {
    assert_eq!(entry(&file(USTAR, b'0', b"", b"")).path, "");
    let name = "n".repeat(100);
    let link = "l".repeat(100);
    let header = header(USTAR, b'2', name.as_bytes(), 0, |block| {
        put(&mut block[157..], link.as_bytes());
    });
    let entry = entry(&header);
    assert_eq!((&entry.path[..], &entry.link[..]), (name.as_bytes(), link.as_bytes()));
}

#[test]
fn only_ustar_has_a_prefix() {
    let prefixed = |magic, trailer: &[u8]| {
        let header = header(magic, b'0', b"name", 0, |block| {
            put(&mut block[345..], &[b'p'; 155]);
            put(&mut block[508..], trailer);
        });
        entry(&header).path
    };
    assert_eq!(prefixed(USTAR, b""), format!("{}/name", "p".repeat(155)));
    assert_eq!(prefixed(b"ustar\0", b""), format!("{}/name", "p".repeat(155)));
    assert_eq!(prefixed(USTAR, b"tar\0"), format!("{}/name", "p".repeat(131)));
    assert_eq!(prefixed(GNU, b""), "name");
    assert_eq!(prefixed(V7, b""), "name");
}

#[test]
fn numbers_of_gnu_are_in_base_256() {
    let header = header(GNU, b'5', b"a", 0, |block| {
        put(&mut block[108..116], &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe]);
        put(&mut block[116..124], &[0x80, 0, 0, 0, 0, 0x20, 0, 0]);
        put(&mut block[136..148], &[0xff; 12]);
        block[147] = 0xfe;
    });
    let entry = entry(&header);
    assert_eq!((entry.uid, entry.gid), (0xffff_fffe, 0x20_0000));
    assert_eq!(
        entry.modified,
        FileTime {
            seconds: -2,
            nanoseconds: 0
        }
    );
}

#[test]
fn file_types_in_the_mode_are_dropped() {
    let header = header(V7, b'0', b"a", 0, |block| put(&mut block[100..108], b"0104755\0"));
    assert_eq!(entry(&header).mode, 0o4755);
}

#[test]
fn checksums_may_be_of_signed_bytes_and_come_in_several_forms() {
    let mut block = header(V7, b'0', b"\xff\xfe", 0, |_| {});
    let signed: i64 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                i64::from(byte.cast_signed())
            }
        })
        .sum();
    for form in [
        format!("{signed:06o}\0 "),
        format!("{signed:6o} \0"),
        format!("{signed:07o}\0"),
    ] {
        put(&mut block[148..156], form.as_bytes());
        assert_eq!(entry(&block).path, &b"\xff\xfe"[..]);
    }
    put(&mut block[148..156], format!("{:06o}\0 ", signed + 1).as_bytes());
    let (offset, detail) = outcome(&block).malformed();
    assert_eq!(offset, 0);
    assert!(
        detail.starts_with(&format!("a header's checksum is {}, and", signed + 1)),
        "{detail}"
    );
}

#[test]
fn pax_records_go_before_the_header() {
    let long = "long/".repeat(300) + "name\nof two lines";
    let records = extended(
        b'x',
        &[
            ("path", long.as_bytes()),
            ("uid", b"4294967294"),
            ("gid", b"3000000"),
            ("mtime", b"-1.5"),
            ("size", b"5"),
            ("atime", b"what it is does not matter"),
            ("hdrcharset", b"BINARY"),
            ("SCHILY.xattr.user.x", b"\xff\0"),
        ],
    );
    let header = header(USTAR, b'0', b"short", 0, |_| {});
    let blocks = [
        records,
        header,
        padded(b"hello".to_vec()),
        file(USTAR, b'0', b"next", b""),
    ]
    .concat();
    let mut first = told("", 5);
    first.path = long.into();
    (first.uid, first.gid) = (4_294_967_294, 3_000_000);
    first.modified = FileTime {
        seconds: -2,
        nanoseconds: 500_000_000,
    };
    assert_eq!(
        events(&blocks),
        [Event::Entry(first), data("hello"), Event::Entry(told("next", 0))]
    );
}

#[test]
fn solaris_has_a_letter_of_its_own_and_headers_may_be_in_parts() {
    let blocks = [
        extended(b'X', &[("path", b"a"), ("linkpath", b"old")]),
        extended(b'x', &[("linkpath", b"new")]),
        file(USTAR, b'2', b"short", b""),
    ];
    let entry = entry(&blocks.concat());
    assert_eq!((&entry.path[..], &entry.link[..]), (&b"a"[..], &b"new"[..]));
}

#[test]
fn global_records_are_the_default_of_what_follows() {
    let blocks = [
        extended(
            b'g',
            &[
                ("uid", b"7"),
                ("mtime", b"8.5"),
                ("GNU.sparse.major", b"1"),
                ("comment", b"x"),
            ],
        ),
        file(USTAR, b'0', b"a", b"1"),
        extended(b'x', &[("uid", b""), ("mtime", b"9")]),
        file(USTAR, b'0', b"b", b"2"),
        extended(b'g', &[("uid", b"")]),
        file(USTAR, b'0', b"c", b""),
    ];
    let owners = |events: Vec<Event>| -> Vec<_> {
        let entries = events.into_iter().filter_map(|event| match event {
            Event::Entry(entry) => Some((entry.uid, entry.modified)),
            _ => None,
        });
        entries.collect()
    };
    let half = FileTime {
        seconds: 8,
        nanoseconds: 500_000_000,
    };
    let nine = FileTime {
        seconds: 9,
        nanoseconds: 0,
    };
    assert_eq!(
        owners(events(&blocks.concat())),
        [(7, half), (1000, nine), (1000, half)]
    );
}

#[test]
fn gnu_records_hold_long_names() {
    let long = [&b"\xff/".repeat(200)[..], b"x"].concat();
    let blocks = [
        file(GNU, b'K', b"././@LongLink", &[&long[..], b"\0"].concat()),
        file(GNU, b'L', b"././@LongLink", &[&long[..], b"\0junk"].concat()),
        extended(b'x', &[("path", b"not this"), ("mtime", b"1.5")]),
        file(GNU, b'2', b"short", b""),
        file(GNU, b'0', b"next", b""),
    ];
    let mut link = Entry {
        kind: EntryKind::Symlink,
        ..told("", 0)
    };
    (link.path, link.link) = (long.clone().into(), long.into());
    link.modified = FileTime {
        seconds: 1,
        nanoseconds: 500_000_000,
    };
    assert_eq!(
        events(&blocks.concat()),
        [Event::Entry(link), Event::Entry(told("next", 0))]
    );
    let blocks = [file(GNU, b'L', b"", b"dir/\0"), file(GNU, b'0', b"x", b"")].concat();
    let directory = Entry {
        kind: EntryKind::Directory,
        ..told("dir", 0)
    };
    assert_eq!(entry(&blocks), directory);
    // Without a NUL, and an empty one.
    assert_eq!(
        entry(&[file(GNU, b'L', b"", b"name"), file(GNU, b'0', b"x", b"")].concat()).path,
        "name"
    );
    assert_eq!(
        entry(&[file(GNU, b'L', b"", b"\0"), file(GNU, b'0', b"x", b"")].concat()).path,
        "x"
    );
}

#[test]
fn labels_of_volumes_are_skipped_and_parts_of_files_refused() {
    let label = file(GNU, b'V', b"label", b"");
    assert_eq!(entry(&[label.clone(), file(GNU, b'0', b"a", b"")].concat()).path, "a");
    let blocks = [extended(b'x', &[("path", b"b")]), label, file(GNU, b'0', b"a", b"")].concat();
    assert_eq!(entry(&blocks).path, "a");
    let (offset, detail) = outcome(&[file(GNU, b'0', b"a", b""), file(GNU, b'M', b"b", b"rest")].concat()).malformed();
    assert_eq!(offset, 512);
    assert!(detail.contains("another volume"), "{detail}");
}
