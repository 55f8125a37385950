//! What a recording still has to say, and what has gone wrong with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use super::model::{Exchange, Question, Recording};
use super::reader::without;
use crate::scripted::locked;

/// The recording of one case while it is used. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Shelf(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    name: String,
    exchanges: Vec<(Arc<Exchange>, bool)>,
    questions: Vec<(Question, bool)>,
    /// How far each thread has come, in the time of the recording: what it asks now was recorded later than that.
    reached: HashMap<ThreadId, Duration>,
    /// When the connections have something to say next, in the time of the case.
    due: HashMap<usize, Duration>,
    connections: usize,
    /// What the connections that are open were asked last.
    open: HashMap<usize, Arc<Exchange>>,
    complaint: Option<String>,
}

impl Shelf {
    pub(super) fn new(recording: Recording) -> Self {
        let exchanges = recording.exchanges.into_iter();
        Self(Arc::new(Mutex::new(State {
            name: format!("{} on {}", recording.case, recording.engine),
            exchanges: exchanges.map(|exchange| (Arc::new(exchange), false)).collect(),
            questions: recording.questions.into_iter().map(|asked| (asked, false)).collect(),
            reached: HashMap::new(),
            due: HashMap::new(),
            connections: 0,
            open: HashMap::new(),
            complaint: None,
        })))
    }

    /// A number for a new connection.
    pub(super) fn connection(&self) -> usize {
        let mut state = locked(&self.0);
        state.connections += 1;
        state.connections
    }

    /// When this connection has something to say next.
    pub(super) fn set_due(&self, connection: usize, due: Option<Duration>) {
        let mut state = locked(&self.0);
        match due {
            Some(due) => state.due.insert(connection, due),
            None => state.due.remove(&connection),
        };
    }

    /// When any connection has something to say, later than `now`.
    pub(super) fn next_due(&self, now: Duration) -> Option<Duration> {
        locked(&self.0).due.values().copied().filter(|due| *due > now).min()
    }

    /// This thread has come so far in the recording.
    pub(super) fn reach(&self, at: Duration) {
        let mut state = locked(&self.0);
        let reached = state.reached.entry(std::thread::current().id()).or_default();
        *reached = (*reached).max(at);
    }

