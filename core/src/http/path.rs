//! Request targets that no identifier can escape from.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

use crate::protocol_error::ProtocolError;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path and query of a request.
///
/// Built from literals of the program and from escaped values, so that no name or id can leave its segment or its
/// query parameter, whatever characters it has.
///
/// ```
/// use pocket_dock_core::http::Path;
///
/// let path = Path::new("/images").segment("a/b:1")?.literal("/json").query("filter", "x=y&z");
/// assert_eq!(path.to_string(), "/images/a%2Fb%3A1/json?filter=x%3Dy%26z");
/// assert!(Path::new("/containers").segment("..").is_err());
/// # Ok::<(), pocket_dock_core::protocol_error::ProtocolError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    path: String,
    query: String,
}

impl Path {
    /// A path that begins with `literal`, which begins with a slash and is sent as it is.
    #[must_use]
    pub fn new(literal: &'static str) -> Self {
        Self {
            path: literal.to_owned(),
            query: String::new(),
        }
    }

    /// Appends a slash and `id`, with everything but unreserved characters percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::BadRequest`] if `id`, or one of its parts between slashes, is empty, `.` or `..`: servers
    /// resolve those, even when the slashes are encoded, and the request would go somewhere else.
    pub fn segment(mut self, id: &str) -> Result<Self, ProtocolError> {
        if id.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let detail = format!("{id:?} has a part that is empty, \".\" or \"..\"");
            return Err(ProtocolError::bad_request("path segment", detail));
        }
        self.path.push('/');
        self.path.extend(utf8_percent_encode(id, RESERVED));
        Ok(self)
    }

    /// Appends `literal`, which begins with a slash and is sent as it is.
    #[must_use]
    pub fn literal(mut self, literal: &'static str) -> Self {
        self.path.push_str(literal);
        self
    }

    /// Appends a query parameter, with everything but unreserved characters of `value` percent-encoded.
    #[must_use]
    pub fn query(self, key: &'static str, value: &str) -> Self {
        self.query_bytes(key, value.as_bytes())
    }

    /// The same with a value that need not be UTF-8, such as a path.
    #[must_use]
    pub fn query_bytes(mut self, key: &'static str, value: &[u8]) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(key);
        self.query.push('=');
        self.query.extend(percent_encode(value, RESERVED));
        self
    }
}

/// The path and query as they are sent.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        f.write_str(&self.query)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_and_queries_are_escaped_and_ordered() {
        let path = Path::new("/containers")
            .segment("a b")
            .unwrap()
            .query("all", "1")
            .literal("/json")
            .query("f", "{\"é\"}");
        assert_eq!(path.to_string(), "/containers/a%20b/json?all=1&f=%7B%22%C3%A9%22%7D");
    }

    #[test]
    fn unreserved_characters_stay() {
        assert_eq!(Path::new("").segment("aZ09-._~").unwrap().to_string(), "/aZ09-._~");
    }

    #[test]
    fn segments_that_a_server_would_resolve_are_refused() {
        for id in ["", ".", "..", "/", "a/", "/a", "a//b", "../b", "a/..", "a/./b"] {
            let error = Path::new("/containers").segment(id).unwrap_err();
            assert!(
                matches!(
                    error,
                    ProtocolError::BadRequest {
                        what: "path segment",
                        ..
                    }
                ),
                "{id:?}"
            );
        }
        for id in ["...", "a..b", ".a", "docker.io/library/x:1", "%2e%2e"] {
            assert!(Path::new("/images").segment(id).is_ok(), "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_place(id in ".+", value in ".*") {
            prop_assume!(!id.split('/').any(|part| matches!(part, "" | "." | "..")));
            let target = Path::new("/x").segment(&id).unwrap().query("k", &value).to_string();
            let (path, query) = target.split_once('?').unwrap();
            let (segment, value_sent) = (path.strip_prefix("/x/").unwrap(), query.strip_prefix("k=").unwrap());
            for sent in [segment, value_sent] {
                prop_assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            }
            prop_assert_eq!(percent_encoding::percent_decode_str(segment).decode_utf8().unwrap(), id);
            prop_assert_eq!(percent_encoding::percent_decode_str(value_sent).decode_utf8().unwrap(), value);
        }
    }
}
