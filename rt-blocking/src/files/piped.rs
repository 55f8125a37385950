//! Local files at the end of a pipe: the thread that reads or writes them sleeps while the other side is not so far.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::Thread;

use bytes::Bytes;
use pocket_dock_core::Limits;
use pocket_dock_core::files::{
    LocalError, LocalKind, Packing, PipeReader, PipeWriter, Progress, Stopped, Target, Unpacking,
};

use super::place::failed;

/// Wakes one thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Sleeps until it is ready. Waking up for nothing does no harm.
fn wait<T>(mut poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match poll(&waker) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// What a local path is, links followed.
pub(crate) fn look(path: &Path) -> Result<LocalKind, LocalError> {
    let stat = rustix::fs::stat(path).map_err(|errno| failed(path, errno))?;
    match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
        rustix::fs::FileType::RegularFile => Ok(LocalKind::File),
        rustix::fs::FileType::Directory => Ok(LocalKind::Directory),
        _ => Err(LocalError::Special { path: path.to_owned() }),
    }
}

pub(crate) fn pack(source: &Path, name: &[u8], packing: &Packing, out: PipeWriter) -> Result<Progress, LocalError> {
    let mut write = |piece: Bytes, progress: &Progress| {
        if let Some(watch) = &packing.watch {
            watch.tell(progress);
        }
        let mut piece = Some(piece);
        wait(|waker| out.poll_write(&mut piece, waker))
    };
    // The filter, or whoever watches, is the program's own, and may panic.
    let packed = catch_unwind(AssertUnwindSafe(|| super::pack(source, name, packing, &mut write)));
    let packed = packed.unwrap_or(Err(LocalError::Panicked));
    // What was changed meanwhile is an error, and the archive is whole all the same.
    if matches!(packed, Ok(_) | Err(LocalError::Changed { .. })) {
        out.finish();
    }
    packed
}

pub(crate) fn unpack(
    target: &Target,
    unpacking: &Unpacking,
    limits: &Limits,
    input: PipeReader,
) -> Result<Progress, LocalError> {
    let mut panicked = false;
    let mut read = |progress: &Progress| -> Result<Option<Bytes>, Stopped> {
        if let Some(watch) = &unpacking.watch
            && catch_unwind(AssertUnwindSafe(|| watch.tell(progress))).is_err()
        {
            panicked = true;
            return Err(Stopped);
        }
        wait(|waker| input.poll_read(waker))
    };
    let unpacked = super::unpack(target, unpacking, limits, &mut read);
    if panicked { Err(LocalError::Panicked) } else { unpacked }
}
