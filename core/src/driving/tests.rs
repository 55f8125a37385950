use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};

use super::*;
use crate::op::Slot;

mod ended;
mod fake;
use fake::{Fake, Wakes};

/// An operation made of a closure, which says of itself when it is dropped and whether it is to be undone.
struct Steps<F> {
    steps: F,
    undo: bool,
    dropped: Arc<AtomicBool>,
}

impl<F> Drop for Steps<F> {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

impl<T: Send, F> Op for Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<T> + Send + Unpin + 'static,
{
    type Output = T;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<T>, Error> {
        Ok((self.steps)(now, link))
    }

    fn abandon(&mut self) -> bool {
        self.undo
    }
}

fn steps<T: Send, F>(steps: F) -> Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<T> + Send + Unpin + 'static,
{
    Steps {
        steps,
        undo: false,
        dropped: Arc::default(),
    }
}

fn dial<T>(until: Instant) -> Step<T> {
    let at = Endpoint::unix("/run/engine.sock");
    Need::Dial { at, until }.into()
}

fn wait<T>(read: bool, until: Option<Instant>) -> Step<T> {
    Need::Wait { read, until }.into()
}

/// Dials, sends `data` and the end, and reads to the end.
fn talk(fake: &Fake, data: &'static [u8]) -> impl Op<Output = Vec<u8>> + use<> {
    let (until, mut dialled, mut sent, mut got) = (fake.after(60_000), false, false, Vec::new());
    steps(move |_, link: &mut Link| {
        if !std::mem::replace(&mut dialled, true) {
            return dial(until);
        }
        if !std::mem::replace(&mut sent, true) {
            link.send(data.into());
            link.finish();
        }
        got.extend_from_slice(&link.received().split());
        if link.is_eof() {
            return Step::Done(std::mem::take(&mut got));
        }
        wait(true, Some(until))
    })
}

/// Dials and then waits like this for ever; how often it was polled is counted.
fn waits(fake: &Fake, read: bool, until: Option<Instant>) -> (impl Op<Output = ()> + use<>, Arc<AtomicUsize>) {
    let (limit, mut dialled, polls) = (fake.after(60_000), false, Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&polls);
    let op = steps(move |_, link: &mut Link| {
        count.fetch_add(1, Ordering::SeqCst);
        link.received().clear();
        if std::mem::replace(&mut dialled, true) {
            wait(read, until)
        } else {
            dial(limit)
        }
    });
    (op, polls)
}

#[test]
fn a_conversation_needs_one_wake_up_for_each_thing_that_happens() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let mut call = Driving::new(fake.clone(), talk(&fake, b"question"));
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!((wakes.count(), fake.here().output()), (0, b"question".to_vec()));
    assert!(fake.here().is_finished());
    fake.here().say(b"ans");
    assert_eq!(wakes.take(), 1);
    assert!(wakes.poll(&mut call).is_pending());
    fake.here().say(b"wer");
    fake.here().end();
    assert_eq!(wakes.take(), 1, "whoever was woken is not woken again before it asks");
    let Poll::Ready(Ok(answer)) = wakes.poll(&mut call) else {
        panic!("it has not ended");
    };
    assert_eq!(answer, b"answer");
    assert_eq!(wakes.take(), 0);
    assert!(fake.here().is_closed(), "an ended call holds no connection");
}

#[test]
fn what_is_not_wanted_wakes_nobody() {
    for (read, until) in [(true, None), (true, Some(1000)), (false, Some(1000))] {
        let fake = Fake::new();
        let wakes = Wakes::new();
        let (op, polls) = waits(&fake, read, until.map(|millis| fake.after(millis)));
        let mut call = Driving::new(fake.clone(), op);
        assert!(wakes.poll(&mut call).is_pending());
        let peer = fake.here();
        assert_eq!(peer.waits(), (read, false), "nothing is to be written");
        assert_eq!(fake.timers(), usize::from(until.is_some()));
        let (reads, before) = (peer.reads(), polls.load(Ordering::SeqCst));
        for _ in 0..10 {
            assert!(wakes.poll(&mut call).is_pending());
        }
        assert_eq!(wakes.take(), 0, "a poll without a reason makes no other");
        assert_eq!(polls.load(Ordering::SeqCst), before + 10);
        assert_eq!(peer.reads(), if read { reads + 10 } else { 0 });
        assert_eq!(fake.made(), usize::from(until.is_some()), "one timer for one deadline");
        peer.say(b"x");
        assert_eq!(wakes.take(), usize::from(read));
    }
}

