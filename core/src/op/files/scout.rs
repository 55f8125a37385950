//! What must be known of a place in a container before anything is sent there or fetched from there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;

use crate::files::Mounts;

/// More than is mounted anywhere.
pub(super) const SAID_BYTES: u64 = 16 * 1024 * 1024;

/// What a script of ours found.
#[derive(Debug)]
pub(super) struct Scouted {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether the directory may be written to.
    pub(super) writable: bool,
    /// Whether a directory is meant, and not one file in it.
    pub(super) is_dir: bool,
    /// The directory, absolute and without links.
    pub(super) dir: Bytes,
    /// The name in it, where a file is meant; else empty.
    pub(super) name: Bytes,
    pub(super) mounts: Mounts,
}

impl Scouted {
    /// Six items with a NUL behind each, then the mounts.
    pub(super) fn read(said: &Bytes) -> Option<Self> {
        let mut parts = said.splitn(7, |byte| *byte == 0);
        let mut next = || parts.next().map(|part| said.slice_ref(part));
        let number = |part: Bytes| std::str::from_utf8(&part).ok()?.parse().ok();
        let (uid, gid) = (number(next()?)?, number(next()?)?);
        let (kind, writable, dir, name) = (next()?, next()?, next()?, next()?);
        let mounts = Mounts::parse(&next()?);
        let plain_name = !name.contains(&b'/') && &name[..] != b".." && &name[..] != b".";
        (dir.starts_with(b"/") && plain_name).then_some(Self {
            uid,
            gid,
            writable: writable == "w",
            is_dir: kind != "file",
            dir,
            name,
            mounts,
        })
    }

    /// The whole path.
    pub(super) fn path(&self) -> Vec<u8> {
        joined(&self.dir, &self.name)
    }
}

pub(super) fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if name.is_empty() {
        return dir.to_vec();
    }
    let mut path = dir.strip_suffix(b"/").unwrap_or(dir).to_vec();
    path.push(b'/');
    path.extend_from_slice(name);
    path
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read() {
        let said = Bytes::from_static(b"1000\x007\0into\0w\0/tmp/a\nb\0c d\x001 0 0:1 / / rw - overlay o rw\n");
        let scouted = Scouted::read(&said).unwrap();
        assert_eq!(
            (scouted.uid, scouted.gid, scouted.writable, scouted.is_dir),
            (1000, 7, true, true)
        );
        assert_eq!(scouted.path(), b"/tmp/a\nb/c d");
        assert!(scouted.mounts.is_plain(b"/tmp/a\nb"));
        assert_eq!(joined(b"/", b"x"), b"/x");
        for wrong in [
            &b""[..],
            b"x\x007\0into\0w\0/tmp\0\0",
            b"1\x007\0into\0w\0tmp\0\0",
            b"1\x007\0into\0w\0/tmp\0..\0",
            b"1\x007\0into\0w\0/tmp\0a/b\0",
            b"1\x007\0into\0w\0/tmp",
        ] {
            assert!(Scouted::read(&Bytes::copy_from_slice(wrong)).is_none(), "{wrong:?}");
        }
    }
}
