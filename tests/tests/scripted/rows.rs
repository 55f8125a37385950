//! The twenty rows, as dialogues; each has the name of its case on real engines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_dock_core::{Channel, CloseReason, ContainerError, Error, ExecStream, ShellState, Signal, Turn};
use pocket_dock_tests::scripted::Scripted;

use crate::sessions::{At, RING_BYTES, row};

/// What a command is given that does not end.
const LIMIT: Duration = Duration::from_millis(250);

/// What was heard of which command, on stderr or not.
type Heard = BTreeMap<(String, bool), Vec<u8>>;

macro_rules! rows {
    ($($name:ident: [$($dialogue:expr),* $(,)?];)*) => {
        $(
            #[test]
            fn $name() {
                row(stringify!($name), &[$($dialogue),*]);
            }
        )*
    };
}

rows! {
    row_01_the_command_reads_stdin: [
        |at| {
            at.gives("cat", 0, "", "");
            at.gives("read x; echo $?", 0, "1\n", "");
        },
        |at| {
            let given = at.wait(Turn::new("cat; read x; echo $?").stdin(&b"a\0\xff\n'b'"[..]));
            assert_eq!(&given.stdout.to_bytes()[..], b"a\0\xff\n'b'1\n");
            at.gives("cat", 0, "", "");
        },
    ];
    row_02_redirections_and_loops: [
        |at| {
            let text = "while read -r l; do echo \"<$l>\"; done <<E\na  b\n'c\\d\n$((1+1))\nE\nreadlink /proc/$$/fd/0";
            at.gives(text, 0, "<a  b>\n<'c\\d>\n<2>\n/dev/null\n", "");
        },
        |at| {
            at.gives("printf '1\\n' >/tmp/$$; exec </tmp/$$; read x; echo $x", 0, "1\n", "");
            at.gives("cat; rm /tmp/$$; echo $x", 0, "1\n", "");
        },
    ];
    row_03_any_bytes: [
        |at| {
            at.gives("printf 'no newline'; printf no >&2", 0, "no newline", "no");
            at.gives("printf '\\n\\n'", 0, "\n\n", "");
        },
        |at| {
            let octal: String = (0..=255).map(|byte| format!("\\{byte:03o}")).collect();
            let result = at.wait(format!("printf '{octal}'; printf '\\377\\000\\n' >&2"));
            assert!(result.stdout.to_bytes().iter().copied().eq(0..=255), "{result:?}");
            assert_eq!(&result.stderr.to_bytes()[..], b"\xff\0\n");
        },
        |at| {
            let result = at.wait("printf '\\303'; sleep 0.2; printf '\\251\\342'; printf '\\202\\254\\360\\237'");
            assert_eq!(&result.stdout.to_bytes()[..], b"\xc3\xa9\xe2\x82\xac\xf0\x9f");
        },
    ];
    row_04_output_that_comes_late: [
        |at| {
            at.gives("(sleep 0.2; echo late; echo err >&2) & echo now", 0, "now\n", "");
            assert!(at.session.peek().is_empty());
            assert_eq!(at.late(), ("late\n".to_owned(), "err\n".to_owned()));
            at.gives("echo next", 0, "next\n", "");
        },
        |at| {
            // So early that it comes in one piece with the border.
            at.gives("(sleep 0.05; echo late) & echo now", 0, "now\n", "");
            assert_eq!(at.late(), ("late\n".to_owned(), String::new()));
        },
    ];
    row_05_what_is_no_command: [
        |at| {
            let result = at.wait("if true; then echo one");
            assert!(result.exit_code == 2 && !result.stderr_text().is_empty(), "{result:?}");
            at.works();
        },
        |at| {
            let result = at.wait("echo 'one");
            assert_eq!(result.shell, ShellState::Lives, "{result:?}");
            at.works();
        },
        |at| {
            let result = at.wait("cat <<E\none");
            assert_eq!(result.stdout_text(), "one\n");
            at.gives("echo one \\", 0, "one\n", "");
        },
    ];
    row_06_the_command_exits: [
        |at| {
            let result = at.ends("echo one; echo two >&2; exit 3; echo three", 3, "one\n");
            assert_eq!(result.stderr_text(), "two\n");
            at.session.close().unwrap();
            at.is_closed(|reason| *reason == CloseReason::Exited(3));
        },
        |at| drop(at.ends("trap 'echo trapped' EXIT; exit", 0, "trapped\n")),
        // What could be the beginning of a border, and is the end.
        |at| drop(at.ends("printf __PD_; exit 4", 4, "__PD_")),
    ];
    row_07_set_minus_e_left_on: [
        |at| traced(at, "x"),
        |at| traced(at, "v"),
        |at| {
            at.gives("set -eu; echo on", 0, "on\n", "");
            at.gives("false; (exit 7)", 7, "", "");
        },
        |at| drop(at.ends("set -e; false; echo no", 1, "")),
    ];
    row_08_the_shell_is_replaced: [
        |at| drop(at.ends("exec sh -c 'echo other; exit 5'", 5, "other\n")),
        |at| drop(at.ends("echo one; kill -9 $$; echo two", 137, "one\n")),
        |at| {
            let result = at.ends(Turn::new("exec sleep 4100").timeout(LIMIT), 137, "");
            assert!(result.timed_out, "{result:?}");
        },
        |at| {
            at.gives("exec 3>&1 4>&2 >/dev/null 2>&-; echo unseen", 0, "", "");
            at.gives("exec >&3 2>&4 8>&- 9>&-; echo back; echo err >&2", 0, "back\n", "err\n");
        },
    ];
    row_09_what_the_user_redefines: [
        |at| {
            at.gives("for f in printf echo read test rm kill true; do eval \"$f() { :; }\"; done; command() { return 9; }", 0, "", "");
            at.gives("(exit 3)", 3, "", "");
        },
        |at| {
            let aliases = "for f in echo printf read eval command set unset rm builtin; do alias $f='false x'; done";
            at.gives(format!("shopt -s expand_aliases 2>/dev/null; {aliases}"), 0, "", "");
            at.gives("(exit 3)", 3, "", "");
        },
        |at| {
            at.gives("IFS=0123456789abcdef_; PATH=/nosuch; trap 'echo bye' EXIT; trap '' INT TERM", 0, "", "");
            at.ends("exit 9", 9, "bye\n");
        },
        |at| {
            let traps = if at.shell == "bash" { "trap 'echo debug; false' DEBUG; set -ET" } else { ":" };
            at.wait(traps);
            let result = at.wait("(exit 6)");
            assert_eq!((result.exit_code, result.stdout_text().contains("debug\n")), (6, at.shell == "bash"));
        },
    ];
    row_10_break_and_return_at_the_top: [
        |at| {
            jumps(at, "break 5");
        },
        |at| {
            jumps(at, "continue");
        },
        |at| {
            let result = jumps(at, "return 3");
            assert!(result == 3 || at.shell == "bash", "{result}");
        },
        |at| at.gives("f() { return 4; }; f", 4, "", ""),
    ];
    row_11_a_timeout: [
        |at| times_out(at, "kept='v 1'; cd /proc; echo part; sleep 4100; echo no", "part\n"),
        |at| times_out(at, "kept='v 1'; cd /proc; f() { while :; do :; done; }; f; echo no", ""),
    ];
    row_12_an_interrupt: [
        |at| interrupted(at, "sleep 4100; echo no"),
        |at| interrupted(at, "while :; do :; done; echo no"),
    ];
    row_13_both_streams_are_complete: [
        |at| {
            let numbers: String = (1..=30).map(|number| format!("{number}\n")).collect();
            let stderr = format!("{numbers}last\n");
            at.gives("seq 1 30; seq 1 30 >&2; echo last >&2; printf end", 0, &format!("{numbers}end"), &stderr);
        },
        |at| {
            at.gives("(sleep 0.2; echo err >&2) | cat; echo out", 0, "out\n", "err\n");
            assert!(at.session.read().is_empty());
        },
    ];
    row_14_what_looks_like_a_border: [
        |at| {
            let forged = "__PD_fedcba98765432100123456789abcdef_0__\n";
            let text = format!("printf '{forged}'; printf '{forged}' >&2; echo on; (exit 3)");
            at.gives(text, 3, &format!("{forged}on\n"), forged);
        },
        |at| {
            at.gives("(exit 6)", 6, "", "");
            // The very border of the command before.
            let old = format!("__PD_{}_6__\n", at.told().1);
            at.gives(format!("printf '{old}'; printf '{old}' >&2; echo on; (exit 4)"), 4, &format!("{old}on\n"), &old);
        },
        |at| {
            let result = at.wait("echo \"__PD_${POCKET_DOCK_TURN}_0__\"; printf '__PD_'; printf \"__PD_${POCKET_DOCK_TURN}_0_\" >&2; (exit 5)");
            let own = at.told().0;
            let got = (result.exit_code, &*result.stdout_text(), &*result.stderr_text());
            assert_eq!(got, (5, &*format!("__PD_{own}_0__\n__PD_"), &*format!("__PD_{own}_0_")));
        },
    ];
    row_15_much_output: [
        |at| {
            let result = at.wait(Turn::new("printf head; seq 1 60; printf tail; (exit 3)").output_limit(40));
            let (code, kept) = (result.exit_code, result.stdout.to_bytes());
            assert!(code == 3 && kept.starts_with(b"head1\n") && kept.ends_with(b"60\ntail"), "{result:?}");
            assert_eq!((kept.len(), result.stdout.omitted_bytes), (40, 179 - 40));
        },
        |at| {
            at.session.send("seq 1 100; printf end").unwrap();
            at.works();
            let read = at.session.read();
            assert!(read.len() <= RING_BYTES && read.stdout().ends_with(b"100\nend"), "{read:?}");
            assert_eq!(read.len() as u64 + read.lost_bytes(), 295);
        },
    ];
    row_16_prompts_come_as_they_are: [
        |at| {
            let mut stream = at.session.stream("for n in 1 2 3; do printf '\\r%s%%' $n; printf . >&2; sleep 0.2; done").unwrap();
            let began = at.runtime.elapsed();
            for step in 1..=3_u32 {
                read_until(&mut stream, &format!("\r{step}%"), ".");
                let took = at.runtime.elapsed() - began;
                let due = Duration::from_millis(200) * (step - 1);
                assert!(took >= due && took < due + Duration::from_millis(200), "{step}: {took:?}");
            }
            assert_eq!(stream.next().unwrap(), None);
            assert_eq!(stream.result().unwrap().exit_code, 0);
        },
    ];
    row_17_a_long_script: [
        |at| {
            let lines: String = (0..300).map(|number| format!("x={number}\n")).collect();
            at.gives(format!("{lines}echo $x; (exit 3)"), 3, "299\n", "");
        },
        |at| {
            let line = format!("n=$((n+1)) # {}\n", "x".repeat(990));
            at.gives(format!("{}echo $n; cat; return 5; echo no", line.repeat(140)), 5, "140\n", "");
            at.gives("echo $n", 0, "140\n", "");
        },
    ];
    row_18_the_shell_or_its_container_is_killed: [
        |at| {
            let mut stream = at.session.stream("echo on; sleep 4100").unwrap();
            read_until(&mut stream, "on\n", "");
            at.sim.kill_shells();
            assert_eq!(stream.result().unwrap().exit_code, 137);
            at.is_closed(|reason| *reason == CloseReason::Exited(137));
        },
        |at| {
            let mut stream = at.session.stream("echo on; sleep 4100").unwrap();
            read_until(&mut stream, "on\n", "");
            at.sim.remove_all();
            let error = stream.result().unwrap_err();
            assert!(matches!(&error, Error::SessionClosed { reason } if is_gone(reason)), "{error:?}");
            at.is_closed(is_gone);
        },
    ];
    row_19_exit_codes_and_signals: [
        |at| {
            for code in [126, 129, 255] {
                at.gives(format!("(exit {code})"), code, "", "");
            }
        },
        |at| {
            let result = at.wait("sh -c 'kill -KILL $$'");
            assert_eq!((result.exit_code, result.signal()), (137, Some(Signal::Kill)));
            at.gives("echo $?", 0, "0\n", "");
        },
    ];
    row_20_many_callers: [
        |at| {
            let said: Arc<Mutex<Heard>> = Arc::default();
            let heard = Arc::clone(&said);
            at.session.on_output(move |origin, channel, data| {
                let key = (origin.process.clone(), channel == Channel::Stderr);
                heard.lock().unwrap().entry(key).or_default().extend_from_slice(data);
            });
            for number in 0..3 {
                at.session.send(format!("n=$((n+1)); printf {number},; printf e{number} >&2")).unwrap();
            }
            at.gives("echo $n; (exit 4)", 4, "3\n", "");
            let turns = at.turns();
            let read = at.session.read();
            assert_eq!((&*read.stdout_text(), &*read.stderr_text()), ("0,1,2,", "e0e1e2"));
            let said = std::mem::take(&mut *said.lock().unwrap());
            let of = |turn: usize, is_err| said.get(&(turns[turn].clone(), is_err)).map(Vec::as_slice);
            for number in 0..3 {
                assert_eq!(of(number, false), Some(format!("{number},").as_bytes()));
                assert_eq!(of(number, true), Some(format!("e{number}").as_bytes()));
            }
            assert_eq!((of(3, false), of(3, true), said.len()), (Some(&b"3\n"[..]), None, 7));
        },
    ];
}

