use proptest::prelude::*;

use super::*;
use crate::splits::{cut, sizes, splits};

fn with_limit(limit: usize, pieces: &[&[u8]]) -> Result<Said, ProtocolError> {
    let limits = Limits {
        line_bytes: limit,
        ..Limits::default()
    };
    let mut progress = Progress::new(&limits);
    for piece in pieces {
        progress.take(Bytes::copy_from_slice(piece))?;
        assert!(progress.objects.held() <= limit && progress.seen.log.bytes <= KEPT.1);
    }
    progress.end()
}

/// What becomes of it, in every split.
fn said(input: &[u8]) -> Result<Said, ProtocolError> {
    let whole = with_limit(1000, &[input]);
    for pieces in splits(input) {
        assert_eq!(with_limit(1000, &pieces), whole, "{} pieces", pieces.len());
    }
    whole
}

#[test]
fn an_error_in_the_stream_is_an_error() {
    let body = b"{\"stream\":\"Step 1\\n\"}\r\n{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\r\n{\"error\":\"later\"}\n";
    let wanted = Said {
        log: "Step 1\n".into(),
        id: None,
        error: Some("no".into()),
    };
    assert_eq!(said(body), Ok(wanted));
}

#[test]
fn objects_end_with_their_last_brace() {
    let body = b" {\"stream\":\"x\"}{\"aux\":{\"ID\":\"sha256:1\"}}\n\n{\"status\":\"a } \\\" \\\\\"}\t{}";
    let wanted = Said {
        log: "xa } \" \\\n".into(),
        id: Some("sha256:1".into()),
        error: None,
    };
    assert_eq!(said(body), Ok(wanted));
    assert_eq!(said(b""), Ok(Said::default()));
    let imported = said(b"{\"status\":\"sha256:2\"}\r\n").unwrap();
    assert_eq!(imported.id.as_deref(), Some("sha256:2"));
}

#[test]
fn what_is_cut_short_or_no_json_is_told_apart() {
    for cut_short in [&b"{"[..], b"{\"stream\":", b"{\"a\":\"}", b"{}{\"a\":{}"] {
        assert_eq!(said(cut_short), Err(ProtocolError::Truncated { what: WHAT }));
    }
    for wrong in [
        &b"no"[..],
        b"{]}",
        b"{\"stream\":7}",
        b"[{}]",
        b"{} }",
        b"\"x\"",
        b"{\"a\" \"b\"}",
    ] {
        let got = said(wrong);
        assert!(matches!(got, Err(ProtocolError::Malformed { .. })), "{got:?}");
    }
}

#[test]
fn a_line_over_the_limit_is_an_error_wherever_it_is_cut() {
    let line = format!("{{\"stream\":\"{}\"}}", "x".repeat(88));
    assert_eq!(line.len(), 101);
    let input = format!("{{}}\n{line}\n");
    for pieces in splits(input.as_bytes()) {
        let over = ProtocolError::over_limit(BYTES, 100, None);
        assert_eq!(with_limit(100, &pieces), Err(over));
        assert_eq!(with_limit(101, &pieces).unwrap().log.len(), 88);
    }
}

#[test]
fn of_a_long_log_the_end_is_kept() {
    let mut log = Log::default();
    for at in 0..1000 {
        log.push("line ");
        log.push(&format!("{at}\n"));
    }
    let text = log.into_text();
    assert_eq!(text.lines().count(), 20);
    assert!(text.starts_with("line 980\n") && text.ends_with("line 999\n"), "{text}");

    let mut log = Log::default();
    for _ in 0..100 {
        log.push(&"ä".repeat(1000)); // without an end
    }
    log.push("b\nend\n");
    assert!(log.bytes <= KEPT.1 && log.bytes > KEPT.1 - 8, "{}", log.bytes);
    assert!(log.into_text().ends_with("äb\nend\n"));

    let mut log = Log::default();
    for _ in 0..20 {
        log.push(&format!("{}\n", "x".repeat(10_000)));
    }
    assert!(log.bytes <= KEPT.1, "{}", log.bytes);
    assert_eq!(log.into_text().lines().count(), 7);
}

fn pieces_of_streams() -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-c\"\\\\{}\\n ä]{0,12}";
    let object = prop_oneof![
        4 => text.prop_map(|text| serde_json::json!({ "stream": text }).to_string()),
        2 => text.prop_map(|text| serde_json::json!({ "status": text, "progressDetail": { "current": 1 } }).to_string()),
        1 => text.prop_map(|text| serde_json::json!({ "error": text, "errorDetail": { "message": text } }).to_string()),
        1 => text.prop_map(|text| serde_json::json!({ "aux": { "ID": text } }).to_string()),
        1 => text.prop_map(|text| text),
    ];
    let end = prop_oneof![Just("\r\n"), Just("\n"), Just(""), Just(" ")];
    proptest::collection::vec((object, end), 0..12).prop_map(|parts| {
        let parts = parts.into_iter().map(|(object, end)| object + end);
        parts.collect::<String>().into_bytes()
    })
}

proptest! {
    #[test]
    fn splitting_changes_nothing(input in pieces_of_streams(), sizes in sizes(), limit in 8_usize..80) {
        let whole = with_limit(limit, &[&input]);
        prop_assert_eq!(with_limit(limit, &cut(&input, &sizes)), whole);
    }
}
