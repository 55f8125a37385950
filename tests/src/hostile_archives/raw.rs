//! Tar archives put together byte by byte, as no honest program would.

const BLOCK: usize = 512;

/// An archive that is being made. Without [`end`](Self::end), it has none.
#[derive(Debug, Clone, Default)]
pub struct Tar(Vec<u8>);

/// A header whose fields are what they are set to.
#[derive(Debug, Clone)]
pub struct Header([u8; BLOCK]);

impl Header {
    /// Of an entry of this type, with a name of up to 100 bytes; of a longer one, the beginning.
    #[must_use]
    pub fn new(kind: u8, name: &[u8]) -> Self {
        Self([0; BLOCK])
            .field(0, 100, name)
            .octal(100, 8, 0o644)
            .octal(108, 8, 0)
            .octal(116, 8, 0)
            .octal(124, 12, 0)
            .octal(136, 12, 1_000_000_000)
            .field(156, 1, &[kind])
            .field(257, 8, b"ustar\x0000")
    }

    /// Bytes at an offset, at most so many, the rest zeros.
    #[must_use]
    pub fn field(mut self, at: usize, width: usize, bytes: &[u8]) -> Self {
        for (to, from) in self
            .0
            .iter_mut()
            .skip(at)
            .take(width)
            .zip(bytes.iter().chain(std::iter::repeat(&0)))
        {
            *to = *from;
        }
        self
    }

    /// An octal number in a field of this width.
    #[must_use]
    pub fn octal(self, at: usize, width: usize, number: u64) -> Self {
        let digits = width - 1;
        self.field(at, width, format!("{number:0digits$o}").as_bytes())
    }

    /// The permissions.
    #[must_use]
    pub fn mode(self, mode: u64) -> Self {
        self.octal(100, 8, mode)
    }

    /// The size that it declares.
    #[must_use]
    pub fn size(self, size: u64) -> Self {
        self.octal(124, 12, size)
    }

    /// Where a link leads.
    #[must_use]
    pub fn link(self, target: &[u8]) -> Self {
        self.field(157, 100, target)
    }

    /// What stands in front of the name.
    #[must_use]
    pub fn prefix(self, prefix: &[u8]) -> Self {
        self.field(345, 155, prefix)
    }

    /// The block, with its checksum.
    #[must_use]
    pub fn finish(self) -> [u8; BLOCK] {
        let blank = self.field(148, 8, b"        ");
        let sum = blank.0.iter().map(|byte| u64::from(*byte)).sum();
        blank.octal(148, 7, sum).0
    }
}

impl Tar {
    /// A header and what follows it, padded.
    pub fn add(&mut self, header: Header, content: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&header.finish());
        self.raw(content);
        let padded = self.0.len().next_multiple_of(BLOCK);
        self.0.resize(padded, 0);
        self
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// An honest entry, with records in front of it for what the header has no room for.
    fn entry(&mut self, kind: u8, mode: u64, name: &str, link: &str, content: &[u8]) -> &mut Self {
        if name.len() > 100 {
            self.long(b'L', name.as_bytes());
        }
        if link.len() > 100 {
            self.long(b'K', link.as_bytes());
        }
        let header = Header::new(kind, name.as_bytes()).mode(mode).link(link.as_bytes());
        self.add(header.size(content.len() as u64), content)
    }

    /// A file.
    pub fn file(&mut self, name: &str, content: &str) -> &mut Self {
        self.entry(b'0', 0o644, name, "", content.as_bytes())
    }

    /// A file with these permissions.
    pub fn program(&mut self, name: &str, mode: u64) -> &mut Self {
        self.entry(b'0', mode, name, "", b"evil")
    }

    /// A directory with these permissions.
    pub fn dir(&mut self, name: &str, mode: u64) -> &mut Self {
        self.entry(b'5', mode, name, "", b"")
    }

    /// A symbolic link.
    pub fn symlink(&mut self, name: &str, to: &str) -> &mut Self {
        self.entry(b'2', 0o777, name, to, b"")
    }

    /// A hard link.
    pub fn hard_link(&mut self, name: &str, to: &str) -> &mut Self {
        self.entry(b'1', 0o644, name, to, b"")
    }

    /// GNU's record for the name (`L`) or the link (`K`) of the next entry.
    pub fn long(&mut self, kind: u8, value: &[u8]) -> &mut Self {
        let value = [value, b"\0"].concat();
        self.add(Header::new(kind, b"././@LongLink").size(value.len() as u64), &value)
    }

    /// Pax records for the next entry (`x`) or all that follow (`g`).
    pub fn pax(&mut self, kind: u8, records: &[(&str, &[u8])]) -> &mut Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            // The length counts its own digits.
            let length = (rest + 1..)
                .find(|length| *length == rest + length.to_string().len())
                .unwrap_or(rest);
            text.extend_from_slice(format!("{length} {key}=").as_bytes());
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        self.add(Header::new(kind, b"pax").size(text.len() as u64), &text)
    }

    /// Two blocks of zeros.
    pub fn end(&mut self) -> &mut Self {
        self.raw(&[0; 2 * BLOCK])
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
