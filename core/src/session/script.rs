//! What is written to the shell of a session.

use super::Flags;

/// The environment variable by which the processes of one command of a session are found.
pub(crate) const TURN_MARK: &str = "POCKET_DOCK_TURN";

/// The first lines: they make the copies of both streams, and tell the shell's process id and its kind in borders of this
/// id.
pub(crate) fn hello(border: &str) -> String {
    crate::shell::SESSION.replace("BORDER", border)
}

/// Behind a command that was told to end: puts back what that changed in the shell, and says in borders of this id that it
/// has. What bash has to say of jobs that were killed, it says in front of them.
pub(crate) fn again(border: &str, kind: Kind) -> String {
    let kind = match kind {
        Kind::Bash => "bash",
        Kind::Other => "sh",
    };
    format!(
        "\n{{ \\command jobs; case ${{__pd_again+x}} in x) \\command trap - DEBUG; \\command eval \"$__pd_again\"; \
         \\command unset __pd_again ;; esac; \\command printf '__PD_{border}_%d__\\n' \"$$\" >&8; \
         \\command printf '__PD_{border}_{kind}__\\n' >&9; }} >/dev/null 2>&1\n"
    )
}

/// What the shell is called for the time of a turn, and whatever it forks then that never becomes a program of its own.
/// `id`: the turn's.
pub(crate) fn name(id: &str) -> String {
    format!("sh:{}", short(id))
}

/// What it is called behind the turn, until the next one begins.
fn name_behind(id: &str) -> String {
    format!("sh.{}", short(id))
}

/// A name has room for so much.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or_default()
}

/// The program that is the shell: the one asked for, or bash where there is one.
pub(crate) fn shell(wanted: Option<&str>) -> Vec<String> {
    let words: &[&str] = match wanted {
        Some(shell) if shell.rsplit('/').next() == Some("bash") => &[shell, "--norc", "--noprofile", "-s"],
        Some(shell) => &[shell, "-s"],
        None => &[
            "/bin/sh",
            "-c",
            "command -v bash >/dev/null 2>&1 && exec bash --norc --noprofile -s; exec /bin/sh -s",
        ],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a shell is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    Bash,
    #[default]
    Other,
}

/// What of a command is in files of the container. They are removed behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) text: Option<String>,
    pub(crate) stdin: Option<String>,
}

impl Files {
    /// A command that does nothing but remove them.
    pub(crate) fn removal(self) -> (String, Self) {
        let text = self.text.map(|file| format!("\\command rm -f {}", quoted(&file)));
        let stdin = self.stdin;
        (text.unwrap_or_default(), Self { text: None, stdin })
    }
}

/// How one command is handed to the shell.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// By which its processes are found: 32 hex digits.
    pub(crate) id: &'a str,
    /// Of its borders: 32 hex digits that nothing in the container can have seen.
    pub(crate) border: &'a str,
    pub(crate) text: &'a str,
    pub(crate) files: &'a Files,
    /// What the shell was like behind the command before.
    pub(crate) flags: Flags,
    pub(crate) kind: Kind,
}

impl Line<'_> {
    /// The line, with its end.
    pub(crate) fn write(&self) -> String {
        let Self { id, border, .. } = self;
        let mut line = String::with_capacity(self.text.len() + 1000);
        let (name, behind) = (name(id), name_behind(id));
        // Behind a command that it could not parse, bash takes the first word for a word, whatever it is.
        line.push('\n');
        line.push_str(&format!(
            "{{ \\command printf {name} >|/proc/self/comm; __pd_code=; }} >/dev/null 2>&1; "
        ));
        // A return that no function catches would end dash and ash.
        let caught = self.kind == Kind::Other && self.files.text.is_none() && self.text.contains("return");
        if caught {
            line.push_str("__pd_turn() { ");
        }
        let again = self.flags.restored();
        line.push_str(&format!("{TURN_MARK}={id} \\command eval '{again}"));
        match &self.files.text {
            Some(file) => line.push_str(&inner(&format!("\\command . {}", quoted(file)))),
            None => line.push_str(&inner(self.text)),
        }
        // The newline ends a comment, and the other one what a backslash at the end goes on with: bash does not come back
        // well from the end of its text there.
        if self.text.ends_with('\\') {
            line.push('\n');
        }
        let input = self.files.stdin.as_deref().unwrap_or("/dev/null");
        line.push_str(&format!("\n' <{} 8>&- 9>&-; ", quoted(input)));
        if caught {
            line.push_str("}; __pd_turn \"$@\"; ");
        }
        // A code that is there already is that of what was told to end.
        line.push_str(&format!(
            "{{ __pd_code=${{__pd_code:-,$?}}; ${{BASH_VERSION:+\\builtin}} unset -f command; \
             case $__pd_code in ,*) __pd_on= ;; *) __pd_on=s ;; esac; \
             case $- in *x*) \\command set +x; __pd_on=${{__pd_on}}x ;; esac; \
             case $- in *v*) \\command set +v; __pd_on=${{__pd_on}}v ;; esac; \\command set +eu; \
             \\command printf {behind} >|/proc/self/comm; \
             \\command printf '__PD_%s_%d__\\n' {border} \"${{__pd_code#,}}\" >&8; \
             \\command printf '__PD_%s_0%s__\\n' {border} \"$__pd_on\" >&9; "
        ));
        for file in [&self.files.text, &self.files.stdin].into_iter().flatten() {
            line.push_str(&format!("\\command rm -f {}; ", quoted(file)));
        }
        line.push_str("} >/dev/null 2>&1\n");
        line
    }
}

