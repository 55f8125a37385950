use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::task::Waker;
use std::time::Duration;

use pocket_dock_core::{Need, SocketError, Step};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::Driving;

const LONG: Duration = Duration::from_secs(30);

/// Dials and waits to be told something, until its time is over. Undone, it says so.
struct Waits {
    at: Endpoint,
    until: Instant,
    dialled: bool,
    abandoned: bool,
    undone: mpsc::Sender<()>,
}

impl Op for Waits {
    type Output = Instant;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Instant>, Error> {
        let (at, until) = (self.at.clone(), self.until);
        if self.abandoned {
            let _ = self.undone.send(());
            return Ok(Step::Done(now));
        }
        if let Some(why) = link.take_dial_failure() {
            let endpoint = at;
            return Err(SocketError::Connect { endpoint, why }.into());
        }
        if link.is_eof() {
            let (what, why) = ("wait", link.failure().unwrap_or(ErrorKind::UnexpectedEof));
            return Err(SocketError::Broken { what, why }.into());
        }
        Ok(match std::mem::replace(&mut self.dialled, true) {
            false => Step::Need(Need::Dial { at, until }),
            true if now >= until => Step::Done(now),
            true => Step::Need(Need::Wait {
                read: true,
                until: Some(until),
            }),
        })
    }

    fn abandon(&mut self) -> bool {
        self.abandoned = true;
        true
    }
}

/// A peer that says nothing.
struct Silent {
    path: PathBuf,
    _listener: UnixListener,
    undone: mpsc::Receiver<()>,
    tell: mpsc::Sender<()>,
}

impl Silent {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pocket-dock-tokio-{}-{name}.sock", std::process::id()));
        let (tell, undone) = mpsc::channel();
        Self {
            _listener: UnixListener::bind(&path).unwrap(),
            path,
            undone,
            tell,
        }
    }

    fn call(&self, limit: Duration) -> Driving<Waits> {
        Driving::new(
            Tokio,
            Waits {
                at: Endpoint::unix(&self.path),
                until: Instant::now() + limit,
                dialled: false,
                abandoned: false,
                undone: self.tell.clone(),
            },
        )
    }

    fn is_undone(&self) -> bool {
        self.undone.recv_timeout(LONG).is_ok()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn poll_once(call: &mut Driving<Waits>) -> Poll<Result<Instant, Error>> {
    Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn outside_of_a_runtime_it_is_a_misuse_and_no_panic() {
    let silent = Silent::new("outside");
    let mut call = silent.call(LONG);
    let Poll::Ready(Err(Error::Misuse(text))) = poll_once(&mut call) else {
        panic!("it was polled");
    };
    assert!(
        text.contains("#[tokio::main]") && text.contains("pocket-dock-smol"),
        "{text}"
    );
    assert!(silent.is_undone());
}

#[test]
fn a_runtime_that_lacks_a_driver_is_told_from_an_engine_that_is_not_there() {
    let silent = Silent::new("lacks");
    let without_io = Builder::new_current_thread().enable_time().build().unwrap();
    let error = without_io.block_on(silent.call(LONG)).unwrap_err();
    let unsupported = matches!(
        error,
        Error::Socket(SocketError::Connect {
            why: ErrorKind::Unsupported,
            ..
        })
    );
    assert!(unsupported, "{error}");
    // What a call makes of it.
    let options = pocket_dock_core::Options::new().socket(&silent.path);
    let error = without_io
        .block_on(crate::Engine::connect_with(Tokio, options))
        .unwrap_err();
    assert!(
        matches!(&error, Error::Misuse(text) if text.contains("enable_all")),
        "{error}"
    );
    let without_time = Builder::new_current_thread().enable_io().build().unwrap();
    let error = without_time.block_on(silent.call(LONG)).unwrap_err();
    assert!(
        matches!(&error, Error::Misuse(text) if text.contains("enable_all")),
        "{error}"
    );
}

#[test]
fn a_call_that_outlives_its_runtime_ends_with_an_error() {
    let silent = Silent::new("outlives");
    let mut call = silent.call(LONG);
    let first = runtime();
    first.block_on(async { assert!(poll_once(&mut call).is_pending()) });
    drop(first);
    let second = runtime();
    assert!(second.block_on(call).is_err());
}

#[test]
fn a_runtime_that_shuts_down_leaves_the_undoing_to_the_background() {
    for runtime in [runtime(), Builder::new_multi_thread().enable_all().build().unwrap()] {
        let silent = Silent::new(&format!("shuts-{:?}", runtime.metrics().num_workers()));
        let (begun, call) = (Instant::now(), silent.call(LONG));
        let (polled, is_polled) = mpsc::channel();
        runtime.spawn(async move {
            let mut call = call;
            std::future::poll_fn(|cx| {
                let poll = Pin::new(&mut call).poll(cx);
                let _ = polled.send(());
                poll
            })
            .await
        });
        runtime.block_on(async {
            while is_polled.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
        });
        drop(runtime);
        assert!(silent.is_undone() && begun.elapsed() < LONG);
    }
}

#[test]
fn a_clock_that_a_test_has_paused_is_the_one_that_counts() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let silent = Silent::new("paused");
    let begun = Instant::now();
    let hour = Duration::from_secs(3600);
    let ended = runtime.block_on(silent.call(hour)).unwrap();
    assert!(ended >= begun + hour && begun.elapsed() < LONG);
}

#[test]
fn calls_and_what_they_give_can_be_sent_anywhere() {
    fn sent<T: Send + Unpin + 'static>() {}
    fn shared<T: Send + Sync + Unpin + 'static>() {}
    sent::<Driving<pocket_dock_core::Run>>();
    sent::<Driving<pocket_dock_core::Connecting<Tokio>>>();
    shared::<crate::Engine>();
    shared::<crate::Container>();
}
