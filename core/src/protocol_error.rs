//! What can go wrong between the bytes of a connection and their meaning.

/// The bytes of a connection are not the protocol, or a request cannot be written in it.
///
/// Every variant but [`BadRequest`](Self::BadRequest) is the peer's doing and leaves its connection unusable: what
/// follows on it has no known beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The peer sent something that is not the protocol.
    #[error(
        "the engine sent a malformed {what}: {detail}; close this connection and check that the socket belongs to \
         Docker or Podman"
    )]
    Malformed {
        /// The item that was being read, such as `response head`.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The connection ended inside an item.
    #[error(
        "the connection was closed inside the {what}; the engine may have been stopped or restarted: see its log, and \
         repeat the call if it may run twice"
    )]
    Truncated {
        /// The item that was being read, such as `response head`.
        what: &'static str,
    },
    /// An item is larger than [`Limits`](crate::limits::Limits) allows.
    #[error(
        "the engine sent more than {limit} {what}{}; raise this limit if the engine is to be trusted with more",
        Declared(*.declared)
    )]
    OverLimit {
        /// The thing that is limited, in the plural and with its unit, such as `response head bytes`.
        what: &'static str,
        /// The limit, in the unit that `what` names.
        limit: u64,
        /// The size that the peer declared, where it declares one.
        declared: Option<u64>,
    },
    /// The request cannot be sent: our side's fault, and nothing has been sent.
    #[error("the request cannot be sent, its {what} is not valid: {detail}; correct the argument and call again")]
    BadRequest {
        /// The part of the request, such as `path segment`.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl ProtocolError {
    /// The connection ended before any byte of the response: the engine closed it while it was idle, or died before
    /// it answered. A request that may run twice can be sent again on a new connection.
    pub const CLOSED_BEFORE_HEAD: Self = Self::Truncated {
        what: "response head (the connection was closed before any byte of it)",
    };

    /// Whether this is [`CLOSED_BEFORE_HEAD`](Self::CLOSED_BEFORE_HEAD).
    #[must_use]
    pub fn is_closed_before_head(&self) -> bool {
        *self == Self::CLOSED_BEFORE_HEAD
    }

    pub(crate) fn malformed(what: &'static str, detail: impl Into<String>) -> Self {
        Self::Malformed {
            what,
            detail: detail.into(),
        }
    }

    pub(crate) fn bad_request(what: &'static str, detail: impl Into<String>) -> Self {
        Self::BadRequest {
            what,
            detail: detail.into(),
        }
    }

    pub(crate) fn over_limit(what: &'static str, limit: usize, declared: Option<u64>) -> Self {
        Self::OverLimit {
            what,
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            declared,
        }
    }
}

/// The declared size as the message shows it.
struct Declared(Option<u64>);

impl std::fmt::Display for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |declared| write!(f, " (it declared {declared})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_happened_and_what_to_do() {
        let declared = ProtocolError::over_limit("frame payload bytes", 16, Some(4_294_967_295)).to_string();
        assert!(
            declared.starts_with("the engine sent more than 16 frame payload bytes (it declared 4294967295); raise")
        );
        let undeclared = ProtocolError::over_limit("response head bytes", 64, None).to_string();
        assert!(undeclared.starts_with("the engine sent more than 64 response head bytes; raise"));
        let bad = ProtocolError::bad_request("path segment", "it is empty").to_string();
        assert!(bad.ends_with("its path segment is not valid: it is empty; correct the argument and call again"));
    }

    #[test]
    fn closed_before_head_is_not_any_truncation() {
        assert!(ProtocolError::CLOSED_BEFORE_HEAD.is_closed_before_head());
        assert!(!ProtocolError::Truncated { what: "response head" }.is_closed_before_head());
    }
}
