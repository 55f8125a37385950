//! What real shells say to what a session tells them: recorded once from those of this host, without an engine.
//!
//! ```text
//!   fixture:  [ { told: checksum of the lines, or a signal,  says: [[where, text, ms after]] } ]
//! ```
//! In the fixtures a byte is the character of its number, and an id is `№n;`, the n-th of those the shell was told. Ids are
//! others each time, and those of the borders are only known from the lines. What is told must be what was told then, but
//! for ids: an answer to other lines would prove nothing.
//!
//! They are recorded anew, each answer after a moment of silence, in some minutes:
//!
//! ```text
//! cargo test -p pocket-dock-tests --test scripted --no-run
//! POCKET_DOCK_RECORD_SHELLS=1 unshare -pf --mount-proc cargo test -p pocket-dock-tests --test scripted row_ -- --test-threads=1
//! ```
//! In a process namespace of their own and one after the other, since commands that are told to end are looked for by ids
//! that are the same in each test.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::ops::Range;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pocket_dock_tests::sim::{Said, Saying, Talk, Told};
use serde_json::{Value, json};

/// The answers of one shell in each of the dialogues of one row.
pub(crate) type Answers = BTreeMap<String, Vec<Arc<[Step]>>>;
/// The ids that a shell has been told so far.
pub(crate) type Ids = Arc<Mutex<Vec<String>>>;

/// What a shell was told, and what it said to that.
#[derive(Debug)]
pub(crate) struct Step {
    told: String,
    says: Vec<(Duration, Says)>,
}

#[derive(Debug)]
enum Says {
    Out(Vec<Part>),
    Err(Vec<Part>),
    Exits(i32),
}

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    Id(usize),
}

/// Where so many hex digits or more follow each other.
fn hex_runs(text: &str, least: usize) -> Vec<Range<usize>> {
    let (mut runs, mut start) = (Vec::new(), 0);
    for (at, byte) in text.as_bytes().iter().chain(b" ").enumerate() {
        if !matches!(byte, b'0'..=b'9' | b'a'..=b'f') {
            if at - start >= least {
                runs.push(start..at);
            }
            start = at + 1;
        }
    }
    runs
}

fn remember(ids: &Ids, text: &str) {
    let mut ids = ids.lock().unwrap();
    for run in hex_runs(text, 32).into_iter().filter(|run| run.len() == 32) {
        if !ids.iter().any(|id| *id == text[run.clone()]) {
            ids.push(text[run].to_owned());
        }
    }
}

/// The name of what is told: of lines, a checksum that ids make no difference to (FNV-1a).
fn name(told: Told<'_>) -> String {
    let text = match told {
        Told::Lines(text) => text,
        Told::Signal(script) => return script[5].clone(),
        Told::File(..) => return String::new(),
    };
    let mut kept = text.to_owned();
    for run in hex_runs(text, 12).into_iter().rev() {
        kept.replace_range(run, "");
    }
    let sum = kept.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:016x}")
}

/// A shell that says what a real one did.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) steps: Arc<[Step]>,
    pub(crate) next: usize,
    pub(crate) ids: Ids,
    /// What it says on both streams at a time comes on stderr first.
    pub(crate) stderr_first: bool,
    /// It sees to it that it is told what the real one was told.
    pub(crate) looks: bool,
}

impl Talk for Replayed {
    fn told(&mut self, what: Told<'_>) -> Vec<Said> {
        match what {
            Told::Lines(text) => remember(&self.ids, text),
            Told::Signal(_) => {}
            Told::File(..) => return Vec::new(),
        }
        if self.looks {
            let step = self.steps.get(self.next).map(|step| step.told.as_str());
            assert_eq!(
                Some(name(what).as_str()),
                step,
                "no shell was told this, and it is to be recorded anew, as `shells.rs` says: {what:?}"
            );
        }
        let step = &self.steps[self.next];
        self.next += 1;
        let ids = self.ids.lock().unwrap();
        let fill = |parts: &[Part]| {
            let mut bytes = Vec::new();
            for part in parts {
                match part {
                    Part::Bytes(part) => bytes.extend_from_slice(part),
                    Part::Id(at) => bytes.extend_from_slice(ids[*at].as_bytes()),
                }
            }
            bytes
        };
        let said = step.says.iter().map(|(after, says)| Said {
            after: *after,
            what: match says {
                Says::Out(parts) => Saying::Out(fill(parts)),
                Says::Err(parts) => Saying::Err(fill(parts)),
                Says::Exits(code) => Saying::Exits(*code),
            },
        });
        let mut said: Vec<Said> = said.collect();
        if self.stderr_first {
            said.sort_by_key(|said| (is_end(said), said.after, matches!(said.what, Saying::Out(_))));
        }
        said
    }
}

fn is_end(said: &Said) -> bool {
    matches!(said.what, Saying::Exits(_))
}

/// Reads the fixture of a row.
pub(crate) fn read(file: &str) -> Answers {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let value: Value = serde_json::from_str(&text).unwrap();
    let shells = value.as_object().unwrap().iter();
    let dialogue = |steps: &Value| steps.as_array().unwrap().iter().map(step).collect();
    shells
        .map(|(shell, all)| (shell.clone(), all.as_array().unwrap().iter().map(dialogue).collect()))
        .collect()
}

