//! What is written to the shell of a session.

use super::Flags;

/// The first line: makes the copies of both streams, and tells the shell's process id. `ID` stands for the id of its
/// borders.
pub(crate) const HELLO: &str =
    "exec 8>&1 9>&2; command printf '__PD_ID_%d__\\n' \"$$\" >&8; command printf '__PD_ID_0__\\n' >&9\n";

/// The environment variable by which the processes of one command of a session are found.
pub(crate) const TURN_MARK: &str = "POCKET_DOCK_TURN";

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

/// One command. `id`: 32 hex digits. `flags`: what was on behind the command before. `stdin`: a file that is its standard
/// input, and is removed behind it.
pub(crate) fn turn(id: &str, command: &str, flags: Flags, stdin: Option<&str>) -> String {
    let mut line = String::with_capacity(command.len() + 700);
    let again = flags.restored();
    let input = stdin.map_or_else(|| "/dev/null".to_owned(), quoted);
    // A return that no function catches would end dash and ash.
    let open = if command.contains("return") {
        "__pd_turn() { "
    } else {
        ""
    };
    line.push_str(open);
    line.push_str(&format!("{TURN_MARK}={id} command eval '{again}"));
    line.push_str(&command.replace('\'', "'\\''"));
    // The newline ends a comment, or what a trailing backslash would go on with.
    line.push_str("\n'");
    line.push_str(&format!(" <{input} 8>&- 9>&-; "));
    if !open.is_empty() {
        line.push_str("}; __pd_turn \"$@\"; ");
    }
    line.push_str(&format!(
        "{{ command printf '__PD_%s_%d__\\n' {id} \"$?\" >&8; \
         case $- in *x*v* | *v*x*) command set +xv; command printf '__PD_%s_xv__\\n' {id} >&9 ;; \
         *x*) command set +x; command printf '__PD_%s_x__\\n' {id} >&9 ;; \
         *v*) command set +v; command printf '__PD_%s_v__\\n' {id} >&9 ;; \
         *) command printf '__PD_%s_0__\\n' {id} >&9 ;; esac; command set +eu; "
    ));
    if stdin.is_some() {
        line.push_str(&format!("command rm -f {input}; "));
    }
    line.push_str("} >/dev/null 2>&1\n");
    line
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_word_whatever_is_in_it() {
        let line = turn("00", "echo 'it'\\''s'; cat <<E\nx\nE", Flags::default(), None);
        assert!(line.starts_with("POCKET_DOCK_TURN=00 command eval 'echo '\\''it'\\''\\'\\'''\\''s'\\''; cat <<E\nx\nE\n' </dev/null 8>&- 9>&-; {"));
        assert!(line.ends_with("} >/dev/null 2>&1\n"));
    }

    #[test]
    fn what_was_traced_is_traced_again() {
        let flags = Flags::read("xv").unwrap_or_default();
        assert!(turn("00", "true", flags, None).contains("eval 'set -xv\ntrue\n'"));
    }

    #[test]
    fn a_return_has_a_function_to_return_from() {
        let line = turn("00", "return 3", Flags::default(), None);
        assert!(line.starts_with("__pd_turn() { POCKET_DOCK_TURN=00 command eval 'return 3\n' "));
        assert!(line.contains("; }; __pd_turn \"$@\"; { command printf"));
    }
}
