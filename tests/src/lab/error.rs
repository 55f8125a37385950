//! What can go wrong in the lab, in words.

use std::fmt;
use std::path::Path;

/// A failure of the lab: what happened, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    what: String,
    next: String,
}

/// The result of everything the lab does.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that says what happened and what to do about it (which may be empty).
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: next.into(),
        }
    }

    /// A failed operation on a file.
    pub(super) fn file(doing: &str, path: &Path, cause: &std::io::Error) -> Self {
        Self::new(format!("cannot {doing} {}: {cause}", path.display()), "")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn says_what_and_what_next() {
        assert_eq!(
            Error::new("it broke", "mend it").to_string(),
            "it broke\n  next: mend it"
        );
        assert_eq!(Error::new("it broke", "").to_string(), "it broke");
    }
}
