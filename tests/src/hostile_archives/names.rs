//! Those whose names lead elsewhere.

use super::Outcome::{Confined, Refused};
use super::{Header, Hostile, case};

pub(super) const CASES: &[Hostile] = &[
    case("a name that goes up from the top", Refused, |site, tar| {
        tar.file(&format!("{}/../evil", site.top), "evil").end();
    }),
    case("a name that goes up at once", Refused, |_, tar| {
        tar.file("../evil", "evil").end();
    }),
    case("a name that goes up further than down", Refused, |site, tar| {
        tar.dir(&format!("{}/a", site.top), 0o755);
        tar.file(&format!("{}/a/../../../evil", site.top), "evil").end();
    }),
    case("a name that goes up and comes back", Refused, |site, tar| {
        tar.file(&format!("{0}/../{0}/evil", site.top), "evil").end();
    }),
    case("a directory that is the one above", Refused, |site, tar| {
        tar.dir(&format!("{}/..", site.top), 0o777).end();
    }),
    case("a symbolic link that is the directory above", Refused, |site, tar| {
        tar.symlink(&format!("{}/a/..", site.top), site.outside).end();
    }),
    case("a name that goes up, to what is outside", Refused, |site, tar| {
        tar.file(&format!("{}/{}/secret", site.top, site.relative), "evil")
            .end();
    }),
    case("dots between slashes", Refused, |site, tar| {
        tar.file(&format!("./{}//.//..//./evil", site.top), "evil").end();
    }),
    case("an absolute name", Refused, |site, tar| {
        tar.file(&format!("{}/evil", site.outside), "evil").end();
    }),
    case("an absolute name of a file that is there", Refused, |site, tar| {
        tar.file(&format!("{}/secret", site.outside), "evil").end();
    }),
    case("an absolute name with two slashes", Refused, |site, tar| {
        tar.file(&format!("/{}/evil", site.outside), "evil").end();
    }),
    case("an absolute directory", Refused, |site, tar| {
        tar.dir(site.outside, 0o777).end();
    }),
    case("the root of all", Refused, |_, tar| {
        tar.dir("/", 0o777).end();
    }),
    case("an absolute symbolic link", Refused, |site, tar| {
        tar.symlink(&format!("{}/evil", site.outside), "secret").end();
    }),
    case("no name", Refused, |_, tar| {
        tar.file("", "evil").end();
    }),
    case("another top", Refused, |_, tar| {
        tar.file("another/evil", "evil").end();
    }),
    case("a top that begins alike", Refused, |site, tar| {
        tar.file(&format!("{}x/evil", site.top), "evil").end();
    }),
    case("a top in capitals", Refused, |site, tar| {
        tar.file(&format!("{}/evil", site.top.to_uppercase()), "evil").end();
    }),
    case("a part that is too long", Refused, |site, tar| {
        tar.file(&format!("{}/{}", site.top, "x".repeat(256)), "evil").end();
    }),
    case("a part that is very long", Refused, |site, tar| {
        tar.file(&format!("{}/{}/{}", site.top, "a", "x".repeat(70_000)), "evil")
            .end();
    }),
    case("thousands of directories in one another", Refused, |site, tar| {
        tar.file(&format!("{}/{}x", site.top, "a/".repeat(5000)), "evil").end();
    }),
    case("a NUL in a name", Refused, |site, tar| {
        let path = format!("{}/a\0/../../../evil", site.top);
        tar.pax(b'x', &[("path", path.as_bytes())]);
        tar.file(&format!("{}/good", site.top), "evil").end();
    }),
    case(
        "a good name in the header, and another in its pax record",
        Refused,
        |site, tar| {
            tar.pax(b'x', &[("path", b"../evil")]);
            tar.file(&format!("{}/good", site.top), "evil").end();
        },
    ),
    case("an absolute name in a pax record", Refused, |site, tar| {
        tar.pax(b'x', &[("path", format!("{}/evil", site.outside).as_bytes())]);
        tar.file(&format!("{}/good", site.top), "evil").end();
    }),
    case("another name in a pax record for all", Refused, |site, tar| {
        tar.pax(b'g', &[("path", b"../evil")]);
        tar.file(&format!("{}/good", site.top), "evil").end();
    }),
    case("another name in GNU's record", Refused, |site, tar| {
        tar.long(b'L', b"../evil");
        tar.file(&format!("{}/good", site.top), "evil").end();
    }),
    case("an absolute name in GNU's record", Refused, |site, tar| {
        tar.long(b'L', format!("{}/evil", site.outside).as_bytes());
        tar.file(&format!("{}/good", site.top), "evil").end();
    }),
    case("another name in a sparse file's record", Refused, |site, tar| {
        let name: &[u8] = b"../evil";
        let records: &[(&str, &[u8])] = &[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", name),
            ("GNU.sparse.realsize", b"4"),
        ];
        tar.pax(b'x', records);
        let mut content = b"1\n0\n4\n".to_vec();
        content.resize(512, 0);
        content.extend_from_slice(b"evil");
        let header = Header::new(b'0', format!("{}/good", site.top).as_bytes());
        tar.add(header.size(content.len() as u64), &content).end();
    }),
    case("a prefix that goes up", Refused, |_, tar| {
        tar.add(Header::new(b'0', b"evil").prefix(b".."), b"").end();
    }),
    case("a prefix that is absolute", Refused, |site, tar| {
        tar.add(Header::new(b'0', b"evil").prefix(site.outside.as_bytes()), b"")
            .end();
    }),
    case("a name that goes up, of an old kind of file", Refused, |site, tar| {
        let name = format!("{}/../evil", site.top);
        tar.add(Header::new(0, name.as_bytes()).field(257, 8, b""), b"").end();
    }),
    case("a name that goes up, of a contiguous file", Refused, |site, tar| {
        tar.add(Header::new(b'7', format!("{}/../evil", site.top).as_bytes()), b"")
            .end();
    }),
    case("backslashes", Confined, |site, tar| {
        tar.file(&format!("{}/..\\..\\evil", site.top), "evil").end();
    }),
    case("dots and slashes that are escaped", Confined, |site, tar| {
        tar.file(&format!("{}/%2e%2e/%2fevil", site.top), "evil").end();
    }),
    case("slashes that are only like slashes", Confined, |site, tar| {
        tar.file(&format!("{}/..\u{ff0f}..\u{2215}evil", site.top), "evil")
            .end();
    }),
    case("names of dots and blanks", Confined, |site, tar| {
        tar.file(&format!("{}/.../.. /\n../ ..", site.top), "evil").end();
    }),
    case("bytes that are no text", Confined, |site, tar| {
        let name = [site.top.as_bytes(), b"/\xc0\xae\xc0\xae\xc0\xafevil\xff"].concat();
        tar.add(Header::new(b'0', &name), b"").end();
    }),
    case("names that look like options", Confined, |site, tar| {
        tar.file(&format!("{}/-rf", site.top), "evil");
        tar.file(&format!("{}/--checkpoint-action=exec=sh", site.top), "evil")
            .end();
    }),
];
