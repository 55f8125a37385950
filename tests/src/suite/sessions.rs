//! The rows of what breaks persistent shells, on bash, dash and ash: what a command is given, and what it may print.

use std::time::Duration;

use pocket_dock_core::{CloseReason, ShellState, Turn};

use super::shells::each;
use super::{Adapter, Bench, Verdict, check, same};

pub(super) fn row_01_the_command_reads_stdin<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        at.gives("cat", 0, "", "")?;
        at.gives("read x; echo $?", 0, "1\n", "")?;
        at.gives("sh; cat -; (cat); cat | cat; cat & wait", 0, "", "")?;
        if at.shell != "ash" {
            at.gives("python3 -", 0, "", "")?;
            at.gives("python3 -c 'import sys; print(repr(sys.stdin.read()))'", 0, "''\n", "")?;
        }
        let given = at.wait(Turn::new("cat; read x; echo $?").stdin(&b"a\0\xff\n'b'"[..]))?;
        same("given", &given.stdout.to_bytes()[..], &b"a\0\xff\n'b'1\n"[..])?;
        let large = vec![b'x'; 300 << 10];
        at.outcome(Turn::new("wc -c").stdin(large), 0, "307200\n", "")?;
        at.outcome(Turn::new("read a; read b; echo $b$a").stdin("1\n2\n"), 0, "21\n", "")?;
        at.gives("cat", 0, "", "")?;
        at.nothing_stored()
    })
}

pub(super) fn row_02_redirections_and_loops<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        at.gives(
            "readlink /proc/self/fd/0; readlink /proc/$$/fd/0",
            0,
            "/dev/null\n/dev/null\n",
            "",
        )?;
        at.gives(
            "while read -r l; do echo \"<$l>\"; done <<E\na  b\n'c\\d\n$((1+1))\nE\necho end",
            0,
            "<a  b>\n<'c\\d>\n<2>\nend\n",
            "",
        )?;
        at.gives("cat <<'E' <<F\n$x\nE\n$((2+2))\nF", 0, "4\n", "")?;
        at.gives(
            "printf '1\\n2\\n' >/tmp/$$; while read n; do for m in a b; do echo $n$m; cat; done; done </tmp/$$",
            0,
            "1a\n2\n1b\n",
            "",
        )?;
        at.gives(
            "if [ -e /nosuch ] < /tmp/$$; then echo no; else cat < /tmp/$$; fi | tail -n 1",
            0,
            "2\n",
            "",
        )?;
        // What it does to its input is its own.
        at.gives("exec </tmp/$$; read x; echo $x", 0, "1\n", "")?;
        at.gives("cat; rm /tmp/$$; echo $x", 0, "1\n", "")
    })
}

pub(super) fn row_03_any_bytes<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        at.gives("printf 'no newline'", 0, "no newline", "")?;
        at.gives("printf 'no newline' >&2", 0, "", "no newline")?;
        at.gives("printf '\\n\\n'", 0, "\n\n", "")?;
        let octal: String = (0..=255).map(|byte| format!("\\{byte:03o}")).collect();
        let bytes: Vec<u8> = (0..=255).collect();
        let result = at.wait(format!("printf '{octal}'; printf '{octal}' >&2"))?;
        same("stdout", &result.stdout.to_bytes()[..], &bytes[..])?;
        same("stderr", &result.stderr.to_bytes()[..], &bytes[..])?;
        let cut =
            "printf '\\303'; sleep 0.05; printf '\\251\\342'; sleep 0.05; printf '\\202\\254'; printf '\\360\\237'";
        let result = at.wait(cut)?;
        same(
            "cut",
            &result.stdout.to_bytes()[..],
            &b"\xc3\xa9\xe2\x82\xac\xf0\x9f"[..],
        )?;
        let result = at.wait("head -c 3000000 /dev/zero; printf end")?;
        check(
            result.stdout.to_bytes().len() == 3_000_003 && result.stdout.to_bytes().ends_with(b"\0end"),
            || format!("{} bytes", result.stdout.to_bytes().len()),
        )?;
        at.gives("echo clean", 0, "clean\n", "")
    })
}

