//! Signals every process of a command that is known by its id alone.

use std::time::Instant;

use super::kill_tree::{KillReport, KillTree};
use super::{Op, Step, after_the_end};
use crate::engine_api::Target;
use crate::error::Error;
use crate::link::Link;
use crate::signal::Signal;

/// Signals every process of a command that is known by its id alone.
#[derive(Debug)]
pub struct KillProcess {
    tree: Result<KillTree, Option<Error>>,
}

impl KillProcess {
    pub(crate) fn new(target: &Target, container: &str, id: &str, signal: Signal) -> Self {
        let tree = if is_id(id) {
            KillTree::new(target, container, id, Some("0:0"), signal, false)
        } else {
            Err(Error::misuse(format!(
                "{id:?} is no id of a process: those have 32 lower-case hex digits, as `Container::processes` tells them"
            )))
        };
        Self {
            tree: tree.map_err(Some),
        }
    }
}

/// Whether this can be the id of a command: 32 lower-case hex digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Op for KillProcess {
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
