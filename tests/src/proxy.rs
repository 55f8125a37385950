//! A proxy on a Unix socket between us and a real engine, with faults in what goes through it.
//!
//! ```text
//!   accept ──► up:   the caller's bytes ──► the engine      the first line of a request is compared with what is armed
//!          └─► down: the engine's bytes ──► the caller      the fault happens behind so many bytes, of head or body
//! ```
//! A fault that is armed happens on one connection, and then no more.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::scripted::locked;

/// What happens at the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both sides are closed.
    Cut,
    /// The same with bytes of the caller unread, which the system tells it as a reset. In a request only.
    Reset,
    /// The caller reads an end, and may go on sending.
    HalfClose,
    /// Nothing goes through for so long: less than the caller waits for, or more.
    Delay(Duration),
    /// One byte at a time from here on.
    Trickle,
    /// What is read from here on at once is sent twice.
    Duplicate,
    /// One byte is another.
    Corrupt,
    /// Nothing goes through any more, either way.
    Silence,
}

/// Where the fault happens: behind so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Of the request, behind its first line.
    Request(usize),
    /// Of the head of the response.
    Head(usize),
    /// Of the body of the response.
    Body(usize),
}

/// A fault, and what it happens to: the first request whose first line has all these in it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// Where.
    pub place: Place,
    /// What the first line has in it.
    pub line: &'static [&'static str],
}

#[derive(Debug, Default)]
struct State {
    rule: Option<Rule>,
    happened: bool,
}

