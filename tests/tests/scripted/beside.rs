//! Operations beside calls on the scripted runtime.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Error, Link, Need, Op, Runtime, Step};
use pocket_dock_tests::scripted::{Connection, FakeHost, Peer, Scripted, Sent, Split};

const HOUR: Duration = Duration::from_secs(3600);

/// Sends everything back, an hour later.
#[derive(Default)]
struct Slow {
    delay: Duration,
    due: Arc<Mutex<Vec<Duration>>>,
}

struct Echo {
    delay: Duration,
    due: Arc<Mutex<Vec<Duration>>>,
    held: VecDeque<(Duration, u8)>,
}

impl Peer for Slow {
    fn connect(&mut self, _: &Endpoint, _: Duration) -> Result<Box<dyn Connection>, ErrorKind> {
        Ok(Box::new(Echo {
            delay: self.delay,
            due: Arc::clone(&self.due),
            held: VecDeque::new(),
        }))
    }

    fn next_event(&mut self, now: Duration) -> Option<Duration> {
        self.due.lock().unwrap().iter().copied().filter(|due| *due > now).min()
    }
}

impl Connection for Echo {
    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let due = now + self.delay;
        self.due.lock().unwrap().push(due);
        self.held.extend(bytes.iter().map(|byte| (due, *byte)));
        Ok(bytes.len())
    }

    fn finish(&mut self, _: Duration) {}

    fn send(&mut self, now: Duration, limit: usize) -> Sent {
        let count = self.held.iter().take_while(|(due, _)| *due <= now).count().min(limit);
        if count == 0 {
            return Sent::Nothing;
        }
        Sent::Bytes(self.held.drain(..count).map(|(_, byte)| byte).collect())
    }
}

fn worlds() -> Vec<Scripted> {
    let slow = |delay| Slow {
        delay,
        ..Slow::default()
    };
    let fake = Split::EACH.map(|split| Scripted::new(slow(HOUR), split));
    let real = Scripted::in_real_time(slow(Duration::from_millis(5)), FakeHost::default());
    fake.into_iter().chain([real]).collect()
}

/// An operation made of a closure.
struct Steps<F>(F);

impl<T: Send, F> Op for Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<T> + Send + Unpin + 'static,
{
    type Output = T;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<T>, Error> {
        Ok((self.0)(now, link))
    }
}

fn steps<T: Send, F>(steps: F) -> Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<T> + Send + Unpin + 'static,
{
    Steps(steps)
}

fn wait<T>(read: bool, until: Option<Instant>) -> Step<T> {
    Need::Wait { read, until }.into()
}

/// What an attended operation has got, and who waits for it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<(Vec<u8>, Option<Waker>)>>);

