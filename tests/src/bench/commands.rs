//! Running commands, and killing them.

use std::time::{Duration, Instant};

use pocket_dock_blocking::{Command, Container};

use super::{Failure, Make, Pair, Row, Site, check};

pub(super) const RUN: Row = Row {
    name: "run",
    ours: "run(\"true\")",
    floor: Some("exec create, start, read to the end, inspect, of the same command"),
    beside: None,
    promise: None,
    samples: [30, 10],
    make: Make::OnEngine(|site| {
        let sandbox = site.sandbox()?;
        Ok(Box::new(Run { site, sandbox }))
    }),
};

/// Both begin with the start of the tree, and the limit is taken off, so making its exec counts in both.
pub(super) const KILL: Row = Row {
    name: "kill",
    ours: "what a run with a time limit takes over its limit, for a tree that ignores TERM",
    floor: Some("the same tree, and at the limit one exec of `killall -9`, read to the end"),
    beside: None,
    promise: None,
    samples: [9, 3],
    make: Make::OnEngine(|site| {
        let sandbox = site.sandbox()?;
        Ok(Box::new(Kill { site, sandbox }))
    }),
};

struct Run<'a> {
    site: &'a Site,
    sandbox: Container,
}

impl Pair for Run<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let result = self.sandbox.run("true")?;
        let took = began.elapsed();
        check(result.success(), || format!("{result:?}"))?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let mut wire = self.site.wire()?;
        let exec = wire.exec(self.sandbox.id(), false, &["/bin/sh", "-c", "true"])?;
        wire.start(&exec)?.drain()?;
        let code = self.site.wire()?.exit_code(&exec)?;
        let took = began.elapsed();
        check(code == Some(0), || format!("exit code {code:?}"))?;
        Ok(took)
    }
}

/// Long enough for every engine to have started the whole tree.
const LIMIT: Duration = Duration::from_secs(1);
/// One in a session of its own, one whose parent is gone, and all deaf to a polite word.
const TREE: &str = "trap '' TERM HUP INT; setsid sleep 1000 & (sleep 1001 &); (trap '' TERM; sleep 1002) & sleep 1003";

struct Kill<'a> {
    site: &'a Site,
    sandbox: Container,
}

impl Pair for Kill<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let result = self.sandbox.run(Command::from(TREE).timeout(LIMIT))?;
        let took = began.elapsed();
        let clean = result
            .killed
            .as_ref()
            .is_some_and(|killed| killed.is_clean() && killed.signalled.len() >= 5);
        check(result.timed_out && clean, || format!("{result:?}"))?;
        Ok(took.saturating_sub(LIMIT))
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let mut wire = self.site.wire()?;
        let exec = wire.exec(self.sandbox.id(), false, &["/bin/sh", "-c", TREE])?;
        let until = Instant::now() + LIMIT;
        let stream = wire.start(&exec)?;
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        drop(stream);
        let mut wire = self.site.wire()?;
        let kill = wire.exec(self.sandbox.id(), false, &["killall", "-9", "sleep"])?;
        wire.start(&kill)?.drain()?;
        let took = began.elapsed();
        let code = self.site.wire()?.exit_code(&kill)?;
        check(code == Some(0), || format!("killall: exit code {code:?}"))?;
        Ok(took.saturating_sub(LIMIT))
    }
}
