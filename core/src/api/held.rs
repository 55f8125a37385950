//! What a handle of a running command has, whatever becomes of its output.

use std::sync::Arc;

use bytes::Bytes;

use super::Stdin;
use crate::command::check_size;
use crate::engine_api::exec;
use crate::engine_api::refusal::Subject;
use crate::error::Error;
use crate::op::Ask;
use crate::op::live::{Kill, Live, UntilEnd, Wish, Write};
use crate::runtime::Runtime;
use crate::signal::Signal;

/// A running command that ends with this value.
#[derive(Debug)]
pub(super) struct Held<R: Runtime> {
    runtime: R,
    live: Arc<Live>,
}

impl<R: Runtime> Held<R> {
    pub(super) fn new(runtime: R, live: &Arc<Live>) -> Self {
        let live = Arc::clone(live);
        Self { runtime, live }
    }

    pub(super) fn runtime(&self) -> &R {
        &self.runtime
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(super) fn id(&self) -> &str {
        &self.live.origin.process
    }

    pub(super) fn write(&self, data: Bytes) -> R::Returns<Write> {
        self.runtime.drive(Write::new(&self.live, data))
    }

    pub(super) fn stdin(&self) -> Stdin<R> {
        Stdin::new(&self.runtime, &self.live)
    }

    pub(super) fn kill(&self, signal: Signal) -> R::Returns<Kill> {
        self.runtime.drive(Kill::new(&self.live, signal))
    }

    pub(super) fn resize(&self, cols: u16, rows: u16) -> R::Returns<Ask<()>> {
        let live = &self.live;
        let request = if live.terminal {
            check_size(cols, rows).and_then(|()| exec::resize(&live.exec_id(), cols, rows))
        } else {
            Err(Error::misuse(
                "a command without a terminal has no size: give it one with `Command::tty`",
            ))
        };
        let subject = Subject::Exec {
            container: live.place.name.clone(),
            user: None,
        };
        let ask = Ask::new("resize terminal", &live.target, subject, request, |_| Ok(()));
        self.runtime.drive(ask)
    }
}

impl<R: Runtime> Drop for Held<R> {
    fn drop(&mut self) {
        if self.live.runs() {
            self.live.discard();
            self.live.wish(Wish::Kill);
            self.runtime.finish(UntilEnd::new(&self.live));
        }
    }
}
