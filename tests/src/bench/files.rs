//! Small files: calls that move next to nothing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pocket_dock_blocking::Container;

use super::{Failure, Make, Pair, Row, Site, check};
use crate::tree::noise;

const BYTES: usize = 1024;
const PATH: &str = "/tmp/bench-file";

pub(super) const READ: Row = Row {
    name: "read-1k",
    ours: "read_file of 1 KiB",
    floor: Some("exec create, start, read to the end, inspect, of `cat` of the same file"),
    beside: None,
    promise: None,
    samples: [30, 10],
    make: Make::OnEngine(|site| {
        let small = Small::new(site)?;
        small.sandbox.write_file(PATH, small.data.clone())?;
        Ok(Box::new(Read(small)))
    }),
};

pub(super) const WRITE: Row = Row {
    name: "write-1k",
    ours: "write_file of 1 KiB, over one that is there",
    floor: Some("exec create, start, write, read to the end, inspect, of `cat >` the same file"),
    make: Make::OnEngine(|site| Ok(Box::new(Write(Small::new(site)?)))),
    ..READ
};

struct Small<'a> {
    site: &'a Site,
    sandbox: Container,
    data: Bytes,
}

impl<'a> Small<'a> {
    fn new(site: &'a Site) -> Result<Self, Failure> {
        Ok(Self {
            site,
            sandbox: site.sandbox()?,
            data: noise(BYTES).into(),
        })
    }

    /// Whether an exec has ended well.
    fn ended(&self, exec: &str) -> Result<(), Failure> {
        let code = self.site.wire()?.exit_code(exec)?;
        check(code == Some(0), || format!("exit code {code:?}"))
    }
}

struct Read<'a>(Small<'a>);

impl Pair for Read<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let data = self.0.sandbox.read_file(PATH)?;
        let took = began.elapsed();
        check(data == self.0.data, || "another file came".to_owned())?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let Small { site, sandbox, .. } = &self.0;
        let began = Instant::now();
        let mut wire = site.wire()?;
        let exec = wire.exec(sandbox.id(), false, &["cat", PATH])?;
        let count = wire.start(&exec)?.drain()?;
        self.0.ended(&exec)?;
        let took = began.elapsed();
        check(count > BYTES as u64, || format!("{count} bytes came"))?;
        Ok(took)
    }
}

struct Write<'a>(Small<'a>);

impl Pair for Write<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        self.0.sandbox.write_file(PATH, self.0.data.clone())?;
        Ok(began.elapsed())
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let Small { site, sandbox, data } = &self.0;
        let line = format!("cat >{PATH}");
        let began = Instant::now();
        let mut wire = site.wire()?;
        let exec = wire.exec(sandbox.id(), true, &["/bin/sh", "-c", &line])?;
        wire.start(&exec)?.both_ways(data)?;
        self.0.ended(&exec)?;
        Ok(began.elapsed())
    }
}
