//! The conformance suite: what every engine must give, through the public API.

mod clients;
mod commands;
mod containers;
mod faults;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use pocket_dock_blocking::{Container, ContainerSpec, Engine, Error, Options};
use pocket_dock_core::Runtime;

use crate::lab::{self, RunningEngine};

/// Why a case failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// How a case ends.
pub type Verdict = Result<(), Failure>;

/// One case of the suite.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Bench) -> Verdict,
}

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// Every case.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($name), run: $module::$name }),*];
    };
}

cases![
    commands::two_hundred_commands,
    commands::exit_codes_and_signals,
    commands::stdout_and_stderr_are_apart_and_exact,
    commands::argv_is_untouched,
    commands::environment_directory_and_user,
    commands::python_runs,
    commands::code_of_any_size,
    commands::sixty_four_mebibytes_of_input,
    commands::a_flood_keeps_head_and_tail,
    commands::background_child_is_not_waited_for,
    commands::a_timeout_kills_the_tree,
    commands::a_timeout_keeps_the_output_so_far,
    commands::what_looks_like_a_mark_is_output,
    commands::bash_as_sh,
    commands::an_image_without_a_shell,
    containers::shutdown_leaves_nothing,
    containers::drop_leaves_nothing,
    containers::several_from_several_threads,
    containers::labels_and_name,
    containers::no_network_by_default,
    containers::the_main_process_is_waited_for,
    containers::orphans_are_swept,
    clients::killed_at_a_hundred_moments,
    clients::a_gibibyte_in_less_than_32_mebibytes,
    faults::missing_image,
    faults::name_in_use,
    faults::bad_memory_limit,
    faults::a_failed_start_leaves_nothing,
    faults::paused_stopped_and_removed,
    faults::what_cannot_be_started,
];

/// One engine, to be tried.
#[derive(Debug)]
pub struct Bench {
    /// The engine as the lab has it.
    pub lab: RunningEngine,
    /// The engine as we drive it.
    pub engine: Engine,
}

impl Bench {
    /// Connects to an engine of the lab.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn new(lab: RunningEngine) -> Result<Self, Error> {
        let options = Options::new().socket(lab.engine.socket());
        let engine = Engine::connect_with(pocket_dock_blocking::Blocking, options)?;
        Ok(Self { lab, engine })
    }

    fn sandbox(&self) -> Result<Container, Error> {
        self.engine.create(ContainerSpec::new(lab::images::BUSYBOX))
    }

    fn python(&self) -> Result<Container, Error> {
        self.engine.create(ContainerSpec::new(lab::images::PYTHON))
    }

    /// Waits until the engine itself knows no such container: a removal that was accepted may not have ended.
    fn until_gone(&self, name: &str) -> Verdict {
        let until = Instant::now() + Duration::from_secs(30);
        while self.knows(name)? {
            check(Instant::now() < until, || format!("{name} is still there after 30 s"))?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether the engine itself knows a container of this name.
    fn knows(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.lab.peer().inspect(name)?.is_some())
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn same<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Verdict {
    check(got == wanted, || format!("{what}: got {got:?}, wanted {wanted:?}"))
}

/// Keeps a runtime's host at hand for cases that need randomness.
fn random() -> String {
    let bytes = pocket_dock_blocking::Blocking.host().entropy();
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
