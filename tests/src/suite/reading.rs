//! What the cases about streams share.

use std::time::Duration;

use pocket_dock_core::{Channel, Container, Error, ExecStream};

use super::{Adapter, Bench, Failure, Verdict, check};

pub(super) type Stream<A> = ExecStream<<A as Adapter>::Runtime>;
pub(super) type Sandbox<A> = Container<<A as Adapter>::Runtime>;

/// How long something that must come may take, on a machine with much to do.
const LIMIT: Duration = Duration::from_secs(30);

/// Asks again and again until it is so.
pub(super) fn until<A: Adapter>(
    bench: &Bench<A>,
    what: &str,
    mut holds: impl FnMut() -> Result<bool, Failure>,
) -> Verdict {
    let limit = bench.adapter.now() + LIMIT;
    let mut pause = Duration::from_millis(50);
    while !holds()? {
        check(bench.adapter.now() < limit, || format!("not within {LIMIT:?}: {what}"))?;
        bench.adapter.pause(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(500));
    }
    Ok(())
}

/// All that is left of both streams, and the error that stands in place of the end, if one does.
pub(super) fn drain<A: Adapter>(bench: &Bench<A>, stream: &mut Stream<A>) -> (Vec<u8>, Vec<u8>, Option<Error>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match bench.wait(stream.next()) {
            Ok(Some(piece)) => match piece.channel {
                Channel::Stdout => out.extend_from_slice(&piece.data),
                Channel::Stderr => err.extend_from_slice(&piece.data),
            },
            Ok(None) => return (out, err, None),
            Err(error) => return (out, err, Some(error)),
        }
    }
}

/// All that is left of both streams, which end as they should.
pub(super) fn rest<A: Adapter>(bench: &Bench<A>, stream: &mut Stream<A>) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    match drain(bench, stream) {
        (out, err, None) => Ok((out, err)),
        (.., Some(error)) => Err(error.into()),
    }
}

/// The same as text.
pub(super) fn text<A: Adapter>(bench: &Bench<A>, stream: &mut Stream<A>) -> Result<(String, String), Failure> {
    let (out, err) = rest(bench, stream)?;
    Ok((String::from_utf8(out)?, String::from_utf8(err)?))
}

/// Reads until this has come on standard output; gives all that came there.
pub(super) fn read_until<A: Adapter>(
    bench: &Bench<A>,
    stream: &mut Stream<A>,
    wanted: &str,
) -> Result<String, Failure> {
    let mut out = Vec::new();
    while let Some(piece) = bench.wait(stream.next())? {
        out.extend_from_slice(&piece.data);
        let text = String::from_utf8_lossy(&out);
        if text.contains(wanted) {
            return Ok(text.into_owned());
        }
    }
    Err(format!("{wanted:?} never came, but {:?}", String::from_utf8_lossy(&out)).into())
}

/// What a file in the container says; nothing if it is not there.
pub(super) fn said<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>, file: &str) -> Result<String, Failure> {
    let result = bench.wait(sandbox.run(format!("cat {file} 2>/dev/null; true")))?;
    Ok(result.stdout_text().trim().to_owned())
}

/// A shell command that prints 64 KiB of zeros again and again, so many times in all, and counts them in `/tmp/count`.
pub(super) fn flood(times: usize) -> String {
    format!(
        "n=0; while [ $n -lt {times} ]; do head -c 65536 /dev/zero; n=$((n+1)); echo $n >/tmp/new; \
         mv /tmp/new /tmp/count; done"
    )
}

/// Waits until a [`flood`] goes on no more, since nobody reads it: at least 1 MiB waits then. Gives how far it came.
pub(super) fn until_held<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>) -> Result<usize, Failure> {
    let (mut last, mut seen) = (0, 0);
    until(bench, "the flood is held up", || {
        let count = said(bench, sandbox, "/tmp/count")?.parse().unwrap_or(0);
        seen = if count == last && count >= 16 { seen + 1 } else { 0 };
        last = count;
        bench.adapter.pause(Duration::from_millis(100));
        Ok(seen >= 3)
    })?;
    Ok(last)
}

/// The processes of a container that have this in their command line.
pub(super) fn running<A: Adapter>(bench: &Bench<A>, sandbox: &Sandbox<A>, word: &str) -> Result<Vec<String>, Failure> {
    let mut all = bench.peer.processes(sandbox.id())?;
    all.retain(|line| line.contains(word));
    Ok(all)
}
