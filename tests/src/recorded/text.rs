//! A recording as a file.
//!
//! ```text
//! a conversation of pocket-dock's suite, form 1
//! case missing_image
//! engine docker-28
//! salt 8f0c…
//! text HTTP/1.1 200 OK\r\n                       texts 0, 1, …, of which the others are made
//! request 1234 POST /v1.51/… \{0 1 2}            µs since the case began, and what was sent
//!  thread 1                                      which thread sent it, if not the first
//!  came 812 HTTP/1.1 200 OK\r\n…                 µs since then, and what came
//!  sent 900 12345                                what was sent behind an upgrade
//!  sent 950 #65536 0123456789abcdef              a lot of it: how many bytes, and their hash
//!  finished 950 | unsendable 950 BrokenPipe      our side's end
//!  ended 990 | broken 990 ConnectionReset        the engine's
//!  closed 995                                    the connection was closed
//! question 2000 GET /containers/pd-0a1b2c3d/json
//!  body …                                        none if there is none
//!  answer 200 …                                  or: failure …
//! ```

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::time::Duration;

use super::escape::Texts;
use super::model::{Event, Exchange, Input, Question, Recording, What};

const TITLE: &str = "a conversation of pocket-dock's suite, form 1";

/// The failures that engines cause, by name; any other is the last.
const KINDS: [(&str, ErrorKind); 5] = [
    ("BrokenPipe", ErrorKind::BrokenPipe),
    ("ConnectionReset", ErrorKind::ConnectionReset),
    ("ConnectionAborted", ErrorKind::ConnectionAborted),
    ("NotConnected", ErrorKind::NotConnected),
    ("Other", ErrorKind::Other),
];

impl Recording {
    /// As the text of a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let texts = Texts::of(self.payloads());
        let mut out = format!(
            "{TITLE}\ncase {}\nengine {}\nsalt {:016x}\n",
            self.case, self.engine, self.salt
        );
        let none = Texts::default();
        for text in texts.iter() {
            let _ = writeln!(out, "text {}", none.write(text));
        }
        for exchange in &self.exchanges {
            let at = exchange.at.as_micros();
            let _ = writeln!(out, "request {at} {}", texts.write(&exchange.request));
            if exchange.thread > 0 {
                let _ = writeln!(out, " thread {}", exchange.thread);
            }
            for event in &exchange.events {
                let (word, what) = told(&event.what, &texts);
                let space = if what.is_empty() { "" } else { " " };
                let _ = writeln!(out, " {word} {}{space}{what}", event.after.as_micros());
            }
            if let Some(closed) = exchange.closed {
                let _ = writeln!(out, " closed {}", closed.as_micros());
            }
        }
        for asked in &self.questions {
            let at = asked.at.as_micros();
            let path = texts.write(asked.path.as_bytes());
            let _ = writeln!(out, "question {at} {} {path}", asked.method);
            if !asked.body.is_empty() {
                let _ = writeln!(out, " body {}", texts.write(&asked.body));
            }
            let _ = match &asked.answer {
                Ok((status, body)) if body.is_empty() => writeln!(out, " answer {status}"),
                Ok((status, body)) => writeln!(out, " answer {status} {}", texts.write(body)),
                Err(why) => writeln!(out, " failure {}", texts.write(why.as_bytes())),
            };
        }
        out
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(TITLE) {
            return Err(format!("it does not begin with {TITLE:?}"));
        }
        let (mut recording, mut texts) = (Self::default(), Texts::default());
        for (number, line) in lines {
            recording
                .take(line, &mut texts)
                .ok_or_else(|| format!("line {} is not understood", number + 1))?;
        }
        Ok(recording)
    }

    fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let exchanges = self.exchanges.iter().flat_map(|exchange| {
            let events = exchange.events.iter().filter_map(|event| match &event.what {
                What::Came(bytes) => Some(&bytes[..]),
                What::Sent(Input::Bytes(bytes)) => Some(&bytes[..]),
                _ => None,
            });
            [&exchange.request[..]].into_iter().chain(events)
        });
        let questions = self.questions.iter().flat_map(|asked| {
            let answer = asked.answer.as_ref().map_or(&[][..], |(_, body)| body);
            [asked.path.as_bytes(), &asked.body, answer]
        });
        exchanges.chain(questions)
    }

    fn take(&mut self, line: &str, texts: &mut Texts) -> Option<()> {
        let (word, rest) = line.trim_start().split_once(' ')?;
        if line.starts_with(' ') {
            return self.detail(word, rest, texts);
        }
        match word {
            "case" => self.case = rest.to_owned(),
            "engine" => self.engine = rest.to_owned(),
            "salt" => self.salt = u64::from_str_radix(rest, 16).ok()?,
            "text" => texts.add(Texts::default().read(rest)?),
            "request" => {
                let (at, request) = rest.split_once(' ')?;
                self.exchanges.push(Exchange {
                    at: micros(at)?,
                    request: texts.read(request)?,
                    ..Exchange::default()
                });
            }
            "question" => {
                let (at, rest) = rest.split_once(' ')?;
                let (method, path) = rest.split_once(' ')?;
                self.questions.push(Question {
                    at: micros(at)?,
                    method: method.to_owned(),
                    path: String::from_utf8(texts.read(path)?).ok()?,
                    body: Vec::new(),
                    answer: Err("no answer was recorded".to_owned()),
                });
            }
            _ => return None,
        }
        Some(())
    }

    fn detail(&mut self, word: &str, rest: &str, texts: &Texts) -> Option<()> {
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "thread" => self.exchanges.last_mut()?.thread = first.parse().ok()?,
            "closed" => self.exchanges.last_mut()?.closed = Some(micros(first)?),
            "body" => self.questions.last_mut()?.body = texts.read(rest)?,
            "answer" => self.questions.last_mut()?.answer = Ok((first.parse().ok()?, texts.read(second)?)),
            "failure" => {
                self.questions.last_mut()?.answer = Err(String::from_utf8(texts.read(rest)?).ok()?);
            }
            _ => {
                let what = match word {
                    "came" => What::Came(texts.read(second)?.into()),
                    "sent" => What::Sent(match second.strip_prefix('#') {
                        Some(known) => {
                            let (length, hash) = known.split_once(' ')?;
                            Input::Hash(length.parse().ok()?, u64::from_str_radix(hash, 16).ok()?)
                        }
                        None => Input::Bytes(texts.read(second)?),
                    }),
                    "finished" => What::Finished,
                    "unsendable" => What::Unsendable(kind(second)?),
                    "ended" => What::Ended,
                    "broken" => What::Broken(kind(second)?),
                    _ => return None,
                };
                let after = micros(first)?;
                self.exchanges.last_mut()?.events.push(Event { after, what });
            }
        }
        Some(())
    }
}

