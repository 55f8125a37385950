//! One engine while it is measured.

use std::path::Path;
use std::time::{Duration, Instant};

use pocket_dock_blocking::{Blocking, Container, ContainerSpec, Engine, Error, Options, Pool, StdHost};
use pocket_dock_core::Host as _;
use serde_json::json;

use super::bare::{self, Bare, Wire};
use super::{Failure, Scale};
use crate::lab::{Peer, RunningEngine, images};

/// Everything that a row makes has this label.
const LABEL: &str = "bench";

/// One engine while it is measured.
#[derive(Debug)]
pub struct Site {
    lab: RunningEngine,
    engine: Engine,
    peer: Peer,
    scale: Scale,
    /// The value of the label: others may use the engine, and measure it, at the same time.
    mark: String,
    owner: String,
}

impl Site {
    /// Connects to an engine of the lab.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn new(lab: RunningEngine, scale: Scale) -> Result<Self, Error> {
        let engine = Engine::connect_with(Blocking, Options::new().socket(&lab.socket))?;
        Ok(Self {
            peer: lab.peer(),
            lab,
            engine,
            scale,
            mark: random(),
            owner: StdHost.owner().map(|owner| owner.to_string()).unwrap_or_default(),
        })
    }

    /// The engine as the lab has it.
    #[must_use]
    pub fn lab(&self) -> &RunningEngine {
        &self.lab
    }

    /// How thorough to be.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// A container of ours.
    ///
    /// # Errors
    /// Those of [`Engine::create`].
    pub fn sandbox(&self) -> Result<Container, Error> {
        self.engine.create(self.spec())
    }

    fn spec(&self) -> ContainerSpec {
        ContainerSpec::new(images::BUSYBOX).label(LABEL, &self.mark)
    }

    /// A pool of such containers.
    ///
    /// # Errors
    /// Those of [`Pool::new`].
    pub fn pool(&self, size: usize) -> Result<Pool, Error> {
        Pool::new(&self.engine, self.spec(), size)
    }

    /// The same container, made the bare way. Our mark of its owner lets the next client sweep it if we are killed.
    pub(super) fn bare(&self) -> Result<Bare, Failure> {
        let name = format!("bench-{}", random());
        let labels = json!({
            "pocket-dock.name": name, "pocket-dock.managed": "true", "pocket-dock.instance": self.mark, "pocket-dock.created-at": "",
            "pocket-dock.owner": self.owner, LABEL: self.mark,
        });
        let body = bare::container(images::BUSYBOX, &labels);
        Bare::create(&self.peer, &name, &body)
    }

    /// A bare connection.
    pub(super) fn wire(&self) -> Result<Wire, Failure> {
        Wire::dial(self.socket())
    }

    pub(super) fn socket(&self) -> &Path {
        &self.lab.socket
    }

    /// The ids of the containers that rows have left.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn left(&self) -> Result<Vec<String>, Failure> {
        let label = format!("{LABEL}={}", self.mark);
        let left = self.peer.containers(true, Some(&label))?;
        Ok(left
            .iter()
            .filter_map(|one| one["Id"].as_str().map(str::to_owned))
            .collect())
    }

    /// Removes what rows have left.
    ///
    /// # Errors
    /// When that cannot be done within 20 s.
    pub fn sweep(&self) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let left = self.left()?;
            if left.is_empty() {
                return Ok(());
            }
            super::check(Instant::now() < until, || format!("left on the engine: {left:?}"))?;
            for id in &left {
                self.peer.remove(id)?;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn random() -> String {
    let bytes = StdHost.entropy();
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
