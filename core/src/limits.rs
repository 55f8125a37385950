//! How much of anything the core accepts from an engine.

use std::time::Duration;

/// No limit of time is longer: a hundred years, as long as an [`Instant`](std::time::Instant) is sure to hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_153_600_000);

/// The longest items that are accepted from an engine.
///
/// A length that the peer declares is never trusted and never allocated; every item that must be held until it is
/// complete has its limit here. An item over its limit is a [`ProtocolError::OverLimit`], and the connection it came
/// from is of no further use. The defaults are far above what Docker and Podman send.
///
/// ```
/// use pocket_dock_core::limits::Limits;
///
/// let mut limits = Limits::default();
/// limits.body_bytes = 64 * 1024 * 1024;
/// assert_eq!(limits.head_bytes, 64 * 1024);
/// ```
///
/// [`ProtocolError::OverLimit`]: crate::protocol_error::ProtocolError::OverLimit
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// One whole response head, from the status line to the blank line, in bytes. Default: 64 KiB.
    pub head_bytes: usize,
    /// Header fields in one response head. Default: 128.
    pub headers: usize,
    /// Interim (1xx) heads before the final one. Default: 16.
    pub interim_heads: usize,
    /// One chunk-size line with its extensions and its line end, in bytes. Default: 4 KiB.
    pub chunk_line_bytes: usize,
    /// All trailer lines behind the last chunk together, in bytes. Default: 16 KiB.
    pub trailer_bytes: usize,
    /// One response body that is collected whole before it is read, in bytes. Default: 16 MiB.
    ///
    /// Bodies that are streamed have no limit.
    pub body_bytes: usize,
    /// The declared payload of one stream frame, in bytes. Default: 16 MiB.
    pub frame_bytes: usize,
    /// One JSON object of a progress stream (build, load, import), in bytes. Default: 1 MiB. The stream as a whole has no
    /// limit, and of what it prints only the end is held.
    pub line_bytes: usize,
    /// What an archive tells of one entry beside its header (pax records, long names), in bytes. Default: 1 MiB.
    pub archive_header_bytes: usize,
    /// The segments of one sparse file in an archive; each takes 16 bytes of memory. Default: 262,144.
    pub archive_sparse_segments: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            headers: 128,
            interim_heads: 16,
            chunk_line_bytes: 4 * 1024,
            trailer_bytes: 16 * 1024,
            body_bytes: 16 * 1024 * 1024,
            frame_bytes: 16 * 1024 * 1024,
            line_bytes: 1024 * 1024,
            archive_header_bytes: 1024 * 1024,
            archive_sparse_segments: 256 * 1024,
        }
    }
}
