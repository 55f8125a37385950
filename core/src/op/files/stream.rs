//! A file's content while it is read or written.
//!
//! ```text
//! reading:  cat ──► NextBytes ──► … ──► None | Err, once
//! writing:  Write ──► … ──► Settle: the end of the input ──► the end of what wrote it beside its place ──► put there | removed
//! ```

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::call::{About, FileCall, keep_end};
use crate::error::Error;
use crate::files::FileErrorKind;
use crate::link::Link;
use crate::op::live::{Live, Reader, Seat, over::quietly};
use crate::op::{Op, Step, after_the_end};
use crate::result::ExecSummary;
use crate::stream::Channel;

/// What the readers of one file share.
#[derive(Debug)]
pub(crate) struct Reading {
    about: About,
    live: Arc<Live>,
    words: Mutex<(BytesMut, bool)>,
}

impl Reading {
    pub(crate) fn new(about: About, live: &Arc<Live>) -> Arc<Self> {
        Arc::new(Self {
            about,
            live: Arc::clone(live),
            words: Mutex::default(),
        })
    }

    /// The next piece, `None` behind the last; nothing yet if there is none, and then the waker is woken when there is.
    pub(crate) fn piece(&self, reader: &Reader, waker: &Waker) -> Option<Result<Option<Bytes>, Error>> {
        loop {
            let frame = match reader.piece(waker)? {
                Ok(Some(frame)) => frame,
                Ok(None) => return Some(self.end()),
                Err(error) => return Some(Err(error)),
            };
            match frame.channel {
                Channel::Stdout => return Some(Ok(Some(frame.data))),
                Channel::Stderr => keep_end(&mut self.words().0, &frame.data),
            }
        }
    }

    fn words(&self) -> std::sync::MutexGuard<'_, (BytesMut, bool)> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error is told once.
    fn end(&self) -> Result<Option<Bytes>, Error> {
        let mut words = self.words();
        match self.live.outcome() {
            Some(Ok(summary)) if !std::mem::replace(&mut words.1, true) => {
                if summary.omitted_bytes > 0 {
                    let lost = format!("{} bytes of it had to be left out", summary.omitted_bytes);
                    return Err(self.about.error(FileErrorKind::Other, lost));
                }
                let (words, about) = (&words.0, &self.about);
                about
                    .outcome(summary.exit_code, summary.timed_out, words)
                    .map(|()| None)
            }
            _ => Ok(None),
        }
    }
}

/// Waits for the next bytes of a file.
#[derive(Debug)]
pub struct NextBytes {
    reader: Reader,
    reading: Arc<Reading>,
}

impl NextBytes {
    pub(crate) fn new(reader: Reader, reading: &Arc<Reading>) -> Self {
        Self {
            reader,
            reading: Arc::clone(reading),
        }
    }
}

impl Op for NextBytes {
    type Output = Option<Bytes>;

    fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<Option<Bytes>>, Error> {
        match self.reading.piece(&self.reader, &link.waker()) {
            Some(item) => item.map(Step::Done),
            None => Ok(quietly(None)),
        }
    }
}

/// What becomes of what was written beside its place.
pub(crate) struct Ending {
    /// Puts it there, if all of it came. `None`: it is not wanted any more.
    pub(crate) commit: Option<FileCall<()>>,
    /// Removes it otherwise.
    pub(crate) remove: FileCall<()>,
}

/// Waits until everything that was written is beside its place, and then puts it there, or removes it.
pub struct Settle {
    seat: Seat,
    about: About,
    ending: Ending,
    /// What must not be dropped before all is written: it would end the program.
    keep: Option<Box<dyn Any + Send>>,
    /// Whether all of it was written, once nothing writes any more.
    written: Option<Result<(), Error>>,
}

impl Settle {
    pub(crate) fn new(live: &Arc<Live>, about: About, ending: Ending, keep: Option<Box<dyn Any + Send>>) -> Self {
        Self {
            seat: live.seat(),
            about,
            ending,
            keep,
            written: None,
        }
    }

    fn check(&self, outcome: Result<ExecSummary, Error>) -> Result<(), Error> {
        let summary = outcome?;
        let (_, words) = self.seat.live().take_gathered();
        self.about
            .outcome(summary.exit_code, summary.timed_out, &words.to_bytes())
    }

    /// What is done last, once nothing writes any more.
    fn last(&mut self) -> Option<&mut FileCall<()>> {
        let written = self.written.as_ref()?;
        let commit = self.ending.commit.as_mut().filter(|_| written.is_ok());
        Some(commit.unwrap_or(&mut self.ending.remove))
    }
}

impl Op for Settle {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        if self.written.is_none() {
            let Some(outcome) = self.seat.outcome(&link.waker()) else {
                return Ok(quietly(None));
            };
            self.written = Some(self.check(outcome));
            self.keep = None;
        }
        let last = self.last().ok_or_else(after_the_end)?.poll(now, link);
        if let Ok(Step::Need(need)) = last {
            return Ok(need.into());
        }
        match self.written.take() {
            // What went wrong first is told.
            Some(Err(error)) if self.ending.commit.is_some() => Err(error),
            _ => last,
        }
    }

    fn abandon(&mut self) -> bool {
        self.last().is_some_and(FileCall::abandon)
    }
}

impl fmt::Debug for Settle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settle")
            .field("about", &self.about)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}