impl Shared {
    fn put(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap();
        state.0.extend_from_slice(bytes);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    /// Waits until so much is there.
    fn get(&self, count: usize) -> impl Op<Output = Vec<u8>> + use<> {
        let shared = self.clone();
        steps(move |_, link| {
            let mut state = shared.0.lock().unwrap();
            if state.0.len() >= count {
                return Step::Done(state.0.split_off(0));
            }
            state.1 = Some(link.waker());
            wait(false, None)
        })
    }

    /// Sends this and puts what comes back here.
    fn fetch(&self, data: &'static [u8]) -> impl Op<Output = ()> + use<> {
        let (shared, mut sent, mut left) = (self.clone(), false, data.len());
        steps(move |now, link| {
            if !link.is_open() {
                let at = Endpoint::unix("/run/engine.sock");
                return Need::Dial { at, until: now + HOUR }.into();
            }
            if !std::mem::replace(&mut sent, true) {
                link.send(data.into());
            }
            let received = link.received().split();
            shared.put(&received);
            left -= received.len();
            if left == 0 {
                return Step::Done(());
            }
            wait(true, None)
        })
    }
}

#[test]
fn calls_and_what_is_attended_wait_for_each_other() {
    for world in worlds() {
        let shared = Shared::default();
        world.attend(shared.fetch(b"hello"));
        world.attend(shared.fetch(b"HELLO"));
        let begun = world.elapsed();
        let mut got = world.drive(shared.get(10)).unwrap();
        got.sort_unstable();
        assert_eq!(got, b"EHLLOehllo");
        assert!(world.elapsed() > begun && world.elapsed() < 2 * HOUR);
        world.pause(Duration::from_millis(1));
        assert_eq!((world.attended(), world.finished().len()), (0, 0));
    }
}

#[test]
fn the_clock_jumps_to_whatever_is_due_first() {
    let world = Scripted::new(Slow::default(), Split::Whole);
    let shared = Shared::default();
    let begun = world.now();
    for minutes in [30_u8, 10, 20] {
        let (shared, due) = (shared.clone(), begun + Duration::from_secs(60) * u32::from(minutes));
        world.attend(steps(move |now, _| {
            if now < due {
                return wait(false, Some(due));
            }
            shared.put(&[minutes]);
            Step::Done(())
        }));
    }
    assert_eq!(world.drive(shared.get(1)).unwrap(), [10]);
    assert!(world.now() < begun + Duration::from_secs(601));
    world.pause(Duration::from_secs(601));
    assert_eq!((world.drive(shared.get(1)).unwrap(), world.attended()), (vec![20], 1));
    world.pause(HOUR);
    assert_eq!((world.drive(shared.get(1)).unwrap(), world.attended()), (vec![30], 0));
    assert!(world.polls() < 20, "{} polls", world.polls());
}

#[test]
fn a_waker_that_is_forgotten_is_a_call_that_is_stuck() {
    let world = Scripted::new(Slow::default(), Split::Whole);
    let state = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&state);
    world.attend(steps(move |_, _| {
        *state.lock().unwrap() = true;
        Step::Done(())
    }));
    let outcome = world.drive(steps(move |_, link| {
        let _forgotten = link.waker();
        if *seen.lock().unwrap() {
            return Step::Done(());
        }
        wait(false, None)
    }));
    assert!(matches!(outcome, Err(Error::Misuse(text)) if text.contains("stuck")));
}

#[test]
fn what_goes_wrong_beside_calls_is_told() {
    let world = Scripted::new(Slow::default(), Split::Whole);
    world.attend(steps(|_, _| wait::<()>(false, None)));
    world.attend(steps(|_, _| -> Step<()> { panic!("this panic is part of the test") }));
    world.attend(steps(|_, link| {
        link.waker().wake();
        wait::<()>(false, None)
    }));
    world.pause(HOUR);
    assert_eq!(world.attended(), 0);
    let told: Vec<_> = world
        .finished()
        .into_iter()
        .flatten()
        .map(|error| error.to_string())
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, what) in told.iter().zip(["waits for nothing", "panicked", "does not end"]) {
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn a_job_is_done_when_nothing_is_polled_and_may_make_calls() {
    for world in worlds() {
        let (shared, answer) = (Shared::default(), Shared::default());
        let (mut jobs, inside, runtime) = (1, Arc::new(Mutex::new(())), world.clone());
        let (waits, tell) = (shared.clone(), answer.clone());
        let mut fetch = shared.fetch(b"x");
        world.attend(steps(move |now, link| {
            let _inside = inside.lock().unwrap();
            if std::mem::take(&mut jobs) == 1 {
                let (inside, world) = (Arc::clone(&inside), runtime.clone());
                let (waits, tell) = (waits.clone(), tell.clone());
                runtime.offload(Box::new(move || {
                    drop(inside.lock().unwrap());
                    // It waits for the very operation that sent this job.
                    tell.put(&world.drive(waits.get(1)).unwrap());
                }));
            }
            fetch.poll(now, link).unwrap()
        }));
        assert_eq!(world.drive(answer.get(1)).unwrap(), b"x");
        let (done, told) = std::sync::mpsc::channel();
        world.offload(Box::new(move || done.send(()).unwrap()));
        assert_eq!(told.try_recv(), Ok(()));
    }
}

#[test]
fn threads_wake_each_other() {
    for world in worlds() {
        let (first, second) = (Shared::default(), Shared::default());
        let (other, from, to) = (world.clone(), first.clone(), second.clone());
        let thread = std::thread::spawn(move || {
            for _ in 0..100 {
                to.put(&other.drive(from.get(1)).unwrap());
            }
        });
        for number in 0..100 {
            first.put(&[number]);
            assert_eq!(world.drive(second.get(1)).unwrap(), [number]);
        }
        thread.join().unwrap();
    }
}
