//! Sends local files into a container.
//!
//! ```text
//! Looking ──► Scouting ──┬─(the engine sees the place as the container does)─► Upload ──► Ending ──► Done | Err
//!  (local)  (container)  └─(it does not)─► Inside, a tar in the container ────────┘
//!                                              └──(the local side failed, or nobody waits)──► killed ──► Ending
//! ```
//! While it sends, a job packs the local files into a pipe. Whichever side fails first ends the other, and its error is
//! the one that is told.

use std::fmt;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::FileCall;
use super::call::{About, keep_end, needs_shell};
use super::errand::{Errand, PIPE_BYTES, means_content, own_name};
use super::local::{Job, Report, Sender, report};
use super::scout::{Scouted, joined};
use crate::engine_api::archive;
use crate::error::Error;
use crate::files::{FileErrorKind, LocalError, LocalKind, Packing, PipeReader, PipeWriter, Progress, pipe};
use crate::http::chunked;
use crate::link::Link;
use crate::op::call::Call;
use crate::op::exec::{Event, Exec};
use crate::op::live::over::quietly;
use crate::op::{Op, Step, after_the_end, ready};
use crate::stream::Channel;

/// The end of an archive, which some do not read. As long as GNU tar's.
const END_BYTES: usize = 10 * 1024;

/// How much longer than another answer that to an upload may take: what was sent is written by then, holes and all.
const PATIENCE: u32 = 10;

/// What is to be packed, as what, and how.
pub(crate) type Packed = (Vec<u8>, Packing, PipeWriter, Sender<Progress>);
/// Packs local files.
pub(crate) type Pack = Job<Packed>;

/// Sends local files into a container.
pub struct Push {
    errand: Errand,
    source: PathBuf,
    /// The last part of the source's name; `None` if only what is in it is meant.
    name: Option<Vec<u8>>,
    packing: Packing,
    pack: Option<Pack>,
    state: State,
}

enum State {
    Begin,
    Looking(Report<LocalKind>),
    Scouting(Box<FileCall<Scouted>>, LocalKind),
    Sending(Via, Flow),
    Ending(Flow, Option<Error>),
}

enum Via {
    Upload(Box<Call>),
    Inside(Box<Exec>, BytesMut),
}

/// What comes of the job.
struct Flow {
    reader: Option<PipeReader>,
    /// It has failed; its report tells.
    broken: bool,
    /// Bytes that were packed and that nobody wanted any more.
    unsent: usize,
    report: Report<Progress>,
}

impl Push {
    pub(crate) fn new(errand: Errand, source: PathBuf, packing: Packing, pack: Pack) -> Self {
        Self {
            errand,
            name: own_name(&source).filter(|_| !means_content(&source)),
            source,
            packing,
            pack: Some(pack),
            state: State::Begin,
        }
    }

    /// Everything is known: packs, and sends what is packed.
    fn send(&mut self, kind: LocalKind, scouted: &Scouted, now: Instant) -> Result<State, Error> {
        let errand = &mut self.errand;
        let own = self.name.take();
        let mut name = match kind {
            LocalKind::Directory => own.unwrap_or_default(),
            LocalKind::File if scouted.name.is_empty() => own.unwrap_or_default(),
            LocalKind::File => scouted.name.to_vec(),
        };
        let path = joined(&scouted.dir, &name);
        if !scouted.writable {
            let kind = if scouted.mounts.is_read_only(&scouted.dir) {
                FileErrorKind::ReadOnly
            } else {
                FileErrorKind::Permission
            };
            return Err(errand.about.error(kind, ""));
        }
        let mut packing = self.packing.clone();
        let chosen = packing.owner;
        packing.owner = chosen.or(Some((scouted.uid, scouted.gid)));
        packing.repeat_directories = true;
        packing.content_only = name.is_empty();
        let via = if scouted.mounts.is_plain(&path) {
            packing.sparse = true;
            // It is unpacked from the root on.
            name = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
            let request = archive::put(&errand.place.id)?;
            let limit = errand.target.answer_limit().saturating_mul(PATIENCE);
            Via::Upload(Box::new(
                Call::new("send files", &errand.target, &request).within(limit),
            ))
        } else {
            packing.sparse = false;
            // What belongs to others only root can write.
            Via::Inside(errand.untar(&scouted.dir, chosen.is_some(), now), BytesMut::new())
        };
        let (writer, reader) = pipe(PIPE_BYTES);
        let (sender, report) = report();
        let pack = self.pack.take().ok_or_else(after_the_end)?;
        pack((name, packing, writer, sender));
        let flow = Flow {
            reader: Some(reader),
            broken: false,
            unsent: 0,
            report,
        };
        Ok(State::Sending(via, flow))
    }
}

impl Via {
    /// Whether what is packed can be sent now.
    fn takes(&self, link: &Link) -> bool {
        let ready = match self {
            Self::Upload(call) => call.is_sent() && !call.has_head(),
            Self::Inside(exec, _) => exec.takes_input(),
        };
        ready && !link.has_pending() && link.failure().is_none()
    }

    fn send(&mut self, data: Bytes, link: &mut Link) {
        match self {
            Self::Upload(_) => chunked::encode(data, &mut |part| link.send(part)),
            Self::Inside(..) => link.send(data),
        }
    }

