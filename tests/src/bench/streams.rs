//! Much data.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pocket_dock_blocking::{Command, Container};

use super::{Failure, Make, Pair, Row, Scale, Site, check};
use crate::tree::noise;

pub(super) const OUTPUT: Row = Row {
    name: "output-1g",
    ours: "1 GiB from `head -c`, 1 MiB of it kept (128 MiB with --quick)",
    floor: Some("the stream of the same exec, read in pieces of 64 KiB to its end"),
    beside: None,
    promise: None,
    samples: [3, 3],
    make: Make::OnEngine(|site| {
        let sandbox = site.sandbox()?;
        let bytes = output_bytes(site.scale());
        Ok(Box::new(Output { site, sandbox, bytes }))
    }),
};

pub(super) const INPUT: Row = Row {
    name: "input-64m",
    ours: "64 MiB into `cat` and out again, all kept",
    floor: Some("the stream of the same exec, one thread that writes, one that reads and keeps"),
    beside: None,
    promise: None,
    samples: [7, 3],
    make: Make::OnEngine(|site| {
        let sandbox = site.sandbox()?;
        let bytes = if site.scale() == Scale::Smoke { 4 } else { 64 } << 20;
        let data = noise(bytes).into();
        Ok(Box::new(Input { site, sandbox, data }))
    }),
};

pub(super) const STREAM: Row = Row {
    name: "stream-1g",
    ours: "1 GiB from `head -c`, read by `next` of a stream (128 MiB with --quick)",
    make: Make::OnEngine(|site| {
        let sandbox = site.sandbox()?;
        let bytes = output_bytes(site.scale());
        Ok(Box::new(Streamed(Output { site, sandbox, bytes })))
    }),
    ..OUTPUT
};

fn output_bytes(scale: Scale) -> u64 {
    match scale {
        Scale::Full => 1 << 30,
        Scale::Quick => 128 << 20,
        Scale::Smoke => 4 << 20,
    }
}

struct Output<'a> {
    site: &'a Site,
    sandbox: Container,
    bytes: u64,
}

impl Pair for Output<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let command = Command::from(format!("head -c {} /dev/zero", self.bytes)).output_limit(1 << 20);
        let began = Instant::now();
        let result = self.sandbox.run(command)?;
        let took = began.elapsed();
        let kept = (result.stdout.head.len() + result.stdout.tail.len()) as u64;
        check(result.success() && kept + result.omitted_bytes() == self.bytes, || {
            let omitted = result.omitted_bytes();
            format!("exit code {}, {kept} bytes kept, {omitted} omitted", result.exit_code)
        })?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let line = format!("head -c {} /dev/zero", self.bytes);
        let began = Instant::now();
        let mut wire = self.site.wire()?;
        let exec = wire.exec(self.sandbox.id(), false, &["/bin/sh", "-c", &line])?;
        let count = wire.start(&exec)?.drain()?;
        let took = began.elapsed();
        check(count > self.bytes, || format!("{count} bytes came"))?;
        Ok(took)
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.bytes)
    }
}

/// The same output, by other means.
struct Streamed<'a>(Output<'a>);

impl Pair for Streamed<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let Output { sandbox, bytes, .. } = &self.0;
        let began = Instant::now();
        let mut stream = sandbox.stream(format!("head -c {bytes} /dev/zero"))?;
        let mut count = 0;
        while let Some(piece) = stream.next()? {
            count += piece.data.len() as u64;
        }
        let ended = stream.result()?;
        let took = began.elapsed();
        check(ended.success() && count == *bytes, || {
            format!("exit code {}, {count} bytes came", ended.exit_code)
        })?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        self.0.floor()
    }

    fn bytes(&self) -> Option<u64> {
        self.0.bytes()
    }
}

struct Input<'a> {
    site: &'a Site,
    sandbox: Container,
    data: Bytes,
}

impl Pair for Input<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let command = Command::argv(["cat"]).stdin(self.data.clone()).unlimited_output();
        let began = Instant::now();
        let result = self.sandbox.run(command)?;
        let took = began.elapsed();
        check(result.success() && result.stdout.head == self.data, || {
            let back = result.stdout.head.len();
            format!("exit code {}, {back} bytes came back, or others", result.exit_code)
        })?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let mut wire = self.site.wire()?;
        let exec = wire.exec(self.sandbox.id(), true, &["cat"])?;
        let kept = wire.start(&exec)?.both_ways(&self.data)?;
        let took = began.elapsed();
        check(kept.len() > self.data.len(), || {
            format!("{} bytes came back", kept.len())
        })?;
        Ok(took)
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.data.len() as u64)
    }
}
