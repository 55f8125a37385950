//! A host that is always the same.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use pocket_dock_core::{Host, Owner, Service};

use super::locked;

/// A host with a fixed sequence of entropy, a clock that stands still and, unless given one, no environment.
#[derive(Debug)]
pub struct FakeHost {
    drawn: Mutex<u64>,
    owner: Option<Owner>,
    variables: BTreeMap<String, String>,
    dead: Vec<Owner>,
    program: Mutex<Result<Option<Box<dyn Service>>, String>>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            drawn: Mutex::default(),
            owner: None,
            variables: BTreeMap::new(),
            dead: Vec::new(),
            program: Mutex::new(Ok(None)),
        }
    }
}

impl FakeHost {
    /// A program that starts an engine, once; or why it cannot be started, and then never.
    #[must_use]
    pub fn program(mut self, program: Result<Box<dyn Service>, String>) -> Self {
        self.program = Mutex::new(program.map(Some));
        self
    }

    /// This process can be told apart from others.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// A process that is known not to live any more.
    #[must_use]
    pub fn dead(mut self, owner: Owner) -> Self {
        self.dead.push(owner);
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Host for FakeHost {
    fn entropy(&self) -> [u8; 16] {
        let mut drawn = locked(&self.drawn);
        *drawn += 1;
        u128::from(*drawn)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn launch(&self) -> Result<Option<Box<dyn Service>>, String> {
        locked(&self.program)
            .as_mut()
            .map(Option::take)
            .map_err(|why| why.clone())
    }

    fn user_id(&self) -> u32 {
        1000
    }

    fn owner(&self) -> Option<Owner> {
        self.owner.clone()
    }

    fn lives(&self, owner: &Owner) -> Option<bool> {
        if self.dead.contains(owner) {
            return Some(false);
        }
        (self.owner.as_ref() == Some(owner)).then_some(true)
    }
}
