//! How a call ends, and what is left of it then.

use super::*;

#[test]
fn an_operation_is_dropped_when_it_ends_and_never_polled_again() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let mut op = steps(|_, _| Step::Done(()));
    op.undo = true;
    let dropped = Arc::clone(&op.dropped);
    let mut call = Driving::new(fake.clone(), op);
    assert!(wakes.poll(&mut call).is_ready());
    assert!(dropped.load(Ordering::SeqCst));
    assert!(matches!(wakes.poll(&mut call), Poll::Ready(Err(Error::Misuse(_)))));
    drop(call);
    assert_eq!(fake.taken_over().len(), 0);
}

#[test]
fn a_dropped_call_is_taken_over_with_all_it_has_wherever_it_was() {
    // What passes before each poll, and what is taken over after it: the connection, the one set aside, what is unsent.
    let scenes: [(u64, bool, bool, &[u8]); 5] = [
        (0, false, false, b""),     // the queue is full
        (5, true, false, b"rst"),   // half of it is sent
        (0, true, false, b"rst"),   // nothing happened
        (95, false, true, b""),     // set aside, and the queue is full
        (5, true, true, b"second"), // both
    ];
    for undo in [true, false] {
        for polls in 0..=scenes.len() {
            let fake = Fake::new();
            let wakes = Wakes::new();
            fake.queue([ErrorKind::WouldBlock]);
            fake.room(2);
            let (until, later, mut step) = (fake.after(60_000), fake.after(100), 0);
            let mut op = steps(move |now, link: &mut Link| {
                step += usize::from(step != 2 || now >= later);
                match step {
                    1 => dial::<()>(until),
                    2 => {
                        if !link.has_pending() {
                            link.send(b"first".as_slice().into());
                        }
                        wait(true, Some(later))
                    }
                    3 => Need::Swap.into(),
                    4 => dial(until),
                    _ => {
                        if !link.has_pending() {
                            link.send(b"__second".as_slice().into());
                        }
                        wait(true, Some(until))
                    }
                }
            });
            op.undo = undo;
            let dropped = Arc::clone(&op.dropped);
            let mut call = Driving::new(fake.clone(), op);
            for (number, scene) in scenes[..polls].iter().enumerate() {
                fake.pass(scene.0);
                if number == 3 {
                    fake.queue([ErrorKind::WouldBlock]);
                }
                assert!(wakes.poll(&mut call).is_pending());
            }
            drop(call);
            assert!(dropped.load(Ordering::SeqCst));
            let taken = fake.taken_over();
            let found = taken
                .first()
                .map(|taken| (taken.socket, taken.aside, &taken.pending[..]));
            let here = scenes[..polls]
                .last()
                .map_or((false, false, &b""[..]), |scene| (scene.1, scene.2, scene.3));
            assert_eq!(
                (taken.len(), found),
                (usize::from(undo), undo.then_some(here)),
                "{polls} polls"
            );
            assert!((0..fake.peers()).all(|peer| fake.peer(peer).is_closed()));
        }
    }
}

#[test]
fn where_no_future_can_be_polled_the_call_ends_and_is_undone() {
    let fake = Fake::new();
    let wakes = Wakes::new();
    let (op, polls) = waits(&fake, true, None);
    let mut call = Driving::new(fake.clone(), op);
    fake.shut();
    assert!(matches!(wakes.poll(&mut call), Poll::Ready(Err(Error::Misuse(_)))));
    assert_eq!((polls.load(Ordering::SeqCst), fake.connects()), (0, 0));
    let fake = Fake::new();
    let far = fake.after(1000);
    let mut op = steps(move |_, _| wait::<()>(false, Some(far)));
    op.undo = true;
    let mut call = Driving::new(fake.clone(), op);
    assert!(wakes.poll(&mut call).is_pending());
    fake.shut();
    assert!(matches!(wakes.poll(&mut call), Poll::Ready(Err(Error::Misuse(_)))));
    assert_eq!(fake.taken_over().len(), 1);
}

#[test]
fn a_call_can_be_sent_to_another_thread() {
    fn sent<T: Send + Unpin>(_: &T) {}
    let fake = Fake::new();
    sent(&Driving::new(fake.clone(), talk(&fake, b"")));
}
