//! The buffer beside the simplest one that could be.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::stream::Channel::{self, Stderr, Stdout};
use crate::stream::Frame;

mod values;

/// Buffers of less than this are compared thoroughly.
const SHORT: usize = 24;
const CHANNELS: [Channel; 2] = [Stdout, Stderr];

/// What was read of one channel without a gap in it.
#[derive(Debug, Clone, Default)]
struct Section {
    after_gap: bool,
    bytes: Vec<u8>,
    /// A gap follows.
    torn: bool,
    /// The stream was closed when it was read last.
    closed: bool,
}

impl Section {
    fn text(&self) -> String {
        let orphans = self.bytes.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80);
        let orphans = if self.after_gap { orphans.count() } else { 0 };
        let bytes = &self.bytes[orphans..];
        let is_cut =
            |tail: &[u8]| std::str::from_utf8(tail).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
        let cut = (1..4).find(|&cut| cut <= bytes.len() && is_cut(&bytes[bytes.len() - cut..]));
        let kept = bytes.len() - cut.filter(|_| self.torn || !self.closed).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..kept]).into_owned()
    }
}

/// The simplest buffer: every byte beside its channel, and everything that was ever read.
#[derive(Debug, Default)]
struct Model {
    capacity: usize,
    held: VecDeque<(Channel, u8)>,
    lost_since_read: [u64; 2],
    written: u64,
    lost: u64,
    closed: bool,
    sections: [Vec<Section>; 2],
}

impl Model {
    fn write(&mut self, channel: Channel, data: &[u8]) {
        for &byte in data {
            self.written += 1;
            self.held.push_back((channel, byte));
            if self.held.len() > self.capacity {
                let (channel, _) = self.held.pop_front().unwrap();
                self.lost += 1;
                self.lost_since_read[channel as usize] += 1;
                let sections = &mut self.sections[channel as usize];
                // A section that was closed is over, and one that nothing was read of has no end.
                if let Some(last) = sections
                    .last_mut()
                    .filter(|last| !last.closed && !last.bytes.is_empty())
                {
                    last.torn = true;
                }
                if sections
                    .last()
                    .is_none_or(|last| !last.after_gap || last.closed || last.torn)
                {
                    sections.push(Section {
                        after_gap: true,
                        ..Section::default()
                    });
                }
            }
        }
    }

    fn bytes(&self, channel: Channel) -> Vec<u8> {
        let held = self.held.iter().filter(|(of, _)| *of == channel);
        held.map(|&(_, byte)| byte).collect()
    }

    /// What will have been read of this channel, and the text that this adds.
    fn read_of(&self, channel: Channel) -> (Vec<Section>, String) {
        let mut sections = self.sections[channel as usize].clone();
        let all = |sections: &[Section]| sections.iter().map(Section::text).collect::<String>();
        let before = all(&sections);
        if sections.last().is_none_or(|last| last.closed) {
            sections.push(Section::default());
        }
        let last = sections.last_mut().unwrap();
        last.bytes.extend(self.bytes(channel));
        last.closed = self.closed;
        let text = all(&sections).strip_prefix(&before).unwrap().to_owned();
        (sections, text)
    }

    fn assert_shows(&self, snapshot: &BufferSnapshot) {
        for channel in CHANNELS {
            let (bytes, text) = match channel {
                Stdout => (snapshot.stdout(), snapshot.stdout_text()),
                Stderr => (snapshot.stderr(), snapshot.stderr_text()),
            };
            assert_eq!(bytes, &self.bytes(channel));
            assert_eq!(text, self.read_of(channel).1);
            assert_eq!(snapshot.lost_bytes_of(channel), self.lost_since_read[channel as usize]);
        }
        assert_eq!(snapshot.lost_bytes(), self.lost_since_read.iter().sum::<u64>());
        assert_eq!(
            (snapshot.len(), snapshot.is_empty()),
            (self.held.len(), self.held.is_empty())
        );

        let segments: Vec<Frame> = snapshot.segments().collect();
        assert!(segments.windows(2).all(|pair| pair[0].channel != pair[1].channel));
        assert!(segments.iter().all(|segment| !segment.data.is_empty()));
        let bytes = |segment: &Frame| {
            segment
                .data
                .iter()
                .map(|&byte| (segment.channel, byte))
                .collect::<Vec<_>>()
        };
        assert!(segments.iter().flat_map(bytes).eq(self.held.iter().copied()));
        if self.capacity < SHORT {
            assert_eq!(snapshot.merged_text(), self.merged_text());
        }
    }

