//! Output that is kept in memory: no engine takes part.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pocket_dock_blocking::{Channel, DEFAULT_BUFFER_BYTES, RingBuffer};

use super::{Failure, Make, Pair, Row, Scale, check};
use crate::tree::noise;

/// What is written at a time.
const CHUNK: usize = 4096;
/// What is written over and over; about what a receive buffer has.
const SOURCE: usize = 64 * 1024;
const FLOOR: &str = "`copy_from_slice` of the same into a circular Vec of 1 MiB that is there already";

pub(super) const RING_WRITE: Row = Row {
    name: "ring-write",
    ours: "64 MiB into a RingBuffer of 1 MiB, 4 KiB at a time",
    floor: Some(FLOOR),
    beside: None,
    promise: None,
    samples: [41, 11],
    make: Make::Here(|scale| Box::new(Ring::new(scale, [Channel::Stdout; 2]))),
};

pub(super) const RING_BOTH: Row = Row {
    name: "ring-both",
    ours: "the same, from stdout and stderr in turn",
    make: Make::Here(|scale| Box::new(Ring::new(scale, [Channel::Stdout, Channel::Stderr]))),
    ..RING_WRITE
};

struct Ring {
    channels: [Channel; 2],
    source: Bytes,
    bytes: usize,
    /// Both have their memory, as in a process that has printed for a while.
    ours: RingBuffer,
    floor: Circle,
}

impl Ring {
    fn new(scale: Scale, channels: [Channel; 2]) -> Self {
        let mut ring = Self {
            channels,
            source: noise(SOURCE).into(),
            bytes: if scale == Scale::Smoke { 2 << 20 } else { 64 << 20 },
            ours: RingBuffer::default(),
            floor: Circle {
                bytes: vec![0; DEFAULT_BUFFER_BYTES],
                at: 0,
            },
        };
        ring.write_ours(2 * DEFAULT_BUFFER_BYTES);
        ring.write_floor(2 * DEFAULT_BUFFER_BYTES);
        ring
    }

    fn write_ours(&mut self, bytes: usize) -> Duration {
        let began = Instant::now();
        for _ in 0..bytes / SOURCE {
            for pair in black_box(&self.source).chunks_exact(2 * CHUNK) {
                let (first, second) = pair.split_at(CHUNK);
                self.ours.write(self.channels[0], first);
                self.ours.write(self.channels[1], second);
            }
        }
        began.elapsed()
    }

    fn write_floor(&mut self, bytes: usize) -> Duration {
        let began = Instant::now();
        for _ in 0..bytes / SOURCE {
            for chunk in black_box(&self.source).chunks_exact(CHUNK) {
                self.floor.write(chunk);
            }
        }
        black_box(&self.floor.bytes);
        began.elapsed()
    }
}

impl Pair for Ring {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let took = self.write_ours(self.bytes);
        let held = self.ours.peek();
        let expected = self.source.iter().cycle().take(DEFAULT_BUFFER_BYTES);
        let came = held.segments().flat_map(|segment| segment.data);
        let whole = held.len() == DEFAULT_BUFFER_BYTES && came.eq(expected.copied());
        check(whole, || {
            "the buffer holds something else than was written last".to_owned()
        })?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        Ok(self.write_floor(self.bytes))
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.bytes as u64)
    }
}

/// The least that a circular buffer must do.
struct Circle {
    bytes: Vec<u8>,
    at: usize,
}

impl Circle {
    fn write(&mut self, data: &[u8]) {
        let fits = data.len().min(self.bytes.len() - self.at);
        let (now, around) = data.split_at(fits);
        self.bytes[self.at..self.at + fits].copy_from_slice(now);
        self.bytes[..around.len()].copy_from_slice(around);
        self.at = (self.at + data.len()) % self.bytes.len();
    }
}
