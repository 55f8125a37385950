//! How long a body is, and whether the connection can be used again.

use bytes::BytesMut;

use crate::http::framing::Framing;
use crate::http::head::HeadReader;
use crate::http::{Method, ResponseHead};
use crate::limits::Limits;
use crate::protocol_error::ProtocolError;

fn head(start: &str, fields: &[&str]) -> ResponseHead {
    let mut text = format!("HTTP/1.{start}\r\n");
    fields.iter().for_each(|field| text.extend([field, "\r\n"]));
    text.push_str("\r\n");
    HeadReader::new(&Limits::default())
        .next(&mut BytesMut::from(text.as_bytes()), true)
        .unwrap()
        .unwrap()
}

fn framing(status: &str, fields: &[&str]) -> Result<Framing, ProtocolError> {
    Framing::of(&head(&format!("1 {status}"), fields), Method::Get, false)
}

#[test]
fn the_body_is_delimited_by_status_method_and_fields() {
    assert_eq!(framing("200", &[]), Ok(Framing::Close));
    assert_eq!(framing("200", &["Content-Length: 5"]), Ok(Framing::Length(5)));
    assert_eq!(
        framing("200", &["content-length:005", "Content-Length: 5 , 5"]),
        Ok(Framing::Length(5))
    );
    assert_eq!(
        framing("200", &["Content-Length: 18446744073709551615"]),
        Ok(Framing::Length(u64::MAX))
    );
    assert_eq!(framing("200", &["Transfer-Encoding: chunked"]), Ok(Framing::Chunked));
    assert_eq!(framing("200", &["transfer-encoding:  ChUnKeD "]), Ok(Framing::Chunked));
    for status in ["204", "304"] {
        assert_eq!(framing(status, &["Content-Length: 5"]), Ok(Framing::None));
    }
    let to_head = head("1 404", &["Content-Length: 68"]);
    assert_eq!(Framing::of(&to_head, Method::Head, false), Ok(Framing::None));
}

#[test]
fn an_upgrade_is_a_101_or_a_200_without_a_length() {
    let framing =
        |status: &str, fields: &[&str]| Framing::of(&head(&format!("1 {status}"), fields), Method::Post, true);
    assert_eq!(
        framing("101 UPGRADED", &["Connection: Upgrade", "Upgrade: tcp"]),
        Ok(Framing::Upgrade)
    );
    assert_eq!(
        framing("200", &["Content-Type: application/vnd.docker.raw-stream"]),
        Ok(Framing::Upgrade)
    );
    assert_eq!(framing("200", &["Content-Length: 0"]), Ok(Framing::Length(0)));
    assert_eq!(framing("200", &["Transfer-Encoding: chunked"]), Ok(Framing::Chunked));
    assert_eq!(framing("404", &[]), Ok(Framing::Close));
    assert_eq!(framing("409", &["Content-Length: 3"]), Ok(Framing::Length(3)));
}

#[test]
fn an_upgrade_nobody_asked_for_is_malformed() {
    assert!(matches!(
        framing("101", &[]),
        Err(ProtocolError::Malformed { what: "response", .. })
    ));
}

#[test]
fn lengths_that_are_not_a_number_are_malformed() {
    let bad = [
        "",
        "+5",
        "-5",
        "5 5",
        "0x5",
        "5,",
        ",5",
        "5,6",
        "5.0",
        "18446744073709551616",
        "99999999999999999999",
    ];
    for length in bad {
        let error = framing("200", &[&format!("Content-Length: {length}")]).unwrap_err();
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "Content-Length",
                    ..
                }
            ),
            "{length:?}: {error}"
        );
    }
    assert!(framing("200", &["Content-Length: 5", "Content-Length: 6"]).is_err());
}

#[test]
fn transfer_encodings_but_chunked_are_malformed() {
    for coding in [
        "",
        "gzip",
        "gzip, chunked",
        "chunked, chunked",
        "chunked;q=1",
        "identity",
        "xchunked",
    ] {
        let error = framing("200", &[&format!("Transfer-Encoding: {coding}")]).unwrap_err();
        assert!(
            matches!(
                error,
                ProtocolError::Malformed {
                    what: "Transfer-Encoding",
                    ..
                }
            ),
            "{coding:?}: {error}"
        );
    }
    assert!(framing("200", &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]).is_err());
    assert!(Framing::of(&head("0 200", &["Transfer-Encoding: chunked"]), Method::Get, false).is_err());
}

#[test]
fn two_ways_to_delimit_a_body_are_malformed() {
    for length in ["Content-Length: 5", "Content-Length: 0"] {
        let error = framing("200", &["Transfer-Encoding: chunked", length]).unwrap_err();
        assert!(
            matches!(error, ProtocolError::Malformed { what: "response", .. }),
            "{error}"
        );
    }
}

#[test]
fn keep_alive_follows_version_connection_and_framing() {
    let keeps = |start: &str, fields: &[&str], framing: Framing| framing.keeps_alive(&head(start, fields));
    assert!(keeps("1 200", &[], Framing::Length(0)));
    assert!(keeps("1 200", &[], Framing::Chunked));
    assert!(keeps("1 304", &[], Framing::None));
    assert!(keeps("1 200", &["Connection: Upgrade"], Framing::Length(3)));
    assert!(keeps("0 200", &["Connection: Keep-Alive"], Framing::Length(3)));
    assert!(!keeps("0 200", &[], Framing::Length(3)));
    assert!(!keeps("1 200", &[], Framing::Close));
    assert!(!keeps("1 101", &[], Framing::Upgrade));
    assert!(!keeps("1 200", &["Connection: CLOSE"], Framing::Length(3)));
    assert!(!keeps(
        "1 200",
        &["Connection: foo", "connection: keep-alive , close"],
        Framing::Length(3)
    ));
    assert!(!keeps("0 200", &["Connection: keep-alive, close"], Framing::Length(3)));
}
