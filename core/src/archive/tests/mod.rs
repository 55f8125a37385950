//! The tests of both machines.

mod decode;
mod encode;
mod formats;
mod sparse;
mod time;

use bytes::{Bytes, BytesMut};
use tar::Header;

use super::header::{BLOCK, put, put_number};
use super::{ArchiveError, Decoder, Entry, EntryKind, Event, FileTime};
use crate::limits::Limits;

/// All that a decoder makes of an archive: its events, data that belongs together in one piece, and the first error.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Event>,
    error: Option<ArchiveError>,
}

impl Outcome {
    /// What became of an archive that is well-formed.
    #[track_caller]
    fn events(self) -> Vec<Event> {
        assert_eq!(self.error, None, "{:?}", self.events);
        self.events
    }

    /// Why an archive is not read, and the place.
    #[track_caller]
    fn malformed(self) -> (u64, String) {
        match self.error {
            Some(ArchiveError::Malformed { offset, detail, .. }) => (offset, detail),
            other => panic!("{other:?} after {:?}", self.events),
        }
    }
}

/// What becomes of an archive that comes in these pieces, and ends behind the last.
fn outcome_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut input = BytesMut::new();
    let mut events: Vec<Event> = Vec::new();
    let mut left = 0;
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => take(&mut events, &mut left, event),
                Err(error) => {
                    assert_eq!(decoder.decode(&mut input), Err(error.clone()), "an error is final");
                    assert_eq!(decoder.finish(&input), Err(error.clone()), "an error is final");
                    return Outcome {
                        events,
                        error: Some(error),
                    };
                }
            }
        }
        assert!(input.len() < BLOCK);
    }
    let error = decoder.finish(&input).err();
    assert!(error.is_some() || left == 0, "{left} bytes of content did not come");
    assert_eq!(decoder.finish(&input).err(), error);
    Outcome { events, error }
}

/// Takes an event, and counts that the content is as long as was told.
fn take(events: &mut Vec<Event>, left: &mut u64, event: Event) {
    match (&event, events.last_mut()) {
        (Event::Data(next), before) => {
            assert!(!next.is_empty());
            *left = left.checked_sub(next.len() as u64).expect("more content than was told");
            if let Some(Event::Data(before)) = before {
                *before = [&before[..], next].concat().into();
                return;
            }
        }
        (Event::Hole(size), before) => {
            assert!(*size > 0 && !matches!(before, Some(Event::Hole(_))));
            *left = left.checked_sub(*size).expect("more content than was told");
        }
        (Event::Entry(entry), _) => {
            assert_eq!(*left, 0, "less content than was told, before {entry:?}");
            assert!(entry.kind == EntryKind::File || entry.size == 0);
            *left = entry.size;
        }
        (Event::End, _) => assert_eq!(*left, 0, "less content than was told"),
    }
    events.push(event);
}

/// What becomes of an archive: in every split the same.
#[track_caller]
fn outcome_in(archive: &[u8], limits: &Limits) -> Outcome {
    let expected = outcome_of([archive], limits);
    for size in [1, 7, 511, 512, 513, 1300] {
        assert_eq!(outcome_of(archive.chunks(size), limits), expected, "pieces of {size}");
    }
    let cuts = (0..archive.len()).filter(|at| at % 173 == 0 || [0, 1, 511].contains(&(at % BLOCK)));
    for at in cuts.take(60) {
        let (piece, rest) = archive.split_at(at);
        assert_eq!(outcome_of([piece, rest], limits), expected, "cut at {at}");
    }
    expected
}

#[track_caller]
fn outcome(archive: &[u8]) -> Outcome {
    outcome_in(archive, &Limits::default())
}

/// The events of an archive whose blocks these are; with its end behind it, with other bytes behind that, and without an
/// end.
#[track_caller]
fn events(blocks: &[u8]) -> Vec<Event> {
    let zeros = [0; BLOCK];
    let bare = outcome(blocks).events();
    let expected = [&bare[..], &[Event::End]].concat();
    for trailing in [&b""[..], b"\0", b"x", &zeros, &b"garbage".repeat(400)] {
        let archive = [blocks, &zeros, &zeros, trailing].concat();
        assert_eq!(
            outcome(&archive).events(),
            expected,
            "{} bytes behind it",
            trailing.len()
        );
    }
    assert_eq!(outcome(&[blocks, &zeros].concat()).events(), bare);
    bare
}

/// The only event of these blocks.
#[track_caller]
fn entry(blocks: &[u8]) -> Entry {
    match &events(blocks)[..] {
        [Event::Entry(entry)] => entry.clone(),
        other => panic!("{other:?}"),
    }
}

/// A header by hand: what all headers have in common; the rest is up to `change`. The checksum is made last.
fn header(magic: &[u8], kind: u8, name: &[u8], size: u64, change: impl FnOnce(&mut [u8; BLOCK])) -> Vec<u8> {
    let mut header = Header::new_old();
    let old = header.as_old_mut();
    put(&mut old.name, name);
    old.linkflag = [kind];
    put_number(&mut old.mode, 0o640);
    put_number(&mut old.uid, 1000);
    put_number(&mut old.gid, 100);
    put_number(&mut old.size, size.cast_signed());
    put_number(&mut old.mtime, 1_700_000_000);
    let bytes = header.as_mut_bytes();
    put(&mut bytes[257..], magic);
    change(bytes);
    header.set_cksum();
    header.as_bytes().to_vec()
}

const V7: &[u8] = b"";
const USTAR: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

/// A header and its content, padded.
fn file(magic: &[u8], kind: u8, name: &[u8], content: &[u8]) -> Vec<u8> {
    let header = header(magic, kind, name, content.len() as u64, |_| {});
    padded([&header[..], content].concat())
}

fn padded(mut blocks: Vec<u8>) -> Vec<u8> {
    blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    blocks
}

/// An extended header with these records.
fn extended(kind: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut content = Vec::new();
    for (key, value) in records {
        super::pax::write(&mut content, key, value);
    }
    file(USTAR, kind, b"././@PaxHeader", &content)
}

/// What [`header`] tells, if it is a file.
fn told(name: &'static str, size: u64) -> Entry {
    let mut entry = Entry::new(name, EntryKind::File);
    (entry.mode, entry.uid, entry.gid, entry.size) = (0o640, 1000, 100, size);
    entry.modified.seconds = 1_700_000_000;
    entry
}

fn data(data: &'static str) -> Event {
    Event::Data(Bytes::from_static(data.as_bytes()))
}
