//! The checks of the HTTP codecs.

use bytes::Bytes;
use pocket_dock_core::http::chunked::{Decoder, Piece};
use pocket_dock_core::http::head::HeadReader;
use pocket_dock_core::http::{Event, Method, ResponseHead, ResponseReader};

use crate::input::{Input, Item, run};

impl Item for ResponseHead {
    fn data(&mut self) -> Option<&mut Bytes> {
        None
    }

    fn continues(&self, _: &Self) -> bool {
        false
    }
}

impl Item for Piece {
    fn data(&mut self) -> Option<&mut Bytes> {
        if let Self::Data(data) = self { Some(data) } else { None }
    }

    fn continues(&self, before: &Self) -> bool {
        matches!((before, self), (Self::Data(_), Self::Data(_)))
    }
}

impl Item for Event {
    fn data(&mut self) -> Option<&mut Bytes> {
        if let Self::Data(data) = self { Some(data) } else { None }
    }

    fn continues(&self, before: &Self) -> bool {
        matches!((before, self), (Self::Data(_), Self::Data(_)))
    }
}

/// A stream of response heads. Knobs: none.
pub fn check_response_head(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let limits = input.limits();
    let outcomes = input.splits(input.stream).map(|pieces| {
        let mut reader = HeadReader::new(&limits);
        run(
            &pieces,
            limits.head_bytes,
            |_| false,
            |received, eof| reader.next(received, eof),
        )
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    // There is no clean end: the next head is always awaited.
    assert!(outcomes[0].error.is_some());
    assert!(outcomes[0].items.iter().all(|head| head.status >= 100));
}

/// One chunked body. Knobs: none.
pub fn check_chunked(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let limits = input.limits();
    let bound = limits.chunk_line_bytes.max(limits.trailer_bytes).max(1);
    let outcomes = input.splits(input.stream).map(|pieces| {
        let mut decoder = Decoder::new(&limits);
        run(
            &pieces,
            bound,
            |piece| *piece == Piece::End,
            |received, eof| decoder.next(received, eof),
        )
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    let ended = outcomes[0].items.last() == Some(&Piece::End);
    assert_ne!(ended, outcomes[0].error.is_some(), "it ends, or there is an error");
}

/// One response. Knobs: 0 the request was HEAD, 1 it asked for an upgrade.
pub fn check_exchange(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let limits = input.limits();
    let method = if input.knob(0) { Method::Head } else { Method::Get };
    let is_last = |event: &Event| matches!(event, Event::End { .. } | Event::Upgraded);
    let bound = limits
        .head_bytes
        .max(limits.chunk_line_bytes)
        .max(limits.trailer_bytes)
        .max(1);
    let outcomes = input.splits(input.stream).map(|pieces| {
        let mut reader = ResponseReader::new(&limits, method, input.knob(1));
        run(&pieces, bound, is_last, |received, eof| reader.next(received, eof))
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    let ended = outcomes[0].items.last().is_some_and(is_last);
    assert_ne!(ended, outcomes[0].error.is_some(), "it ends, or there is an error");
}
