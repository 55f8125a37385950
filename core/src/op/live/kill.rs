//! Signals all processes of a command that runs beside calls.

use std::sync::Arc;
use std::time::Instant;

use super::quiet::Relaxed;
use super::shared::Live;
use crate::error::Error;
use crate::link::Link;
use crate::op::kill_tree::{KillReport, KillTree};
use crate::op::{Op, Step, after_the_end};
use crate::signal::Signal;

/// Signals all processes of a stream or a process. Meanwhile its output is read, whoever takes it: an engine would wait
/// for that.
#[derive(Debug)]
pub struct Kill {
    tree: Result<Relaxed<KillTree>, Option<Error>>,
}

impl Kill {
    pub(crate) fn new(live: &Arc<Live>, signal: Signal) -> Self {
        let (container, id) = (&live.place.id, &live.origin.process);
        let tree = KillTree::new(&live.target, container, id, live.user.as_deref(), signal, false);
        Self {
            tree: tree.map(|tree| Relaxed::one(tree, live)).map_err(Some),
        }
    }
}

impl Op for Kill {
    type Output = KillReport;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<KillReport>, Error> {
        match &mut self.tree {
            Ok(tree) => tree.poll(now, link),
            Err(error) => Err(error.take().unwrap_or_else(after_the_end)),
        }
    }

    fn abandon(&mut self) -> bool {
        self.tree.as_mut().is_ok_and(Op::abandon)
    }
}
