//! What the cases about sessions share: a session on each of three shells, each on a thread of its own.

use std::time::Duration;

use pocket_dock_core::{CloseReason, Container, Error, Session, SessionOptions, Turn, TurnResult};

use super::{Adapter, Bench, Failure, Verdict, check, same};

/// A session on one shell.
pub(super) struct At<'a, A: Adapter> {
    pub(super) bench: &'a Bench<A>,
    pub(super) sandbox: &'a Container<A::Runtime>,
    /// `ash`, `bash` or `dash`.
    pub(super) shell: &'static str,
    pub(super) options: SessionOptions,
    pub(super) session: Session<A::Runtime>,
}

/// A number of seconds that no command of another shell sleeps for: what is looked for by it is this shell's.
pub(super) fn seconds(shell: &str) -> u32 {
    match shell {
        "ash" => 4100,
        "bash" => 4200,
        _ => 4300,
    }
}

/// Tries something on bash, dash and ash at once.
pub(super) fn each<A: Adapter>(bench: &Bench<A>, check: impl Fn(&mut At<'_, A>) -> Verdict + Sync) -> Verdict {
    each_with(bench, SessionOptions::new(), check)
}

/// The same, in sessions that are more than usual. The shell is left to this.
pub(super) fn each_with<A: Adapter>(
    bench: &Bench<A>,
    options: SessionOptions,
    check: impl Fn(&mut At<'_, A>) -> Verdict + Sync,
) -> Verdict {
    let (busybox, python) = (bench.sandbox()?, bench.python()?);
    let shells = [
        ("ash", &busybox, options.clone()),
        ("bash", &python, options.clone()),
        ("dash", &python, options.shell("/bin/sh")),
    ];
    let check = &check;
    std::thread::scope(|scope| -> Verdict {
        let tried = shells.map(|(shell, sandbox, options)| {
            let one = move || -> Verdict {
                let session = bench.wait(sandbox.session(options.clone()))?;
                let mut at = At {
                    bench,
                    sandbox,
                    shell,
                    options,
                    session,
                };
                at.is_the_shell()?;
                check(&mut at)
            };
            (shell, scope.spawn(one))
        });
        let mut verdict = Ok(());
        for (shell, one) in tried {
            let ended = one.join().map_err(|_| "it panicked".into()).and_then(|ended| ended);
            verdict = verdict.and(ended.map_err(|failure: Failure| format!("{shell}: {failure}").into()));
        }
        verdict
    })?;
    bench.wait(busybox.shutdown())?;
    Ok(bench.wait(python.shutdown())?)
}

impl<A: Adapter> At<'_, A> {
    /// The program that stands behind the shell is the one that it is taken for.
    fn is_the_shell(&self) -> Verdict {
        let program = match self.shell {
            "ash" => "busybox",
            other => other,
        };
        let result = self.wait("readlink /proc/$$/exe")?;
        let path = result.stdout_text().trim().to_owned();
        check(path.ends_with(program), || format!("the shell is {path}"))
    }

    pub(super) fn wait(&self, turn: impl Into<Turn>) -> Result<TurnResult, Error> {
        self.bench.wait(self.session.send_and_wait(turn))
    }

    /// Another session like this one, in the same container.
    pub(super) fn another(&self) -> Result<Session<A::Runtime>, Error> {
        self.bench.wait(self.sandbox.session(self.options.clone()))
    }

    /// Goes on in another session.
    pub(super) fn reopen(&mut self) -> Verdict {
        self.session = self.another()?;
        Ok(())
    }

    /// What a command gives, to the byte.
    pub(super) fn gives(&self, text: &str, code: i32, stdout: &str, stderr: &str) -> Verdict {
        self.outcome(Turn::new(text), code, stdout, stderr)
            .map_err(|failure| format!("{text:?}: {failure}").into())
    }

    pub(super) fn outcome(&self, turn: Turn, code: i32, stdout: &str, stderr: &str) -> Verdict {
        let result = self.wait(turn)?;
        let got = (
            result.exit_code,
            result.stdout_text().into_owned(),
            result.stderr_text().into_owned(),
        );
        same("result", got, (code, stdout.to_owned(), stderr.to_owned()))
    }

    /// The shell is as a shell is to be, and what is printed comes alone.
    pub(super) fn works(&self) -> Verdict {
        self.gives("echo a_$((1+1)); printf b >&2; (exit 7)", 7, "a_2\n", "b")
    }

    /// It takes no commands any more, and says why.
    pub(super) fn is_closed(&self, what: &str, is_it: impl Fn(&CloseReason) -> bool) -> Verdict {
        for _ in 0..2 {
            let error = self.wait("echo no").map(|result| result.exit_code);
            check(
                matches!(&error, Err(Error::SessionClosed { reason }) if is_it(reason)),
                || format!("{what}: {error:?}"),
            )?;
        }
        check(!self.session.is_alive() && self.session.closed().is_some(), || {
            format!("{what}: it is said to be alive")
        })
    }

    /// Everything that was printed while nobody waited, until it is so.
    pub(super) fn read_until(&self, holds: impl Fn(&[u8], &[u8]) -> bool) -> Verdict {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        super::reading::until(self.bench, "what was printed meanwhile has come", || {
            let read = self.session.read();
            out.extend_from_slice(read.stdout());
            err.extend_from_slice(read.stderr());
            Ok(holds(&out, &err))
        })
        .map_err(|failure| {
            let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
            format!("{failure}: {out:?} and {err:?}").into()
        })
    }

    /// Waits until nothing in the container has this in its command line; not for long.
    pub(super) fn until_gone(&self, word: &str) -> Verdict {
        let until = self.bench.adapter.now() + Duration::from_secs(10);
        loop {
            let mut left = self.bench.peer.processes(self.sandbox.id())?;
            left.retain(|line| line.contains(word));
            if left.is_empty() {
                return Ok(());
            }
            check(self.bench.adapter.now() < until, || format!("left: {left:?}"))?;
            self.bench.adapter.pause(Duration::from_millis(30));
        }
    }

    /// Waits until no command, nor its input, is in a file of the container any more: other shells have theirs there too.
    pub(super) fn nothing_stored(&self) -> Verdict {
        super::reading::until(self.bench, "nothing is stored any more", || {
            Ok(self.wait("ls -A /dev/shm /tmp | grep pocket-dock")?.exit_code == 1)
        })
    }

    /// Whether anything in the container has this in its command line.
    pub(super) fn runs(&self, word: &str) -> Result<bool, Failure> {
        let all = self.bench.peer.processes(self.sandbox.id())?;
        Ok(all.iter().any(|line| line.contains(word)))
    }
}
