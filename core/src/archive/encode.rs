//! Writing an archive.
//!
//! The headers are POSIX's (ustar), with as little around them as every reader needs. GNU tar, bsdtar, Python's `tarfile`,
//! Go's `archive/tar` and busybox's tar read all of it, so what does not fit a ustar header is told in the form that
//! busybox reads too, since it passes over pax records:
//!
//! - Names over 255 bytes, or that cannot be cut in two at a slash, and links over 100: in GNU's records ('L' and 'K').
//!   They hold every byte, while pax has its names in UTF-8, of which bsdtar complains if they are not.
//! - Sizes from 8 GiB on, owners from 2,097,152 on and times before 1970 or after 2242: in base 256 in the header, and again
//!   in a pax record, for readers that know nothing but POSIX.
//! - Fractions of seconds: in a pax record, since there is no other form. For busybox they are lost.
//! - Sparse files: in GNU's form 1.0, of pax records and a map in front of the data. All but busybox read it; what it
//!   extracts is the map and the data, under a made-up name.

use bytes::Bytes;
use tar::Header;

use super::error::ArchiveError;
use super::header::{BLOCK, padding, put, put_number};
use super::{Entry, EntryKind, pax};

/// What fits the fields of a ustar header.
const NAME: usize = 100;
const PREFIX: usize = 155;
const MAX_OWNER: u64 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;
/// What fits in base 256 in a field of eight bytes.
const MAX_WIDE_OWNER: u64 = (1 << 62) - 1;

/// Gives the blocks in front of and behind each entry's content, which goes past it.
///
/// ```text
/// entry or sparse ─► content* ─► end_entry ─► entry … ─► end
/// ```
///
/// What it gives, and the content, is to be written in this order. An example is at [`Decoder`](super::Decoder).
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    /// The name of the entry that was begun last, for errors.
    entry: Bytes,
    due: u64,
    padding: u64,
    has_ended: bool,
}

impl Encoder {
    /// An encoder at the beginning of an archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an entry: the blocks in front of its content, which is [`Entry::size`] bytes long. An entry without content
    /// needs no [`end_entry`](Self::end_entry).
    ///
    /// The slash behind a directory's name may be there or not.
    ///
    /// # Errors
    ///
    /// [`Unencodable`](ArchiveError::Unencodable), for a name that is empty, has a NUL in it, or, of a file, ends in a slash;
    /// for a link that is missing or where there can be none; for a size of something other than a file, or from 2^63 on;
    /// for owners from 2^62 on; for a mode or nanoseconds that are none; and for devices and other kinds, since an
    /// [`Entry`] has not all that is needed of them. [`Misuse`](ArchiveError::Misuse) while the entry before is not
    /// complete, and after the end.
    pub fn entry(&mut self, entry: &Entry) -> Result<Bytes, ArchiveError> {
        self.border(&entry.path)?;
        let kind = check(entry)?;
        let name = stored_name(entry);
        let mut blocks = Vec::with_capacity(BLOCK);
        let mut records = Vec::new();
        tell(entry, entry.size, &mut records);
        put_records(&mut blocks, &records);
        if entry.link.len() > NAME {
            put_long(&mut blocks, b'K', &entry.link);
        }
        let (prefix, short) = split_name(&name).unwrap_or_else(|| {
            put_long(&mut blocks, b'L', &name);
            (b"", shortened(&name))
        });
        put_entry(&mut blocks, entry, kind, (prefix, short), entry.size);
        self.begin(entry, entry.size);
        Ok(blocks.into())
    }

