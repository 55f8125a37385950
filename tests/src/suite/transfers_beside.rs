//! What happens beside a transfer: files that change, progress that is told, and calls that want to go on.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pocket_dock_core::Error;
use pocket_dock_core::files::{LocalError, Packing, Progress, Unpacking};

use super::files::said;
use super::{Adapter, Bench, Verdict, check, same};
use crate::scripted::locked;
use crate::tree::{Scratch, noise};

/// The bytes of a file that is more than one piece of an archive, and no multiple of anything.
const SIZE: usize = (3 << 20) + 17;
/// What is left of it, or what is added to it.
const CUT: u64 = (1 << 20) + 5;

/// The file is changed by who is told of the progress, on the thread that reads it: at the same moment each time.
pub(super) fn what_changes_while_it_is_sent_is_told<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for (number, (place, grows)) in [
        ("/work", true),
        ("/work", false),
        ("/dev/shm", true),
        ("/dev/shm", false),
    ]
    .into_iter()
    .enumerate()
    {
        let scratch = Scratch::new(&bench.random())?;
        let root = scratch.path(&format!("tree{number}"));
        let (changing, data) = (root.join("a"), noise(SIZE));
        fs::create_dir(&root)?;
        fs::write(&changing, &data)?;
        fs::write(root.join("b"), "behind")?;
        let (changed, failure) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let packing = Packing::new().watch({
            let (changing, changed, failure) = (changing.clone(), Arc::clone(&changed), Arc::clone(&failure));
            move |progress| {
                let within = (1..CUT).contains(&progress.bytes);
                if within && !changed.swap(true, Ordering::Relaxed) {
                    *locked(&failure) = change(&changing, grows).err();
                }
            }
        });
        let sent = bench.wait(sandbox.push_with(&root, place, packing));
        let told = |what: &str| format!("{place}, grows: {grows}: {what}");
        check(changed.load(Ordering::Relaxed) && locked(&failure).is_none(), || {
            told(&format!("it was not changed: {:?}", locked(&failure)))
        })?;
        let size = if grows { SIZE as u64 + CUT } else { CUT };
        same(&told("its size here"), fs::metadata(&changing)?.len(), size)?;
        let wanted = LocalError::Changed { path: changing };
        check(matches!(&sent, Err(Error::Local(error)) if *error == wanted), || {
            told(&format!("{sent:?}"))
        })?;
        // As much as was announced; what was missing is zeros, and what came behind it is whole.
        let mut all = data;
        if !grows {
            all[usize::try_from(CUT)?..].fill(0);
        }
        let there = Path::new(place).join(format!("tree{number}"));
        let got = bench.wait(sandbox.read_file(there.join("a")))?;
        check(got == all, || {
            told(&format!("{} bytes are there, or others", got.len()))
        })?;
        let behind = bench.wait(sandbox.read_file(there.join("b")))?;
        same(&told("behind it"), behind, Bytes::from_static(b"behind"))?;
    }
    same(
        "no tar is left",
        said(bench, &sandbox, "ps | grep -c '[t]ar -'")?,
        "0".to_owned(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

fn change(path: &Path, grows: bool) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    if grows {
        file.write_all(&vec![7; usize::try_from(CUT).unwrap_or_default()])
    } else {
        file.set_len(CUT)
    }
}

/// Everything that was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Progress>>>);

impl Told {
    fn watch(&self) -> impl Fn(&Progress) + Send + Sync + 'static {
        let all = Arc::clone(&self.0);
        move |progress| locked(&all).push(*progress)
    }

    /// Checks what was told of a transfer that gave this in the end, and forgets it.
    fn holds(&self, what: &str, end: &Progress, files: u64, bytes: u64, total: Option<u64>) -> Verdict {
        let all = std::mem::take(&mut *locked(&self.0));
        same(
            what,
            (end.files, end.bytes, end.skipped, end.total),
            (files, bytes, 0, total),
        )?;
        let grow = all
            .windows(2)
            .all(|pair| pair[0].bytes <= pair[1].bytes && pair[0].files <= pair[1].files);
        let last = all.last().map(|last| (last.files, last.bytes, last.total));
        check(grow && last == Some((files, bytes, total)), || {
            format!("{what}: {all:?}")
        })?;
        // While it is under way, the total is what it will be, and something less than that has come.
        let under_way = all
            .iter()
            .filter(|told| told.bytes > 0 && told.bytes < bytes)
            .all(|told| told.total == total);
        let pieces = all.iter().filter(|told| (1..bytes).contains(&told.bytes)).count();
        check(under_way && pieces >= 3, || format!("{what}: {all:?}"))
    }
}

