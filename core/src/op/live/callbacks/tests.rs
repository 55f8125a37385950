use std::sync::mpsc;

use super::*;

fn origin() -> Arc<Origin> {
    Arc::new(Origin {
        container: "c".into(),
        name: "n".into(),
        process: "p".into(),
    })
}

/// Callbacks whose jobs are done when this is asked to.
fn by_hand() -> (Arc<Callbacks>, mpsc::Receiver<Job>) {
    let (send, jobs) = mpsc::channel();
    let callbacks = Callbacks::new(move |job| send.send(job).unwrap());
    (Arc::new(callbacks), jobs)
}

#[test]
fn all_are_told_in_order_and_a_panic_stops_none() {
    let (callbacks, jobs) = by_hand();
    let (send, told) = mpsc::channel();
    for name in ["a", "b"] {
        let send = send.clone();
        callbacks.on_output(Channel::Stdout, move |origin, data| {
            send.send(format!("{name} {} {}", origin.process, String::from_utf8_lossy(data)))
                .unwrap();
            assert_ne!((name, data), ("a", &b"1"[..]), "this panic is part of the test");
        });
    }
    callbacks.on_exit(move |_, outcome| send.send(format!("exit {}", outcome.is_ok())).unwrap());
    let origin = origin();
    callbacks.output(&origin, Channel::Stdout, &"1".into());
    callbacks.output(&origin, Channel::Stderr, &"nobody hears this".into());
    callbacks.output(&origin, Channel::Stdout, &"2".into());
    callbacks.exit(&origin, &Ok(ExecSummary::default()));
    jobs.try_iter().for_each(|job| job());
    let said: Vec<String> = told.try_iter().collect();
    assert_eq!(said, ["a p 1", "b p 1", "a p 2", "b p 2", "exit true"]);
    assert_eq!(callbacks.panics(), 1);
}

#[test]
fn a_full_queue_holds_up_and_wakes_when_there_is_room() {
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let (callbacks, jobs) = by_hand();
    callbacks.on_output(Channel::Stdout, |_, _| {});
    let (origin, piece) = (origin(), Bytes::from(vec![0; 64 << 10]));
    let mut pushed = 0;
    while !callbacks.is_full(&waker) {
        callbacks.output(&origin, Channel::Stdout, &piece);
        pushed += 1;
    }
    assert_eq!(pushed, QUEUED_BYTES.div_ceil(piece.len() + ENTRY_BYTES));
    assert!(!flag.0.load(Ordering::SeqCst));
    jobs.try_iter().for_each(|job| job());
    assert!(flag.0.load(Ordering::SeqCst) && !callbacks.is_full(&waker));
}

/// What was told, each under the name of the function that was.
type Heard = Arc<Mutex<Vec<(&'static str, Origin, String)>>>;

/// Which kind of function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stdout,
    Stderr,
    Exit,
}

const KINDS: [Kind; 3] = [Kind::Stdout, Kind::Stderr, Kind::Exit];

/// A function of this kind, which then does what it is given with what it is told, as text.
fn register(callbacks: &Callbacks, kind: Kind, call: impl Fn(&Origin, String) + Send + Sync + 'static) {
    let channel = match kind {
        Kind::Stdout => Channel::Stdout,
        Kind::Stderr => Channel::Stderr,
        Kind::Exit => {
            callbacks.on_exit(move |origin, outcome| {
                let code = outcome.as_ref().map(|ended| ended.exit_code.to_string());
                call(origin, code.unwrap_or_else(|error| error.to_string()));
            });
            return;
        }
    };
    callbacks.on_output(channel, move |origin, data| {
        call(origin, String::from_utf8_lossy(data).into_owned());
    });
}

fn note(callbacks: &Callbacks, kind: Kind, name: &'static str, heard: &Heard) {
    let heard = Arc::clone(heard);
    register(callbacks, kind, move |origin, text| {
        locked(&heard).push((name, origin.clone(), text));
    });
}

