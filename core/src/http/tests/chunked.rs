//! The chunked coding alone.

use bytes::Bytes;
use proptest::prelude::*;

use crate::http::chunked::{self, Decoder, Piece};
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;
use crate::splits::{Outcome, cut, items, outcome, outcome_of, sizes};

fn machine(limits: &Limits) -> impl FnMut(&mut bytes::BytesMut, bool) -> Result<Option<Piece>, ProtocolError> + use<> {
    let mut decoder = Decoder::new(limits);
    move |received, eof| decoder.next(received, eof)
}

fn decode(input: &[u8]) -> Vec<Piece> {
    items(input, || machine(&Limits::default()))
}

fn fail(limits: &Limits, input: &[u8]) -> ProtocolError {
    let Outcome { items, error, .. } = outcome(input, || machine(limits));
    assert!(!items.contains(&Piece::End), "{items:?}");
    error.unwrap()
}

fn data(text: &'static str) -> Piece {
    Piece::Data(Bytes::from_static(text.as_bytes()))
}

#[test]
fn chunks_extensions_and_trailers() {
    assert_eq!(decode(b"0\r\n\r\n"), [Piece::End]);
    assert_eq!(
        decode(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
        [data("hello!"), Piece::End]
    );
    assert_eq!(
        decode(b"00000000000000A\r\n0123456789\r\n000\r\n\r\n"),
        [data("0123456789"), Piece::End]
    );
    assert_eq!(
        decode(b"1;a\r\na\r\n1 \t;b=\"c;d\"\r\nb\r\n0;end\r\n\r\n"),
        [data("ab"), Piece::End]
    );
    assert_eq!(
        decode(b"2\r\n\r\n\r\n0\r\nA: b\r\nC:\r\n\r\n"),
        [data("\r\n"), Piece::End]
    );
}

#[test]
fn sizes_are_hex_digits_and_nothing_else() {
    for line in [
        "", " ", ";a", "g", "0x5", "+5", "-5", "5 ", "5\t", " 5", "5 5", "5,", "5;\0", "5;a\rb", "5\r", "é",
    ] {
        let error = fail(&Limits::default(), format!("{line}\r\nhello\r\n0\r\n\r\n").as_bytes());
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "chunk-size line",
                    ..
                }
            ),
            "{line:?}: {error}"
        );
    }
    for input in [
        &b"5\nhello\r\n0\r\n\r\n"[..],
        b"\n",
        b"10000000000000000\r\n",
        b"00000000000000005\r\nhello\r\n",
    ] {
        let error = fail(&Limits::default(), input);
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "chunk-size line",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn the_largest_size_is_streamed_and_never_reached() {
    let Outcome { items, error, .. } = outcome(b"ffffffffffffffff\r\nhello", || machine(&Limits::default()));
    assert_eq!(items, [data("hello")]);
    assert_eq!(error, Some(ProtocolError::Truncated { what: "chunk data" }));
}

#[test]
fn data_longer_than_its_size_is_malformed() {
    for input in [
        &b"5\r\nhello!\r\n"[..],
        b"5\r\nhello\n",
        b"5\r\nhello\rx",
        b"5\r\nhello\n\r",
    ] {
        let error = fail(&Limits::default(), input);
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "line end behind chunk data",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn trailers_are_header_fields() {
    for trailer in [
        "x\r\n",
        ": y\r\n",
        " a: b\r\n",
        "a b: c\r\n",
        "a: b\n\r\n",
        "a: \x01\r\n",
        "\n",
        "a\t: b\r\n",
    ] {
        let error = fail(&Limits::default(), format!("0\r\n{trailer}\r\n").as_bytes());
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "trailer section",
                    ..
                }
            ),
            "{trailer:?}: {error}"
        );
    }
}

#[test]
fn limits_are_exact() {
    let mut limits = Limits::default();
    let input = b"1;abc\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n";
    (limits.chunk_line_bytes, limits.trailer_bytes) = (7, 14);
    assert_eq!(items(input, || machine(&limits)), [data("x"), Piece::End]);
    for bytes in 0..7 {
        limits.chunk_line_bytes = bytes;
        let error = ProtocolError::OverLimit {
            what: "chunk-size line bytes",
            limit: bytes as u64,
            declared: None,
        };
        assert_eq!(fail(&limits, input), error);
    }
    limits.chunk_line_bytes = 7;
    for bytes in 0..14 {
        limits.trailer_bytes = bytes;
        let error = ProtocolError::OverLimit {
            what: "trailer bytes",
            limit: bytes as u64,
            declared: None,
        };
        assert_eq!(fail(&limits, input), error);
    }
}

#[test]
fn an_end_anywhere_inside_names_its_place() {
    let input = b"5;a\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..input.len() {
        let what = match end {
            0..5 | 12..15 => "chunk-size line",
            5..10 => "chunk data",
            10..12 => "line end behind chunk data",
            _ => "trailer section",
        };
        assert_eq!(
            fail(&Limits::default(), &input[..end]),
            ProtocolError::Truncated { what },
            "{end}"
        );
    }
}

#[test]
fn empty_data_encodes_to_nothing() {
    chunked::encode(Bytes::new(), &mut |_| panic!("it would end the body"));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(body in proptest::collection::vec(any::<u8>(), 0..600), parts in sizes(), cuts in sizes()) {
        let mut encoded = Vec::new();
        for part in cut(&body, &parts) {
            chunked::encode(Bytes::copy_from_slice(part), &mut |bytes| encoded.extend_from_slice(&bytes));
        }
        encoded.extend_from_slice(chunked::LAST);
        let Outcome { items, error, left } = outcome_of(&cut(&encoded, &cuts), machine(&Limits::default()));
        prop_assert_eq!((error, left), (None, Bytes::new()));
        let expected = if body.is_empty() { vec![Piece::End] } else { vec![Piece::Data(body.into()), Piece::End] };
        prop_assert_eq!(items, expected);
    }

    #[test]
    fn splitting_changes_nothing(input in "([0-2af]{1,2}(;x)?\r\n|[abc]{0,9}|\r\n|A: b\r\n|0\r\n|\n){0,9}", cuts in sizes()) {
        let mut limits = Limits::default();
        (limits.chunk_line_bytes, limits.trailer_bytes) = (8, 12);
        let whole = outcome_of(&[input.as_bytes()], machine(&limits));
        prop_assert_eq!(outcome_of(&cut(input.as_bytes(), &cuts), machine(&limits)), whole);
    }
}
