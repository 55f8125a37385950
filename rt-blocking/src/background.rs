//! Ends what nobody waits for, and calls what may block, on threads of its own.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use pocket_dock_core::{Link, Op};

use crate::driver::Driver;
use crate::pool::{Job, Pool};

static CLEANUP: Pool = Pool::new("pocket-dock", "cleaning up", 8);
/// Apart from the other: whoever blocks here holds up nothing that is to be cleaned up.
static CALLS: Pool = Pool::new("pocket-dock-call", "callbacks", 64);
/// Apart from both: each of these waits for an engine, and for a disk.
static FILES: Pool = Pool::new("pocket-dock-file", "local files", 256);

/// Drives an operation to its end without anyone waiting for it, and returns at once. For executors: a future that was
/// dropped and whose operation says that something is [left to be undone](Op::abandon), and a container that was
/// dropped.
///
/// `link`, `socket` and `aside` are the connections of the operation, as far as they exist; a socket may be in blocking
/// mode. At most 8 threads work on all such operations; they end when there is nothing to do. The end of the program
/// does not wait for them, unless it is told to by [`wait_for_cleanup`]: a container that was not removed by then
/// removes itself, since its leash breaks.
///
/// An operation that fails is reported as a warning by `tracing`.
pub fn finish_in_background<O: Op>(op: O, link: Link, socket: Option<UnixStream>, aside: Option<UnixStream>) {
    CLEANUP.submit(Box::new(move || {
        for socket in [&socket, &aside].into_iter().flatten() {
            if let Err(error) = socket.set_nonblocking(true) {
                tracing::warn!(%error, "cleaning up failed");
                return;
            }
        }
        if let Err(error) = Driver::new(link, socket, aside).drive(op) {
            tracing::warn!(%error, "cleaning up failed");
        }
    }));
}

/// Blocks until nothing is left of what futures, streams, processes, containers and engines that were dropped have to
/// clean up in the background, or until the limit has passed. Returns whether nothing is left.
///
/// For the end of a program that uses an async runtime, after that runtime: without it the program may end before the
/// background is done. Then containers remove themselves a little later, so it is needed only where they must be gone
/// *before* the program is. Must not be called on a thread that runs an executor. Where calls block, a drop cleans up by
/// itself, and this has nothing to wait for.
///
/// It does not wait for operations that are [attended](crate::adapter::attend) as such: a process that somebody still
/// holds, or that was told to go on, may run for hours. When a handle is dropped, what is left to be done then has an
/// operation of its own among those that this waits for. Nor does it wait for callbacks.
pub fn wait_for_cleanup(limit: Duration) -> bool {
    CLEANUP.wait(limit)
}

/// Has a job done that may block for as long as it likes, such as a user's callback, and returns at once.
///
/// At most 64 threads do such jobs; further ones wait for one of these. They hold up neither what is
/// [attended](crate::adapter::attend) nor what is cleaned up. A thread that has had nothing to do for 5 seconds ends. A
/// job that panics is reported as an error by `tracing`.
pub fn offload(job: Job) {
    CALLS.submit(job);
}

/// Has a job done that reads or writes local files, and returns at once.
///
/// At most 256 threads do such jobs; further ones wait for one of these. If no thread can be started and none is there, the
/// job is dropped. A thread that has had nothing to do for 5 seconds ends.
pub fn transfer(job: Job) {
    FILES.submit_or_drop(job);
}
