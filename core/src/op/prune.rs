//! Removes containers of ours that nobody has any more.
//!
//! ```text
//! List ──► Delete ──(each)──► Delete ──► … ──► Done
//! ```
//! The engine is asked to remove each unless it runs or is paused: what became of one since it was listed is for the engine
//! to say, and nothing that runs is ever lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::call::Call;
use super::{Listing, Op, Step, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container};
use crate::error::Error;
use crate::link::Link;
use crate::listing::{ContainerSummary, Prune, Pruned};
use crate::runtime::Host;

/// Removes containers of ours that nobody has any more.
#[derive(Debug)]
pub struct Pruning {
    target: Target,
    state: State,
    left: VecDeque<ContainerSummary>,
    done: Pruned,
}

#[derive(Debug)]
enum State {
    List(Box<Listing>),
    Next,
    Delete(Box<Call>, Box<ContainerSummary>),
}

impl Pruning {
    pub(crate) fn new(target: &Target, prune: Prune, host: Arc<dyn Host>) -> Self {
        Self {
            target: target.clone(),
            state: State::List(Box::new(Self::candidates(target, prune, host))),
            left: VecDeque::new(),
            done: Pruned::default(),
        }
    }

    /// Lists those that would be removed.
    pub(crate) fn candidates(target: &Target, prune: Prune, host: Arc<dyn Host>) -> Listing {
        Listing::new(target, move |listed| prune.choose(listed, &*host)).certain()
    }
}

impl Op for Pruning {
    type Output = Pruned;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Pruned>, Error> {
        loop {
            self.state = match &mut self.state {
                State::List(list) => {
                    self.left = ready!(list.poll(now, link)).into();
                    State::Next
                }
                State::Next => {
                    let Some(one) = self.left.pop_front() else {
                        return Ok(Step::Done(std::mem::take(&mut self.done)));
                    };
                    let request = container::remove_ended(&one.id)?;
                    State::Delete(
                        Box::new(Call::new("remove container", &self.target, &request)),
                        Box::new(one),
                    )
                }
                State::Delete(call, one) => {
                    let answer = match call.poll(now, link) {
                        Ok(Step::Done(answer)) => answer,
                        Ok(Step::Need(need)) => return Ok(need.into()),
                        // Nor does the engine answer about the others.
                        Err(error) => {
                            let left = std::iter::once((**one).clone()).chain(self.left.drain(..));
                            self.done.kept.extend(left.map(|one| (one, error.clone())));
                            return Ok(Step::Done(std::mem::take(&mut self.done)));
                        }
                    };
                    match answer.status() {
                        _ if answer.is_success() => self.done.removed.push((**one).clone()),
                        // Somebody else was faster.
                        404 => {}
                        _ => {
                            let why = refusal::refused("remove container", &Subject::Engine, &answer);
                            self.done.kept.push(((**one).clone(), why));
                        }
                    }
                    State::Next
                }
            };
        }
    }
}
