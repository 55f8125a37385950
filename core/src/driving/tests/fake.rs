//! A reactor whose clock, peers and wake-ups are a test's.

use std::collections::VecDeque;
use std::sync::{PoisonError, Weak};

use super::*;

/// How often a task was woken.
pub(super) struct Wakes(Arc<Count>);

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.0));
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }

    pub(super) fn count(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(super) fn take(&self) -> usize {
        self.0.0.swap(0, Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The other end of a connection.
#[derive(Clone)]
pub(super) struct Peer(Arc<Mutex<Connection>>);

#[derive(Default)]
struct Connection {
    said: VecDeque<u8>,
    ended: bool,
    endless: bool,
    reads: usize,
    reader: Option<Waker>,
    heard: Vec<u8>,
    room: usize,
    writer: Option<Waker>,
    finished: bool,
    closed: bool,
}

impl Peer {
    fn at(&self) -> MutexGuard<'_, Connection> {
        lock(&self.0)
    }

    pub(super) fn say(&self, data: &[u8]) {
        self.at().said.extend(data);
        wake(&mut self.at().reader);
    }

    pub(super) fn end(&self) {
        self.at().ended = true;
        wake(&mut self.at().reader);
    }

    pub(super) fn never_stop(&self) {
        self.at().endless = true;
        wake(&mut self.at().reader);
    }

    pub(super) fn room(&self, room: usize) {
        self.at().room = room;
        wake(&mut self.at().writer);
    }

    pub(super) fn output(&self) -> Vec<u8> {
        self.at().heard.clone()
    }

    pub(super) fn unread(&self) -> usize {
        self.at().said.len()
    }

    pub(super) fn reads(&self) -> usize {
        self.at().reads
    }

    /// Whether it is waited for to read, and to write.
    pub(super) fn waits(&self) -> (bool, bool) {
        let connection = self.at();
        (connection.reader.is_some(), connection.writer.is_some())
    }

    pub(super) fn is_finished(&self) -> bool {
        self.at().finished
    }

    pub(super) fn is_closed(&self) -> bool {
        self.at().closed
    }
}

pub(super) struct Socket(Peer);

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.at().closed = true;
    }
}

pub(super) struct Timer(Arc<Mutex<Alarm>>);

struct Alarm {
    at: Instant,
    rung: bool,
    waker: Option<Waker>,
}

/// What a dropped call left.
pub(super) struct Taken {
    pub(super) socket: bool,
    pub(super) aside: bool,
    pub(super) pending: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<World>>);

struct World {
    now: Instant,
    shut: bool,
    queue: VecDeque<ErrorKind>,
    room: usize,
    connects: usize,
    peers: Vec<Peer>,
    timers: Vec<Weak<Mutex<Alarm>>>,
    made: usize,
    taken: Vec<Taken>,
}