/// As it is to be written between single quotes.
fn inner(text: &str) -> String {
    text.replace('\'', "'\\''")
}

fn quoted(text: &str) -> String {
    format!("'{}'", inner(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn line(text: &str, flags: Flags, kind: Kind) -> String {
        let files = &Files::default();
        Line {
            id: ID,
            border: "ff",
            text,
            files,
            flags,
            kind,
        }
        .write()
    }

    #[test]
    fn a_command_is_one_word_whatever_is_in_it() {
        let line = line("echo 'it'\\''s'; cat <<E\nx\nE", Flags::default(), Kind::Other);
        let word = r"\command eval 'echo '\''it'\''\'\'''\''s'\''; cat <<E";
        assert!(line.contains(&format!(
            "; POCKET_DOCK_TURN={ID} {word}\nx\nE\n' <'/dev/null' 8>&- 9>&-; {{"
        )));
        assert!(line.ends_with("} >/dev/null 2>&1\n"));
    }

    #[test]
    fn the_id_of_the_borders_is_not_the_one_that_a_command_sees() {
        let line = line("true", Flags::default(), Kind::Bash);
        assert!(line.contains(r"printf '__PD_%s_%d__\n' ff "));
    }

    #[test]
    fn the_shell_shows_by_its_name_when_it_is_at_a_turn_and_when_behind_it() {
        let line = line("true", Flags::default(), Kind::Bash);
        let parts = [
            "printf sh:001122334455 >|/proc/self/comm",
            "command eval 'true\n'",
            // Without errexit: where it cannot be named, it does not end.
            "command set +eu",
            "printf sh.001122334455 >|/proc/self/comm",
            "printf '__PD_%s_%d__",
        ];
        let places: Vec<_> = parts.iter().map(|part| line.find(part)).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    }

    #[test]
    fn what_was_traced_is_traced_again() {
        let flags = Flags::read("0xv").unwrap_or_default();
        assert!(line("true", flags, Kind::Bash).contains("eval 'set -xv\ntrue\n'"));
    }

    #[test]
    fn a_return_has_a_function_to_return_from_where_it_would_end_the_shell() {
        let caught = line("return 3", Flags::default(), Kind::Other);
        assert!(caught.contains("__pd_turn() { POCKET_DOCK_TURN="));
        assert!(caught.contains("; }; __pd_turn \"$@\"; { __pd_code="));
        assert!(!line("return 3", Flags::default(), Kind::Bash).contains("__pd_turn"));
    }

    #[test]
    fn a_command_in_a_file_is_read_from_there() {
        let files = Files {
            text: Some("/tmp/a".to_owned()),
            stdin: Some("/tmp/b".to_owned()),
        };
        let line = Line {
            id: ID,
            border: "ff",
            text: "return",
            files: &files,
            flags: Flags::default(),
            kind: Kind::Other,
        }
        .write();
        assert!(line.contains("command eval '\\command . '\\''/tmp/a'\\''\n' <'/tmp/b' 8>&-"));
        assert!(line.ends_with("command rm -f '/tmp/a'; \\command rm -f '/tmp/b'; } >/dev/null 2>&1\n"));
    }
}
