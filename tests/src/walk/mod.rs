//! Walks: a session is given a hundred random commands, and each is compared with what a model of a shell says.
//!
//! ```text
//!   seed ──► Random ──► Model::step ──► a command, and what it must give ──► the session ──► the same, or a difference
//!                         └ directory, variables, functions, aliases, jobs, tracing
//! ```
//! A walk is the same for the same seed and shell, so a difference is found again by its seed: see [`SEED`].

mod model;
mod random;
mod run;
mod steps;

use pocket_dock_core::SessionOptions;

use crate::lab::images;

pub use run::{STEPS, walk};

/// The environment variable that says how many walks are done on each shell.
pub const COUNT: &str = "POCKET_DOCK_WALKS";
/// The environment variable that says the seed of the first walk. The others' are the next numbers.
pub const SEED: &str = "POCKET_DOCK_WALK_SEED";

/// The shells that sessions are tried with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// Bash.
    Bash,
    /// The Debian Almquist shell.
    Dash,
    /// The shell of busybox.
    Ash,
}

impl Shell {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bash, Self::Dash, Self::Ash];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Dash => "dash",
            Self::Ash => "ash",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shell| shell.name() == name)
    }

    /// An image that has it.
    #[must_use]
    pub const fn image(self) -> &'static str {
        match self {
            Self::Bash | Self::Dash => images::PYTHON,
            Self::Ash => images::BUSYBOX,
        }
    }

    /// A session with it.
    #[must_use]
    pub fn options(self) -> SessionOptions {
        SessionOptions::new().shell(match self {
            Self::Bash => "bash",
            Self::Dash | Self::Ash => "/bin/sh",
        })
    }
}
