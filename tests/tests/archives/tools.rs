//! The tools that read and write archives here, all of them from Debian's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use pocket_dock_tests::lab;

use super::tree::Level;

/// How a tool writes an archive of the directory it is in, to its standard output.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) name: &'static str,
    command: &'static [&'static str],
    pub(super) level: Level,
    /// The smallest step of its times, in nanoseconds.
    pub(super) step: u32,
}

const SECOND: u32 = 1_000_000_000;

const PYTHON_WRITES: &str = "
import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=getattr(tarfile, sys.argv[1] + '_FORMAT')) as tar:
    tar.add('.')
";
const PYTHON_READS: &str = "
import sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    # Before 3.12 it trusts by itself, and some of them do not know the word.
    tar.extractall('.', numeric_owner=True, **({'filter': 'fully_trusted'} if hasattr(tarfile, 'fully_trusted_filter') else {}))
";

const fn writer(name: &'static str, command: &'static [&'static str], level: Level, step: u32) -> Writer {
    Writer {
        name,
        command,
        level,
        step,
    }
}

pub(super) const WRITERS: [Writer; 22] = [
    writer("gnu-v7", &["tar", "--format=v7", "-cf-", "."], Level::V7, SECOND),
    writer(
        "gnu-oldgnu",
        &["tar", "--format=oldgnu", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    writer("gnu-gnu", &["tar", "--format=gnu", "-cf-", "."], Level::All, SECOND),
    writer(
        "gnu-ustar",
        &["tar", "--format=ustar", "-cf-", "."],
        Level::Ustar,
        SECOND,
    ),
    writer("gnu-posix", &["tar", "--format=posix", "-cf-", "."], Level::All, 1),
    writer(
        "gnu-label",
        &["tar", "--format=gnu", "-V", "label", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    writer(
        "gnu-posix-label",
        &["tar", "--format=posix", "-V", "label", "-cf-", "."],
        Level::All,
        1,
    ),
    writer(
        "gnu-incremental",
        &["tar", "--format=gnu", "--incremental", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    writer(
        "gnu-sparse",
        &["tar", "--format=gnu", "-S", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    writer(
        "gnu-oldgnu-sparse",
        &["tar", "--format=oldgnu", "-S", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    writer(
        "gnu-sparse-0.0",
        &["tar", "--format=posix", "-S", "--sparse-version=0.0", "-cf-", "."],
        Level::All,
        1,
    ),
    writer(
        "gnu-sparse-0.1",
        &["tar", "--format=posix", "-S", "--sparse-version=0.1", "-cf-", "."],
        Level::All,
        1,
    ),
    writer(
        "gnu-sparse-1.0",
        &["tar", "--format=posix", "-S", "--sparse-version=1.0", "-cf-", "."],
        Level::All,
        1,
    ),
    writer("busybox", &["busybox", "tar", "-cf", "-", "."], Level::V7, SECOND),
    writer(
        "bsdtar-ustar",
        &["bsdtar", "--format=ustar", "-cf-", "."],
        Level::Ustar,
        SECOND,
    ),
    writer("bsdtar-pax", &["bsdtar", "--format=pax", "-cf-", "."], Level::All, 1),
    writer(
        "bsdtar-v7",
        &["bsdtar", "--format=v7tar", "-cf-", "."],
        Level::V7,
        SECOND,
    ),
    writer(
        "bsdtar-gnu",
        &["bsdtar", "--format=gnutar", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    // Pax records only where a header of POSIX's own does not do.
    writer(
        "bsdtar-restricted-pax",
        &["bsdtar", "--format=paxr", "-cf-", "."],
        Level::All,
        SECOND,
    ),
    writer(
        "python-ustar",
        &["python3", "-c", PYTHON_WRITES, "USTAR"],
        Level::Ustar,
        SECOND,
    ),
    writer(
        "python-gnu",
        &["python3", "-c", PYTHON_WRITES, "GNU"],
        Level::All,
        SECOND,
    ),
    // Its times are floating point numbers.
    writer("python-pax", &["python3", "-c", PYTHON_WRITES, "PAX"], Level::All, 1000),
];

/// How a tool extracts an archive into the directory it is in; its file is the last argument.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) name: &'static str,
    command: &'static [&'static str],
    pub(super) step: u32,
}

pub(super) const READERS: [Reader; 4] = [
    Reader {
        name: "gnu",
        command: &["tar", "--numeric-owner", "-xpf"],
        step: 1,
    },
    Reader {
        name: "busybox",
        command: &["busybox", "tar", "-xpf"],
        step: SECOND,
    },
    Reader {
        name: "bsdtar",
        command: &["bsdtar", "--numeric-owner", "-xpf"],
        step: 1,
    },
    Reader {
        name: "python",
        command: &["python3", "-c", PYTHON_READS],
        step: 1000,
    },
];

impl Writer {
    /// What it writes of a directory.
    pub(super) fn archive(&self, directory: &Path) -> Vec<u8> {
        run(self.command, &[], directory)
    }
}

impl Reader {
    /// Extracts an archive.
    pub(super) fn extract(&self, archive: &Path, into: &Path) {
        run(self.command, &[archive], into);
    }
}

fn run(command: &[&str], more: &[&Path], directory: &Path) -> Vec<u8> {
    let (tool, arguments) = command.split_first().unwrap();
    let package = match *tool {
        "bsdtar" => "libarchive-tools",
        other => other,
    };
    lab::ensure_tool(tool, package).unwrap();
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .args(more)
        .current_dir(directory)
        .stdin(Stdio::null());
    // Names are bytes, also to those who take them for text.
    let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {}\n{errors}",
        output.status
    );
    output.stdout
}
