//! The ports of an inspected container: which of them are bound, and where.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use crate::spec::{BoundPort, PortProtocol};

/// By the port in the container, such as `80/tcp`. `null` where the image only names it.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ports(BTreeMap<String, Option<Vec<Binding>>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Binding {
    host_ip: Option<String>,
    host_port: Option<String>,
}

impl Ports {
    /// What is bound, in the order of the container's ports. What makes no sense is left out.
    pub(crate) fn bound(&self) -> Vec<BoundPort> {
        let each = self.0.iter();
        let mut bound: Vec<BoundPort> = each
            .flat_map(|(key, bindings)| bindings.iter().flatten().filter_map(|binding| read(key, binding)))
            .collect();
        bound.sort();
        // Every address of both kinds, each told by itself.
        bound.dedup();
        bound
    }
}

fn read(key: &str, binding: &Binding) -> Option<BoundPort> {
    let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    let host_ip = match binding.host_ip.as_deref() {
        // Podman writes nothing for every address.
        None | Some("") => None,
        Some(text) => Some(text.parse::<IpAddr>().ok()?).filter(|address| !address.is_unspecified()),
    };
    Some(BoundPort {
        container_port: port.parse().ok()?,
        protocol: PortProtocol::named(protocol)?,
        host_ip,
        host_port: binding.host_port.as_deref()?.parse().ok().filter(|port| *port != 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_is_told_once_and_in_order() {
        let ports: Ports = serde_json::from_str(
            r#"{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"},{"HostIp":"","HostPort":"81"}],
            "53/udp":[{"HostIp":"::1","HostPort":"5353"}],"81":[{"HostIp":"0.0.0.0","HostPort":"1"},{"HostIp":"::","HostPort":"1"}],
            "9/tcp":null,"x/tcp":[{"HostPort":"1"}],"7/tcp":[{"HostPort":""}],"6/tcp":[{"HostPort":"0"}],
            "5/ip":[{"HostPort":"5"}],"4/tcp":[{"HostIp":"here","HostPort":"4"}],"3/tcp":[{}],"70000/tcp":[{"HostPort":"3"}]}"#,
        )
        .unwrap();
        let bound: Vec<String> = ports.bound().iter().map(ToString::to_string).collect();
        assert_eq!(
            bound,
            [
                "[::1]:5353 -> 53/udp",
                "*:81 -> 80/tcp",
                "127.0.0.1:32768 -> 80/tcp",
                "*:1 -> 81/tcp"
            ]
        );
    }
}
