//! Execs: what was asked for, and the process it became.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};

use super::answer::Writer;
use super::behaviour::{Behaviour, Known, known};
use super::session::{Cutting, Said, Saying, Shell, stored};

/// How much output and input wait inside the engine.
const PIPE_BYTES: usize = 64 * 1024;

pub(super) const OUT: u8 = 1;
pub(super) const ERR: u8 = 2;

/// An exec, before, while and after it runs.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) id: String,
    pub(super) container: String,
    pub(super) cmd: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) user: String,
    pub(super) attach_stdin: bool,
    pub(super) pid: u32,
    pub(super) process: Option<Process>,
}

impl Exec {
    /// Whether it is a shell that reads commands.
    pub(super) fn is_session(&self) -> bool {
        self.cmd.last().is_some_and(|word| word == "-s")
    }
}

/// A started command.
#[derive(Debug)]
pub(super) struct Process {
    /// What happens when.
    plan: VecDeque<(Duration, Happening)>,
    cat: bool,
    /// It is the shell of a session.
    pub(super) shell: Option<Shell>,
    /// Where what it reads is stored.
    stores: Option<String>,
    /// What was stored.
    pub(super) stored: Option<(String, Vec<u8>)>,
    /// Code that is still to be read from stdin: so many bytes.
    code_bytes: Option<usize>,
    stdin: Vec<u8>,
    stdin_ended: bool,
    /// The id of the marks, where it runs under the wrapper.
    mark: Option<String>,
    /// Framed, to the client.
    pub(super) out: BytesMut,
    pub(super) cutting: Cutting,
    frame_bytes: usize,
    pub(super) code: Option<i32>,
    /// The engine could not start it.
    pub(super) failed: bool,
    /// Nothing will be written any more.
    pub(super) closed: bool,
}

#[derive(Debug)]
enum Happening {
    Prints(u8, Vec<u8>),
    /// The command ends; what it says in the marks, and the exit code of the exec.
    Ends(String, i32),
    Closes,
}

/// What the process is told by those who start it.
pub(super) struct Start<'a> {
    pub(super) writer: Writer,
    pub(super) now: Duration,
    pub(super) has_shell: bool,
    /// What begins like the shell of a session is one.
    pub(super) talks: bool,
    pub(super) commands: &'a BTreeMap<String, Behaviour>,
}

impl Process {
    fn new(writer: Writer) -> Self {
        Self {
            plan: VecDeque::new(),
            cat: false,
            shell: None,
            stores: None,
            stored: None,
            code_bytes: None,
            stdin: Vec::new(),
            stdin_ended: false,
            mark: None,
            out: BytesMut::new(),
            cutting: Cutting::default(),
            frame_bytes: if writer.is_docker() { 32_768 } else { 8_192 },
            code: None,
            failed: false,
            closed: false,
        }
    }

    /// A command that could not be started: the engine says so within the stream.
    pub(super) fn failed(start: &Start<'_>, what: &str) -> Self {
        let mut process = Self::new(start.writer);
        process.failed = true;
        let (channel, text, code) = if start.writer.is_docker() {
            (
                OUT,
                format!("OCI runtime exec failed: exec failed: {what}: unknown\r\n"),
                126,
            )
        } else {
            (
                ERR,
                format!("Error: crun: {what}: OCI runtime attempted to invoke a command that was not found\n"),
                127,
            )
        };
        process
            .plan
            .push_back((start.now, Happening::Prints(channel, text.into_bytes())));
        process.end(start.now, "", code, Duration::ZERO);
        process
    }

