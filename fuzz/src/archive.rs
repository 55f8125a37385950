//! The checks of the archives.

use arbitrary::Unstructured;
use bytes::{Bytes, BytesMut};
use pocket_dock_core::archive::{ArchiveError, Decoder, Encoder, Entry, EntryKind, Event, FileTime};
use pocket_dock_core::limits::Limits;

use crate::input::Input;

const BLOCK: usize = 512;
/// Archives up to this length also come byte by byte: they are long, for what they tell.
const BYTE_BY_BYTE: usize = 3 * BLOCK;

/// An archive. Knobs: 0 the checksums of its headers are made right first.
pub fn check_tar_decode(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let mut archive = input.stream.to_vec();
    if input.knob(0) {
        for block in archive.chunks_exact_mut(BLOCK) {
            make_checksum(block);
        }
    }
    let limits = input.limits();
    let [whole, pieces, bytes] = input.splits(&archive);
    let outcome = decode(&whole, &limits);
    assert_eq!(decode(&pieces, &limits), outcome);
    if archive.len() <= BYTE_BY_BYTE {
        assert_eq!(decode(&bytes, &limits), outcome);
    }
}

/// Entries, and their content. Knobs: 0 all names are 16 times as long; 1 the files are sparse.
///
/// In the stream, of every entry: its kind, mode (2 bytes, little endian as all others), owner (8), group (8), seconds (8),
/// nanoseconds (4), and its name, link and content, each with a byte in front that tells its length. The content of a sparse
/// file is told by its segments instead: how many (1), and of each the gap before it (2) and its length (1).
pub fn check_tar_round_trip(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let mut stream = Unstructured::new(input.stream);
    let mut encoder = Encoder::new();
    let mut archive = Vec::new();
    let mut expected = Vec::new();
    while !stream.is_empty()
        && let Ok((entry, content, segments)) = take_entry(&mut stream, &input)
    {
        let blocks = match &segments {
            Some(segments) => encoder.sparse(&entry, segments),
            None => encoder.entry(&entry),
        };
        let blocks = match blocks {
            Ok(blocks) => blocks,
            Err(ArchiveError::Unencodable { .. }) => continue,
            Err(other) => unreachable!("{other}"),
        };
        archive.extend_from_slice(&blocks);
        archive.extend_from_slice(&content);
        assert_eq!(encoder.due(), content.len() as u64);
        assert_eq!(encoder.content(content.len() as u64), Ok(()));
        archive.extend_from_slice(&encoder.end_entry().unwrap_or_default());
        assert_eq!(archive.len() % BLOCK, 0);
        push_expected(&mut expected, entry, &content, segments);
    }
    archive.extend_from_slice(&encoder.end().unwrap_or_default());
    expected.push(Event::End);
    let [whole, pieces, _] = input.splits(&archive);
    for pieces in [whole, pieces] {
        assert_eq!(decode(&pieces, &Limits::default()), (expected.clone(), None));
    }
}

type Taken = (Entry, Vec<u8>, Option<Vec<(u64, u64)>>);

fn take_entry(stream: &mut Unstructured<'_>, input: &Input<'_>) -> arbitrary::Result<Taken> {
    let kind = match stream.arbitrary::<u8>()? % 6 {
        0 => EntryKind::File,
        1 => EntryKind::Directory,
        2 => EntryKind::Symlink,
        3 => EntryKind::HardLink,
        4 => EntryKind::Fifo,
        _ => EntryKind::CharDevice,
    };
    let mut entry = Entry::new("", kind);
    entry.mode = stream.arbitrary::<u16>()?.into();
    (entry.uid, entry.gid) = (stream.arbitrary()?, stream.arbitrary()?);
    entry.modified = FileTime {
        seconds: stream.arbitrary()?,
        nanoseconds: stream.arbitrary()?,
    };
    let mut text = || {
        let length = stream.arbitrary::<u8>()?;
        stream.bytes(length.into())
    };
    let times = if input.knob(0) { 16 } else { 1 };
    let (path, link, mut content) = (text()?.repeat(times), text()?.repeat(times), text()?.to_vec());
    (entry.path, entry.link) = (path.into(), link.into());
    let mut segments = None;
    if kind != EntryKind::File {
        content.clear();
    } else if input.knob(1) {
        let mut list = Vec::new();
        content.clear();
        for at in 0..stream.arbitrary::<u8>()? {
            let (gap, length) = (stream.arbitrary::<u16>()?, stream.arbitrary::<u8>()?);
            list.push((entry.size + u64::from(gap), length.into()));
            entry.size += u64::from(gap) + u64::from(length);
            content.extend(std::iter::repeat_n(at, length.into()));
        }
        segments = Some(list);
    } else {
        entry.size = content.len() as u64;
    }
    Ok((entry, content, segments))
}

