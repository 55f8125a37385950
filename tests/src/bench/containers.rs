//! Making and ending containers.

use std::time::{Duration, Instant};

use super::{Failure, Make, Pair, Promise, Row, Site};

pub(super) const CREATE: Row = Row {
    name: "create",
    ours: "Engine::create",
    floor: Some("create, attach, start"),
    beside: None,
    promise: None,
    samples: [15, 5],
    make: Make::OnEngine(|site| Ok(Box::new(Create(site)))),
};

pub(super) const SHUTDOWN: Row = Row {
    name: "shutdown",
    ours: "Container::shutdown, at once after the start",
    floor: Some("stop, then inspect until it answers 404"),
    beside: None,
    promise: Some(Promise::Under(Duration::from_secs(1))),
    samples: [15, 5],
    make: Make::OnEngine(|site| Ok(Box::new(Shutdown { site, force: false }))),
};

pub(super) const SHUTDOWN_FORCE: Row = Row {
    name: "shutdown-force",
    ours: "Container::shutdown_force, at once after the start",
    floor: Some("DELETE with force, then inspect until it answers 404"),
    beside: None,
    promise: Some(Promise::Under(Duration::from_secs(1))),
    samples: [15, 5],
    make: Make::OnEngine(|site| Ok(Box::new(Shutdown { site, force: true }))),
};

struct Create<'a>(&'a Site);

impl Pair for Create<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let sandbox = self.0.sandbox()?;
        let took = began.elapsed();
        sandbox.shutdown_force()?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let bare = self.0.bare()?;
        let took = began.elapsed();
        let id = bare.id.clone();
        drop(bare);
        self.0.wire()?.until_gone(&id)?;
        Ok(took)
    }
}

/// At once after the start, when the main process may not be ready yet to be told anything: the promise holds then too.
struct Shutdown<'a> {
    site: &'a Site,
    force: bool,
}

impl Pair for Shutdown<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let sandbox = self.site.sandbox()?;
        let began = Instant::now();
        if self.force {
            sandbox.shutdown_force()?;
        } else {
            sandbox.shutdown()?;
        }
        Ok(began.elapsed())
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let mut bare = self.site.bare()?;
        let (method, path) = if self.force {
            ("DELETE", format!("/containers/{}?force=1&v=1", bare.id))
        } else {
            ("POST", format!("/containers/{}/stop?t=10", bare.id))
        };
        let began = Instant::now();
        let mut wire = self.site.wire()?;
        let (status, why) = wire.ask(method, &path, "")?;
        // It removes itself as well: 404 and 409 say that it was there first.
        super::check(matches!(status, 200..=299 | 404 | 409), || {
            format!("{method} {path}: {status} {}", String::from_utf8_lossy(&why))
        })?;
        wire.until_gone(&bare.id)?;
        let took = began.elapsed();
        bare.is_gone();
        Ok(took)
    }
}
