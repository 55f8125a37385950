use std::os::unix::net::UnixListener;
use std::sync::mpsc;

use pocket_dock_core::{Endpoint, Link, Need, Runtime as _, Step};

use super::*;
use crate::Blocking;

const LONG: Duration = Duration::from_secs(60);

/// An operation made of a closure.
struct Steps<F>(F);

impl<F> Op for Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<()> + Send + Unpin + 'static,
{
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        Ok((self.0)(now, link))
    }
}

fn steps<F>(steps: F) -> Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<()> + Send + Unpin + 'static,
{
    Steps(steps)
}

fn wait(read: bool, until: Option<Instant>) -> Step<()> {
    Need::Wait { read, until }.into()
}

#[test]
fn nothing_is_lost_where_the_thread_is_about_to_end() {
    for round in 0..60_u32 {
        let (done, result) = mpsc::channel();
        attend(steps(move |_, _| {
            done.send(()).unwrap();
            Step::Done(())
        }));
        result.recv_timeout(LONG).unwrap();
        // Around the moment at which it ends, to both sides of it.
        std::thread::sleep(IDLE - Duration::from_millis(3) + Duration::from_micros(100) * round);
    }
}

#[test]
fn a_time_that_has_come_is_polled_for_and_no_other() {
    let begun = Instant::now();
    let (done, results) = mpsc::channel();
    for number in [3, 1, 2, 0] {
        let done = done.clone();
        let (due, mut polls) = (begun + Duration::from_millis(150) * number, 0);
        attend(steps(move |now, _| {
            polls += 1;
            if now < due {
                return wait(false, Some(due));
            }
            done.send((number, polls)).unwrap();
            Step::Done(())
        }));
    }
    for number in 0..4 {
        let (which, polls) = results.recv_timeout(LONG).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(150) * which);
        assert!(polls <= 3, "{which} was polled {polls} times, the {number}th to end");
    }
}

#[test]
fn only_what_is_ready_is_polled() {
    let path = std::env::temp_dir().join(format!("pocket-dock-hub-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let (done, results) = mpsc::channel();
    for number in 0..2_u8 {
        let (done, at) = (done.clone(), Endpoint::unix(&path));
        let (mut polls, mut got) = (0, 0);
        attend(steps(move |now, link| {
            polls += 1;
            if !link.is_open() {
                let at = at.clone();
                return Need::Dial { at, until: now + LONG }.into();
            }
            if polls == 2 {
                link.send(vec![number].into());
            }
            got += link.received().split().len();
            if link.is_eof() {
                done.send((number, polls, got)).unwrap();
                return Step::Done(());
            }
            wait(true, None)
        }));
    }
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = listener.accept().unwrap().0;
        let mut number = [0];
        io::Read::read_exact(&mut peer, &mut number).unwrap();
        peers.push((number[0], peer));
    }
    std::fs::remove_file(&path).unwrap();
    peers.sort_by_key(|(number, _)| *number);
    let (busy, quiet) = (peers.remove(1).1, peers.remove(0).1);
    for _ in 0..1000 {
        io::Write::write_all(&mut &busy, b"x").unwrap();
    }
    drop(busy);
    let (number, _, got) = results.recv_timeout(LONG).unwrap();
    assert_eq!((number, got), (1, 1000));
    drop(quiet);
    let (number, polls, got) = results.recv_timeout(LONG).unwrap();
    assert_eq!((number, got), (0, 0));
    assert!(polls <= 6, "{polls} polls of one that had nothing to do");
}

/// Does something when it is dropped.
struct Last<F: FnMut() + Send>(F);

impl<F: FnMut() + Send> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn what_an_operation_leaves_behind_does_not_hold_up_the_thread() {
    type Shared = Arc<Mutex<(bool, Option<Waker>)>>;
    let shared = Shared::default();
    let (done, result) = mpsc::channel();
    let waits = Arc::clone(&shared);
    let last = Last(move || {
        let (waits, done) = (Arc::clone(&waits), done.clone());
        // Where calls block, this is driven by whoever drops it.
        Blocking.finish(steps(move |_, link| {
            let mut state = lock(&waits);
            if state.0 {
                done.send(()).unwrap();
                return Step::Done(());
            }
            state.1 = Some(link.waker());
            wait(false, None)
        }));
    });
    attend(steps(move |_, _| {
        let _last = &last;
        Step::Done(())
    }));
    attend(steps(move |_, link| {
        let mut state = lock(&shared);
        let Some(waker) = state.1.take() else {
            link.waker().wake();
            return wait(false, None);
        };
        state.0 = true;
        waker.wake();
        Step::Done(())
    }));
    result.recv_timeout(LONG).unwrap();
}

#[test]
fn one_that_is_always_ready_holds_up_none() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let (done, results) = mpsc::channel();
    let ended = done.clone();
    attend(steps(move |_, link| {
        if stopped.load(Ordering::SeqCst) {
            ended.send("busy").unwrap();
            return Step::Done(());
        }
        link.waker().wake();
        wait(false, None)
    }));
    let due = Instant::now() + Duration::from_millis(20);
    attend(steps(move |now, _| {
        if now < due {
            return wait(false, Some(due));
        }
        done.send("timer").unwrap();
        Step::Done(())
    }));
    assert_eq!(results.recv_timeout(LONG), Ok("timer"));
    stop.store(true, Ordering::SeqCst);
    assert_eq!(results.recv_timeout(LONG), Ok("busy"));
}
