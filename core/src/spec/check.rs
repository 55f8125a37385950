//! What is refused before anything is sent: what no engine could do, and what an engine could take for something else.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::time::Duration;

use super::port::check_ports;
use super::security::check_capability;
use super::{ContainerSpec, LABELS, Network, Size};
use crate::error::Error;

/// The longest grace: a day.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 3600);
/// The longest lifetime: what every `sleep` takes.
const LONGEST_LIFETIME: Duration = Duration::from_secs(i32::MAX as u64);
/// A thousand processors.
const MOST_PERCENT: u32 = 100_000;

impl ContainerSpec {
    /// Refuses what no engine could do, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_image(&self.image)?;
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        self.check_command()?;
        for (name, value) in &self.env {
            check_env(name, value)?;
        }
        if let Some(path) = &self.workdir {
            check_workdir(path)?;
        }
        if let Some(user) = &self.user {
            check_text("the user", user)?;
        }
        if let Some(hostname) = &self.hostname {
            check_hostname(hostname)?;
        }
        for (name, value) in &self.labels {
            check_label(name, value)?;
        }
        self.check_limits()?;
        if let Network::Named(name) = &self.network {
            check_network(name)?;
        }
        self.check_mounts()?;
        check_ports(&self.ports)?;
        if !self.ports.is_empty() && self.network == Network::None {
            return Err(Error::misuse(
                "a container without a network has no ports: give it one with `ContainerSpec::network`, such as \
                 `Network::Default`, or leave the ports out",
            ));
        }
        for name in self.add_capabilities.iter().chain(&self.drop_capabilities) {
            check_capability(name)?;
        }
        self.ulimits.iter().try_for_each(super::security::Ulimit::check)?;
        self.seccomp.check()
    }

    fn check_command(&self) -> Result<(), Error> {
        if self.command.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::misuse(
                "the container's command is empty: give at least the program",
            ));
        }
        for (at, word) in self.command.iter().flatten().enumerate() {
            if word.contains('\0') || (at == 0 && word.is_empty()) {
                return Err(Error::misuse(format!(
                    "{word:?} cannot be in the container's command: no word has a NUL character, and the program is not \
                     empty"
                )));
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Error> {
        if let Some(memory) = &self.memory {
            let bytes = bytes("the memory limit", memory)?;
            if bytes == 0 || i64::try_from(bytes).is_err() {
                return Err(Error::misuse(
                    "a memory limit is at least one byte (6 MiB on Docker) and less than 2^63 bytes",
                ));
            }
        }
        if let Some(disk) = &self.disk
            && bytes("the disk limit", disk)? == 0
        {
            return Err(Error::misuse("a disk limit is at least one byte"));
        }
        if self.pids == Some(0) || self.pids.is_some_and(|count| i64::try_from(count).is_err()) {
            return Err(Error::misuse("a limit of processes is at least 1 and less than 2^63"));
        }
        let taken = self.main_processes();
        if let (None, Some(count)) = (&self.command, self.pids.filter(|count| *count < taken)) {
            return Err(Error::misuse(format!(
                "a limit of {count} process(es) is too small: the main process takes {taken}, and each command two or \
                 more; raise it"
            )));
        }
        self.check_lifetime()?;
        if self
            .cpu_percent
            .is_some_and(|percent| !(1..=MOST_PERCENT).contains(&percent))
        {
            return Err(Error::misuse(format!(
                "a limit of processor time is from 1 to {MOST_PERCENT} percent: 100 is one processor"
            )));
        }
        if self.grace > LONGEST_GRACE {
            return Err(Error::misuse(format!(
                "a grace of {:?} is too long: it is a day at most",
                self.grace
            )));
        }
        Ok(())
    }

    /// How many processes the main process that is ours takes.
    fn main_processes(&self) -> u64 {
        match (self.persistent, self.lifetime) {
            (false, Some(_)) => 4,
            _ => 2,
        }
    }

    fn check_lifetime(&self) -> Result<(), Error> {
        let Some(lifetime) = self.lifetime else {
            return Ok(());
        };
        if self.command.is_some() {
            return Err(Error::misuse(
                "a lifetime is kept by the main process that is there without a command: leave the command out, or end it \
                 in time by itself, as with `timeout 60 PROGRAM`",
            ));
        }
        if lifetime.is_zero() || lifetime > LONGEST_LIFETIME {
            return Err(Error::misuse(format!(
                "a lifetime of {lifetime:?} cannot be kept: it is more than nothing and 68 years at most"
            )));
        }
        Ok(())
    }

    fn check_mounts(&self) -> Result<(), Error> {
        self.volumes.iter().try_for_each(super::Volume::check)?;
        self.tmpfs.iter().try_for_each(super::Tmpfs::check)?;
        self.devices.iter().try_for_each(super::Device::check)?;
        let mounts = self.volumes.iter().map(|volume| &volume.target);
        let mut taken = BTreeSet::new();
        for target in mounts.chain(self.tmpfs.iter().map(|tmpfs| &tmpfs.target)) {
            if !taken.insert(target.trim_end_matches('/')) {
                return Err(Error::misuse(format!(
                    "two things cannot both be mounted at {target:?}: give one of them another path"
                )));
            }
        }
        Ok(())
    }
}

/// What it stands for, if it is a size.
pub(super) fn bytes(what: &str, size: &Size) -> Result<u64, Error> {
    size.bytes().map_err(|error| Error::misuse(format!("{what}: {error}")))
}

/// Names of images are of few characters. With others, one engine takes them for places where images are kept.
fn check_image(image: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '+');
    if image.chars().all(plain) && image.starts_with(|c: char| c.is_ascii_alphanumeric()) && image.len() <= 1024 {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "{image:?} cannot be the image's name: names have letters, digits, `.`, `_`, `-`, `/`, `:`, `@` and `+` only, and \
         begin with a letter or a digit"
    )))
}

