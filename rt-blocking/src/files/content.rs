//! What goes out: pieces of an even size, the content of files, and where files have holes.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use bytes::Bytes;
use pocket_dock_core::files::{LocalError, Progress};
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::PIECE;
use super::pack::Out;

/// Holes that are smaller are sent as zeros.
const HOLE: u64 = 64 * 1024;
/// Parts of a file with holes: of one that has more, smaller holes are sent too.
const PARTS: usize = 4096;

/// Gathers bytes to pieces.
pub(super) struct Outlet<'a> {
    out: &'a mut Out<'a>,
    piece: Vec<u8>,
    pub(super) progress: Progress,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(out: &'a mut Out<'a>) -> Self {
        Self {
            out,
            piece: Vec::with_capacity(PIECE),
            progress: Progress::default(),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), LocalError> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        Ok((self.out)(Bytes::from(piece), &self.progress)?)
    }

    /// The bytes that the piece has room for, at least one.
    fn room(&mut self) -> Result<usize, LocalError> {
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(PIECE - self.piece.len())
    }

    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), LocalError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(self.room()?.min(bytes.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn zeros(&mut self, mut count: u64) -> Result<(), LocalError> {
        while count > 0 {
            let now = self.room()?.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.piece.resize(self.piece.len() + now, 0);
            count -= now as u64;
            self.progress.bytes += now as u64;
        }
        Ok(())
    }

    /// So many bytes of the file from where it stands, and zeros for those that it does not have any more. Whether it
    /// had them all.
    pub(super) fn content(&mut self, file: &File, length: u64, path: &Path) -> Result<bool, LocalError> {
        let mut left = length;
        while left > 0 {
            let wanted = left.min(self.room()? as u64);
            let got = file.take(wanted).read_to_end(&mut self.piece);
            let got = got.map_err(|error| unreadable(path, &error))? as u64;
            self.progress.bytes += got;
            left -= got;
            if got < wanted {
                self.zeros(left)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> LocalError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::PermissionDenied => LocalError::Permission { path },
        kind => LocalError::Other { path, kind },
    }
}

/// The parts of a file between its holes, each with its offset and length, if it has holes that are worth it.
pub(super) fn parts(file: &File, size: u64) -> Option<Vec<(u64, u64)>> {
    let mut hole = HOLE;
    loop {
        let parts = parts_between(file, size, hole)?;
        if parts.len() <= PARTS {
            let held = parts.iter().map(|(_, length)| length).sum::<u64>();
            return (held < size).then_some(parts);
        }
        hole = hole.checked_mul(2)?;
    }
}

/// `None` if the file system cannot tell, or there are too many to go on.
fn parts_between(file: &File, size: u64, hole: u64) -> Option<Vec<(u64, u64)>> {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < size {
        let from = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(from) if from < size => from,
            // From here to its end, it is a hole.
            Ok(_) | Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        let to = rustix::fs::seek(file, SeekFrom::Hole(from)).ok()?.min(size);
        if to <= from {
            return None;
        }
        match parts.last_mut() {
            Some((start, length)) if from - (*start + *length) < hole => *length = to - *start,
            None if from < hole => parts.push((0, to)),
            _ => parts.push((from, to - from)),
        }
        if parts.len() > PARTS {
            return Some(parts);
        }
        at = to;
    }
    if let Some((start, length)) = parts.last_mut()
        && size - (*start + *length) < hole
    {
        *length = size - *start;
    }
    Some(parts)
}
