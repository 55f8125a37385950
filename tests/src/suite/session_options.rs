//! What a session can be begun with, and who else hears of its output.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pocket_dock_core::{Channel, Error, ExecError, SessionOptions, ShellState, Turn};

use super::shells::{each, each_with};
use super::{Adapter, Bench, Verdict, check, same};

/// The user, the directory, the environment and the limits are those of every command.
pub(super) fn a_session_has_its_options<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let options = SessionOptions::new()
        .user("worker")
        .workdir("/tmp")
        .env("GREETING", "good 'day'")
        .output_limit(100)
        .timeout(Duration::from_millis(400));
    each_with(bench, options, |at| {
        at.gives(
            "id -u; pwd; echo \"$GREETING\"; touch /root/no 2>/dev/null || echo not root",
            0,
            "1000\n/tmp\ngood 'day'\nnot root\n",
            "",
        )?;
        let much = at.wait("echo begin; seq 1 1000; echo end")?;
        let text = much.stdout_text();
        check(
            much.truncated() && text.starts_with("begin\n") && text.ends_with("end\n"),
            || format!("limited output: {much:?}"),
        )?;
        // A command's own limits come first.
        let whole = at.wait(Turn::new("seq 1 1000").output_limit(1 << 20))?;
        same("its own limit", whole.stdout.to_bytes().len(), 3893)?;
        let late = at.wait("while :; do :; done")?;
        same("late", (late.timed_out, late.shell), (true, ShellState::Lives))?;
        at.works()
    })
}

/// The callbacks of a session hear what every command prints, those that nobody waits for too.
pub(super) fn callbacks_of_a_session<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let heard = Arc::new(Mutex::new((Vec::new(), Vec::new())));
        let container = at.sandbox.id().to_owned();
        at.session.on_output({
            let heard = Arc::clone(&heard);
            move |origin, channel, data| {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                let (out, err) = &mut *heard;
                match channel {
                    _ if origin.container != container => out.extend_from_slice(b"of another container"),
                    Channel::Stderr => err.extend_from_slice(data),
                    _ => out.extend_from_slice(data),
                }
            }
        });
        at.session.on_output(|_, _, _| panic_once());
        at.gives("echo one; printf two >&2", 0, "one\n", "two")?;
        at.session.send("echo three")?;
        super::reading::until(at.bench, "everything is heard", || {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(heard.0 == b"one\nthree\n" && heard.1 == b"two")
        })?;
        at.works()
    })
}

/// Callbacks of callers do such things.
fn panic_once() {
    std::panic::resume_unwind(Box::new("a callback panics"));
}

/// A shell that the image does not have is named, and the container is as before.
pub(super) fn a_shell_that_is_not_there<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    for shell in ["/bin/zsh", "zsh", "/etc/passwd"] {
        let begun = bench.wait(sandbox.session(SessionOptions::new().shell(shell)));
        let error = begun.map(|_| ()).err().ok_or_else(|| format!("{shell} is a shell"))?;
        let fits = matches!(
            error,
            Error::Exec(ExecError::NotFound { .. } | ExecError::NotExecutable { .. })
        );
        check(fits && error.to_string().contains(shell), || {
            format!("{shell}: {error:?}: {error}")
        })?;
    }
    let session = bench.wait(sandbox.session(SessionOptions::new()))?;
    let result = bench.wait(session.send_and_wait("echo well"))?;
    same("the best that there is", result.stdout_text().as_ref(), "well\n")?;
    Ok(bench.wait(sandbox.shutdown())?)
}
