//! Lists containers of ours.
//!
//! ```text
//! List ──► Image ──(each image once)──► Image ──► … ──► Done
//! ```
//! Those that have their labels from their image are not ours: each image of those that are wanted is asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use super::call::Call;
use super::inherited::{Handed, Inherited};
use super::{Op, Step, ready};
use crate::engine_api::refusal::{self, Subject};
use crate::engine_api::{Target, container, json};
use crate::error::Error;
use crate::link::Link;
use crate::listing::ContainerSummary;

/// Chooses among what the engine lists.
type Choose = Box<dyn FnOnce(Vec<container::Listed>) -> Vec<ContainerSummary> + Send>;

/// Lists containers of ours.
pub struct Listing {
    target: Target,
    state: State,
    choose: Option<Choose>,
    /// Whether one is wanted of which it cannot be known where it has its labels from.
    doubtful: bool,
    chosen: Vec<ContainerSummary>,
    images: BTreeSet<String>,
    handed: BTreeMap<String, Handed>,
}

#[derive(Debug)]
enum State {
    List(Box<Call>),
    Next,
    /// Which image it is.
    Image(String, Box<Inherited>),
}

impl Listing {
    pub(crate) fn new(
        target: &Target,
        choose: impl FnOnce(Vec<container::Listed>) -> Vec<ContainerSummary> + Send + 'static,
    ) -> Self {
        let list = Call::new("list containers", target, &container::list_managed());
        Self {
            target: target.clone(),
            state: State::List(Box::new(list)),
            choose: Some(Box::new(choose)),
            doubtful: true,
            chosen: Vec::new(),
            images: BTreeSet::new(),
            handed: BTreeMap::new(),
        }
    }

    /// Only those that are ours for certain.
    pub(crate) fn certain(self) -> Self {
        let doubtful = false;
        Self { doubtful, ..self }
    }

    fn ours(&mut self) -> Vec<ContainerSummary> {
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.retain(|one| {
            let handed = self.handed.get(&one.image_id);
            match handed.and_then(|handed| handed.made(&one.instance)) {
                Some(inherited) => !inherited,
                None => self.doubtful,
            }
        });
        chosen
    }
}

impl Op for Listing {
    type Output = Vec<ContainerSummary>;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Self::Output>, Error> {
        loop {
            self.state = match &mut self.state {
                State::List(call) => {
                    let answer = ready!(call.poll(now, link));
                    if !answer.is_success() {
                        return Err(refusal::refused("list containers", &Subject::Engine, &answer));
                    }
                    let listed: Option<Vec<container::Listed>> = json("list containers", &answer.body)?;
                    let choose = self.choose.take().ok_or_else(super::after_the_end)?;
                    self.chosen = choose(listed.unwrap_or_default());
                    self.images = self.chosen.iter().map(|one| one.image_id.clone()).collect();
                    State::Next
                }
                State::Next => match self.images.pop_first() {
                    // An engine that names no image, or one that cannot be asked for, leaves it in doubt.
                    Some(id) => match Inherited::new(&self.target, &id) {
                        Ok(ask) => State::Image(id, Box::new(ask)),
                        Err(_) => State::Next,
                    },
                    None => return Ok(Step::Done(self.ours())),
                },
                State::Image(id, ask) => {
                    let handed = ready!(ask.poll(now, link));
                    self.handed.insert(std::mem::take(id), handed);
                    State::Next
                }
            };
        }
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
