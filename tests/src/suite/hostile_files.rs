//! What a container that lies can do to whoever fetches files of it: nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pocket_dock_core::archive::ArchiveError;
use pocket_dock_core::files::{LocalError, Progress, Refusal, Unpacking};
use pocket_dock_core::{Container, Error, FilePath};

use super::files::{NAMES, in_dir, said};
use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::hostile_archives::{Hostile, Outcome, Site, all, decoys, plant, seen};
use crate::lab;
use crate::tree::{self, Scratch};

/// In the place of the container's own; it runs where the top of the tree is.
const TAR: &str = "#!/bin/sh\ncase $1 in --version) exit 0 ;; esac\nexec cat archive\n";

/// How an archive is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Into a tree that is there, with links in it.
    Planted,
    /// To where nothing is.
    Bare,
    /// The same, and all of it is to appear at once or nothing.
    Atomic,
}

/// The ways in which one of the archives is tried on an engine of the lab: with what is planted and without, if everything
/// is tried. Else one engine has it with that, and one of the other family without.
fn ways(number: usize, engine: Option<usize>) -> Vec<Way> {
    let bare = if (number / ENGINES).is_multiple_of(2) {
        Way::Atomic
    } else {
        Way::Bare
    };
    let engine = engine.filter(|_| std::env::var_os(super::FULL).is_none());
    let all = [(Way::Planted, number), (bare, number + ENGINES / 2)];
    let here = |(_, at): &(_, usize)| engine.is_none_or(|engine| at % ENGINES == engine);
    all.into_iter().filter(here).map(|(way, _)| way).collect()
}

const ENGINES: usize = lab::ENGINES.len();

/// Every hostile archive, from a container whose `tar` gives it.
pub(super) fn a_tar_that_lies_writes_nothing_elsewhere<A: Adapter>(bench: &Bench<A>) -> Verdict {
    // Busybox has a tar of its own that its shell prefers.
    let sandbox = bench.python()?;
    let socket = bench.peer.socket().to_string_lossy();
    let engine = lab::ENGINES.iter().position(|engine| socket.contains(engine.name));
    let scratch = Scratch::new(&bench.random())?;
    let outside = scratch.path("outside");
    decoys(&outside)?;
    fs::create_dir(scratch.path("place"))?;
    let site = Site {
        top: "top",
        outside: outside.to_str().ok_or("an odd temporary directory")?,
        relative: "../../../outside",
    };
    // All that are tried here are sent at once.
    let mine: Vec<_> = all()
        .enumerate()
        .filter(|(number, _)| !ways(*number, engine).is_empty())
        .collect();
    let archives = Scratch::new(&bench.random())?;
    for (number, hostile) in &mine {
        let dir = archives.path(&number.to_string());
        fs::create_dir_all(dir.join("top"))?;
        fs::write(dir.join("archive"), hostile.bytes(&site))?;
    }
    bench.wait(sandbox.push(format!("{}/", archives.root().display()), "/dev/shm"))?;
    bench.wait(sandbox.write_file(FilePath::new("/usr/local/bin/tar").mode(0o755), TAR))?;
    let (mut tried, mut unnamed) = ([0; 3], Vec::new());
    for (number, hostile) in mine {
        for way in ways(number, engine) {
            let from = format!("/dev/shm/{number}/top");
            let dest = scratch.path(&format!("place/{number}-{way:?}"));
            if way == Way::Planted {
                plant(&dest.join("top"), &outside)?;
            }
            let error = attack(bench, &sandbox, (hostile, way), (&from, &dest), &scratch)?;
            let archive = hostile.bytes(&site);
            if error.is_some_and(|error| !is_named(&error, hostile, &archive, &dest)) {
                unnamed.push(hostile.name);
            }
            tried[way as usize] += 1;
        }
    }
    same("errors that name no entry", unnamed, Vec::new())?;
    let (whole, count) = (std::env::var_os(super::FULL).is_some(), all().count());
    let [planted, bare, atomic] = tried;
    let least = if whole { count } else { count / ENGINES };
    let enough = planted >= least && bare + atomic >= least && bare > 0 && atomic > 0;
    check(count >= 40 && enough, || format!("only {tried:?} of {count} archives"))?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Fetches it to a destination in this directory, and gives the error if it is refused.
fn attack<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Container<A::Runtime>,
    (hostile, way): (&Hostile, Way),
    (from, dest): (&str, &Path),
    scratch: &Scratch,
) -> Result<Option<Error>, Failure> {
    let before = seen(scratch.root(), dest)?;
    let mut unpacking = Unpacking::new();
    unpacking.atomic = way == Way::Atomic;
    let pulled = bench.wait(sandbox.pull_with(from, dest, unpacking));
    let told = format!("{}, {way:?}", hostile.name);
    is_same(&before, &seen(scratch.root(), dest)?, &told)?;
    let refused = match (hostile.outcome, way) {
        (Outcome::Either, _) => pulled.is_err(),
        (Outcome::Confined, _) | (Outcome::RefusedIfPlanted, Way::Bare | Way::Atomic) => false,
        (Outcome::Refused | Outcome::RefusedIfPlanted, _) => true,
    };
    check(pulled.is_err() == refused, || format!("{told}: {pulled:?}"))?;
    let is_there = dest.symlink_metadata().is_ok();
    check(way != Way::Atomic || !is_there || pulled.is_ok(), || {
        format!("{told}: a part of it is there")
    })?;
    tree::remove(dest);
    Ok(pulled.err())
}

