//! Operations driven by hand, three at once on one thread: `cargo run -p pocket-dock-blocking --example by_hand -- IMAGE`.
//!
//! A runtime whose calls give the operation itself, and a plain loop over `poll(2)`. With another loop of your own, be it
//! that of mio, of a game or of an embedded system, everything but [`drive_all`] stays as it is.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use pocket_dock_blocking::core::{Engine, Host, Link, Need, Op, Runtime, Step};
use pocket_dock_blocking::{ContainerSpec, Error, StdHost, adapter};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A call gives the operation itself: it is for the caller to drive.
#[derive(Debug, Clone, Copy, Default)]
struct ByHand;

impl Runtime for ByHand {
    type Returns<O: Op> = O;

    fn drive<O: Op>(&self, op: O) -> O {
        op
    }

    // What nobody waits for could be more operations of a loop that never ends. Here it is left to the threads that do
    // this for every runtime: what a dropped container leaves, what gathers output beside calls, and callbacks.

    fn finish<O: Op>(&self, op: O) {
        adapter::finish_in_background(op, Link::default(), None, None);
    }

    fn attend<O: Op>(&self, op: O) {
        adapter::attend(op);
    }

    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        adapter::offload(job);
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(StdHost)
    }
}

/// Ends the sleep in `poll(2)` when an operation is woken, from whatever thread: two sockets, one in the list.
struct Bell {
    near: UnixStream,
    far: UnixStream,
}

impl Bell {
    fn new() -> Result<Arc<Self>, Error> {
        let failed = |error: std::io::Error| Error::Misuse(error.to_string());
        let (near, far) = UnixStream::pair().map_err(failed)?;
        for socket in [&near, &far] {
            socket.set_nonblocking(true).map_err(failed)?;
        }
        Ok(Arc::new(Self { near, far }))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = adapter::send(&self.near, b"!"); // where it is full, it has rung
    }
}

/// An operation and its connections.
struct Driven<O> {
    op: O,
    link: Link,
    socket: Option<UnixStream>,
    aside: Option<UnixStream>,
}

/// How far an operation came.
enum Turn<T> {
    Ended(T),
    /// Nothing can be moved now. Whether bytes are wanted, and when to go on at the latest.
    Waits(bool, Option<Instant>),
}

impl<O: Op> Driven<O> {
    fn new(op: O) -> Self {
        Self {
            op,
            link: Link::default(),
            socket: None,
            aside: None,
        }
    }

    /// Goes on as far as it can without waiting.
    fn turn(&mut self, waker: &Waker) -> Result<Turn<O::Output>, Error> {
        loop {
            self.link.lend(waker);
            let step = self.op.poll(Instant::now(), &mut self.link)?;
            if !self.link.is_open() {
                self.socket = None; // it hung up
            }
            match step {
                Step::Done(output) => return Ok(Turn::Ended(output)),
                Step::Need(Need::Dial { at, until }) => {
                    self.socket = None;
                    match adapter::connect(&at) {
                        Ok(socket) => {
                            self.socket = Some(socket);
                            self.link.dialled();
                        }
                        // The engine's queue is full: the operation, not told of anything, asks again.
                        Err(ErrorKind::WouldBlock) if Instant::now() < until => {
                            return Ok(Turn::Waits(false, Some(Instant::now() + Duration::from_millis(5))));
                        }
                        Err(why) => self.link.dial_failed(why),
                    }
                }
                Step::Need(Need::Swap) => {
                    self.link.swap();
                    std::mem::swap(&mut self.socket, &mut self.aside);
                }
                Step::Need(Need::Keep(slot)) => {
                    if let Some(socket) = self.socket.take() {
                        slot.put(adapter::keep(socket));
                    }
                    self.link.hang_up();
                }
                Step::Need(Need::Wait { read, until }) => {
                    let sent = self.send();
                    let received = read && self.receive();
                    if !sent && !received {
                        return Ok(Turn::Waits(read, until));
                    }
                }
            }
        }
    }

