//! Those with devices, odd attributes, or that are no archives.

use super::Outcome::{Confined, Either, Refused, RefusedIfPlanted};
use super::{Header, Hostile, Tar, case};

pub(super) const CASES: &[Hostile] = &[
    case("a character device", Refused, |site, tar| {
        let header = Header::new(b'3', format!("{}/null", site.top).as_bytes()).mode(0o666);
        tar.add(header.octal(329, 8, 1).octal(337, 8, 3), b"").end();
    }),
    case("a block device", Refused, |site, tar| {
        let header = Header::new(b'4', format!("{}/disk", site.top).as_bytes()).mode(0o666);
        tar.add(header.octal(329, 8, 8).octal(337, 8, 0), b"").end();
    }),
    case("a named pipe", Refused, |site, tar| {
        tar.add(Header::new(b'6', format!("{}/pipe2", site.top).as_bytes()), b"")
            .end();
    }),
    case("a kind that nobody knows", Refused, |site, tar| {
        tar.add(Header::new(b'Z', format!("{}/z", site.top).as_bytes()), b"")
            .end();
    }),
    case("a part of a file from another volume", Refused, |site, tar| {
        tar.add(Header::new(b'M', format!("{}/m", site.top).as_bytes()), b"")
            .end();
    }),
    case("files that run as root", Confined, |site, tar| {
        tar.program(&format!("{}/su", site.top), 0o6777);
        tar.dir(&format!("{}/group", site.top), 0o7777).end();
    }),
    case(
        "a directory that may not be entered, and what is in it",
        Confined,
        |site, tar| {
            tar.dir(site.top, 0).dir(&format!("{}/d", site.top), 0);
            tar.file(&format!("{}/d/e/f", site.top), "good").end();
        },
    ),
    case("the top by a dot", Confined, |site, tar| {
        tar.dir(&format!("./{}/.", site.top), 0o1777).end();
    }),
    case("times that cannot be", Either, |site, tar| {
        let wide = [&[0xff; 4][..], &[0x80, 0, 0, 0, 0, 0, 0, 0]].concat();
        let header = Header::new(b'0', format!("{}/before", site.top).as_bytes());
        tar.add(header.field(136, 12, &wide), b"");
        let header = Header::new(b'0', format!("{}/after", site.top).as_bytes());
        tar.add(header.octal(136, 12, 0o77_777_777_777), b"").end();
    }),
    case("owners that cannot be", Confined, |site, tar| {
        let wide = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        let header = Header::new(b'0', format!("{}/f", site.top).as_bytes());
        tar.add(header.field(108, 8, &wide).field(116, 8, &wide), b"").end();
    }),
    case("a file on a directory that is full", Refused, |site, tar| {
        tar.file(&format!("{}/d/f", site.top), "good");
        tar.file(&format!("{}/d", site.top), "evil").end();
    }),
    case("a file on a directory that was there", RefusedIfPlanted, |site, tar| {
        tar.file(&format!("{}/full", site.top), "evil").end();
    }),
    case("a link on a directory that was there", RefusedIfPlanted, |site, tar| {
        tar.symlink(&format!("{}/full", site.top), site.outside).end();
    }),
    case("a file below a file", Refused, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.file(&format!("{}/f/evil", site.top), "evil").end();
    }),
    case("a directory on a file, and what is in it", Confined, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.dir(&format!("{}/f", site.top), 0o755);
        tar.file(&format!("{}/f/good", site.top), "good").end();
    }),
    case("a directory that is told twice", Confined, |site, tar| {
        tar.dir(&format!("{}/d", site.top), 0);
        tar.file(&format!("{}/d/f", site.top), "good");
        tar.dir(&format!("{}/d", site.top), 0o755).end();
    }),
    case("a guess at the names of what is not whole", Confined, |site, tar| {
        for number in 0..20 {
            let guess = format!("{}/.pocket-dock-{:032x}-{number}", site.top, 0);
            tar.symlink(&guess, &format!("{}/secret", site.outside));
        }
        tar.file(&format!("{}/f", site.top), "good").end();
    }),
    case("good files, and then a bad one", Refused, |site, tar| {
        tar.dir(site.top, 0o700);
        for name in ["a", "b", "c"] {
            tar.file(&format!("{}/{name}", site.top), "good");
        }
        tar.file("../evil", "evil").end();
    }),
    case("another archive behind the end", Confined, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good").end();
        tar.file("../evil", "evil").end();
    }),
    case("an archive in a file's content", Confined, |site, tar| {
        let mut inner = Tar::default();
        inner.file("../evil", "evil").end();
        let content = inner.into_bytes();
        let header = Header::new(b'0', format!("{}/f.tar", site.top).as_bytes());
        tar.add(header.size(content.len() as u64), &content).end();
    }),
    case("an archive in a directory's content", Refused, |site, tar| {
        let mut inner = Tar::default();
        inner.file("../evil", "evil");
        let content = inner.into_bytes();
        let header = Header::new(b'5', format!("{}/d", site.top).as_bytes());
        tar.add(header.size(content.len() as u64), &content).end();
    }),
    case("a file that is shorter than it says", Refused, |site, tar| {
        let header = Header::new(b'0', format!("{}/f", site.top).as_bytes());
        tar.add(header.size(100_000), b"evil");
    }),
    case("a file as large as can be told", Refused, |site, tar| {
        let header = Header::new(b'0', format!("{}/f", site.top).as_bytes());
        tar.add(
            header.field(
                124,
                12,
                &[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            ),
            b"evil",
        )
        .end();
    }),
    case("a size below zero", Refused, |site, tar| {
        let header = Header::new(b'0', format!("{}/f", site.top).as_bytes());
        tar.add(header.field(124, 12, &[0xff; 12]), b"evil").end();
    }),
    case("a size that is no number", Refused, |site, tar| {
        let header = Header::new(b'0', format!("{}/f", site.top).as_bytes());
        tar.add(header.field(124, 12, b"-7"), b"evil").end();
    }),
    case("a hole as large as can be", Either, |site, tar| {
        let size = (i64::MAX).to_string();
        let name = format!("{}/sparse", site.top);
        let records: &[(&str, &[u8])] = &[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", name.as_bytes()),
            ("GNU.sparse.realsize", size.as_bytes()),
        ];
        tar.pax(b'x', records);
        let mut map = format!("1\n{size}\n0\n").into_bytes();
        map.resize(512, 0);
        tar.add(Header::new(b'0', name.as_bytes()).size(512), &map).end();
    }),
    case("a sparse file whose parts lie on one another", Refused, |site, tar| {
        let name = format!("{}/sparse", site.top);
        let records: &[(&str, &[u8])] = &[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", name.as_bytes()),
            ("GNU.sparse.realsize", b"100"),
        ];
        tar.pax(b'x', records);
        let mut map = b"2\n50\n10\n0\n60\n".to_vec();
        map.resize(1024, b'x');
        tar.add(Header::new(b'0', name.as_bytes()).size(582), &map).end();
    }),
    case("a header with another sum", Refused, |site, tar| {
        let mut block = Header::new(b'0', format!("{}/f", site.top).as_bytes()).finish();
        if let Some(byte) = block.first_mut() {
            *byte ^= 1;
        }
        tar.raw(&block).end();
    }),
    case("half a header", Refused, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.raw(&[b'x'; 100]);
    }),
    case("a record without its entry", Refused, |site, tar| {
        tar.file(&format!("{}/f", site.top), "good");
        tar.pax(b'x', &[("path", b"../evil")]).end();
    }),
    case("a pax record with another length", Refused, |site, tar| {
        tar.add(Header::new(b'x', b"pax").size(20), b"9999999 path=../evil");
        tar.file(&format!("{}/f", site.top), "good").end();
    }),
    case("nothing", Refused, |_, _| {}),
    case("only an end", Refused, |_, tar| {
        tar.end();
    }),
    case("bytes that are no archive", Refused, |_, tar| {
        tar.raw(&[0x5a; 5000]);
    }),
    case("a compressed archive", Refused, |_, tar| {
        tar.raw(b"\x1f\x8b\x08\0\0\0\0\0\0\x03").raw(&[7; 2000]);
    }),
];
