//! Names that have hurt somebody, of what is sent and fetched.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use bytes::Bytes;
use pocket_dock_core::Container;

use super::files::{NAMES, in_dir, said};
use super::{Adapter, Bench, Verdict, check, same};
use crate::tree::Scratch;

/// On the container's disk, where the engine reads and writes, and in its memory, where a `tar` in it does: busybox's and
/// GNU's.
pub(super) fn names_of_any_kind_go_in_and_out<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let small = bench.sandbox()?;
    go_in_and_out(bench, &small, "/tmp/odd; place")?;
    go_in_and_out(bench, &small, "/dev/shm/odd; place")?;
    bench.wait(small.shutdown())?;
    let large = bench.python()?;
    go_in_and_out(bench, &large, "/dev/shm/odd; place")?;
    Ok(bench.wait(large.shutdown())?)
}

/// Sends a file of each name into a directory of this name, and fetches both.
fn go_in_and_out<A: Adapter>(bench: &Bench<A>, sandbox: &Container<A::Runtime>, place: &str) -> Verdict {
    let scratch = Scratch::new(&bench.random())?;
    let long = vec![b'x'; 255];
    for (number, name) in NAMES.into_iter().chain([&long[..]]).enumerate() {
        let own = OsStr::from_bytes(name);
        let source = scratch.path("here").join(own);
        fs::create_dir_all(scratch.path("here"))?;
        fs::write(&source, name)?;
        let dir = in_dir(place, name);
        let told = |what: &str| format!("{} in {place}: {what}", name.escape_ascii());
        // The name as the last part of what is sent and of where it goes, and as a directory in which that is.
        bench.wait(sandbox.push(&source, dir.join(own)))?;
        let there = bench.wait(sandbox.read_file(dir.join(own)))?;
        same(&told("sent"), there, Bytes::copy_from_slice(name))?;
        let back = scratch.path(&format!("back{number}")).join(own);
        fs::create_dir_all(back.parent().ok_or("no directory")?)?;
        bench.wait(sandbox.pull(dir.join(own), &back))?;
        check(fs::read(&back)? == name, || told("fetched"))?;
        fs::remove_file(&back)?;
        // The directory as a tree.
        let got = bench.wait(sandbox.pull(&*dir, &back))?;
        same(&told("fetched"), got.files, 1)?;
        check(fs::read(back.join(own).join(own))? == name, || {
            told("fetched as a tree")
        })?;
    }
    let kinds = said(bench, sandbox, "find / -xdev -name hurt; find /dev/shm -name hurt")?;
    same("nothing ran", kinds, String::new())
}
