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
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::call::{About, command, keep_end, needs_shell};
use super::local::{Job, Look, Report, Sender, report};
use super::push::{PIPE_BYTES, refused};
use super::scout::{SAID_BYTES, Scouted, as_path};
use super::{FileCall, Question};
use crate::engine_api::{Target, archive};
use crate::error::Error;
use crate::files::{
    self, FileErrorKind, FilePath, LocalKind, PipeReader, PipeWriter, Progress, Unpacking, escaped, pipe,
};
use crate::http::Sink;
use crate::limits::Limits;
use crate::link::Link;
use crate::op::call::Call;
use crate::op::exec::{Event, Exec, Place};
use crate::op::live::over::quietly;
use crate::op::{Need, Op, Step, after, after_the_end, ready};
use crate::protocol_error::ProtocolError;
use crate::stream::Channel;

/// What is written where, and of what.
pub(crate) type Unpacked = (files::Target, Unpacking, Limits, PipeReader, Sender<Progress>);
/// Writes local files.
pub(crate) type Unpack = Job<Unpacked>;

/// What is fetched, and where to.
pub(crate) struct Order {
    pub(crate) target: Target,
    pub(crate) place: Place,
    pub(crate) path: FilePath,
    pub(crate) to: PathBuf,
    pub(crate) unpacking: Unpacking,
    pub(crate) look: Look,
    pub(crate) unpack: Unpack,
    /// As [`Exec::new`] takes them, for two of them.
    pub(crate) ids: [String; 4],
}

/// Fetches files of a container.
pub struct Pull {
    order: Order,
    about: About,
    look: Option<Look>,
    unpack: Option<Unpack>,
    until: Option<Instant>,
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

/// Where an archive goes whose entries all begin with `top`: a tree, or one file.
fn destination(order: &Order, scouted: &Scouted, top: Bytes, to_dir: bool) -> files::Target {
    let to = &order.to;
    let requested = order.path.path.as_os_str().as_bytes();
    let name = own_name(&order.path.path).unwrap_or_else(|| top.to_vec());
    let name = OsString::from_vec(name);
    if scouted.is_dir {
        let name = (!means_content(requested) && !top.is_empty()).then_some(name);
        return files::Target {
            dir: to.clone(),
            top,
            name,
        };
    }
    if to_dir || means_content(to.as_os_str().as_bytes()) {
        let dir = to.clone();
        return files::Target {
            dir,
            top,
            name: Some(name),
        };
    }
    let dir = match to.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    files::Target {
        dir,
        top,
        name: Some(to.file_name().map_or(name, ToOwned::to_owned)),
    }
}

/// Whether a path means what is in a directory, and not the directory itself: `src/`, `src/.`, `.`, `..`.
pub(crate) fn means_content(path: &[u8]) -> bool {
    matches!(path.rsplit(|byte| *byte == b'/').next(), Some(b"" | b"." | b".."))
}

/// The last part of a path, where it has one.
pub(crate) fn own_name(path: &Path) -> Option<Vec<u8>> {
    path.file_name().map(|name| name.as_bytes().to_vec())
}

impl Pull {
    pub(crate) fn new(mut order: Order) -> Self {
        Self {
            about: About {
                container: order.place.name.clone(),
                path: order.path.path.clone(),
            },
            look: Some(std::mem::replace(&mut order.look, Box::new(drop))),
            unpack: Some(std::mem::replace(&mut order.unpack, Box::new(drop))),
            order,
            until: None,
            heard: None,
            state: State::Begin,
        }
    }

    fn scout(&mut self) -> FileCall<Scouted> {
        let order = &mut self.order;
        let [id, mark, ..] = &mut order.ids;
        let question = Question {
            target: &order.target,
            place: order.place.clone(),
            path: &order.path.clone().limit(SAID_BYTES),
            id: std::mem::take(id),
            mark: std::mem::take(mark),
        };
        FileCall::new(question, "pull", &[], None, |said| Scouted::read(&said))
    }

