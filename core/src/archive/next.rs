//! What is told of an entry before its header, and which of it counts.

use bytes::Bytes;

use super::pax::{Records, SparseRecords};
use super::{Entry, EntryKind};

/// What was told of the next entry before its header.
#[derive(Debug, Clone, Default)]
pub(super) struct Next {
    pub(super) records: Records,
    /// In GNU's records.
    pub(super) name: Option<Bytes>,
    pub(super) link: Option<Bytes>,
    /// The bytes of all this.
    pub(super) held: usize,
}

impl Next {
    /// Tells an entry, of which all else is as in its header, what it is. How many bytes the archive has of it, and what is
    /// told of its holes.
    pub(super) fn tell(self, global: &Records, kind: u8, entry: &mut Entry) -> (u64, SparseRecords) {
        let Self {
            records, name, link, ..
        } = self;
        let mut sparse = records.sparse;
        tell(&mut entry.path, records.path, &global.path);
        if let Some(name) = sparse.name.take().or(name) {
            entry.path = name;
        }
        tell(&mut entry.link, records.link, &global.link);
        if let Some(link) = link {
            entry.link = link;
        }
        tell(&mut entry.uid, records.uid, &global.uid);
        tell(&mut entry.gid, records.gid, &global.gid);
        tell(&mut entry.modified, records.modified, &global.modified);
        let mut size = entry.size;
        tell(&mut size, records.size, &global.size);
        entry.kind = match kind {
            0 | b'0' | b'7' | b'S' if entry.path.ends_with(b"/") => EntryKind::Directory,
            0 | b'0' | b'7' | b'S' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            b'3' => EntryKind::CharDevice,
            b'4' => EntryKind::BlockDevice,
            // The names of what is in it are the content of GNU's.
            b'5' | b'D' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            other => EntryKind::Other(other),
        };
        if entry.kind == EntryKind::Directory {
            let name = entry.path.iter().rposition(|&byte| byte != b'/');
            entry.path.truncate(name.map_or(1, |last| last + 1));
        }
        if !matches!(entry.kind, EntryKind::HardLink | EntryKind::Symlink) {
            entry.link = Bytes::new();
        }
        (size, sparse)
    }
}

/// What was told of an entry, or else of all, goes before what is in its header.
fn tell<T: Clone>(field: &mut T, local: Option<Option<T>>, global: &Option<Option<T>>) {
    if let Some(value) = local.unwrap_or_else(|| global.clone().flatten()) {
        *field = value;
    }
}