    pub(super) fn start(exec: &Exec, start: &Start<'_>) -> Self {
        let words: Vec<&str> = exec.cmd.iter().map(String::as_str).collect();
        let mut process = Self::new(start.writer);
        process.stdin_ended = !exec.attach_stdin;
        match words[..] {
            ["/bin/sh", ..] if !start.has_shell => {
                return Self::failed(start, "exec: \"/bin/sh\": stat /bin/sh: no such file or directory");
            }
            [
                "/bin/sh",
                "-c",
                _,
                "pocket-dock",
                id,
                dir,
                form @ ("shell" | "argv" | "code"),
                ref rest @ ..,
            ] => {
                process.mark = Some(id.to_owned());
                let mark = format!("__PD_{id}_begin__\n");
                process.frame(OUT, mark.as_bytes());
                process.frame(ERR, mark.as_bytes());
                if dir.starts_with("/nosuch") {
                    process.end(start.now, "nodir", 125, Duration::ZERO);
                } else if form == "code" {
                    process.code_bytes = rest.first().and_then(|bytes| bytes.parse().ok());
                } else if let Some(file) = stored(rest) {
                    process.stores = Some(file);
                } else if !(start.talks && rest.last() == Some(&"-s")) {
                    process.plan_line(&rest.join(" "), form == "argv", start);
                }
            }
            ["/bin/sh", "-c", line] => process.plan_line(line, false, start),
            _ if is_program(&words.join(" "), start) => process.plan_line(&words.join(" "), true, start),
            _ => {
                return Self::failed(
                    start,
                    &format!("exec: {:?}: executable file not found in $PATH", words.first()),
                );
            }
        }
        process
    }

    /// What a script that looks for marked processes prints.
    pub(super) fn report(start: &Start<'_>, text: String) -> Self {
        let mut process = Self::new(start.writer);
        process
            .plan
            .push_back((start.now, Happening::Prints(OUT, text.into_bytes())));
        process.end(start.now, "0", 0, Duration::ZERO);
        process
    }

    fn plan_line(&mut self, line: &str, argv: bool, start: &Start<'_>) {
        let behaviour = match (start.commands.get(line), known(line)) {
            (Some(behaviour), _) => behaviour.clone(),
            (None, Some(Known::Does(behaviour))) => behaviour,
            (None, Some(Known::Cat)) => {
                self.cat = true;
                return;
            }
            (None, None) if argv => return self.end(start.now, "nofile", 125, Duration::ZERO),
            (None, None) => {
                let stderr = vec![format!("/bin/sh: {line}: not found\n").into_bytes()];
                Behaviour {
                    stderr,
                    exit_code: 127,
                    ..Behaviour::default()
                }
            }
        };
        let stdout = behaviour.stdout.into_iter().map(|piece| (OUT, piece));
        let stderr = behaviour.stderr.into_iter().map(|piece| (ERR, piece));
        let in_turn = [OUT, ERR].into_iter().cycle().zip(behaviour.in_turn);
        for (channel, piece) in stdout.chain(stderr).chain(in_turn) {
            self.plan.push_back((start.now, Happening::Prints(channel, piece)));
        }
        let at = start.now.saturating_add(behaviour.duration);
        self.end(
            at,
            &behaviour.exit_code.to_string(),
            behaviour.exit_code,
            behaviour.lingers,
        );
        let closes = self.plan.pop_back();
        for said in 1.. {
            let then = behaviour.babbles.saturating_mul(said);
            if then.is_zero() || then >= behaviour.lingers {
                break;
            }
            self.plan
                .push_back((at.saturating_add(then), Happening::Prints(OUT, b"babble\n".to_vec())));
        }
        self.plan.extend(closes);
    }

    fn end(&mut self, at: Duration, says: &str, code: i32, lingers: Duration) {
        self.plan.push_back((at, Happening::Ends(says.to_owned(), code)));
        self.plan.push_back((at.saturating_add(lingers), Happening::Closes));
    }

