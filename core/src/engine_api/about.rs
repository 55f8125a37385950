//! `/info`: what an engine says about itself and its machine.

use serde::Deserialize;

use crate::http::{Path, Request};

pub(crate) fn info() -> Request {
    Request::get(Path::new("/info"))
}

/// As far as we look. Everything may be missing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct About {
    /// The storage driver.
    pub(crate) driver: Option<String>,
    /// `1` or `2`. Docker 20.10 says it, and Podman from 4 on.
    pub(crate) cgroup_version: Option<String>,
    pub(crate) cgroup_driver: Option<String>,
    pub(crate) memory_limit: Option<bool>,
    pub(crate) swap_limit: Option<bool>,
    #[serde(alias = "CPUCfsQuota")]
    pub(crate) cpu_cfs_quota: Option<bool>,
    pub(crate) pids_limit: Option<bool>,
    security_options: Option<Vec<String>>,
    /// Podman alone says this.
    rootless: Option<bool>,
}

impl About {
    pub(crate) fn is_rootless(&self) -> bool {
        let options = self.security_options.iter().flatten();
        self.rootless == Some(true) || options.into_iter().any(|option| option.contains("rootless"))
    }
}
