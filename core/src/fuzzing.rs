//! Machines that nothing outside needs, for the fuzz targets. Only with the feature `__fuzzing`, and no part of the API.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::buffer::{BufferSnapshot, SharedRingBuffer};
use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::engine_api::{EngineKind, Target};
use crate::error::Error;
use crate::limits::Limits;
use crate::op::Place;
use crate::op::live::{Callbacks, Input, Live, Origin, Sink, Sort, StreamLine, TextChunk, Views};
use crate::op::session::{OnStuck, Pending, Shell, Turns};
use crate::result::{ExecSummary, Output};
use crate::session::Files;
use crate::stream::{Channel, Frame};

/// What one turn gave: its exit code and both its streams; nothing if it never had its turn.
pub type Given = Option<(i32, Output, Output)>;

/// A session without an engine: its turns wait from the beginning.
#[derive(Debug)]
pub struct Exchange {
    shell: Arc<Shell>,
    turns: Turns,
    waiting: Vec<Arc<Pending>>,
    late: SharedRingBuffer,
    now: Instant,
    /// What the shell was sent.
    sent: Vec<Bytes>,
}

impl Exchange {
    /// `borders`: the id of the borders of whatever the shell is asked, and of those of each turn. `ring`: what is kept of what
    /// comes between.
    #[must_use]
    pub fn new(now: Instant, borders: &[String], ring: usize) -> Self {
        let asked = borders.first().cloned().unwrap_or_default();
        let random = move || asked.clone();
        let late = SharedRingBuffer::new(ring);
        let live = Arc::new(live(Sink::Ring(late.clone())));
        // Nothing is killed here.
        let shell = Arc::new(Shell::new(live, OnStuck::Close, random, drop));
        let turns = Turns::new(&shell, &Command::shell(""));
        let waiting = borders.iter().skip(1).map(|border| {
            let turn = Arc::new(live_in(&shell));
            Arc::new(Pending::new(
                turn,
                border.clone(),
                border.clone(),
                "true".to_owned(),
                None,
            ))
        });
        let waiting: Vec<_> = waiting.collect();
        let mut exchange = Self {
            shell,
            turns,
            waiting,
            late,
            now,
            sent: Vec::new(),
        };
        for turn in &exchange.waiting {
            // More than may wait never have their turn.
            let _ = exchange.shell.push(turn, Files::default());
        }
        exchange.look();
        exchange
    }

    fn look(&mut self) {
        self.turns.tick(self.now, Waker::noop());
        if let Some(Input::Data(data)) = self.turns.input() {
            self.sent.push(data);
        }
    }

    /// The shell says something.
    pub fn output(&mut self, channel: Channel, data: Bytes) {
        self.turns.output(channel, data, self.now);
        self.look();
    }

    /// What the shell was sent up to now.
    #[must_use]
    pub fn sent(&self) -> &[Bytes] {
        &self.sent
    }

    /// The shell ends. Gives what each turn gave, and what came between them.
    #[must_use]
    pub fn finish(mut self, exit_code: i32) -> (Vec<Given>, BufferSnapshot) {
        let outcome = Ok(ExecSummary {
            exit_code,
            ..ExecSummary::default()
        });
        self.turns.over(&outcome);
        self.shell.live.end(outcome);
        let given = self.waiting.iter().map(|turn| {
            let summary: Result<ExecSummary, Error> = turn.live.outcome()?;
            let (stdout, stderr) = turn.live.take_gathered();
            Some((summary.ok()?.exit_code, stdout, stderr))
        });
        (given.collect(), self.late.read())
    }
}

fn live_in(shell: &Shell) -> Live {
    live(Sink::gather(None)).in_session(shell.pid())
}

fn live(sink: Sink) -> Live {
    let origin = Origin {
        container: String::new(),
        name: String::new(),
        process: String::new(),
    };
    let place = Place {
        id: String::new(),
        name: String::new(),
        removes_itself: false,
    };
    let target = Target::new(
        Endpoint::unix("/nowhere"),
        EngineKind::Docker,
        String::new(),
        Limits::default(),
        Duration::from_secs(10),
    );
    let callbacks = Arc::new(Callbacks::new(|job| job()));
    Live::new(origin, &target, place, &Command::shell(""), sink, callbacks)
}

/// Output that came in these pieces, by lines.
#[must_use]
pub fn lines(pieces: Vec<Frame>, terminal: bool) -> Vec<StreamLine> {
    Views::new(terminal).all_lines(pieces)
}

/// Output that came in these pieces, as text.
#[must_use]
pub fn text(pieces: Vec<Frame>) -> Vec<TextChunk> {
    Views::new(false).all_text(&pieces)
}
