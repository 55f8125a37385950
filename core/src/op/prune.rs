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
use super::{Op, Step, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, json};
use crate::error::Error;
use crate::http::Answer;
use crate::link::Link;
use crate::listing::{ContainerSummary, Prune, Pruned};
use crate::runtime::Host;

/// Removes containers of ours that nobody has any more.
#[derive(Debug)]
pub struct Pruning {
    target: Target,
    state: State,
    wanted: Option<(Prune, Arc<dyn Host>)>,
    left: VecDeque<ContainerSummary>,
    done: Pruned,
}

#[derive(Debug)]
enum State {
    List(Box<Call>),
    Next,
    Delete(Box<Call>, Box<ContainerSummary>),
}

impl Pruning {
    pub(crate) fn new(target: &Target, prune: Prune, host: Arc<dyn Host>) -> Self {
        Self {
            target: target.clone(),
            state: State::List(Box::new(Call::new(
                "list containers",
                target,
                &container::list_managed(),
            ))),
            wanted: Some((prune, host)),
            left: VecDeque::new(),
            done: Pruned::default(),
        }
    }
}

/// All containers of ours, as a list request answered.
pub(crate) fn listed(answer: &Answer) -> Result<Vec<container::Listed>, Error> {
    if !answer.is_success() {
        return Err(refusal::refused("list containers", &Subject::Engine, answer));
    }
    Ok(json::<Option<Vec<container::Listed>>>("list containers", &answer.body)?.unwrap_or_default())
}

impl Op for Pruning {
    type Output = Pruned;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Pruned>, Error> {
        loop {
            self.state = match &mut self.state {
                State::List(call) => {
                    let answer = ready!(call.poll(now, link));
                    let (prune, host) = self.wanted.take().ok_or_else(super::after_the_end)?;
                    self.left = prune.choose(listed(&answer)?, &*host).into();
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
