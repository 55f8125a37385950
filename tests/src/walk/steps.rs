//! The commands of a walk.

use std::time::Duration;

use super::Shell;
use super::model::{DIRECTORIES, Model, Stderr, Step, Variable, octal, quoted};
use super::random::Random;

const NAMES: [&str; 4] = ["v1", "v2", "v3", "v4"];
const FUNCTIONS: [&str; 3] = ["f1", "f2", "f3"];

impl Model {
    /// The next command.
    pub(super) fn step(&mut self, random: &mut Random) -> Step {
        let mut step = match random.below(200) {
            0..24 => self.directories(random),
            24..60 => self.assignments(random),
            60..80 => self.calls(random),
            80..86 => self.aliases(random),
            86..98 => self.in_the_background(random),
            98..118 => self.failures(random),
            118..126 => self.subshells(random),
            126..142 => self.binary(random),
            142..148 => self.input(random),
            148..156 => self.options(random),
            156..172 => self.scripts(random),
            172..182 => self.syntax_errors(random),
            182..188 => self.floods(random),
            188..194 => markers(random),
            194..198 => self.exits(random),
            198 if random.one_in(4) => self.time_out(),
            _ => Step::new("").out(""),
        };
        if self.traced
            && let Stderr::Exactly(said) = step.stderr
        {
            step.stderr = Stderr::Traced(said);
        }
        // It tells what it traces itself.
        match step.text.as_str() {
            "set -x" => self.traced = true,
            "set +x" if self.traced => {
                self.traced = false;
                // Bash counts the evaluation that the command is in.
                let said: &[u8] = if self.shell == Shell::Bash {
                    b"++ set +x\n"
                } else {
                    b"+ set +x\n"
                };
                step.stderr = Stderr::Exactly(said.to_vec());
            }
            _ => {}
        }
        step
    }

    fn directories(&mut self, random: &mut Random) -> Step {
        match random.below(5) {
            0 => Step::new("pwd").out(format!("{}\n", self.directory)),
            1 => Step::new("sh -c 'printf %s \"$PWD\"'").out(self.directory.clone()),
            2 if self.before.is_some() => {
                let to = self.before.clone().unwrap_or_default();
                self.go(&to);
                Step::new("cd -").out(format!("{to}\n"))
            }
            3 => {
                let code = if self.shell == Shell::Bash { 1 } else { 2 };
                Step::new("cd nowhere-at-all").code(code).said(Stderr::Complaint)
            }
            _ => {
                let to = format!("{}{}", self.root, random.one_of(&DIRECTORIES));
                // There is always a way over the top of the walk.
                let up = self.directory[self.root.len()..].matches('/').count();
                let words = if random.one_in(2) && to.len() > self.root.len() {
                    format!(
                        "cd -- {}",
                        quoted(&format!("./{}.{}", "../".repeat(up), &to[self.root.len()..]))
                    )
                } else {
                    format!("cd {}", quoted(&to))
                };
                self.go(&to);
                Step::new(words)
            }
        }
    }

    fn assignments(&mut self, random: &mut Random) -> Step {
        let name = *random.one_of(&NAMES);
        let value = random.text(8);
        match random.below(7) {
            0 | 1 => {
                self.set(name, &value);
                Step::new(format!("{name}={}", quoted(&value)))
            }
            2 => {
                self.variables.insert(
                    name,
                    Variable {
                        value: value.clone(),
                        exported: true,
                    },
                );
                Step::new(format!("export {name}={}", quoted(&value)))
            }
            3 => {
                self.variables.remove(name);
                Step::new(format!("unset {name}"))
            }
            4 => {
                let seen = self.variables.get(name).filter(|variable| variable.exported);
                let seen = seen.map_or("unset", |variable| variable.value.as_str());
                Step::new(format!("sh -c 'printf %s \"${{{name}-unset}}\"'")).out(seen)
            }
            5 => {
                let both = format!("{value}{}", self.value(name));
                Step::new(format!(
                    "{name}={} sh -c 'printf %s \"${name}\"'; printf %s \"${name}\"",
                    quoted(&value)
                ))
                .out(both)
            }
            _ => Step::new(format!("printf %s \"${name}\"")).out(self.value(name)),
        }
    }

    fn calls(&mut self, random: &mut Random) -> Step {
        let name = *random.one_of(&FUNCTIONS);
        let text = random.text(5);
        match random.below(6) {
            0 | 1 => {
                let code = random.code();
                self.functions.insert(name, (text.clone(), code));
                Step::new(format!(
                    "{name}() {{\n printf '%s<%s>' {} \"$1\"\n return {code}\n}}",
                    quoted(&text)
                ))
            }
            2 => {
                self.functions.remove(name);
                Step::new(format!("unset -f {name}; true"))
            }
            3 => {
                self.set("v1", &text);
                Step::new(format!("setter() {{ v1=$1; }}; setter {}", quoted(&text)))
            }
            _ => match self.functions.get(name) {
                Some((word, code)) => Step::new(format!("{name} {}", quoted(&text)))
                    .out(format!("{word}<{text}>"))
                    .code(*code),
                None => Step::new(name).code(127).said(Stderr::Complaint),
            },
        }
    }

