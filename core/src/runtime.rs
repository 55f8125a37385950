//! What an adapter crate provides: a way to drive operations, and what only a host can know.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::endpoint::Endpoint;
use crate::files::{LocalError, LocalKind, Packing, PipeReader, PipeWriter, Progress, Target, Unpacking};
use crate::limits::Limits;
use crate::op::Op;

/// A way to drive operations: blocking on a thread, or as futures of an executor.
///
/// Everything that users hold, such as [`Engine`](crate::Engine) and [`Container`](crate::Container), is generic over
/// it, so an adapter consists of this trait and a few type aliases. The [`guide`](crate::guide) shows how to write one.
pub trait Runtime: Clone + Send + Sync + Unpin + fmt::Debug + 'static {
    /// What a call gives back: `Result<O::Output, Error>` itself where calls block, else a future of it.
    type Returns<O: Op>;

    /// Drives an operation to its end. Where this is a future and it is dropped before its end, the operation is
    /// [abandoned](Op::abandon) and, if it says so, finished in the background.
    fn drive<O: Op>(&self, op: O) -> Self::Returns<O>;

    /// Drives an operation whose result nobody waits for, such as the removal of a dropped container. Must not panic
    /// and must not block a thread that runs an executor.
    fn finish<O: Op>(&self, op: O);

    /// Drives an operation in the background, beside calls: one that gathers the output of a process, for as long as
    /// that runs. It lends a waker with each poll and polls again when that is woken, from whatever thread. Must neither
    /// panic nor block, and must go on while an executor is shutting down.
    ///
    /// Calls and what is [finished](Self::finish) may wait for such an operation, so it must not have to wait for them. One
    /// that cannot be driven, or that panics, is [abandoned](Op::abandon) and dropped: it tells those who wait for it.
    fn attend<O: Op>(&self, op: O);

    /// Has a job done that may block, such as a user's callback, on a thread where that harms no executor and no other
    /// operation. Must neither panic nor block.
    fn offload(&self, job: Box<dyn FnOnce() + Send>);

    /// Has a job done that reads or writes local files, and that waits for an operation meanwhile: on a thread where that
    /// harms neither executors nor operations nor what is [offloaded](Self::offload). A job that cannot be done is dropped,
    /// which those who wait for it are told. Must neither panic nor block.
    fn transfer(&self, job: Box<dyn FnOnce() + Send>) {
        self.offload(job);
    }

    /// What the host knows.
    fn host(&self) -> Arc<dyn Host>;
}

/// What the core cannot know by itself: randomness, the environment, the time of day, and which processes live.
pub trait Host: Send + Sync + fmt::Debug + 'static {
    /// 128 random bits, unpredictable to a container.
    fn entropy(&self) -> [u8; 16];

    /// The time of day.
    fn now(&self) -> SystemTime;

    /// The value of an environment variable; `None` if it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// Begins to start an engine of our own, if there is a program that can: `podman system service` on a socket of its
    /// own. `Ok(None)` if there is no such program. Must not block.
    ///
    /// # Errors
    /// Why a program that is there cannot be started.
    fn launch(&self) -> Result<Option<Box<dyn Service>>, String>;

    /// The effective user id.
    fn user_id(&self) -> u32;

    /// This process, as another process on this machine can recognise it; `None` where the system cannot tell.
    fn owner(&self) -> Option<Owner>;

    /// What a local path is, links followed. May block: called on a thread where that is allowed.
    ///
    /// # Errors
    /// Why it cannot be known, or that it is neither a file nor a directory. A host without files of its own need not
    /// have this and the two below: then they say so.
    fn look(&self, path: &Path) -> Result<LocalKind, LocalError> {
        Err(no_files(path))
    }

    /// Packs a local file or tree, under this name, into an archive. Blocks until all of it is in the pipe.
    ///
    /// # Errors
    /// Why not all of it is.
    fn pack(&self, source: &Path, name: &[u8], packing: &Packing, out: PipeWriter) -> Result<Progress, LocalError> {
        let _ = (name, packing, out);
        Err(no_files(source))
    }

    /// Writes what an archive holds to local files. Blocks until all of it is written.
    ///
    /// # Errors
    /// Why not all of it is.
    fn unpack(
        &self,
        target: &Target,
        unpacking: &Unpacking,
        limits: &Limits,
        input: PipeReader,
    ) -> Result<Progress, LocalError> {
        let _ = (unpacking, limits, input);
        Err(no_files(&target.dir))
    }

    /// Whether that process lives. `None` if it cannot be known from here: another machine, another boot of it, or
    /// another process-id namespace.
    fn lives(&self, owner: &Owner) -> Option<bool>;
}

fn no_files(path: &Path) -> LocalError {
    let (path, kind) = (path.to_owned(), ErrorKind::Unsupported);
    LocalError::Other { path, kind }
}

/// An engine that is started for us, and ends with the last thing that needs it. It is asked again and again, so that
/// nothing blocks. Dropping it ends it as well, without anyone who sees to it.
pub trait Service: Send + Sync + fmt::Debug {
    /// Where it listens; `None` as long as it does not yet. Must not block. Not called again after an answer.
    ///
    /// # Errors
    /// Why it does not work, and what it said.
    fn poll_start(&mut self) -> Result<Option<Endpoint>, String>;

    /// Whether it has ended; the first call asks it to. Must not block.
    fn poll_end(&mut self) -> bool;
}

/// A process, told apart from every other one that ever had its number on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The process id, in its own namespace.
    pub pid: u32,
    /// When it was started, in the kernel's clock ticks after boot.
    pub started: u64,
    /// Which boot of the machine.
    pub boot: String,
    /// Which process-id namespace, by its inode number.
    pub namespace: u64,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.pid, self.started, self.boot, self.namespace)
    }
}

impl std::str::FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(':');
        let (Some(pid), Some(started), Some(boot), Some(namespace), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        Ok(Self {
            pid: pid.parse().map_err(drop)?,
            started: started.parse().map_err(drop)?,
            boot: boot.to_owned(),
            namespace: namespace.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Owner;

    #[test]
    fn an_owner_is_read_back_as_written() {
        let owner = Owner {
            pid: 7,
            started: 12,
            boot: "a-b".into(),
            namespace: 4_026_531_836,
        };
        assert_eq!(owner.to_string().parse(), Ok(owner));
        for wrong in ["", "1", "1:2:3", "1:2:b:4:5", "x:2:b:4", "-1:2:b:4", "1:2:b:"] {
            assert_eq!(wrong.parse::<Owner>(), Err(()), "{wrong}");
        }
    }
}
