//! Files and trees, in and out.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pocket_dock_core::files::{LocalError, Packing, Unpacking, Watch};
use pocket_dock_core::{Error, FileErrorKind, FilePath};

use super::files::{fails, said};
use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::tree::{self, Scratch};

/// In the tree that every engine is given: if everything is tried, and else.
const FILES: (usize, usize) = (5000, 1000);

fn is_equal(one: &Path, other: &Path, exact: bool) -> Verdict {
    match tree::difference(one, other, exact)? {
        None => Ok(()),
        Some(difference) => Err(difference.into()),
    }
}

/// Checks that what had several names has them still.
fn has_one_file(root: &Path) -> Verdict {
    let inode = |name: &str| Ok::<_, Failure>(fs::metadata(root.join(name))?.ino());
    let [first, others @ ..] = tree::HARD_LINKS;
    let first = inode(first)?;
    for other in others {
        same(other, inode(other)?, first)?;
    }
    Ok(())
}

fn fails_here<T: std::fmt::Debug>(outcome: Result<T, Error>, holds: impl FnOnce(&LocalError) -> bool) -> Verdict {
    let fits = matches!(&outcome, Err(Error::Local(error)) if holds(error.cause()));
    check(fits, || format!("{outcome:?}"))
}

pub(super) fn a_tree_goes_in_and_out<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    let (tree, back) = (scratch.path("tree"), scratch.path("back"));
    // Engines round times to seconds in what they archive.
    let whole = std::env::var_os(super::FULL).is_some();
    tree::make(&tree, if whole { FILES.0 } else { FILES.1 }, false)?;
    let sent = bench.wait(sandbox.push(&tree, "/work"))?;
    let files = said(
        bench,
        &sandbox,
        "find /work/tree ! -type d -print0 | tr -dc '\\0' | wc -c",
    )?;
    same("files", files.parse::<u64>()?, sent.files)?;
    same(
        "a mode",
        said(bench, &sandbox, "stat -c %a '/work/tree/empty directory'")?,
        "1750".to_owned(),
    )?;
    let [first, others @ ..] = tree::HARD_LINKS;
    let line = format!(
        "cd /work/tree; stat -c %i '{first}' '{}' | uniq | wc -l",
        others.join("' '")
    );
    same("one file with its names", said(bench, &sandbox, &line)?, "1".to_owned())?;
    let got = bench.wait(sandbox.pull("/work/tree", &back))?;
    same("as much", (got.files, got.bytes), (sent.files, sent.bytes))?;
    is_equal(&tree, &back.join("tree"), true)?;
    has_one_file(&back.join("tree"))?;
    // Once more over what is there, and by way of a slash: its own directory keeps its mode, and the time is that of the
    // last change in it.
    bench.wait(sandbox.push(format!("{}/", tree.display()), "/work/tree"))?;
    same(
        "kept",
        said(bench, &sandbox, "stat -c %a /work/tree")?,
        "1711".to_owned(),
    )?;
    let time = fs::metadata(&tree)?.mtime();
    same(
        "touched",
        said(bench, &sandbox, &format!("touch -d @{time} /work/tree"))?,
        String::new(),
    )?;
    let atomic = scratch.path("atomic");
    let mut whole = Unpacking::default();
    whole.atomic = true;
    bench.wait(sandbox.pull_with("/work/tree/", &atomic, whole))?;
    is_equal(&tree, &atomic, true)?;
    has_one_file(&atomic)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_sparse_file_goes_in_and_out<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    let (sparse, back) = (scratch.path("sparse"), scratch.path("back"));
    let whole = std::env::var_os(super::FULL).is_some();
    let size = if whole { 3 << 30 } else { 300 << 20 };
    tree::make_sparse(&sparse, size)?;
    fs::set_permissions(&sparse, fs::Permissions::from_mode(0o711))?;
    tree::touch(&sparse, 1_234_567_890, 0)?;
    bench.wait(sandbox.push(&sparse, "/tmp/"))?;
    let line = "stat -c '%s %a' /tmp/sparse; tail -c 4 /tmp/sparse; dd if=/tmp/sparse bs=4 count=1 2>/dev/null";
    same("there", said(bench, &sandbox, line)?, format!("{size} 711\nwordword"))?;
    bench.wait(sandbox.pull("/tmp/sparse", &back))?;
    let (old, new) = (fs::metadata(&sparse)?, fs::metadata(&back)?);
    let told = |stat: &fs::Metadata| (stat.len(), stat.mode(), stat.mtime(), stat.mtime_nsec());
    same("back", told(&new), told(&old))?;
    same("content", tree::hash(&back)?, tree::hash(&sparse)?)?;
    check(new.blocks() * 512 < 1 << 20, || {
        format!("it has {} blocks", new.blocks())
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn destinations_are_as_with_rsync<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    let source = scratch.path("src");
    fs::create_dir(&source)?;
    fs::write(source.join("f"), "content")?;
    fs::write(scratch.path("a.txt"), "text")?;
    fs::set_permissions(scratch.path("a.txt"), fs::Permissions::from_mode(0o755))?;
    symlink("src", scratch.path("link"))?;
    let at = |name: &str| format!("{}/{name}", scratch.root().display());
    for (from, to, there) in [
        ("src", "/1/a", "/1/a/src/f"),
        ("src/", "/2/a", "/2/a/f"),
        ("src/.", "/3", "/3/f"),
        ("src", "/4/", "/4/src/f"),
        ("link", "/5", "/5/link/f"),
        ("a.txt", "/6/b.txt", "/6/b.txt"),
        ("a.txt", "/7/", "/7/a.txt"),
        ("a.txt", "/tmp", "/tmp/a.txt"),
    ] {
        bench.wait(sandbox.push(at(from), to))?;
        let stat = bench.wait(sandbox.stat(there));
        check(stat.is_ok(), || format!("{from} to {to}: {there}: {stat:?}"))?;
    }
    bench.wait(sandbox.run("mkdir -p /c/src /out; echo content >/c/src/f; echo text >/c/a.txt; chmod 750 /c/a.txt; touch -d @1000000009 /c/a.txt; ln -s src /c/link; ln -s a.txt /c/file"))?;
    fs::create_dir(scratch.path("dir"))?;
    for (from, to, there) in [
        ("/c/src", "o1/a", "o1/a/src/f"),
        ("/c/src/", "o2/a", "o2/a/f"),
        ("/c/src/.", "o3", "o3/f"),
        ("/c/src", "o4/", "o4/src/f"),
        ("/c/link", "o5", "o5/link/f"),
        ("/c/link/", "o6", "o6/f"),
        ("/c/a.txt", "o7/b.txt", "o7/b.txt"),
        ("/c/a.txt", "o8/", "o8/a.txt"),
        ("/c/a.txt", "dir", "dir/a.txt"),
        ("/c/file", "o9/", "o9/file"),
    ] {
        bench.wait(sandbox.pull(from, at(to)))?;
        let stat = fs::metadata(at(there));
        check(stat.as_ref().is_ok_and(fs::Metadata::is_file), || {
            format!("{from} to {to}: {there}: {stat:?}")
        })?;
    }
    let one = fs::metadata(at("o7/b.txt"))?;
    same(
        "mode and time",
        (one.mode() & 0o7777, one.mtime()),
        (0o750, 1_000_000_009),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// On a tmpfs, the engine's archive call sees something else than the container.
pub(super) fn what_is_mounted_is_seen<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.python()?;
    let scratch = Scratch::new(&bench.random())?;
    let (tree, back) = (scratch.path("tree"), scratch.path("back"));
    tree::make(&tree, 200, true)?;
    bench.wait(sandbox.push(&tree, "/dev/shm"))?;
    same(
        "seen",
        said(bench, &sandbox, "cat /dev/shm/tree/'a block' | wc -c")?,
        "512".to_owned(),
    )?;
    bench.wait(sandbox.pull("/dev/shm/tree", &back))?;
    is_equal(&tree, &back.join("tree"), true)?;
    has_one_file(&back.join("tree"))?;
    // The same with another tar.
    let plain = bench.sandbox()?;
    bench.wait(plain.push(&tree, "/dev/shm"))?;
    // Busybox makes hard links, and links that lead out of their directory, last of all, which changes the time of that.
    for name in ["", "d11", "z"] {
        let time = fs::metadata(tree.join(name))?.mtime();
        let line = format!("touch -d @{time} /dev/shm/tree/{name}");
        same("touched", said(bench, &plain, &line)?, String::new())?;
    }
    bench.wait(plain.pull("/dev/shm/tree", scratch.path("plain")))?;
    is_equal(&tree, &scratch.path("plain").join("tree"), false)?;
    has_one_file(&scratch.path("plain").join("tree"))?;
    bench.wait(plain.pull("/dev/shm/tree/.hidden", scratch.path("one")))?;
    same("one", fs::read(scratch.path("one"))?, fs::read(tree.join(".hidden"))?)?;
    // The engine puts files of its own over some in /etc.
    bench.wait(plain.pull("/etc/hosts", scratch.path("hosts")))?;
    let hosts = bench.wait(plain.read_file("/etc/hosts"))?;
    check(hosts == fs::read(scratch.path("hosts"))?, || "other hosts".to_owned())?;
    bench.wait(plain.shutdown())?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn what_is_sent_belongs_to_the_user<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    fs::create_dir_all(scratch.path("src/d"))?;
    fs::write(scratch.path("src/d/f"), "x")?;
    fs::write(scratch.path("src/skip"), "x")?;
    bench.wait(sandbox.run("mkdir -m 777 /open; mkdir -m 755 /shut"))?;
    let worker = |path: &str| FilePath::from(path).user("worker");
    tree::touch(&scratch.path("src/d/f"), 1_234_567_890, 123_456_789)?;
    bench.wait(sandbox.push(scratch.path("src"), "/root/x"))?;
    let time = bench.wait(sandbox.stat("/root/x/src/d/f"))?.modified;
    // Podman rounds it to microseconds.
    let near = time.nanoseconds.abs_diff(123_456_789) < 1000;
    check(time.seconds == 1_234_567_890 && near, || format!("{time:?}"))?;
    bench.wait(sandbox.push(scratch.path("src"), worker("/open/by/worker")))?;
    let told = Arc::new(AtomicU64::new(0));
    let mut packing = Packing::default();
    packing.owner = Some((7, 8));
    packing.filter = Some(Arc::new(|path, _| !path.ends_with("skip")));
    packing.watch = Some(Watch::new({
        let told = Arc::clone(&told);
        move |progress| {
            told.fetch_max(progress.files, Ordering::Relaxed);
        }
    }));
    bench.wait(sandbox.push_with(scratch.path("src"), "/shut", packing))?;
    same("told", told.load(Ordering::Relaxed), 1)?;
    let line = "cd /; stat -c '%u %g' root/x/src/d/f open/by/worker/src/d/f open/by/worker open/by/worker/src/d shut/src/d/f; ls shut/src";
    let wanted = "0 0\n1000 1000\n1000 1000\n1000 1000\n7 8\nd";
    same("owners", said(bench, &sandbox, line)?, wanted.to_owned())?;
    fails(
        bench.wait(sandbox.push(scratch.path("src"), worker("/shut"))),
        FileErrorKind::Permission,
        "/shut",
    )?;
    fails(
        bench.wait(sandbox.push(scratch.path("src"), worker("/shut/new"))),
        FileErrorKind::Permission,
        "/shut/new",
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn transfers_have_their_errors<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    let here = |name: &str| scratch.path(name);
    fs::create_dir_all(here("src/d"))?;
    fs::write(here("src/f"), "x")?;
    bench.wait(
        sandbox.run("mkdir -p /c/src/f /e/src /r; echo x >/e/src/d; echo x >/c/file; chmod 700 /r; mkfifo /c/p"),
    )?;
    fails_here(bench.wait(sandbox.push(here("none"), "/c")), |error| {
        matches!(error, LocalError::NotFound { .. })
    })?;
    fails_here(bench.wait(sandbox.push("/dev/null", "/c")), |error| {
        matches!(error, LocalError::Special { .. })
    })?;
    // A file for a directory, and the other way round.
    fails(
        bench.wait(sandbox.push(here("src"), "/c")),
        FileErrorKind::IsDirectory,
        "/c",
    )?;
    fails(
        bench.wait(sandbox.push(here("src"), "/e")),
        FileErrorKind::NotDirectory,
        "/e",
    )?;
    let over = bench.wait(sandbox.push(here("src"), "/c/file"));
    check(
        matches!(&over, Err(Error::File(error)) if matches!(error.kind, FileErrorKind::Exists | FileErrorKind::NotDirectory)),
        || format!("{over:?}"),
    )?;
    fs::write(here("big"), vec![7; 80 << 20])?;
    fails(
        bench.wait(sandbox.push(here("big"), "/dev/shm/")),
        FileErrorKind::NoSpace,
        "/dev/shm/",
    )?;
    // The other way.
    fails(
        bench.wait(sandbox.pull("/c/none", here("out"))),
        FileErrorKind::NotFound,
        "/c/none",
    )?;
    fails(
        bench.wait(sandbox.pull("/c/p", here("out"))),
        FileErrorKind::NotRegular,
        "/c/p",
    )?;
    let worker = FilePath::from("/r").user("worker");
    fails(
        bench.wait(sandbox.pull(worker, here("out"))),
        FileErrorKind::Permission,
        "/r",
    )?;
    check(!here("out").exists(), || "something was written".to_owned())?;
    fails_here(bench.wait(sandbox.pull("/c/file", here("src/f/x"))), |error| {
        matches!(error, LocalError::NotADirectory { .. })
    })?;
    let mut small = Unpacking::default();
    small.max_bytes = Some(1);
    fails_here(bench.wait(sandbox.pull_with("/c/file", here("out"), small)), |error| {
        matches!(error, LocalError::OverLimit { .. })
    })?;
    // A pipe in a tree is told of, unless it is to be left out.
    let mut lax = Unpacking::default();
    lax.skip_special = true;
    fails_here(bench.wait(sandbox.pull("/c", here("strict"))), |error| {
        matches!(error, LocalError::Refused { .. })
    })?;
    let got = bench.wait(sandbox.pull_with("/c", here("lax"), lax))?;
    same("left out", (got.files, got.skipped), (1, 1))?;
    same(
        "the container is well",
        said(bench, &sandbox, "echo well")?,
        "well".to_owned(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// A future that is dropped at any moment leaves no process, and no thread that waits for ever.
pub(super) fn dropped_transfers_leave_nothing<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let scratch = Scratch::new(&bench.random())?;
    fs::create_dir(scratch.path("src"))?;
    fs::write(scratch.path("src/big"), vec![7; 8 << 20])?;
    bench.wait(sandbox.push(scratch.path("src"), "/whole"))?;
    for polls in [0, 1, 2, 4, 8, 16, 40, 100] {
        for to in ["/a", "/dev/shm"] {
            drop(
                bench
                    .adapter
                    .wait_for_polls(sandbox.push(scratch.path("src"), to), polls),
            );
        }
        let mut whole = Unpacking::default();
        whole.atomic = true;
        let out = scratch.path(&format!("out{polls}"));
        drop(
            bench
                .adapter
                .wait_for_polls(sandbox.pull_with("/whole", &out, whole), polls),
        );
        let names = || -> Result<Vec<_>, Failure> {
            let names = fs::read_dir(scratch.root())?.map(|entry| Ok(entry?.file_name()));
            names.collect()
        };
        bench.until("no half is left here", || {
            Ok(names()?.iter().all(|name| !name.to_string_lossy().starts_with('.')))
        })?;
    }
    bench.until("no tar runs", || {
        Ok(said(bench, &sandbox, "ps | grep -c '[t]ar -'")? == "0")
    })?;
    bench.wait(sandbox.push(scratch.path("src/"), "/after"))?;
    same(
        "afterwards",
        said(bench, &sandbox, "stat -c %s /after/big")?,
        (8 << 20).to_string(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}
