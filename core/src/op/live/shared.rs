//! What the operation in the background and those who read its output share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use super::callbacks::{Callbacks, Origin};
use super::quiet::Ends;
use super::sink::Sink;
use crate::engine_api::Target;
use crate::error::{Error, ExecError};
use crate::op::Place;
use crate::op::kill_tree::KillTree;
use crate::result::{ExecSummary, Output};
use crate::signal::Signal;
use crate::stream::{Channel, Frame};

/// Input that is taken before a writer has to wait.
const INPUT_BYTES: usize = 1024 * 1024;

/// What is wanted of the operation in the background. A later one never takes a stronger one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// To go on to the end.
    GoOn,
    /// To kill it all.
    Kill,
    /// To let it go: it lives on without us.
    Leave,
    /// To read, and throw away, what its container still says while that is being ended.
    Drain,
    /// To close the connection: its container has ended, or was tried to.
    HangUp,
}

/// One command that runs beside calls.
pub(crate) struct Live {
    pub(crate) origin: Arc<Origin>,
    pub(crate) target: Target,
    pub(crate) place: Place,
    pub(crate) user: Option<String>,
    pub(crate) terminal: bool,
    /// Of a turn of a session: its shell's process id.
    shell: Option<Arc<AtomicU32>>,
    callbacks: Arc<Callbacks>,
    state: Mutex<State>,
}

struct State {
    sink: Sink,
    /// Whether there is a pump.
    attended: bool,
    begun: bool,
    exec: String,
    end: Option<Result<ExecSummary, Error>>,
    written: [u64; 2],
    wish: Wish,
    /// How many calls need the connection read, whoever reads the output.
    relaxed: usize,
    /// What its processes were sent last.
    told: Option<Signal>,
    input: VecDeque<Bytes>,
    input_bytes: usize,
    input_open: bool,
    /// The end of the input is to be told, and was not yet.
    closing: bool,
    pump: Option<Waker>,
    /// Whether the pump waits for room.
    held_up: bool,
    seats: Seats,
}

/// Those who wait for a change.
#[derive(Default)]
struct Seats {
    next: u64,
    waiting: Vec<(u64, Waker)>,
}

