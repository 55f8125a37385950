//! Where an engine may listen.
//!
//! A setting is final: `POCKET_DOCK_SOCKET`, then `DOCKER_HOST`, then `CONTAINER_HOST`. Without one, the usual places are
//! asked in turn: rootless Podman, Podman, Docker, rootless Docker, and where the machines of macOS put theirs. A variable
//! that is set to nothing counts as one that is not set.

use crate::endpoint::Endpoint;
use crate::error::{Error, SocketError};
use crate::op::connect::Candidate;
use crate::runtime::Host;

const SETTINGS: [&str; 3] = ["POCKET_DOCK_SOCKET", "DOCKER_HOST", "CONTAINER_HOST"];

pub(crate) fn candidates(host: &dyn Host) -> Result<Vec<Candidate>, Error> {
    for setting in SETTINGS {
        if let Some(value) = set(host, setting) {
            let path = socket_path(&value).map_err(|why| SocketError::Setting {
                setting,
                value: value.clone(),
                why,
            })?;
            return Ok(vec![Candidate {
                endpoint: Endpoint::unix(path),
                setting: Some((setting, value)),
            }]);
        }
    }
    let mut places = Vec::new();
    let runtime_dir = directory(host, "XDG_RUNTIME_DIR").unwrap_or_else(|| format!("/run/user/{}", host.user_id()));
    if host.user_id() != 0 {
        places.push(format!("{runtime_dir}/podman/podman.sock"));
    }
    places.push("/run/podman/podman.sock".to_owned());
    places.push("/var/run/docker.sock".to_owned());
    places.push(format!("{runtime_dir}/docker.sock"));
    if let Some(home) = directory(host, "HOME") {
        for place in [
            ".docker/run/docker.sock",
            ".local/share/containers/podman/machine/podman.sock",
            ".local/share/containers/podman/machine/qemu/podman.sock",
            ".colima/default/docker.sock",
            ".orbstack/run/docker.sock",
            ".rd/docker.sock",
        ] {
            places.push(format!("{home}/{place}"));
        }
    }
    Ok(places
        .into_iter()
        .map(|place| Candidate {
            endpoint: Endpoint::unix(place),
            setting: None,
        })
        .collect())
}

fn set(host: &dyn Host, variable: &str) -> Option<String> {
    host.variable(variable).filter(|value| !value.is_empty())
}

/// A variable that names a directory. A relative one is none: it would be another one for each working directory.
fn directory(host: &dyn Host, variable: &str) -> Option<String> {
    host.variable(variable).filter(|value| value.starts_with('/'))
}

/// A path, or a `unix://` address.
fn socket_path(value: &str) -> Result<&str, String> {
    let path = value.strip_prefix("unix://").unwrap_or(value);
    if let Some((scheme, _)) = path.split_once("://") {
        return Err(format!(
            "engines are driven over a Unix socket only, not over {scheme}; forward the engine's socket to this machine, \
             for example with `ssh -L`, and name that"
        ));
    }
    if !path.starts_with('/') {
        return Err("it is neither an absolute path nor unix:// and an absolute path".to_owned());
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