/// Those in which no entry can be named: there is none, or what would name it cannot be read.
const NAMELESS: [&str; 10] = [
    "a NUL in a name",
    "a link with content",
    "a hard link with content",
    "a header with another sum",
    "half a header",
    "a pax record with another length",
    "nothing",
    "only an end",
    "bytes that are no archive",
    "a compressed archive",
];

/// Whether an error names the entry that was refused, or the path here that it was to have.
fn is_named(error: &Error, hostile: &Hostile, archive: &[u8], dest: &Path) -> bool {
    let Error::Local(error) = error else {
        return false;
    };
    let text = String::from_utf8_lossy(archive);
    // The parts of a name may stand in two fields, and messages are cut.
    let is_in = |entry: &str| {
        let mut parts = entry.split(['/', '…', '\\']).filter(|part| !part.is_empty()).peekable();
        (parts.peek().is_some() || entry == "/") && parts.all(|part| text.contains(part))
    };
    let named = match error.cause() {
        LocalError::Refused {
            why: Refusal::EmptyName,
            ..
        } => true,
        LocalError::Refused { entry, .. } | LocalError::OverLimit { entry, .. } => is_in(entry),
        LocalError::Archive(ArchiveError::Malformed { entry, .. } | ArchiveError::Truncated { entry }) => is_in(entry),
        LocalError::NoSpace { path } | LocalError::Other { path, .. } => path.starts_with(dest),
        _ => false,
    };
    named != NAMELESS.contains(&hostile.name)
}

/// What a container can have on its disk, built there and fetched through the engine, and in its memory, where its own tar
/// packs it.
pub(super) fn a_tree_that_is_hostile_writes_nothing_elsewhere<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for place in ["/h", "/dev/shm/h"] {
        odd_files_come_as_they_are(bench, &sandbox, place)?;
        what_is_special_is_refused(bench, &sandbox, place)?;
        what_is_planted_is_not_followed(bench, &sandbox, place)?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

/// A destination, and what must not change around it.
struct Ground {
    scratch: Scratch,
    outside: PathBuf,
    dest: PathBuf,
}

impl Ground {
    fn new(name: &str) -> Result<Self, Failure> {
        let scratch = Scratch::new(name)?;
        let (outside, dest) = (scratch.path("outside"), scratch.path("place/dest"));
        decoys(&outside)?;
        fs::create_dir(scratch.path("place"))?;
        Ok(Self { scratch, outside, dest })
    }

    /// Fetches a tree of the container, and checks that nothing outside of the destination changes.
    fn pull<A: Adapter>(
        &self,
        bench: &Bench<A>,
        sandbox: &Container<A::Runtime>,
        from: &str,
        unpacking: Unpacking,
    ) -> Result<Result<Progress, Error>, Failure> {
        let before = seen(self.scratch.root(), &self.dest)?;
        let pulled = bench.wait(sandbox.pull_with(from, &self.dest, unpacking));
        is_same(&before, &seen(self.scratch.root(), &self.dest)?, from)?;
        Ok(pulled)
    }
}

/// Checks that an entry of this name was refused for this reason.
fn is_refused(pulled: &Result<Progress, Error>, name: &str, reason: &Refusal) -> Verdict {
    let holds = matches!(pulled, Err(Error::Local(error))
        if matches!(error.cause(), LocalError::Refused { entry, why }
            if entry.strip_prefix("./").unwrap_or(entry) == name && why == reason));
    check(holds, || format!("{name}: {pulled:?}"))
}

fn made<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, line: &str) -> Verdict {
    same(line, said(bench, sandbox, line)?, String::new())
}

