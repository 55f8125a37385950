//! Fetches files of a container.
//!
//! ```text
//! Scouting ──► Looking ──┬─(the engine sees the place as the container does)─► Download ──► Ending ──► Done | Err
//! (container)  (local)   └─(it does not)─► Inside, a tar in the container ────────┘
//! ```
//! What comes goes through a pipe to a job that writes local files, and is read no faster than that takes it. Whichever
//! side fails first ends the other, and its error is the one that is told.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::FileCall;
use super::call::{About, keep_end, needs_shell};
use super::errand::{Errand, PIPE_BYTES, means_content, own_name};
use super::local::{Job, Report, Sender, report};
use super::scout::Scouted;
use crate::engine_api::{EngineKind, archive};
use crate::error::Error;
use crate::files::{self, LocalKind, PipeReader, PipeWriter, Progress, Unpacking, pipe};
use crate::http::Sink;
use crate::limits::Limits;
use crate::link::Link;
use crate::op::call::Call;
use crate::op::exec::{Event, Exec};
use crate::op::live::over::quietly;
use crate::op::{Op, Step, after, after_the_end, ready};
use crate::protocol_error::ProtocolError;
use crate::stream::Channel;

/// What is written where, and of what.
pub(crate) type Unpacked = (files::Target, Unpacking, Limits, PipeReader, Sender<Progress>);
/// Writes local files.
pub(crate) type Unpack = Job<Unpacked>;

/// Fetches files of a container.
pub struct Pull {
    errand: Errand,
    to: PathBuf,
    unpacking: Unpacking,
    unpack: Option<Unpack>,
    /// When something came last that was waited for.
    heard: Option<Instant>,
    state: State,
}

enum State {
    Begin,
    Scouting(Box<FileCall<Scouted>>),
    Looking(Report<LocalKind>, Scouted),
    Receiving(Via, Flow),
    Ending(Flow, Option<Error>),
}

enum Via {
    Download(Box<Call>),
    Inside(Box<Exec>, BytesMut),
}

/// What goes to the job.
struct Flow {
    writer: Option<PipeWriter>,
    held: Held,
    /// It has failed; its report tells.
    broken: bool,
    /// The time was over.
    late: bool,
    report: Report<Progress>,
}

/// What came and did not go on yet.
#[derive(Debug, Default)]
struct Held(VecDeque<Bytes>);

impl Sink for Held {
    fn take(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        self.0.push_back(data);
        Ok(())
    }
}

/// Where an archive goes whose entries all begin with `top`, a tree or one file, when `from` is fetched to `to`.
fn destination(from: &Path, to: &Path, scouted: &Scouted, top: Bytes, to_dir: bool) -> files::Target {
    let name = OsString::from_vec(own_name(from).unwrap_or_else(|| top.to_vec()));
    if scouted.is_dir {
        let name = (!means_content(from) && !top.is_empty()).then_some(name);
        let dir = to.to_owned();
        return files::Target { dir, top, name };
    }
    let (dir, name) = if to_dir || means_content(to) {
        (to.to_owned(), name)
    } else {
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or_else(|| Path::new(".")).to_owned();
        (dir, to.file_name().map_or(name, ToOwned::to_owned))
    };
    let name = Some(name);
    files::Target { dir, top, name }
}

