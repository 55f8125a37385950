//! The files of a container.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::super::file::{FileReader, FileWriter, beside};
use super::Container;
use crate::command::Command;
use crate::files::{FileEntry, FilePath, FileStat, Packing, Unpacking, escaped, read_list, read_stat};
use crate::op::files::{About, Ending, Errand, FileCall, Looked, Packed, Pull, Push, Question, Unpacked, command};
use crate::op::live::{Callbacks, Live, Queue, Sink, Start};
use crate::runtime::Runtime;

/// More than any list has that is honest: some million names.
const LIST_BYTES: u64 = 256 * 1024 * 1024;

impl<R: Runtime> Container<R> {
    /// Reads a file whole. Links are followed, and so is what the container has mounted.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let name = sandbox.read_file("/etc/hostname")?;
    /// println!("{}", String::from_utf8_lossy(&name));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`]: of the kind [`TooLarge`](crate::FileErrorKind::TooLarge) for a file of more than
    /// [`FilePath::limit`] bytes; [`crate::ExecError::NoTool`] if the image lacks what it needs, `sh` and `cat`;
    /// [`crate::ContainerError`] if the container is not running, paused or gone.
    pub fn read_file(&self, path: impl Into<FilePath>) -> R::Returns<FileCall<Bytes>> {
        let path = path.into();
        let call = self.file_call(&path, "read", &[], None, Some);
        self.drive_file(call.limit(path.limit))
    }

    /// Writes a file whole. What is missing of the directories above it is made. A file that is there keeps its mode, its
    /// owner and its other names; links are followed.
    ///
    /// It is written beside its place first, under a name that begins with `.pocket-dock-`, and renamed once all of it came:
    /// what was there before is lost neither by a call that is dropped nor by a program that ends. A call that is dropped, or
    /// whose time is over, may leave that file. Three kinds of files are written in place, and may then be cut: devices, files
    /// with several names or of another user, and those beside which the user may not write.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error, FilePath};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.write_file("/tmp/in/data.bin", vec![0, 1, 2])?;
    /// sandbox.write_file(FilePath::new("/tmp/run").mode(0o755), "#!/bin/sh\necho hello\n")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`], and the others of [`read_file`](Self::read_file).
    pub fn write_file(&self, path: impl Into<FilePath>, data: impl Into<Bytes>) -> R::Returns<FileCall<()>> {
        let (path, data) = (path.into(), data.into());
        let (size, temporary) = (data.len().to_string(), self.random());
        let more = [&mode(&path), size.as_str(), &temporary, ""];
        self.drive_file(self.file_call(&path, "write", &more, Some(data), nothing))
    }

    /// Reads a file piece by piece, however large it is. Waits until the reading has begun.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let mut bytes = 0;
    /// for piece in sandbox.read_file_stream("/var/log/big")? {
    ///     bytes += piece?.len();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`stream`](Self::stream). That the file is not there is told by [`FileReader::next`].
    pub fn read_file_stream(&self, path: impl Into<FilePath>) -> R::Returns<Start<FileReader<R>>> {
        let path = path.into();
        let about = self.about(&path);
        let sink = Sink::Queue(Queue::new(None));
        self.begin_file(&path, command("read", &path, &[]), sink, |runtime, live| {
            FileReader::new(runtime, live, about)
        })
    }

