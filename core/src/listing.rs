//! Containers of ours as the engine lists them: which are meant, and which are left over.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::engine_api::container::{CREATED_AT, INSTANCE, Listed, OWNER, is_persistent};
use crate::engine_api::image::normal_id;
use crate::error::Error;
use crate::runtime::{Host, Owner};
use crate::spec::LABELS;

/// A container of ours, as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerSummary {
    /// Its id: 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image, as it was asked for. Podman writes it out in full.
    pub image: String,
    /// The id of its image: `sha256:` and 64 hex digits.
    pub image_id: String,
    /// The engine's own word, such as `running`, `paused`, `exited`, `created`.
    pub status: String,
    /// When it was made: by the clock of the program that made it, if that said so, else by the engine's.
    pub created: Option<SystemTime>,
    /// Whether it outlives the program that made it.
    pub persistent: bool,
    /// The program that made it, if it could tell.
    pub owner: Option<Owner>,
    /// What only this container has: 32 hex digits.
    pub instance: String,
    /// Its labels, without those of pocket-dock. Those of its image are among them.
    pub labels: BTreeMap<String, String>,
}

impl ContainerSummary {
    pub(crate) fn of(listed: Listed) -> Option<Self> {
        let id = listed.id.clone();
        let seconds = listed.created.and_then(|seconds| u64::try_from(seconds).ok());
        let image = listed.image.clone().unwrap_or_default();
        let image_id = normal_id(listed.image_id.as_deref().unwrap_or_default());
        let status = listed.state.clone().unwrap_or_default();
        let (name, mut labels) = listed.into_ours()?;
        let said = labels
            .get(CREATED_AT)
            .and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let created = said
            .map(SystemTime::from)
            .or_else(|| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds?)));
        let summary = Self {
            id,
            name,
            image,
            image_id,
            status,
            created,
            persistent: is_persistent(&labels),
            owner: labels.get(OWNER).and_then(|text| text.parse().ok()),
            instance: labels.get(INSTANCE).cloned().unwrap_or_default(),
            labels: BTreeMap::new(),
        };
        labels.retain(|name, _| !name.starts_with(LABELS));
        Some(Self { labels, ..summary })
    }

    /// Whether its main process runs; true also while it is paused.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.status.as_str(), "running" | "paused" | "restarting" | "stopping")
    }

    /// Whether its main process has ended, or was never started, and nothing goes on with it at the moment.
    fn is_at_rest(&self) -> bool {
        matches!(
            self.status.as_str(),
            "exited" | "stopped" | "dead" | "created" | "configured" | "initialized"
        )
    }

    fn is_begun(&self) -> bool {
        !matches!(self.status.as_str(), "created" | "configured" | "initialized")
    }
}

/// Which containers are meant: all of ours, unless something else is said.
///
/// Names and labels are compared here, to the letter: nothing that is in them reaches the engine, or means anything to it.
///
/// ```
/// use pocket_dock_core::ListFilter;
///
/// let filter = ListFilter::new().running().label("project", "website").has_label("reviewed");
/// # let _ = filter;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    running: bool,
    persistent: bool,
    name: Option<String>,
    labels: Vec<(String, Option<String>)>,
}

impl ListFilter {
    /// All of ours, running or not, whoever made them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those that run, the paused among them.
    #[must_use]
    pub fn running(mut self) -> Self {
        self.running = true;
        self
    }

    /// Only those that outlive the program that made them.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Only the one with this name. The whole name is meant.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Only those with this label, and this value of it. All labels that are named must be there.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), Some(value.into())));
        self
    }

    /// Only those with this label, whatever its value.
    #[must_use]
    pub fn has_label(mut self, name: impl Into<String>) -> Self {
        self.labels.push((name.into(), None));
        self
    }

    fn takes(&self, one: &ContainerSummary) -> bool {
        let labelled = |(name, value): &(String, Option<String>)| match (one.labels.get(name), value) {
            (Some(is), Some(wanted)) => is == wanted,
            (is, None) => is.is_some(),
            (None, Some(_)) => false,
        };
        (!self.running || one.is_running())
            && (!self.persistent || one.persistent)
            && self.name.as_ref().is_none_or(|name| *name == one.name)
            && self.labels.iter().all(labelled)
    }

    /// Those that are meant, the oldest first.
    pub(crate) fn choose(&self, listed: Vec<Listed>) -> Vec<ContainerSummary> {
        let all = listed.into_iter().filter_map(ContainerSummary::of);
        let mut chosen: Vec<_> = all.filter(|one| self.takes(one)).collect();
        chosen.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        chosen
    }
}