pub(super) fn row_04_output_that_comes_late<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let result = at.wait("(sleep 1; echo late; echo err >&2) & sleep 7 & echo now")?;
        same("stdout", result.stdout_text().as_ref(), "now\n")?;
        check(result.duration < Duration::from_millis(900), || {
            format!("it took {:?}", result.duration)
        })?;
        check(at.session.peek().is_empty(), || format!("{:?}", at.session.peek()))?;
        at.read_until(|out, err| out == b"late\n" && err == b"err\n")?;
        same("lost", at.session.lost_bytes(), 0)?;
        at.gives("echo next; kill $!", 0, "next\n", "")
    })
}

pub(super) fn row_05_what_is_no_command<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        // A heredoc without an end, and a backslash behind the last line, are no errors anywhere.
        at.gives("cat <<E\none\nE", 0, "one\n", "")?;
        let result = at.wait("cat <<E\none")?;
        same("open heredoc", result.stdout_text().as_ref(), "one\n")?;
        at.works()?;
        at.gives("echo one \\", 0, "one\n", "")?;
        at.gives("echo one # two", 0, "one\n", "")?;
        at.gives("# two", 0, "", "")?;
        at.gives("", 0, "", "")?;
        for open in [
            "echo 'one",
            "echo \"one",
            "echo `one",
            "echo $(one",
            "if true; then echo one",
            "while :; do echo one",
            "case x in",
            "f() { echo one",
            "echo one | ",
            "( echo one",
            ")",
            "fi",
            "echo one; }",
            "a=${",
            "&& true",
            "x=$((1+",
        ] {
            let result = at.wait(open)?;
            let got = (result.exit_code, result.shell, result.stdout_text().into_owned());
            same(open, got, (2, ShellState::Lives, String::new()))?;
            check(!result.stderr.to_bytes().is_empty(), || {
                format!("{open:?}: nothing is said")
            })?;
            at.works().map_err(|failure| format!("behind {open:?}: {failure}"))?;
        }
        Ok(())
    })
}

pub(super) fn row_06_the_command_exits<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let result = at.wait("echo one; echo two >&2; exit 3; echo three")?;
        let got = (result.exit_code, result.shell, result.timed_out);
        same("result", got, (3, ShellState::Exited, false))?;
        same(
            "output",
            (&result.stdout.to_bytes()[..], &result.stderr.to_bytes()[..]),
            (&b"one\n"[..], &b"two\n"[..]),
        )?;
        at.is_closed("exit 3", |reason| *reason == CloseReason::Exited(3))?;
        same("close", at.bench.wait(at.session.close())?, ())?;
        at.is_closed("exit 3, closed", |reason| *reason == CloseReason::Exited(3))?;
        // The container goes on, also with what the shell left behind.
        at.reopen()?;
        at.gives("(exit 4)", 4, "", "")?;
        let result = at.wait("trap 'echo trapped' EXIT; exit")?;
        same(
            "in a trap",
            (result.exit_code, result.stdout_text().as_ref()),
            (0, "trapped\n"),
        )?;
        at.is_closed("exit", |reason| *reason == CloseReason::Exited(0))
    })
}

