//! The engines to be measured.

use crate::lab::{self, Engine, Result, RunningEngine, images};

/// Those that are named, or all that are up, or all if none is. What is up is left as it is: others may be using it.
///
/// # Errors
/// If one cannot be brought up.
pub fn bring_up(named: &[Engine]) -> Result<Vec<RunningEngine>> {
    let ready = |one: &RunningEngine| one.peer().image(images::BUSYBOX).is_ok_and(|image| image.is_some());
    let mut running: Vec<RunningEngine> = lab::running().into_iter().filter(ready).collect();
    if named.is_empty() {
        return if running.is_empty() { lab::up(&[]) } else { Ok(running) };
    }
    running.retain(|one| named.contains(&one.engine));
    let missing: Vec<Engine> = named
        .iter()
        .copied()
        .filter(|engine| running.iter().all(|one| one.engine != *engine))
        .collect();
    if !missing.is_empty() {
        running.extend(lab::up(&missing)?);
    }
    Ok(running)
}
