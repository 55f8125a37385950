//! Answers for tests.

use bytes::BytesMut;

use super::{Answer, Event, Method, ResponseReader};
use crate::limits::Limits;

/// One with this body.
pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let length = body.len();
    recorded(format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
}

/// One as it came from an engine.
pub(crate) fn recorded(bytes: &[u8]) -> Answer {
    let mut reader = ResponseReader::new(&Limits::default(), Method::Get, false);
    let (mut received, mut head, mut body) = (BytesMut::from(bytes), None, BytesMut::new());
    loop {
        match reader.next(&mut received, true).unwrap() {
            Some(Event::Head(one)) => head = Some(one),
            Some(Event::Data(data)) => body.extend_from_slice(&data),
            _ => break,
        }
    }
    Answer {
        head: head.unwrap(),
        body: body.freeze(),
        upgraded: false,
    }
}