    /// What each byte adds to the text of its channel, and what the end adds.
    fn merged_text(&self) -> String {
        let mut text = String::new();
        let mut seen = Self {
            capacity: self.capacity,
            sections: self.sections.clone(),
            ..Self::default()
        };
        for &(channel, byte) in &self.held {
            let before = seen.read_of(channel).1;
            seen.held.push_back((channel, byte));
            text.push_str(seen.read_of(channel).1.strip_prefix(&before).unwrap());
        }
        for channel in CHANNELS {
            let before = seen.read_of(channel).1;
            text.push_str(self.read_of(channel).1.strip_prefix(&before).unwrap());
        }
        text
    }

    fn assert_is(&self, buffer: &RingBuffer) {
        assert_eq!((buffer.written_bytes(), buffer.lost_bytes()), (self.written, self.lost));
        assert_eq!(buffer.overflowed(), self.lost > 0);
        assert_eq!(
            (buffer.len(), buffer.is_empty()),
            (self.held.len(), self.held.is_empty())
        );
        assert_eq!((buffer.capacity(), buffer.is_closed()), (self.capacity, self.closed));
        let most = self.capacity + self.capacity / 8 + 16;
        assert!(
            buffer.allocated_bytes() <= most,
            "{} of {most}",
            buffer.allocated_bytes()
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(Channel, Vec<u8>),
    Read,
    Peek,
    Close,
}

fn run(capacity: usize, steps: &[Step]) {
    let mut buffer = RingBuffer::new(capacity);
    let mut model = Model {
        capacity,
        ..Model::default()
    };
    for step in steps {
        match step {
            Step::Write(channel, data) => {
                buffer.write(*channel, data);
                model.write(*channel, data);
            }
            Step::Peek => {}
            Step::Close => {
                buffer.close();
                model.closed = true;
            }
            Step::Read => {
                model.assert_shows(&buffer.read());
                model.sections = CHANNELS.map(|channel| model.read_of(channel).0);
                model.held.clear();
                model.lost_since_read = [0; 2];
            }
        }
        model.assert_is(&buffer);
        model.assert_shows(&buffer.peek());
    }
}

fn write(channel: Channel, data: &[u8]) -> Step {
    Step::Write(channel, data.to_vec())
}

fn channel() -> impl Strategy<Value = Channel> {
    prop::sample::select(CHANNELS.to_vec())
}

/// Any steps; `data` is what is written.
fn steps(data: impl Strategy<Value = Vec<u8>> + Clone) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (channel(), data).prop_map(|(channel, data)| Step::Write(channel, data)),
        2 => Just(Step::Read),
        1 => Just(Step::Peek),
        1 => Just(Step::Close),
    ];
    proptest::collection::vec(step, 0..40)
}

