//! Ports of a container that can be reached from outside of it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use crate::error::Error;

/// A port of a container that can be reached at a port of the engine's machine.
///
/// ```
/// use pocket_dock_core::{ContainerSpec, Network, Port};
///
/// let spec = ContainerSpec::new("alpine:3.21")
///     .network(Network::Default)
///     .port(80) // at 127.0.0.1, where the engine likes: see `Container::ports`
///     .port(Port::udp(53).host_port(5353));
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Port {
    pub(crate) container: u16,
    pub(crate) protocol: PortProtocol,
    pub(crate) host: u16,
    pub(crate) address: IpAddr,
}

/// A protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl PortProtocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Sctp]
            .into_iter()
            .find(|protocol| protocol.name() == name)
    }
}

impl fmt::Display for PortProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Port {
    /// A port of TCP, at 127.0.0.1 and a port that the engine chooses.
    #[must_use]
    pub fn tcp(container: u16) -> Self {
        Self::new(container, PortProtocol::Tcp)
    }

    /// A port of UDP, at 127.0.0.1 and a port that the engine chooses.
    #[must_use]
    pub fn udp(container: u16) -> Self {
        Self::new(container, PortProtocol::Udp)
    }

    fn new(container: u16, protocol: PortProtocol) -> Self {
        Self {
            container,
            protocol,
            host: 0,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// The port of the engine's machine. 0, which is the default, leaves it to the engine; then
    /// [`Container::ports`](crate::Container::ports) tells which it is.
    #[must_use]
    pub fn host_port(mut self, port: u16) -> Self {
        self.host = port;
        self
    }

    /// The address of the engine's machine at which it can be reached. Only from the machine itself by default, at 127.0.0.1;
    /// 0.0.0.0 opens it to everyone who can reach the machine.
    #[must_use]
    pub fn address(mut self, address: impl Into<IpAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// `80/tcp`
    pub(crate) fn key(self) -> String {
        format!("{}/{}", self.container, self.protocol)
    }
}

impl From<u16> for Port {
    fn from(container: u16) -> Self {
        Self::tcp(container)
    }
}

/// A port of a container that is bound on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct BoundPort {
    /// The port in the container.
    pub container_port: u16,
    /// Of which protocol.
    pub protocol: PortProtocol,
    /// The address on the host; `None` for all of them.
    pub host_ip: Option<IpAddr>,
    /// The port on the host.
    pub host_port: u16,
}

pub(super) fn check_ports(ports: &[Port]) -> Result<(), Error> {
    for (at, port) in ports.iter().enumerate() {
        if port.container == 0 {
            return Err(Error::misuse(
                "the port 0 of a container cannot be reached: give another",
            ));
        }
        if ports[..at].contains(port) {
            return Err(Error::misuse(format!(
                "the port {} is given twice: once is enough",
                port.key()
            )));
        }
        let taken = |other: &&Port| {
            let every = other.address.is_unspecified() || port.address.is_unspecified();
            other.host == port.host && other.protocol == port.protocol && (other.address == port.address || every)
        };
        if port.host != 0
            && let Some(other) = ports[..at].iter().find(taken)
        {
            return Err(Error::misuse(format!(
                "the ports {} and {} cannot both be at port {} of the machine: choose another for one of them",
                other.key(),
                port.key(),
                port.host
            )));
        }
    }
    Ok(())
}
