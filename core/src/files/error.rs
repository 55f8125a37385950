//! Why something could not be done with a file of a container.

use std::fmt;
use std::path::PathBuf;

/// Why something could not be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// There is nothing of that name, or a directory above it is missing.
    NotFound,
    /// The user may not do that.
    Permission,
    /// It is a directory, and something else is wanted.
    IsDirectory,
    /// It is no directory, or something above it is none.
    NotDirectory,
    /// It is neither a file nor a directory nor a link: a device, a named pipe or a socket.
    NotRegular,
    /// There is something of that name already.
    Exists,
    /// The directory has something in it.
    NotEmpty,
    /// No space is left, or a quota is used up.
    NoSpace,
    /// The file system is read-only.
    ReadOnly,
    /// Links lead in a circle.
    Loop,
    /// A name is longer than the file system takes.
    NameTooLong,
    /// There is more of it than the caller allows.
    TooLarge,
    /// The call's time was over.
    TimedOut,
    /// Nothing more of it can be written: what writes it has ended, and [`FileWriter::finish`](crate::FileWriter::finish)
    /// says why.
    Closed,
    /// Something else; the message tells.
    Other,
}

impl FileErrorKind {
    fn what(self) -> &'static str {
        match self {
            Self::NotFound => "there is no such file or directory",
            Self::Permission => "the user may not do that",
            Self::IsDirectory => "it is a directory",
            Self::NotDirectory => "it is not a directory, or something above it is none",
            Self::NotRegular => "it is a device, a named pipe or a socket",
            Self::Exists => "it exists already",
            Self::NotEmpty => "the directory is not empty",
            Self::NoSpace => "no space is left",
            Self::ReadOnly => "the file system is read-only",
            Self::Loop => "symbolic links lead in a circle",
            Self::NameTooLong => "a name is too long",
            Self::TooLarge => "it is larger than the caller allows",
            Self::TimedOut => "the time for it was over",
            Self::Closed => "nothing more of it can be written",
            Self::Other => "it failed",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NotFound => "check the spelling, or make it first",
            Self::Permission => "use `FilePath::user(\"root\")`, or a place that is the user's",
            Self::IsDirectory => "name a file in it, or use a call for directories",
            Self::NotDirectory => "check each part of the path",
            Self::NotRegular => "only files, directories and links have a content to transfer",
            Self::Exists => "remove it first, or use another name",
            Self::NotEmpty => "use `FilePath::recursive` to remove what is in it too",
            Self::NoSpace => "make room, or raise the limit of the file system",
            Self::ReadOnly => "use a place that can be written, such as a tmpfs or a volume",
            Self::Loop => "remove one of the links",
            Self::NameTooLong => "use a shorter one",
            Self::TooLarge => "raise the limit, or read it as a stream",
            Self::TimedOut => "allow more with `FilePath::timeout`",
            Self::Closed => "call `FileWriter::finish`, which says why",
            Self::Other => "see the message",
        }
    }

    /// What an engine's words mean, which have the system's in them.
    pub(crate) fn of_engine(words: &str) -> Self {
        let words = words.to_ascii_lowercase();
        let both = |one: &str, other: &str| words.contains(one) && words.contains(other);
        // Podman names what it tried, and says that something is there.
        if both("error creating file at", "file exists") {
            return Self::IsDirectory;
        }
        if both("mkdir ", "file exists") {
            return Self::NotDirectory;
        }
        let known = [
            ("cannot overwrite directory", Self::IsDirectory),
            ("cannot overwrite non-directory", Self::NotDirectory),
            ("extraction point is not a directory", Self::NotDirectory),
            ("no space left on device", Self::NoSpace),
            ("disk quota exceeded", Self::NoSpace),
            ("read-only", Self::ReadOnly),
            ("file name too long", Self::NameTooLong),
            ("too many levels of symbolic links", Self::Loop),
            ("no such file or directory", Self::NotFound),
            ("could not find the file", Self::NotFound),
            ("not a directory", Self::NotDirectory),
            ("is a directory", Self::IsDirectory),
            ("permission denied", Self::Permission),
            ("operation not permitted", Self::Permission),
        ];
        let found = known.into_iter().find(|(part, _)| words.contains(part));
        found.map_or(Self::Other, |(_, kind)| kind)
    }

    /// What a system's words mean, as C programs print them: behind the last colon of the last line.
    pub(crate) fn of_words(words: &str) -> Self {
        // What tar says last is that it has said something before.
        let closing = |line: &&str| {
            let line = line.trim_end();
            line.is_empty()
                || line.ends_with("due to previous errors")
                || line.ends_with("is not recoverable: exiting now")
        };
        let line = words
            .rsplit('\n')
            .find(|line| !closing(line))
            .unwrap_or_default()
            .trim_end();
        if line.contains(": Wrote only ") && line.ends_with(" bytes") {
            return Self::NoSpace;
        }
        let end = line.rsplit(": ").next().unwrap_or(line).trim_end_matches('.');
        match end.to_ascii_lowercase().as_str() {
            "no such file or directory" | "directory nonexistent" | "nonexistent directory" | "no such file" => {
                Self::NotFound
            }
            "permission denied" | "operation not permitted" => Self::Permission,
            "is a directory" => Self::IsDirectory,
            "not a directory" => Self::NotDirectory,
            "not a regular file" => Self::NotRegular,
            "file exists" => Self::Exists,
            "directory not empty" => Self::NotEmpty,
            "no space left on device" | "disk quota exceeded" | "quota exceeded" | "file too large" => Self::NoSpace,
            "read-only file system" => Self::ReadOnly,
            "too many levels of symbolic links" | "symbolic link loop" => Self::Loop,
            "file name too long" | "filename too long" => Self::NameTooLong,
            _ => Self::Other,
        }
    }
}

