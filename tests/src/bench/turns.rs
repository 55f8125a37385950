//! Commands of a session.

use std::time::{Duration, Instant};

use pocket_dock_blocking::{Container, Session, SessionOptions};

use super::bare::Stream;
use super::{Beside, Failure, Make, Pair, Row, Scale, check};

pub(super) const TURN: Row = Row {
    name: "turn-100",
    ours: "send_and_wait(\"true\") of a session, a hundred times",
    floor: Some(
        "`true`, evaluated by a shell on a bare stream, until it has said on both outputs that it has ended, as often",
    ),
    beside: Some("as many `run`s of the same, by ten times the time of a tenth of them"),
    promise: None,
    samples: [30, 10],
    make: Make::OnEngine(|site| {
        let sandbox = site.sandbox()?;
        let session = sandbox.session(SessionOptions::new().shell("/bin/sh"))?;
        let mut wire = site.wire()?;
        let exec = wire.exec(sandbox.id(), true, &["/bin/sh", "-s"])?;
        let shell = wire.start(&exec)?;
        Ok(Box::new(Turns {
            times: if site.scale() == Scale::Smoke { 3 } else { 100 },
            session,
            shell,
            sandbox,
        }))
    }),
};

/// One line to the shell, and one from it on each output.
const LINE: &[u8] =
    b"command eval 'true\n' </dev/null; { command printf 'end\\n' >&8; command printf 'end\\n' >&9; } 8>&1 9>&2\n";
/// Both with a frame's header.
const ANSWER: usize = 2 * (8 + 4);

struct Turns {
    times: usize,
    session: Session,
    shell: Stream,
    sandbox: Container,
}

impl Pair for Turns {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        for _ in 0..self.times {
            let result = self.session.send_and_wait("true")?;
            check(result.success(), || format!("{result:?}"))?;
        }
        Ok(began.elapsed())
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        for _ in 0..self.times {
            let answer = self.shell.ask(LINE, ANSWER)?;
            check(answer.ends_with(b"end\n"), || answer.escape_ascii().to_string())?;
        }
        Ok(began.elapsed())
    }

    fn beside(&mut self) -> Result<Beside, Failure> {
        let times = self.times.div_ceil(10);
        let began = Instant::now();
        for _ in 0..times {
            let result = self.sandbox.run("true")?;
            check(result.success(), || format!("{result:?}"))?;
        }
        let took = began.elapsed().as_secs_f64() * self.times as f64 / times as f64;
        Ok(Beside::Took(Duration::from_secs_f64(took)))
    }
}
