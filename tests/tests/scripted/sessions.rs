//! The rows of what breaks persistent shells, without an engine: what real shells say, in every split.
//!
//! Each dialogue of a row is held with what each shell said when it was asked on this host, see [`crate::shells`]: as it
//! comes and in arbitrary pieces, then once for each place at which the session's whole stream can be cut in two, and cut
//! behind each byte. Whatever is cut, the same comes of it. What all dialogues of a shell begin with is cut in the first one
//! of each row.

use std::cell::{Ref, RefCell};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_dock_core::{
    CloseReason, Container, ContainerSpec, Engine, EngineKind, Error, Options, Session, SessionOptions, ShellState,
    Turn, TurnResult,
};
use pocket_dock_tests::scripted::{Scripted, Split};
use pocket_dock_tests::sim::{Cut, Sim};

use crate::shells::{Answers, Ids, Real, Replayed, Step, read};

/// Something that is said to a session, and what must come of it.
pub(crate) type Dialogue = fn(&mut At<'_>);

const SHELLS: [&str; 3] = ["ash", "bash", "dash"];

/// What each session keeps of what nobody waits for.
pub(crate) const RING_BYTES: usize = 200;

/// A session on one shell.
pub(crate) struct At<'a> {
    pub(crate) shell: &'static str,
    pub(crate) sim: &'a Sim,
    pub(crate) runtime: &'a Scripted,
    pub(crate) session: Session<Scripted>,
    ids: Ids,
    /// All that came of it, but for how long it took.
    log: Vec<String>,
}

impl At<'_> {
    pub(crate) fn wait(&mut self, turn: impl Into<Turn>) -> TurnResult {
        let mut result = self.session.send_and_wait(turn).unwrap();
        result.duration = Duration::ZERO;
        let mut noted = result.clone();
        if noted.shell == ShellState::Exited {
            // The shell may have ended before it is known what was killed.
            noted.killed = None;
        }
        self.log.push(format!("{noted:?}"));
        result
    }

    /// What a command gives, to the byte.
    pub(crate) fn gives(&mut self, turn: impl Into<Turn>, code: i32, stdout: &str, stderr: &str) {
        let turn = turn.into();
        let said = format!("{turn:?}");
        let result = self.wait(turn);
        let got = (result.exit_code, &*result.stdout_text(), &*result.stderr_text());
        assert_eq!(got, (code, stdout, stderr), "{said}");
    }

    /// The shell is as a shell is to be.
    pub(crate) fn works(&mut self) {
        self.gives("echo a; printf b >&2; (exit 7)", 7, "a\n", "b");
    }

    /// A command with which its shell ends.
    pub(crate) fn ends(&mut self, turn: impl Into<Turn>, code: i32, stdout: &str) -> TurnResult {
        let result = self.wait(turn);
        let got = (result.exit_code, result.shell, &*result.stdout_text());
        assert_eq!(got, (code, ShellState::Exited, stdout), "{result:?}");
        self.is_closed(|reason| *reason == CloseReason::Exited(code));
        result
    }

    /// It takes no commands any more, and says why.
    pub(crate) fn is_closed(&mut self, is_it: impl Fn(&CloseReason) -> bool) {
        let error = self.session.send_and_wait("echo no").unwrap_err();
        assert!(
            matches!(&error, Error::SessionClosed { reason } if is_it(reason)),
            "{error:?}"
        );
        assert!(!self.session.is_alive());
    }

    /// What comes while nobody waits, within a second.
    pub(crate) fn late(&mut self) -> (String, String) {
        self.runtime.pause(Duration::from_secs(1));
        let read = self.session.read();
        let late = (read.stdout_text().into_owned(), read.stderr_text().into_owned());
        self.log.push(format!("{late:?} {}", read.lost_bytes()));
        late
    }

    /// The ids of the last command: by which its processes are found, and of its borders.
    pub(crate) fn told(&self) -> (String, String) {
        let ids = self.ids.lock().unwrap();
        (ids[ids.len() - 2].clone(), ids[ids.len() - 1].clone())
    }

    /// Those by which the processes of all commands are found.
    pub(crate) fn turns(&self) -> Vec<String> {
        self.ids.lock().unwrap().iter().skip(1).step_by(2).cloned().collect()
    }

    pub(crate) fn note(&mut self, what: impl std::fmt::Debug) {
        self.log.push(format!("{what:?}"));
    }
}

/// One simulated engine with a container.
struct World {
    sim: Sim,
    runtime: Scripted,
    engine: Engine<Scripted>,
    container: RefCell<Container<Scripted>>,
    /// Sessions are asked to end, and what shells are told is looked at.
    is_thorough: bool,
}

impl World {
    fn new(kind: EngineKind, split: Split, is_thorough: bool) -> Self {
        let sim = Sim::new(kind);
        let runtime = Scripted::new(sim.clone(), split);
        let options = Options::new().socket("/run/engine.sock");
        let engine = Engine::connect_with(runtime.clone(), options).unwrap();
        let container = RefCell::new(engine.create(ContainerSpec::new("busybox")).unwrap());
        Self {
            sim,
            runtime,
            engine,
            container,
            is_thorough,
        }
    }

