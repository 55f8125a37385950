//! A container's figures for people.

use std::fmt;
use std::time::Duration;

use super::{ContainerInfo, NetworkAddress};
use crate::serial::rfc3339;
use crate::spec::BoundPort;

/// A number of bytes, such as `1.5 MiB`.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0 as f64, "B");
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            value /= 1024.0;
            unit = larger;
        }
        if unit == "B" {
            return write!(f, "{} B", self.0);
        }
        write!(f, "{value:.1} {unit}")
    }
}

/// A length of time, such as `2 h 5 min`: its two largest units.
struct Length(Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
        match () {
            () if days > 0 => write!(f, "{days} d {} h", hours % 24),
            () if hours > 0 => write!(f, "{hours} h {} min", minutes % 60),
            () if minutes > 0 => write!(f, "{minutes} min {} s", seconds % 60),
            () => write!(f, "{seconds} s"),
        }
    }
}

impl fmt::Display for BoundPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_ip {
            Some(std::net::IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.host_port)?,
            Some(ip) => write!(f, "{ip}:{}", self.host_port)?,
            None => write!(f, "*:{}", self.host_port)?,
        }
        write!(f, " -> {}/{}", self.container_port, self.protocol)
    }
}

impl fmt::Display for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for ip in self.ipv4.iter().chain(&self.ipv6) {
            write!(f, " {ip}")?;
        }
        Ok(())
    }
}

/// What an engine or a container says, without what could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

impl fmt::Display for ContainerInfo {
    /// Several lines for people, without one for what is not known. There is no line end behind the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.id.get(..12).unwrap_or(&self.id);
        write!(
            f,
            "{} ({short}) of {}: {}",
            self.name,
            plain(&self.image),
            plain(&self.status)
        )?;
        if let Some(code) = self.exit_code {
            write!(f, " with exit code {code}")?;
        }
        if let Some(uptime) = self.uptime {
            write!(f, " for {}", Length(uptime))?;
        }
        if let Some(created) = self.created {
            write!(f, "\n  created    {}", rfc3339(created))?;
        }
        if let Some(ended) = self.ended {
            write!(f, "\n  ended      {}", rfc3339(ended))?;
        }
        if let Some(percent) = self.cpu_percent {
            write!(f, "\n  CPU        {percent:.1} % of one processor")?;
        }
        if let Some(used) = self.memory_used {
            write!(f, "\n  memory     {}", Bytes(used))?;
            if let Some(limit) = self.memory_limit {
                write!(f, " of {}", Bytes(limit))?;
            }
            if let Some(cache) = self.page_cache {
                write!(f, ", and {} of page cache", Bytes(cache))?;
            }
        }
        if let Some(pids) = self.pids {
            write!(f, "\n  pids       {pids}")?;
            if let Some(limit) = self.pids_limit {
                write!(f, " of {limit}")?;
            }
        }
        for network in &self.networks {
            write!(f, "\n  network    {network}")?;
        }
        for port in &self.ports {
            write!(f, "\n  port       {port}")?;
        }
        for process in &self.processes {
            write!(f, "\n  process    {:>5} {}", process.pid, process.command)?;
        }
        for why in &self.unknown {
            write!(f, "\n  unknown    {}", plain(why))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let bytes = |count| Bytes(count).to_string();
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1536), bytes(256 << 20), bytes(u64::MAX)],
            ["0 B", "1023 B", "1.5 KiB", "256.0 MiB", "16777216.0 TiB"]
        );
        let length = |seconds| Length(Duration::from_secs(seconds)).to_string();
        assert_eq!(
            [length(0), length(61), length(7500), length(200_000)],
            ["0 s", "1 min 1 s", "2 h 5 min", "2 d 7 h"]
        );
    }
}