    /// Lets everything happen that is due.
    pub(super) fn advance(&mut self, start: &Start<'_>) {
        if let Some(bytes) = self.code_bytes.filter(|&bytes| self.stdin.len() >= bytes) {
            self.code_bytes = None;
            let code: Vec<u8> = self.stdin.drain(..bytes).collect();
            self.plan_line(&String::from_utf8_lossy(&code), false, start);
        }
        if self.cat && self.code.is_none() {
            let echoed = std::mem::take(&mut self.stdin);
            self.frame(OUT, &echoed);
            if self.stdin_ended {
                self.end(start.now, "0", 0, Duration::ZERO);
                self.cat = false;
            }
        }
        if let Some(file) = self.stores.take_if(|_| self.stdin_ended) {
            self.frame(OUT, file.as_bytes());
            self.stored = Some((file, std::mem::take(&mut self.stdin)));
            self.end(start.now, "0", 0, Duration::ZERO);
        }
        let said = self.shell.as_mut().map(Shell::answer);
        self.say(said.unwrap_or_default(), start.now);
        while self.plan.front().is_some_and(|(at, _)| *at <= start.now) {
            let Some((_, happening)) = self.plan.pop_front() else {
                break;
            };
            match happening {
                Happening::Prints(channel, data) => self.frame(channel, &data),
                Happening::Ends(says, code) => {
                    self.code = Some(code);
                    if let Some(id) = self.mark.take() {
                        let mark = format!("__PD_{id}_{says}__\n");
                        self.frame(OUT, mark.as_bytes());
                        self.frame(ERR, mark.as_bytes());
                    }
                }
                Happening::Closes => self.closed = true,
            }
        }
    }

    /// What comes of something that its shell was told now.
    pub(super) fn say(&mut self, said: Vec<Said>, now: Duration) {
        if said.is_empty() {
            return;
        }
        for Said { after, what } in said {
            let at = now.saturating_add(after);
            match what {
                Saying::Out(data) => self.plan.push_back((at, Happening::Prints(OUT, data))),
                Saying::Err(data) => self.plan.push_back((at, Happening::Prints(ERR, data))),
                Saying::Exits(code) => self.end(at, &code.to_string(), code, Duration::ZERO),
            }
        }
        // What is late may come behind what it says to the next.
        self.plan.make_contiguous().sort_by_key(|(at, _)| *at);
    }

    pub(super) fn next_event(&self) -> Option<Duration> {
        self.plan.front().map(|(at, _)| *at)
    }

    pub(super) fn is_running(&self) -> bool {
        self.code.is_none()
    }

    /// Something killed all of it, the wrapper too: no marks.
    pub(super) fn kill(&mut self) {
        self.plan.clear();
        self.cat = false;
        self.shell = None;
        self.code_bytes = None;
        self.code.get_or_insert(137);
        self.closed = true;
    }

    /// Takes input as far as the pipe has room; a process that does not read leaves it there.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        if self.stdin_ended || self.code.is_some() {
            return bytes.len();
        }
        if let Some(shell) = &mut self.shell {
            shell.hear(bytes);
            return bytes.len();
        }
        if self.stores.is_some() {
            self.stdin.extend_from_slice(bytes);
            return bytes.len();
        }
        let wanted = self.code_bytes.unwrap_or(0).max(PIPE_BYTES);
        let room = wanted.saturating_sub(self.stdin.len());
        let room = if self.cat {
            room.min(PIPE_BYTES.saturating_sub(self.out.len()))
        } else {
            room
        };
        let taken = bytes.len().min(room);
        self.stdin.extend_from_slice(&bytes[..taken]);
        taken
    }

    pub(super) fn end_stdin(&mut self) {
        self.stdin_ended = true;
    }

    pub(super) fn take(&mut self, limit: usize) -> Vec<u8> {
        let count = self.cutting.lets(limit.min(self.out.len()));
        let bytes = self.out[..count].to_vec();
        self.out.advance(count);
        bytes
    }

    fn frame(&mut self, channel: u8, data: &[u8]) {
        for piece in data.chunks(self.frame_bytes) {
            self.out.extend_from_slice(&[channel, 0, 0, 0]);
            self.out.extend_from_slice(&(piece.len() as u32).to_be_bytes());
            self.out.extend_from_slice(piece);
        }
    }
}

fn is_program(line: &str, start: &Start<'_>) -> bool {
    start.commands.contains_key(line) || known(line).is_some()
}