/// Of one file, how much it will be is known from the beginning; of a tree, it is not.
pub(super) fn progress_is_told_with_its_total<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    let size = SIZE as u64;
    fs::create_dir(scratch.path("tree"))?;
    fs::write(scratch.path("tree/one"), noise(SIZE))?;
    fs::write(scratch.path("tree/two"), "more")?;
    let told = Told::default();
    for (number, place) in ["/work", "/dev/shm"].into_iter().enumerate() {
        let packing = || Packing::new().watch(told.watch());
        let unpacking = || Unpacking::new().watch(told.watch());
        let to = |name: &str| -> PathBuf { scratch.path(&format!("{name}{number}")) };
        let sent = bench.wait(sandbox.push_with(scratch.path("tree/one"), format!("{place}/one"), packing()))?;
        told.holds("a file sent", &sent, 1, size, Some(size))?;
        let sent = bench.wait(sandbox.push_with(scratch.path("tree"), place, packing()))?;
        told.holds("a tree sent", &sent, 2, size + 4, None)?;
        let got = bench.wait(sandbox.pull_with(format!("{place}/one"), to("one"), unpacking()))?;
        told.holds("a file fetched", &got, 1, size, Some(size))?;
        let got = bench.wait(sandbox.pull_with(format!("{place}/tree"), to("tree"), unpacking()))?;
        told.holds("a tree fetched", &got, 2, size + 4, None)?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

/// How long a callback lets itself be held at most: only ever so long where it holds up who is to let it go.
const HELD: Duration = Duration::from_secs(30);

/// Holds up whoever calls it until it is let go.
struct Hold {
    tell: smol::channel::Sender<()>,
    let_go: Mutex<Receiver<()>>,
    outcome: Outcome,
}

/// Whether what was held was let go, once it was held.
type Outcome = Arc<Mutex<Option<bool>>>;

impl Hold {
    /// It, who hears that it holds, and who lets it go.
    fn new(outcome: &Outcome) -> (Self, smol::channel::Receiver<()>, Sender<()>) {
        let ((tell, held), (release, let_go)) = (smol::channel::unbounded(), channel());
        let hold = Self {
            tell,
            let_go: Mutex::new(let_go),
            outcome: Arc::clone(outcome),
        };
        (hold, held, release)
    }

    /// Only the first time.
    fn hold(&self) {
        let mut outcome = locked(&self.outcome);
        if outcome.is_none() {
            let _ = self.tell.try_send(());
            *outcome = Some(locked(&self.let_go).recv_timeout(HELD).is_ok());
        }
    }
}

/// A callback of a transfer blocks until another call has ended, which the same task polls: nobody would ever come to that
/// if the callback were called on its thread. It is a call of another container, as engines let nobody else at one whose
/// files they read or write.
pub(super) fn file_work_holds_up_no_other_call<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    fs::create_dir(scratch.path("tree"))?;
    fs::write(scratch.path("tree/one"), noise(SIZE))?;
    let another = bench.sandbox()?;
    bench.wait(another.write_file("/beside", "read beside it"))?;
    for place in ["/work", "/dev/shm"] {
        for what in ["filter", "watch", "fetch"] {
            let outcome = Outcome::default();
            let (hold, held, release) = Hold::new(&outcome);
            let then = move || {
                let _ = release.send(());
            };
            let read = || another.read_file("/beside");
            let (files, beside) = if what == "fetch" {
                let unpacking = Unpacking::new().watch(move |_| hold.hold());
                let to = scratch.path("back").join(place.trim_start_matches('/'));
                let pull = || sandbox.pull_with(format!("{place}/tree"), to, unpacking);
                let (got, beside) = bench.adapter.side_by_side(pull, held, read, then);
                (got?.files, beside?)
            } else {
                let packing = if what == "filter" {
                    Packing::new().filter(move |_, _| {
                        hold.hold();
                        true
                    })
                } else {
                    Packing::new().watch(move |_| hold.hold())
                };
                let push = || sandbox.push_with(scratch.path("tree"), place, packing);
                let (sent, beside) = bench.adapter.side_by_side(push, held, read, then);
                (sent?.files, beside?)
            };
            same(
                &format!("{what}, {place}: held and let go"),
                *locked(&outcome),
                Some(true),
            )?;
            same("files", files, 1)?;
            same("beside", beside, Bytes::from_static(b"read beside it"))?;
        }
    }
    bench.wait(another.shutdown())?;
    Ok(bench.wait(sandbox.shutdown())?)
}
