//! What a container is tied to, and what follows of that for its end and its beginnings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Container;
use crate::engine_api::container;
use crate::engine_api::json;
use crate::engine_api::refusal::Subject;
use crate::error::Error;
use crate::op::live::Quieted;
use crate::op::{Ask, Parting, Remove, Restart, Shutdown, Slot};
use crate::runtime::Runtime;
use crate::spec::ContainerSpec;

/// What the main process that is ours is left to end: it ends at once, unless it was started so lately that it does not
/// listen yet.
const OWN_GRACE: Duration = Duration::from_secs(1);
/// What that of another one is left where its spec is not known.
const GRACE: Duration = Duration::from_secs(10);

/// What a container is tied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Tie {
    /// To this value.
    Here,
    /// To another value, perhaps of another program.
    Elsewhere,
    /// To nothing.
    Nothing,
}

/// How a container is to end.
#[derive(Debug, Clone)]
pub(in crate::api) struct End {
    pub(in crate::api) grace: Duration,
    pub(in crate::api) auto_remove: bool,
    /// Whether the main process is ours, and not one of the user's.
    pub(in crate::api) own_main: bool,
    pub(in crate::api) tie: Tie,
    pub(in crate::api) spec: Option<Arc<ContainerSpec>>,
}

impl End {
    pub(in crate::api) fn of(spec: &ContainerSpec) -> Self {
        let own_main = spec.command.is_none();
        let grace = if own_main {
            spec.grace.min(OWN_GRACE)
        } else {
            spec.grace
        };
        let tie = if spec.persistent { Tie::Nothing } else { Tie::Here };
        Self {
            grace,
            auto_remove: spec.auto_remove,
            own_main,
            tie,
            spec: Some(Arc::new(spec.clone())),
        }
    }

    /// Of one that was made elsewhere.
    pub(in crate::api) fn found(auto_remove: bool, own_main: bool, persistent: bool) -> Self {
        Self {
            grace: if own_main { OWN_GRACE } else { GRACE },
            auto_remove,
            own_main,
            tie: if persistent { Tie::Nothing } else { Tie::Elsewhere },
            spec: None,
        }
    }
}

/// What an engine says about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerState {
    /// The engine's own word, such as `running`, `paused`, `exited`, `removing`.
    pub status: String,
    /// Whether the main process runs; true also while it is paused.
    pub running: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// How the main process ended, once it has.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed the main process because the container's memory was used up. Of a command that was killed
    /// so, with exit code 137, no engine is sure to say it: newer Dockers set this for it, others do not. Podman 4 does not
    /// say it of the main process either.
    pub oom_killed: bool,
}

impl<R: Runtime> Container<R> {
    /// Whether its main process holds its leash, as far as is known without a question: it ends with the container.
    pub(in crate::api) fn is_held(&self) -> bool {
        !self.leash.is_closed()
    }

    /// The same, to be driven by another operation.
    pub(in crate::api) fn looking(&self) -> Ask<ContainerState> {
        let subject = Subject::Container(self.name.clone());
        let (what, request) = ("inspect container", container::inspect(self.id()));
        Ask::new(what, self.engine.target(), subject, request, |answer| {
            let state = json::<container::Inspected>("inspect container", &answer.body)?
                .state
                .unwrap_or_default();
            let running = state.running.unwrap_or(false);
            Ok(ContainerState {
                status: state.status.unwrap_or_default(),
                running,
                paused: state.paused.unwrap_or(false),
                exit_code: state.exit_code.filter(|_| !running),
                oom_killed: state.oom_killed.unwrap_or(false),
            })
        })
    }

    /// Lets its main process end, as its input does.
    pub(in crate::api) fn let_go(&self) {
        self.leash.clear();
    }

    /// Removes it in the drop's stead.
    pub(in crate::api) fn into_removal(self) -> Quieted<Remove> {
        self.ended.store(true, Ordering::SeqCst);
        self.leash.clear();
        Quieted::new(Remove::new(self.engine.target(), self.id()).persistent(), &self.beside)
    }

    /// What holds its main process's standard input, if anything does.
    pub(super) fn leash(&self) -> Option<&Slot> {
        (self.tie == Tie::Here).then_some(&self.leash)
    }

    /// Why its main process cannot be run again from here, if that is so.
    fn tied_elsewhere(&self, what: &str) -> Option<String> {
        (self.tie == Tie::Elsewhere).then(|| {
            format!(
                "the container {} is tied to the program that made it, and only there can it be {what}: make it with \
                 `ContainerSpec::persistent`",
                self.name
            )
        })
    }

    fn not_restarted(&self, why: String) -> Restart {
        Restart::refused_here(self.engine.target(), self.id(), why)
    }

    pub(in crate::api) fn start_op(&self) -> Restart {
        match self.tied_elsewhere("started") {
            Some(why) => self.not_restarted(why),
            None => Restart::start(self.engine.target(), self.id(), self.leash()).telling(&self.told),
        }
    }

    /// Ends its main process and runs it again, in the way that is safe on this engine.
    pub(super) fn restart_it(&self) -> Restart {
        let (target, id, leash, grace) = (self.engine.target(), self.id(), self.leash(), self.grace);
        if let Some(why) = self.tied_elsewhere("restarted") {
            self.not_restarted(why)
        } else if !self.auto_remove {
            Restart::stop_and_start(target, id, leash, grace).telling(&self.told)
        } else if self.engine.restarts_well() {
            Restart::at_once(target, id, leash, grace).telling(&self.told)
        } else {
            self.not_restarted(format!(
                "{} {} may lose a container that removes itself while it is restarted, so it is not tried: make the \
                 container with `ContainerSpec::auto_remove(false)`, or use Docker 26, Podman 5 or newer",
                self.engine.kind(),
                self.engine.version()
            ))
        }
    }

    pub(super) fn shutdown_op(&self) -> Result<Shutdown, Error> {
        self.parting().shutdown(self.id())
    }

    pub(super) fn parting(&self) -> Parting {
        Parting {
            target: self.engine.target().clone(),
            own_main: self.own_main,
            grace: self.grace,
            leash: self.leash.clone(),
        }
    }
}
