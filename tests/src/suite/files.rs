//! Small calls about files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pocket_dock_core::{Container, Error, ExecError, FileErrorKind, FileKind, FilePath};

use super::stream_input::noise;
use super::{Adapter, Bench, Verdict, check, same};

/// Checks that a call failed in this way, and that its error names the path.
pub(super) fn fails<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: FileErrorKind, path: &str) -> Verdict {
    let holds = matches!(&outcome, Err(Error::File(error)) if error.kind == kind && error.path == Path::new(path));
    check(holds, || format!("{path}: got {outcome:?}, wanted {kind:?}"))
}

/// What was said by who failed.
fn words<T>(outcome: &Result<T, Error>) -> &str {
    match outcome {
        Err(Error::File(error)) => &error.message,
        _ => "",
    }
}

/// What a command prints, without the newline.
pub(super) fn said<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, line: &str) -> Result<String, Error> {
    let result = bench.wait(sandbox.run(line))?;
    Ok(format!("{}{}", result.stdout_text(), result.stderr_text())
        .trim_end()
        .to_owned())
}

pub(super) fn a_file_is_written_and_read<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let every: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for (path, data) in [
        ("/tmp/a/b/c/every", Bytes::from(every)),
        ("/tmp/empty", Bytes::new()),
        ("/tmp/much", noise(5 << 20)),
        ("relative/one", Bytes::from_static(b"here")),
    ] {
        bench.wait(sandbox.write_file(path, data.clone()))?;
        check(bench.wait(sandbox.read_file(path))? == data, || {
            format!("{path} is not what was written")
        })?;
        let stat = bench.wait(sandbox.stat(path))?;
        same("size", stat.size, data.len() as u64)?;
        same("kind and mode", (stat.kind, stat.mode), (FileKind::File, 0o644))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let age = now as i64 - stat.modified.seconds;
        check((-60..600).contains(&age), || format!("{path} is {age} s old"))?;
    }
    same(
        "nothing is left beside",
        said(bench, &sandbox, "ls -A /tmp")?,
        "a\nempty\nmuch".to_owned(),
    )?;
    // What is there stays what it is, but for its content.
    let line = "cd /tmp; echo longer than that >f; chown 1000:7 f; chmod 751 f; ln f g; ln -s f h; ln -s new i";
    bench.wait(sandbox.run(line))?;
    bench.wait(sandbox.write_file("/tmp/h", "short"))?;
    let wanted = "751 1000 7 2\nsymbolic link\nshort".to_owned();
    same(
        "kept",
        said(bench, &sandbox, "cd /tmp; stat -c '%a %u %g %h' f; stat -c %F h; cat g")?,
        wanted,
    )?;
    bench.wait(sandbox.write_file("/tmp/i", "by a link"))?;
    same(
        "through a link",
        bench.wait(sandbox.read_file("/tmp/new"))?,
        Bytes::from_static(b"by a link"),
    )?;
    bench.wait(sandbox.write_file(FilePath::new("/tmp/run").mode(0o4755), "#!/bin/sh\necho ran\n"))?;
    same("mode", bench.wait(sandbox.stat("/tmp/run"))?.mode, 0o4755)?;
    same("it runs", said(bench, &sandbox, "/tmp/run")?, "ran".to_owned())?;
    // What no archive call of an engine sees.
    check(!bench.wait(sandbox.read_file("/proc/self/status"))?.is_empty(), || {
        "no /proc".to_owned()
    })?;
    bench.wait(sandbox.write_file("/dev/shm/x", "in memory"))?;
    same(
        "tmpfs",
        bench.wait(sandbox.read_file("/dev/shm/x"))?,
        Bytes::from_static(b"in memory"),
    )?;
    bench.wait(sandbox.write_file("/dev/null", "nowhere"))?;
    same(
        "a device",
        said(bench, &sandbox, "test -c /dev/null && echo yes")?,
        "yes".to_owned(),
    )?;
    Ok(bench.wait(sandbox.shutdown())?)
}

