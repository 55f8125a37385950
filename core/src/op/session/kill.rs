//! Signals the processes of a turn, and leaves its shell alone.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::shared::Shell;
use super::turn::Pending;
use super::turns::Report;
use crate::error::Error;
use crate::link::Link;
use crate::op::kill_tree::{KillReport, KillTree};
use crate::op::{Op, Step, after_the_end};
use crate::signal::Signal;

/// Signals the processes of one turn.
#[derive(Debug)]
pub(crate) struct KillTurn {
    shell: Arc<Shell>,
    turn: Arc<Pending>,
    tree: Result<KillTree, Option<Error>>,
    report: Option<Report>,
    relaxed: bool,
}

impl KillTurn {
    pub(super) fn new(shell: &Arc<Shell>, turn: &Arc<Pending>, signal: Signal, report: Option<Report>) -> Self {
        let tree = turn.live.tree(signal);
        Self {
            shell: Arc::clone(shell),
            turn: Arc::clone(turn),
            tree: tree.map_err(Some),
            report,
            relaxed: false,
        }
    }

    fn relax(&mut self, by: bool) {
        if std::mem::replace(&mut self.relaxed, by) != by {
            self.shell.live.relax(by);
            self.turn.live.relax(by);
        }
    }
}

impl Op for KillTurn {
    type Output = KillReport;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<KillReport>, Error> {
        self.relax(true);
        let step = match &mut self.tree {
            Ok(tree) => tree.poll(now, link),
            Err(error) => Err(error.take().unwrap_or_else(after_the_end)),
        };
        let report = match step {
            Ok(Step::Need(need)) => return Ok(need.into()),
            Ok(Step::Done(report)) => report,
            Err(error) => KillReport {
                unknown: Some(error.to_string()),
                ..KillReport::default()
            },
        };
        if let Some(slot) = &self.report {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
            self.shell.live.nudge();
        }
        Ok(Step::Done(report))
    }

    fn abandon(&mut self) -> bool {
        true
    }
}

impl Drop for KillTurn {
    fn drop(&mut self) {
        self.relax(false);
    }
}

/// Interrupts the running turn.
#[derive(Debug)]
pub struct Interrupt {
    shell: Arc<Shell>,
    kill: Option<KillTurn>,
}

impl Interrupt {
    pub(crate) fn new(shell: &Arc<Shell>) -> Self {
        Self {
            shell: Arc::clone(shell),
            kill: None,
        }
    }
}

impl Op for Interrupt {
    type Output = KillReport;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<KillReport>, Error> {
        if self.kill.is_none() {
            if let Some(error) = self.shell.closed() {
                return Err(error);
            }
            let Some(turn) = self.shell.hold_current() else {
                return Ok(Step::Done(KillReport::default()));
            };
            let kill = self.kill.insert(KillTurn::new(&self.shell, &turn, Signal::Int, None));
            kill.relax(true);
            turn.live.relax(false);
        }
        match &mut self.kill {
            Some(kill) => kill.poll(now, link),
            None => Err(after_the_end()),
        }
    }

    fn abandon(&mut self) -> bool {
        self.kill.is_some()
    }
}
