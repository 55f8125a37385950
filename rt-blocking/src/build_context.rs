//! What an image is built from.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use pocket_dock_core::Error;

/// The files that an image is built from: a directory's, ones from memory, or both. As a tar they go to
/// [`Engine::build_image`](pocket_dock_core::Engine::build_image).
///
/// The same files give the same bytes: they are sorted, belong to root, have no time, and of their permissions only
/// whether they can be executed is kept. Symbolic links stay links. A `.dockerignore` is a file like any other here.
///
/// ```
/// use pocket_dock_blocking::BuildContext;
///
/// let context = BuildContext::new().file("Dockerfile", "FROM scratch\nCOPY hello /\n")?.file("hello", "hi\n")?;
/// let tar = context.finish()?;
/// assert_eq!(tar.len() % 512, 0);
/// # Ok::<(), pocket_dock_blocking::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct BuildContext(BTreeMap<PathBuf, Entry>);

#[derive(Clone)]
enum Entry {
    Directory,
    Link(PathBuf),
    /// A file that is read when the tar is made.
    Disk(PathBuf),
    Memory(Vec<u8>),
    Program(Vec<u8>),
}

impl fmt::Debug for BuildContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BuildContext").field(&self.0.keys()).finish()
    }
}

impl BuildContext {
    /// Without any file yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything under a directory. The files themselves are read by [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::Misuse`] with the path that cannot be read, or is neither file, directory nor link.
    pub fn dir(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut context = Self::new();
        context.list(path.as_ref(), Path::new(""))?;
        Ok(context)
    }

    fn list(&mut self, from: &Path, name: &Path) -> Result<(), Error> {
        for entry in fs::read_dir(from).map_err(|error| unreadable(from, &error))? {
            let entry = entry.map_err(|error| unreadable(from, &error))?;
            let (path, name) = (entry.path(), name.join(entry.file_name()));
            let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
            if kind.is_dir() {
                self.list(&path, &name)?;
                self.0.insert(name, Entry::Directory);
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).map_err(|error| unreadable(&path, &error))?;
                self.0.insert(name, Entry::Link(target));
            } else if kind.is_file() {
                self.0.insert(name, Entry::Disk(path));
            } else {
                let error = io::Error::other("it is neither a file, a directory nor a symbolic link; take it away");
                return Err(unreadable(&path, &error));
            }
        }
        Ok(())
    }

    /// One file more, or in place of the one with this name.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the name leaves the context.
    pub fn file(self, name: impl AsRef<Path>, data: impl Into<Vec<u8>>) -> Result<Self, Error> {
        self.with(name.as_ref(), Entry::Memory(data.into()))
    }

    /// As [`file`](Self::file), and it can be executed.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the name leaves the context.
    pub fn program(self, name: impl AsRef<Path>, data: impl Into<Vec<u8>>) -> Result<Self, Error> {
        self.with(name.as_ref(), Entry::Program(data.into()))
    }

    fn with(mut self, name: &Path, entry: Entry) -> Result<Self, Error> {
        let mut inside = PathBuf::new();
        for part in name.components() {
            match part {
                Component::Normal(part) => inside.push(part),
                Component::CurDir => {}
                _ => inside = PathBuf::new(),
            }
            if matches!(part, Component::ParentDir | Component::RootDir | Component::Prefix(_)) {
                break;
            }
        }
        if inside.as_os_str().is_empty() {
            return Err(Error::Misuse(format!(
                "{name:?} is no name for a file in a build context: give a relative one, without `..`"
            )));
        }
        self.0.insert(inside, entry);
        Ok(self)
    }

    /// The tar.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the path of a file that cannot be read.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, entry) in self.0 {
            let path = if let Entry::Disk(path) = &entry {
                path.clone()
            } else {
                name.clone()
            };
            append(&mut tar, &name, entry).map_err(|error| unreadable(&path, &error))?;
        }
        tar.into_inner().map_err(|error| unreadable(Path::new("."), &error))
    }
}