/// Names that have hurt somebody.
pub(super) const NAMES: [&[u8]; 11] = [
    b"with space",
    b" leading and trailing ",
    b"-rf",
    b"a;touch hurt",
    b"quote'quote\"`touch hurt`$(touch hurt)",
    b"new\nline\n",
    b"\xff\xfe not UTF-8",
    b"back\\slash\\0101",
    b"*?[a]",
    b"%s%n",
    b"...",
];

pub(super) fn in_dir(dir: &str, name: &[u8]) -> PathBuf {
    Path::new(dir).join(OsStr::from_bytes(name))
}

pub(super) fn names_of_any_kind<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let long = vec![b'x'; 255];
    let names = || NAMES.into_iter().chain([&long[..]]);
    for name in names() {
        let path = in_dir("/tmp/odd; names", name);
        bench.wait(sandbox.write_file(path.clone(), name.to_vec()))?;
        same(
            "content",
            bench.wait(sandbox.read_file(path.clone()))?,
            Bytes::copy_from_slice(name),
        )?;
        check(bench.wait(sandbox.exists(path.clone()))?, || {
            format!("{path:?} is not there")
        })?;
    }
    let list = bench.wait(sandbox.list_files("/tmp/odd; names"))?;
    let mut wanted: Vec<&[u8]> = names().collect();
    wanted.sort_unstable();
    let got: Vec<&[u8]> = list.iter().map(|entry| entry.name.as_bytes()).collect();
    same("list", got, wanted)?;
    for name in names() {
        let (old, new) = (in_dir("/tmp/odd; names", name), in_dir("/tmp/odd; names", b"it"));
        bench.wait(sandbox.rename(old.clone(), new.clone()))?;
        same(
            "renamed",
            bench.wait(sandbox.read_file(new.clone()))?,
            Bytes::copy_from_slice(name),
        )?;
        bench.wait(sandbox.rename(new, old.clone()))?;
        bench.wait(sandbox.remove(old))?;
    }
    same(
        "none left",
        bench.wait(sandbox.list_files("/tmp/odd; names"))?,
        Vec::new(),
    )?;
    same(
        "nothing ran",
        said(bench, &sandbox, "find / -xdev -name hurt")?,
        String::new(),
    )?;
    for wrong in ["", "a\0b"] {
        let outcome = bench.wait(sandbox.read_file(wrong));
        check(matches!(outcome, Err(Error::Misuse(_))), || format!("{outcome:?}"))?;
    }
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn what_is_told_of_files<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let line = "mkdir -p /t/d /t/.hidden; cd /t; echo hello >f; chown 7:8 f; chmod 4751 f; touch -d @1000000007 f; \
                ln -s f l; ln -s nowhere broken; mkfifo p; chmod 1777 d; ln -s '/a b\nc' odd";
    same("made", said(bench, &sandbox, line)?, String::new())?;
    let stat = bench.wait(sandbox.stat("/t/f"))?;
    same("numbers", (stat.size, stat.mode, stat.uid, stat.gid), (6, 0o4751, 7, 8))?;
    same("time", stat.modified.seconds, 1_000_000_007)?;
    same("followed", bench.wait(sandbox.stat("/t/l"))?, stat)?;
    let link = bench.wait(sandbox.stat(FilePath::new("/t/l").no_follow()))?;
    same("link", (link.kind, link.link), (FileKind::Symlink, Some("f".into())))?;
    let odd = bench.wait(sandbox.stat(FilePath::new("/t/odd").no_follow()))?;
    same("odd link", odd.link, Some("/a b\nc".into()))?;
    let kinds: Vec<_> = bench.wait(sandbox.list_files("/t"))?;
    let kinds: Vec<_> = kinds
        .iter()
        .map(|entry| (entry.name.to_string_lossy(), entry.stat.kind))
        .collect();
    let kinds: Vec<_> = kinds.iter().map(|(name, kind)| (name.as_ref(), *kind)).collect();
    let wanted = [
        (".hidden", FileKind::Directory),
        ("broken", FileKind::Symlink),
        ("d", FileKind::Directory),
        ("f", FileKind::File),
        ("l", FileKind::Symlink),
        ("odd", FileKind::Symlink),
        ("p", FileKind::Other),
    ];
    same("list", kinds, wanted.to_vec())?;
    same("mode of a directory", bench.wait(sandbox.stat("/t/d"))?.mode, 0o1777)?;
    let exists = |path: FilePath| bench.wait(sandbox.exists(path));
    same("there", (exists("/t/f".into())?, exists("/t/d/".into())?), (true, true))?;
    same(
        "not there",
        (exists("/t/x/y".into())?, exists("/t/f/x".into())?),
        (false, false),
    )?;
    let broken = FilePath::from("/t/broken");
    same(
        "broken",
        (exists(broken.clone())?, exists(broken.no_follow())?),
        (false, true),
    )?;
    // A thousand names.
    bench.wait(sandbox.run("mkdir /m; cd /m; for i in $(seq 1000); do : >$i; done"))?;
    same("many", bench.wait(sandbox.list_files("/m"))?.len(), 1000)?;
    bench.wait(sandbox.make_dir(FilePath::new("/new/a/b").mode(0o700)))?;
    bench.wait(sandbox.make_dir("/new/a/b"))?;
    same("made", bench.wait(sandbox.stat("/new/a/b"))?.mode, 0o700)?;
    bench.wait(sandbox.remove("/new/a/b"))?;
    bench.wait(sandbox.remove(FilePath::new("/t").recursive()))?;
    same("removed", exists("/t".into())?, false)?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn files_have_their_errors<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    bench
        .wait(sandbox.run("mkdir -p /d/full; echo x >/d/full/f; ln -s loop /d/loop; mkfifo /d/p; chmod 700 /d/full"))?;
    let wait = bench;
    fails(
        wait.wait(sandbox.read_file("/d/none")),
        FileErrorKind::NotFound,
        "/d/none",
    )?;
    fails(wait.wait(sandbox.read_file("/d")), FileErrorKind::IsDirectory, "/d")?;
    fails(
        wait.wait(sandbox.read_file("/d/full/f/x")),
        FileErrorKind::NotDirectory,
        "/d/full/f/x",
    )?;
    fails(wait.wait(sandbox.read_file("/d/loop")), FileErrorKind::Loop, "/d/loop")?;
    fails(
        wait.wait(sandbox.write_file("/d", "x")),
        FileErrorKind::IsDirectory,
        "/d",
    )?;
    fails(
        wait.wait(sandbox.write_file("/d/full/f/x", "x")),
        FileErrorKind::NotDirectory,
        "/d/full/f/x",
    )?;
    fails(
        wait.wait(sandbox.write_file("/d/new/", "x")),
        FileErrorKind::IsDirectory,
        "/d/new/",
    )?;
    fails(wait.wait(sandbox.stat("/d/none")), FileErrorKind::NotFound, "/d/none")?;
    fails(
        wait.wait(sandbox.list_files("/d/none")),
        FileErrorKind::NotFound,
        "/d/none",
    )?;
    fails(
        wait.wait(sandbox.list_files("/d/full/f")),
        FileErrorKind::NotDirectory,
        "/d/full/f",
    )?;
    fails(wait.wait(sandbox.remove("/d/none")), FileErrorKind::NotFound, "/d/none")?;
    fails(wait.wait(sandbox.remove("/d/full")), FileErrorKind::NotEmpty, "/d/full")?;
    fails(
        wait.wait(sandbox.rename("/d/none", "/d/x")),
        FileErrorKind::NotFound,
        "/d/none",
    )?;
    fails(
        wait.wait(sandbox.rename("/d/p", "/d/full")),
        FileErrorKind::Exists,
        "/d/full",
    )?;
    bench.wait(sandbox.run("ln -s full /d/to-full; echo whole >/d/o; mkfifo /d/q"))?;
    fails(
        wait.wait(sandbox.rename("/d/o", "/d/to-full")),
        FileErrorKind::Exists,
        "/d/to-full",
    )?;
    fails(wait.wait(sandbox.read_file("/d/q")), FileErrorKind::NotRegular, "/d/q")?;
    fails(
        wait.wait(sandbox.write_file("/d/q", "x")),
        FileErrorKind::NotRegular,
        "/d/q",
    )?;
    let long = format!("/d/{}", "n".repeat(256));
    fails(
        wait.wait(sandbox.write_file(long.as_str(), "x")),
        FileErrorKind::NameTooLong,
        &long,
    )?;
    // As somebody who may not.
    let as_worker = |path: &str| FilePath::from(path).user("worker");
    fails(
        wait.wait(sandbox.read_file(as_worker("/d/full/f"))),
        FileErrorKind::Permission,
        "/d/full/f",
    )?;
    let shut = wait.wait(sandbox.write_file(as_worker("/d/w"), "x"));
    check(words(&shut).contains("/d/w"), || format!("it names another: {shut:?}"))?;
    fails(shut, FileErrorKind::Permission, "/d/w")?;
    fails(
        wait.wait(sandbox.write_file(as_worker("/d/full/f"), "x")),
        FileErrorKind::Permission,
        "/d/full/f",
    )?;
    fails(
        wait.wait(sandbox.write_file(as_worker("/etc/new/w"), "x")),
        FileErrorKind::Permission,
        "/etc/new/w",
    )?;
    fails(
        wait.wait(sandbox.list_files(as_worker("/d/full"))),
        FileErrorKind::Permission,
        "/d/full",
    )?;
    fails(
        wait.wait(sandbox.exists(as_worker("/d/full/f"))),
        FileErrorKind::Permission,
        "/d/full/f",
    )?;
    fails(
        wait.wait(sandbox.remove(as_worker("/d/p"))),
        FileErrorKind::Permission,
        "/d/p",
    )?;
    fails(
        wait.wait(sandbox.make_dir(as_worker("/d/w"))),
        FileErrorKind::Permission,
        "/d/w",
    )?;
    // What no room is for, and what is endless.
    let much = noise(80 << 20);
    bench.wait(sandbox.write_file("/dev/shm/before", "kept"))?;
    fails(
        wait.wait(sandbox.write_file("/dev/shm/before", much)),
        FileErrorKind::NoSpace,
        "/dev/shm/before",
    )?;
    same(
        "kept",
        bench.wait(sandbox.read_file("/dev/shm/before"))?,
        Bytes::from_static(b"kept"),
    )?;
    // What does not fit beside what is there is refused, and that is as it was.
    let half = noise(40 << 20);
    bench.wait(sandbox.write_file("/dev/shm/half", half.clone()))?;
    fails(
        wait.wait(sandbox.write_file("/dev/shm/half", half.clone())),
        FileErrorKind::NoSpace,
        "/dev/shm/half",
    )?;
    check(bench.wait(sandbox.read_file("/dev/shm/half"))? == half, || {
        "it is not as it was".to_owned()
    })?;
    bench.wait(sandbox.remove("/dev/shm/half"))?;
    // What has several names is written in place: what is cut there is whole beside it, and that is told.
    bench.wait(sandbox.run("cd /dev/shm; echo x >one; ln one other"))?;
    let cut = wait.wait(sandbox.write_file("/dev/shm/one", half.clone()));
    let whole = words(&cut).split(" has all that").next().unwrap_or_default().to_owned();
    fails(cut, FileErrorKind::NoSpace, "/dev/shm/one")?;
    check(bench.wait(sandbox.read_file(whole.as_str()))? == half, || {
        format!("{whole} has not all of it")
    })?;
    bench.wait(sandbox.run("cd /dev/shm; rm one other .pocket-dock-*"))?;
    // What cannot be opened is as it was, for a reason of its own.
    let line = "cp /bin/busybox /d/sleep; ln /d/sleep /d/other; /d/sleep 1000 >/dev/null 2>&1 & \
                until [ \"$(readlink /proc/$!/exe)\" = /d/sleep ]; do :; done";
    bench.wait(sandbox.run(line))?;
    let busy = wait.wait(sandbox.write_file("/d/sleep", "x"));
    check(words(&busy).ends_with("Text file busy"), || format!("{busy:?}"))?;
    fails(busy, FileErrorKind::Other, "/d/sleep")?;
    same(
        "no rest",
        said(bench, &sandbox, "ls -A /d | grep pocket-dock")?,
        String::new(),
    )?;
    same("no rest", said(bench, &sandbox, "ls -A /dev/shm")?, "before".to_owned())?;
    fails(
        wait.wait(sandbox.read_file(FilePath::new("/dev/zero").limit(1000))),
        FileErrorKind::TooLarge,
        "/dev/zero",
    )?;
    fails(
        wait.wait(sandbox.read_file(FilePath::new("/etc/passwd").limit(3))),
        FileErrorKind::TooLarge,
        "/etc/passwd",
    )?;
    let patient = FilePath::new("/dev/zero")
        .limit(8 << 30)
        .timeout(Duration::from_millis(300));
    fails(
        wait.wait(sandbox.read_file(patient)),
        FileErrorKind::TimedOut,
        "/dev/zero",
    )?;
    same(
        "nothing runs on",
        said(bench, &sandbox, "ps -o args | grep -c '^cat /dev/zero'")?,
        "0".to_owned(),
    )?;
    let nobody = bench.wait(sandbox.read_file(FilePath::from("/etc/passwd").user("no-such-user")));
    check(matches!(nobody, Err(Error::Exec(ExecError::NoUser { .. }))), || {
        format!("{nobody:?}")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

pub(super) fn a_file_as_a_stream<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let data = noise(24 << 20);
    let writer = bench.wait(sandbox.write_file_stream("/tmp/new dir/big"))?;
    for piece in data.chunks(1_000_000) {
        bench.wait(writer.write(Bytes::copy_from_slice(piece)))?;
    }
    same("not there yet", bench.wait(sandbox.exists("/tmp/new dir/big"))?, false)?;
    bench.wait(writer.finish())?;
    let mut reader = bench.wait(sandbox.read_file_stream("/tmp/new dir/big"))?;
    let mut got = Vec::new();
    while let Some(piece) = bench.wait(reader.next())? {
        got.extend_from_slice(&piece);
    }
    check(got == data, || {
        format!("{} of {} bytes came, or others", got.len(), data.len())
    })?;
    same("behind the end", bench.wait(reader.next())?, None)?;
    // Errors are told once, at the end.
    let mut reader = bench.wait(sandbox.read_file_stream("/tmp/none"))?;
    fails(bench.wait(reader.next()), FileErrorKind::NotFound, "/tmp/none")?;
    same("once", bench.wait(reader.next())?, None)?;
    let writer = bench.wait(sandbox.write_file_stream("/tmp/new dir"))?;
    bench.until("nothing more is taken", || match bench.wait(writer.write("x")) {
        Ok(()) => Ok(false),
        closed => fails(closed, FileErrorKind::Closed, "/tmp/new dir").map(|()| true),
    })?;
    fails(bench.wait(writer.finish()), FileErrorKind::IsDirectory, "/tmp/new dir")?;
    // One that is dropped leaves what was there, and nothing else.
    bench.wait(sandbox.write_file("/keep/f", "before"))?;
    let writer = bench.wait(sandbox.write_file_stream("/keep/f"))?;
    bench.wait(writer.write("half"))?;
    drop(writer);
    bench.until("it is removed", || Ok(said(bench, &sandbox, "ls -A /keep")? == "f"))?;
    same(
        "kept",
        bench.wait(sandbox.read_file("/keep/f"))?,
        Bytes::from_static(b"before"),
    )?;
    // A reader that is dropped ends what reads.
    let mut reader = bench.wait(sandbox.read_file_stream("/dev/zero"))?;
    check(bench.wait(reader.next())?.is_some(), || "nothing came".to_owned())?;
    drop(reader);
    bench.until("it has ended", || {
        Ok(said(bench, &sandbox, "ps -o args | grep -c '^cat /dev/zero'")? == "0")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}
