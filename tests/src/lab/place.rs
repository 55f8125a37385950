//! Where the lab keeps its things.
//!
//! ```text
//! /var/lib/pocket-dock-lab       or $POCKET_DOCK_LAB_DIR
//!   lock                         held by the one command that changes something
//!   trees/{suite}-r{n}           root trees with engines in them, made once
//!   images/{name}-r{n}.tar       root file systems of the test images, made once
//!   logs/{what}.log              of the tools that made them
//!   data/{engine}                the engine's storage; kept between `down` and `up`
//!   run/{engine}/pid, log        the process that holds the engine, and what it printed
//!   run/{engine}/shared          /run/shared inside; engine.sock is here
//! ```

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::{Error, Result};

/// Goes up when trees or images are made differently, so that old ones are not taken for new ones.
pub(super) const RECIPE: u32 = 1;

/// The lab's directory: `POCKET_DOCK_LAB_DIR`, or else `/var/lib/pocket-dock-lab`.
#[must_use]
pub fn home() -> PathBuf {
    match std::env::var_os("POCKET_DOCK_LAB_DIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from("/var/lib/pocket-dock-lab"),
    }
}

pub(super) fn tree(suite: &str) -> PathBuf {
    home().join(format!("trees/{suite}-r{RECIPE}"))
}

pub(super) fn image(name: &str) -> PathBuf {
    home().join(format!("images/{name}-r{RECIPE}.tar"))
}

pub(super) fn log_of(what: &str) -> PathBuf {
    home().join(format!("logs/{what}.log"))
}

pub(super) fn data(engine: &str) -> PathBuf {
    home().join("data").join(engine)
}

pub(super) fn run(engine: &str) -> PathBuf {
    home().join("run").join(engine)
}

pub(super) fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|cause| Error::file("make the directory", path, &cause))
}

/// Removes a directory and all in it; it need not be there.
pub(super) fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path, &cause)),
        _ => Ok(()),
    }
}

/// Makes `target` by filling a path beside it and renaming that when it is whole, so that an interrupted attempt is
/// never taken for the thing itself.
pub(super) fn make_whole(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut unfinished = target.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    if let Some(parent) = target.parent() {
        make_dir(parent)?;
    }
    if unfinished.is_dir() {
        remove_dir(&unfinished)?;
    } else if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(|cause| Error::file("remove", &unfinished, &cause))?;
    }
    fill(&unfinished)?;
    fs::rename(&unfinished, target).map_err(|cause| Error::file("finish", target, &cause))
}

/// The last lines of a log, indented, for an error message.
pub(super) fn tail(path: &Path, lines: usize) -> String {
    let Ok(bytes) = fs::read(path) else {
        return format!("  (no log at {})", path.display());
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    let shown = all.iter().skip(all.len().saturating_sub(lines));
    shown
        .map(|line| format!("  | {line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// The right to change the lab. Only one process has it; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] fs::File);

pub(super) fn lock() -> Result<Lock> {
    make_dir(&home())?;
    let path = home().join("lock");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(|cause| Error::file("open the lock", &path, &cause))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        say("another lab command is at work; waiting for it");
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(cause) => return Err(Error::file("take the lock", &path, &cause.into())),
            }
        }
    }
    Ok(Lock(file))
}

/// Tells the user how far things are, on stderr. That nobody listens is no reason to stop.
pub(super) fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "lab: {message}");
}

#[cfg(test)]
mod tests {
    use super::{make_whole, remove_dir, tail};
    use crate::lab::error::Error;
    use std::fs;

    #[test]
    fn an_interrupted_attempt_is_started_anew() {
        let dir = std::env::temp_dir().join(format!("pocket-dock-lab-place-{}", std::process::id()));
        let target = dir.join("thing");
        let failed = make_whole(&target, |path| {
            fs::create_dir(path).unwrap();
            fs::write(path.join("half"), "x").unwrap();
            Err(Error::new("interrupted", ""))
        });
        assert!(failed.is_err() && !target.exists());
        make_whole(&target, |path| {
            assert!(!path.exists());
            fs::write(path, "one\ntwo\nthree\n").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(tail(&target, 2), "  | two\n  | three");
        remove_dir(&dir).unwrap();
        remove_dir(&dir).unwrap();
    }
}
