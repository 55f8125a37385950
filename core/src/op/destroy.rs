//! Removes a container of ours by its name or id, whatever it does.
//!
//! ```text
//! Find ──(it is ours)──► Remove ──► Done
//! ```

use std::time::Instant;

use super::find::Find;
use super::{Op, Remove, Step, ready};
use crate::engine_api::Target;
use crate::error::Error;
use crate::link::Link;

/// Removes a container of ours by its name or id.
#[derive(Debug)]
pub struct Destroy {
    target: Target,
    state: State,
}

#[derive(Debug)]
enum State {
    Find(Box<Find>),
    Remove(Box<Remove>),
}

impl Destroy {
    pub(crate) fn new(target: &Target, reference: &str) -> Self {
        Self {
            target: target.clone(),
            state: State::Find(Box::new(Find::new(target, reference))),
        }
    }
}

impl Op for Destroy {
    type Output = ();

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<()>, Error> {
        loop {
            self.state = match &mut self.state {
                State::Find(find) => {
                    // By its id: its name may become another's.
                    let id = ready!(find.poll(now, link)).id;
                    State::Remove(Box::new(Remove::new(&self.target, &id)))
                }
                State::Remove(remove) => return remove.poll(now, link),
            };
        }
    }

    fn abandon(&mut self) -> bool {
        matches!(self.state, State::Remove(_))
    }
}