#[test]
fn an_end_is_read_once() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (op, _) = waits(&fake, true, Some(fake.after(1000)));
    let mut call = Driving::new(fake.clone(), op);
    assert!(wakes.poll(&mut call).is_pending());
    let peer = fake.here();
    peer.end();
    assert!(wakes.poll(&mut call).is_pending());
    let reads = peer.reads();
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!((peer.reads(), peer.waits()), (reads, (false, false)));
}

#[test]
fn a_deadline_wakes_once_and_is_told_when_it_is_due() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (begin, until) = (fake.now(), fake.after(50));
    let mut call = Driving::new(
        fake.clone(),
        steps(move |now, _| {
            if now >= until {
                Step::Done(now)
            } else {
                wait(false, Some(until))
            }
        }),
    );
    assert!(wakes.poll(&mut call).is_pending());
    fake.pass(49);
    assert_eq!(wakes.take(), 0);
    fake.pass(1);
    assert_eq!(wakes.take(), 1);
    assert!(matches!(wakes.poll(&mut call), Poll::Ready(Ok(now)) if now == begin + Duration::from_millis(50)));
}

#[test]
fn a_timer_that_rings_early_is_set_again() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (op, _) = waits(&fake, false, Some(fake.after(50)));
    let mut call = Driving::new(fake.clone(), op);
    assert!(wakes.poll(&mut call).is_pending());
    fake.ring_all();
    assert_eq!(wakes.take(), 1);
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!((wakes.take(), fake.timers(), fake.made()), (0, 1, 2));
}

#[test]
fn a_peer_that_never_stops_leaves_others_their_turn() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (op, polls) = waits(&fake, true, None);
    let mut call = Driving::new(fake.clone(), op);
    assert!(wakes.poll(&mut call).is_pending());
    fake.here().never_stop();
    for turn in 1..5 {
        let (reads, before) = (fake.here().reads(), polls.load(Ordering::SeqCst));
        wakes.take();
        assert!(wakes.poll(&mut call).is_pending());
        assert_eq!(wakes.take(), 1, "turn {turn}: it is not forgotten");
        assert_eq!(fake.here().reads() - reads, ROUNDS);
        assert!(polls.load(Ordering::SeqCst) - before <= ROUNDS);
    }
}

#[test]
fn a_peer_that_takes_everything_leaves_others_their_turn() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (until, mut dialled) = (fake.after(1000), false);
    let mut call = Driving::new(
        fake.clone(),
        steps(move |_, link: &mut Link| {
            if !std::mem::replace(&mut dialled, true) {
                return dial::<()>(until);
            }
            for _ in 0..100 {
                link.send(vec![0; 10].into());
            }
            wait(true, None)
        }),
    );
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!(wakes.take(), 1);
    assert!(fake.here().output().len() <= ROUNDS * WRITES * 10);
}

#[test]
fn a_peer_that_reads_late_is_written_to_when_it_has_room() {
    let fake = Fake::new();
    fake.room(3);
    let wakes = Wakes::new();
    let mut call = Driving::new(fake.clone(), talk(&fake, b"question"));
    assert!(wakes.poll(&mut call).is_pending());
    let peer = fake.here();
    assert_eq!(
        (wakes.take(), peer.output(), peer.waits()),
        (0, b"que".to_vec(), (true, true))
    );
    assert!(!peer.is_finished());
    peer.say(b"both ways"); // the answer is read while the question is not sent yet
    assert_eq!(wakes.take(), 1);
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!(peer.unread(), 0);
    peer.room(100);
    assert_eq!(wakes.take(), 1);
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!((peer.output(), peer.is_finished()), (b"question".to_vec(), true));
    assert_eq!(peer.waits(), (true, false));
}