fn step(value: &Value) -> Step {
    let says = value["says"].as_array().unwrap().iter().map(|said| {
        let says = match said[0].as_str().unwrap() {
            "out" => Says::Out(parts(said[1].as_str().unwrap())),
            "err" => Says::Err(parts(said[1].as_str().unwrap())),
            _ => Says::Exits(said[1].as_i64().unwrap() as i32),
        };
        (Duration::from_millis(said[2].as_u64().unwrap_or(0)), says)
    });
    Step {
        told: value["told"].as_str().unwrap().to_owned(),
        says: says.collect(),
    }
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, piece) in text.split('№').enumerate() {
        let piece = match piece.split_once(';').filter(|_| at > 0) {
            Some((number, rest)) => {
                parts.push(Part::Id(number.parse().unwrap()));
                rest
            }
            None => piece,
        };
        parts.push(Part::Bytes(
            piece.chars().map(|letter| u8::try_from(letter).unwrap()).collect(),
        ));
    }
    parts
}

/// A real shell of this host, and what it said so far.
#[derive(Debug)]
pub(crate) struct Real {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<(bool, Vec<u8>)>,
    ids: Ids,
    steps: Arc<Mutex<Vec<String>>>,
}

impl Real {
    pub(crate) fn start(shell: &str, ids: Ids, steps: Arc<Mutex<Vec<String>>>) -> Self {
        let words: &[&str] = match shell {
            "ash" => &["busybox", "ash", "-s"],
            "bash" => &["bash", "--norc", "--noprofile", "-s"],
            _ => &["dash", "-s"],
        };
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, said) = channel();
        follow(child.stdout.take().unwrap(), false, to.clone());
        follow(child.stderr.take().unwrap(), true, to);
        let stdin = child.stdin.take();
        Self {
            child,
            stdin,
            said,
            ids,
            steps,
        }
    }

    /// What it says until both borders are there, or it has ended, and then nothing more comes.
    fn listen(&mut self, borders: &[&str], timed: bool) -> Vec<Said> {
        let begun = Instant::now();
        let mut all: BTreeMap<Duration, [Vec<u8>; 2]> = BTreeMap::new();
        let mut whole = [Vec::new(), Vec::new()];
        let mut ended = false;
        let closed = loop {
            let seen = whole.iter().all(|text: &Vec<u8>| {
                let text = String::from_utf8_lossy(text);
                borders.iter().any(|id| text.contains(&format!("__PD_{id}_")))
            });
            let quiet = Duration::from_millis(if seen || ended { 600 } else { 1500 });
            match self.said.recv_timeout(quiet) {
                Ok((is_err, data)) => {
                    let tenths = if timed { begun.elapsed().as_millis() / 100 } else { 0 };
                    let after = Duration::from_millis(tenths as u64 * 100);
                    all.entry(after).or_default()[usize::from(is_err)].extend_from_slice(&data);
                    whole[usize::from(is_err)].extend_from_slice(&data);
                }
                Err(RecvTimeoutError::Disconnected) => break true,
                Err(RecvTimeoutError::Timeout) if ended || self.child.try_wait().unwrap().is_none() => break false,
                Err(RecvTimeoutError::Timeout) => ended = true,
            }
        };
        let mut said = Vec::new();
        let mut last = Duration::ZERO;
        let status = if closed {
            Some(self.child.wait().unwrap())
        } else {
            self.child.try_wait().unwrap()
        };
        for (after, [out, err]) in all {
            let what = [
                (!out.is_empty()).then_some(Saying::Out(out)),
                (!err.is_empty()).then_some(Saying::Err(err)),
            ];
            said.extend(what.into_iter().flatten().map(|what| Said { after, what }));
            last = after;
        }
        if let Some(status) = status {
            let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
            let what = Saying::Exits(code);
            said.push(Said { after: last, what });
        }
        said
    }

    fn note(&self, told: Told<'_>, said: &[Said]) {
        let ids = self.ids.lock().unwrap();
        let text = |bytes: &[u8]| {
            let text: String = bytes.iter().copied().map(char::from).collect();
            // Nothing looks at the process id in the first borders.
            let text = text.replace(&format!("_{}__\n", self.child.id()), "_4242__\n");
            ids.iter()
                .enumerate()
                .fold(text, |text, (at, id)| text.replace(id, &format!("№{at};")))
        };
        let says = said.iter().map(|said| {
            let mut words = match &said.what {
                Saying::Out(bytes) => vec![json!("out"), json!(text(bytes))],
                Saying::Err(bytes) => vec![json!("err"), json!(text(bytes))],
                Saying::Exits(code) => vec![json!("exits"), json!(code)],
            };
            words.extend((!said.after.is_zero()).then(|| json!(said.after.as_millis() as u64)));
            Value::Array(words)
        });
        let says: Vec<Value> = says.collect();
        self.steps
            .lock()
            .unwrap()
            .push(json!({ "told": name(told), "says": says }).to_string());
    }
}

fn follow(mut from: impl Read + Send + 'static, is_err: bool, to: Sender<(bool, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut bytes = vec![0; 65536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.send((is_err, bytes[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}

impl Talk for Real {
    fn told(&mut self, what: Told<'_>) -> Vec<Said> {
        let said = match what {
            Told::File(file, data) => {
                std::fs::write(file, data).unwrap();
                return Vec::new();
            }
            Told::Lines(text) => {
                remember(&self.ids, text);
                // It may have ended without a word.
                let sent = self.stdin.as_mut().unwrap().write_all(text.as_bytes());
                drop(sent);
                let borders: Vec<&str> = hex_runs(text, 32).into_iter().map(|run| &text[run]).collect();
                self.listen(&borders, true)
            }
            Told::Signal(script) => {
                let mut run = Command::new(&script[0]);
                let done = run
                    .args(&script[1..])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .status();
                assert!(done.unwrap().success());
                let ids = self.ids.lock().unwrap().clone();
                let last: Vec<&str> = ids.last().map(String::as_str).into_iter().collect();
                self.listen(&last, false)
            }
        };
        self.note(what, &said);
        said
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