    /// Begins a sparse file. `segments`: the offset and length of each part that is not a hole, in order; only these are
    /// its content here, one behind the other. [`Entry::size`] is the size of the file with its holes.
    ///
    /// # Errors
    ///
    /// As [`entry`](Self::entry); [`Unencodable`](ArchiveError::Unencodable) also if it is not a file, and for segments that
    /// overlap, are not in order or go beyond the size.
    pub fn sparse(&mut self, entry: &Entry, segments: &[(u64, u64)]) -> Result<Bytes, ArchiveError> {
        self.border(&entry.path)?;
        let kind = check(entry)?;
        let wrong = |detail: &str| ArchiveError::unencodable(&entry.path, detail);
        if entry.kind != EntryKind::File {
            return Err(wrong("it has holes, and is not a file"));
        }
        let mut end = 0;
        let mut data = 0;
        let mut map = String::new();
        let mut count = 0_u64;
        for &(offset, length) in segments.iter().filter(|(_, length)| *length > 0) {
            if offset < end {
                return Err(wrong("its segments overlap or are not in order"));
            }
            let new = offset.checked_add(length).filter(|&end| end <= entry.size);
            end = new.ok_or_else(|| wrong("its segments go beyond its size"))?;
            // The segments do not overlap, so that this is at most the size.
            data += length;
            map.push_str(&format!("{offset}\n{length}\n"));
            count += 1;
        }
        // GNU tar makes a file as long as its last segment says.
        if end < entry.size || count == 0 {
            map.push_str(&format!("{}\n0\n", entry.size));
            count += 1;
        }
        let mut map = format!("{count}\n{map}").into_bytes();
        fill(&mut map);
        let size = data
            .checked_add(map.len() as u64)
            .filter(|&size| i64::try_from(size).is_ok());
        let size = size.ok_or_else(|| wrong("it is too large"))?;

        let mut records = Vec::new();
        if str::from_utf8(&entry.path).is_err() {
            // bsdtar wants to be told; GNU tar says that it does not know the word, and goes on.
            pax::write(&mut records, "hdrcharset", b"BINARY");
        }
        pax::write(&mut records, "GNU.sparse.major", b"1");
        pax::write(&mut records, "GNU.sparse.minor", b"0");
        pax::write(&mut records, "GNU.sparse.name", &entry.path);
        pax::write(&mut records, "GNU.sparse.realsize", entry.size.to_string().as_bytes());
        tell(entry, size, &mut records);
        let mut blocks = Vec::new();
        put_records(&mut blocks, &records);
        // GNU tar does so too, lest a reader that does not know the form takes this for the file.
        let last = entry.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let (prefix, short) = (&b"GNUSparseFile.0"[..], shortened(last));
        put_entry(&mut blocks, entry, kind, (prefix, short), size);
        blocks.append(&mut map);
        self.begin(entry, data);
        Ok(blocks.into())
    }

    /// So many bytes of the content follow next.
    ///
    /// # Errors
    ///
    /// [`Misuse`](ArchiveError::Misuse) if more than was announced; then nothing of it is taken as sent.
    pub fn content(&mut self, count: u64) -> Result<(), ArchiveError> {
        self.due = self.due.checked_sub(count).ok_or_else(|| {
            let detail = format!("{count} bytes of content come where {} were announced", self.due);
            ArchiveError::misuse(&self.entry, detail)
        })?;
        Ok(())
    }

    /// Ends an entry: what is written behind its content.
    ///
    /// # Errors
    ///
    /// [`Misuse`](ArchiveError::Misuse) if less content came than was announced.
    pub fn end_entry(&mut self) -> Result<Bytes, ArchiveError> {
        if self.due > 0 {
            let detail = format!("{} bytes of the content that was announced did not come", self.due);
            return Err(ArchiveError::misuse(&self.entry, detail));
        }
        let padding = usize::try_from(std::mem::take(&mut self.padding)).unwrap_or_default();
        const ZEROS: &[u8] = &[0; BLOCK];
        Ok(Bytes::from_static(ZEROS.get(..padding).unwrap_or_default()))
    }

    /// The bytes of content that are still due.
    #[must_use]
    pub const fn due(&self) -> u64 {
        self.due
    }

    /// Ends the archive: two blocks of zeros.
    ///
    /// # Errors
    ///
    /// [`Misuse`](ArchiveError::Misuse) while the last entry is not complete, and after the end.
    pub fn end(&mut self) -> Result<Bytes, ArchiveError> {
        self.border(b"")?;
        self.has_ended = true;
        Ok(Bytes::from_static(&[0; 2 * BLOCK]))
    }

    /// Whether an entry may begin here, or the archive end.
    fn border(&self, next: &[u8]) -> Result<(), ArchiveError> {
        if self.has_ended {
            return Err(ArchiveError::misuse(next, "it has ended"));
        }
        if self.due > 0 || self.padding > 0 {
            let detail = format!("this entry was not ended; {} bytes of its content are due", self.due);
            return Err(ArchiveError::misuse(&self.entry, detail));
        }
        Ok(())
    }

    fn begin(&mut self, entry: &Entry, content: u64) {
        self.entry = entry.path.clone();
        self.due = content;
        self.padding = padding(content);
    }
}

/// Whether an archive can hold this, and as which type.
fn check(entry: &Entry) -> Result<u8, ArchiveError> {
    let (kind, has_link) = match entry.kind {
        EntryKind::File => (b'0', false),
        EntryKind::HardLink => (b'1', true),
        EntryKind::Symlink => (b'2', true),
        EntryKind::Directory => (b'5', false),
        EntryKind::Fifo => (b'6', false),
        _ => {
            return Err(ArchiveError::unencodable(
                &entry.path,
                "only files, directories, links and named pipes are written",
            ));
        }
    };
    let is_file = entry.kind == EntryKind::File;
    let detail = if entry.path.is_empty() {
        "its name is empty"
    } else if entry.path.contains(&0) {
        "its name has a NUL in it"
    } else if is_file && entry.path.ends_with(b"/") {
        "it is a file, and its name ends in a slash, as that of a directory does"
    } else if entry.link.contains(&0) {
        "its link has a NUL in it"
    } else if has_link && entry.link.is_empty() {
        "it is a link to nowhere"
    } else if !has_link && !entry.link.is_empty() {
        "it has a link, and is none"
    } else if !is_file && entry.size > 0 {
        "it has a size, and is not a file"
    } else if i64::try_from(entry.size).is_err() {
        "its size is 2^63 or more"
    } else if entry.uid > MAX_WIDE_OWNER || entry.gid > MAX_WIDE_OWNER {
        "the number of its owner is 2^62 or more"
    } else if entry.mode > 0o7777 {
        "its mode has more than the twelve bits of permission"
    } else if entry.modified.nanoseconds >= 1_000_000_000 {
        "its time has a second or more of nanoseconds"
    } else {
        return Ok(kind);
    };
    Err(ArchiveError::unencodable(&entry.path, detail))
}

