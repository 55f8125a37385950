//! What a recording consists of. Times are those of the clock of the case, since it began.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;

/// What was said between one case of the suite and one engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    /// The name of the case.
    pub case: String,
    /// The name of the engine in the lab.
    pub engine: String,
    /// What the host's randomness began with, so that names are different ones on every recording.
    pub salt: u64,
    /// Requests of the library under test, in the order in which they were made.
    pub exchanges: Vec<Exchange>,
    /// What the second opinion was asked.
    pub questions: Vec<Question>,
}

/// One request, and all that happened on its connection until the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// When the last byte of the request was sent.
    pub at: Duration,
    /// The request as it was sent, without its `User-Agent`.
    pub request: Vec<u8>,
    /// What followed.
    pub events: Vec<Event>,
    /// When the connection was closed, by us and on both sides, if this was its last request.
    pub closed: Option<Duration>,
    /// Which of the threads of the case sent it, in the order of their first requests.
    pub thread: usize,
}

/// Something that happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, since the last byte of the request.
    pub after: Duration,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// These bytes were sent behind an upgrade.
    Sent(Input),
    /// The sending side was closed.
    Finished,
    /// Nothing could be sent any more.
    Unsendable(ErrorKind),
    /// These bytes came.
    Came(Bytes),
    /// The engine closed its side.
    Ended,
    /// Reading failed.
    Broken(ErrorKind),
}

impl What {
    /// Whether it is our doing, and not the engine's.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Sent(_) | Self::Finished | Self::Unsendable(_))
    }
}

/// Bytes that were sent; of many, only what is needed to know them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// They themselves.
    Bytes(Vec<u8>),
    /// How many, and their hash.
    Hash(usize, u64),
}

impl Input {
    /// More than this many bytes are known by their hash.
    const MOST: usize = 512;

    /// As it is written down.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        if bytes.len() > Self::MOST {
            Self::Hash(bytes.len(), hash(&bytes))
        } else {
            Self::Bytes(bytes)
        }
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Hash(length, _) => *length,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether these are the bytes.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(own) => own == bytes,
            Self::Hash(length, own) => *length == bytes.len() && *own == hash(bytes),
        }
    }
}

/// FNV-1a, with each bit of the result mixed.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}

impl Exchange {
    /// The request line.
    #[must_use]
    pub fn line(&self) -> String {
        let end = self.request.windows(2).position(|two| two == b"\r\n");
        String::from_utf8_lossy(&self.request[..end.unwrap_or(self.request.len())]).into_owned()
    }

    /// Whether asking twice changes nothing.
    #[must_use]
    pub fn is_question(&self) -> bool {
        self.request.starts_with(b"GET ")
    }

    /// Whether the connection became a stream: what is sent then is no request.
    #[must_use]
    pub fn is_upgraded(&self) -> bool {
        const UPGRADE: &[u8] = b"\r\nUpgrade: ";
        if !self.request.windows(UPGRADE.len()).any(|window| window == UPGRADE) {
            return false;
        }
        let mut status = Vec::new();
        for event in &self.events {
            if let What::Came(bytes) = &event.what {
                status.extend_from_slice(&bytes[..bytes.len().min(12)]);
            }
            if status.len() >= 12 {
                break;
            }
        }
        matches!(status.get(9..12), Some(b"101" | b"200"))
    }
}

/// What the second opinion was asked, and what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// When it was asked.
    pub at: Duration,
    /// Such as `GET`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// The body of the request.
    pub body: Vec<u8>,
    /// Status and body of the answer, or why there was none.
    pub answer: Result<(u16, Vec<u8>), String>,
}