    /// The container; another one if a dialogue has removed it.
    fn container(&self) -> Ref<'_, Container<Scripted>> {
        if self.sim.containers().is_empty() {
            *self.container.borrow_mut() = self.engine.create(ContainerSpec::new("busybox")).unwrap();
        }
        self.container.borrow()
    }

    /// Holds one dialogue; all that came of it, and where in the stream the answers to it were.
    fn hold(&self, shell: &'static str, dialogue: Dialogue, ids: &Ids) -> (Vec<String>, Range<usize>) {
        let container = self.container();
        let options = SessionOptions::new().shell(shell).buffer_size(RING_BYTES);
        let session = container.session(options).unwrap();
        let mut at = At {
            shell,
            sim: &self.sim,
            runtime: &self.runtime,
            session,
            ids: Arc::clone(ids),
            log: Vec::new(),
        };
        if self.is_thorough {
            // It says what it is.
            self.runtime.pause(Duration::from_millis(1));
        }
        let begin = self.sim.session_bytes();
        dialogue(&mut at);
        let bytes = begin..self.sim.session_bytes();
        let mut log = at.log;
        // They are others each time.
        for (number, id) in ids.lock().unwrap().iter().enumerate() {
            for text in log.iter_mut().filter(|text| text.contains(id)) {
                *text = text.replace(id, &format!("({number})"));
            }
        }
        if !self.is_thorough {
            // So there is nothing to be killed.
            self.sim.kill_shells();
            self.runtime.pause(Duration::from_millis(1));
        }
        drop(at.session);
        self.sim.forget();
        (log, bytes)
    }

    fn replay(
        &self,
        shell: &'static str,
        dialogue: Dialogue,
        steps: &Arc<[Step]>,
        stderr_first: bool,
    ) -> (Vec<String>, Range<usize>) {
        let ids = Ids::default();
        self.sim.talk(Replayed {
            steps: Arc::clone(steps),
            next: 0,
            ids: Arc::clone(&ids),
            stderr_first,
            looks: self.is_thorough,
        });
        self.hold(shell, dialogue, &ids)
    }

    fn end(self) {
        let Self {
            sim,
            runtime,
            engine,
            container,
            ..
        } = self;
        drop((container, engine));
        sim.settle();
        assert_eq!((sim.containers().len(), runtime.attended()), (0, 0), "left behind");
        assert!(
            runtime.finished().iter().all(Option::is_none),
            "{:?}",
            runtime.finished()
        );
    }
}

/// Holds the dialogues of a row on each shell, in every split.
pub(crate) fn row(name: &str, dialogues: &[Dialogue]) {
    let file = format!("{}/fixtures/shells/{name}.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("POCKET_DOCK_RECORD_SHELLS").is_some() {
        return record(&file, dialogues);
    }
    let answers = read(&file);
    for shell in SHELLS {
        assert_eq!(answers[shell].len(), dialogues.len(), "{name} is to be recorded anew");
        splits(name, shell, dialogues, &answers);
    }
}

fn splits(name: &str, shell: &'static str, dialogues: &[Dialogue], answers: &Answers) {
    let hold = |world: &World, at: usize, how: &str, stderr_first| {
        let place = format!("{name}, {shell}, dialogue {at}, {how}, stderr first: {stderr_first}");
        let (log, bytes) = told(&place, || {
            world.replay(shell, dialogues[at], &answers[shell][at], stderr_first)
        });
        (log, bytes, place)
    };
    let mut first = vec![None; dialogues.len()];
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        for split in [Split::Whole, Split::Seeded(7)] {
            let world = World::new(kind, split, split == Split::Whole);
            for (at, stderr_first) in (0..dialogues.len()).flat_map(|at| [(at, false), (at, true)]) {
                let (log, bytes, place) = hold(&world, at, &format!("{kind}, {split:?}"), stderr_first);
                let first = first[at].get_or_insert_with(|| (log.clone(), bytes.clone()));
                assert_eq!(log, first.0, "{place}");
            }
            world.end();
        }
    }
    let (world, mut swapped) = (World::new(EngineKind::Docker, Split::Whole, false), false);
    for (at, first) in first.into_iter().enumerate() {
        let (first, bytes) = first.unwrap();
        let from = if at == 0 { 1 } else { bytes.start };
        for cut in (from..bytes.end).map(Cut::At).chain([Cut::Everywhere; 2]) {
            world.sim.cut(cut);
            // Either order is cut at half of the places, and behind each byte.
            swapped = !swapped;
            let (log, _, place) = hold(&world, at, &format!("{cut:?}"), swapped);
            assert_eq!(log, first, "{place}");
        }
    }
    world.end();
}

/// Says where it was, if it panics.
fn told<T>(place: &str, hold: impl FnOnce() -> T) -> T {
    struct Place<'a>(&'a str);
    impl Drop for Place<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{}", self.0);
            }
        }
    }
    let _place = Place(place);
    hold()
}

/// Asks the shells of this host.
fn record(file: &str, dialogues: &[Dialogue]) {
    let mut all = String::new();
    for shell in SHELLS {
        let world = World::new(EngineKind::Docker, Split::Whole, true);
        let held = dialogues.iter().map(|dialogue| {
            let (ids, steps) = (Ids::default(), Arc::new(Mutex::new(Vec::new())));
            world.sim.talk(Real::start(shell, Arc::clone(&ids), Arc::clone(&steps)));
            told(&format!("{file}, {shell}"), || world.hold(shell, *dialogue, &ids));
            let steps = steps.lock().unwrap().join(",\n");
            format!("[\n{steps}\n]")
        });
        let held: Vec<String> = held.collect();
        let comma = if all.is_empty() { "" } else { ",\n" };
        all.push_str(&format!("{comma}\"{shell}\": [{}]", held.join(", ")));
        world.end();
    }
    std::fs::write(file, format!("{{\n{all}\n}}\n")).unwrap();
}
