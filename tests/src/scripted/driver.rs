//! The loop that every runtime has, with a clock that jumps.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use pocket_dock_core::{Error, Link, Need, Op, Step};

use super::{Clock, Connection, MOST_BYTES, MOST_POLLS, Scripted, Sent, locked};

/// Bytes per read where they are not cut.
const READ_BYTES: usize = 64 * 1024;
/// Reads between two polls where bytes are not cut: a poll must see bounded input, as on a socket.
const READS: usize = 4;

/// What a poll takes.
const TICK: Duration = Duration::from_micros(1);

/// How long real connections are left alone before they are looked at again.
const LOOK: Duration = Duration::from_micros(500);

type Socket = Option<Box<dyn Connection>>;

/// The connections of one call.
#[derive(Default)]
struct Sockets {
    here: Socket,
    aside: Socket,
}

pub(super) fn drive<O: Op>(runtime: &Scripted, mut op: O) -> Result<O::Output, Error> {
    let mut link = Link::default();
    let mut sockets = Sockets::default();
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
        let step = op.poll(runtime.now(), &mut link);
        if !link.is_open() {
            sockets.here = None;
        }
        let step = match step {
            Ok(Step::Need(need)) => runtime.give(need, &mut link, &mut sockets).map(|()| None),
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
    fn tick(&self) {
        let mut world = self.world();
        world.polls += 1;
        world.elapsed = match self.0.clock {
            Clock::Fake => world.elapsed + TICK,
            Clock::Real => world.elapsed.max(self.0.start.elapsed()),
        };
    }

    /// Does what an operation needs.
    fn give(&self, need: Need, link: &mut Link, sockets: &mut Sockets) -> Result<(), Error> {
        match need {
            Need::Dial { at, until } => {
                sockets.here = None;
                let outcome = locked(&self.0.peer).connect(&at, self.elapsed());
                match outcome {
                    Ok(connection) => {
                        sockets.here = Some(connection);
                        link.dialled();
                    }
                    Err(ErrorKind::WouldBlock) => {
                        self.jump(until.saturating_duration_since(self.0.start));
                        link.dial_failed(ErrorKind::TimedOut);
                    }
                    Err(why) => link.dial_failed(why),
                }
            }
            Need::Swap => {
                link.swap();
                std::mem::swap(&mut sockets.here, &mut sockets.aside);
            }
            Need::Keep(slot) => {
                if let Some(connection) = sockets.here.take() {
                    slot.put(connection);
                }
                link.hang_up();
            }
            Need::Wait { read, until } => {
                let looked = self.elapsed();
                let moved = sockets
                    .here
                    .as_mut()
                    .is_some_and(|socket| self.pump(read, link, socket.as_mut()));
                if !moved && !self.world().cutter.is_spurious() {
                    self.wait(read, until, looked)?;
                }
            }
        }
        Ok(())
    }

    /// Moves bytes both ways; whether any moved.
    fn pump(&self, read: bool, link: &mut Link, socket: &mut dyn Connection) -> bool {
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
            self.pause(left.unwrap_or(LOOK).min(LOOK));
            return Ok(());
        }
        let ours = until.map(|until| until.saturating_duration_since(self.0.start));
        let theirs = locked(&self.0.peer).next_event(looked);
        let Some(next) = ours.into_iter().chain(theirs).min() else {
            let wish = if read {
                "it waits for bytes"
            } else {
                "it wants to send only"
            };
            return Err(Error::Misuse(format!(
                "the operation is stuck at {looked:?}: {wish}, has no deadline, and the peer will never move"
            )));
        };
        self.jump(next);
        Ok(())
    }

    /// The clock never goes backwards.
    pub(super) fn jump(&self, to: Duration) {
        let mut world = self.world();
        world.elapsed = world.elapsed.max(to);
    }
}