/// Which containers are left over and may be removed.
///
/// None that runs or is paused is ever meant, none that is not ours, and none of a program that lives. Unless something else
/// is said, only those are meant that were to end with their program.
///
/// ```
/// use pocket_dock_core::Prune;
///
/// let prune = Prune::new().persistent().label("project", "website");
/// # let _ = prune;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prune {
    persistent: bool,
    unknown_owners: bool,
    filter: ListFilter,
}

impl Prune {
    /// Those of programs that have died and that were to end with them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also [persistent](crate::ContainerSpec::persistent) ones that are stopped, if the program that made them is dead or
    /// cannot be known: what is in them is lost.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Also those of which it cannot be told from here whether the program that made them lives: it is of another machine
    /// or container, or from before this machine was booted.
    #[must_use]
    pub fn unknown_owners(mut self) -> Self {
        self.unknown_owners = true;
        self
    }

    /// Only those with this label, and this value of it. All labels that are named must be there.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter = self.filter.label(name, value);
        self
    }

    fn takes(&self, one: &ContainerSummary, host: &dyn Host) -> bool {
        if !one.is_at_rest() || (one.persistent && !self.persistent && one.is_begun()) {
            return false;
        }
        match one.owner.as_ref().and_then(|owner| host.lives(owner)) {
            Some(lives) => !lives,
            // One that stays is expected to outlive its program, and the machine's; its creation is not. Podman may say of
            // each after a boot of the machine that it was never begun.
            None if one.persistent => self.persistent && (one.is_begun() || self.unknown_owners),
            None => self.unknown_owners,
        }
    }

    pub(crate) fn choose(&self, listed: Vec<Listed>, host: &dyn Host) -> Vec<ContainerSummary> {
        let mut chosen = self.filter.choose(listed);
        chosen.retain(|one| self.takes(one, host));
        chosen
    }
}