    /// Writes a file piece by piece, however large it gets. Waits until the writing has begun.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let file = sandbox.write_file_stream("/tmp/numbers")?;
    /// for number in 0..1000 {
    ///     file.write(format!("{number}\n"))?;
    /// }
    /// file.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`stream`](Self::stream). That it cannot be written is told by [`FileWriter::finish`].
    pub fn write_file_stream(&self, path: impl Into<FilePath>) -> R::Returns<Start<FileWriter<R>>> {
        let path = path.into();
        let about = self.about(&path);
        let temporary = self.random();
        let spool = command("write", &path, &[&mode(&path), "", &temporary, "spool"]).keep_stdin_open();
        let sink = Sink::gather(Some(4096));
        let end = {
            let (target, place) = (self.engine.target().clone(), self.place());
            let (path, beside) = (path.clone(), beside(&path, &temporary));
            let ids = self.ids();
            move |size: Option<u64>| {
                let call = |path, [id, mark]: [&String; 2], what, more: &[&str]| {
                    let question = Question {
                        target: &target,
                        place: place.clone(),
                        path,
                        id: id.clone(),
                        mark: mark.clone(),
                    };
                    FileCall::new(question, what, more, None, nothing)
                };
                let [id, mark, other_id, other_mark] = &ids;
                Ending {
                    commit: size.map(|size| {
                        let more = [&mode(&path), &size.to_string(), &temporary, "commit"];
                        call(&path, [id, mark], "write", &more)
                    }),
                    remove: call(&beside, [other_id, other_mark], "remove", &["-f"]),
                }
            }
        };
        self.begin_file(&path, spool, sink, |runtime, live| {
            FileWriter::new(runtime, live, about, Box::new(end))
        })
    }

