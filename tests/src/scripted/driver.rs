//! The loop that every runtime has, with a clock that jumps.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, Error, Kept, Link, Need, Op, Step};

use super::attended::{self, Rung};
use super::{Clock, Connection, MOST_BYTES, MOST_POLLS, Scripted, Sent, locked};

/// Bytes per read where they are not cut.
const READ_BYTES: usize = 64 * 1024;
/// Reads between two polls where bytes are not cut: a poll must see bounded input, as on a socket.
const READS: usize = 4;

/// What a poll takes.
const TICK: Duration = Duration::from_micros(1);

/// How long real connections are left alone before they are looked at again.
pub(super) const LOOK: Duration = Duration::from_micros(500);

/// How long, in real time, another thread may take to wake a call that nothing else can end.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) type Socket = Option<Box<dyn Connection>>;

/// The connections of one call.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) here: Socket,
    pub(super) aside: Socket,
}

pub(super) fn drive<O: Op>(runtime: &Scripted, mut op: O) -> Result<O::Output, Error> {
    let mut link = Link::default();
    let mut sockets = Sockets::default();
    let rung = Arc::new(Rung::default());
    let waker = Waker::from(Arc::clone(&rung));
    let abandon_after = runtime.world().abandon_after.take();
    let mut abandoned = false;
    let before = runtime.world().received;
    for poll in 0..MOST_POLLS {
        if abandon_after == Some(poll) {
            abandoned = true;
            if !op.abandon() {
                return Err(Error::Misuse("abandoned, with nothing to be undone".to_owned()));
            }
        }
        if runtime.world().received - before > MOST_BYTES {
            let text = format!("the operation did not end within {MOST_BYTES} bytes");
            return Err(Error::Misuse(text));
        }
        runtime.tick();
        rung.clear();
        link.lend(&waker);
        let step = attended::polling(runtime, || op.poll(runtime.now(), &mut link));
        if !link.is_open() {
            sockets.here = None;
        }
        let step = match step {
            Ok(Step::Need(need)) => runtime.give(need, &mut link, &mut sockets, &rung).map(|()| None),
            Ok(Step::Done(value)) => Ok(Some(value)),
            Err(error) => Err(error),
        };
        let outcome = match step {
            Ok(None) => continue,
            Ok(Some(value)) => Ok(value),
            Err(error) => Err(error),
        };
        if abandoned {
            runtime.world().finished.push(outcome.err());
            return Err(Error::Misuse("abandoned, and finished in the background".to_owned()));
        }
        return outcome;
    }
    Err(Error::Misuse(format!(
        "the operation did not end within {MOST_POLLS} polls"
    )))
}

impl Scripted {
    /// A poll takes time too, lest a peer that never stops could stop the clock.
    pub(super) fn tick(&self) {
        let mut world = self.world();
        world.polls += 1;
        world.elapsed = match self.0.clock {
            Clock::Fake => world.elapsed + TICK,
            Clock::Real => world.elapsed.max(self.0.start.elapsed()),
        };
    }

    /// Does what an operation needs.
    fn give(&self, need: Need, link: &mut Link, sockets: &mut Sockets, rung: &Rung) -> Result<(), Error> {
        match need {
            Need::Dial { at, until } => {
                if !self.dial(&at, link, sockets) {
                    self.jump(until.saturating_duration_since(self.0.start));
                    link.dial_failed(ErrorKind::TimedOut);
                }
            }
            Need::Swap => {
                link.swap();
                std::mem::swap(&mut sockets.here, &mut sockets.aside);
            }
            Need::Keep(slot) => {
                if let Some(connection) = sockets.here.take() {
                    slot.put(self.keep(connection));
                }
                link.hang_up();
            }
            Need::Wait { read, until } => return self.rest(read, until, link, sockets, rung),
        }
        Ok(())
    }

    /// Dials; whether that had an outcome. If not, the peer leaves us waiting.
    pub(super) fn dial(&self, at: &Endpoint, link: &mut Link, sockets: &mut Sockets) -> bool {
        sockets.here = None;
        match locked(&self.0.peer).connect(at, self.elapsed()) {
            Ok(connection) => {
                sockets.here = Some(connection);
                link.dialled();
            }
            Err(ErrorKind::WouldBlock) => return false,
            Err(why) => link.dial_failed(why),
        }
        true
    }

