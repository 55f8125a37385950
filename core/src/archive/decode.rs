//! Reading an archive.
//!
//! ```text
//!   Header ──'x' 'g' 'L' 'K'──► Record ──its content──► Skip
//!          ──'S'──► OldMap ──the last block of it──► Content
//!          ──a file, sparse 1.0──► Map ──► Content
//!          ──a file──► Content ──its data and holes──► Skip
//!          ──anything else──► Skip ──what nobody wants, and padding──► Header
//!          ──zeros──► Zeros ──zeros──► Ended
//! ```
//!
//! Where readers differ, this follows Go's `archive/tar`, which is what Docker and Podman read and write with: so nobody
//! sees other entries here than the engine does.
//!
//! - Hard links, symbolic links, devices, pipes and directories have no content, whatever size they declare.
//! - A file whose name ends in a slash is a directory. Its content is skipped.
//! - A name in a GNU record goes before one in a pax record, and GNU's name of a sparse file before both.
//! - A zero block and then something else is malformed.
//!
//! It differs from Go in that it takes global pax records as the default of every later entry, as POSIX has it and all
//! others do.

use bytes::{Buf as _, Bytes, BytesMut};
use tar::Header;

use super::content::{Content, Step};
use super::error::ArchiveError;
use super::header::{self, BLOCK, padding};
use super::next::Next;
use super::pax::{Records, SparseRecords};
use super::sparse::{MapReader, Segment, Segments};
use super::{Entry, EntryKind, Event, FileTime};
use crate::limits::Limits;

const MAP_GOES_ON: &str = "its sparse map has ended, and more of it is declared";

/// Takes an archive apart: v7, ustar, pax and GNU, with sparse files of every kind.
///
/// ```
/// use bytes::BytesMut;
/// use pocket_dock_core::archive::{Decoder, Encoder, Entry, EntryKind, Event};
/// use pocket_dock_core::limits::Limits;
///
/// let mut encoder = Encoder::new();
/// let mut entry = Entry::new("hello", EntryKind::File);
/// entry.size = 2;
/// let mut received = BytesMut::from(&encoder.entry(&entry)?[..]);
/// encoder.content(2)?;
/// received.extend_from_slice(b"hi");
/// received.extend_from_slice(&encoder.end_entry()?);
/// received.extend_from_slice(&encoder.end()?);
///
/// let mut decoder = Decoder::new(&Limits::default());
/// assert_eq!(decoder.decode(&mut received)?, Some(Event::Entry(entry)));
/// assert_eq!(decoder.decode(&mut received)?, Some(Event::Data("hi".into())));
/// assert_eq!(decoder.decode(&mut received)?, Some(Event::End));
/// assert_eq!(decoder.decode(&mut received)?, None);
/// decoder.finish(&received)?;
/// # Ok::<(), pocket_dock_core::archive::ArchiveError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    /// How many bytes were taken.
    offset: u64,
    global: Records,
    next: Next,
    /// The name of the entry that is read, for errors; empty between two.
    entry: Bytes,
    max_header: usize,
    max_segments: usize,
}

#[derive(Debug, Clone)]
enum State {
    /// Between two entries, or between an entry and what was told of it before.
    Header,
    /// One block of zeros was there.
    Zeros,
    Record {
        kind: u8,
        left: usize,
        data: BytesMut,
    },
    OldMap {
        entry: Entry,
        segments: Segments,
        stored: u64,
    },
    /// `start`: where the map begins.
    Map {
        entry: Entry,
        reader: MapReader,
        start: u64,
    },
    Content(Content),
    Skip {
        left: u64,
    },
    Ended,
    Failed(ArchiveError),
}

