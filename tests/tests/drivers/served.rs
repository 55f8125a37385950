//! A simulated engine at a real socket, in real time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pocket_dock_core::{Endpoint, EngineKind};
use pocket_dock_tests::scripted::{Connection, Peer as _, Sent};
use pocket_dock_tests::sim::Sim;

use crate::common::Place;

/// How long a connection on which nothing moves is left alone.
const LOOK: Duration = Duration::from_micros(500);

/// The engine, until this is dropped.
pub(crate) struct Served {
    pub(crate) sim: Sim,
    pub(crate) endpoint: Endpoint,
    place: Place,
    over: Arc<AtomicBool>,
}

impl Served {
    pub(crate) fn new(kind: EngineKind) -> Self {
        let (sim, place, over) = (Sim::new(kind), Place::new(), Arc::new(AtomicBool::new(false)));
        let (endpoint, begun) = (Endpoint::unix(&place.0), Instant::now());
        let listener = UnixListener::bind(&place.0).unwrap();
        let (mut peer, at, is_over) = (sim.clone(), endpoint.clone(), Arc::clone(&over));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let connection = peer.connect(&at, begun.elapsed()).unwrap();
                let socket = socket.unwrap();
                std::thread::spawn(move || carry(socket, connection, begun));
            }
        });
        Self {
            sim,
            endpoint,
            place,
            over,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(UnixStream::connect(&self.place.0)); // its thread waits for somebody
    }
}

/// Carries bytes both ways until the engine has ended the connection, or nobody is there to hear it.
fn carry(mut socket: UnixStream, mut connection: Box<dyn Connection>, begun: Instant) {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    let (mut heard, mut said) = (Vec::new(), Vec::new());
    let mut hears = true;
    loop {
        let mut moved = false;
        if hears && heard.is_empty() {
            match socket.read(&mut buffer) {
                Ok(0) => {
                    hears = false;
                    connection.finish(begun.elapsed());
                }
                Ok(count) => heard.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        if !heard.is_empty() {
            let taken = connection.receive(begun.elapsed(), &heard).unwrap_or(heard.len());
            heard.drain(..taken);
            moved |= taken > 0;
        }
        if said.is_empty() {
            match connection.send(begun.elapsed(), buffer.len()) {
                Sent::Bytes(bytes) => said = bytes,
                Sent::Nothing => {}
                Sent::Eof | Sent::Broken(_) => {
                    let _ = socket.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
        match socket.write(&said) {
            Ok(count) => {
                said.drain(..count);
                moved |= count > 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if !moved {
            std::thread::sleep(LOOK);
        }
    }
}
