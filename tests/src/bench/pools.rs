//! Containers that are ready, beside those that are made.

use std::time::{Duration, Instant};

use pocket_dock_blocking::Pool;

use super::{Failure, Make, Pair, Promise, Row, Site, check};

/// How many are ready.
const SIZE: usize = 2;
/// How long the pool may take to fill.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) const TAKE: Row = Row {
    name: "take",
    ours: "Pool::take, where one is ready",
    floor: Some("Engine::create of the same spec"),
    beside: None,
    promise: Some(Promise::Faster(20)),
    samples: [15, 5],
    make: Make::OnEngine(|site| {
        let pool = site.pool(SIZE)?;
        Ok(Box::new(Take { site, pool }))
    }),
};

struct Take<'a> {
    site: &'a Site,
    pool: Pool,
}

impl Take<'_> {
    /// Nothing is made in the background while anything is measured.
    fn full(&self) -> Result<(), Failure> {
        let until = Instant::now() + LIMIT;
        while self.pool.ready() < SIZE {
            check(Instant::now() < until, || "the pool does not fill".to_owned())?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Pair for Take<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        self.full()?;
        let began = Instant::now();
        let sandbox = self.pool.take()?;
        let took = began.elapsed();
        check(sandbox.inspect()?.running, || "what was taken does not run".to_owned())?;
        sandbox.shutdown_force()?;
        self.full()?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        self.full()?;
        let began = Instant::now();
        let sandbox = self.site.sandbox()?;
        let took = began.elapsed();
        sandbox.shutdown_force()?;
        Ok(took)
    }
}
