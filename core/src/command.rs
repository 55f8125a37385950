//! What is run in a container, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::buffer::DEFAULT_BUFFER_BYTES;
use crate::error::Error;
use crate::spec::{check_env, check_text, check_workdir};

/// The longest single argument that Linux takes is 128 KiB with its end; longer code goes another way.
pub(crate) const ARGUMENT_BYTES: usize = 96 * 1024;
/// The longest list of arguments that is sent, below Linux's least limit for arguments and environment together.
const ARGUMENTS_BYTES: usize = 1024 * 1024;

/// A command to be run in a container, and how.
///
/// A string is a shell's command; [`argv`](Self::argv) is a program with its arguments, untouched by any shell;
/// [`lang`](Self::lang) is code of any size.
///
/// ```
/// use std::time::Duration;
/// use pocket_dock_core::Command;
///
/// let build = Command::from("make -j2 2>&1 | tail").timeout(Duration::from_secs(60));
/// let list = Command::argv(["ls", "-l", "a file; with odd $characters"]).workdir("/tmp");
/// let sum = Command::lang("python", "import sys\nprint(sum(map(int, sys.stdin)))").stdin("1\n2\n");
/// # let _ = (build, list, sum);
/// ```
#[derive(Debug, Clone)]
pub struct Command {
    pub(crate) what: What,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) workdir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) stdin: Option<Bytes>,
    pub(crate) keep_stdin_open: bool,
    /// Columns and rows.
    pub(crate) tty: Option<(u16, u16)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) output_limit: OutputLimit,
    pub(crate) buffer_size: usize,
}

/// How much output of each stream is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputLimit {
    /// As usual: a run keeps some, a stream passes all.
    Unsaid,
    Bytes(u64),
    None,
}

impl OutputLimit {
    /// For what is gathered in memory.
    pub(crate) fn gathered(self) -> Option<u64> {
        match self {
            Self::Unsaid => Some(DEFAULT_OUTPUT_LIMIT),
            Self::Bytes(bytes) => Some(bytes),
            Self::None => None,
        }
    }

