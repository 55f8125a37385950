use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use pocket_dock_core::Slot;

use super::*;

mod woken;

const LONG: Duration = Duration::from_secs(60);

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

fn run<T: Send>(steps: impl FnMut(Instant, &mut Link) -> Step<T> + Send + Unpin + 'static) -> T {
    drive(Steps(steps)).unwrap()
}

/// A socket's path that is removed in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "pocket-dock-{}-{}.sock",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    /// A peer for each connection, one after another.
    fn serve(&self, peers: Vec<fn(UnixStream)>) -> JoinHandle<()> {
        let listener = UnixListener::bind(&self.0).unwrap();
        std::thread::spawn(move || peers.into_iter().for_each(|peer| peer(listener.accept().unwrap().0)))
    }

    fn dial<T>(&self, limit: Duration) -> Step<T> {
        Need::Dial {
            at: Endpoint::unix(&self.0),
            until: Instant::now() + limit,
        }
        .into()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn wait<T>(read: bool, limit: Duration) -> Step<T> {
    Need::Wait {
        read,
        until: Some(Instant::now() + limit),
    }
    .into()
}

/// Dials, sends, and reads to the end: how much came, and the failure.
fn talk(place: &Place, data: Vec<u8>) -> (usize, Option<ErrorKind>) {
    let (dial, mut data, mut got) = (Some(place.dial(LONG)), Some(data), 0);
    let mut dial = dial;
    run(move |_, link| {
        if let Some(dial) = dial.take() {
            return dial;
        }
        if let Some(why) = link.take_dial_failure() {
            return Step::Done((0, Some(why)));
        }
        if let Some(data) = data.take() {
            link.send(data.into());
            link.finish();
        }
        let length = link.received().split().len();
        assert!(length <= READ_BYTES, "{length} bytes between two polls");
        got += length;
        if link.is_eof() {
            return Step::Done((got, link.failure()));
        }
        wait(true, LONG)
    })
}

/// Sends everything back, and stops reading while its own output is not taken.
fn echo(mut socket: UnixStream) {
    let mut buffer = vec![0; 65536];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        socket.write_all(&buffer[..count]).unwrap();
    }
}

#[test]
fn eight_mebibytes_each_way_at_once() {
    let place = Place::new();
    let peer = place.serve(vec![echo]);
    assert_eq!(talk(&place, vec![7; 8 << 20]), (8 << 20, None));
    peer.join().unwrap();
}

#[test]
fn a_deadline_fires_when_it_is_due() {
    let place = Place::new();
    let _listener = UnixListener::bind(&place.0).unwrap();
    let (mut dial, begun) = (Some(place.dial(LONG)), Instant::now());
    let until = begun + Duration::from_millis(60);
    let (when, polls) = {
        let mut polls = 0;
        run(move |now, _| {
            polls += 1;
            match dial.take() {
                Some(dial) => dial,
                None if now >= until => Step::Done((now, polls)),
                None => Need::Wait {
                    read: true,
                    until: Some(until),
                }
                .into(),
            }
        })
    };
    assert!(when >= until && when < until + Duration::from_secs(5));
    assert!(polls <= 4, "{polls} polls for one deadline");
}

#[test]
fn nothing_listens() {
    let place = Place::new();
    assert_eq!(talk(&place, vec![1]), (0, Some(ErrorKind::NotFound)));
    drop(UnixListener::bind(&place.0).unwrap());
    assert_eq!(talk(&place, vec![1]), (0, Some(ErrorKind::ConnectionRefused)));
}

#[test]
fn a_full_queue_is_waited_for_until_the_deadline() {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let at = Endpoint::unix(&place.0);
    let first = socket::connect_until(&at, Instant::now() + LONG).unwrap();
    let begun = Instant::now();
    let limit = Duration::from_millis(100);
    assert_eq!(
        socket::connect_until(&at, begun + limit).unwrap_err(),
        ErrorKind::TimedOut
    );
    assert!(begun.elapsed() >= limit && begun.elapsed() < Duration::from_secs(5));
    let accept = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        (listener.accept().unwrap(), listener)
    });
    socket::connect_until(&at, Instant::now() + LONG).unwrap();
    accept.join().unwrap();
    drop(first);
}

#[test]
fn what_a_peer_said_before_it_closed_early_is_read() {
    let place = Place::new();
    let peer = place.serve(vec![|mut socket| {
        socket.write_all(b"no").unwrap();
        socket.shutdown(Shutdown::Read).unwrap();
    }]);
    let (got, _) = talk(&place, vec![1; 8 << 20]);
    assert_eq!(got, 2);
    peer.join().unwrap();
}