/// Tells both streams a word, and an end with this code.
fn tell_all(callbacks: &Arc<Callbacks>, code: i32) {
    let ended = ExecSummary {
        exit_code: code,
        ..ExecSummary::default()
    };
    callbacks.output(&origin(), Channel::Stdout, &"hello".into());
    callbacks.output(&origin(), Channel::Stderr, &"error".into());
    callbacks.exit(&origin(), &Ok(ended));
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Stdout => "hello",
        Kind::Stderr => "error",
        Kind::Exit => "42",
    }
}

/// A panic that says nothing on standard error.
fn boom() {
    std::panic::resume_unwind(Box::new("this panic is part of the test"));
}

#[test]
fn each_kind_is_told_its_own_and_of_what() {
    for kind in KINDS {
        let ((callbacks, jobs), heard) = (by_hand(), Heard::default());
        note(&callbacks, kind, "one", &heard);
        tell_all(&callbacks, 42);
        jobs.try_iter().for_each(|job| job());
        let wanted = [("one", (*origin()).clone(), word(kind).to_owned())];
        assert_eq!(locked(&heard)[..], wanted, "{kind:?}");
    }
    // The exit code as it is.
    let ((callbacks, jobs), heard) = (by_hand(), Heard::default());
    note(&callbacks, Kind::Exit, "one", &heard);
    tell_all(&callbacks, 0);
    jobs.try_iter().for_each(|job| job());
    assert_eq!(locked(&heard)[..], [("one", (*origin()).clone(), "0".to_owned())]);
}

#[test]
fn nobody_is_told_nothing() {
    let (callbacks, jobs) = by_hand();
    tell_all(&callbacks, 0);
    assert!(jobs.try_recv().is_err(), "there is work, and nobody to do it for");
    assert_eq!((callbacks.panics(), locked(&callbacks.queue).bytes), (0, 0));
}

#[test]
fn a_panic_of_any_kind_stops_no_other() {
    for kind in KINDS {
        let ((callbacks, jobs), heard) = (by_hand(), Heard::default());
        register(&callbacks, kind, |_, _| boom());
        note(&callbacks, kind, "behind it", &heard);
        tell_all(&callbacks, 42);
        jobs.try_iter().for_each(|job| job());
        let wanted = [("behind it", (*origin()).clone(), word(kind).to_owned())];
        assert_eq!(locked(&heard)[..], wanted, "{kind:?}");
        assert_eq!(callbacks.panics(), 1);
        // Nor the next of the same kind.
        tell_all(&callbacks, 42);
        jobs.try_iter().for_each(|job| job());
        assert_eq!((locked(&heard).len(), callbacks.panics()), (2, 2), "{kind:?}");
    }
}

/// Keeps the level and the fields of each event.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Event>>>);

type Event = (tracing::Level, String, Vec<(&'static str, String)>);

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let about = event.metadata();
        locked(&self.0).push((*about.level(), about.target().to_owned(), fields.0));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_panic_is_an_event_that_says_of_what() {
    let (callbacks, jobs) = by_hand();
    for kind in KINDS {
        register(&callbacks, kind, |_, _| boom());
        register(&callbacks, kind, |_, _| {});
    }
    tell_all(&callbacks, 0);
    let listener = Listener::default();
    // A subscriber of a thread hears what happens on that thread.
    tracing::subscriber::with_default(listener.clone(), || jobs.try_iter().for_each(|job| job()));
    let events = locked(&listener.0).clone();
    let fields = [("message", "a callback panicked"), ("container", "n"), ("process", "p")];
    let fields = fields.map(|(name, value)| (name, value.to_owned())).to_vec();
    let wanted = (
        tracing::Level::ERROR,
        module_path!().trim_end_matches("::tests").to_owned(),
        fields,
    );
    assert_eq!(events, vec![wanted; KINDS.len()]);
    assert_eq!(callbacks.panics(), 3);
}