/// The records of what a header of POSIX's own cannot hold; names aside.
fn tell(entry: &Entry, size: u64, records: &mut Vec<u8>) {
    for (key, value, max) in [
        ("size", size, MAX_SIZE),
        ("uid", entry.uid, MAX_OWNER),
        ("gid", entry.gid, MAX_OWNER),
    ] {
        if value > max {
            pax::write(records, key, value.to_string().as_bytes());
        }
    }
    let time = entry.modified;
    let fits = u64::try_from(time.seconds).is_ok_and(|seconds| seconds <= MAX_SIZE);
    if time.nanoseconds > 0 || !fits {
        pax::write(records, "mtime", pax::written_time(time).as_bytes());
    }
}

/// The name as it is written: with a slash behind that of a directory.
fn stored_name(entry: &Entry) -> Bytes {
    if entry.kind == EntryKind::Directory && !entry.path.ends_with(b"/") {
        [&entry.path[..], b"/"].concat().into()
    } else {
        entry.path.clone()
    }
}

/// A name as prefix and name of a ustar header, cut at a slash, if it fits.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME {
        return Some((b"", name));
    }
    // Neither part may be empty, and the slash is in none of them.
    let most = name.len().checked_sub(2)?.min(PREFIX);
    let at = memchr::memrchr(b'/', name.get(..=most)?).filter(|&at| at > 0)?;
    let (prefix, rest) = name.split_at(at);
    let rest = rest.get(1..).filter(|rest| rest.len() <= NAME)?;
    Some((prefix, rest))
}

/// The beginning of a name, for the header behind the record that has it whole: not ending inside a character, and not
/// in a slash, lest it be a directory's.
fn shortened(name: &[u8]) -> &[u8] {
    let Some(cut) = name.get(..NAME) else {
        return name;
    };
    let is_inside = |at: usize| name.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (NAME - 3..=NAME).rev().find(|&at| !is_inside(at)).unwrap_or(NAME);
    let mut cut = cut.get(..end).unwrap_or(cut);
    while let Some(shorter) = cut.strip_suffix(b"/") {
        cut = shorter;
    }
    if cut.is_empty() { b"_" } else { cut }
}

fn put_entry(blocks: &mut Vec<u8>, entry: &Entry, kind: u8, (prefix, name): (&[u8], &[u8]), size: u64) {
    let mut header = new_header(name, kind, size);
    if let Some(ustar) = header.as_ustar_mut() {
        put(&mut ustar.prefix, prefix);
    }
    let old = header.as_old_mut();
    put(
        &mut old.linkname,
        if entry.link.len() > NAME {
            shortened(&entry.link)
        } else {
            &entry.link
        },
    );
    put_number(&mut old.mode, entry.mode.into());
    // Both were checked to fit.
    put_number(&mut old.uid, entry.uid.cast_signed());
    put_number(&mut old.gid, entry.gid.cast_signed());
    put_number(&mut old.mtime, entry.modified.seconds);
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
}

fn put_records(blocks: &mut Vec<u8>, records: &[u8]) {
    if !records.is_empty() {
        put_told(
            blocks,
            new_header(b"././@PaxHeader", b'x', records.len() as u64),
            records,
        );
    }
}

fn put_long(blocks: &mut Vec<u8>, kind: u8, name: &[u8]) {
    // With a NUL behind it, as GNU tar has it.
    let name = [name, b"\0"].concat();
    put_told(blocks, new_header(b"././@LongLink", kind, name.len() as u64), &name);
}

fn put_told(blocks: &mut Vec<u8>, mut header: Header, content: &[u8]) {
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
    blocks.extend_from_slice(content);
    fill(blocks);
}

fn new_header(name: &[u8], kind: u8, size: u64) -> Header {
    let mut header = Header::new_ustar();
    let old = header.as_old_mut();
    put(&mut old.name, name);
    old.linkflag = [kind];
    put_number(&mut old.mode, 0o644);
    put_number(&mut old.uid, 0);
    put_number(&mut old.gid, 0);
    put_number(&mut old.size, size.cast_signed());
    put_number(&mut old.mtime, 0);
    header
}

/// Fills the last block.
fn fill(blocks: &mut Vec<u8>) {
    blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
}
