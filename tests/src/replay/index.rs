//! What the indices say about each recording.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// How a recorded response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// All responses have their own end.
    Complete,
    /// A raw stream of so many bytes until the connection is closed.
    Raw(usize),
    /// A response that says no length, with so many bytes until the connection is closed.
    NoLength(usize),
    /// A response to HEAD that says a length and has no body.
    Head,
    /// Chunks without an end: the client hung up.
    Open,
}

/// One recording as an index describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The statuses of all responses, interim ones too.
    pub statuses: Vec<u16>,
    /// How the last one ends.
    pub framing: Framing,
    /// The size of all responses together.
    pub bytes: usize,
}

/// What an index says about the recordings of one engine, by name.
pub type Index = BTreeMap<String, Verdict>;

impl Verdict {
    /// The index of one engine.
    ///
    /// # Errors
    /// It is not there, or is not one.
    pub fn index(engine: &str) -> io::Result<Index> {
        let file = if matches!(engine, "docker-20.10" | "podman-4.3") {
            "INDEX.md"
        } else {
            "INDEX-newer.md"
        };
        let column = if engine.starts_with("docker") { 3 } else { 4 };
        let text = fs::read_to_string(super::folder().join(file))?;
        let mut index = Index::new();
        for line in text
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| name "))
        {
            let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
            let [name, .., _] = cells[..] else { continue };
            match cells.get(column - 1) {
                Some(&"—") => {}
                cell => {
                    let verdict = cell.and_then(|cell| Self::parse(cell));
                    let verdict = verdict.ok_or_else(|| io::Error::other(format!("{file}: not understood: {line}")))?;
                    index.insert(name.to_owned(), verdict);
                }
            }
        }
        Ok(index)
    }

    /// Such as `[100, 200] complete 201B`, `[101] raw stream 11B 221B` or `[200] no length, 0B 305B`.
    fn parse(cell: &str) -> Option<Self> {
        let (statuses, rest) = cell.strip_prefix('[')?.split_once("] ")?;
        let (framing, bytes) = rest.rsplit_once(' ')?;
        let count = |text: &str| text.strip_suffix('B')?.parse().ok();
        let framing = match framing {
            "complete" => Framing::Complete,
            "HEAD reply" => Framing::Head,
            "open chunked stream (client closed)" => Framing::Open,
            other => match (other.strip_prefix("raw stream "), other.strip_prefix("no length, ")) {
                (Some(raw), _) => Framing::Raw(count(raw)?),
                (_, Some(rest)) => Framing::NoLength(count(rest)?),
                _ => return None,
            },
        };
        let statuses = statuses
            .split(", ")
            .map(|status| status.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            statuses,
            framing,
            bytes: count(bytes)?,
        })
    }
}
