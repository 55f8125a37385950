//! A stream's samples, whoever reads them.

use std::time::{Duration, SystemTime};

use super::*;

fn stats(number: u64) -> Stats {
    Stats {
        at: SystemTime::UNIX_EPOCH,
        cpu_percent: None,
        cpu_time: Duration::ZERO,
        memory_usage: number,
        page_cache: None,
        memory_limit: None,
        pids: None,
        network_received: None,
        network_sent: None,
        block_read: None,
        block_written: None,
    }
}

#[test]
fn the_newest_wait_for_a_reader_and_an_error_is_told_once() {
    let flow = Flow::default();
    let waker = Waker::noop();
    assert!(flow.next(waker).is_none());
    for number in 0..100 {
        flow.push(stats(number));
    }
    flow.end(Some(Error::misuse("over")));
    flow.end(None);
    let mut came = Vec::new();
    while let Some(Ok(Some(stats))) = flow.next(waker) {
        came.push(stats.memory_usage);
    }
    assert_eq!(came, (40..100).collect::<Vec<u64>>());
    assert!(matches!(flow.next(waker), Some(Ok(None))));
}

#[test]
fn samples_are_cut_anywhere() {
    let one =
        r#"{"read":"2026-11-23T10:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":5}},"memory_stats":{"usage":9}}"#;
    let text = format!("{one}\n{one}\n{{\"read\":\"0001-01-01T00:00:00Z\",\"memory_stats\":{{}}}}\n");
    for size in 1..text.len() {
        let objects = Objects::new(("statistics", "statistics bytes"), 4096);
        let mut samples = Samples {
            objects,
            came: VecDeque::new(),
        };
        for piece in text.as_bytes().chunks(size) {
            samples.take(Bytes::copy_from_slice(piece)).unwrap();
        }
        let came: Vec<_> = samples.came.iter().map(|sample| sample.is_some()).collect();
        assert_eq!(came, [true, true, false], "{size}");
    }
}
