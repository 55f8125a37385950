//! What can go wrong between an archive and its entries.

/// How many characters of an entry's name a message shows.
const SHOWN_CHARS: usize = 256;

/// Bytes are not an archive, or an entry cannot be written into one.
///
/// In every variant, `entry` is the name of the entry, fit for a message: what is not printable is escaped, and what is
/// longer than 256 characters is cut. It is empty where no entry is known, as inside a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The bytes are not a tar archive, or a form of it that is not read.
    #[error(
        "the archive is malformed at byte {offset}{}: {detail}; it was damaged or is not a tar archive: get it anew from \
         where it came from", Of(.entry)
    )]
    Malformed {
        /// The entry that is wrong, or empty.
        entry: String,
        /// Where in the archive: the beginning of the header, block or record that is wrong.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The archive ends inside an entry or a header.
    #[error(
        "the archive ends too early{}: who sent it stopped before its end; what was read before is whole, get the rest \
         anew", Of(.entry)
    )]
    Truncated {
        /// The entry that is cut off, or empty if the cut is in a header.
        entry: String,
    },
    /// An item is larger than [`Limits`](crate::limits::Limits) allows.
    #[error(
        "the archive has more than {limit} {what}{}; raise this limit if its sender is to be trusted with more",
        Declared(*.declared)
    )]
    OverLimit {
        /// The thing that is limited, in the plural and with its unit.
        what: &'static str,
        /// The limit, in the unit that `what` names.
        limit: u64,
        /// The size that the archive declares, where it declares one.
        declared: Option<u64>,
    },
    /// The calls of an [`Encoder`](super::Encoder) do not make an archive: our side's fault.
    #[error(
        "the archive cannot be continued{}: {detail}; what was written of it is not whole: correct the calls and begin \
         a new one", Of(.entry)
    )]
    Misuse {
        /// The entry that was being written, or empty.
        entry: String,
        /// What is wrong with the call.
        detail: String,
    },
    /// No archive can hold this entry. Nothing of it has been written, and other entries may follow.
    #[error("the entry \"{entry}\" cannot be written into an archive: {detail}; change it or leave it out")]
    Unencodable {
        /// The entry that was given.
        entry: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ArchiveError {
    pub(super) fn malformed(entry: &[u8], offset: u64, detail: impl Into<String>) -> Self {
        Self::Malformed {
            entry: shown(entry),
            offset,
            detail: detail.into(),
        }
    }

    pub(super) fn misuse(entry: &[u8], detail: impl Into<String>) -> Self {
        Self::Misuse {
            entry: shown(entry),
            detail: detail.into(),
        }
    }

    pub(super) fn unencodable(entry: &[u8], detail: impl Into<String>) -> Self {
        Self::Unencodable {
            entry: shown(entry),
            detail: detail.into(),
        }
    }
}

/// What is wrong with a part of an archive, where neither the entry nor the place in the archive is known.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// At this byte of the part.
    Wrong { at: u64, detail: String },
    /// More segments than the limit.
    Segments { limit: usize, declared: Option<u64> },
}

impl Fault {
    pub(super) fn wrong(at: u64, detail: impl Into<String>) -> Self {
        Self::Wrong {
            at,
            detail: detail.into(),
        }
    }

    /// As an error, of the part that begins at `offset`.
    pub(super) fn of(self, entry: &[u8], offset: u64) -> ArchiveError {
        match self {
            Self::Wrong { at, detail } => ArchiveError::malformed(entry, offset.saturating_add(at), detail),
            Self::Segments { limit, declared } => ArchiveError::OverLimit {
                what: "segments in a sparse file",
                limit: limit as u64,
                declared,
            },
        }
    }
}

/// A name, fit for a message.
pub(super) fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    let mut chars = 0;
    for chunk in name.utf8_chunks() {
        let valid = chunk.valid().chars().map(|char| match char {
            '\'' | '"' => char.to_string(),
            _ => char.escape_debug().to_string(),
        });
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        for piece in valid.chain(invalid) {
            chars += piece.chars().count();
            if chars > SHOWN_CHARS {
                text.push('…');
                return text;
            }
            text.push_str(&piece);
        }
    }
    text
}

/// The entry as the message shows it.
struct Of<'a>(&'a str);

impl std::fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " (in the entry \"{}\")", self.0)
    }
}

/// The declared size as the message shows it.
struct Declared(Option<u64>);

impl std::fmt::Display for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |declared| write!(f, " (it declares {declared})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_messages() {
        assert_eq!(shown(b"plain/name it's"), "plain/name it's");
        assert_eq!(shown(b"a\nb\x1b[0m\xff\\"), "a\\nb\\u{1b}[0m\\xff\\\\");
        assert_eq!(shown("ü\u{202e}".as_bytes()), "ü\\u{202e}");
        assert_eq!(shown(&[b'x'; 256]), "x".repeat(256));
        assert_eq!(shown(&[b'x'; 257]), format!("{}…", "x".repeat(256)));
        assert_eq!(shown(&[0xff; 4096]).chars().count(), 257);
    }

    #[test]
    fn messages_say_what_happened_and_what_to_do() {
        let malformed = ArchiveError::malformed(b"a\0", 512, "its checksum is wrong").to_string();
        assert!(
            malformed.starts_with(
                "the archive is malformed at byte 512 (in the entry \"a\\0\"): its checksum is wrong; it was"
            ),
            "{malformed}"
        );
        let truncated = ArchiveError::Truncated { entry: String::new() }.to_string();
        assert!(truncated.starts_with("the archive ends too early: "), "{truncated}");
        let over = Fault::Segments {
            limit: 3,
            declared: Some(4),
        };
        assert!(
            over.of(b"", 0)
                .to_string()
                .starts_with("the archive has more than 3 segments in a sparse file (it declares 4); raise")
        );
    }
}