    /// Whether anything was sent, or it turned out that nothing can be.
    fn send(&mut self) -> bool {
        let Some(socket) = &self.socket else { return false };
        let mut moved = false;
        if self.link.has_pending() {
            match adapter::send(socket, self.link.outgoing()) {
                Ok(count) => self.link.sent(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => self.link.end_sending(error.kind()),
            }
            moved = true;
        }
        if self.link.take_finish() {
            if let Err(error) = adapter::finish_sending(socket) {
                self.link.end_sending(error.kind());
            }
            moved = true;
        }
        moved
    }

    /// Whether anything was received, an end included.
    fn receive(&mut self) -> bool {
        let Some(socket) = self.socket.as_ref().filter(|_| !self.link.is_eof()) else {
            return false;
        };
        let mut buffer = [0; 16384];
        match adapter::receive(socket, &mut buffer) {
            Ok(0) => self.link.end_received(None),
            Ok(count) => self.link.space().extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => self.link.end_received(Some(error.kind())),
        }
        true
    }
}

/// Drives all of these to their ends, on this thread.
fn drive_all<O: Op>(ops: Vec<O>) -> Vec<Result<O::Output, Error>> {
    let bell = match Bell::new() {
        Ok(bell) => bell,
        Err(error) => return vec![Err(error)],
    };
    let waker = Waker::from(Arc::clone(&bell));
    let mut driven: Vec<Driven<O>> = ops.into_iter().map(Driven::new).collect();
    let mut results: Vec<Option<Result<O::Output, Error>>> = driven.iter().map(|_| None).collect();
    loop {
        // Before the operations are asked: what rings from here on is not lost.
        while let Ok(1..) = adapter::receive(&bell.far, &mut [0; 64]) {}
        let mut waits = Vec::new();
        for (one, result) in driven.iter_mut().zip(&mut results) {
            if result.is_some() {
                continue;
            }
            match one.turn(&waker) {
                Ok(Turn::Ended(output)) => *result = Some(Ok(output)),
                Ok(Turn::Waits(read, until)) => waits.push((&*one, read, until)),
                Err(error) => *result = Some(Err(error)),
            }
        }
        if waits.is_empty() {
            return results.into_iter().flatten().collect();
        }
        let mut wanted = vec![PollFd::new(&bell.far, PollFlags::IN)];
        for (one, read, _) in &waits {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, *read && !one.link.is_eof());
            flags.set(PollFlags::OUT, one.link.has_pending());
            // A socket of which nothing is wanted stays out: its end would wake us again and again.
            if let (Some(socket), false) = (&one.socket, flags.is_empty()) {
                wanted.push(PollFd::new(socket, flags));
            }
        }
        let next = waits.iter().filter_map(|(_, _, until)| *until).min();
        let left = next.map(|next| next.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let _ = poll(&mut wanted, timeout.as_ref()); // whatever it says, everyone is asked again
    }
}

fn drive<O: Op>(op: O) -> Result<O::Output, Error> {
    let ended = drive_all(vec![op]).pop();
    ended.unwrap_or_else(|| Err(Error::Misuse("nothing was driven".to_owned())))
}

fn main() -> Result<(), Error> {
    let image = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "pocket-dock/minimal".to_owned());
    let engine = drive(Engine::<ByHand>::connect())?;
    let sandbox = drive(engine.create(ContainerSpec::new(image)))?;
    let begun = Instant::now();
    let runs = ["sleep 1; echo one", "sleep 1; echo two", "sleep 1; echo three"];
    for result in drive_all(runs.map(|run| sandbox.run(run)).into()) {
        print!("{}", result?.stdout_text());
    }
    println!("three seconds of sleep in {:.1} s", begun.elapsed().as_secs_f32());
    drive(sandbox.shutdown())
}
