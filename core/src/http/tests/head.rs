//! Response heads alone.

use crate::http::head::{HeadReader, ResponseHead};
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;
use crate::splits::{Outcome, outcome};

fn read_with(limits: &Limits, input: &[u8]) -> Outcome<ResponseHead> {
    outcome(input, || {
        let (mut reader, mut done) = (HeadReader::new(limits), false);
        move |received: &mut _, eof| {
            if done {
                return Ok(None);
            }
            let head = reader.next(received, eof)?;
            done = head.is_some();
            Ok(head)
        }
    })
}

fn read(input: &str) -> ResponseHead {
    let mut outcome = read_with(&Limits::default(), input.as_bytes());
    assert_eq!(outcome.error, None, "{input:?}");
    outcome.items.remove(0)
}

fn error(input: &str) -> ProtocolError {
    let outcome = read_with(&Limits::default(), input.as_bytes());
    assert!(outcome.items.is_empty(), "{outcome:?}");
    outcome.error.unwrap()
}

#[test]
fn fields_are_found_in_any_case_and_may_be_empty() {
    let head = read("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nBuilder-Version:\r\nx-a:  1 \r\nX-A: \t2\r\n\r\n");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("API-VERSION"), Some(&b"1.41"[..]));
    assert_eq!(head.header_text("builder-version"), Some(""));
    assert_eq!(head.header("Server"), None);
    assert_eq!(head.header_values("X-a").collect::<Vec<_>>(), [&b"1"[..], b"2"]);
}

#[test]
fn a_value_need_not_be_text() {
    let input = b"HTTP/1.1 200 OK\r\nX: \xff\r\n\r\n";
    let head = read_with(&Limits::default(), input).items.remove(0);
    assert_eq!((head.header("x"), head.header_text("x")), (Some(&b"\xff"[..]), None));
}

#[test]
fn the_reason_may_be_anything_or_missing() {
    for line in [
        "HTTP/1.1 101 UPGRADED",
        "HTTP/1.1 101 ",
        "HTTP/1.1 101",
        "HTTP/1.0 101 Switching Protocols (really)",
    ] {
        assert_eq!(read(&format!("{line}\r\n\r\n")).status, 101, "{line}");
    }
}

#[test]
fn bytes_behind_the_head_stay() {
    let outcome = read_with(&Limits::default(), b"HTTP/1.1 200 OK\r\n\r\n\r\nHTTP");
    assert_eq!((outcome.items.len(), &outcome.left[..]), (1, &b"\r\nHTTP"[..]));
}

#[test]
fn what_is_not_a_head_is_malformed() {
    for input in [
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2",
        "HTTP/2 200\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nA: b\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
    ] {
        let error = error(input);
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "response head",
                    ..
                }
            ),
            "{input:?}: {error}"
        );
    }
}

#[test]
fn an_end_inside_is_truncated_and_an_end_before_is_told_apart() {
    let whole = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    assert!(error("").is_closed_before_head());
    for end in 1..whole.len() {
        assert_eq!(
            error(&whole[..end]),
            ProtocolError::Truncated { what: "response head" },
            "{end}"
        );
    }
}

#[test]
fn limits_are_exact() {
    let input = b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    let mut limits = Limits::default();
    (limits.head_bytes, limits.headers) = (input.len(), 2);
    assert_eq!(read_with(&limits, input).items.len(), 1);

    limits.headers = 1;
    let error = ProtocolError::OverLimit {
        what: "response header fields",
        limit: 1,
        declared: None,
    };
    assert_eq!(read_with(&limits, input).error, Some(error));

    for head_bytes in 0..input.len() {
        limits.head_bytes = head_bytes;
        let limit = head_bytes as u64;
        let error = ProtocolError::OverLimit {
            what: "response head bytes",
            limit,
            declared: None,
        };
        assert_eq!(read_with(&limits, input).error, Some(error));
        // What has not exceeded the limit is only unfinished.
        let unfinished = read_with(&limits, &input[..head_bytes]).error.unwrap();
        assert!(matches!(unfinished, ProtocolError::Truncated { .. }), "{unfinished}");
    }
}

#[test]
fn limits_beyond_all_memory_allocate_nothing() {
    let mut limits = Limits::default();
    (limits.head_bytes, limits.headers) = (usize::MAX, usize::MAX);
    assert_eq!(read_with(&limits, b"HTTP/1.1 200 OK\r\n\r\n").items.len(), 1);
}