/// Whether the engine would take this path for something else than the name it is: Podman looks for what matches it, and
/// Docker 20 hands it on as JSON, where there is only UTF-8.
fn is_mistaken(engine: EngineKind, path: &[u8]) -> bool {
    match engine {
        EngineKind::Podman => path.iter().any(|byte| br"*?[\".contains(byte)),
        _ => std::str::from_utf8(path).is_err(),
    }
}

impl Pull {
    pub(crate) fn new(errand: Errand, to: PathBuf, unpacking: Unpacking, unpack: Unpack) -> Self {
        Self {
            errand,
            to,
            unpacking,
            unpack: Some(unpack),
            heard: None,
            state: State::Begin,
        }
    }

    fn receive(&mut self, scouted: &Scouted, to_dir: bool, now: Instant) -> Result<State, Error> {
        let errand = &mut self.errand;
        let path = scouted.path();
        let cut = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (above, top) = (
            path.get(..cut).unwrap_or_default(),
            path.get(cut + 1..).unwrap_or_default(),
        );
        let seen = scouted.mounts.is_plain(&path) && !is_mistaken(errand.target.kind(), &path);
        let via = if top.is_empty() || seen {
            let request = archive::get(&errand.place.id, &path)?;
            Via::Download(Box::new(Call::new("fetch files", &errand.target, &request).patient()))
        } else {
            let above: &[u8] = if above.is_empty() { b"/" } else { above };
            Via::Inside(errand.tar(above, top, now), BytesMut::new())
        };
        let top = Bytes::copy_from_slice(top);
        let target = destination(&errand.path.path, &self.to, scouted, top, to_dir);
        let (writer, reader) = pipe(PIPE_BYTES);
        let (sender, report) = report();
        let unpack = self.unpack.take().ok_or_else(after_the_end)?;
        let limits = errand.target.limits().clone();
        unpack((target, self.unpacking.clone(), limits, reader, sender));
        let flow = Flow {
            writer: Some(writer),
            held: Held::default(),
            broken: false,
            late: false,
            report,
        };
        Ok(State::Receiving(via, flow))
    }

    fn end(&mut self, error: Option<Error>) {
        if let State::Receiving(_, mut flow) = std::mem::replace(&mut self.state, State::Begin) {
            if let Some(writer) = flow.writer.take()
                && error.is_none()
                && !flow.broken
            {
                writer.finish();
            }
            self.state = State::Ending(flow, error);
        }
    }

    /// Whether the engine says nothing although it is listened to.
    fn is_silent(&mut self, now: Instant) -> bool {
        let limit = self.errand.target.answer_limit();
        let heard = *self.heard.get_or_insert(now);
        now >= after(heard, limit)
    }
}

impl Flow {
    /// Hands on what came. Pending while there is no room for it.
    fn hand_on(&mut self, link: &mut Link) -> Poll<()> {
        while let Some(writer) = &self.writer
            && let Some(data) = self.held.0.pop_front()
        {
            let mut data = Some(data);
            match writer.poll_write(&mut data, &link.waker()) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    self.writer = None;
                    self.broken = true;
                }
                Poll::Pending => {
                    self.held.0.extend(data);
                    self.held.0.rotate_right(1);
                    return Poll::Pending;
                }
            }
        }
        if self.writer.is_none() {
            self.held.0.clear();
        }
        Poll::Ready(())
    }
}

impl Via {
    /// One step: how the container's side ended, or nothing if there may be more to hand on.
    fn poll(
        &mut self,
        about: &About,
        held: &mut Held,
        now: Instant,
        link: &mut Link,
    ) -> Result<Step<Option<Result<(), Error>>>, Error> {
        match self {
            Self::Download(call) => {
                let answer = ready!(call.poll_into(now, link, Some(held)));
                let outcome = if answer.is_success() {
                    Ok(())
                } else {
                    Err(about.refused(&answer))
                };
                Ok(Step::Done(Some(outcome)))
            }
            Self::Inside(exec, words) => {
                match ready!(exec.poll(now, link, true).map_err(needs_shell)) {
                    Event::Output(Channel::Stdout, data) => held.0.push_back(data),
                    Event::Output(Channel::Stderr, data) => keep_end(words, &data),
                    Event::Ended(ended) => {
                        return Ok(Step::Done(Some(about.outcome(ended.exit_code, ended.timed_out, words))));
                    }
                }
                Ok(Step::Done(None))
            }
        }
    }
}

impl Op for Pull {
    type Output = Progress;

    fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Progress>, Error> {
        loop {
            match &mut self.state {
                State::Begin => {
                    self.errand.begin(now)?;
                    self.state = State::Scouting(Box::new(self.errand.scout("pull", &[], now)));
                }
                State::Scouting(scout) => {
                    let scouted = ready!(scout.poll(now, link));
                    self.state = State::Looking(self.errand.look(self.to.clone())?, scouted);
                }
                State::Looking(report, _) => {
                    let kind = ready!(self.errand.seen(report, now, link));
                    let to_dir = matches!(kind, Ok(LocalKind::Directory));
                    let State::Looking(_, scouted) = std::mem::replace(&mut self.state, State::Begin) else {
                        return Err(after_the_end());
                    };
                    self.state = self.receive(&scouted, to_dir, now)?;
                }
                State::Receiving(via, flow) => {
                    let waits = flow.hand_on(link).is_pending();
                    let download = matches!(via, Via::Download(_));
                    let late = self.errand.is_late(now);
                    if download && (late || flow.broken) {
                        link.hang_up();
                        let late = (!flow.broken).then(|| self.errand.timed_out());
                        self.end(late);
                        continue;
                    }
                    if let Via::Inside(exec, _) = via
                        && (late || flow.broken)
                    {
                        // What it still says goes nowhere.
                        flow.late |= !flow.broken;
                        flow.writer = None;
                        exec.abandon();
                    } else if waits {
                        self.heard = Some(now);
                        return Ok(self.errand.wait());
                    }
                    match via.poll(&self.errand.about, &mut flow.held, now, link) {
                        Ok(Step::Done(None)) => {}
                        Ok(Step::Done(Some(outcome))) => {
                            // What came last goes on before the end is told.
                            let outcome = match outcome {
                                _ if flow.late => Err(self.errand.timed_out()),
                                outcome => outcome,
                            };
                            if outcome.is_ok() && flow.hand_on(link).is_pending() {
                                self.state = last(std::mem::replace(&mut self.state, State::Begin));
                            } else {
                                self.end(outcome.err());
                            }
                        }
                        Ok(Step::Need(need)) => {
                            if !flow.held.0.is_empty() && !flow.late {
                                self.heard = Some(now);
                                continue;
                            }
                            // The job may end while the container says nothing.
                            if let Some(writer) = &flow.writer
                                && writer.is_unread(&link.waker())
                            {
                                flow.writer = None;
                                flow.broken = true;
                                continue;
                            }
                            if !download {
                                return Ok(need.into());
                            }
                            if self.is_silent(now) {
                                link.hang_up();
                                let limit = self.errand.target.answer_limit();
                                self.end(Some(Error::Deadline {
                                    what: "fetch files",
                                    limit,
                                }));
                                continue;
                            }
                            let heard = self.heard.map(|heard| after(heard, self.errand.target.answer_limit()));
                            return Ok(need.by(heard).by(self.errand.until()).into());
                        }
                        Err(error) => self.end(Some(error)),
                    }
                }
                State::Ending(flow, error) => {
                    if flow.writer.is_some() {
                        if flow.hand_on(link).is_pending() {
                            return Ok(quietly(None));
                        }
                        if let Some(writer) = flow.writer.take() {
                            writer.finish();
                        }
                    }
                    return match flow.report.poll(&link.waker()) {
                        Poll::Pending => Ok(quietly(None)),
                        Poll::Ready(said) => match (said, error.take()) {
                            (Err(local), _) if flow.broken => Err(local.into()),
                            (_, Some(error)) => Err(error),
                            (said, None) => Ok(Step::Done(said?)),
                        },
                    };
                }
            }
        }
    }

    fn abandon(&mut self) -> bool {
        match &mut self.state {
            State::Receiving(via, flow) => {
                flow.writer = None;
                flow.broken = true;
                match via {
                    Via::Inside(exec, _) => exec.abandon(),
                    Via::Download(_) => false,
                }
            }
            State::Scouting(scout) => scout.abandon(),
            _ => false,
        }
    }
}

/// The container's side has ended well, and something is still to be handed on.
fn last(state: State) -> State {
    match state {
        State::Receiving(_, flow) => State::Ending(flow, None),
        state => state,
    }
}

impl fmt::Debug for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull")
            .field("of", &self.errand.about)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}