    /// The exchange that begins with this request.
    pub(super) fn exchange(&self, connection: usize, request: &[u8]) -> Option<Arc<Exchange>> {
        let mut guard = locked(&self.0);
        let state = &mut *guard;
        let reached = reached(state);
        let equal = |exchange: &Exchange| exchange.request == request;
        let idempotent = request.starts_with(b"GET ");
        let found = choose(&state.exchanges, |one| equal(one), |one| one.at >= reached, idempotent);
        let Some(number) = found else {
            let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default());
            let why = format!("{line}: {}", nearest(request, &state.exchanges));
            complain(state, &why);
            return None;
        };
        state.exchanges[number].1 = true;
        let exchange = Arc::clone(&state.exchanges[number].0);
        state.open.insert(connection, Arc::clone(&exchange));
        let left = |one: &&Arc<Exchange>| {
            let closed = one.closed.map(|closed| one.at + closed);
            one.thread == exchange.thread && closed.is_some_and(|closed| closed < exchange.at)
        };
        if let (Some(open), false) = (state.open.values().find(left), exchange.is_question()) {
            let (open, line) = (open.line(), exchange.line());
            complain(
                state,
                &format!("the connection of {open} was closed before {line}, and is open this time"),
            );
        }
        Some(exchange)
    }

    /// A connection is closed.
    pub(super) fn close(&self, connection: usize) {
        let mut guard = locked(&self.0);
        let state = &mut *guard;
        state.due.remove(&connection);
        let Some(exchange) = state
            .open
            .remove(&connection)
            .filter(|exchange| !exchange.is_question())
        else {
            return;
        };
        let closed = exchange.closed.map(|closed| exchange.at + closed);
        let later = |(one, used): &&(Arc<Exchange>, bool)| {
            let before = closed.is_none_or(|closed| one.at < closed);
            !used && !one.is_question() && one.thread == exchange.thread && before
        };
        if let Some((later, _)) = state.exchanges.iter().find(later) {
            let (line, later) = (exchange.line(), later.line());
            complain(
                state,
                &format!("the connection of {line} was closed after {later}, and is closed before it this time"),
            );
        }
    }

    /// The answer to this question.
    pub(super) fn answer(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let mut guard = locked(&self.0);
        let state = &mut *guard;
        let reached = reached(state);
        let equal = |asked: &Question| asked.method == method && asked.path == path && asked.body == body;
        let Some(number) = choose(&state.questions, equal, |asked| asked.at >= reached, method == "GET") else {
            complain(state, &format!("{method} {path} was not asked the engine itself"));
            return Err("the recording has no answer".to_owned());
        };
        let (asked, used) = &mut state.questions[number];
        *used = true;
        let (at, answer) = (asked.at, asked.answer.clone());
        let reached = state.reached.entry(std::thread::current().id()).or_default();
        *reached = (*reached).max(at);
        answer
    }

    /// The recording does not fit.
    pub(super) fn complain(&self, what: &str) {
        complain(&mut locked(&self.0), what);
    }

    /// The first thing that did not fit.
    pub(super) fn complaint(&self) -> Option<String> {
        locked(&self.0).complaint.clone()
    }

    /// What changes something, was recorded, and was not asked for this time.
    pub(super) fn unused(&self) -> Option<String> {
        let mut guard = locked(&self.0);
        let state = &mut *guard;
        let left = |(exchange, used): &&(Arc<Exchange>, bool)| !used && !exchange.is_question();
        let line = state.exchanges.iter().find(left)?.0.line();
        complain(state, &format!("{line} was recorded, and was not sent this time"));
        state.complaint.clone()
    }
}

fn reached(state: &State) -> Duration {
    let id = std::thread::current().id();
    state.reached.get(&id).copied().unwrap_or_default()
}

/// The first unused one that is late enough, else the first unused one, else, if that is allowed, the last.
fn choose<T>(all: &[(T, bool)], equal: impl Fn(&T) -> bool, late: impl Fn(&T) -> bool, again: bool) -> Option<usize> {
    let unused = |one: &(T, bool)| !one.1 && equal(&one.0);
    let first = all.iter().position(|one| unused(one) && late(&one.0));
    let first = first.or_else(|| all.iter().position(unused));
    first.or_else(|| all.iter().rposition(|one| again && equal(&one.0)))
}

/// How a request differs from the one it is most like, its length aside.
fn nearest(request: &[u8], exchanges: &[(Arc<Exchange>, bool)]) -> String {
    let bare = |request: &[u8]| without(request.to_vec(), b"\r\nContent-Length: ");
    let request = bare(request);
    let common = |other: &Vec<u8>| other.iter().zip(&request).take_while(|(a, b)| a == b).count();
    let unused = exchanges.iter().filter(|(_, used)| !used);
    let Some(nearest) = unused.map(|(exchange, _)| bare(&exchange.request)).max_by_key(common) else {
        return "everything that was recorded has been sent".to_owned();
    };
    let from = common(&nearest).saturating_sub(40);
    let part = |bytes: &[u8]| {
        let end = (from + 120).min(bytes.len());
        bytes[from.min(end)..end].escape_ascii().to_string()
    };
    format!(
        "it differs from what was recorded:\n  recorded …{}…\n  sent     …{}…",
        part(&nearest),
        part(&request)
    )
}

fn complain(state: &mut State, what: &str) {
    state.complaint.get_or_insert_with(|| {
        let name = &state.name;
        format!("the recording of {name} does not fit: {what}\n  if this is meant to be so, record it anew: cargo lab record")
    });
}
