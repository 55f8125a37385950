//! Whole responses.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::http::{Event, Method, ResponseReader};
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;
use crate::splits::{Outcome, cut, items, outcome, outcome_of, sizes};

fn machine(method: Method, upgrade: bool) -> impl FnMut(&mut BytesMut, bool) -> Result<Option<Event>, ProtocolError> {
    let mut reader = ResponseReader::new(&Limits::default(), method, upgrade);
    move |received, eof| reader.next(received, eof)
}

/// The events without the head, whose status is given instead.
fn rest(events: Vec<Event>) -> (u16, Vec<Event>) {
    let mut events = events.into_iter();
    let Some(Event::Head(head)) = events.next() else {
        panic!("no head")
    };
    (head.status, events.collect())
}

/// A response that ends by itself.
fn read(method: Method, upgrade: bool, input: &str) -> (u16, Vec<Event>) {
    rest(items(input.as_bytes(), || machine(method, upgrade)))
}

fn get(input: &str) -> (u16, Vec<Event>) {
    read(Method::Get, false, input)
}

fn data(text: &'static str) -> Event {
    Event::Data(Bytes::from_static(text.as_bytes()))
}

const KEPT: Event = Event::End { keep_alive: true };
const CLOSED: Event = Event::End { keep_alive: false };

#[test]
fn a_body_with_a_length() {
    assert_eq!(
        get("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"),
        (200, vec![data("OK"), KEPT])
    );
    assert_eq!(
        get("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
        (201, vec![KEPT])
    );
    assert_eq!(
        get("HTTP/1.1 404 X\r\nContent-Length: 1\r\nConnection: close\r\n\r\n."),
        (404, vec![data("."), CLOSED])
    );
}

#[test]
fn a_chunked_body() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        get(&format!("{head}3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")),
        (200, vec![data("[1,2]"), KEPT])
    );
    assert_eq!(get(&format!("{head}0\r\nA: b\r\n\r\n")), (200, vec![KEPT]));
}

#[test]
fn a_body_until_the_connection_is_closed() {
    let Outcome { items, error, left } = outcome(b"HTTP/1.1 400 Bad Request\r\n\r\n400 Bad Request", || {
        machine(Method::Get, false)
    });
    assert_eq!(rest(items), (400, vec![data("400 Bad Request"), CLOSED]));
    assert_eq!((error, left), (None, Bytes::new()));

    let Outcome { items, error, .. } = outcome(b"HTTP/1.0 200 OK\r\n\r\n", || machine(Method::Get, false));
    assert_eq!((rest(items), error), ((200, vec![CLOSED]), None));
}

#[test]
fn responses_that_have_no_body() {
    assert_eq!(
        get("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"),
        (204, vec![KEPT])
    );
    assert_eq!(get("HTTP/1.1 304 Not Modified\r\n\r\n"), (304, vec![KEPT]));
    assert_eq!(
        read(Method::Head, false, "HTTP/1.1 200 OK\r\nContent-Length: 68\r\n\r\n"),
        (200, vec![KEPT])
    );
    assert_eq!(read(Method::Head, false, "HTTP/1.1 200 OK\r\n\r\n"), (200, vec![KEPT]));
}

#[test]
fn interim_heads_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
    assert_eq!(
        get(&format!("{}{last}", interim.repeat(8))),
        (200, vec![data("OK"), KEPT])
    );
    assert_eq!(
        read(Method::Post, true, &format!("{interim}HTTP/1.1 101 X\r\n\r\n")),
        (101, vec![Event::Upgraded])
    );
}

#[test]
fn an_upgrade_leaves_the_stream_in_the_buffer() {
    for head in [
        "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
    ] {
        assert_eq!(read(Method::Post, true, head).1, [Event::Upgraded]);
    }
}

#[test]
fn a_refused_upgrade_is_an_ordinary_response() {
    let refused = "HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(read(Method::Post, true, refused), (409, vec![data("{}"), KEPT]));
    let chunked = "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(read(Method::Post, true, chunked), (500, vec![data("{}"), KEPT]));
}

#[test]
fn two_responses_on_one_connection() {
    let input = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb";
    let mut received = BytesMut::from(&input[..]);
    for expected in ["a", "b"] {
        let mut reader = machine(Method::Get, false);
        let events: Vec<_> = std::iter::from_fn(|| reader(&mut received, true).unwrap()).collect();
        assert_eq!(rest(events).1, [data(expected), KEPT]);
    }
    assert!(received.is_empty());
}

#[test]
fn data_is_not_copied() {
    let mut received = BytesMut::from(&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..]);
    let place = received[received.len() - 5..].as_ptr();
    let mut reader = machine(Method::Get, false);
    let Ok(Some(Event::Head(_))) = reader(&mut received, false) else {
        panic!("no head")
    };
    let Ok(Some(Event::Data(data))) = reader(&mut received, false) else {
        panic!("no data")
    };
    assert_eq!(data.as_ptr(), place);
}

proptest! {
    #[test]
    fn splitting_changes_nothing(
        interim in 0..3_usize,
        fields in "((Content-Length: [0-9]|Transfer-Encoding: chunked|Connection: (close|keep-alive)|A:b)\r\n){0,3}",
        status in prop::sample::select(vec![200_u16, 101, 204, 304, 404, 500]),
        body in "(3\r\nabc\r\n|0\r\n|\r\n|[a-z]{0,9}){0,6}",
        cuts in sizes(),
        upgrade: bool,
        head: bool,
    ) {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(interim);
        let input = format!("{interim}HTTP/1.1 {status} X\r\n{fields}\r\n{body}");
        let method = if head { Method::Head } else { Method::Get };
        let whole = outcome_of(&[input.as_bytes()], machine(method, upgrade));
        prop_assert_eq!(outcome_of(&cut(input.as_bytes(), &cuts), machine(method, upgrade)), whole);
    }

    #[test]
    fn nothing_panics(input in proptest::collection::vec(any::<u8>(), 0..200), cuts in sizes()) {
        let input = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &input[..]].concat();
        let whole = outcome_of(&[&input], machine(Method::Get, false));
        prop_assert_eq!(outcome_of(&cut(&input, &cuts), machine(Method::Get, false)), whole);
    }
}