impl Fake {
    #[expect(
        clippy::disallowed_methods,
        reason = "a clock begins somewhere; from here on it is the test's"
    )]
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            now: Instant::now(),
            shut: false,
            queue: VecDeque::new(),
            room: usize::MAX,
            connects: 0,
            peers: Vec::new(),
            timers: Vec::new(),
            made: 0,
            taken: Vec::new(),
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.0)
    }

    pub(super) fn after(&self, millis: u64) -> Instant {
        self.world().now + Duration::from_millis(millis)
    }

    /// Time passes, and timers ring.
    pub(super) fn pass(&self, millis: u64) {
        let now = self.after(millis);
        self.world().now = now;
        self.ring(|at| at <= now);
    }

    pub(super) fn ring_all(&self) {
        self.ring(|_| true);
    }

    fn ring(&self, due: impl Fn(Instant) -> bool) {
        for alarm in self.alarms() {
            let mut alarm = lock(&alarm);
            if due(alarm.at) {
                alarm.rung = true;
                wake(&mut alarm.waker);
            }
        }
    }

    fn alarms(&self) -> Vec<Arc<Mutex<Alarm>>> {
        self.world().timers.iter().filter_map(Weak::upgrade).collect()
    }

    /// Timers that somebody waits for.
    pub(super) fn timers(&self) -> usize {
        self.alarms().iter().filter(|alarm| lock(alarm).waker.is_some()).count()
    }

    /// Timers that were made so far.
    pub(super) fn made(&self) -> usize {
        self.world().made
    }

    /// What the next tries to connect give.
    pub(super) fn queue(&self, failures: impl IntoIterator<Item = ErrorKind>) {
        self.world().queue.extend(failures);
    }

    /// What later connections take of what is written.
    pub(super) fn room(&self, room: usize) {
        self.world().room = room;
    }

    pub(super) fn connects(&self) -> usize {
        self.world().connects
    }

    pub(super) fn peers(&self) -> usize {
        self.world().peers.len()
    }

    pub(super) fn peer(&self, number: usize) -> Peer {
        self.world().peers[number].clone()
    }

    /// The latest peer.
    pub(super) fn here(&self) -> Peer {
        self.peer(self.peers() - 1)
    }

    /// From now on no future can be polled here.
    pub(super) fn shut(&self) {
        self.world().shut = true;
    }

    pub(super) fn taken_over(&self) -> Vec<Taken> {
        std::mem::take(&mut self.world().taken)
    }
}

impl Kept for Socket {
    fn is_closed(&self) -> bool {
        self.0.at().ended
    }
}

impl Reactor for Fake {
    type Socket = Socket;
    type Timer = Timer;

    fn enter(&self) -> Result<(), Error> {
        if self.world().shut {
            return Err(Error::misuse("the reactor is shut"));
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.world().now
    }

    fn connect(&self, _: &Endpoint) -> Result<Socket, ErrorKind> {
        let mut world = self.world();
        world.connects += 1;
        if let Some(failure) = world.queue.pop_front() {
            return Err(failure);
        }
        let room = world.room;
        let connection = Connection {
            room,
            ..Connection::default()
        };
        let peer = Peer(Arc::new(Mutex::new(connection)));
        world.peers.push(peer.clone());
        Ok(Socket(peer))
    }

    fn poll_read(
        &self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, ErrorKind>> {
        let mut peer = socket.0.at();
        peer.reads += 1;
        assert!(!buffer.is_empty());
        if peer.endless {
            return Poll::Ready(Ok(buffer.len()));
        }
        let count = peer.said.len().min(buffer.len());
        if count == 0 && !peer.ended {
            peer.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (place, byte) in buffer.iter_mut().zip(peer.said.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&self, socket: &mut Socket, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, ErrorKind>> {
        let mut peer = socket.0.at();
        let count = peer.room.min(data.len());
        if count == 0 {
            peer.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        peer.room -= count;
        peer.heard.extend_from_slice(&data[..count]);
        Poll::Ready(Ok(count))
    }

    fn finish_sending(&self, socket: &mut Socket) -> Result<(), ErrorKind> {
        socket.0.at().finished = true;
        Ok(())
    }

    fn keep(&self, socket: Socket) -> Option<Box<dyn Kept>> {
        Some(Box::new(socket))
    }

    fn timer(&self, at: Instant) -> Result<Timer, Error> {
        let alarm = Arc::new(Mutex::new(Alarm {
            at,
            rung: at <= self.now(),
            waker: None,
        }));
        let mut world = self.world();
        world.made += 1;
        world.timers.push(Arc::downgrade(&alarm));
        Ok(Timer(alarm))
    }

    fn poll_timer(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut alarm = lock(&timer.0);
        if alarm.rung {
            return Poll::Ready(Ok(()));
        }
        alarm.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn take_over<O: Op>(&self, _: O, link: Link, socket: Option<Socket>, aside: Option<Socket>) {
        let taken = Taken {
            socket: socket.is_some(),
            aside: aside.is_some(),
            pending: link.outgoing().to_vec(),
        };
        self.world().taken.push(taken);
    }
}