/// A proxy before an engine. It ends when it is dropped; connections end when either side closes them.
#[derive(Debug)]
pub struct Proxy {
    socket: PathBuf,
    state: Arc<Mutex<State>>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on `socket` for the engine that listens on `engine`.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(engine: &Path, socket: PathBuf) -> io::Result<Self> {
        let listener = UnixListener::bind(&socket)?;
        let (state, ended) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let (shared, over, engine) = (Arc::clone(&state), Arc::clone(&ended), engine.to_owned());
        std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = UnixStream::connect(&engine) else {
                    continue;
                };
                if let Err(error) = join(&caller, &server, &shared) {
                    eprintln!("the proxy cannot serve: {error}");
                }
            }
        })?;
        Ok(Self { socket, state, ended })
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// From now on, the next request that this is about has the fault.
    pub fn arm(&self, rule: Rule) {
        *locked(&self.state) = State {
            rule: Some(rule),
            happened: false,
        };
    }

    /// No fault from now on. Whether it happened.
    pub fn disarm(&self) -> bool {
        std::mem::take(&mut *locked(&self.state)).happened
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // So that it hears of it.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// What both directions of one connection share.
#[derive(Debug, Default)]
struct Wire {
    /// What happens to what comes down, once a request matched.
    rule: Mutex<Option<Rule>>,
    /// Nothing goes through any more.
    silent: AtomicBool,
}

fn join(caller: &UnixStream, server: &UnixStream, state: &Arc<Mutex<State>>) -> io::Result<()> {
    let wire = Arc::new(Wire::default());
    let both = || Ok::<_, io::Error>((caller.try_clone()?, server.try_clone()?));
    let ((caller_up, server_up), (caller_down, server_down)) = (both()?, both()?);
    let (up_wire, up_state, state) = (Arc::clone(&wire), Arc::clone(state), Arc::clone(state));
    std::thread::Builder::new().spawn(move || {
        up(&caller_up, &server_up, &up_wire, &up_state);
    })?;
    std::thread::Builder::new().spawn(move || {
        down(&server_down, &caller_down, &wire, &state);
    })?;
    Ok(())
}

fn cut(one: &UnixStream, other: &UnixStream) {
    for stream in [one, other] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// The request line that this begins with, if a request does and its line is whole.
fn line(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    line.ends_with(" HTTP/1.1").then_some(line)
}

/// Read in small pieces: what is not read yet when a connection is closed makes the end of it a reset.
fn up(mut caller: &UnixStream, mut server: &UnixStream, wire: &Wire, state: &Mutex<State>) {
    let mut buffer = vec![0; 64 * 1024];
    let (mut begun, mut small) = (Vec::new(), true);
    let mut left: Option<(usize, Rule)> = None;
    loop {
        let most = match &left {
            Some((left, _)) => (*left).max(1).min(buffer.len()),
            None if small => 32,
            None => buffer.len(),
        };
        let count = match caller.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        if wire.silent.load(Ordering::SeqCst) {
            continue;
        }
        let bytes = &mut buffer[..count];
        let mut times = 1;
        if let Some((0, rule)) = &left {
            locked(state).happened = true;
            match rule.fault {
                Fault::Cut | Fault::Reset | Fault::HalfClose => {
                    // The server's side first: the caller's is closed with what it sent unread.
                    let _ = server.shutdown(Shutdown::Both);
                    if rule.fault == Fault::Reset {
                        return;
                    }
                    return cut(caller, server);
                }
                Fault::Delay(time) => std::thread::sleep(time),
                Fault::Duplicate => times = 2,
                Fault::Corrupt => bytes[0] ^= 0x15,
                Fault::Silence => {
                    wire.silent.store(true, Ordering::SeqCst);
                    continue;
                }
                Fault::Trickle => {}
            }
            left = None;
        } else if let Some((left, _)) = &mut left {
            *left = left.saturating_sub(count);
        }
        if small {
            begun.extend_from_slice(bytes);
            if let Some(line) = line(&begun) {
                let mut state = locked(state);
                let is_it = |rule: &mut Rule| rule.line.iter().all(|part| line.contains(part));
                if let Some(rule) = state.rule.take_if(is_it) {
                    match rule.place {
                        Place::Request(bytes) => left = Some((bytes, rule)),
                        Place::Head(_) | Place::Body(_) => *locked(&wire.rule) = Some(rule),
                    }
                }
                small = false;
            } else if begun.len() > 4096 {
                small = false;
            }
        }
        if (0..times).any(|_| server.write_all(bytes).is_err()) {
            break;
        }
        // The next request on this connection begins where an answer ended; nothing else ends in a short piece.
        if count < most {
            (begun, small) = (Vec::new(), true);
        }
    }
    if !wire.silent.load(Ordering::SeqCst) {
        let _ = server.shutdown(Shutdown::Write);
    } else {
        cut(caller, server);
    }
}

fn down(mut server: &UnixStream, caller: &UnixStream, wire: &Wire, state: &Mutex<State>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut armed: Option<Rule> = None;
    // Of the head, until its end; then of the body.
    let (mut head, mut seen, mut trickles) = (Vec::new(), 0, false);
    loop {
        let count = match server.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        if wire.silent.load(Ordering::SeqCst) {
            continue;
        }
        if let Some(rule) = locked(&wire.rule).take() {
            (armed, seen) = (Some(rule), 0);
            head.clear();
        }
        let mut bytes = &mut buffer[..count];
        while !bytes.is_empty() {
            // How many go through before the fault, if it is among these.
            let before = armed.as_ref().and_then(|rule| {
                let at = match rule.place {
                    Place::Head(at) => at,
                    Place::Body(at) => {
                        let all = [&head[..], bytes].concat();
                        at + all.windows(4).position(|four| four == b"\r\n\r\n")? + 4
                    }
                    Place::Request(_) => return None,
                };
                at.checked_sub(seen).filter(|before| *before < bytes.len())
            });
            let (first, rest) = bytes.split_at_mut(before.unwrap_or(bytes.len()));
            if send(caller, first, trickles).is_err() {
                return cut(server, caller);
            }
            if armed.is_some() {
                head.extend_from_slice(first);
            }
            seen += first.len();
            bytes = rest;
            if before.is_none() {
                continue;
            }
            let Some(rule) = armed.take() else { continue };
            locked(state).happened = true;
            match rule.fault {
                Fault::Cut | Fault::Reset => return cut(server, caller),
                Fault::HalfClose => {
                    let _ = caller.shutdown(Shutdown::Write);
                    // What the engine says is read on, so that it is not held up.
                    while matches!(server.read(&mut buffer), Ok(1..)) {}
                    return;
                }
                Fault::Delay(time) => std::thread::sleep(time),
                Fault::Trickle => trickles = true,
                Fault::Duplicate => {
                    if send(caller, bytes, false).is_err() {
                        return cut(server, caller);
                    }
                }
                Fault::Corrupt => bytes[0] ^= 0x15,
                Fault::Silence => {
                    wire.silent.store(true, Ordering::SeqCst);
                    bytes = &mut [];
                }
            }
        }
    }
    if !wire.silent.load(Ordering::SeqCst) {
        let _ = caller.shutdown(Shutdown::Write);
    }
}

fn send(mut caller: &UnixStream, bytes: &[u8], trickles: bool) -> io::Result<()> {
    if trickles {
        bytes.iter().try_for_each(|byte| caller.write_all(&[*byte]))
    } else {
        caller.write_all(bytes)
    }
}
