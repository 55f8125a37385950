use std::io::ErrorKind;
use std::sync::Mutex;
use std::task::Waker;
use std::time::SystemTime;

use super::*;
use crate::endpoint::Endpoint;
use crate::runtime::{Host, Owner};

const SOCKET: &str = "/run/ours/podman.sock";
const PONG: &[u8] = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 5.4.2\r\nServer: Libpod/5.4.2\r\n\
Content-Length: 2\r\n\r\nOK";

/// A machine without an engine, and with a program that starts one. Calls give the operation itself.
#[derive(Debug, Clone, Default)]
struct Machine(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    /// How often the service was asked whether it listens, and whether it has ended.
    asked: (usize, usize),
    /// What it answers at last, instead of that it listens.
    failure: Option<&'static str>,
    /// Whether it listens and does not speak.
    deaf: bool,
    finished: usize,
}

impl Service for Machine {
    fn poll_start(&mut self) -> Result<Option<Endpoint>, String> {
        let mut inside = self.0.lock().unwrap();
        inside.asked.0 += 1;
        match (inside.asked.0, inside.failure) {
            (..3, _) => Ok(None),
            (_, Some(failure)) => Err(failure.to_owned()),
            (_, None) => Ok(Some(Endpoint::unix(SOCKET))),
        }
    }

    fn poll_end(&mut self) -> bool {
        let mut inside = self.0.lock().unwrap();
        inside.asked.1 += 1;
        inside.asked.1 == 3
    }
}

impl Host for Machine {
    fn entropy(&self) -> [u8; 16] {
        [7; 16]
    }
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn launch(&self) -> Result<Option<Box<dyn Service>>, String> {
        Ok(Some(Box::new(self.clone())))
    }
    fn user_id(&self) -> u32 {
        0
    }
    fn owner(&self) -> Option<Owner> {
        None
    }
    fn lives(&self, _: &Owner) -> Option<bool> {
        None
    }
}

impl Runtime for Machine {
    type Returns<O: Op> = O;

    fn drive<O: Op>(&self, op: O) -> O {
        op
    }

    fn finish<O: Op>(&self, mut op: O) {
        assert!(Driver::new(self).go(&mut op, usize::MAX).unwrap().is_some());
        self.0.lock().unwrap().finished += 1;
    }

    fn attend<O: Op>(&self, mut op: O) {
        assert!(Driver::new(self).go(&mut op, usize::MAX).unwrap().is_some());
    }

    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(self.clone())
    }
}

struct Driver {
    machine: Machine,
    link: Link,
    now: Instant,
    rests: usize,
}

impl Driver {
    #[expect(
        clippy::disallowed_methods,
        reason = "a clock begins somewhere; from here on it is the test's"
    )]
    fn new(machine: &Machine) -> Self {
        Self {
            machine: machine.clone(),
            link: Link::default(),
            now: Instant::now(),
            rests: 0,
        }
    }

    /// Drives for so many polls.
    fn go<O: Op>(&mut self, op: &mut O, polls: usize) -> Result<Option<O::Output>, Error> {
        for _ in 0..polls {
            self.link.lend(Waker::noop());
            match op.poll(self.now, &mut self.link)? {
                Step::Done(value) => return Ok(Some(value)),
                Step::Need(Need::Dial { at, .. }) if at.path().to_str() == Some(SOCKET) => self.link.dialled(),
                Step::Need(Need::Dial { .. }) => self.link.dial_failed(ErrorKind::NotFound),
                Step::Need(Need::Wait { read: true, .. }) if self.machine.0.lock().unwrap().deaf => {
                    self.link.end_received(Some(ErrorKind::ConnectionReset));
                }
                Step::Need(Need::Wait { read: true, .. }) => self.link.space().extend_from_slice(PONG),
                Step::Need(Need::Wait { read: false, until }) => {
                    assert_eq!(until, Some(self.now + PAUSE));
                    self.now += PAUSE;
                    self.rests += 1;
                }
                Step::Need(other) => panic!("{other:?}"),
            }
        }
        Ok(None)
    }
}

fn connect(machine: &Machine) -> Connecting<Machine> {
    Engine::connect_with(machine.clone(), Options::new())
}

fn ended(machine: &Machine) -> bool {
    machine.0.lock().unwrap().asked.1 == 3 // and is not asked again
}

#[test]
fn an_engine_that_was_started_lives_as_long_as_anything_needs_it() {
    let machine = Machine::default();
    let mut driver = Driver::new(&machine);
    let engine = driver.go(&mut connect(&machine), 100).unwrap().unwrap();
    assert_eq!((engine.socket().path().to_str(), driver.rests), (Some(SOCKET), 2));
    let images = engine.images();
    drop(engine);
    assert!(!ended(&machine), "a call is under way");
    drop(images);
    assert!(ended(&machine));
    assert_eq!(machine.0.lock().unwrap().finished, 1);
}

#[test]
fn a_service_that_fails_is_quoted_and_ended() {
    for deaf in [false, true] {
        let machine = Machine::default();
        machine.0.lock().unwrap().failure = (!deaf).then_some("no space left");
        machine.0.lock().unwrap().deaf = deaf;
        let mut driver = Driver::new(&machine);
        let error = driver.go(&mut connect(&machine), 100).unwrap_err();
        if deaf {
            assert!(matches!(error, Error::Socket(SocketError::Broken { .. })), "{error}");
        } else {
            let text = error.to_string();
            assert!(
                text.contains("podman system service: no space left") && text.contains("docker.sock"),
                "{text}"
            );
        }
        assert!(ended(&machine));
    }
}

#[test]
fn a_dropped_connect_ends_what_it_started() {
    let mut undone = 0;
    for polls in 0..100 {
        let machine = Machine::default();
        let mut driver = Driver::new(&machine);
        let mut op = connect(&machine);
        if driver.go(&mut op, polls).unwrap().is_some() {
            assert!(undone > 3, "{undone}");
            return;
        }
        let started = machine.0.lock().unwrap().asked.0 > 0;
        assert_eq!(op.abandon(), started);
        if started {
            undone += 1;
            assert!(driver.go(&mut op, 100).is_err());
            assert!(ended(&machine));
        }
    }
    panic!("it never ended");
}