#[test]
fn a_reset_is_told_from_an_end() {
    let place = Place::new();
    let peer = place.serve(vec![|socket| {
        std::thread::sleep(Duration::from_millis(50)); // what was sent is there, and unread
        drop(socket);
    }]);
    assert_eq!(talk(&place, vec![1; 10]), (0, Some(ErrorKind::ConnectionReset)));
    peer.join().unwrap();
    let place = Place::new();
    let peer = place.serve(vec![|mut socket| assert_eq!(socket.read(&mut [0; 20]).unwrap(), 10)]);
    assert_eq!(talk(&place, vec![1; 10]), (0, None));
    peer.join().unwrap();
}

#[test]
fn two_connections_take_turns() {
    let place = Place::new();
    let peer = place.serve(vec![|mut socket| socket.write_all(b"stream").unwrap(), |mut socket| {
        socket.write_all(b"answer").unwrap();
    }]);
    let dials = [place.dial(LONG), place.dial(LONG)];
    let (mut step, mut dials, mut got) = (0, dials.into_iter(), Vec::new());
    let got = run(move |_, link| {
        step += 1;
        match step {
            1 | 3 => dials.next().unwrap(),
            2 => Need::Swap.into(),
            _ if !link.is_eof() => wait(true, LONG),
            _ => {
                got.push(link.received().split());
                link.hang_up();
                if got.len() == 2 {
                    Step::Done(std::mem::take(&mut got))
                } else {
                    Need::Swap.into()
                }
            }
        }
    });
    assert_eq!(got, [&b"answer"[..], b"stream"]);
    peer.join().unwrap();
}

#[test]
fn a_kept_connection_outlives_the_operation() {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    let slot = Slot::default();
    let (mut dial, mut keep) = (Some(place.dial(LONG)), Some(slot.clone()));
    run(move |_, link| match (dial.take(), keep.take()) {
        (Some(dial), kept) => {
            keep = kept;
            dial
        }
        (None, Some(slot)) => Need::Keep(slot).into(),
        (None, None) => {
            assert!(!link.is_open());
            Step::Done(())
        }
    });
    let mut peer = listener.accept().unwrap().0;
    peer.set_nonblocking(true).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    slot.clear();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_hang_up_closes_the_socket_before_anything_is_waited_for() {
    let place = Place::new();
    let peer = place.serve(vec![|mut socket| assert_eq!(socket.read(&mut [0]).unwrap(), 0)]);
    let (mut dial, mut peer, mut turns) = (Some(place.dial(LONG)), Some(peer), 0);
    run(move |_, link| {
        if let Some(dial) = dial.take() {
            return dial;
        }
        turns += 1;
        if turns == 1 {
            link.hang_up();
            return wait(false, Duration::from_millis(1));
        }
        peer.take().unwrap().join().unwrap(); // would hang if the socket were still open
        Step::Done(())
    });
}

#[test]
fn unwanted_bytes_stay_in_the_kernel_and_hold_the_peer_up() {
    let place = Place::new();
    let peer = place.serve(vec![|mut socket| socket.write_all(&[7; 4 << 20]).unwrap()]);
    let (mut dial, mut rounds, mut got) = (Some(place.dial(LONG)), 0, 0);
    let got = run(move |_, link| {
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
    assert_eq!(got, 4 << 20);
    peer.join().unwrap();
}

#[test]
fn a_wait_that_nothing_can_end_is_an_error() {
    for read in [true, false] {
        let forever = Steps(move |_, _: &mut Link| Step::<()>::from(Need::Wait { read, until: None }));
        assert!(matches!(drive(forever), Err(Error::Socket(SocketError::Broken { .. }))));
    }
}

#[test]
fn an_abandoned_operation_goes_on_with_its_connection() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut link = Link::default();
    link.dialled();
    link.send(b"undo".as_slice().into());
    let (done, result) = std::sync::mpsc::channel();
    let undo = Steps(move |_, link: &mut Link| {
        if link.is_eof() {
            done.send(link.received().split()).unwrap();
            return Step::Done(());
        }
        wait(true, LONG)
    });
    crate::adapter::finish_in_background(undo, link, Some(ours), None);
    let mut said = [0; 4];
    theirs.read_exact(&mut said).unwrap();
    theirs.write_all(b"undone").unwrap();
    drop(theirs);
    assert_eq!((&said, &result.recv().unwrap()[..]), (b"undo", &b"undone"[..]));
}

#[test]
fn a_wait_is_rounded_up_and_never_too_long_for_the_system() {
    let millis = |wait| {
        let Timespec { tv_sec, tv_nsec } = span(wait);
        (tv_sec, tv_nsec)
    };
    assert_eq!(millis(Duration::ZERO), (0, 0));
    assert_eq!(millis(Duration::from_nanos(1)), (0, 1_000_000));
    assert_eq!(millis(Duration::from_millis(1500)), (1, 500_000_000));
    assert_eq!(millis(Duration::MAX), (86_400, 0));
}
