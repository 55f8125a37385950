//! `/containers/{id}/stats`: what it uses.
//!
//! | | Docker | Podman |
//! |---|---|---|
//! | one answer | takes 1 s, and has the sample before | at once, without one |
//! | `stream=1` | a sample each second | one every 5 s |
//! | host's time | right | of the cgroups only, and useless |
//! | page cache | told | not told |
//! | stopped | no time, no figures | nothing, or an error in a 200 |
//!
//! So CPU use is what the container itself used between two times of ours or the engine's, on both engines, and never the
//! host's time. `usage_in_usermode` is not read: Podman 5.8 lets it wrap.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{json, path, time};
use crate::error::Error;
use crate::http::{Answer, Request};
use crate::stats::Stats;

const WHAT: &str = "ask for statistics";

pub(crate) fn once(id: &str) -> Result<Request, Error> {
    Ok(Request::get(path("/containers", id, "/stats")?.query("stream", "0")))
}

pub(crate) fn stream(id: &str) -> Result<Request, Error> {
    Ok(Request::get(path("/containers", id, "/stats")?.query("stream", "1")))
}

/// What the container had used at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    at: SystemTime,
    cpu: Duration,
}

impl Moment {
    /// In percent of one processor, from one moment to a later one.
    pub(crate) fn percent(self, later: Self) -> Option<f64> {
        let time = later.at.duration_since(self.at).ok()?.as_secs_f64();
        let used = later.cpu.checked_sub(self.cpu)?.as_secs_f64();
        (time > 0.0).then_some(used / time * 100.0)
    }
}

/// A sample, with what is needed to know how much CPU was used since the one before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) stats: Stats,
    pub(crate) moment: Moment,
}

/// One answer; `None` of a container that does not run.
pub(crate) fn read(answer: &Answer) -> Result<Option<Sample>, Error> {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let figures: Figures = json(WHAT, &answer.body)?;
    Ok(figures.sample())
}

/// One sample as the engine writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    read: Option<String>,
    preread: Option<String>,
    cpu_stats: Option<Cpu>,
    precpu_stats: Option<Cpu>,
    memory_stats: Option<Memory>,
    pids_stats: Option<Pids>,
    networks: Option<BTreeMap<String, Option<Network>>>,
    blkio_stats: Option<Blkio>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    cpu_usage: Option<CpuUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuUsage {
    total_usage: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: Option<u64>,
    limit: Option<u64>,
    stats: Option<MemoryStats>,
}

/// Of a page cache there are two lists; what lies in memory by the program's will (tmpfs, shared memory) is in neither.
/// With cgroup v1, `total_` counts what is below too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MemoryStats {
    active_file: Option<u64>,
    inactive_file: Option<u64>,
    total_active_file: Option<u64>,
    total_inactive_file: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pids {
    current: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    rx_bytes: Option<u64>,
    tx_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Blkio {
    io_service_bytes_recursive: Option<Vec<BlkioBytes>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlkioBytes {
    op: Option<String>,
    value: Option<u64>,
}

impl Cpu {
    fn at(this: Option<&Self>, read: Option<&str>) -> Option<Moment> {
        let total = this?.cpu_usage.as_ref()?.total_usage?;
        Some(Moment {
            at: time(read?)?,
            cpu: Duration::from_nanos(total),
        })
    }
}

impl Memory {
    fn page_cache(&self) -> Option<u64> {
        let stats = self.stats.as_ref()?;
        let (active, inactive) = (
            stats.total_active_file.or(stats.active_file)?,
            stats.total_inactive_file.or(stats.inactive_file)?,
        );
        active.checked_add(inactive)
    }
}

impl Figures {
    /// `None` of a container that does not run.
    pub(crate) fn sample(&self) -> Option<Sample> {
        let moment = Cpu::at(self.cpu_stats.as_ref(), self.read.as_deref())?;
        let memory = self.memory_stats.as_ref();
        let memory_usage = memory.and_then(|memory| memory.usage)?;
        let before = Cpu::at(self.precpu_stats.as_ref(), self.preread.as_deref());
        let networks = self.networks.as_ref();
        let network = |bytes: fn(&Network) -> Option<u64>| {
            networks.map(|all| all.values().flatten().filter_map(bytes).fold(0, u64::saturating_add))
        };
        let block = self.blkio_stats.as_ref();
        let block = block.and_then(|all| all.io_service_bytes_recursive.as_ref());
        let block = |op: &str| {
            let all = block.filter(|all| !all.is_empty())?;
            let is_op = |one: &&BlkioBytes| one.op.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(op));
            let bytes = all.iter().filter(is_op).filter_map(|one| one.value);
            Some(bytes.fold(0, u64::saturating_add))
        };
        let stats = Stats {
            at: moment.at,
            cpu_percent: before.and_then(|before| before.percent(moment)),
            cpu_time: moment.cpu,
            memory_usage,
            page_cache: memory.and_then(Memory::page_cache),
            memory_limit: memory.and_then(|memory| memory.limit).filter(|limit| *limit > 0),
            pids: self.pids_stats.as_ref().and_then(|pids| pids.current),
            network_received: network(|one| one.rx_bytes),
            network_sent: network(|one| one.tx_bytes),
            block_read: block("read"),
            block_written: block("write"),
        };
        Some(Sample { stats, moment })
    }
}

#[cfg(test)]
mod tests;