    fn receive(&mut self, scouted: &Scouted, to_dir: bool, now: Instant) -> Result<State, Error> {
        let order = &mut self.order;
        let path = scouted.path();
        let cut = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (above, top) = (
            path.get(..cut).unwrap_or_default(),
            path.get(cut + 1..).unwrap_or_default(),
        );
        let via = if top.is_empty() || scouted.mounts.is_plain(&path) {
            let request = archive::get(&order.place.id, &path)?;
            Via::Download(Box::new(Call::new("fetch files", &order.target, &request).patient()))
        } else {
            let mut dir = FilePath::new(as_path(if above.is_empty() { b"/" } else { above }));
            dir.user.clone_from(&order.path.user);
            dir.timeout = self.until.map(|until| until.saturating_duration_since(now));
            let name = escaped(as_path(top));
            let command = command("tar", &dir, &[name.trim_start_matches("./")]);
            let [.., id, mark] = &mut order.ids;
            let (id, mark) = (std::mem::take(id), std::mem::take(mark));
            Via::Inside(
                Box::new(Exec::new(&order.target, order.place.clone(), command, id, mark)),
                BytesMut::new(),
            )
        };
        let target = destination(order, scouted, Bytes::copy_from_slice(top), to_dir);
        let (writer, reader) = pipe(PIPE_BYTES);
        let (sender, report) = report();
        let unpack = self.unpack.take().ok_or_else(after_the_end)?;
        unpack((
            target,
            order.unpacking.clone(),
            order.target.limits().clone(),
            reader,
            sender,
        ));
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
        let limit = self.order.target.answer_limit();
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
                    Err(refused(about, &answer))
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
        if self.until.is_none() {
            self.until = self.order.path.timeout.map(|limit| after(now, limit));
        }
        let quiet = Need::Wait {
            read: false,
            until: self.until,
        };
        loop {
            match &mut self.state {
                State::Begin => {
                    self.order.path.check()?;
                    self.state = State::Scouting(Box::new(self.scout()));
                }
                State::Scouting(scout) => {
                    let scouted = ready!(scout.poll(now, link));
                    let (sender, report) = report();
                    let look = self.look.take().ok_or_else(after_the_end)?;
                    look((self.order.to.clone(), sender));
                    self.state = State::Looking(report, scouted);
                }
                State::Looking(report, scouted) => match report.poll(&link.waker()) {
                    Poll::Ready(kind) => {
                        let to_dir = matches!(kind, Ok(LocalKind::Directory));
                        let State::Looking(_, scouted) = std::mem::replace(&mut self.state, State::Begin) else {
                            return Err(after_the_end());
                        };
                        self.state = self.receive(&scouted, to_dir, now)?;
                    }
                    Poll::Pending => {
                        let _ = scouted;
                        if self.until.is_some_and(|until| now >= until) {
                            return Err(self.about.error(FileErrorKind::TimedOut, ""));
                        }
                        return Ok(quiet.into());
                    }
                },
                State::Receiving(via, flow) => {
                    let waits = flow.hand_on(link).is_pending();
                    let download = matches!(via, Via::Download(_));
                    let late = self.until.is_some_and(|until| now >= until);
                    if download && (late || flow.broken) {
                        link.hang_up();
                        let late = (!flow.broken).then(|| self.about.error(FileErrorKind::TimedOut, ""));
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
                        return Ok(quiet.into());
                    }
                    match via.poll(&self.about, &mut flow.held, now, link) {
                        Ok(Step::Done(None)) => {}
                        Ok(Step::Done(Some(outcome))) => {
                            // What came last goes on before the end is told.
                            let outcome = match outcome {
                                _ if flow.late => Err(self.about.error(FileErrorKind::TimedOut, "")),
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
                                let limit = self.order.target.answer_limit();
                                self.end(Some(Error::Deadline {
                                    what: "fetch files",
                                    limit,
                                }));
                                continue;
                            }
                            let heard = self.heard.map(|heard| after(heard, self.order.target.answer_limit()));
                            return Ok(need.by(heard).by(self.until).into());
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
            .field("of", &self.about)
            .field("to", &self.order.to)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_means_what_is_inside() {
        for content in [&b"src/"[..], b"src/.", b".", b"..", b"a/..", b"/"] {
            assert!(means_content(content), "{content:?}");
        }
        for whole in [&b"src"[..], b"/a/b", b"a.", b"...", b"-"] {
            assert!(!means_content(whole), "{whole:?}");
        }
        assert_eq!(own_name(Path::new("a/b/")), Some(b"b".to_vec()));
        assert_eq!(own_name(Path::new("/")), None);
    }
}