    /// For what is passed on.
    pub(crate) fn passed(self) -> Option<u64> {
        match self {
            Self::Unsaid | Self::None => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Shell(String),
    Argv(Vec<String>),
    Code(Language, String),
}

/// The output kept per stream without an [`output_limit`](Command::output_limit): 16 MiB.
pub const DEFAULT_OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

impl Command {
    fn new(what: What) -> Self {
        Self {
            what,
            env: BTreeMap::new(),
            workdir: None,
            user: None,
            stdin: None,
            keep_stdin_open: false,
            tty: None,
            timeout: None,
            output_limit: OutputLimit::Unsaid,
            buffer_size: DEFAULT_BUFFER_BYTES,
        }
    }

    /// A command for `/bin/sh -c`, of any size.
    pub fn shell(line: impl Into<String>) -> Self {
        Self::new(What::Shell(line.into()))
    }

    /// A program and its arguments. No shell reads them.
    pub fn argv<I>(words: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self::new(What::Argv(words.into_iter().map(Into::into).collect()))
    }

    /// Code for an interpreter, of any size.
    pub fn lang(language: impl Into<Language>, code: impl Into<String>) -> Self {
        Self::new(What::Code(language.into(), code.into()))
    }

    /// An environment variable for this command, over the container's own.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Several of them.
    ///
    /// ```
    /// use pocket_dock_core::Command;
    ///
    /// let build = Command::from("make").envs([("CC", "gcc"), ("V", "1")]);
    /// # let _ = build;
    /// ```
    #[must_use]
    pub fn envs<I, N, V>(mut self, variables: I) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Into<String>,
    {
        self.env
            .extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The working directory, an absolute path. The container's own by default.
    #[must_use]
    pub fn workdir(mut self, path: impl Into<String>) -> Self {
        self.workdir = Some(path.into());
        self
    }

    /// The user, as `name`, `uid`, `name:group` or `uid:gid`. The container's own by default.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// What the command reads from its standard input, and then its end. Both directions move at once. Without it, the
    /// command reads an end at once.
    ///
    /// It is kept, not copied: text and bytes that are not `'static` are given as a `String`, a `Vec<u8>` or [`Bytes`].
    #[must_use]
    pub fn stdin(mut self, data: impl Into<Bytes>) -> Self {
        self.stdin = Some(data.into());
        self
    }

    /// Leaves the standard input open behind what [`stdin`](Self::stdin) gives, if anything, for what is written while the
    /// command runs. For [`Container::stream`](crate::Container::stream) and
    /// [`Container::spawn`](crate::Container::spawn); a `run` could never end it, and refuses it.
    #[must_use]
    pub fn keep_stdin_open(mut self) -> Self {
        self.keep_stdin_open = true;
        self
    }

    /// Runs it on a terminal of this size, for programs that want one. What it prints is one stream, standard output,
    /// with line ends as a terminal has them (`\r\n`), and what is written to it is echoed as long as the program wants
    /// that. Its input does not end by itself as that of other commands does: a program that reads it waits, unless
    /// [`stdin`](Self::stdin) is given, behind which comes the end-of-file character. Not for binary data: a terminal takes some bytes for keys. The size can be changed with `resize`.
    ///
    /// The image needs `stty` for the size to be right from the beginning on engines older than Docker 23.
    #[must_use]
    pub fn tty(mut self, cols: u16, rows: u16) -> Self {
        self.tty = Some((cols, rows));
        self
    }

    /// How many bytes of its output a [`Process`](crate::Process) keeps for its reader: the newest.
    /// [`DEFAULT_BUFFER_BYTES`](crate::DEFAULT_BUFFER_BYTES), 1 MiB, by default. With 0 it keeps none.
    #[must_use]
    pub fn buffer_size(mut self, bytes: usize) -> Self {
        self.buffer_size = bytes;
        self
    }

    /// How long the command may run, from its start. After that its whole process tree is killed, also what it put into
    /// the background, and the result has [`timed_out`](crate::ExecResult::timed_out) and the output so far. By
    /// default that of its [container](crate::ContainerSpec::default_timeout), if it has one. [`Duration::MAX`] is no limit.
    ///
    /// The tree is found by the environment variable `POCKET_DOCK_EXEC`, which every descendant inherits, and by parents,
    /// sessions and process groups. A process that cleans its environment, outlives its parent and begins a session of its
    /// own, all three before the time is over, can hide; see [`KillReport`](crate::KillReport). It is stopped before it is
    /// killed, so that it does not outrun the kill by forking. Give a command that is not trusted a container with
    /// [`pids`](crate::ContainerSpec::pids). Hundreds of processes that fork all the time, on a machine with few processors,
    /// can still be faster than what looks for them: then they are among the
    /// [`survivors`](crate::KillReport::survivors), and end with their container.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How many bytes of each of standard output and standard error are kept: the first half and the last half of
    /// them; the rest is read and counted. [`DEFAULT_OUTPUT_LIMIT`] by default for what is gathered. A stream passes
    /// everything unless this is set; then it passes the first half at once, and the last half when the command has
    /// ended. The container's [own](crate::ContainerSpec::default_output_limit), if it has one, takes the place of both defaults.
    #[must_use]
    pub fn output_limit(mut self, bytes: u64) -> Self {
        self.output_limit = OutputLimit::Bytes(bytes);
        self
    }

    /// Keeps all output, however much it is, in memory.
    #[must_use]
    pub fn unlimited_output(mut self) -> Self {
        self.output_limit = OutputLimit::None;
        self
    }

    /// The same, with another program.
    pub(crate) fn with_argv(mut self, words: Vec<String>) -> Self {
        self.what = What::Argv(words);
        self
    }

    /// Refuses what no engine could run, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.what {
            What::Shell(line) => check_nul("the command", line)?,
            What::Argv(words) => {
                let Some(program) = words.first() else {
                    return Err(Error::misuse("the command is empty: give at least the program"));
                };
                check_text("the program", program)?;
                words.iter().try_for_each(|word| check_nul("an argument", word))?;
                if words.iter().any(|word| word.len() > ARGUMENT_BYTES) {
                    return Err(Error::misuse(format!(
                        "an argument is longer than {ARGUMENT_BYTES} bytes, which Linux may not take: give it by `stdin`"
                    )));
                }
                if words.iter().map(String::len).sum::<usize>() > ARGUMENTS_BYTES {
                    return Err(Error::misuse(format!(
                        "the arguments are longer than {ARGUMENTS_BYTES} bytes together, which Linux may not take: give \
                         them by `stdin`"
                    )));
                }
            }
            What::Code(language, code) => {
                check_nul("the code", code)?;
                if language.interpreter.is_empty() {
                    return Err(Error::misuse(
                        "the language names no interpreter: give at least the program",
                    ));
                }
                language
                    .interpreter
                    .iter()
                    .try_for_each(|word| check_text("the interpreter", word))?;
            }
        }
        if let Some((cols, rows)) = self.tty {
            check_size(cols, rows)?;
            let long = match &self.what {
                What::Shell(code) | What::Code(_, code) => code.len() > ARGUMENT_BYTES,
                What::Argv(_) => false,
            };
            if long {
                return Err(Error::misuse(format!(
                    "code of more than {ARGUMENT_BYTES} bytes cannot be run on a terminal: put it into a file of the \
                     container first"
                )));
            }
        }
        self.env.iter().try_for_each(|(name, value)| check_env(name, value))?;
        if self.env.contains_key(MARK) {
            return Err(Error::misuse(format!(
                "the environment variable {MARK} is pocket-dock's own: use another name"
            )));
        }
        self.workdir.as_deref().map_or(Ok(()), check_workdir)?;
        self.user.as_deref().map_or(Ok(()), |user| check_text("the user", user))
    }
}

/// The environment variable by which the processes of one command are found.
pub(crate) const MARK: &str = "POCKET_DOCK_EXEC";

/// Refuses a terminal of nothing.
pub(crate) fn check_size(cols: u16, rows: u16) -> Result<(), Error> {
    if cols == 0 || rows == 0 {
        return Err(Error::misuse("a terminal has at least one column and one row"));
    }
    Ok(())
}

fn check_nul(what: &str, text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::misuse(format!(
            "{what} has a NUL character in it, which no program can be given: remove it"
        )));
    }
    Ok(())
}