    fn end(&mut self, link: &mut Link) {
        match self {
            Self::Upload(_) => link.send(Bytes::from_static(chunked::LAST)),
            Self::Inside(..) => link.finish(),
        }
    }

    /// How the container's side ended: with an error, if it did not do it all.
    fn poll(&mut self, about: &About, now: Instant, link: &mut Link) -> Result<Step<Option<Error>>, Error> {
        match self {
            Self::Upload(call) => {
                let answer = ready!(call.poll(now, link));
                Ok(Step::Done((!answer.is_success()).then(|| about.refused(&answer))))
            }
            Self::Inside(exec, words) => loop {
                match ready!(exec.poll(now, link, true).map_err(needs_shell)) {
                    Event::Output(Channel::Stdout, _) => {}
                    Event::Output(Channel::Stderr, data) => keep_end(words, &data),
                    Event::Ended(ended) => {
                        return Ok(Step::Done(about.outcome(ended.exit_code, ended.timed_out, words).err()));
                    }
                }
            },
        }
    }
}

impl Flow {
    /// What the local side says at its end. What it still packs is of no use any more.
    fn poll(&mut self, link: &mut Link) -> Poll<Result<Progress, LocalError>> {
        while let Some(reader) = &self.reader {
            match reader.poll_read(&link.waker()) {
                Poll::Ready(Ok(Some(data))) => self.unsent += data.len(),
                Poll::Ready(_) => self.reader = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        self.report.poll(&link.waker())
    }
}

impl Op for Push {
    type Output = Progress;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Progress>, Error> {
        loop {
            match &mut self.state {
                State::Begin => {
                    self.errand.begin(now)?;
                    self.state = State::Looking(self.errand.look(self.source.clone())?);
                }
                State::Looking(report) => {
                    let kind = ready!(self.errand.seen(report, now, link))?;
                    let what = if kind == LocalKind::Directory { "tree" } else { "file" };
                    let scout = self.errand.scout("push", &[what], now);
                    self.state = State::Scouting(Box::new(scout), kind);
                }
                State::Scouting(scout, kind) => {
                    let (scouted, kind) = (ready!(scout.poll(now, link)), *kind);
                    self.state = self.send(kind, &scouted, now)?;
                }
                State::Sending(via, flow) => {
                    let asked = via.takes(link) && flow.reader.is_some();
                    if asked && let Some(reader) = &flow.reader {
                        if let Via::Upload(call) = via {
                            call.extend(now);
                        }
                        match reader.poll_read(&link.waker()) {
                            Poll::Ready(Ok(Some(data))) => via.send(data, link),
                            Poll::Ready(Ok(None)) => {
                                via.end(link);
                                flow.reader = None;
                            }
                            Poll::Ready(Err(_)) => {
                                flow.reader = None;
                                flow.broken = true;
                                if let Via::Inside(exec, _) = via {
                                    exec.abandon();
                                }
                            }
                            Poll::Pending => {}
                        }
                    }
                    let upload = matches!(via, Via::Upload(_));
                    if upload && (flow.broken || self.errand.is_late(now)) {
                        link.hang_up();
                        let late = (!flow.broken).then(|| self.errand.timed_out());
                        self.end(late);
                        continue;
                    }
                    let step = match via.poll(&self.errand.about, now, link) {
                        // It may just have begun to take some.
                        Ok(Step::Need(_)) if !asked && flow.reader.is_some() && via.takes(link) => continue,
                        Ok(Step::Need(need)) if upload => return Ok(need.by(self.errand.until()).into()),
                        Ok(Step::Need(need)) => return Ok(need.into()),
                        Ok(Step::Done(error)) => error,
                        // An engine that breaks off while it is sent something has said why, or will not.
                        Err(error) => Some(error),
                    };
                    self.end(step);
                }
                State::Ending(flow, error) => {
                    if let Some(error) = error.take_if(|_| !flow.broken) {
                        return Err(error);
                    }
                    return match flow.poll(link) {
                        Poll::Ready(Ok(_)) if flow.unsent > END_BYTES => {
                            let message = "the container took less than all of it, and said that this was all";
                            Err(self.errand.about.error(FileErrorKind::Other, message))
                        }
                        Poll::Ready(Ok(progress)) => Ok(Step::Done(progress)),
                        Poll::Ready(Err(error)) => Err(error.into()),
                        Poll::Pending => Ok(quietly(None)),
                    };
                }
            }
        }
    }

    fn abandon(&mut self) -> bool {
        match &mut self.state {
            State::Sending(via, flow) => {
                flow.reader = None;
                flow.broken = true;
                match via {
                    Via::Inside(exec, _) => exec.abandon(),
                    Via::Upload(_) => false,
                }
            }
            State::Scouting(scout, _) => scout.abandon(),
            _ => false,
        }
    }
}

impl Push {
    fn end(&mut self, error: Option<Error>) {
        if let State::Sending(_, flow) = std::mem::replace(&mut self.state, State::Begin) {
            self.state = State::Ending(flow, error);
        }
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push")
            .field("source", &self.source)
            .field("to", &self.errand.about)
            .finish_non_exhaustive()
    }
}