/// The events that an entry is to come out as.
fn push_expected(expected: &mut Vec<Event>, mut entry: Entry, mut content: &[u8], segments: Option<Vec<(u64, u64)>>) {
    let size = entry.size;
    if entry.kind == EntryKind::Directory {
        while entry.path.len() > 1 && entry.path.ends_with(b"/") {
            entry.path.truncate(entry.path.len() - 1);
        }
    }
    expected.push(Event::Entry(entry));
    let mut end = 0;
    for (offset, length) in segments.unwrap_or_else(|| vec![(0, size)]) {
        let (data, rest) = content.split_at(length as usize);
        content = rest;
        push(expected, Event::Hole(offset - end));
        push(expected, Event::Data(Bytes::copy_from_slice(data)));
        end = offset + length;
    }
    push(expected, Event::Hole(size - end));
}

/// Appends an event, joined with the one before if both are data or holes, unless there is nothing in it.
fn push(events: &mut Vec<Event>, event: Event) {
    match (&event, events.last_mut()) {
        (Event::Hole(0), _) => return,
        (Event::Data(data), _) if data.is_empty() => return,
        (Event::Data(next), Some(Event::Data(before))) => {
            *before = [&before[..], next].concat().into();
            return;
        }
        (Event::Hole(next), Some(Event::Hole(before))) => {
            *before += next;
            return;
        }
        _ => {}
    }
    events.push(event);
}

/// Runs a decoder over an archive that comes in these pieces: what it gives out, and the first error.
fn decode(pieces: &[&[u8]], limits: &Limits) -> (Vec<Event>, Option<ArchiveError>) {
    let mut decoder = Decoder::new(limits);
    let mut received = BytesMut::new();
    let mut events = Vec::new();
    let (mut left, mut data_bytes) = (0, 0);
    for piece in pieces {
        received.extend_from_slice(piece);
        loop {
            let event = match decoder.decode(&mut received) {
                Ok(None) => break,
                Ok(Some(event)) => event,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut received), Err(error.clone()), "an error is final");
                    assert_eq!(decoder.finish(&received), Err(error.clone()), "an error is final");
                    return (events, Some(error));
                }
            };
            assert_ne!(events.last(), Some(&Event::End), "{event:?} follows the end");
            match &event {
                Event::Entry(entry) => {
                    assert_eq!(left, 0, "the content before {entry:?} is too short");
                    assert!(entry.kind == EntryKind::File || entry.size == 0);
                    left = entry.size;
                }
                Event::Data(data) => {
                    assert!(!data.is_empty() && data.len() as u64 <= left);
                    left -= data.len() as u64;
                    data_bytes += data.len();
                }
                Event::Hole(size) => {
                    assert!(*size > 0 && *size <= left);
                    left -= size;
                }
                _ => assert_eq!(left, 0, "the last content is too short"),
            }
            push(&mut events, event);
        }
        assert!(received.len() < BLOCK, "{} bytes are held", received.len());
    }
    assert!(data_bytes <= pieces.iter().map(|piece| piece.len()).sum());
    let error = decoder.finish(&received).err();
    assert!(error.is_some() || left == 0);
    (events, error)
}

/// Makes the checksum of a header right, if it looks like one.
fn make_checksum(block: &mut [u8]) {
    if block[257..262] != *b"ustar" {
        return;
    }
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}
