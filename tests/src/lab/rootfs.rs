//! The root file systems of the test images, as tar archives that are made once.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;

use tar::{Archive, Builder, EntryType, Header};

use super::apt::{self, Mirror};
use super::error::{Error, Result};
use super::place;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                      worker:x:1000:1000:worker:/home/worker:/bin/sh\n\
                      nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\nworker:x:1000:\nnogroup:x:65534:\n";

/// The names under which the image without a shell has its one program, which obeys only the name it is called by.
const SHELL_FREE: [&str; 12] = [
    "cat", "sleep", "true", "false", "echo", "env", "printenv", "head", "id", "pwd", "yes", "wc",
];

/// Makes the two archives with nothing but busybox in them, unless they are there.
pub(super) fn ensure_small() -> Result<()> {
    let (busybox, noshell) = (place::image("busybox"), place::image("noshell"));
    if busybox.is_file() && noshell.is_file() {
        return Ok(());
    }
    place::say("making the images busybox and noshell");
    let scratch = place::home().join("images/scratch");
    place::remove_dir(&scratch)?;
    place::make_dir(&scratch)?;
    apt::download("busybox-static", &scratch)?;
    let mut unpack = Command::new("sh");
    unpack
        .args(["-euc", "dpkg-deb -x busybox-static_*.deb ."])
        .current_dir(&scratch);
    apt::run(&mut unpack, "busybox")?;
    let program = ["bin/busybox", "usr/bin/busybox"]
        .map(|path| scratch.join(path))
        .into_iter()
        .find(|p| p.is_file());
    let program = program.ok_or_else(|| Error::new("the package busybox-static has no busybox in it", ""))?;
    let code = fs::read(&program).map_err(|cause| Error::file("read", &program, &cause))?;
    let list = Command::new(&program).arg("--list").output();
    let list = list.map_err(|cause| Error::file("run", &program, &cause))?.stdout;
    let list = String::from_utf8_lossy(&list);
    place::make_whole(&busybox, |path| write(path, |tar| with_busybox(tar, &code, &list)))?;
    place::make_whole(&noshell, |path| write(path, |tar| without_shell(tar, &code)))?;
    place::remove_dir(&scratch)
}

/// Makes the two archives with a small Debian with Python in them, unless they are there.
pub(super) fn ensure_debian() -> Result<()> {
    let (python, bash) = (place::image("python"), place::image("bash"));
    if python.is_file() && bash.is_file() {
        return Ok(());
    }
    let mirror = Mirror::find()?;
    place::say("making the images python and bash (about half a minute)");
    let whole = place::home().join("images/debian.tar");
    place::make_whole(&whole, |path| {
        let mut command = Command::new("mmdebstrap");
        command.args([
            "--mode=root",
            "--variant=essential",
            "--format=tar",
            "--include=python3-minimal,bash,procps",
        ]);
        command
            .args(apt::settings())
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        for useless in ["doc", "man", "info", "locale"] {
            command.arg(format!("--dpkgopt=path-exclude=/usr/share/{useless}/*"));
        }
        for (line, file) in [
            ("worker:x:1000:1000:worker:/home/worker:/bin/sh", "passwd"),
            ("worker:x:1000:", "group"),
        ] {
            command.arg(format!("--customize-hook=echo {line} >> \"$1/etc/{file}\""));
        }
        command.arg("--customize-hook=install -d -o 1000 -g 1000 \"$1/home/worker\"");
        apt::run(
            command.arg("bookworm").arg(path).arg(mirror.argument("bookworm")),
            "python",
        )
    })?;
    for (target, shell) in [(&python, "dash"), (&bash, "bash")] {
        place::make_whole(target, |path| {
            let from = File::open(&whole).map_err(|cause| Error::file("read", &whole, &cause))?;
            write(path, |tar| debian(BufReader::new(from), tar, shell))
        })?;
    }
    fs::remove_file(&whole).map_err(|cause| Error::file("remove", &whole, &cause))
}

fn write(path: &Path, fill: impl FnOnce(&mut Builder<BufWriter<File>>) -> io::Result<()>) -> Result<()> {
    let make = || {
        let mut tar = Builder::new(BufWriter::new(File::create(path)?));
        fill(&mut tar)?;
        tar.into_inner()?.flush()
    };
    make().map_err(|cause: io::Error| Error::file("write", path, &cause))
}

fn header(kind: EntryType, mode: u32, owner: u64, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(1_700_000_000);
    header.set_size(size as u64);
    header
}

fn base<W: Write>(tar: &mut Builder<W>) -> io::Result<()> {
    for (path, mode, owner) in [
        ("bin", 0o755, 0),
        ("dev", 0o755, 0),
        ("etc", 0o755, 0),
        ("home", 0o755, 0),
        ("home/worker", 0o755, 1000),
        ("proc", 0o555, 0),
        ("root", 0o700, 0),
        ("sys", 0o555, 0),
        ("tmp", 0o1777, 0),
    ] {
        tar.append_data(&mut header(EntryType::Directory, mode, owner, 0), path, io::empty())?;
    }
    for (path, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP)] {
        tar.append_data(
            &mut header(EntryType::Regular, 0o644, 0, text.len()),
            path,
            text.as_bytes(),
        )?;
    }
    Ok(())
}