fn append(tar: &mut tar::Builder<Vec<u8>>, name: &Path, entry: Entry) -> io::Result<()> {
    let (kind, mode, data) = match entry {
        Entry::Link(target) => {
            let mut header = header(tar::EntryType::Symlink, 0o777);
            header.set_size(0);
            return tar.append_link(&mut header, name, target);
        }
        Entry::Directory => (tar::EntryType::Directory, 0o755, Vec::new()),
        Entry::Memory(data) => (tar::EntryType::Regular, 0o644, data),
        Entry::Program(data) => (tar::EntryType::Regular, 0o755, data),
        Entry::Disk(path) => {
            let executable = fs::metadata(&path)?.permissions().mode() & 0o111 != 0;
            (
                tar::EntryType::Regular,
                if executable { 0o755 } else { 0o644 },
                fs::read(&path)?,
            )
        }
    };
    let mut header = header(kind, mode);
    header.set_size(data.len() as u64);
    tar.append_data(&mut header, name, data.as_slice())
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Misuse(format!(
        "{} cannot be put into the build context: {error}; see that it is there and may be read",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn listed(tar: &[u8]) -> Vec<(String, u32, String)> {
        let mut archive = tar::Archive::new(tar);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = entry
                .link_name()
                .unwrap()
                .map_or(String::new(), |to| format!("-> {}", to.display()));
            entry.read_to_string(&mut text).unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 0);
            (
                entry.path().unwrap().display().to_string(),
                entry.header().mode().unwrap(),
                text,
            )
        });
        entries.collect()
    }

    #[test]
    fn a_directory_is_taken_as_it_is_and_always_alike() {
        let dir = std::env::temp_dir().join(format!("pocket-dock-context-{}", std::process::id()));
        let long = "l".repeat(150);
        fs::create_dir_all(dir.join("sub").join(&long)).unwrap();
        fs::write(dir.join("Dockerfile"), "FROM scratch").unwrap();
        fs::write(dir.join("sub").join(&long).join("run"), "#!").unwrap();
        let program = fs::Permissions::from_mode(0o710);
        fs::set_permissions(dir.join("sub").join(&long).join("run"), program).unwrap();
        std::os::unix::fs::symlink("../nowhere", dir.join("sub/link")).unwrap();
        let context = BuildContext::dir(&dir).unwrap().file("./sub/../x", "");
        assert!(matches!(context, Err(Error::Misuse(_))));
        let tar = BuildContext::dir(&dir)
            .unwrap()
            .file("./a", "more")
            .unwrap()
            .finish()
            .unwrap();
        let expected = [
            ("Dockerfile".to_owned(), 0o644, "FROM scratch".to_owned()),
            ("a".to_owned(), 0o644, "more".to_owned()),
            ("sub".to_owned(), 0o755, String::new()),
            ("sub/link".to_owned(), 0o777, "-> ../nowhere".to_owned()),
            (format!("sub/{long}"), 0o755, String::new()),
            (format!("sub/{long}/run"), 0o755, "#!".to_owned()),
        ];
        assert_eq!(listed(&tar), expected);
        fs::rename(dir.join("Dockerfile"), dir.join("D")).unwrap();
        let context = BuildContext::dir(&dir).unwrap();
        fs::remove_file(dir.join("D")).unwrap();
        let error = context.finish().unwrap_err().to_string();
        assert!(error.contains(&*dir.join("D").to_string_lossy()), "{error}");
        fs::remove_dir_all(&dir).unwrap();
        let error = BuildContext::dir(&dir).unwrap_err().to_string();
        assert!(error.contains(&*dir.to_string_lossy()), "{error}");
    }

    #[test]
    fn names_stay_inside() {
        for wrong in ["", ".", "/etc/passwd", "../x", "a/../../x"] {
            assert!(
                matches!(BuildContext::new().file(wrong, ""), Err(Error::Misuse(_))),
                "{wrong}"
            );
        }
        let tar = BuildContext::new().program("bin/x", "#!").unwrap().finish().unwrap();
        assert_eq!(listed(&tar), [("bin/x".to_owned(), 0o755, "#!".to_owned())]);
    }
}
