//! How a response's body is delimited (RFC 9112, section 6.3), and whether its connection can be used again.

use super::head::ResponseHead;
use super::request::Method;
use crate::protocol_error::ProtocolError;

/// What follows a final response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection is closed.
    Close,
    /// The raw stream that the request asked for.
    Upgrade,
}

impl Framing {
    pub(super) fn of(head: &ResponseHead, method: Method, wants_upgrade: bool) -> Result<Self, ProtocolError> {
        match head.status {
            101 if wants_upgrade => return Ok(Self::Upgrade),
            101 => {
                return Err(ProtocolError::malformed(
                    "response",
                    "it is a 101 to a request that asked for no upgrade",
                ));
            }
            204 | 304 => return Ok(Self::None),
            _ if method == Method::Head => return Ok(Self::None),
            _ => {}
        }
        let chunked = transfer_encoding(head)?;
        let length = content_length(head)?;
        match (chunked, length) {
            (true, Some(_)) => Err(ProtocolError::malformed(
                "response",
                "it has both a Transfer-Encoding and a Content-Length",
            )),
            (true, None) => Ok(Self::Chunked),
            (false, Some(length)) => Ok(Self::Length(length)),
            (false, None) if wants_upgrade && head.status == 200 => Ok(Self::Upgrade),
            (false, None) => Ok(Self::Close),
        }
    }

    /// Whether another request can be sent on the connection once this response has ended.
    pub(super) fn keeps_alive(self, head: &ResponseHead) -> bool {
        let says = |option: &[u8]| head.list("Connection").any(|given| given.eq_ignore_ascii_case(option));
        let delimited = !matches!(self, Self::Close | Self::Upgrade);
        delimited && !says(b"close") && (head.minor_version() == 1 || says(b"keep-alive"))
    }
}

/// Whether the body is chunked. No other coding is understood.
fn transfer_encoding(head: &ResponseHead) -> Result<bool, ProtocolError> {
    let mut codings = head.list("Transfer-Encoding");
    let Some(coding) = codings.next() else { return Ok(false) };
    if !coding.eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
        return Err(ProtocolError::malformed(
            "Transfer-Encoding",
            "it is something other than \"chunked\"",
        ));
    }
    if head.minor_version() == 0 {
        return Err(ProtocolError::malformed("Transfer-Encoding", "HTTP/1.0 has none"));
    }
    Ok(true)
}

/// The length in the `Content-Length` fields, all of which agree.
fn content_length(head: &ResponseHead) -> Result<Option<u64>, ProtocolError> {
    let mut length = None;
    for text in head.list("Content-Length") {
        let Some(given) = decimal(text) else {
            let shown = text[..text.len().min(64)].escape_ascii();
            return Err(ProtocolError::malformed(
                "Content-Length",
                format!("\"{shown}\" is not a number of bytes"),
            ));
        };
        if length.is_some_and(|length| length != given) {
            return Err(ProtocolError::malformed(
                "Content-Length",
                "it is given twice, with different values",
            ));
        }
        length = Some(given);
    }
    Ok(length)
}

/// One digit at least, nothing but digits, and no more than 64 bits.
fn decimal(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |number: u64, byte| number.checked_mul(10)?.checked_add(digit(byte)?);
    if text.is_empty() {
        None
    } else {
        text.iter().try_fold(0, add)
    }
}
