//! Operations that wait for what another thread does.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::*;

#[derive(Clone, Default)]
struct Flag(Arc<Mutex<(bool, Option<Waker>)>>);

impl Flag {
    fn set(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    /// Whether it is set; if not, the operation is polled again when it is.
    fn is_set(&self, link: &mut Link) -> bool {
        let mut state = self.0.lock().unwrap();
        state.1 = Some(link.waker());
        state.0
    }
}

fn forever<T>() -> Step<T> {
    Need::Wait {
        read: false,
        until: None,
    }
    .into()
}

#[test]
fn a_call_inside_another_does_not_take_its_waking() {
    let (outer, inner) = (Flag::default(), Flag::default());
    let setter = (outer.clone(), inner.clone());
    let (begin, begun) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        begun.recv().unwrap();
        setter.0.set();
        setter.1.set();
    });
    let mut begin = Some(begin);
    run(move |_, link| {
        if outer.is_set(link) {
            return Step::Done(());
        }
        if let Some(begin) = begin.take() {
            begin.send(()).unwrap();
            let inner = inner.clone();
            run(
                move |_, link| {
                    if inner.is_set(link) { Step::Done(()) } else { forever() }
                },
            );
        }
        forever()
    });
    thread.join().unwrap();
}

#[test]
fn bytes_and_wakings_are_waited_for_at_once() {
    let place = Place::new();
    let peer = place.serve(vec![|mut socket| {
        socket.write_all(b"x").unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 1);
    }]);
    let (flag, setter) = (Flag::default(), Flag::default());
    let setter = (setter, flag.clone());
    let first = setter.0.clone();
    let thread = std::thread::spawn(move || {
        while !setter.0.0.lock().unwrap().0 {
            std::thread::yield_now();
        }
        setter.1.set();
    });
    let mut dial = Some(place.dial(LONG));
    let got = run(move |_, link| {
        if let Some(dial) = dial.take() {
            return dial;
        }
        if !link.received().is_empty() {
            first.set();
        }
        if !flag.is_set(link) {
            return Need::Wait {
                read: true,
                until: None,
            }
            .into();
        }
        if !link.is_eof() {
            if !link.has_pending() {
                link.send(b"y".as_slice().into());
            }
            return wait(true, LONG);
        }
        Step::Done(link.received().len())
    });
    assert_eq!(got, 1);
    thread.join().unwrap();
    peer.join().unwrap();
}