fn text() -> impl Strategy<Value = Vec<u8>> + Clone {
    let parts = vec![
        &b"a"[..],
        b"bc",
        b"\xc3",
        b"\xe2",
        b"\x82",
        b"\xac",
        b"\xf0\x9f",
        b"\xa6\x80",
        b"\xff",
        "€".as_bytes(),
    ];
    proptest::collection::vec(prop::sample::select(parts), 0..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn it_is_the_simplest_one_for_text(capacity in 0..SHORT, steps in steps(text())) {
        run(capacity, &steps);
    }

    #[test]
    fn it_is_the_simplest_one_around_the_words_of_the_order(
        capacity in 0..700_usize,
        steps in steps((any::<u8>(), 0..300_usize).prop_map(|(first, length)| (0..length).map(|at| first.wrapping_add(at as u8)).collect())),
    ) {
        run(capacity, &steps);
    }
}

#[test]
fn the_borders_of_the_capacity() {
    for capacity in 0..8 {
        for length in 0..12 {
            let data: Vec<u8> = (0..length).collect();
            for before in 0..4 {
                let first = write(Stderr, &b"xyz"[..before]);
                run(
                    capacity,
                    &[
                        first,
                        write(Stdout, &data),
                        write(Stdout, b""),
                        write(Stderr, b"e"),
                        Step::Read,
                    ],
                );
            }
        }
    }
}

#[test]
fn the_text_of_a_character_waits_for_its_last_byte() {
    let mut buffer = RingBuffer::new(100);
    buffer.write(Stdout, b"a\xf0\x9f");
    buffer.write(Stderr, b"\xc3");
    let first = buffer.read();
    assert_eq!(
        (&first.stdout()[..], first.stdout_text()),
        (&b"a\xf0\x9f"[..], "a".into())
    );
    buffer.write(Stdout, b"\xa6");
    assert_eq!(buffer.read().stdout_text(), "");
    buffer.write(Stdout, b"\x80b");
    assert_eq!(
        (buffer.peek().stdout_text(), buffer.peek().merged_text()),
        ("🦀b".into(), "🦀b".into())
    );
    buffer.close();
    let last = buffer.read();
    assert_eq!((last.stderr().len(), last.stderr_text()), (0, "\u{fffd}".into()));
    assert_eq!(last.merged_text(), "🦀b\u{fffd}");
    assert_eq!(buffer.read().merged_text(), "");
}

#[test]
fn the_text_of_a_character_that_was_cut_is_left_out() {
    let mut buffer = RingBuffer::new(4);
    buffer.write(Stdout, "🦀".as_bytes());
    buffer.write(Stdout, b"b");
    let seen = buffer.peek();
    assert_eq!(
        (&seen.stdout()[..], seen.stdout_text()),
        (&b"\x9f\xa6\x80b"[..], "b".into())
    );
    // The beginning was read, and the rest is lost.
    let mut buffer = RingBuffer::new(4);
    buffer.write(Stdout, b"a\xf0\x9f");
    assert_eq!(buffer.read().stdout_text(), "a");
    buffer.write(Stdout, b"\xa6\x80bcd");
    assert_eq!(buffer.read().stdout_text(), "bcd");
    // What is lost of one stream is no gap in the other.
    buffer.write(Stderr, b"\xc3");
    assert_eq!(buffer.read().stderr_text(), "");
    buffer.write(Stdout, b"1234");
    buffer.write(Stderr, b"\xa9");
    assert_eq!(buffer.read().merged_text(), "234é");
}

#[test]
fn memory_grows_with_what_is_held_and_no_further() {
    assert_eq!(RingBuffer::default().allocated_bytes(), 0);
    let mut buffer = RingBuffer::default();
    let mut sizes = vec![0];
    while !buffer.overflowed() {
        buffer.write(Stdout, &[b'x'; 100]);
        let allocated = buffer.allocated_bytes();
        assert!(allocated <= buffer.len() * 2, "{allocated} for {}", buffer.len());
        if sizes.last() != Some(&allocated) {
            sizes.push(allocated);
        }
    }
    assert_eq!(sizes.last(), Some(&DEFAULT_BUFFER_BYTES));
    assert!(sizes.len() <= 20, "{sizes:?}");
}

/// No size changes and nothing is moved: so nothing is allocated.
#[test]
fn a_buffer_of_its_full_size_allocates_nothing() {
    let mut buffer = RingBuffer::new(10_000);
    let both = |buffer: &mut RingBuffer| {
        for length in (1..200).chain([4096, 30_000, 9999, 1]) {
            for channel in CHANNELS {
                buffer.write(channel, &vec![b'x'; length]);
            }
        }
    };
    both(&mut buffer);
    let places = buffer.places();
    assert_eq!(buffer.allocated_bytes(), 10_000 + (10_000 / 64 + 2) * 8);
    for _ in 0..20 {
        both(&mut buffer);
        assert_eq!(buffer.places(), places);
        assert!(!buffer.read().is_empty());
    }
}
