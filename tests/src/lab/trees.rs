//! Root trees: a small Debian of one suite each, with the Docker and the Podman of that suite in it.

use std::process::Command;

use super::apt::{self, Mirror};
use super::error::Result;
use super::place;

/// What every tree has. `mount`, `iproute2` and `procps` are for the lab, the rest is for the engines.
const PACKAGES: &str = "docker.io,podman,crun,runc,netavark,aardvark-dns,iptables,nftables,iproute2,ca-certificates,\
                        mount,procps";

/// Makes the tree of a suite, unless it is there.
pub(super) fn ensure(suite: &str) -> Result<()> {
    let target = place::tree(suite);
    if target.is_dir() {
        return Ok(());
    }
    let mirror = Mirror::find()?;
    place::say(&format!("making the root tree of {suite} (about half a minute)"));
    place::make_whole(&target, |path| {
        // From trixie on, Docker's command line is a package of its own.
        let more = if suite == "bookworm" { "" } else { ",docker-cli" };
        let mut command = Command::new("mmdebstrap");
        command.args(["--mode=root", "--variant=apt"]).args(apt::settings());
        command.arg(format!("--include={PACKAGES}{more}"));
        command
            .arg("--dpkgopt=path-exclude=/usr/share/doc/*")
            .arg("--dpkgopt=path-exclude=/usr/share/man/*");
        command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        // Several trees are made at once, each by a tool that looks at nothing but its own.
        apt::run(command.arg(suite).arg(path).arg(mirror.argument(suite)), suite)
    })
}