impl Seats {
    /// Wakers are woken when nothing is locked any more.
    fn take(&mut self) -> Vec<Waker> {
        self.waiting.drain(..).map(|(_, waker)| waker).collect()
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// What the pump is to do now.
pub(crate) struct Orders {
    pub(crate) wish: Wish,
    /// Whether output is wanted.
    pub(crate) reads: bool,
}

/// What the pump is to send.
pub(crate) enum Input {
    Data(Bytes),
    /// No more will come.
    End,
}

impl Live {
    pub(crate) fn new(
        origin: Origin,
        target: &Target,
        place: Place,
        command: &crate::command::Command,
        sink: Sink,
        callbacks: Arc<Callbacks>,
    ) -> Self {
        let state = State {
            sink,
            attended: false,
            begun: false,
            exec: String::new(),
            end: None,
            written: [0; 2],
            wish: Wish::GoOn,
            relaxed: 0,
            told: None,
            input: VecDeque::new(),
            input_bytes: 0,
            input_open: command.keep_stdin_open,
            closing: false,
            pump: None,
            held_up: false,
            seats: Seats::default(),
        };
        Self {
            origin: Arc::new(origin),
            target: target.clone(),
            place,
            user: command.user.clone(),
            terminal: command.tty.is_some(),
            shell: None,
            callbacks,
            state: Mutex::new(state),
        }
    }

    /// The same as a turn of a session, whose shell has this process id.
    pub(crate) fn in_session(self, shell: Arc<AtomicU32>) -> Self {
        Self {
            shell: Some(shell),
            ..self
        }
    }

    /// What signals its processes.
    pub(crate) fn tree(&self, signal: Signal) -> Result<KillTree, Error> {
        self.lock().told = Some(signal);
        let (container, id, user) = (&self.place.id, &self.origin.process, self.user.as_deref());
        match &self.shell {
            Some(shell) => {
                let shell = shell.load(Ordering::Acquire);
                KillTree::turn(&self.target, container, id, shell, user, signal)
            }
            None => KillTree::new(&self.target, container, id, user, signal, false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes the pump and, if so told, whoever else waits.
    fn change<T>(&self, everyone: bool, change: impl FnOnce(&mut State) -> T) -> T {
        let (value, pump, seats) = {
            let mut state = self.lock();
            let value = change(&mut state);
            let seats = if everyone { state.seats.take() } else { Vec::new() };
            (value, state.pump.take(), seats)
        };
        wake(pump.into_iter().chain(seats));
        value
    }
}

/// For the pump.
impl Live {
    /// What is wanted; the waker is woken when that changes.
    pub(crate) fn orders(&self, waker: &Waker) -> Orders {
        let told = self.callbacks.is_full(waker);
        let mut state = self.lock();
        match &mut state.pump {
            Some(held) => held.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        state.held_up = state.sink.is_full() && state.relaxed == 0;
        Orders {
            wish: state.wish,
            reads: !state.held_up && (!told || state.relaxed > 0),
        }
    }

    /// The next of the input.
    pub(crate) fn take_input(&self) -> Option<Input> {
        let (input, seats) = {
            let mut state = self.lock();
            if let Some(data) = state.input.pop_front() {
                state.input_bytes -= data.len();
                (Input::Data(data), state.seats.take())
            } else if std::mem::take(&mut state.closing) {
                (Input::End, Vec::new())
            } else {
                return None;
            }
        };
        wake(seats);
        Some(input)
    }

    /// It does not take input any more.
    pub(super) fn refuse_input(&self) {
        let mut state = self.lock();
        if state.input_open || !state.input.is_empty() {
            state.input_open = false;
            state.input.clear();
            state.input_bytes = 0;
            let seats = state.seats.take();
            drop(state);
            wake(seats);
        }
    }

    /// The command has begun, by an exec of this id.
    pub(crate) fn begin(&self, exec: &str) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.begun, true) {
            exec.clone_into(&mut state.exec);
            let seats = state.seats.take();
            drop(state);
            wake(seats);
        }
    }

    /// Output, unless its end was told meanwhile: behind an end there is nothing, for readers and for callbacks.
    pub(crate) fn push(&self, channel: Channel, data: Bytes) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        self.callbacks.output(&self.origin, channel, &data);
        state.written[usize::from(channel == Channel::Stderr)] += data.len() as u64;
        state.sink.push(channel, data);
        let seats = state.seats.take();
        drop(state);
        wake(seats);
    }

    /// It has ended, if it had not.
    pub(crate) fn end(&self, outcome: Result<ExecSummary, Error>) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        state.sink.close();
        let [stdout_bytes, stderr_bytes] = state.written;
        let omitted_bytes = state.sink.omitted();
        let outcome = outcome.map(|summary| ExecSummary {
            stdout_bytes,
            stderr_bytes,
            omitted_bytes,
            ..summary
        });
        state.end = Some(outcome.clone());
        state.input_open = false;
        state.input.clear();
        let seats = state.seats.take();
        drop(state);
        wake(seats);
        self.callbacks.exit(&self.origin, &outcome);
    }
}

/// For those who hold it.
impl Live {
    /// A place to wait at.
    pub(crate) fn seat(self: &Arc<Self>) -> Seat {
        let mut state = self.lock();
        state.seats.next += 1;
        let key = state.seats.next;
        drop(state);
        Seat {
            live: Arc::clone(self),
            key,
        }
    }

    pub(crate) fn wish(&self, wish: Wish) {
        self.change(false, |state| state.wish = state.wish.max(wish));
    }

    /// Its container is being ended by this program: whoever waits for it learns so, behind what was printed so far.
    pub(crate) fn end_here(&self, how: Ends) {
        self.end(Err(how.error(&self.place.name).into()));
        self.wish(Wish::Drain);
    }

    /// Its output is read whoever takes it, or not any more. Counted.
    pub(crate) fn relax(&self, by: bool) {
        self.change(false, |state| {
            if by {
                state.relaxed += 1;
            } else {
                state.relaxed = state.relaxed.saturating_sub(1);
            }
        });
    }

    /// Whether its processes are being signalled, or its container is.
    pub(crate) fn is_relaxed(&self) -> bool {
        self.lock().relaxed > 0
    }

    /// The signal that its processes were sent last.
    pub(crate) fn told(&self) -> Option<Signal> {
        self.lock().told
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// How it ended, if it has.
    pub(crate) fn outcome(&self) -> Option<Result<ExecSummary, Error>> {
        self.lock().end.clone()
    }

    /// Has the pump look again.
    pub(crate) fn nudge(&self) {
        self.change(false, |_| ());
    }

    /// What was gathered, once.
    pub(crate) fn take_gathered(&self) -> (Output, Output) {
        self.lock().sink.take_gathered()
    }

    /// From now on there is a pump.
    pub(crate) fn attended(&self) {
        self.lock().attended = true;
    }

    /// Whether there ever was a pump. Without one it has no end.
    pub(crate) fn was_attended(&self) -> bool {
        self.lock().attended
    }

    /// Whether there is anything that would go on without its holder.
    pub(crate) fn runs(&self) -> bool {
        let state = self.lock();
        state.attended && state.end.is_none() && state.wish < Wish::Leave
    }

    /// It is left to itself: whoever still waits for it here waits for nothing. No callback is told, as it lives on.
    pub(super) fn let_go(&self) {
        let message = "it was left running, and is not followed any more".to_owned();
        let mut state = self.lock();
        state.end.get_or_insert(Err(ExecError::Lost { message }.into()));
        state.input_open = false;
        let seats = state.seats.take();
        drop(state);
        wake(seats);
    }

    /// Whether its container was being ended under it.
    pub(super) fn is_away(&self) -> bool {
        self.lock().wish == Wish::Drain
    }

    /// The id of its exec, once it has begun.
    pub(crate) fn exec_id(&self) -> String {
        self.lock().exec.clone()
    }

    /// Nobody reads it any more.
    pub(crate) fn discard(&self) {
        self.change(false, |state| state.sink.discard());
    }

    /// Ends the input behind what was written.
    pub(crate) fn close_input(&self) {
        self.change(true, |state| {
            state.closing |= std::mem::take(&mut state.input_open);
        });
    }
}

/// A place at which one operation waits for a change.
pub(crate) struct Seat {
    live: Arc<Live>,
    key: u64,
}

/// What there is for a reader.
pub(super) enum Read {
    Piece(Frame),
    /// Nothing yet; it will be told.
    Nothing,
    End(Option<Error>),
}

impl Seat {
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    fn sit(state: &mut State, key: u64, waker: &Waker) {
        let waiting = &mut state.seats.waiting;
        match waiting.iter_mut().find(|(held, _)| *held == key) {
            Some((_, held)) => held.clone_from(waker),
            None => waiting.push((key, waker.clone())),
        }
    }

    /// The next of the output.
    pub(super) fn read(&self, waker: &Waker) -> Read {
        let (read, pump) = {
            let mut state = self.live.lock();
            let read = match state.sink.pop() {
                Some(piece) => Read::Piece(piece),
                None => match &state.end {
                    Some(end) => Read::End(end.as_ref().err().cloned()),
                    None => {
                        Self::sit(&mut state, self.key, waker);
                        Read::Nothing
                    }
                },
            };
            let resumes = state.held_up && state.sink.has_room();
            state.held_up &= !resumes;
            (read, state.pump.take_if(|_| resumes))
        };
        wake(pump);
        read
    }

    /// How it ended, if it has.
    pub(crate) fn outcome(&self, waker: &Waker) -> Option<Result<ExecSummary, Error>> {
        let mut state = self.live.lock();
        if state.end.is_none() {
            Self::sit(&mut state, self.key, waker);
        }
        state.end.clone()
    }

    /// Whether it has begun, or how it ended before that.
    pub(crate) fn beginning(&self, waker: &Waker) -> Option<Result<(), Error>> {
        let mut state = self.live.lock();
        match (&state.end, state.begun) {
            (Some(Err(error)), false) => Some(Err(error.clone())),
            (Some(_), _) | (None, true) => Some(Ok(())),
            (None, false) => {
                Self::sit(&mut state, self.key, waker);
                None
            }
        }
    }

    /// Writes if there is room: whether it did. Otherwise, `data` is left as it is.
    pub(super) fn write(&self, data: &mut Option<Bytes>, waker: &Waker) -> Result<bool, ()> {
        let pump = {
            let mut state = self.live.lock();
            if !state.input_open {
                return Err(());
            }
            if state.input_bytes >= INPUT_BYTES {
                Self::sit(&mut state, self.key, waker);
                return Ok(false);
            }
            if let Some(data) = data.take().filter(|data| !data.is_empty()) {
                state.input_bytes += data.len();
                state.input.push_back(data);
            }
            state.pump.take()
        };
        wake(pump);
        Ok(true)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.seats.waiting.retain(|(key, _)| *key != self.key);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Live")
            .field("process", &self.origin.process)
            .field("wish", &state.wish)
            .field("ended", &state.end.is_some())
            .field("written", &state.written)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