/// Something could not be done with a file of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileError {
    /// Why.
    pub kind: FileErrorKind,
    /// The container's name.
    pub container: String,
    /// Which file.
    pub path: PathBuf,
    /// What a program in the container, or the engine, said of it. May be empty.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            container,
            path,
            message,
        } = self;
        write!(
            f,
            "{path:?} in container {container}: {}; {}",
            kind.what(),
            kind.advice()
        )?;
        let message = message.trim();
        if !message.is_empty() {
            write!(f, ". What was said: {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_system_are_understood_at_their_end_only() {
        for (words, kind) in [
            ("cat: /x: No such file or directory\n", FileErrorKind::NotFound),
            (
                "sh: 3: cannot create /x: Read-only file system",
                FileErrorKind::ReadOnly,
            ),
            (
                "mkdir: can't create directory '/a: Permission denied': File exists",
                FileErrorKind::Exists,
            ),
            ("cat: x\nIs a directory: Permission denied\n", FileErrorKind::Permission),
            (
                "tar: x: Cannot open: Permission denied\ntar: Exiting with failure status due to previous errors\n",
                FileErrorKind::Permission,
            ),
            (
                "tar: x: Wrote only 512 of 10240 bytes\ntar: Exiting with failure status due to previous errors\n",
                FileErrorKind::NoSpace,
            ),
            (
                "sh: 3: cannot create /x/y: Directory nonexistent",
                FileErrorKind::NotFound,
            ),
            ("cat: /x: Is a directory, they say", FileErrorKind::Other),
            ("", FileErrorKind::Other),
        ] {
            assert_eq!(FileErrorKind::of_words(words), kind, "{words}");
        }
    }

    #[test]
    fn an_error_says_where_and_what_next() {
        let error = FileError {
            kind: FileErrorKind::NotFound,
            container: "pd-1".into(),
            path: "/x".into(),
            message: "cat: gone\n".into(),
        };
        let text = error.to_string();
        assert_eq!(
            text,
            "\"/x\" in container pd-1: there is no such file or directory; check the spelling, or make it first. What was said: cat: gone"
        );
    }
}
