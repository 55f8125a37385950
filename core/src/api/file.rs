//! A file whose content is read or written piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::held::Held;
use super::stream::ExecStream;
use crate::driving::{Driving, Reactor};
use crate::error::Error;
use crate::files::{FileErrorKind, FilePath};
use crate::op::files::{About, Ending, NextBytes, Reading, Settle};
use crate::op::live::{Live, Write};
use crate::runtime::Runtime;

/// A file of a container that is read piece by piece: made by
/// [`Container::read_file_stream`](crate::Container::read_file_stream).
///
/// A reader that is slow holds the reading up, and memory stays where it is. Where calls block it is an [`Iterator`], else
/// a [`futures_core::Stream`], of `Result<Bytes, Error>`. Dropping it before the end breaks off, in the background.
#[derive(Debug)]
pub struct FileReader<R: Runtime> {
    stream: ExecStream<R>,
    reading: Arc<Reading>,
}

impl<R: Runtime> FileReader<R> {
    pub(super) fn new(runtime: R, live: &Arc<Live>, about: About) -> Self {
        Self {
            stream: ExecStream::new(runtime, live),
            reading: Reading::new(about, live),
        }
    }

    /// Waits for the next bytes, never none. `None` behind the last.
    ///
    /// A future of it that is dropped before its end has taken nothing.
    ///
    /// # Errors
    /// Once, in place of the end: [`Error::File`], and the others of
    /// [`Container::read_file`](crate::Container::read_file).
    #[expect(clippy::should_implement_trait, reason = "where calls block, it is that trait's")]
    pub fn next(&mut self) -> R::Returns<NextBytes> {
        let next = NextBytes::new(self.stream.reader(), &self.reading);
        self.stream.runtime().drive(next)
    }
}

impl<R> Iterator for FileReader<R>
where
    R: Runtime<Returns<NextBytes> = Result<Option<Bytes>, Error>>,
{
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Self::next(self).transpose()
    }
}

impl<R> futures_core::Stream for FileReader<R>
where
    R: Runtime<Returns<NextBytes> = Driving<NextBytes, R>> + Reactor,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.reading.piece(self.stream.own_reader(), cx.waker()) {
            Some(item) => Poll::Ready(item.transpose()),
            None => Poll::Pending,
        }
    }
}

/// Makes what puts the file into its place, if it has so many bytes, or only what removes all that was written.
type End = Box<dyn Fn(Option<u64>) -> Ending + Send + Sync>;

/// A file of a container that is written piece by piece: made by
/// [`Container::write_file_stream`](crate::Container::write_file_stream).
///
/// It is in its place only after [`finish`](Self::finish). Dropped before that, what was written is removed, in the
/// background.
pub struct FileWriter<R: Runtime> {
    /// `None` once it is finished.
    held: Option<Held<R>>,
    runtime: R,
    live: Arc<Live>,
    about: About,
    written: AtomicU64,
    end: End,
}

impl<R: Runtime> FileWriter<R> {
    pub(super) fn new(runtime: R, live: &Arc<Live>, about: About, end: End) -> Self {
        Self {
            held: Some(Held::new(runtime.clone(), live)),
            runtime,
            live: Arc::clone(live),
            about,
            written: AtomicU64::new(0),
            end,
        }
    }

    /// Writes the next bytes. Waits while 1 MiB is on its way.
    ///
    /// A future of it that is dropped before its end may have written all of it or nothing: drop the writer too.
    ///
    /// # Errors
    /// [`Error::File`] of the kind [`Closed`](FileErrorKind::Closed) if nothing can be written any more:
    /// [`finish`](Self::finish) says why.
    pub fn write(&self, data: impl Into<Bytes>) -> R::Returns<Write> {
        let data = data.into();
        self.written.fetch_add(data.len() as u64, Ordering::Relaxed);
        let closed = self.about.error(FileErrorKind::Closed, "");
        self.runtime.drive(Write::new(&self.live, data).telling(closed))
    }

    /// Puts the file into its place, once all that was written has come.
    ///
    /// A future of it that is dropped before its end may leave a file beside it whose name begins with `.pocket-dock-`.
    ///
    /// # Errors
    /// [`Error::File`], and the others of [`Container::write_file`](crate::Container::write_file).
    pub fn finish(mut self) -> R::Returns<Settle> {
        self.live.close_input();
        let keep = self.held.take().map(|held| Box::new(held) as _);
        let ending = (self.end)(Some(self.written.load(Ordering::Relaxed)));
        let settle = Settle::new(&self.live, self.about.clone(), ending, keep);
        self.runtime.drive(settle)
    }
}

impl<R: Runtime> Drop for FileWriter<R> {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        drop(held); // ends it
        // What was never begun has no end to wait for, and has written nothing.
        if self.live.was_attended() {
            let settle = Settle::new(&self.live, self.about.clone(), (self.end)(None), None);
            self.runtime.finish(settle);
        }
    }
}

impl<R: Runtime> std::fmt::Debug for FileWriter<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter")
            .field("about", &self.about)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// What is beside a file while it is written. `id`: what no other name ends with.
pub(super) fn beside(path: &FilePath, id: &str) -> FilePath {
    let parent = path.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    FilePath {
        path: parent.join(format!(".pocket-dock-{id}")),
        ..path.clone()
    }
}
