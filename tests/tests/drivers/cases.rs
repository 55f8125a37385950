use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, Link, Need, Runtime, Slot, SocketError, Step};
use pocket_dock_tests::suite::{AsyncStd, BlockOn, Executor, Smol, Tokio, TokioThreads};

use crate::common::{LONG, Place, drivers, echo, run, steps, wait};

fn eight_mebibytes_each_way_at_once<E: Executor>(executor: &E) {
    let place = Place::new();
    let peer = place.serve(1, echo);
    assert_eq!(run(executor, place.talk(vec![7; 8 << 20])).unwrap(), (8 << 20, None));
    peer.join().unwrap();
}

fn many_at_once_on_one_thread<E: Executor>(executor: &E) {
    let place = Place::new();
    let peers = place.serve(50, echo);
    let calls = (0..50).map(|number| executor.runtime().drive(place.talk(vec![7; number << 12])));
    let results = executor.wait_for_all(calls.collect());
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), (number << 12, None));
    }
    peers.join().unwrap();
}

fn a_deadline_fires_when_it_is_due<E: Executor>(executor: &E) {
    let place = Place::new();
    let _listener = UnixListener::bind(&place.0).unwrap();
    let (mut dial, polls) = (Some(place.dial(LONG)), Arc::new(AtomicUsize::new(0)));
    let until = Instant::now() + Duration::from_millis(60);
    let count = Arc::clone(&polls);
    let op = steps(move |now, _| {
        count.fetch_add(1, Ordering::SeqCst);
        match dial.take() {
            Some(dial) => dial,
            None if now >= until => Step::Done(now),
            None => Need::Wait {
                read: true,
                until: Some(until),
            }
            .into(),
        }
    });
    let when = run(executor, op).unwrap();
    assert!(when >= until && when < until + Duration::from_secs(5));
    assert!(polls.load(Ordering::SeqCst) <= 5, "{polls:?} polls for one deadline");
}

fn a_full_queue_is_waited_for_until_the_deadline<E: Executor>(executor: &E) {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let connect = |limit| {
        let mut dial = Some(place.dial(limit));
        let op = steps(move |_, link| match dial.take() {
            Some(dial) => dial,
            None => Step::Done(link.take_dial_failure()),
        });
        run(executor, op).unwrap()
    };
    let _first = UnixStream::connect(&place.0).unwrap();
    let begun = Instant::now();
    assert_eq!(connect(Duration::from_millis(100)), Some(ErrorKind::TimedOut));
    assert!(begun.elapsed() >= Duration::from_millis(100) && begun.elapsed() < Duration::from_secs(5));
    let accept = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        (listener.accept().unwrap(), listener)
    });
    assert_eq!(connect(LONG), None);
    accept.join().unwrap();
    std::fs::remove_file(&place.0).unwrap();
    assert_eq!(connect(LONG), Some(ErrorKind::NotFound));
}

fn a_reset_is_told_from_an_end<E: Executor>(executor: &E) {
    let place = Place::new();
    let peer = place.serve(1, |socket| {
        std::thread::sleep(Duration::from_millis(50)); // what was sent is there, and unread
        drop(socket);
    });
    let reset = (0, Some(ErrorKind::ConnectionReset));
    assert_eq!(run(executor, place.talk(vec![1; 10])).unwrap(), reset);
    peer.join().unwrap();
    let place = Place::new();
    let peer = place.serve(1, |mut socket| assert_eq!(socket.read(&mut [0; 20]).unwrap(), 10));
    assert_eq!(run(executor, place.talk(vec![1; 10])).unwrap(), (0, None));
    peer.join().unwrap();
    let place = Place::new();
    let peer = place.serve(1, |mut socket| {
        socket.write_all(b"no").unwrap();
        socket.shutdown(std::net::Shutdown::Read).unwrap();
    });
    assert_eq!(run(executor, place.talk(vec![1; 8 << 20])).unwrap().0, 2);
    peer.join().unwrap();
}

fn unwanted_bytes_stay_in_the_kernel_and_hold_the_peer_up<E: Executor>(executor: &E) {
    let place = Place::new();
    let peer = place.serve(1, |mut socket| socket.write_all(&[7; 4 << 20]).unwrap());
    let (mut dial, mut rounds, mut got) = (Some(place.dial(LONG)), 0, 0);
    let op = steps(move |_, link| {
        if let Some(dial) = dial.take() {
            return dial;
        }
        rounds += 1;
        if rounds <= 3 {
            assert!(link.received().is_empty());
            return wait(false, Duration::from_millis(20));
        }
        got += link.received().split().len();
        if link.is_eof() {
            Step::Done(got)
        } else {
            wait(true, LONG)
        }
    });
    assert_eq!(run(executor, op).unwrap(), 4 << 20);
    peer.join().unwrap();
}

fn a_kept_connection_outlives_the_call<E: Executor>(executor: &E) {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    let slot = Slot::default();
    let (mut dial, mut keep) = (Some(place.dial(LONG)), Some(slot.clone()));
    let op = steps(move |_, _| match (dial.take(), keep.take()) {
        (Some(dial), kept) => {
            keep = kept;
            dial
        }
        (None, Some(slot)) => Need::Keep(slot).into(),
        (None, None) => Step::Done(()),
    });
    run(executor, op).unwrap();
    let mut peer = listener.accept().unwrap().0;
    peer.set_nonblocking(true).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(!slot.is_closed());
    slot.clear();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    assert!(slot.is_closed(), "there is none");
}

