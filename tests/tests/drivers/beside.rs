//! Operations beside calls, and those that wait for each other.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use pocket_dock_core::{Link, Need, Op, Runtime, Step};
use pocket_dock_tests::suite::{Adapter, AsyncStd, BlockOn, Blocking, Smol, Tokio, TokioThreads};

use crate::common::{LONG, Place, drivers, run, steps, wait};

/// A flag that operations and threads can wait for.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Inside>, Condvar)>);

/// Whether it is open, and who waits for it.
type Inside = (bool, Vec<Waker>);

impl Gate {
    fn open(&self) {
        let (state, opened) = &*self.0;
        let wakers = {
            let mut state = state.lock().unwrap();
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        opened.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits for it, as an operation that has no other reason to be polled.
    fn passed(&self) -> impl Op<Output = ()> + use<> {
        let gate = self.clone();
        steps(move |_, link| {
            let mut state = gate.0.0.lock().unwrap();
            if state.0 {
                return Step::Done(());
            }
            state.1.push(link.waker());
            gate.0.1.notify_all();
            forever()
        })
    }

    /// Blocks until it is open.
    fn pass(&self) {
        let state = self.0.0.lock().unwrap();
        let (state, _) = self.0.1.wait_timeout_while(state, LONG, |state| !state.0).unwrap();
        assert!(state.0, "nobody came");
    }

    /// Opens it from another thread, as soon as an operation waits for it.
    fn open_behind(&self) -> JoinHandle<()> {
        let gate = self.clone();
        thread::spawn(move || {
            let (state, changed) = &*gate.0;
            let waits = changed.wait_timeout_while(state.lock().unwrap(), LONG, |state| state.1.is_empty());
            drop(waits.unwrap());
            gate.open();
        })
    }
}

fn forever<T>() -> Step<T> {
    Need::Wait {
        read: false,
        until: None,
    }
    .into()
}

/// Opens the second gate when the first is open.
fn relay(first: &Gate, second: &Gate) -> impl Op<Output = ()> + use<> {
    let (mut first, second) = (first.passed(), second.clone());
    steps(move |now, link| {
        let step = first.poll(now, link).unwrap();
        if matches!(step, Step::Done(())) {
            second.open();
        }
        step
    })
}

fn a_call_that_waits_for_shared_state_is_woken<A: Adapter>(adapter: &A) {
    for _ in 0..100 {
        let gate = Gate::default();
        let other = gate.open_behind();
        run(adapter, gate.passed()).unwrap();
        other.join().unwrap();
    }
}

fn what_is_attended_is_woken<A: Adapter>(adapter: &A) {
    for _ in 0..100 {
        let (gate, done) = (Gate::default(), Gate::default());
        adapter.runtime().attend(relay(&gate, &done));
        let other = gate.open_behind();
        run(adapter, done.passed()).unwrap();
        other.join().unwrap();
    }
}

/// Whose turn it is, and who waits for it.
#[derive(Default)]
struct Game {
    turn: usize,
    waiting: [Option<Waker>; 2],
}

fn ten_thousand_turns_by_turns<A: Adapter>(adapter: &A) {
    const TURNS: usize = 20_000;
    let game = Arc::new(Mutex::new(Game::default()));
    let player = |me: usize| {
        let game = Arc::clone(&game);
        steps(move |_, link: &mut Link| {
            let mut game = game.lock().unwrap();
            let mut other = None;
            if game.turn % 2 == me {
                game.turn += 1;
                other = game.waiting[1 - me].take();
            }
            let step = if game.turn >= TURNS {
                Step::Done(game.turn)
            } else {
                game.waiting[me] = Some(link.waker());
                forever()
            };
            drop(game);
            if let Some(other) = other {
                other.wake();
            }
            step
        })
    };
    adapter.runtime().attend(player(1));
    assert!(run(adapter, player(0)).unwrap() >= TURNS);
}

fn two_hundred_at_once_each_with_its_peer<A: Adapter>(adapter: &A) {
    const COUNT: usize = 200;
    const ROUNDS: usize = 5;
    let place = Arc::new(Place::new());
    let listener = UnixListener::bind(&place.0).unwrap();
    let (done, results) = mpsc::channel();
    for number in 0..COUNT {
        let (place, done) = (Arc::clone(&place), done.clone());
        let (mut dialled, mut answers) = (false, Vec::new());
        let limit = Instant::now() + LONG;
        adapter.runtime().attend(steps(move |now, link| {
            assert!(now < limit, "it is stuck");
            if !link.is_open() {
                if std::mem::replace(&mut dialled, true) {
                    done.send((number, None)).unwrap();
                    return Step::Done(());
                }
                return place.dial(LONG);
            }
            let received = link.received().split();
            answers.extend_from_slice(&received);
            if answers.len() == ROUNDS * 8 {
                done.send((number, Some(std::mem::take(&mut answers)))).unwrap();
                return Step::Done(());
            }
            if answers.len().is_multiple_of(8) && !link.has_pending() && (answers.is_empty() || !received.is_empty()) {
                link.send((number as u64).to_be_bytes().to_vec().into());
            }
            wait(true, LONG)
        }));
    }
    let peer = thread::spawn(move || {
        let mut sockets: Vec<_> = (0..COUNT).map(|_| listener.accept().unwrap().0).collect();
        for _ in 0..ROUNDS {
            for socket in &mut sockets {
                socket.set_read_timeout(Some(LONG)).unwrap();
                let mut message = [0; 8];
                socket.read_exact(&mut message).unwrap();
                socket.write_all(&message).unwrap();
            }
        }
    });
    let mut seen: Vec<_> = (0..COUNT).map(|_| results.recv_timeout(LONG).unwrap()).collect();
    seen.sort_unstable();
    for (number, (of, answers)) in seen.into_iter().enumerate() {
        assert_eq!(
            (of, answers),
            (number, Some((number as u64).to_be_bytes().repeat(ROUNDS)))
        );
    }
    peer.join().unwrap();
}

fn a_slow_job_holds_up_nothing<A: Adapter>(adapter: &A) {
    let (hold, begun, ended) = (Gate::default(), Gate::default(), Gate::default());
    for _ in 0..10 {
        let (hold, begun, ended) = (hold.clone(), begun.clone(), ended.clone());
        adapter.runtime().offload(Box::new(move || {
            begun.open();
            hold.pass();
            ended.open();
        }));
    }
    begun.pass();
    what_is_attended_is_woken(adapter);
    let cleaned = Gate::default();
    adapter.runtime().finish(relay(&opened(), &cleaned));
    run(adapter, cleaned.passed()).unwrap();
    assert!(!ended.0.0.lock().unwrap().0);
    hold.open();
    ended.pass();
}

fn opened() -> Gate {
    let gate = Gate::default();
    gate.open();
    gate
}

fn a_panic_ends_only_its_own_operation<A: Adapter>(adapter: &A) {
    let (gate, dropped) = (Gate::default(), Gate::default());
    let other = Gate::default();
    adapter.runtime().attend(relay(&gate, &other));
    let held = Held(dropped.clone());
    adapter.runtime().attend(steps(move |_, _| -> Step<()> {
        let _held = &held;
        panic!("this panic is part of the test")
    }));
    let (mut polls, panicked) = (0, dropped);
    run(adapter, panicked.passed()).unwrap();
    adapter
        .runtime()
        .offload(Box::new(|| panic!("this panic is part of the test")));
    adapter.runtime().attend(steps(move |_, link| {
        polls += 1;
        if polls == 3 {
            gate.open();
            return Step::Done(());
        }
        link.waker().wake(); // for the next poll
        forever()
    }));
    run(adapter, other.passed()).unwrap();
}

/// Opens its gate when dropped.
struct Held(Gate);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open();
    }
}

fn what_is_finished_may_wait_for_what_is_attended<A: Adapter>(adapter: &A) {
    let cleaned: Vec<_> = (0..100)
        .map(|_| {
            let (gate, cleaned) = (Gate::default(), Gate::default());
            adapter.runtime().attend(relay(&opened(), &gate));
            adapter.runtime().finish(relay(&gate, &cleaned));
            cleaned
        })
        .collect();
    for cleaned in cleaned {
        run(adapter, cleaned.passed()).unwrap();
    }
    assert!(pocket_dock_blocking::adapter::wait_for_cleanup(LONG));
}

drivers! {
    [blocking, Blocking],
    [tokio, Tokio::new().unwrap()],
    [tokio_threads, TokioThreads::new().unwrap()],
    [smol, Smol],
    [async_std, AsyncStd],
    [block_on, BlockOn];
    [
        a_call_that_waits_for_shared_state_is_woken,
        what_is_attended_is_woken,
        ten_thousand_turns_by_turns,
        two_hundred_at_once_each_with_its_peer,
        a_slow_job_holds_up_nothing,
        a_panic_ends_only_its_own_operation,
        what_is_finished_may_wait_for_what_is_attended,
    ]
}
