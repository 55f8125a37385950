//! Single values, to be read off.

use super::super::*;
use crate::stream::Channel::{self, Stderr, Stdout};

/// What is held of both streams, how much that is, and whether anything was lost.
fn held(buffer: &RingBuffer) -> (String, String, usize, bool) {
    let seen = buffer.peek();
    let text = (seen.stdout_text().into_owned(), seen.stderr_text().into_owned());
    (text.0, text.1, buffer.len(), buffer.overflowed())
}

fn after(capacity: usize, writes: &[(Channel, &[u8])]) -> (String, String, usize, bool) {
    let mut buffer = RingBuffer::new(capacity);
    for (channel, data) in writes {
        buffer.write(*channel, data);
    }
    held(&buffer)
}

fn is(stdout: &str, stderr: &str, length: usize, overflowed: bool) -> (String, String, usize, bool) {
    (stdout.to_owned(), stderr.to_owned(), length, overflowed)
}

#[test]
fn what_was_written_is_held_by_channel() {
    assert_eq!(after(100, &[]), is("", "", 0, false));
    assert_eq!(after(100, &[(Stdout, b"in five")]), is("in five", "", 7, false));
    assert_eq!(after(100, &[(Stderr, b"oh no")]), is("", "oh no", 5, false));
    let both: [(Channel, &[u8]); 2] = [(Stdout, b"yes"), (Stderr, b"not")];
    assert_eq!(after(100, &both), is("yes", "not", 6, false));
    assert_eq!(held(&RingBuffer::default()), is("", "", 0, false));
    assert_eq!(RingBuffer::default().capacity(), DEFAULT_BUFFER_BYTES);
}

#[test]
fn a_read_takes_and_a_peek_does_not() {
    let mut buffer = RingBuffer::new(100);
    buffer.write(Stdout, b"four");
    for _ in 0..2 {
        assert_eq!(held(&buffer), is("four", "", 4, false));
    }
    let (first, second) = (buffer.read(), buffer.read());
    assert_eq!((first.stdout_text(), second.stdout_text()), ("four".into(), "".into()));
    assert_eq!((first.is_empty(), second.is_empty()), (false, true));
    assert_eq!(held(&buffer), is("", "", 0, false));
}

#[test]
fn the_oldest_goes_first() {
    let fill = |channel, length: usize| after(10, &[(channel, &vec![b'z'; length])]);
    assert_eq!(fill(Stdout, 10), is("zzzzzzzzzz", "", 10, false));
    assert_eq!(fill(Stdout, 15), is("zzzzzzzzzz", "", 10, true));
    assert_eq!(fill(Stderr, 15), is("", "zzzzzzzzzz", 10, true));
    let twice = |capacity, first, second| after(capacity, &[(Stdout, first), (Stdout, second)]);
    assert_eq!(twice(10, b"vwxyz", b"01234567"), is("yz01234567", "", 10, true));
    assert_eq!(twice(5, b"uvw", b"01234"), is("01234", "", 5, true));
    assert_eq!(twice(1, b"", b"no"), is("o", "", 1, true));
    assert_eq!(twice(0, b"", b"no"), is("", "", 0, true));
    // Also the oldest of the other stream: the capacity is that of both.
    let both: [(Channel, &[u8]); 2] = [(Stderr, b"old"), (Stdout, b"01234567")];
    assert_eq!(after(10, &both), is("01234567", "ld", 10, true));
}

#[test]
fn a_loss_is_remembered_behind_a_read() {
    let mut buffer = RingBuffer::new(3);
    buffer.write(Stdout, b"12345");
    assert_eq!(buffer.read().lost_bytes(), 2);
    assert_eq!(held(&buffer), is("", "", 0, true));
    assert_eq!((buffer.lost_bytes(), buffer.read().lost_bytes()), (2, 0));
}

#[test]
fn text_is_utf8_or_says_that_it_is_not() {
    assert_eq!(after(100, &[(Stdout, "süß 🦀".as_bytes())]).0, "süß 🦀");
    assert_eq!(after(100, &[(Stdout, b"\xfe\xff")]).0, "\u{fffd}\u{fffd}");
    let binary = {
        let mut buffer = RingBuffer::new(100);
        buffer.write(Stderr, b"\0\xfe\n");
        buffer.read()
    };
    assert_eq!(&binary.stderr()[..], b"\0\xfe\n");
}

#[test]
fn two_threads_may_write_at_a_time() {
    let buffer = SharedRingBuffer::new(1 << 20);
    #[expect(clippy::disallowed_methods, reason = "what is shared is tried by threads")]
    std::thread::scope(|scope| {
        for (channel, byte) in [(Stdout, b"1"), (Stderr, b"2")] {
            let buffer = buffer.clone();
            scope.spawn(move || (0..1000).for_each(|_| buffer.write(channel, byte)));
        }
    });
    let seen = buffer.read();
    assert_eq!(seen.stdout()[..], [b'1'; 1000]);
    assert_eq!(seen.stderr()[..], [b'2'; 1000]);
    assert_eq!((seen.lost_bytes(), buffer.len()), (0, 0));
}