#[test]
fn a_full_queue_is_tried_again_by_the_timer_alone() {
    let fake = Fake::new();
    fake.queue([ErrorKind::WouldBlock; 2]);
    let wakes = Wakes::new();
    let (op, _) = waits(&fake, true, None);
    let mut call = Driving::new(fake.clone(), op);
    for tries in 1..=2 {
        for _ in 0..5 {
            assert!(wakes.poll(&mut call).is_pending());
        }
        assert_eq!((fake.connects(), wakes.take(), fake.timers()), (tries, 0, 1));
        fake.pass(5);
        assert_eq!(wakes.take(), 1);
    }
    assert!(wakes.poll(&mut call).is_pending());
    assert_eq!((fake.connects(), fake.here().waits()), (3, (true, false)));
}

#[test]
fn a_full_queue_is_given_up_when_the_dial_is_due() {
    for (limit, failures, why) in [
        (12, [ErrorKind::WouldBlock; 9], ErrorKind::TimedOut),
        (60_000, [ErrorKind::NotFound; 9], ErrorKind::NotFound),
    ] {
        let fake = Fake::new();
        fake.queue(failures);
        let wakes = Wakes::new();
        let (begin, until, mut dialled) = (fake.now(), fake.after(limit), false);
        let mut call = Driving::new(
            fake.clone(),
            steps(move |now, link: &mut Link| {
                if std::mem::replace(&mut dialled, true) {
                    Step::Done((now, link.take_dial_failure()))
                } else {
                    dial(until)
                }
            }),
        );
        let (ended, failure) = loop {
            match wakes.poll(&mut call) {
                Poll::Ready(outcome) => break outcome.unwrap(),
                Poll::Pending => fake.pass(1),
            }
        };
        assert_eq!(failure, Some(why));
        let took = ended - begin;
        assert_eq!(
            took,
            Duration::from_millis(if why == ErrorKind::TimedOut { limit } else { 0 })
        );
        assert!(fake.connects() <= 4, "{}", fake.connects());
    }
}

#[test]
fn connections_are_exchanged_and_kept() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (until, slot, mut step) = (fake.after(1000), Slot::default(), 0);
    let kept = slot.clone();
    let mut call = Driving::new(
        fake.clone(),
        steps(move |_, link: &mut Link| {
            step += 1;
            match step {
                1 | 3 => dial(until),
                2 | 5 => Need::Swap.into(),
                4 => Need::Keep(kept.clone()).into(),
                6 => {
                    assert!(link.is_open());
                    link.hang_up();
                    wait(false, Some(until))
                }
                _ => Step::Done(()),
            }
        }),
    );
    assert!(wakes.poll(&mut call).is_pending());
    assert!(fake.peer(0).is_closed(), "hung up before anything was waited for");
    assert!(!fake.peer(1).is_closed());
    fake.pass(1000);
    assert!(wakes.poll(&mut call).is_ready());
    drop(call);
    assert!(!fake.peer(1).is_closed(), "what is kept outlives the call");
    assert!(!slot.is_closed());
    fake.peer(1).end();
    assert!(slot.is_closed(), "the peer has closed it");
    slot.clear();
    assert!(fake.peer(1).is_closed());
}

#[test]
fn a_wait_that_nothing_can_end_is_an_error() {
    for read in [true, false] {
        let wakes = Wakes::new();
        let mut call = Driving::new(Fake::new(), steps(move |_, _| wait::<()>(read, None)));
        let outcome = wakes.poll(&mut call);
        assert!(matches!(
            outcome,
            Poll::Ready(Err(Error::Socket(SocketError::Broken { .. })))
        ));
    }
}