    /// Waits until there is a reason to poll a call.
    fn rest(
        &self,
        read: bool,
        until: Option<Instant>,
        link: &mut Link,
        sockets: &mut Sockets,
        rung: &Rung,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        for _ in 0..MOST_POLLS {
            let looked = self.elapsed();
            let moved = sockets
                .here
                .as_mut()
                .is_some_and(|socket| self.pump(read, link, socket.as_mut()));
            let beside = attended::turn(self);
            if moved || rung.is_set() || self.world().cutter.is_spurious() {
                return Ok(());
            }
            if !link.is_watched() && self.attended() == 0 {
                return self.wait(read, until, looked);
            }
            if until.is_some_and(|until| until <= self.now()) {
                return Ok(());
            }
            if beside {
                continue;
            }
            if self.0.clock == Clock::Real {
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                self.look(left.unwrap_or(LOOK));
            } else if attended::is_elsewhere(self) {
                std::thread::yield_now();
            } else if let Some(next) = self.next(until, looked) {
                self.jump(next);
            } else if link.is_watched() && begun.elapsed() < PATIENCE {
                std::thread::sleep(LOOK);
            } else {
                return self.wait(read, until, looked);
            }
        }
        let text = format!("nothing moved the operation within {MOST_POLLS} rounds");
        Err(Error::Misuse(text))
    }

    /// When anything happens next: to this call, to what is attended, or to the peer.
    pub(super) fn next(&self, until: Option<Instant>, looked: Duration) -> Option<Duration> {
        let ours = until.into_iter().chain(attended::until(self)).min();
        let ours = ours.map(|until| until.saturating_duration_since(self.0.start));
        ours.into_iter().chain(locked(&self.0.peer).next_event(looked)).min()
    }

    /// Moves bytes both ways; whether any moved.
    pub(super) fn pump(&self, read: bool, link: &mut Link, socket: &mut dyn Connection) -> bool {
        let mut moved = false;
        for _ in 0..READS {
            let wrote = self.write(link, socket);
            let got = read && self.read(link, socket);
            moved |= wrote || got;
            if !(wrote || got) || !self.world().cutter.is_whole() {
                break;
            }
        }
        moved
    }

    fn write(&self, link: &mut Link, socket: &mut dyn Connection) -> bool {
        let now = self.elapsed();
        let mut moved = false;
        if link.has_pending() {
            let count = self.world().cutter.size().min(link.outgoing().len());
            match socket.receive(now, &link.outgoing()[..count]) {
                Ok(taken) => {
                    link.sent(taken);
                    moved = taken > 0;
                }
                Err(why) => {
                    link.end_sending(why);
                    moved = true;
                }
            }
        }
        if link.take_finish() {
            socket.finish(now);
            moved = true;
        }
        moved
    }

    fn read(&self, link: &mut Link, socket: &mut dyn Connection) -> bool {
        if link.is_eof() {
            return false;
        }
        let limit = self.world().cutter.size().min(READ_BYTES);
        match socket.send(self.elapsed(), limit) {
            Sent::Bytes(bytes) => {
                let space = link.space();
                space.extend_from_slice(&bytes);
                let held = space.capacity();
                let mut world = self.world();
                world.received += bytes.len() as u64;
                world.most_received = world.most_received.max(held);
                true
            }
            Sent::Nothing => false,
            Sent::Eof => {
                link.end_received(None);
                true
            }
            Sent::Broken(why) => {
                link.end_received(Some(why));
                true
            }
        }
    }

    /// Nothing moved: lets the clock jump to what comes next. Another thread may have moved the clock since this one
    /// `looked`, and past what this one waits for.
    fn wait(&self, read: bool, until: Option<Instant>, looked: Duration) -> Result<(), Error> {
        if self.0.clock == Clock::Real {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            self.look(left.unwrap_or(LOOK));
            return Ok(());
        }
        let Some(next) = self.next(until, looked) else {
            let wish = if read {
                "it waits for bytes"
            } else {
                "it wants to send only"
            };
            let beside = match self.attended() {
                0 => String::new(),
                some => format!(", {some} attended operation(s) neither"),
            };
            return Err(Error::Misuse(format!(
                "the operation is stuck at {looked:?}: {wish}, has no deadline, and the peer will never move{beside}"
            )));
        };
        self.jump(next);
        Ok(())
    }

    /// Leaves real connections alone for a moment.
    pub(super) fn look(&self, left: Duration) {
        std::thread::sleep(left.min(LOOK));
        self.jump(self.0.start.elapsed());
    }

    /// The clock never goes backwards.
    pub(super) fn jump(&self, to: Duration) {
        let mut world = self.world();
        world.elapsed = world.elapsed.max(to);
    }
}

impl Scripted {
    /// What is kept of a connection that outlives its call.
    pub(super) fn keep(&self, connection: Box<dyn Connection>) -> Box<dyn Kept> {
        let (runtime, connection) = (self.clone(), Mutex::new(connection));
        Box::new(Held { runtime, connection })
    }
}

struct Held {
    runtime: Scripted,
    connection: Mutex<Box<dyn Connection>>,
}

impl Kept for Held {
    fn is_closed(&self) -> bool {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(connection.send(self.runtime.elapsed(), 1), Sent::Eof | Sent::Broken(_))
    }
}
