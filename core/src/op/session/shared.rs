//! What the operation in the background and the holder of a session share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kill::KillTurn;
use super::turn::Pending;
use crate::error::{CloseReason, Error};
use crate::op::live::{Live, Wish};
use crate::result::ExecSummary;
use crate::session::Files;

/// Turns that may wait at a time.
const QUEUE: usize = 1024;

/// Has an operation driven in the background.
type Attend = Box<dyn Fn(KillTurn) + Send + Sync>;

/// 32 hex digits that the container cannot guess.
type Random = Box<dyn Fn() -> String + Send + Sync>;

/// What becomes of a session whose shell does not come back from a command that was told to end: by its time limit, by a
/// dropped future, or by [`interrupt`](crate::Session::interrupt).
///
/// It is given up some ten seconds after that: the command's processes have up to five seconds to be gone, and the shell five
/// more to say that it is behind the command. All rows of what breaks shells come back in a fraction of a second; what does
/// not is a shell that the command itself had ignore `SIGURG` (`trap '' URG`), or that is busy inside of one builtin, as
/// bash's `read` from a device without an end. With `set -e` in it, bash ends by itself when what it waits for is killed:
/// that is an exit, whatever is chosen here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStuck {
    /// It is closed, with [`CloseReason::Stuck`] as the reason.
    #[default]
    Close,
    /// Everything in it is killed, and it goes on with a new shell: what the old one knew is lost, and
    /// [`TurnResult::shell`](crate::TurnResult::shell) says so.
    Replace,
}

/// The shell of a session.
pub(crate) struct Shell {
    /// The shell as a process.
    pub(crate) live: Arc<Live>,
    state: Mutex<State>,
    attend: Attend,
    random: Random,
    on_stuck: OnStuck,
    /// The shell's process id, in the container.
    pid: Arc<AtomicU32>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Arc<Pending>, Files)>,
    current: Option<Arc<Pending>>,
    /// Why it was ended by us.
    closed: Option<CloseReason>,
}

impl Shell {
    pub(crate) fn new(
        live: Arc<Live>,
        on_stuck: OnStuck,
        random: impl Fn() -> String + Send + Sync + 'static,
        attend: impl Fn(KillTurn) + Send + Sync + 'static,
    ) -> Self {
        Self {
            live,
            state: Mutex::default(),
            attend: Box::new(attend),
            random: Box::new(random),
            on_stuck,
            pid: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it takes no commands any more, if it does not.
    pub(crate) fn closed(&self) -> Option<Error> {
        let reason = match (self.said(), self.live.outcome()) {
            (Some(reason), _) => reason,
            // Its container was ended under it.
            (None, Some(Err(error))) => CloseReason::Failed(Box::new(error)),
            _ => return None,
        };
        Some(Error::SessionClosed { reason })
    }

    /// Hands in a turn.
    pub(crate) fn push(&self, turn: &Arc<Pending>, files: Files) -> Result<(), Error> {
        let mut state = self.lock();
        if let Some(reason) = state.closed.clone() {
            return Err(Error::SessionClosed { reason });
        }
        if state.queue.len() >= QUEUE {
            return Err(Error::misuse(format!(
                "{QUEUE} commands wait for the session already: wait for some of them first"
            )));
        }
        state.queue.push_back((Arc::clone(turn), files));
        drop(state);
        self.live.nudge();
        Ok(())
    }

    /// The turn whose turn it is.
    pub(super) fn next(&self) -> Option<(Arc<Pending>, Files)> {
        let mut state = self.lock();
        let next = state.queue.pop_front()?;
        state.current = Some(Arc::clone(&next.0));
        Some(next)
    }

    /// The turn is over, and another may begin; unless its processes are being signalled, which another's must not be.
    pub(super) fn turn_over(&self) -> bool {
        let mut state = self.lock();
        let held = state.current.as_ref().is_some_and(|turn| turn.live.is_relaxed());
        if !held {
            state.current = None;
        }
        !held
    }

    /// The turn that has the shell, which it keeps until it is let go of by [`Live::relax`].
    pub(super) fn hold_current(&self) -> Option<Arc<Pending>> {
        let state = self.lock();
        let turn = state.current.clone()?;
        turn.live.relax(true);
        Some(turn)
    }

    pub(super) fn random(&self) -> String {
        (self.random)()
    }

    pub(super) fn on_stuck(&self) -> OnStuck {
        self.on_stuck
    }

    pub(super) fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Ordering::Release);
    }

    /// For those who signal its turns.
    pub(crate) fn pid(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.pid)
    }

    /// Why it is being ended, or was.
    pub(super) fn said(&self) -> Option<CloseReason> {
        self.lock().closed.clone()
    }

    /// It has ended: no turn that waits will have its turn.
    pub(super) fn over(&self, outcome: &Result<ExecSummary, Error>) {
        let mut state = self.lock();
        let reason = state.closed.get_or_insert_with(|| match outcome {
            Ok(summary) => CloseReason::Exited(summary.exit_code),
            Err(error) => CloseReason::Failed(Box::new(error.clone())),
        });
        let error = Error::SessionClosed { reason: reason.clone() };
        state.current = None;
        let waiting = std::mem::take(&mut state.queue);
        drop(state);
        for (turn, _) in waiting {
            turn.live.end(Err(error.clone()));
        }
    }

    /// Ends it, for this reason unless there is one.
    pub(crate) fn close(&self, reason: CloseReason) {
        if !self.live.has_ended() {
            self.lock().closed.get_or_insert(reason);
        }
        self.live.wish(Wish::Kill);
    }

    pub(super) fn attend(&self, kill: KillTurn) {
        (self.attend)(kill);
    }
}

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Shell")
            .field("live", &self.live)
            .field("waiting", &state.queue.len())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}