impl From<&str> for Command {
    fn from(line: &str) -> Self {
        Self::shell(line)
    }
}

impl From<String> for Command {
    fn from(line: String) -> Self {
        Self::shell(line)
    }
}

impl From<&String> for Command {
    fn from(line: &String) -> Self {
        Self::shell(line)
    }
}

/// How code of one language is run: by an interpreter that takes code as an argument, or as a file.
///
/// ```
/// use pocket_dock_core::{Command, Language};
///
/// let ruby = Language::new(["ruby"]).code_flag("-e");
/// let hello = Command::lang(ruby, "puts :hello");
/// # let _ = hello;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    pub(crate) interpreter: Vec<String>,
    pub(crate) flag: String,
}

impl Language {
    /// A language by the words of its interpreter. The code follows a `-c`; see [`code_flag`](Self::code_flag). Code of
    /// more than 96 KiB is given as a file instead, named by a path under `/proc/self/fd`.
    pub fn new<I>(interpreter: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            interpreter: interpreter.into_iter().map(Into::into).collect(),
            flag: "-c".to_owned(),
        }
    }

    /// The option behind which the interpreter takes code: `-c` by default, `-e` for Ruby, Perl and Node.
    #[must_use]
    pub fn code_flag(mut self, flag: impl Into<String>) -> Self {
        self.flag = flag.into();
        self
    }

    /// Python 3, by `python3 -u`: its output is seen as it is written.
    #[must_use]
    pub fn python() -> Self {
        Self::new(["python3", "-u"])
    }

    /// The image's POSIX shell.
    #[must_use]
    pub fn sh() -> Self {
        Self::new(["/bin/sh"])
    }

    /// Bash.
    #[must_use]
    pub fn bash() -> Self {
        Self::new(["bash"])
    }
}

impl From<&str> for Language {
    /// `"python"`, `"python3"`, `"sh"`, `"bash"`, `"node"`, `"ruby"` and `"perl"` are known; any other name is taken for
    /// an interpreter that takes code behind `-c`. Some take that for something else, such as `php`, and may do nothing and
    /// call it well: make those with [`new`](Self::new) and [`code_flag`](Self::code_flag).
    fn from(name: &str) -> Self {
        match name {
            "python" | "python3" => Self::python(),
            "sh" => Self::sh(),
            "node" | "ruby" | "perl" => Self::new([name]).code_flag("-e"),
            other => Self::new([other]),
        }
    }
}

impl From<String> for Language {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&String> for Language {
    fn from(name: &String) -> Self {
        Self::from(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_as_it_is_at_hand() {
        let (line, name) = ("echo 1".to_owned(), "perl".to_owned());
        for command in [Command::from(&line), Command::from(line.clone())] {
            assert!(matches!(command.what, What::Shell(taken) if taken == line));
        }
        let perl = Language::new(["perl"]).code_flag("-e");
        assert_eq!([Language::from(&name), Language::from(name)], [perl.clone(), perl]);
    }

    #[test]
    fn of_variables_the_last_of_a_name_holds() {
        let command = Command::from("x")
            .env("A", "0")
            .envs([("A", "1"), ("B", "2")])
            .env("B", "3");
        let pairs: Vec<_> = command.env.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "3")]);
        assert!(Command::from("x").envs([("A=B", "1")]).check().is_err());
    }

    #[test]
    fn what_cannot_be_run_is_refused_before_anything_is_sent() {
        assert_eq!(Command::from("").check(), Ok(()));
        for wrong in [
            Command::argv(Vec::<String>::new()),
            Command::argv([""]),
            Command::argv(["echo", "a\0b"]),
            Command::argv(["echo".to_owned(), "x".repeat(ARGUMENT_BYTES + 1)]),
            Command::from("echo \0"),
            Command::lang(Language::new(Vec::<String>::new()), "x"),
            Command::from("x").env(MARK, "1"),
            Command::from("x").workdir("tmp"),
            Command::from("x").user(""),
            Command::from("x").tty(0, 24),
            Command::from("x".repeat(ARGUMENT_BYTES + 1)).tty(80, 24),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
        }
    }
}