/// What is traced is the command's own.
fn traced(at: &mut At<'_>, option: &str) {
    at.wait(format!("set -{option}"));
    let result = at.wait("false; (exit 7)");
    let text = result.stderr_text().into_owned();
    assert!(result.exit_code == 7 && result.stdout_text().is_empty(), "{result:?}");
    assert!(!text.contains("__pd") && !text.contains("__PD"), "{text}");
    assert!(option != "x" || text.contains("+ false"), "{text}");
    at.wait(format!("set +{option}"));
    at.works();
}

/// What leaves nothing of ours; its exit code.
fn jumps(at: &mut At<'_>, jump: &str) -> i32 {
    let result = at.wait(jump);
    assert_eq!(result.shell, ShellState::Lives, "{result:?}");
    at.works();
    result.exit_code
}

/// A command whose time is over, in a shell that is as it was.
fn times_out(at: &mut At<'_>, text: &str, stdout: &str) {
    let result = at.wait(Turn::new(text).timeout(LIMIT));
    let got = (result.exit_code, result.timed_out, result.shell, &*result.stdout_text());
    assert_eq!(got, (137, true, ShellState::Lives, stdout), "{result:?}");
    assert!(result.killed.is_some_and(|report| report.is_clean()));
    at.gives("echo $kept; pwd; cat", 0, "v 1\n/proc\n", "");
}

