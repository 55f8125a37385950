//! Reading the output of a command while it runs: as it comes, by lines, or as text.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::over::quietly;
use super::shared::{Live, Read, Seat};
use crate::error::Error;
use crate::link::Link;
use crate::op::{Op, Step};
use crate::stream::{Channel, Frame, Line, Lines, TextDecoder};

/// A line, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLine {
    /// Where it was written.
    pub channel: Channel,
    /// The line.
    pub line: Line,
}

/// Text, and where it was written. No character is cut in two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextChunk {
    /// Where it was written.
    pub channel: Channel,
    /// The text, with U+FFFD in place of what is not UTF-8. Never empty.
    pub text: String,
}

/// What one stream's readers have begun and not ended: it stays with the stream when one of them is dropped.
#[derive(Debug)]
pub(crate) struct Views {
    /// What was taken and not seen whole.
    current: Option<Frame>,
    stdout: View,
    stderr: View,
    /// Whether the error at the end was told.
    told: bool,
}

#[derive(Debug)]
struct View {
    lines: Lines,
    decoder: TextDecoder,
}

impl Views {
    /// A terminal ends lines with a carriage return too; elsewhere, that is the program's.
    pub(crate) fn new(terminal: bool) -> Self {
        let lines = || if terminal { Lines::new().crlf() } else { Lines::new() };
        let view = || View {
            lines: lines(),
            decoder: TextDecoder::default(),
        };
        Self {
            current: None,
            stdout: view(),
            stderr: view(),
            told: false,
        }
    }

    fn of(&mut self, channel: Channel) -> &mut View {
        match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        }
    }

    /// An error is told once; behind it, there is nothing.
    fn end(&mut self, error: Option<Error>) -> Result<(), Error> {
        match error {
            Some(error) if !std::mem::replace(&mut self.told, true) => Err(error),
            _ => Ok(()),
        }
    }

    fn piece(&mut self, read: Read) -> Option<Result<Option<Frame>, Error>> {
        if let Some(piece) = self.current.take() {
            return Some(Ok(Some(piece)));
        }
        match read {
            Read::Piece(piece) => Some(Ok(Some(piece))),
            Read::Nothing => None,
            Read::End(error) => Some(self.end(error).map(|()| None)),
        }
    }

    /// The next line of what was taken already.
    fn line(&mut self) -> Option<StreamLine> {
        let mut piece = self.current.take()?;
        let channel = piece.channel;
        let line = self.of(channel).lines.next(&mut piece.data, false);
        if !piece.data.is_empty() {
            self.current = Some(piece);
        }
        line.map(|line| StreamLine { channel, line })
    }

    /// A line that the end of the output ends.
    fn last_line(&mut self) -> Option<StreamLine> {
        [Channel::Stdout, Channel::Stderr].into_iter().find_map(|channel| {
            let line = self.of(channel).lines.next(&mut Bytes::new(), true)?;
            Some(StreamLine { channel, line })
        })
    }

    fn text(&mut self, piece: &Frame) -> Option<TextChunk> {
        let channel = piece.channel;
        let text = self.of(channel).decoder.decode(&piece.data).into_owned();
        (!text.is_empty()).then_some(TextChunk { channel, text })
    }

    fn last_text(&mut self) -> Option<TextChunk> {
        [Channel::Stdout, Channel::Stderr].into_iter().find_map(|channel| {
            let text = self.of(channel).decoder.finish().to_owned();
            (!text.is_empty()).then_some(TextChunk { channel, text })
        })
    }
}

#[cfg(feature = "__fuzzing")]
impl Views {
    pub(crate) fn all_lines(mut self, pieces: Vec<Frame>) -> Vec<StreamLine> {
        let mut lines = Vec::new();
        for piece in pieces {
            self.current = Some(piece);
            while let Some(line) = self.line() {
                lines.push(line);
            }
        }
        lines.extend(std::iter::from_fn(|| self.last_line()));
        lines
    }

    pub(crate) fn all_text(mut self, pieces: &[Frame]) -> Vec<TextChunk> {
        let mut texts: Vec<_> = pieces.iter().filter_map(|piece| self.text(piece)).collect();
        texts.extend(std::iter::from_fn(|| self.last_text()));
        texts
    }
}

/// What a stream's readers share.
pub(crate) type SharedViews = Arc<Mutex<Views>>;

/// One reader of a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    seat: Seat,
    views: SharedViews,
}

impl Reader {
    pub(crate) fn new(live: &Arc<Live>, views: &SharedViews) -> Self {
        Self {
            seat: live.seat(),
            views: Arc::clone(views),
        }
    }

    /// The next piece, `None` behind the last; nothing yet if there is none, and then the waker is woken when there is.
    pub(crate) fn piece(&self, waker: &std::task::Waker) -> Option<Result<Option<Frame>, Error>> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let read = if views.current.is_some() {
            Read::Nothing
        } else {
            self.seat.read(waker)
        };
        views.piece(read)
    }

    fn line(&self, waker: &std::task::Waker) -> Option<Result<Option<StreamLine>, Error>> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = views.line() {
                return Some(Ok(Some(line)));
            }
            match self.seat.read(waker) {
                Read::Piece(piece) => views.current = Some(piece),
                Read::Nothing => return None,
                Read::End(error) => {
                    return Some(match views.last_line() {
                        Some(line) => Ok(Some(line)),
                        None => views.end(error).map(|()| None),
                    });
                }
            }
        }
    }

    fn text(&self, waker: &std::task::Waker) -> Option<Result<Option<TextChunk>, Error>> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let read = match views.current.take() {
                Some(piece) => Read::Piece(piece),
                None => self.seat.read(waker),
            };
            match read {
                Read::Piece(piece) => {
                    if let Some(text) = views.text(&piece) {
                        return Some(Ok(Some(text)));
                    }
                }
                Read::Nothing => return None,
                Read::End(error) => {
                    return Some(match views.last_text() {
                        Some(text) => Ok(Some(text)),
                        None => views.end(error).map(|()| None),
                    });
                }
            }
        }
    }
}

macro_rules! reading {
    ($(#[$doc:meta])* $name:ident, $method:ident, $item:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Reader);

        impl $name {
            pub(crate) fn new(reader: Reader) -> Self {
                Self(reader)
            }
        }

        impl Op for $name {
            type Output = Option<$item>;

            fn poll(&mut self, _: Instant, link: &mut Link) -> Result<Step<Self::Output>, Error> {
                match self.0.$method(&link.waker()) {
                    Some(item) => item.map(Step::Done),
                    None => Ok(quietly(None)),
                }
            }
        }
    };
}

reading!(
    /// Waits for the next piece of output.
    Next,
    piece,
    Frame
);
reading!(
    /// Waits for the next line.
    NextLine,
    line,
    StreamLine
);
reading!(
    /// Waits for the next text.
    NextText,
    text,
    TextChunk
);
