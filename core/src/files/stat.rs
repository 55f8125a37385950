//! What `stat` said, read.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{FileEntry, FileKind, FileStat};
use crate::archive::FileTime;

/// The words in front of a name: mode in hexadecimal, size, user, group, seconds, a date, and a time with a fraction. A time
/// zone follows, but not everywhere.
const WORDS: usize = 7;

/// `stat -c '%f %s %u %g %Y %y'`, then a newline, and of a link where it leads, with a newline.
pub(crate) fn read_stat(text: &[u8]) -> Option<FileStat> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (words, rest) = words(text.get(..end)?)?;
    let mut stat = (!rest.contains(&b' ')).then(|| stat(&words))??;
    let link = text.get(end + 1..).and_then(|link| link.strip_suffix(b"\n"));
    if stat.kind == FileKind::Symlink {
        stat.link = link.map(|link| PathBuf::from(OsString::from_vec(link.to_vec())));
    }
    Some(stat)
}

/// The same for many, each with ` ./`, its name, `/` and a newline behind it: no name has a slash in it.
pub(crate) fn read_list(mut text: &[u8]) -> Option<Vec<FileEntry>> {
    let mut list = Vec::new();
    while !text.is_empty() {
        let (words, rest) = words(text)?;
        // No time zone has these in it.
        let rest = rest.get(rest.windows(2).position(|two| two == b"./")? + 2..)?;
        let end = rest.iter().position(|byte| *byte == b'/')?;
        list.push(FileEntry {
            name: OsString::from_vec(rest.get(..end)?.to_vec()),
            stat: stat(&words)?,
        });
        text = rest.get(end..)?.strip_prefix(b"/\n")?;
    }
    list.sort_by(|one, other| one.name.cmp(&other.name));
    Some(list)
}

/// So many words, and what is behind the space that follows them.
fn words(text: &[u8]) -> Option<([&str; WORDS], &[u8])> {
    let mut words = [""; WORDS];
    let mut rest = text;
    for word in &mut words {
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        *word = std::str::from_utf8(rest.get(..end)?).ok()?;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Some((words, rest))
}

fn stat(words: &[&str; WORDS]) -> Option<FileStat> {
    let [mode, size, uid, gid, seconds, _, clock] = words;
    let mode = u32::from_str_radix(mode, 16).ok()?;
    let kind = match mode & 0o170_000 {
        0o100_000 => FileKind::File,
        0o040_000 => FileKind::Directory,
        0o120_000 => FileKind::Symlink,
        _ => FileKind::Other,
    };
    let fraction = clock.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some(FileStat {
        kind,
        size: size.parse().ok()?,
        mode: mode & 0o7777,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        modified: FileTime {
            seconds: seconds.parse().ok()?,
            nanoseconds: digits.parse().ok()?,
        },
        link: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read() {
        let text = b"81ed 12 1000 7 1700000000 2023-11-14 22:13:20.123456789 +0000\n";
        let stat = read_stat(text).unwrap();
        assert_eq!(
            (stat.kind, stat.size, stat.mode, stat.uid, stat.gid),
            (FileKind::File, 12, 0o755, 1000, 7)
        );
        assert_eq!(
            (stat.modified.seconds, stat.modified.nanoseconds),
            (1_700_000_000, 123_456_789)
        );
        let link = read_stat(b"a1ff 3 0 0 -5 1969-12-31 23:59:55 +0000\na\nb\n").unwrap();
        assert_eq!((link.kind, link.link), (FileKind::Symlink, Some("a\nb".into())));
        for wrong in [
            &b""[..],
            b"81ed",
            b"81ed 1 2 3\n",
            b"x 12 0 0 1 d t z\n",
            b"81ed 12 0 0 1 d t z more\n",
        ] {
            assert_eq!(read_stat(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_of_any_kind_are_read() {
        let text = b"81a4 1 0 0 1 d t z ./b\nc /\n41ed 2 0 0 1 d t ./-a\xff/\n";
        let list = read_list(text).unwrap();
        let names: Vec<_> = list.iter().map(|entry| entry.name.clone().into_vec()).collect();
        assert_eq!(names, [&b"-a\xff"[..], b"b\nc "]);
        assert_eq!(list[0].stat.kind, FileKind::Directory);
        assert_eq!(read_list(b""), Some(Vec::new()));
        assert_eq!(read_list(&text[..text.len() - 1]), None);
    }
}