/// Links are made as they are and lead nowhere while it is fetched; no file runs as somebody else.
fn odd_files_come_as_they_are<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, place: &str) -> Verdict {
    let ground = Ground::new(&bench.random())?;
    let outside = ground.outside.to_str().ok_or("an odd temporary directory")?.to_owned();
    let links = [
        ("absolute", outside.as_str()),
        ("root", "/"),
        ("secret", "../../../outside/secret"),
        ("above", "../../.."),
        ("self", "self"),
        ("here", "."),
        ("names-too", "names"),
    ];
    let mut line = format!("mkdir -p {place}/odd/names; cd {place}/odd; echo other >../other; ln ../other third; ");
    for (name, to) in links {
        line += &format!("ln -s '{to}' {name}; ");
    }
    line += "echo one >first; ln first second; ln -s first to-first; echo run >su; chmod 6755 su; \
             mkdir group; chmod 2777 group";
    made(bench, sandbox, &line)?;
    for name in NAMES {
        bench.wait(sandbox.write_file(in_dir(&format!("{place}/odd/names"), name), name.to_vec()))?;
    }
    let pulled = ground.pull(bench, sandbox, &format!("{place}/odd"), Unpacking::new())?;
    let wanted = NAMES.len() + links.len() + 5;
    same("files and links", pulled?.files, wanted as u64)?;
    let odd = ground.dest.join("odd");
    for (name, to) in links.into_iter().chain([("to-first", "first")]) {
        same(name, fs::read_link(odd.join(name))?.as_os_str(), OsStr::new(to))?;
    }
    for name in NAMES {
        let path = odd.join("names").join(OsStr::from_bytes(name));
        check(fs::read(&path)? == name, || format!("{path:?} is another"))?;
    }
    let (first, second) = (fs::metadata(odd.join("first"))?, fs::metadata(odd.join("second"))?);
    same("one file", (first.ino(), first.nlink()), (second.ino(), 2))?;
    same("third", fs::read_to_string(odd.join("third"))?, "other\n".to_owned())?;
    for (name, mode) in [("su", 0o755), ("group", 0o777)] {
        same(name, fs::metadata(odd.join(name))?.mode() & 0o7777, mode)?;
    }
    Ok(())
}

fn what_is_special_is_refused<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, place: &str) -> Verdict {
    // Not every engine lets a container make devices.
    let line = format!(
        "mkdir -p {place}/fifo {place}/device; cd {place}; echo x >fifo/a; echo x >device/a; mkfifo fifo/p; \
         mknod device/p c 1 3 2>/dev/null || echo no device"
    );
    let without = said(bench, sandbox, &line)?;
    let is_docker = bench.peer.socket().to_string_lossy().contains("docker");
    check(without.is_empty() || (without == "no device" && !is_docker), || {
        without.clone()
    })?;
    for (kind, why) in [("fifo", Refusal::Fifo), ("device", Refusal::Device)] {
        if kind == "device" && !without.is_empty() {
            continue;
        }
        let (from, name) = (format!("{place}/{kind}"), format!("{kind}/p"));
        let ground = Ground::new(&bench.random())?;
        let whole = ground.pull(bench, sandbox, &from, Unpacking::new().atomic())?;
        is_refused(&whole, &name, &why)?;
        check(ground.dest.symlink_metadata().is_err(), || {
            format!("{name}: a part of it is there")
        })?;
        is_refused(&ground.pull(bench, sandbox, &from, Unpacking::new())?, &name, &why)?;
        let got = ground.pull(bench, sandbox, &from, Unpacking::new().skip_special())??;
        same(&name, (got.files, got.skipped), (1, 1))?;
        let left_out = ground.dest.join(&name).symlink_metadata().is_err();
        check(left_out && ground.dest.join(kind).join("a").is_file(), || {
            format!("{name}: it was not left out")
        })?;
    }
    Ok(())
}

/// At the destination there are links that lead out: what comes takes their place, or is refused.
fn what_is_planted_is_not_followed<A: Adapter>(
    bench: &Bench<A>,
    sandbox: &Container<A::Runtime>,
    place: &str,
) -> Verdict {
    let line = format!(
        "mkdir -p {place}/dir/to-dir {place}/below/dir/inner/below {place}/link {place}/link2 {place}/files; cd {place}; \
         echo evil >dir/to-dir/secret; echo evil >below/dir/inner/below/file; ln -s /etc link/full; ln -s /etc link2/dir; \
         cd files; for name in to-dir to-file dangling hard pipe plain loop; do echo evil >$name; chmod 777 $name; done"
    );
    made(bench, sandbox, &line)?;
    for (tree, refused) in [
        ("dir", Some(("dir/to-dir", Refusal::DirectoryOverLink))),
        ("below", Some(("below/dir/inner", Refusal::DirectoryOverLink))),
        ("link", Some(("link/full", Refusal::OverDirectory))),
        ("link2", Some(("link2/dir", Refusal::OverDirectory))),
        ("files", None),
    ] {
        let from = format!("{place}/{tree}");
        let ground = Ground::new(&bench.random())?;
        plant(&ground.dest.join(tree), &ground.outside)?;
        let pulled = ground.pull(bench, sandbox, &from, Unpacking::new())?;
        match refused {
            Some((name, why)) => is_refused(&pulled, name, &why)?,
            None => same(tree, pulled?.files, 7)?,
        }
        // Where nothing is planted, there is nothing to refuse.
        let bare = Ground::new(&bench.random())?;
        bare.pull(bench, sandbox, &from, Unpacking::new().atomic())??;
    }
    Ok(())
}

fn is_same(before: &[String], after: &[String], name: &str) -> Verdict {
    match before.iter().zip(after).find(|(was, is)| was != is) {
        Some((was, is)) => Err(format!("{name}: something outside was changed, from {was} to {is}").into()),
        None => check(before.len() == after.len(), || {
            format!("{name}: something outside was made or removed")
        }),
    }
}
