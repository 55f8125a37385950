//! What an image is built from.

use std::path::Path;

use pocket_dock_core::Error;

/// A tar of the files an image is built from.
///
/// ```
/// use pocket_dock_blocking::BuildContext;
///
/// let context = BuildContext::new().file("Dockerfile", "FROM scratch\nCOPY hello /\n")?.file("hello", "hi\n")?;
/// let tar = context.finish()?;
/// assert_eq!(tar.len() % 512, 0);
/// # Ok::<(), pocket_dock_blocking::Error>(())
/// ```
pub struct BuildContext(tar::Builder<Vec<u8>>);

impl std::fmt::Debug for BuildContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildContext").finish_non_exhaustive()
    }
}

impl Default for BuildContext {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildContext {
    /// Without any file yet.
    #[must_use]
    pub fn new() -> Self {
        let mut builder = tar::Builder::new(Vec::new());
        builder.follow_symlinks(false);
        Self(builder)
    }

    /// Everything under a directory, links as links.
    ///
    /// # Errors
    /// [`Error::Misuse`] if it cannot be read.
    pub fn dir(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut context = Self::new();
        context
            .0
            .append_dir_all(".", path)
            .map_err(|error| unreadable(path, &error))?;
        Ok(context)
    }

    /// One file more, with mode 0644.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the name leaves the context.
    pub fn file(mut self, name: impl AsRef<Path>, data: impl AsRef<[u8]>) -> Result<Self, Error> {
        let (name, data) = (name.as_ref(), data.as_ref());
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        self.0
            .append_data(&mut header, name, data)
            .map_err(|error| unreadable(name, &error))?;
        Ok(self)
    }

    /// The tar.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        self.0.into_inner().map_err(|error| unreadable(Path::new("."), &error))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Misuse(format!(
        "{} cannot be put into the build context: {error}",
        path.display()
    ))
}