/// What became of containers that were left over.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Pruned {
    /// Those that were removed.
    pub removed: Vec<ContainerSummary>,
    /// Those that are still there, and why: one was started meanwhile, or the engine failed at it.
    pub kept: Vec<(ContainerSummary, Error)>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine_api::container::{MANAGED, NAME, PERSISTENT};

    /// Knows the owners 1, which lives, and 2, which is dead.
    #[derive(Debug)]
    struct Here;

    impl Host for Here {
        fn entropy(&self) -> [u8; 16] {
            [0; 16]
        }

        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn variable(&self, _: &str) -> Option<String> {
            None
        }

        fn launch(&self) -> Result<Option<Box<dyn crate::runtime::Service>>, String> {
            Ok(None)
        }

        fn user_id(&self) -> u32 {
            0
        }

        fn owner(&self) -> Option<Owner> {
            None
        }

        fn lives(&self, owner: &Owner) -> Option<bool> {
            match owner.pid {
                1 => Some(true),
                2 => Some(false),
                _ => None,
            }
        }
    }

    fn listed(name: &str, state: &str, owner: &str, extra: &[(&str, &str)]) -> Listed {
        let mut labels: BTreeMap<&str, &str> = extra.iter().copied().collect();
        labels.entry(MANAGED).or_insert("true");
        labels.entry(NAME).or_insert(name);
        labels.entry(INSTANCE).or_insert("i1");
        labels.insert(OWNER, owner);
        let text = json!({ "Id": "ab", "Names": [format!("/{name}")], "Labels": labels, "State": state, "Created": 5 });
        serde_json::from_value(text).unwrap()
    }

    fn names(chosen: Vec<ContainerSummary>) -> Vec<String> {
        chosen.into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn labels_are_compared_to_the_letter() {
        const HOSTILE: &str = "\"],\"name\":[\"x\"]}\n=&%";
        let all = || {
            vec![
                listed("a", "running", "", &[("k", HOSTILE), (HOSTILE, "v")]),
                listed("b", "exited", "", &[("k", "v")]),
                listed("foreign", "running", "", &[("k", "v"), (NAME, "other")]),
                listed("unmanaged", "running", "", &[(MANAGED, "no")]),
            ]
        };
        let choose = |filter: ListFilter| names(filter.choose(all()));
        assert_eq!(choose(ListFilter::new()), ["a", "b"]);
        assert_eq!(choose(ListFilter::new().label("k", HOSTILE)), ["a"]);
        assert_eq!(choose(ListFilter::new().label(HOSTILE, "v")), ["a"]);
        assert_eq!(choose(ListFilter::new().has_label(HOSTILE)), ["a"]);
        assert_eq!(choose(ListFilter::new().label("k", "v").running()), [""; 0]);
        assert_eq!(choose(ListFilter::new().label("k", "v*")), [""; 0]);
        assert_eq!(choose(ListFilter::new().running()), ["a"]);
        assert_eq!(choose(ListFilter::new().name("b")), ["b"]);
        assert_eq!(choose(ListFilter::new().name("foreign")), [""; 0]);
        // Our own labels are no labels of the user's.
        assert_eq!(choose(ListFilter::new().has_label(MANAGED)), [""; 0]);
    }

    #[test]
    fn the_time_of_the_creation_is_the_labels_or_the_engines() {
        let at = |extra: &[(&str, &str)]| {
            let summary = ContainerSummary::of(listed("a", "running", "", extra)).unwrap();
            summary
                .created
                .map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!(at(&[]), Some(5));
        assert_eq!(at(&[(CREATED_AT, "nonsense")]), Some(5));
        assert_eq!(at(&[(CREATED_AT, "1970-01-01T00:01:00Z")]), Some(60));
    }

    #[test]
    fn only_what_is_at_rest_and_nobodys_is_left_over() {
        let stays: &[(&str, &str)] = &[(PERSISTENT, "i1")];
        let all = || {
            vec![
                listed("runs", "running", "2:0:b:0", &[]),
                listed("paused", "paused", "2:0:b:0", &[]),
                listed("restarting", "restarting", "2:0:b:0", &[]),
                listed("removing", "removing", "2:0:b:0", &[]),
                listed("odd", "", "2:0:b:0", &[]),
                listed("of-the-living", "exited", "1:0:b:0", &[]),
                listed("new-of-the-living", "created", "1:0:b:0", &[]),
                listed("of-the-dead", "exited", "2:0:b:0", &[]),
                listed("new-of-the-dead", "created", "2:0:b:0", stays),
                listed("elsewhere", "exited", "3:0:b:0", &[]),
                listed("unowned", "exited", "", &[]),
                listed("stays", "exited", "2:0:b:0", stays),
                listed("stays-of-the-living", "exited", "1:0:b:0", stays),
                listed("stays-elsewhere", "exited", "3:0:b:0", stays),
                listed("new-elsewhere", "created", "3:0:b:0", stays),
                listed("reset-elsewhere", "configured", "3:0:b:0", stays),
                listed("inherits-staying", "exited", "2:0:b:0", &[(PERSISTENT, "i2")]),
                listed("foreign", "exited", "2:0:b:0", &[(NAME, "other")]),
                listed("labelled", "exited", "2:0:b:0", &[("k", "v")]),
            ]
        };
        let choose = |prune: Prune| names(prune.choose(all(), &Here));
        assert_eq!(
            choose(Prune::new()),
            ["inherits-staying", "labelled", "new-of-the-dead", "of-the-dead"]
        );
        assert_eq!(choose(Prune::new().label("k", "v")), ["labelled"]);
        assert_eq!(
            choose(Prune::new().persistent()),
            [
                "inherits-staying",
                "labelled",
                "new-of-the-dead",
                "of-the-dead",
                "stays",
                "stays-elsewhere"
            ]
        );
        assert_eq!(
            choose(Prune::new().unknown_owners()),
            [
                "elsewhere",
                "inherits-staying",
                "labelled",
                "new-of-the-dead",
                "of-the-dead",
                "unowned"
            ]
        );
        let all = choose(Prune::new().unknown_owners().persistent());
        for name in ["new-elsewhere", "reset-elsewhere", "stays-elsewhere"] {
            assert!(all.iter().any(|one| one == name), "{name}: {all:?}");
        }
        assert!(!all.iter().any(|one| one.contains("living")), "{all:?}");
    }

    #[test]
    fn a_sweep_lets_those_live_that_are_to_stay() {
        let stays: &[(&str, &str)] = &[(PERSISTENT, "i1")];
        assert!(listed("a", "running", "2:0:b:0", &[]).is_orphan(&Here));
        assert!(!listed("a", "running", "2:0:b:0", stays).is_orphan(&Here));
        assert!(!listed("a", "exited", "2:0:b:0", stays).is_orphan(&Here));
        assert!(listed("a", "created", "2:0:b:0", stays).is_orphan(&Here));
        // The image says so, and not it.
        for inherited in ["true", "i2", ""] {
            let labels = [(PERSISTENT, inherited)];
            assert!(
                listed("a", "running", "2:0:b:0", &labels).is_orphan(&Here),
                "{inherited:?}"
            );
            let one = ContainerSummary::of(listed("a", "running", "", &labels)).unwrap();
            assert!(!one.persistent, "{inherited:?}");
        }
        // What has no instance is none that we made.
        assert!(!listed("a", "running", "2:0:b:0", &[(INSTANCE, "")]).is_orphan(&Here));
        assert!(!listed("a", "created", "1:0:b:0", stays).is_orphan(&Here));
        assert!(!listed("a", "created", "3:0:b:0", stays).is_orphan(&Here));
    }
}