impl Decoder {
    /// A decoder at the beginning of an archive.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            state: State::Header,
            offset: 0,
            global: Records::default(),
            next: Next::default(),
            entry: Bytes::new(),
            max_header: limits.archive_header_bytes,
            max_segments: limits.archive_sparse_segments,
        }
    }

    /// Takes the next event from the front of `input`; `None`: it needs more bytes, or has returned [`Event::End`]
    /// before. What follows the end is padding: it is taken and dropped, whatever it is.
    ///
    /// Content is not copied, and given out as it comes. `None` leaves less than a block of 512 bytes in `input`.
    ///
    /// # Errors
    ///
    /// [`Malformed`](ArchiveError::Malformed) for anything that is not an archive, and for the second part of a file that
    /// was split between volumes; [`OverLimit`](ArchiveError::OverLimit) for what is told of one entry over
    /// [`Limits::archive_header_bytes`], and for a sparse file over [`Limits::archive_sparse_segments`]. An error is
    /// final: the same call gives it again.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ArchiveError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let before = input.len();
        let offset = self.offset;
        let event = self.step(input);
        self.offset = offset.saturating_add((before - input.len()) as u64);
        event.inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// The archive has no more bytes than `rest`, which [`decode`](Self::decode) left when it returned `None`.
    ///
    /// It may end behind the two blocks of zeros that ought to end it, behind one of them, and, because some writers leave
    /// both away, where the header of an entry would begin. In the latter two, there was no [`Event::End`].
    ///
    /// # Errors
    ///
    /// [`Truncated`](ArchiveError::Truncated) if it ends anywhere else; and the error that `decode` returned.
    pub fn finish(&mut self, rest: &[u8]) -> Result<(), ArchiveError> {
        match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Ended => return Ok(()),
            State::Header | State::Zeros if rest.is_empty() && self.next.held == 0 => return Ok(()),
            _ => {}
        }
        let entry = super::error::shown(&self.entry);
        let error = ArchiveError::Truncated { entry };
        self.state = State::Failed(error.clone());
        Err(error)
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ArchiveError> {
        let start = self.offset;
        let before = input.len();
        loop {
            self.offset = start.saturating_add((before - input.len()) as u64);
            match &mut self.state {
                State::Header | State::Zeros => {
                    let Some(block) = take_block(input) else {
                        return Ok(None);
                    };
                    if let Some(event) = self.block(&block)? {
                        return Ok(Some(event));
                    }
                }
                State::Record { kind, left, data } => {
                    let (taken, kind) = ((*left).min(input.len()), *kind);
                    data.extend_from_slice(&input.split_to(taken));
                    *left -= taken;
                    if *left > 0 {
                        return Ok(None);
                    }
                    let data = std::mem::take(data).freeze();
                    // Where the record began.
                    self.offset = self.offset.saturating_sub((data.len() - taken) as u64);
                    self.state = State::Skip {
                        left: padding(data.len() as u64),
                    };
                    self.record(kind, data)?;
                }
                State::OldMap {
                    entry,
                    segments,
                    stored,
                } => {
                    let Some(block) = take_block(input) else {
                        return Ok(None);
                    };
                    let (entries, rest) = block.split_at(504);
                    let more = segments.push_old(entries, self.max_segments);
                    let more = more.map_err(|fault| fault.of(&self.entry, self.offset))?;
                    let extended = rest.first() != Some(&0);
                    if extended && !more {
                        return Err(self.malformed(MAP_GOES_ON));
                    }
                    if !extended {
                        let (entry, segments, stored) = (entry.clone(), std::mem::take(segments), *stored);
                        return self.open(entry, segments, stored).map(Some);
                    }
                }
                State::Map { entry, reader, start } => {
                    let read = reader.read(input, self.max_segments);
                    let Some((segments, stored)) = read.map_err(|fault| fault.of(&self.entry, *start))? else {
                        return Ok(None);
                    };
                    let entry = entry.clone();
                    self.offset = *start;
                    return self.open(entry, segments, stored).map(Some);
                }
                State::Content(content) => match content.next(input) {
                    Step::Event(event) => return Ok(Some(event)),
                    Step::Starved => return Ok(None),
                    Step::Over => {
                        self.state = State::Skip {
                            left: content.padding(),
                        }
                    }
                },
                State::Skip { left } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    input.advance(taken);
                    *left -= taken as u64;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Header;
                    if self.next.held == 0 {
                        self.entry = Bytes::new();
                    }
                }
                State::Ended => {
                    input.clear();
                    return Ok(None);
                }
                State::Failed(error) => return Err(error.clone()),
            }
        }
    }

    /// Reads a block where a header is due.
    fn block(&mut self, block: &[u8; BLOCK]) -> Result<Option<Event>, ArchiveError> {
        let ended = matches!(self.state, State::Zeros);
        match (block.iter().all(|&byte| byte == 0), ended) {
            (true, _) if self.next.held > 0 => return Err(self.malformed("no entry follows an extended header")),
            (true, false) => self.state = State::Zeros,
            (true, true) => {
                self.state = State::Ended;
                return Ok(Some(Event::End));
            }
            (false, true) => return Err(self.malformed("a block of zeros is followed by one of something else")),
            (false, false) => return self.header(Header::from_byte_slice(block)),
        }
        Ok(None)
    }

    fn header(&mut self, header: &Header) -> Result<Option<Event>, ArchiveError> {
        header::check(header).map_err(|wrong| self.malformed(wrong))?;
        let old = header.as_old();
        let kind = old.linkflag.first().copied().unwrap_or_default();
        let wrong = |field: &str, wrong: &str| {
            let path = header::path(header);
            ArchiveError::malformed(&path, self.offset, format!("the {field} in its header {wrong}"))
        };
        let size = header::unsigned(&old.size).map_err(|detail| wrong("size", detail))?;
        match kind {
            b'x' | b'X' | b'g' | b'L' | b'K' => {
                let limit = self.max_header;
                let declared = usize::try_from(size)
                    .ok()
                    .and_then(|size| self.next.held.checked_add(size.max(1)));
                match declared.filter(|&held| held <= limit) {
                    None => {
                        return Err(ArchiveError::OverLimit {
                            what: "bytes of extended headers and long names of one entry",
                            limit: limit as u64,
                            declared: Some(size),
                        });
                    }
                    Some(held) if kind != b'g' => self.next.held = held,
                    Some(_) => {}
                }
                self.state = State::Record {
                    kind,
                    left: usize::try_from(size).unwrap_or(limit),
                    data: BytesMut::new(),
                };
                return Ok(None);
            }
            // The label of a volume.
            b'V' => {
                self.next = Next::default();
                self.state = State::Skip { left: stored(size) };
                return Ok(None);
            }
            b'M' => return Err(wrong("type", "is that of a file's continuation from another volume")),
            _ => {}
        }
        let number = |name, field| header::unsigned(field).map_err(|detail| wrong(name, detail));
        let seconds = header::number(&old.mtime).map_err(|detail| wrong("mtime", detail))?;
        let entry = Entry {
            path: header::path(header),
            kind: EntryKind::Other(kind),
            link: Bytes::copy_from_slice(header::text(&old.linkname)),
            mode: (number("mode", &old.mode)? & 0o7777) as u32,
            uid: number("uid", &old.uid)?,
            gid: number("gid", &old.gid)?,
            modified: FileTime {
                seconds,
                nanoseconds: 0,
            },
            size,
        };
        self.entry(header, kind, entry)
    }

    /// Reads what was told before an entry, over what is in its header.
    fn entry(&mut self, header: &Header, kind: u8, mut entry: Entry) -> Result<Option<Event>, ArchiveError> {
        let (size, sparse) = std::mem::take(&mut self.next).tell(&self.global, kind, &mut entry);
        self.entry = entry.path.clone();
        let is_pax = sparse.is_told();
        if entry.kind != EntryKind::File {
            if is_pax || kind == b'S' {
                return Err(self.malformed("it is sparse, and not a file"));
            }
            entry.size = 0;
            let left = if matches!(kind, b'1'..=b'6') { 0 } else { stored(size) };
            self.state = State::Skip { left };
            return Ok(Some(Event::Entry(entry)));
        }
        if kind == b'S' {
            return self.old_sparse(header, entry, size);
        }
        if !is_pax {
            entry.size = size;
            let whole = Segment {
                offset: 0,
                length: size,
            };
            let mut segments = Segments::default();
            // One is within every limit.
            segments
                .push(whole, 1)
                .map_err(|fault| fault.of(&self.entry, self.offset))?;
            return self.open(entry, segments, size).map(Some);
        }
        let real_size = sparse.real_size;
        entry.size = real_size.ok_or_else(|| self.malformed("it is sparse, and its size is not told"))?;
        match (sparse.major.unwrap_or(0), sparse.minor.unwrap_or(0)) {
            (0, 0 | 1) => {}
            (1, 0) => {
                let reader = MapReader::new(size);
                let start = self.offset.saturating_add(BLOCK as u64);
                self.state = State::Map { entry, reader, start };
                return Ok(None);
            }
            (major, minor) => {
                return Err(self.malformed(format!("it is sparse, of the unknown version {major}.{minor}")));
            }
        }
        if sparse.offset.is_some()
            || sparse
                .blocks
                .is_some_and(|blocks| blocks != sparse.segments.len() as u64)
        {
            return Err(self.malformed("its sparse map does not have the segments it declares"));
        }
        self.open(entry, sparse.segments, size).map(Some)
    }

    fn old_sparse(&mut self, header: &Header, mut entry: Entry, stored: u64) -> Result<Option<Event>, ArchiveError> {
        let gnu = header
            .as_gnu()
            .ok_or_else(|| self.malformed("it is sparse as in GNU's format, and not in that"))?;
        let size = header::unsigned(&gnu.realsize);
        entry.size = size.map_err(|wrong| self.malformed(format!("its real size {wrong}")))?;
        let entries = header.as_bytes().get(386..482).unwrap_or_default();
        let mut segments = Segments::default();
        let more = segments.push_old(entries, self.max_segments);
        let more = more.map_err(|fault| fault.of(&self.entry, self.offset))?;
        if gnu.isextended == [0] {
            return self.open(entry, segments, stored).map(Some);
        }
        if !more {
            return Err(self.malformed(MAP_GOES_ON));
        }
        self.state = State::OldMap {
            entry,
            segments,
            stored,
        };
        Ok(None)
    }

    /// Begins the content of a file.
    fn open(&mut self, entry: Entry, segments: Segments, stored: u64) -> Result<Event, ArchiveError> {
        let segments = segments
            .checked(entry.size, stored)
            .map_err(|wrong| self.malformed(wrong))?;
        self.state = State::Content(Content::new(segments, entry.size, stored));
        Ok(Event::Entry(entry))
    }

    /// Reads what tells of the next entry, or, if it is global, of all that follow.
    fn record(&mut self, kind: u8, data: Bytes) -> Result<(), ArchiveError> {
        let records = match kind {
            b'L' | b'K' => {
                let name = data.slice(..header::text(&data).len());
                let name = Some(name).filter(|name| !name.is_empty());
                if kind == b'L' {
                    self.entry = name.clone().unwrap_or_default();
                    self.next.name = name;
                } else {
                    self.next.link = name;
                }
                return Ok(());
            }
            b'g' => &mut self.global,
            _ => &mut self.next.records,
        };
        let read = records.read(&data, self.max_segments);
        read.map_err(|fault| fault.of(&self.entry, self.offset))?;
        self.global.sparse = SparseRecords::default();
        if let Some(Some(path)) = &self.next.records.path {
            self.entry = path.clone();
        }
        Ok(())
    }

    fn malformed(&self, detail: impl Into<String>) -> ArchiveError {
        ArchiveError::malformed(&self.entry, self.offset, detail)
    }
}

/// Content and its padding. Sizes are below 2^63.
const fn stored(size: u64) -> u64 {
    size.saturating_add(padding(size))
}

fn take_block(input: &mut BytesMut) -> Option<[u8; BLOCK]> {
    let block = *input.first_chunk()?;
    input.advance(BLOCK);
    Some(block)
}
