//! What a container that lies can do to whoever fetches files of it: nothing.

use std::fs;

use pocket_dock_core::FilePath;

use super::{Adapter, Bench, Verdict, check};
use crate::hostile_archives::{Outcome, Site, all, decoys, plant, seen};
use crate::lab;
use crate::tree::Scratch;

/// In the place of the container's own.
const TAR: &str = "#!/bin/sh\ncase $1 in --version) exit 0 ;; esac\nexec cat /dev/shm/archive\n";

/// Every hostile archive, from a container whose `tar` gives it.
pub(super) fn a_tar_that_lies_writes_nothing_elsewhere<A: Adapter>(bench: &Bench<A>) -> Verdict {
    // Busybox has a tar of its own that its shell prefers.
    let sandbox = bench.python()?;
    bench.wait(sandbox.write_file(FilePath::new("/usr/local/bin/tar").mode(0o755), TAR))?;
    bench.wait(sandbox.make_dir("/dev/shm/top"))?;
    // On each engine a sixth, unless everything is tried.
    let whole = std::env::var_os(super::FULL).is_some();
    let socket = bench.peer.socket().to_string_lossy();
    let part = lab::ENGINES.iter().position(|engine| socket.contains(engine.name));
    let mut tried = 0;
    for (number, hostile) in all().enumerate() {
        if !whole && part.is_some_and(|part| number / 2 % lab::ENGINES.len() != part) {
            continue;
        }
        let scratch = Scratch::new(&format!("{}-{number}", bench.random()))?;
        let (outside, dest) = (scratch.path("outside"), scratch.path("place/dest"));
        decoys(&outside)?;
        fs::create_dir(scratch.path("place"))?;
        let planted = number % 2 == 0;
        if planted {
            plant(&dest.join("top"), &outside)?;
        }
        let site = Site {
            top: "top",
            outside: outside.to_str().ok_or("an odd temporary directory")?,
            relative: "../../../outside",
        };
        bench.wait(sandbox.write_file("/dev/shm/archive", hostile.bytes(&site)))?;
        let before = seen(scratch.root(), &dest)?;
        let pulled = bench.wait(sandbox.pull("/dev/shm/top", &dest));
        is_same(&before, &seen(scratch.root(), &dest)?, hostile.name)?;
        let refused = match (hostile.outcome, planted) {
            (Outcome::Either, _) => pulled.is_err(),
            (Outcome::Confined, _) | (Outcome::RefusedIfPlanted, false) => false,
            (Outcome::Refused | Outcome::RefusedIfPlanted, _) => true,
        };
        check(pulled.is_err() == refused, || format!("{}: {pulled:?}", hostile.name))?;
        tried += 1;
    }
    check(tried >= if whole { 40 } else { 14 }, || {
        format!("only {tried} archives")
    })?;
    Ok(bench.wait(sandbox.shutdown())?)
}

fn is_same(before: &[String], after: &[String], name: &str) -> Verdict {
    match before.iter().zip(after).find(|(was, is)| was != is) {
        Some((was, is)) => Err(format!("{name}: something outside was changed, from {was} to {is}").into()),
        None => check(before.len() == after.len(), || {
            format!("{name}: something outside was made or removed")
        }),
    }
}
