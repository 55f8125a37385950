//! The test images: their names, and how an engine gets them.

use super::error::{Error, Result};
use super::peer::{Peer, encode};
use super::place;

/// Nothing but busybox: `/bin/sh` is ash. Users `worker` (1000) and `nobody` (65534).
pub const BUSYBOX: &str = "pocket-dock-test/busybox:latest";
/// A minimal Debian with Python, bash and procps; `/bin/sh` is dash. Users as in [`BUSYBOX`].
pub const PYTHON: &str = "pocket-dock-test/python:latest";
/// The same as [`PYTHON`] with bash as `/bin/sh`.
pub const BASH: &str = "pocket-dock-test/bash:latest";
/// A handful of programs and no shell of any kind. Users as in [`BUSYBOX`].
pub const NOSHELL: &str = "pocket-dock-test/noshell:latest";

/// All test images.
pub const ALL: [&str; 4] = [BUSYBOX, PYTHON, BASH, NOSHELL];

const LABEL: &str = "pocket-dock.lab.recipe";

/// `pocket-dock-test/busybox:latest` → `pocket-dock-test/busybox`, `busybox`
fn parts(name: &str) -> (&str, &str) {
    let repository = name.split(':').next().unwrap_or(name);
    (repository, repository.rsplit('/').next().unwrap_or(repository))
}

/// Whether the engine has this image in its present form.
pub(super) fn is_there(peer: &Peer, name: &str) -> Result<bool> {
    let recipe = place::RECIPE.to_string();
    Ok(peer
        .image(name)?
        .is_some_and(|image| image["Config"]["Labels"][LABEL] == recipe))
}

/// Loads the images that the engine does not have; returns how many.
pub(super) fn load(peer: &Peer) -> Result<usize> {
    let mut loaded = 0;
    for name in ALL {
        if is_there(peer, name)? {
            continue;
        }
        let (repository, short) = parts(name);
        let mut path = format!("/images/create?fromSrc=-&repo={}&tag=latest", encode(repository));
        for change in changes(name) {
            path.push_str(&format!("&changes={}", encode(&change)));
        }
        let (status, answer) = peer.upload("POST", &path, &place::image(short))?;
        if status >= 300 || !is_there(peer, name)? {
            let answer = String::from_utf8_lossy(&answer);
            return Err(Error::new(
                format!(
                    "the engine on {} does not take the image {name}: {status} {answer}",
                    peer.socket().display()
                ),
                "see the engine's log; `cargo lab down --purge` empties its storage",
            ));
        }
        loaded += 1;
    }
    Ok(loaded)
}

fn changes(name: &str) -> Vec<String> {
    let mut changes = vec![
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("LABEL {LABEL}={}", place::RECIPE),
    ];
    if name != NOSHELL {
        changes.push(r#"CMD ["/bin/sh"]"#.to_owned());
    }
    changes
}

/// The root file system, as a tar, of a small Debian with Bash and Python: made on this machine, from its own mirror.
///
/// # Errors
/// If the tools or packages for it cannot be had.
pub fn offline_root() -> Result<std::path::PathBuf> {
    let _lock = super::place::lock()?;
    super::apt::ensure_tools()?;
    super::rootfs::ensure_debian()?;
    Ok(super::place::image("python"))
}

#[cfg(test)]
mod tests {
    use super::{BUSYBOX, NOSHELL, changes, parts};

    #[test]
    fn names_have_parts() {
        assert_eq!(parts(BUSYBOX), ("pocket-dock-test/busybox", "busybox"));
        assert!(changes(BUSYBOX).iter().any(|change| change.contains("/bin/sh")));
        assert!(!changes(NOSHELL).iter().any(|change| change.contains("/bin/sh")));
    }
}