fn interrupted(at: &mut At<'_>, text: &str) {
    let mut stream = at.session.stream(format!("kept=1; echo on; {text}")).unwrap();
    read_until(&mut stream, "on\n", "");
    assert_eq!(at.session.interrupt().unwrap().signalled, [7]);
    let mut rest = Vec::new();
    while let Some(piece) = stream.next().unwrap() {
        assert_eq!(piece.channel, Channel::Stderr, "{piece:?}");
        rest.extend_from_slice(&piece.data);
    }
    at.note(String::from_utf8_lossy(&rest));
    assert_eq!(stream.result().unwrap().exit_code, 130);
    at.gives("echo $kept", 0, "1\n", "");
}

/// Reads until so much is there, which is all there is.
fn read_until(stream: &mut ExecStream<Scripted>, stdout: &str, stderr: &str) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while out.len() < stdout.len() || err.len() < stderr.len() {
        let piece = stream.next().unwrap().unwrap();
        match piece.channel {
            Channel::Stdout => out.extend_from_slice(&piece.data),
            Channel::Stderr => err.extend_from_slice(&piece.data),
        }
    }
    assert_eq!((&out[..], &err[..]), (stdout.as_bytes(), stderr.as_bytes()));
}

fn is_gone(reason: &CloseReason) -> bool {
    let CloseReason::Failed(error) = reason else {
        return false;
    };
    matches!(**error, Error::Container(ContainerError::Gone { .. }))
}
