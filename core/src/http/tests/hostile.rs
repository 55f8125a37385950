//! Peers that never end, and peers that end too soon.

use bytes::BytesMut;

use crate::http::{Event, Method, ResponseReader};
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;
use crate::splits::outcome;

/// The error that a peer gets which repeats `input` until there is one, and how much it has sent until then.
fn repeat(start: &str, input: &str) -> (ProtocolError, usize) {
    let mut reader = ResponseReader::new(&Limits::default(), Method::Get, false);
    let mut received = BytesMut::from(start.as_bytes());
    let mut sent = start.len();
    loop {
        loop {
            match reader.next(&mut received, false) {
                Ok(Some(Event::End { .. })) => panic!("the response has ended"),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return (error, sent),
            }
        }
        received.extend_from_slice(input.as_bytes());
        sent += input.len();
        assert!(sent < 10_000_000, "the peer can send for ever");
    }
}

fn over(what: &'static str, limit: u64) -> ProtocolError {
    ProtocolError::OverLimit {
        what,
        limit,
        declared: None,
    }
}

#[test]
fn whatever_does_not_end_meets_its_limit() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let limits = Limits::default();
    let (head, line, trailers) = (limits.head_bytes, limits.chunk_line_bytes, limits.trailer_bytes);
    for (start, input, error, at_most) in [
        (
            "HTTP/1.1 200 ",
            "OK",
            over("response head bytes", head as u64),
            head + 2,
        ),
        (
            "HTTP/1.1 200 OK\r\n",
            "A: b\r\n",
            over("response head bytes", head as u64),
            head + 6,
        ),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", over("interim heads", 16), 17 * 25),
        (
            chunked,
            "0",
            over("chunk-size line bytes", line as u64),
            chunked.len() + line + 1,
        ),
        (
            &format!("{chunked}5;"),
            "x",
            over("chunk-size line bytes", line as u64),
            chunked.len() + line + 1,
        ),
        (
            &format!("{chunked}0\r\n"),
            "A: b\r\n",
            over("trailer bytes", trailers as u64),
            chunked.len() + 3 + trailers + 6,
        ),
        (
            &format!("{chunked}0\r\nA: "),
            "b",
            over("trailer bytes", trailers as u64),
            chunked.len() + 3 + trailers + 1,
        ),
    ] {
        let (got, sent) = repeat(start, input);
        assert_eq!(got, error);
        assert!(sent <= at_most, "{error}: after {sent} bytes instead of {at_most}");
    }
}

#[test]
fn too_many_header_fields() {
    let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(129));
    assert_eq!(repeat("", &head).0, over("response header fields", 128));
}

#[test]
fn an_end_at_any_byte_of_a_delimited_response_is_never_clean() {
    let responses = [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ];
    for response in responses {
        for end in 0..response.len() {
            let outcome = outcome(&response.as_bytes()[..end], || {
                let mut reader = ResponseReader::new(&Limits::default(), Method::Post, true);
                move |received: &mut _, eof| reader.next(received, eof)
            });
            let ended = |event: &Event| matches!(event, Event::End { .. } | Event::Upgraded);
            assert!(!outcome.items.iter().any(ended), "{response:?} {end}");
            let error = outcome.error.unwrap();
            assert!(
                matches!(error, ProtocolError::Truncated { .. }),
                "{response:?} {end}: {error}"
            );
            assert_eq!(error.is_closed_before_head(), end == 0, "{response:?} {end}");
        }
    }
}

#[test]
fn a_truncated_body_with_a_length_is_named() {
    let outcome = outcome(
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhello",
        || {
            let mut reader = ResponseReader::new(&Limits::default(), Method::Get, false);
            move |received: &mut _, eof| reader.next(received, eof)
        },
    );
    assert_eq!(outcome.error, Some(ProtocolError::Truncated { what: "response body" }));
}

#[test]
fn an_end_behind_interim_heads_is_inside_the_response() {
    let outcome = outcome(b"HTTP/1.1 100 Continue\r\n\r\n", || {
        let mut reader = ResponseReader::new(&Limits::default(), Method::Get, false);
        move |received: &mut _, eof| reader.next(received, eof)
    });
    assert_eq!(outcome.error, Some(ProtocolError::Truncated { what: "response head" }));
}