fn told(what: &What, texts: &Texts) -> (&'static str, String) {
    match what {
        What::Came(bytes) => ("came", texts.write(bytes)),
        What::Sent(Input::Bytes(bytes)) => {
            let text = texts.write(bytes);
            // What begins like a hash is told from one.
            let text = text
                .strip_prefix('#')
                .map_or(text.clone(), |rest| format!("\\x23{rest}"));
            ("sent", text)
        }
        What::Sent(Input::Hash(length, hash)) => ("sent", format!("#{length} {hash:016x}")),
        What::Finished => ("finished", String::new()),
        What::Unsendable(why) => ("unsendable", name(*why).to_owned()),
        What::Ended => ("ended", String::new()),
        What::Broken(why) => ("broken", name(*why).to_owned()),
    }
}

fn micros(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_micros)
}

fn name(kind: ErrorKind) -> &'static str {
    let known = KINDS.iter().find(|(_, one)| *one == kind);
    known.map_or("Other", |(name, _)| name)
}

fn kind(name: &str) -> Option<ErrorKind> {
    KINDS.iter().find(|(one, _)| *one == name).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let event = |after, what| Event {
            after: Duration::from_micros(after),
            what,
        };
        let events = vec![
            event(1, What::Came(b"HTTP/1.1 101 UPGRADED\r\n\r\n"[..].into())),
            event(2, What::Sent(Input::of(b"#1 \\n\n".to_vec()))),
            event(3, What::Sent(Input::of(vec![7; 5000]))),
            event(4, What::Unsendable(ErrorKind::BrokenPipe)),
            event(5, What::Finished),
            event(6, What::Came(vec![0; 40].into())),
            event(7, What::Ended),
            event(8, What::Broken(ErrorKind::ConnectionReset)),
        ];
        let question = |body: &[u8], answer| Question {
            at: Duration::from_micros(9),
            method: "GET".to_owned(),
            path: "/a?b".to_owned(),
            body: body.to_vec(),
            answer,
        };
        let recording = Recording {
            case: "some_case".to_owned(),
            engine: "docker-20".to_owned(),
            salt: 0x1234,
            exchanges: vec![Exchange {
                at: Duration::from_millis(1),
                request: b"POST / HTTP/1.1\r\nUpgrade: tcp\r\n\r\n".to_vec(),
                events,
                closed: Some(Duration::from_micros(9)),
                thread: 2,
            }],
            questions: vec![
                question(b"", Ok((200, b"{}".to_vec()))),
                question(b"body", Err("no answer\nin time".to_owned())),
                question(b"", Ok((204, Vec::new()))),
            ],
        };
        let text = recording.to_text();
        assert_eq!(Recording::from_text(&text), Ok(recording));
        let wrong = text.replace("question 9 GET", "question 9");
        assert_eq!(
            Recording::from_text(&wrong),
            Err("line 16 is not understood".to_owned())
        );
        assert!(Recording::from_text("").is_err());
    }
}
