//! Samples as engines wrote them.

use super::*;
use crate::http::testing::{answer, recorded};

macro_rules! recording {
    ($name:literal) => {
        recorded(include_bytes!(concat!(
            "../../../../tests/fixtures/recordings/",
            $name,
            ".resp"
        )))
    };
}

#[test]
fn docker_tells_the_page_cache_and_measures_cpu_use() {
    let sample = read(&recording!("docker-20.10/stats_nostream")).unwrap().unwrap();
    let stats = &sample.stats;
    assert_eq!(stats.memory_usage, 2_674_688);
    assert_eq!(stats.page_cache, Some(1_982_464 + 8_192));
    assert_eq!(stats.memory_used(), Some(684_032));
    assert_eq!(stats.cpu_percent, Some(0.0));
    assert_eq!(stats.pids, Some(1));
    assert_eq!((stats.network_received, stats.network_sent), (Some(486), Some(0)));
    assert_eq!(stats.block_read, None);
    let sample = read(&recording!("docker-28/stats_nostream")).unwrap().unwrap();
    assert_eq!(sample.stats.memory_used(), Some(876_544 - 94_208));
}

#[test]
fn podman_tells_neither() {
    for answer in [
        recording!("podman-4.3/stats_nostream"),
        recording!("podman-5.8/stats_nostream"),
    ] {
        let stats = read(&answer).unwrap().unwrap().stats;
        assert_eq!((stats.page_cache, stats.cpu_percent, stats.pids), (None, None, Some(1)));
        assert!(stats.memory_usage > 0 && stats.memory_limit.is_some());
    }
}

#[test]
fn one_that_does_not_run_has_none() {
    for answer in [
        recording!("docker-20.10/stats_stopped"),
        recording!("docker-28/stats_stopped"),
        recording!("podman-4.3/stats_stopped"),
        recording!("podman-5.8/stats_stopped"),
    ] {
        assert_eq!(read(&answer).unwrap(), None);
    }
}

#[test]
fn cpu_use_is_what_the_container_used() {
    let figures = |read: &str, total: u64| {
        let body = format!(
            r#"{{"read":"{read}","cpu_stats":{{"cpu_usage":{{"total_usage":{total},"usage_in_usermode":18446744073709551615}},
            "system_cpu_usage":1}},"precpu_stats":{{"cpu_usage":{{"total_usage":0}}}},"preread":"0001-01-01T00:00:00Z",
            "memory_stats":{{"usage":1,"stats":{{"inactive_file":7,"active_file":5}}}},
            "blkio_stats":{{"io_service_bytes_recursive":[{{"op":"Read","value":3}},{{"op":"read","value":4}}]}}}}"#
        );
        super::read(&answer(200, &body)).unwrap().unwrap()
    };
    let first = figures("2026-11-23T10:00:00Z", 1_000_000_000);
    let then = figures("2026-11-23T10:00:02Z", 2_000_000_000);
    assert_eq!(first.stats.cpu_percent, None);
    assert_eq!(first.moment.percent(then.moment), Some(50.0));
    // The container was started anew, or the clock was set.
    assert_eq!(then.moment.percent(first.moment), None);
    assert_eq!(first.moment.percent(first.moment), None);
    assert_eq!((first.stats.page_cache, first.stats.memory_used()), (Some(12), Some(0)));
    assert_eq!((first.stats.block_read, first.stats.block_written), (Some(7), Some(0)));
    let text = serde_json::to_string(&then.stats).unwrap();
    assert!(
        text.contains(r#""at":"2026-11-23T10:00:02Z""#) && text.contains(r#""cpu_seconds":2.0"#),
        "{text}"
    );
}
