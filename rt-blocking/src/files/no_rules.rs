//! Without the feature `ignore`, there are no rules, and asking for some is an error.

use std::os::fd::BorrowedFd;
use std::path::Path;

use pocket_dock_core::files::{LocalError, Packing};

#[derive(Debug)]
pub(super) struct Rules;

impl Rules {
    pub(super) fn new(options: &Packing) -> Result<Self, LocalError> {
        let what = if options.ignore_files {
            "obeying .gitignore files"
        } else if !options.ignore.is_empty() {
            "leaving out by rules"
        } else {
            return Ok(Self);
        };
        Err(LocalError::NotBuilt {
            what,
            feature: "ignore",
        })
    }

    pub(super) fn enter(&mut self, _at: BorrowedFd<'_>, _path: &Path) {}

    pub(super) fn leave(&mut self) {}

    pub(super) fn ignores(&self, _path: &Path, _is_directory: bool) -> bool {
        false
    }
}