    /// Bash has none where nobody types.
    fn aliases(&mut self, random: &mut Random) -> Step {
        match random.below(3) {
            0 => {
                let word = random.hex();
                let step = Step::new(format!("alias aa='printf {word}-%s'"));
                self.alias = Some(word);
                step
            }
            1 => {
                self.alias = None;
                Step::new("unalias -a")
            }
            _ => match &self.alias {
                Some(word) if self.shell != Shell::Bash => Step::new("aa x").out(format!("{word}-x")),
                _ => Step::new("aa x").code(127).said(Stderr::Complaint),
            },
        }
    }

    fn in_the_background(&mut self, random: &mut Random) -> Step {
        // A job that is traced would tell what it does in other commands' time.
        match random.below(4) {
            0 if !self.traced => {
                let word = random.hex();
                let step = Step::new(format!(
                    "(sleep 0.0{}; printf 'late %s\\n' {word}) & printf now",
                    random.below(9)
                ))
                .out("now");
                self.late.push(format!("late {word}\n"));
                self.jobs = true;
                step
            }
            1 if !self.traced => {
                self.jobs = true;
                Step::new("sleep 0.2 & printf held").out("held")
            }
            2 => Step::new("sleep 50 & kill $!; wait $!").code(143).said(Stderr::Any),
            _ => self.settle(),
        }
    }

    /// Waits for all jobs.
    fn settle(&mut self) -> Step {
        self.jobs = false;
        let mut step = Step::new("wait");
        step.settles = true;
        step
    }

    fn failures(&mut self, random: &mut Random) -> Step {
        let code = random.code();
        match random.below(9) {
            0 => Step::new("false").code(1),
            1 => Step::new(format!("sh -c 'exit {code}'")).code(code),
            2 => Step::new(format!("printf half; (exit {code})")).out("half").code(code),
            3 => Step::new("no-such-command-at-all").code(127).said(Stderr::Complaint),
            4 => Step::new("/etc/passwd").code(126).said(Stderr::Complaint),
            5 => Step::new("sh -c 'printf x; kill -9 $$'")
                .out("x")
                .code(137)
                .said(Stderr::Any),
            6 => Step::new("sh -c 'kill -TERM $$'").code(143).said(Stderr::Any),
            // Bash refuses it.
            7 if self.shell == Shell::Bash => Step::new(format!("return {code}")).code(2).said(Stderr::Complaint),
            7 => Step::new(format!("return {code}")).code(code),
            _ => Step::new(*random.one_of(&["break", "continue", "break 3", "continue 7"])).said(Stderr::Any),
        }
    }

    fn subshells(&self, random: &mut Random) -> Step {
        let name = *random.one_of(&NAMES);
        let text = random.text(6);
        let code = random.code();
        match random.below(3) {
            0 => Step::new(format!(
                "(cd / && {name}={} && printf '%s:%s' \"$PWD\" \"${name}\"; exit {code})",
                quoted(&text)
            ))
            .out(format!("/:{text}"))
            .code(code),
            1 => {
                // A substitution takes the newlines off the end.
                let text = text.trim_end_matches('\n').to_owned();
                Step::new(format!("printf '%s.' \"$(printf %s {})\"", quoted(&text))).out(format!("{text}."))
            }
            _ => Step::new(
                "if (printf x >&8) 2>/dev/null || (printf x >&9) 2>/dev/null; then printf open; else printf shut; fi",
            )
            .out("shut"),
        }
    }

    fn input(&mut self, random: &mut Random) -> Step {
        let (line, rest) = (random.text(6).replace('\n', " "), random.bytes(600));
        match random.below(6) {
            0 => Step::new("cat").stdin(rest.clone()).out(rest),
            1 => {
                // A NUL in what follows is no shell's affair: it is never read by one.
                self.set("v2", &line);
                let data = [line.as_bytes(), b"\n", &rest].concat();
                Step::new("IFS= read -r v2; cat").stdin(data).out(rest)
            }
            2 => Step::new("head -c 5")
                .stdin([&b"12345"[..], &rest].concat())
                .out("12345"),
            3 => Step::new("sh")
                .stdin("echo from; echo input >&2; exit 6")
                .out("from\n")
                .err("input\n")
                .code(6),
            4 => {
                self.set("v3", "");
                Step::new("IFS= read -r v3").code(1)
            }
            _ => Step::new("cat; sh; head -c 1"),
        }
    }

    fn options(&self, random: &mut Random) -> Step {
        match random.below(6) {
            0 | 1 => Step::new("set -x"),
            2 | 3 => Step::new("set +x"),
            4 => Step::new("set -e; true; printf e").out("e"),
            _ => Step::new("set -u; printf u").out("u"),
        }
    }

