//! What one answer comes to; the questions themselves are tried on the scripted runtime.

use super::*;

#[test]
fn one_that_was_stopped_is_described_without_figures() {
    let bytes = include_bytes!("../../../../tests/fixtures/recordings/podman-5.8/inspect_stopped.resp");
    let details = json("inspect", &crate::http::testing::recorded(bytes).body).unwrap();
    let info = described(&details, SystemTime::UNIX_EPOCH);
    assert_eq!((info.name.as_str(), info.status.as_str()), ("wr-b", "exited"));
    assert_eq!((info.exit_code, info.uptime, info.memory_used), (Some(137), None, None));
    assert_eq!(info.image, "localhost/busy:latest");
    assert!(info.image_id.starts_with("sha256:") && info.has_network());
    let shown = info.to_string();
    let wanted = "wr-b (97ab70e38d35) of localhost/busy:latest: exited with exit code 137\n  created    \
                  2026-11-23T11:43:22.577933909Z\n  ended      2026-11-23T11:43:24.623494825Z\n  network    podman";
    assert_eq!(shown, wanted);
    let text = serde_json::to_value(&info).unwrap();
    assert_eq!(text["started"], "2026-11-23T11:43:23.568377149Z");
    assert_eq!(text["uptime_seconds"], serde_json::Value::Null);
}

#[test]
fn one_that_was_never_started_has_no_exit_code() {
    let details = serde_json::from_str(r#"{"State":{"Status":"created","ExitCode":0,"Running":false}}"#).unwrap();
    let info = described(&details, SystemTime::UNIX_EPOCH);
    assert_eq!((info.exit_code, info.running), (None, false));
}
