//! What a shell is, as far as commands of a walk can tell.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Shell;

/// A command of a walk, and what it must give.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) stdin: Option<Vec<u8>>,
    pub(super) limit: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) code: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Stderr,
    /// The shell ends with it.
    pub(super) exits: bool,
    /// All that was left in the background has ended behind it.
    pub(super) settles: bool,
}

/// What stands on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stderr {
    Exactly(Vec<u8>),
    /// This among what is traced.
    Traced(Vec<u8>),
    /// A complaint, in the words of the shell.
    Complaint,
    /// The shell may say something, or not.
    Any,
}

impl Step {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            stdin: None,
            limit: None,
            timeout: None,
            code: 0,
            stdout: Vec::new(),
            stderr: Stderr::Exactly(Vec::new()),
            exits: false,
            settles: false,
        }
    }

    pub(super) fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    pub(super) fn out(mut self, out: impl Into<Vec<u8>>) -> Self {
        self.stdout = out.into();
        self
    }

    pub(super) fn err(mut self, err: impl Into<Vec<u8>>) -> Self {
        self.stderr = Stderr::Exactly(err.into());
        self
    }

    pub(super) fn said(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self
    }

    pub(super) fn stdin(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(data.into());
        self
    }

    pub(super) fn exits(mut self) -> Self {
        self.exits = true;
        self
    }
}

/// A variable.
#[derive(Debug, Clone, Default)]
pub(super) struct Variable {
    pub(super) value: String,
    pub(super) exported: bool,
}

/// The state of the shell.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) shell: Shell,
    /// The directory that all of the walk is in.
    pub(super) root: String,
    pub(super) directory: String,
    pub(super) before: Option<String>,
    pub(super) variables: BTreeMap<&'static str, Variable>,
    /// What they print in front of their argument, and return.
    pub(super) functions: BTreeMap<&'static str, (String, i32)>,
    pub(super) alias: Option<String>,
    pub(super) traced: bool,
    /// What jobs print, and was not seen yet.
    pub(super) late: Vec<String>,
    /// There are jobs.
    pub(super) jobs: bool,
}

/// Directories under the root.
pub(super) const DIRECTORIES: [&str; 5] = ["", "/a", "/a/b", "/c", "/d e'f"];

impl Model {
    pub(super) fn new(shell: Shell, root: &str) -> Self {
        Self {
            shell,
            root: root.to_owned(),
            directory: root.to_owned(),
            before: None,
            variables: BTreeMap::new(),
            functions: BTreeMap::new(),
            alias: None,
            traced: false,
            late: Vec::new(),
            jobs: false,
        }
    }

    /// What a variable stands for.
    pub(super) fn value(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", |variable| variable.value.as_str())
    }

    /// Sets a variable, which stays exported if it is.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        value.clone_into(&mut self.variables.entry(name).or_default().value);
    }

    pub(super) fn go(&mut self, to: &str) {
        self.before = Some(std::mem::replace(&mut self.directory, to.to_owned()));
    }
}

/// As one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The bytes as `printf` of any shell takes them.
pub(super) fn octal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:03o}")).collect()
}