    fn scripts(&mut self, random: &mut Random) -> Step {
        let text: String = random.text(20).lines().map(|line| format!("| {line}\n")).collect();
        match random.below(7) {
            0 => {
                Step::new("for i in 1 2 3; do\n  if [ $i = 2 ]; then\n    continue\n  fi\n  printf '%s,' \"$i\"\ndone")
                    .out("1,3,")
            }
            1 => Step::new(format!("cat <<'E'\n{text}E")).out(text),
            2 => Step::new(format!("cat <<'E' >&2\n{text}E\nprintf end"))
                .out("end")
                .err(text),
            3 => {
                let count = random.below(400);
                self.set("v4", &count.to_string());
                Step::new(format!("v4=0\n{}printf %s $v4", "v4=$((v4+1))\n".repeat(count))).out(count.to_string())
            }
            4 => Step::new("case $PWD in\n  /*) printf absolute ;;\n  *) printf other ;;\nesac # a comment")
                .out("absolute"),
            5 => Step::new("printf one; \\\nprintf two \\").out("onetwo"),
            _ => Step::new("while IFS= read -r line; do printf '%s.' \"$line\"; done <<E\n1\n2\nE\n").out("1.2."),
        }
    }

    fn syntax_errors(&self, random: &mut Random) -> Step {
        let texts = [
            "if true",
            "echo \"open",
            "echo 'open",
            "echo `open",
            "echo ) x",
            "case x in",
            "for",
            "f4() {",
            "(",
            "{ echo",
            "a && || b",
            "while true; do",
            "echo $(open",
        ];
        let mut text = *random.one_of(&texts);
        // Bash 5.2 destroys its own heap by it, with and without us, and aborts some commands later.
        if self.shell == Shell::Bash && text == "echo $(open" {
            text = "echo ${open";
        }
        Step::new(text).code(2).said(Stderr::Complaint)
    }

    fn floods(&mut self, random: &mut Random) -> Step {
        let count = random.below(300_000);
        let flood = format!("head -c {count} /dev/zero | tr '\\0' ");
        match random.below(3) {
            0 => Step::new(format!("{flood} x")).out(vec![b'x'; count]),
            1 => Step::new(format!("{flood} x; {flood} y >&2; printf end; (exit 3)"))
                .out([&vec![b'x'; count][..], b"end"].concat())
                .err(vec![b'y'; count])
                .code(3),
            // What comes late could be what is left out.
            _ if self.jobs => self.settle(),
            _ => {
                let mut step = Step::new(format!("printf begin; {flood} x; printf end"))
                    .out([b"begin", &vec![b'x'; count][..], b"end"].concat());
                step.limit = Some(1000);
                step
            }
        }
    }

    fn binary(&self, random: &mut Random) -> Step {
        let (out, err) = (random.bytes(300), random.bytes(300));
        // What `cat` is traced with would come between.
        let text = match random.below(if self.traced { 2 } else { 3 }) {
            0 => format!("printf '{}'; printf '{}' >&2", octal(&out), octal(&err)),
            1 => format!("printf '{}' >&2; printf '{}'", octal(&err), octal(&out)),
            _ => format!("{{ printf '{}'; printf '{}' >&2; }} | cat", octal(&out), octal(&err)),
        };
        Step::new(text).out(out).err(err)
    }

    fn exits(&mut self, random: &mut Random) -> Step {
        if self.jobs {
            return self.settle();
        }
        let code = random.code();
        let step = match random.below(7) {
            0 => Step::new(format!("exit {code}")).code(code),
            1 => Step::new(format!("printf last; printf words >&2; exit {code}"))
                .out("last")
                .err("words")
                .code(code),
            2 => Step::new("set -e; printf before; false; printf behind")
                .out("before")
                .code(1),
            3 => Step::new(format!("trap 'printf bye' EXIT; exit {code}"))
                .out("bye")
                .code(code),
            4 => Step::new(format!("exec sh -c 'printf other; exit {code}'"))
                .out("other")
                .code(code),
            // On Docker, the supervisor of an exec says that it was killed.
            5 => Step::new("kill -9 $$").code(137).said(Stderr::Any),
            _ => Step::new(format!("eval 'exit {code}'; printf behind")).code(code),
        };
        step.exits()
    }

    fn time_out(&mut self) -> Step {
        self.set("v1", "kept");
        let mut step = Step::new("v1=kept; printf part; sleep 500")
            .out("part")
            .code(137)
            .said(Stderr::Any);
        step.timeout = Some(Duration::from_millis(300));
        step
    }
}

/// What looks like the end of a command.
fn markers(random: &mut Random) -> Step {
    let id = random.hex();
    let code = *random.one_of(&["0", "3", "x", "xv", "", "12345678901", "255"]);
    let (end, cut) = (*random.one_of(&["__\n", "__", "_", ""]), random.below(40));
    let whole = format!("__PD_{id}_{code}{end}");
    let text = if random.one_in(3) {
        whole[..cut.min(whole.len())].to_owned()
    } else {
        whole
    };
    Step::new(format!("printf %s {0}; printf %s {0} >&2", quoted(&text)))
        .out(text.clone())
        .err(text)
}