    fn begin_file<T: Send + Unpin + 'static>(
        &self,
        path: &FilePath,
        command: Command,
        sink: Sink,
        handle: impl FnOnce(R, &Arc<Live>) -> T,
    ) -> R::Returns<Start<T>> {
        let runtime = self.engine.runtime();
        let nobody = {
            let runtime = runtime.clone();
            Arc::new(Callbacks::new(move |job| runtime.offload(job)))
        };
        let start = self.start_telling(nobody, command, sink, handle);
        runtime.drive(start.refusing(path.check()))
    }

    fn about(&self, path: &FilePath) -> About {
        About {
            container: self.name.clone(),
            path: path.path.clone(),
        }
    }

    /// Lists a directory, in the order of the names' bytes, without `.` and `..`.
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// for entry in sandbox.list_files("/etc")? {
    ///     println!("{:?}: {:?}, {} bytes", entry.name, entry.stat.kind, entry.stat.size);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`], and the others of [`read_file`](Self::read_file).
    pub fn list_files(&self, path: impl Into<FilePath>) -> R::Returns<FileCall<Vec<FileEntry>>> {
        let call = self.file_call(&path.into(), "list", &[], None, |said| read_list(&said));
        self.drive_file(call.limit(LIST_BYTES))
    }

    /// Asks what a file is, how large, whose, and when it was changed. Links are followed unless
    /// [told otherwise](FilePath::no_follow).
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let stat = sandbox.stat("/bin/sh")?;
    /// println!("{} bytes, mode {:o}", stat.size, stat.mode);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`], and the others of [`read_file`](Self::read_file).
    pub fn stat(&self, path: impl Into<FilePath>) -> R::Returns<FileCall<FileStat>> {
        let path = path.into();
        let follow = if path.follows { "-L" } else { "" };
        self.drive_file(self.file_call(&path, "stat", &[follow], None, |said| read_stat(&said)))
    }

    /// Whether there is such a file. A link that leads nowhere is none, unless it is
    /// [asked about itself](FilePath::no_follow).
    ///
    /// A future of it that is dropped before its end leaves nothing.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// assert!(sandbox.exists("/bin/sh")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`] where it cannot be known, as the user may not look, and the others of
    /// [`read_file`](Self::read_file).
    pub fn exists(&self, path: impl Into<FilePath>) -> R::Returns<FileCall<bool>> {
        let path = path.into();
        let follow = if path.follows { "-L" } else { "" };
        let call = self.file_call(&path, "exists", &[follow], None, |said| match &said[..] {
            b"yes\n" => Some(true),
            b"no\n" => Some(false),
            _ => None,
        });
        self.drive_file(call)
    }

    /// Makes a directory, and what is missing above it. One that is there already is none the worse.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.make_dir("/tmp/work/in")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`], and the others of [`read_file`](Self::read_file).
    pub fn make_dir(&self, path: impl Into<FilePath>) -> R::Returns<FileCall<()>> {
        let path = path.into();
        self.drive_file(self.file_call(&path, "dir", &[&mode(&path)], None, nothing))
    }

    /// Removes a file, a link, or a directory: that only if it is empty, unless [told otherwise](FilePath::recursive).
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error, FilePath};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.remove(FilePath::new("/tmp/work").recursive())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`], also if there is no such file, and the others of [`read_file`](Self::read_file).
    pub fn remove(&self, path: impl Into<FilePath>) -> R::Returns<FileCall<()>> {
        let path = path.into();
        let all = if path.recursive { "-r" } else { "" };
        self.drive_file(self.file_call(&path, "remove", &[all], None, nothing))
    }

    /// Gives a file or a directory another name, in the place of a file of that name if there is one. The new path is used
    /// as the user of the old one would.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.rename("/tmp/out.part", "/tmp/out")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::File`]: of the kind [`Exists`](crate::FileErrorKind::Exists) if the new name is that of a directory;
    /// and the others of [`read_file`](Self::read_file).
    pub fn rename(&self, from: impl Into<FilePath>, to: impl Into<FilePath>) -> R::Returns<FileCall<()>> {
        let (from, to) = (from.into(), to.into());
        let call = self.file_call(&from, "rename", &[&escaped(&to.path)], None, nothing);
        self.drive_file(call.refusing(to.check()).onto(to.path))
    }

    /// Sends a local file or tree into the container: modes, the execute bit among them, times and links are kept, and
    /// everything belongs to the container's user, or [another one](FilePath::user), unless
    /// [told otherwise](Packing::owner). What is missing of the destination's directories is made. The user must be allowed
    /// to write to the destination; below that, the engine writes, which may everything. Where something is mounted, a `tar`
    /// in the container does it as the user.
    ///
    /// As with `rsync`, and with [`pull`](Self::pull) in the other direction:
    ///
    /// | `from` | `to` | what there is then |
    /// |--------|------|-----------------|
    /// | `src`, a directory | `/work` | `/work/src` and all that is in it |
    /// | `src/`, a directory | `/work` | in `/work`, what is in `src` |
    /// | `a.txt`, a file | `/work`, a directory, or `/work/` | `/work/a.txt` |
    /// | `a.txt`, a file | `/work/b.txt` | `/work/b.txt` |
    ///
    /// A link at `from` is followed; links in the tree are sent as they are. Sockets, pipes and devices are left out. A file
    /// takes the place of one that is there, but not of a directory, nor the other way round.
    ///
    /// Holes are not sent, but engines write them out as zeros. Memory does not grow with what is sent. A future of it that is
    /// dropped before its end breaks off: what is in the container by then stays, the last file possibly cut.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let sent = sandbox.push("src", "/work")?;
    /// println!("{} files, {} bytes", sent.files, sent.bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Local`] for what is wrong on this machine, also of the kind
    /// [`Changed`](crate::LocalError::Changed); [`crate::Error::File`] for what is wrong in the container;
    /// [`crate::ExecError::NoTool`] if the image lacks a shell, or, where the destination is a tmpfs or a volume, `tar`.
    pub fn push(&self, from: impl Into<PathBuf>, to: impl Into<FilePath>) -> R::Returns<Push> {
        self.push_with(from, to, Packing::default())
    }

    /// As [`push`](Self::push), with options.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # use pocket_dock_blocking::files::Packing;
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let packing = Packing::new().owner(1000, 1000).filter(|path, _| !path.starts_with("target"));
    /// sandbox.push_with("project/", "/work", packing)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn push_with(&self, from: impl Into<PathBuf>, to: impl Into<FilePath>, packing: Packing) -> R::Returns<Push> {
        let (source, runtime) = (from.into(), self.engine.runtime().clone());
        let pack = {
            let source = source.clone();
            move |(name, packing, out, report): Packed| {
                let host = runtime.host();
                runtime.transfer(Box::new(move || {
                    let outcome = host.pack(&source, &name, &packing, out);
                    report.send(outcome);
                }));
            }
        };
        let push = Push::new(self.errand(to.into()), source, packing, Box::new(pack));
        self.engine.runtime().drive(push)
    }

    /// Fetches a file or tree of the container: modes, times and links are kept, and everything belongs to whoever runs
    /// this program. Engines round times to whole seconds. The user must be allowed to read what is named; what is below, the
    /// engine reads, which may everything. Destinations are as with [`push`](Self::push); a link at `from` is followed.
    ///
    /// Where something is mounted, a `tar` in the container reads as the user. So it does with Podman if there is one of
    /// `*?[\` in the path, which Podman takes for a pattern, and with Docker if the path is not UTF-8, which Docker 20 does
    /// not find. While the engine reads, other calls of this container may wait.
    ///
    /// The container is not trusted: whatever it sends, nothing is written outside the destination, and nothing through a
    /// link. What would be is refused, by an error that names the entry.
    ///
    /// Memory does not grow with the bytes that are fetched, but by some 40 bytes for each file and by the path of each
    /// directory: give a limit with [`Unpacking::max_entries`]. A future of it that is dropped before its end breaks off: what
    /// was written stays, unless it is [atomic](Unpacking::atomic).
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// sandbox.pull("/work/report.html", "out/")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`push`](Self::push), and of the kind [`Refused`](crate::LocalError::Refused).
    pub fn pull(&self, from: impl Into<FilePath>, to: impl Into<PathBuf>) -> R::Returns<Pull> {
        self.pull_with(from, to, Unpacking::default())
    }

    /// As [`pull`](Self::pull), with options.
    ///
    /// ```no_run
    /// # use pocket_dock_blocking::{Container, Error};
    /// # use pocket_dock_blocking::files::Unpacking;
    /// # fn example(sandbox: &Container) -> Result<(), Error> {
    /// let whole = Unpacking::new().atomic().max_bytes(1024 * 1024 * 1024);
    /// sandbox.pull_with("/work/out", ".", whole)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`pull`](Self::pull).
    pub fn pull_with(
        &self,
        from: impl Into<FilePath>,
        to: impl Into<PathBuf>,
        unpacking: Unpacking,
    ) -> R::Returns<Pull> {
        let runtime = self.engine.runtime().clone();
        let unpack = move |(target, unpacking, limits, input, report): Unpacked| {
            let host = runtime.host();
            runtime.transfer(Box::new(move || {
                let outcome = host.unpack(&target, &unpacking, &limits, input);
                report.send(outcome);
            }));
        };
        let pull = Pull::new(self.errand(from.into()), to.into(), unpacking, Box::new(unpack));
        self.engine.runtime().drive(pull)
    }

    fn errand(&self, path: FilePath) -> Errand {
        let runtime = self.engine.runtime().clone();
        let look = move |(path, report): Looked| {
            let host = runtime.host();
            runtime.transfer(Box::new(move || report.send(host.look(&path))));
        };
        Errand::new(self.engine.target(), self.place(), path, Box::new(look), self.ids())
    }

    fn ids(&self) -> [String; 4] {
        std::array::from_fn(|_| self.random())
    }

    fn drive_file<T: Send + 'static>(&self, call: FileCall<T>) -> R::Returns<FileCall<T>> {
        self.engine.runtime().drive(call)
    }

    fn file_call<T>(
        &self,
        path: &FilePath,
        what: &str,
        more: &[&str],
        stdin: Option<Bytes>,
        read: impl FnOnce(Bytes) -> Option<T> + Send + 'static,
    ) -> FileCall<T> {
        let question = Question {
            target: self.engine.target(),
            place: self.place(),
            path,
            id: self.random(),
            mark: self.random(),
        };
        FileCall::new(question, what, more, stdin, read)
    }
}

fn mode(path: &FilePath) -> String {
    path.mode.map(|mode| format!("{mode:o}")).unwrap_or_default()
}

fn nothing(_: Bytes) -> Option<()> {
    Some(())
}
