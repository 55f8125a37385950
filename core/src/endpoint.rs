//! Where an engine listens.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where an engine listens: a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Arc<Path>);

impl Endpoint {
    /// The socket at this path.
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self(Arc::from(path.as_ref()))
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
