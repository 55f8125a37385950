//! Output while it runs: what comes, in which order, and what is said at the end.

use pocket_dock_core::Channel;

use super::{Adapter, Bench, Verdict, same};

pub(super) fn chunks_come_in_order<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let sandbox = bench.sandbox()?;
    let mut stream = bench.wait(sandbox.stream("echo out; sleep 0.2; echo err >&2; exit 3"))?;
    let mut pieces = Vec::new();
    while let Some(piece) = bench.wait(stream.next())? {
        pieces.push((piece.channel, piece.data.to_vec()));
    }
    let wanted = vec![
        (Channel::Stdout, b"out\n".to_vec()),
        (Channel::Stderr, b"err\n".to_vec()),
    ];
    same("pieces", pieces, wanted)?;
    same("exit code", bench.wait(stream.result())?.exit_code, 3)?;
    Ok(bench.wait(sandbox.shutdown())?)
}
