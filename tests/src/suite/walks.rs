//! Sessions that are given what nobody thought of, and what only a spy could know.

use std::collections::BTreeSet;

use pocket_dock_core::{ContainerSpec, Engine, Options};

use super::tap::Tap;
use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::walk::{COUNT, SEED, Shell, walk};

/// A number from the environment.
fn said(name: &str) -> Result<Option<u64>, Failure> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().map_err(|_| format!("{name} is no number: {text}"))?)),
        Err(_) => Ok(None),
    }
}

/// One walk on each shell, unless the environment says how many. As every engine and runtime has seeds of its own, it is
/// some dozens of them in all.
pub(super) fn a_hundred_random_commands_beside_a_model<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let count = said(COUNT)?.unwrap_or(1);
    let seed = match said(SEED)? {
        Some(seed) => seed,
        None => u64::from_str_radix(&bench.random(), 16)?,
    };
    std::thread::scope(|scope| {
        let walkers = Shell::ALL.map(|shell| {
            scope.spawn(move || -> Verdict {
                let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(shell.image())))?;
                for number in 0..count {
                    walk(&bench.adapter, &sandbox, shell, seed.wrapping_add(number))?;
                }
                Ok(bench.wait(sandbox.shutdown())?)
            })
        });
        let mut verdict = Ok(());
        for walker in walkers {
            verdict = verdict.and(
                walker
                    .join()
                    .map_err(|_| "a walk panicked".into())
                    .and_then(|ended| ended),
            );
        }
        verdict
    })
}

/// The borders of the turns before, as they really were, are output like any other.
pub(super) fn borders_that_were_overheard_are_output<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let tap = Tap::new(bench.peer.socket(), &bench.random())?;
    let options = Options::new().socket(tap.path());
    let engine = bench.wait(Engine::connect_with(bench.adapter.runtime(), options))?;
    for shell in Shell::ALL {
        let sandbox = bench.wait(engine.create(ContainerSpec::new(shell.image())))?;
        let session = bench.wait(sandbox.session(shell.options()))?;
        for number in 0..3 {
            let first = bench.wait(session.send_and_wait("printf first; (exit 3)"))?;
            same("first", (first.exit_code, &first.stdout.head[..]), (3, &b"first"[..]))?;
            // Not that of the shell's supervisor: whoever overhears that can end the session.
            let own = |border: &String| !border.ends_with("_begin__");
            let before: BTreeSet<String> = tap.borders().into_iter().filter(own).collect();
            // That of the shell itself, and two of each turn.
            check(before.len() >= 2 + 2 * (2 * number + 1), || {
                format!("borders: {before:?}")
            })?;
            let text: String = before.iter().map(|border| format!("{border}\n")).collect();
            let turn = format!("printf %s '{text}'; printf %s '{text}' >&2; (exit 4)");
            let result = bench.wait(session.send_and_wait(turn))?;
            same("stdout", result.stdout_text().into_owned(), text.clone())?;
            same("stderr", result.stderr_text().into_owned(), text)?;
            same("exit code", result.exit_code, 4)?;
            let fresh = tap
                .borders()
                .into_iter()
                .filter(own)
                .filter(|border| !before.contains(border));
            same("borders of its own", fresh.collect::<BTreeSet<_>>().len(), 2)?;
        }
        bench.wait(sandbox.shutdown())?;
    }
    Ok(())
}
