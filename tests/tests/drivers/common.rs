//! Operations and peers of which the cases are made.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Error, Link, Need, Op, Runtime, Step};
use pocket_dock_tests::suite::Adapter;

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// An operation made of a closure.
pub(crate) struct Steps<F> {
    steps: F,
    pub(crate) undo: bool,
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

pub(crate) fn steps<T: Send, F>(steps: F) -> Steps<F>
where
    F: FnMut(Instant, &mut Link) -> Step<T> + Send + Unpin + 'static,
{
    Steps { steps, undo: false }
}

pub(crate) fn run<A: Adapter, O: Op>(executor: &A, op: O) -> Result<O::Output, Error> {
    executor.wait(executor.runtime().drive(op))
}

/// A socket's path that is removed in the end.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pocket-dock-drivers-{}-{number}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn serve(&self, peers: usize, peer: fn(UnixStream)) -> JoinHandle<()> {
        let listener = UnixListener::bind(&self.0).unwrap();
        std::thread::spawn(move || {
            let threads: Vec<_> = (0..peers)
                .map(|_| {
                    let socket = listener.accept().unwrap().0;
                    std::thread::spawn(move || peer(socket))
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        })
    }

    pub(crate) fn dial<T>(&self, limit: Duration) -> Step<T> {
        Need::Dial {
            at: Endpoint::unix(&self.0),
            until: Instant::now() + limit,
        }
        .into()
    }

    /// Dials, sends, and reads to the end: how much came, and the failure.
    pub(crate) fn talk(&self, data: Vec<u8>) -> impl Op<Output = (usize, Option<ErrorKind>)> + use<> {
        let (mut dial, mut data, mut got) = (Some(self.dial(LONG)), Some(data), 0);
        let limit = Instant::now() + LONG;
        steps(move |now, link| {
            assert!(now < limit, "it is stuck");
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
            got += link.received().split().len();
            if link.is_eof() {
                return Step::Done((got, link.failure()));
            }
            wait(true, LONG)
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

pub(crate) fn wait<T>(read: bool, limit: Duration) -> Step<T> {
    Need::Wait {
        read,
        until: Some(Instant::now() + limit),
    }
    .into()
}

/// Sends everything back, and stops reading while its own output is not taken.
pub(crate) fn echo(mut socket: UnixStream) {
    let mut buffer = vec![0; 65536];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        if socket.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// Each case on each runtime.
macro_rules! drivers {
    ($([$name:ident, $executor:expr]),*; $cases:tt) => {
        $(drivers!(@ $name, $executor, $cases);)*
    };
    (@ $name:ident, $executor:expr, [$($case:ident),* $(,)?]) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $case() {
                    super::$case(&$executor);
                }
            )*
        }
    };
}
pub(crate) use drivers;
