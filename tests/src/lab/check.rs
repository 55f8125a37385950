//! Whether a running engine does what the tests need of it, seen from outside the library.

use std::time::{Duration, Instant};

use serde_json::json;

use super::error::{Error, Result};
use super::{RunningEngine, images};

/// Creates, starts, uses and removes a container of each image; returns a line about each.
///
/// # Errors
/// When one of them does not do what it should. Nothing is left behind then either.
pub fn check(engine: &RunningEngine) -> Result<Vec<String>> {
    images::ALL.iter().map(|image| one(engine, image)).collect()
}

fn one(engine: &RunningEngine, image: &str) -> Result<String> {
    let peer = engine.peer();
    let mark = format!("{}-{}", std::process::id(), image);
    let alive = || {
        engine
            .engine
            .processes()
            .iter()
            .filter(|one| one.has(&format!("POCKET_DOCK_CHECK={mark}")))
            .count()
    };
    let begun = Instant::now();
    let container = peer.start(&json!({
        "Image": image,
        "Cmd": ["sleep", "300"],
        "Env": [format!("POCKET_DOCK_CHECK={mark}")],
        "Labels": { "pocket-dock.managed": "true" },
    }))?;
    let started = begun.elapsed();
    let used = uses(image).iter().try_for_each(|(command, expected)| {
        let outcome = peer.exec(&container, command)?;
        let got = String::from_utf8_lossy(&outcome.stdout);
        if outcome.code == 0 && got.trim() == *expected {
            return Ok(());
        }
        let what = format!(
            "{}, {image}: {command:?} gives {outcome:?}, not {expected:?}",
            engine.engine.name
        );
        Err(Error::new(what, format!("see {}", engine.engine.log().display())))
    });
    let ready = begun.elapsed();
    let before = alive();
    peer.remove(&container)?;
    let (gone, after) = (begun.elapsed(), alive());
    used?;
    if before == 0 || after > 0 {
        let what = format!(
            "{}, {image}: {before} process(es) before the removal, {after} after",
            engine.engine.name
        );
        return Err(Error::new(what, ""));
    }
    if peer.inspect(&container)?.is_some() {
        return Err(Error::new(
            format!("{}: a removed container is still there", engine.engine.name),
            "",
        ));
    }
    let ms = |time: Duration| time.as_millis();
    Ok(format!(
        "{image}: create and start {} ms, {} exec(s) {} ms, kill and remove {} ms",
        ms(started),
        uses(image).len(),
        ms(ready.saturating_sub(started)),
        ms(gone.saturating_sub(ready)),
    ))
}

/// Commands for each image, and what they print.
fn uses(image: &str) -> &'static [(&'static [&'static str], &'static str)] {
    match image {
        images::BUSYBOX => &[(&["sh", "-c", "readlink /bin/sh; id -u worker"], "busybox\n1000")],
        images::PYTHON => &[
            (&["python3", "-c", "print(6 * 7)"], "42"),
            (
                &["sh", "-c", "readlink /bin/sh; id -u worker; ps -o comm= -p $$"],
                "dash\n1000\nsh",
            ),
        ],
        images::BASH => &[(&["sh", "-c", "echo ${BASH_VERSION%%.*}"], "5")],
        _ => &[
            (&["echo", "hello"], "hello"),
            (&["head", "-n1", "/etc/passwd"], "root:x:0:0:root:/root:/bin/sh"),
        ],
    }
}