fn with_busybox<W: Write>(tar: &mut Builder<W>, code: &[u8], applets: &str) -> io::Result<()> {
    base(tar)?;
    tar.append_data(
        &mut header(EntryType::Regular, 0o755, 0, code.len()),
        "bin/busybox",
        code,
    )?;
    for applet in applets
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "busybox")
    {
        tar.append_link(
            &mut header(EntryType::Symlink, 0o777, 0, 0),
            format!("bin/{applet}"),
            "busybox",
        )?;
    }
    Ok(())
}

fn without_shell<W: Write>(tar: &mut Builder<W>, code: &[u8]) -> io::Result<()> {
    base(tar)?;
    let [first, others @ ..] = SHELL_FREE;
    let first = format!("bin/{first}");
    tar.append_data(&mut header(EntryType::Regular, 0o755, 0, code.len()), &first, code)?;
    for name in others {
        tar.append_link(&mut header(EntryType::Link, 0o755, 0, 0), format!("bin/{name}"), &first)?;
    }
    Ok(())
}

/// Copies the archive of a Debian without its devices, and with `sh` being the given shell.
fn debian<W: Write>(from: impl io::Read, tar: &mut Builder<W>, shell: &str) -> io::Result<()> {
    let mut links = 0;
    // Raw: whatever extensions entries have are copied as they are.
    for entry in Archive::new(from).entries()?.raw(true) {
        let mut entry = entry?;
        let path = entry.path_bytes().into_owned();
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        if path.starts_with(b"dev/") && path != b"dev/" {
            continue;
        }
        let mut header = entry.header().clone();
        if path == b"usr/bin/sh" || path == b"bin/sh" {
            header.set_link_name(shell)?;
            header.set_cksum();
            links += 1;
        }
        tar.append(&header, &mut entry)?;
    }
    if links == 1 {
        Ok(())
    } else {
        Err(io::Error::other("the archive has no link named sh"))
    }
}

#[cfg(test)]
mod tests {
    use super::{debian, header, with_busybox, without_shell};
    use std::io::{self, Read as _};
    use tar::{Archive, Builder, EntryType};

    type Entry = (String, u8, Option<String>, String);

    fn made(fill: impl FnOnce(&mut Builder<Vec<u8>>) -> io::Result<()>) -> io::Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        fill(&mut tar)?;
        tar.into_inner()
    }

    fn listed(tar: &[u8]) -> Vec<Entry> {
        let one = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (path, entry.header().entry_type().as_byte(), link, text)
        };
        Archive::new(tar).entries().unwrap().map(one).collect()
    }

    #[test]
    fn busybox_does_not_link_to_itself() {
        let list = listed(&made(|tar| with_busybox(tar, b"code", "[\nbusybox\nsh\n")).unwrap());
        let entry = |path: &str, kind, link: Option<&str>, text: &str| {
            (path.to_owned(), kind, link.map(str::to_owned), text.to_owned())
        };
        assert!(list.contains(&entry("bin/busybox", b'0', None, "code")));
        assert!(list.contains(&entry("bin/sh", b'2', Some("busybox"), "")));
        assert_eq!(list.iter().filter(|(path, ..)| path == "bin/busybox").count(), 1);
    }

    #[test]
    fn no_shell_is_left_in_the_image_without_one() {
        let list = listed(&made(|tar| without_shell(tar, b"code")).unwrap());
        assert!(
            list.iter()
                .any(|(path, kind, link, _)| path == "bin/sleep" && *kind == b'1' && link.is_some())
        );
        assert!(!list.iter().any(|(path, ..)| path == "bin/sh" || path == "bin/busybox"));
    }

    #[test]
    fn debian_changes_its_shell_and_nothing_else() {
        let long = format!("./usr/{}", "x".repeat(150));
        let original = |with_shell: bool| {
            made(|tar| {
                tar.append_data(&mut header(EntryType::Directory, 0o755, 0, 0), "./dev/", io::empty())?;
                tar.append_data(&mut header(EntryType::Regular, 0o644, 0, 1), "./dev/null", &b"x"[..])?;
                if with_shell {
                    let mut link = header(EntryType::Symlink, 0o777, 0, 0);
                    link.set_link_name("dash")?;
                    link.as_mut_bytes()[..12].copy_from_slice(b"./usr/bin/sh");
                    link.set_cksum();
                    tar.append(&link, io::empty())?;
                }
                tar.append_data(&mut header(EntryType::Regular, 0o644, 0, 4), &long, &b"long"[..])
            })
            .unwrap()
        };
        let list = listed(&made(|tar| debian(&original(true)[..], tar, "bash")).unwrap());
        assert!(!list.iter().any(|(path, ..)| path.ends_with("dev/null")));
        assert!(
            list.iter()
                .any(|(path, _, link, _)| path.ends_with("bin/sh") && link.as_deref() == Some("bash"))
        );
        assert!(
            list.iter()
                .any(|(path, _, _, text)| path.ends_with("xxx") && text == "long")
        );
        assert!(made(|tar| debian(&original(false)[..], tar, "bash")).is_err());
    }
}