fn a_kept_connection_knows_its_peers_end<E: Executor>(executor: &E) {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    let slot = Slot::default();
    let (mut dial, mut keep) = (Some(place.dial(LONG)), Some(slot.clone()));
    let op = steps(move |_, _| match dial.take() {
        Some(dial) => dial,
        None => keep.take().map_or(Step::Done(()), |slot| Need::Keep(slot).into()),
    });
    run(executor, op).unwrap();
    let peer = listener.accept().unwrap().0;
    assert!(!slot.is_closed());
    drop(peer);
    assert!(slot.is_closed());
}

fn a_dropped_call_leaves_no_connection<E: Executor>(executor: &E) {
    for polls in 0..20 {
        let place = Place::new();
        let listener = UnixListener::bind(&place.0).unwrap();
        let mut dial = Some(place.dial(LONG));
        let mut call = Some(executor.runtime().drive(steps(move |_, link| {
            if let Some(dial) = dial.take() {
                return dial;
            }
            link.received().clear();
            if !link.has_pending() {
                link.send(vec![1; 1 << 20].into());
            }
            wait::<()>(true, LONG)
        })));
        let (answer, answered) = mpsc::channel();
        let peer = std::thread::spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            socket.set_read_timeout(Some(LONG)).unwrap();
            let mut buffer = [0; 4096];
            let end = loop {
                match socket.read(&mut buffer) {
                    Ok(0) => break None,
                    Ok(_) => {
                        // a little of the answer, so that the call is woken and polled again
                        if socket.write_all(b"x").is_err() {
                            break None;
                        }
                    }
                    Err(error) => break Some(error.kind()).filter(|kind| *kind != ErrorKind::ConnectionReset),
                }
            };
            answer.send(end).unwrap();
        });
        if polls == 0 {
            drop(call.take());
            drop(UnixStream::connect(&place.0).unwrap());
        } else {
            let ended = call.take().and_then(|call| executor.wait_for_polls(call, polls));
            assert!(ended.is_none());
        }
        assert_eq!(answered.recv_timeout(LONG), Ok(None), "after {polls} polls");
        peer.join().unwrap();
    }
}

fn what_is_to_be_undone_goes_on_with_its_connection<E: Executor>(executor: &E) {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    let (done, result) = mpsc::channel();
    let (mut dial, mut sent) = (Some(place.dial(LONG)), false);
    let mut op = steps(move |_, link: &mut Link| {
        if let Some(dial) = dial.take() {
            return dial;
        }
        if !std::mem::replace(&mut sent, true) {
            link.send(b"undo".as_slice().into());
        }
        if link.is_eof() {
            done.send(link.received().split()).unwrap();
            return Step::Done(());
        }
        wait(true, LONG)
    });
    op.undo = true;
    let begun = Instant::now();
    assert!(executor.wait_for_polls(executor.runtime().drive(op), 1).is_none());
    assert!(begun.elapsed() < Duration::from_secs(5), "the drop blocked");
    let mut peer = listener.accept().unwrap().0;
    let mut said = [0; 4];
    peer.read_exact(&mut said).unwrap();
    peer.write_all(b"undone").unwrap();
    drop(peer);
    let result = result.recv_timeout(LONG).unwrap();
    assert_eq!((&said, &result[..]), (b"undo", &b"undone"[..]));
    assert!(pocket_dock_blocking::adapter::wait_for_cleanup(LONG));
}

fn a_wait_that_nothing_can_end_is_an_error<E: Executor>(executor: &E) {
    for read in [true, false] {
        let forever = steps(move |_, _| Step::<()>::from(Need::Wait { read, until: None }));
        let outcome = run(executor, forever);
        assert!(matches!(outcome, Err(Error::Socket(SocketError::Broken { .. }))));
    }
}

fn calls_can_be_sent_to_another_thread<E: Executor>(executor: &E)
where
    <E::Runtime as Runtime>::Returns<pocket_dock_core::Run>: Send + Unpin,
    <E::Runtime as Runtime>::Returns<pocket_dock_core::Connecting<E::Runtime>>: Send + Unpin,
{
    fn shared<T: Send + Sync>() {}
    shared::<pocket_dock_core::Engine<E::Runtime>>();
    shared::<pocket_dock_core::Container<E::Runtime>>();
    a_kept_connection_outlives_the_call(executor);
}

drivers! {
    [tokio, Tokio::new().unwrap()],
    [tokio_threads, TokioThreads::new().unwrap()],
    [smol, Smol],
    [async_std, AsyncStd],
    [block_on, BlockOn];
    [
        eight_mebibytes_each_way_at_once,
        many_at_once_on_one_thread,
        a_deadline_fires_when_it_is_due,
        a_full_queue_is_waited_for_until_the_deadline,
        a_reset_is_told_from_an_end,
        unwanted_bytes_stay_in_the_kernel_and_hold_the_peer_up,
        a_kept_connection_outlives_the_call,
        a_kept_connection_knows_its_peers_end,
        a_dropped_call_leaves_no_connection,
        what_is_to_be_undone_goes_on_with_its_connection,
        a_wait_that_nothing_can_end_is_an_error,
        calls_can_be_sent_to_another_thread,
    ]
}
