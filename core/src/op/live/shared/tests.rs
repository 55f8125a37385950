//! What is shared, by as many threads as there are parties, which wait for nothing but what they are promised to be woken
//! for.

#![expect(
    clippy::disallowed_methods,
    reason = "what is shared is tried by threads, with a clock of their own"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::*;
use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::engine_api::EngineKind;
use crate::limits::Limits;
use crate::op::live::callbacks::Job;
use crate::op::live::sink::Queue;

const ROUNDS: u64 = 1500;
/// A few of them fill whatever is bounded.
static PIECE: [u8; 300 << 10] = [7; 300 << 10];
const PIECES: u64 = 12;
/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(120);

/// Wakes a thread; sleeps on it.
struct Bed {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Bed {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, SeqCst);
        self.thread.unpark();
    }
}

/// Asks, and sleeps until it is woken, until there is an answer.
fn until<T>(who: &str, mut ask: impl FnMut(&Waker) -> Option<T>) -> T {
    let thread = thread::current();
    let bed = Arc::new(Bed {
        thread,
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&bed));
    loop {
        if let Some(answer) = ask(&waker) {
            return answer;
        }
        let asleep = Instant::now();
        while !bed.woken.swap(false, SeqCst) {
            // It may also be a waker of earlier that ends this.
            thread::park_timeout(LIMIT);
            assert!(asleep.elapsed() < LIMIT, "the {who} was not woken");
        }
    }
}

/// What callbacks heard.
#[derive(Default)]
struct Heard {
    bytes: AtomicU64,
    ends: AtomicU64,
    late: AtomicU64,
}

fn live(heard: &Arc<Heard>, jobs: mpsc::Sender<Option<Job>>) -> Arc<Live> {
    let callbacks = Callbacks::new(move |job| jobs.send(Some(job)).unwrap());
    let (output, exit) = (Arc::clone(heard), Arc::clone(heard));
    callbacks.on_output(Channel::Stdout, move |_, data| {
        output.bytes.fetch_add(data.len() as u64, SeqCst);
        output.late.fetch_add(output.ends.load(SeqCst), SeqCst);
    });
    callbacks.on_exit(move |_, _| {
        exit.ends.fetch_add(1, SeqCst);
    });
    let name = "name".to_owned();
    let origin = Origin {
        container: "c".into(),
        name: name.clone(),
        process: "p".into(),
    };
    let place = Place {
        id: "c".into(),
        name,
        removes_itself: false,
    };
    let target = Target::new(
        Endpoint::unix("/nowhere"),
        EngineKind::Docker,
        String::new(),
        Limits::default(),
        LIMIT,
    );
    let command = Command::from("true").keep_stdin_open();
    let sink = Sink::Queue(Queue::new(None));
    Arc::new(Live::new(origin, &target, place, &command, sink, Arc::new(callbacks)))
}

/// Does what the pump does, with no connection: takes all input, and writes all output once that is wanted.
fn pump(live: &Live) {
    let (mut left, mut open) = (PIECES, true);
    loop {
        // Each of these may be the last before it sleeps, as the orders hold for all of them.
        let wish = until("pump", |waker| {
            let orders = live.orders(waker);
            let mut moved = orders.wish > Wish::GoOn;
            match live.take_input() {
                Some(Input::Data(data)) => moved |= !data.is_empty(),
                Some(Input::End) => {
                    open = false;
                    moved = true;
                }
                None => {}
            }
            if orders.reads && left > 0 {
                live.push(Channel::Stdout, Bytes::from_static(&PIECE));
                left -= 1;
                moved = true;
            }
            moved.then_some(orders.wish)
        });
        if left == 0 && !open {
            return live.end(Ok(ExecSummary::default()));
        }
        if wish > Wish::GoOn {
            // It was in the middle of something when that was told.
            return live.push(Channel::Stdout, Bytes::from_static(&PIECE));
        }
    }
}

fn write(live: &Arc<Live>) -> bool {
    let seat = live.seat();
    (0..PIECES).all(|_| {
        let mut data = Some(Bytes::from_static(&PIECE));
        until("writer", |waker| match seat.write(&mut data, waker) {
            Ok(true) => Some(true),
            Ok(false) => None,
            Err(()) => Some(false),
        })
    })
}

fn read(live: &Arc<Live>) -> u64 {
    let (seat, mut count) = (live.seat(), 0);
    loop {
        let piece = until("reader", |waker| match seat.read(waker) {
            Read::Piece(piece) => Some(Some(piece)),
            Read::Nothing => None,
            Read::End(_) => Some(None),
        });
        match piece {
            Some(piece) => count += piece.data.len() as u64,
            None => {
                assert!(matches!(seat.read(Waker::noop()), Read::End(_)), "there was more");
                return count;
            }
        }
    }
}

/// One command, to its end; in every third round its container is ended in the middle of it, and in every fifth its output
/// must be read for a while, whoever takes it.
fn round(number: u64) {
    let heard = Arc::new(Heard::default());
    let (jobs, done) = mpsc::channel();
    let live = live(&heard, jobs.clone());
    let live = &live;
    let is_ended = number.is_multiple_of(3);
    let (got, outcome) = thread::scope(|scope| {
        let pump = scope.spawn(move || pump(live));
        let writers = [(); 2].map(|()| scope.spawn(move || write(live)));
        let reader = scope.spawn(move || read(live));
        let waiter = scope.spawn(move || {
            let seat = live.seat();
            until("waiter", |waker| seat.outcome(waker))
        });
        scope.spawn(move || {
            while let Some(job) = done.recv_timeout(2 * LIMIT).unwrap() {
                job();
            }
        });
        if number.is_multiple_of(5) {
            live.relax(true);
            thread::yield_now();
            live.relax(false);
        }
        if is_ended {
            (0..number % 50).for_each(|_| thread::yield_now());
            live.end_here(Ends::Here);
        }
        let wrote = writers.map(|writer| writer.join().unwrap());
        live.close_input();
        assert!(is_ended || wrote == [true, true], "round {number}: {wrote:?}");
        let seen = (reader.join().unwrap(), waiter.join().unwrap());
        pump.join().unwrap();
        jobs.send(None).unwrap();
        seen
    });
    let whole = PIECES * PIECE.len() as u64;
    assert!(is_ended || outcome.is_ok(), "round {number}: {outcome:?}");
    if let Ok(summary) = outcome {
        assert_eq!((got, summary.stdout_bytes), (whole, whole), "round {number}");
        assert_eq!(heard.bytes.load(SeqCst), whole, "round {number}");
    }
    let (ends, late) = (heard.ends.load(SeqCst), heard.late.load(SeqCst));
    assert_eq!((ends, late), (1, 0), "round {number}");
}

#[test]
fn whoever_waits_is_woken_and_nothing_comes_behind_the_end() {
    (0..ROUNDS).for_each(round);
}