pub(super) fn row_07_set_minus_e_left_on<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        for option in ["e", "u", "eu", "x", "v", "xv", "f", "C", "a", "euxv"] {
            let result = at.wait(format!("set -{option}; echo on"))?;
            same(option, (result.exit_code, result.stdout_text().as_ref()), (0, "on\n"))?;
            let result = at.wait("false; (exit 7)")?;
            same(option, result.exit_code, 7)?;
            let traces = option.contains('x') || option.contains('v');
            check(traces || result.stderr.to_bytes().is_empty(), || {
                format!("{option}: it printed {:?}", result.stderr_text())
            })?;
            let text = result.stderr_text().into_owned();
            check(!text.contains("__PD") && !text.contains("__pd"), || {
                format!("{option}: {text:?}")
            })?;
            // What is traced is the command's own.
            check(!option.contains('x') || text.contains("+ false"), || {
                format!("{option}: {text:?}")
            })?;
            at.wait(format!("set +{option}"))?;
            at.works().map_err(|failure| format!("behind {option}: {failure}"))?;
        }
        // It holds for the command that says it.
        let result = at.wait("set -e; false; echo no")?;
        same("set -e", (result.exit_code, result.shell), (1, ShellState::Exited))?;
        same("set -e", result.stdout_text().as_ref(), "")?;
        at.is_closed("set -e", |reason| *reason == CloseReason::Exited(1))?;
        at.reopen()?;
        let result = at.wait("set -u; echo ${never}; echo no")?;
        check(result.exit_code != 0 && result.stdout.to_bytes().is_empty(), || {
            format!("{result:?}")
        })?;
        if result.shell == ShellState::Exited {
            at.reopen()?;
        }
        at.works()
    })
}

pub(super) fn row_08_the_shell_is_replaced<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        let soon = |result: &pocket_dock_core::TurnResult| {
            let took = result.duration;
            check(took < Duration::from_secs(2), || format!("it took {took:?}"))
        };
        let result = at.wait("exec sh -c 'echo other; exit 5'")?;
        same("exec", (result.exit_code, result.shell), (5, ShellState::Exited))?;
        same("exec", result.stdout_text().as_ref(), "other\n")?;
        soon(&result)?;
        at.is_closed("exec", |reason| *reason == CloseReason::Exited(5))?;

        at.reopen()?;
        let result = at.wait(Turn::new("exec sleep 3600").timeout(Duration::from_millis(200)))?;
        let got = (result.exit_code, result.shell, result.timed_out);
        same("exec, too long", got, (137, ShellState::Exited, true))?;
        at.is_closed("exec, too long", |reason| *reason == CloseReason::Exited(137))?;

        at.reopen()?;
        let result = at.wait("echo one; kill -9 $$; echo two")?;
        same("kill", (result.exit_code, result.shell), (137, ShellState::Exited))?;
        same("kill", result.stdout_text().as_ref(), "one\n")?;
        soon(&result)?;
        at.is_closed("kill", |reason| *reason == CloseReason::Exited(137))?;

        at.reopen()?;
        let result = at.wait("exec /nosuch/program")?;
        check(matches!(result.exit_code, 126 | 127), || format!("{result:?}"))?;
        if result.shell == ShellState::Exited {
            at.reopen()?;
        }
        at.works()?;
        // Its streams are its own to close; the end is seen all the same.
        at.gives("exec 3>&1 4>&2 1>&-; true", 0, "", "")?;
        at.gives("exec 2>&-; (exit 6)", 6, "", "")?;
        at.gives("exec >&3 2>&4 3>&- 4>&-; echo back; echo err >&2", 0, "back\n", "err\n")?;
        at.gives("exec 3>&1 >/dev/null", 0, "", "")?;
        at.gives("echo unseen", 0, "", "")?;
        at.gives("exec >&3 3>&-", 0, "", "")?;
        at.gives("exec 8>&- 9>&-", 0, "", "")?;
        at.gives("exec 8>/dev/null 9>/dev/null; echo seen", 0, "seen\n", "")?;
        at.works()
    })
}