/// A container's name, or its id: neither is anything but one segment of a path.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "the container name {name:?} cannot be used: names have at least two characters, letters, digits, `_`, `.` or \
         `-`, and begin with a letter or a digit"
    )))
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    first && name.len() >= 2 && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// What has a slash in it would be a path of the machine.
pub(super) fn check_volume_name(name: &str) -> Result<(), Error> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "the volume name {name:?} cannot be used: names have at least two characters, letters, digits, `_`, `.` or `-`, \
         and begin with a letter or a digit; a path of the machine is given by `Volume::bind`"
    )))
}

/// As one part of a name in the net. The kernel takes 64 characters.
fn check_hostname(name: &str) -> Result<(), Error> {
    let part = |part: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric();
        part.starts_with(ends) && part.ends_with(ends) && part.chars().all(|c| ends(c) || c == '-')
    };
    if name.len() <= 63 && name.split('.').all(part) {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "the host name {name:?} cannot be used: it has 63 letters, digits, `-` and `.` at most, and no part of it begins or \
         ends with `-`"
    )))
}

fn check_label(name: &str, value: &str) -> Result<(), Error> {
    check_text("a label's name", name)?;
    // Podman divides both at the first.
    if name.contains('=') || value.contains('\0') {
        return Err(Error::misuse(format!(
            "the label {name:?} cannot be set: names have no `=`, and neither name nor value has a NUL character"
        )));
    }
    if name.starts_with(LABELS) {
        return Err(Error::misuse(format!(
            "the label {name:?} is one of pocket-dock's own: choose another name"
        )));
    }
    Ok(())
}

/// Engines take some words, and anything with a colon, as kinds of network: `host` would give the host's own.
fn check_network(name: &str) -> Result<(), Error> {
    let instead = match name {
        "bridge" | "default" | "private" => "use `Network::Default` for the engine's default network",
        "none" => "use `Network::None`",
        "host" | "slirp4netns" | "pasta" | "ns" | "container" | "nat" => {
            "a network of the engine, made with its own tool, may be named, and nothing else"
        }
        name if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) =>
        {
            "a network's name has letters, digits, `_`, `.` and `-` only, and begins with a letter or a digit"
        }
        _ => return Ok(()),
    };
    Err(Error::misuse(format!(
        "the network {name:?} cannot be named: {instead}"
    )))
}

/// A path of the engine's machine. Podman makes a line of it, in which commas and quotes mean something.
pub(super) fn check_host_path(what: &str, path: &Path) -> Result<(), Error> {
    let instead = match path.to_str() {
        None => "it is no text of UTF-8, which is all that engines take",
        Some(text) if text.contains([',', '"', '\n', '\r', '\0']) => {
            "a comma, a quote, a line end or a NUL in it would be taken for something else"
        }
        _ if !path.is_absolute() => "it is relative: give an absolute path of the engine's machine",
        _ if path.components().any(|part| part == Component::ParentDir) => {
            "it has `..` in it: give the path that is meant"
        }
        _ if path.as_os_str().as_bytes().len() > LONGEST_PATH => "it is longer than 4095 bytes",
        _ => return Ok(()),
    };
    Err(Error::misuse(format!("{what} cannot be {path:?}: {instead}")))
}

/// The longest that Linux takes.
const LONGEST_PATH: usize = 4095;

/// A path in the container at which something is to be.
pub(super) fn check_container_path(what: &str, path: &str) -> Result<(), Error> {
    let instead = if path.contains([',', ':', '"', '\n', '\r', '\0']) {
        "a comma, a colon, a quote, a line end or a NUL in it would be taken for something else"
    } else if !path.starts_with('/') {
        "it is relative: give an absolute path"
    } else if Path::new(path).components().any(|part| part == Component::ParentDir) {
        "it has `..` in it: give the path that is meant"
    } else if path.trim_matches('/').is_empty() {
        "that is the root of the container: give a path below it"
    } else if path.len() > LONGEST_PATH {
        "it is longer than 4095 bytes"
    } else {
        return Ok(());
    };
    Err(Error::misuse(format!("{what} cannot be at {path:?}: {instead}")))
}

/// Text that a JSON field takes and that an operating system takes: not empty, and no NUL.
pub(crate) fn check_text(what: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() || text.contains('\0') {
        return Err(Error::misuse(format!(
            "{what} {text:?} is empty or has a NUL character in it: correct it"
        )));
    }
    Ok(())
}

pub(crate) fn check_env(name: &str, value: &str) -> Result<(), Error> {
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(Error::misuse(format!(
            "the environment variable {name:?} cannot be set: names are not empty and have no `=`, and neither name nor \
             value has a NUL character"
        )));
    }
    Ok(())
}

pub(crate) fn check_workdir(path: &str) -> Result<(), Error> {
    check_text("the working directory", path)?;
    if !path.starts_with('/') {
        return Err(Error::misuse(format!(
            "the working directory {path:?} is relative: give an absolute path"
        )));
    }
    Ok(())
}