pub(super) fn row_09_what_the_user_redefines<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        for name in [
            "echo", "printf", "read", "eval", "set", "trap", "unset", "test", "rm", "kill", "builtin", "command",
            "true",
        ] {
            // Ash and dash let nobody redefine what POSIX calls special.
            at.wait(format!("{name}() {{ :; }}"))?;
            at.gives("(exit 3)", 3, "", "")
                .map_err(|failure| format!("{name}: {failure}"))?;
            at.gives("cat /proc/self/cmdline >/dev/null", 0, "", "")?;
            at.wait(format!("unset -f {name}"))?;
            at.wait(format!("\\unset -f {name}; \\command unset -f {name}"))?;
            if !at.session.is_alive() {
                return Err(format!("{name} ended the shell").into());
            }
            if at.shell == "bash" && matches!(name, "unset" | "eval" | "set" | "trap") {
                at.wait(format!("builtin unset -f {name}"))?;
            }
        }
        at.works()?;
        for proxy in [
            "command() { echo called >&2; \"$@\"; }; printf() { echo no; }",
            "command() { return 9; }",
        ] {
            at.wait(proxy)?;
            at.gives("(exit 4)", 4, "", "")?;
            at.wait("unset -f printf")?;
        }
        at.wait("shopt -s expand_aliases 2>/dev/null; true")?;
        for name in [
            "echo", "printf", "read", "eval", "command", "set", "unset", "rm", "builtin", "true",
        ] {
            at.wait(format!("alias {name}='false x'"))?;
            at.gives("(exit 3)", 3, "", "")
                .map_err(|failure| format!("alias {name}: {failure}"))?;
            at.wait("unalias -a")?;
        }
        at.works()?;
        at.gives(
            "POCKET_DOCK_TURN=x; unset POCKET_DOCK_TURN; export POCKET_DOCK_TURN=y",
            0,
            "",
            "",
        )?;
        at.gives("IFS=0123456789abcdef_; PATH=/nosuch", 0, "", "")?;
        at.gives("(exit 8)", 8, "", "")?;
        at.gives(
            "unset IFS; PATH=/usr/local/bin:/usr/bin:/bin; unset POCKET_DOCK_TURN",
            0,
            "",
            "",
        )?;
        at.gives("alias; f() { echo $1; }; f kept", 0, "kept\n", "")?;
        at.gives(
            "trap 'echo bye' EXIT; trap '' INT TERM HUP; trap 'echo usr' USR1",
            0,
            "",
            "",
        )?;
        at.gives("(exit 5)", 5, "", "")?;
        at.gives("kill -USR1 $$; :", 0, "usr\n", "")?;
        if at.shell == "bash" {
            at.wait("set -o posix; set +o posix")?;
            at.wait("trap 'echo debug; false' DEBUG; trap 'echo error' ERR; trap 'echo return' RETURN; set -ET")?;
            let result = at.wait("(exit 6)")?;
            same("traps", result.exit_code, 6)?;
            let text = result.stdout_text().into_owned();
            check(text.contains("debug\n") && text.contains("error\n"), || text.clone())?;
            at.wait("trap - DEBUG ERR RETURN; set +ET")?;
        }
        at.works()?;
        let result = at.wait("exit 9")?;
        same("exit", (result.exit_code, result.stdout_text().as_ref()), (9, "bye\n"))
    })
}

pub(super) fn row_10_break_and_return_at_the_top<A: Adapter>(bench: &Bench<A>) -> Verdict {
    each(bench, |at| {
        for jump in [
            "break",
            "continue",
            "break 5",
            "continue 3",
            "return",
            "return 3",
            "f() { return 4; }; f",
            "f; return; echo no",
        ] {
            let result = at.wait(format!("x=$((x+1)); {jump}"))?;
            same(jump, result.shell, ShellState::Lives)?;
            at.works().map_err(|failure| format!("behind {jump}: {failure}"))?;
        }
        at.gives("echo $x; f", 4, "8\n", "")?;
        at.gives(
            "for i in 1 2 3; do for j in 1 2; do [ $i = 2 ] && continue 2; [ $j = 2 ] && break; echo $i$j; done; done",
            0,
            "11\n31\n",
            "",
        )?;
        if at.shell == "bash" {
            at.gives("declare -A map=([k]=v); g() { return 0; }", 0, "", "")?;
            at.gives("echo ${map[k]}", 0, "v\n", "")?;
        } else {
            at.gives("return 3", 3, "", "")?;
        }
        at.works()
    })
}
