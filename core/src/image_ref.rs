//! Names of images, taken apart.
//!
//! ```text
//! localhost:5000/team/tool:1.2@sha256:…
//! └── registry ─┘└ repo. ┘ tag └ digest
//! ```
//! A colon is the registry's port or the tag's, depending on what is behind it; the first part is a registry only if it has
//! a dot, a colon or a capital letter, or is `localhost`. These are the rules of the engines themselves.

use std::fmt;
use std::str::FromStr;

use crate::error::ImageError;

/// The most characters of a registry and repository together.
const LONGEST_NAME: usize = 255;
/// The most characters of a tag.
const LONGEST_TAG: usize = 128;

/// The name of an image, taken apart: `[registry/]repository[:tag][@digest]`.
///
/// ```
/// use pocket_dock_core::ImageRef;
///
/// let image: ImageRef = "localhost:5000/team/tool:1.2".parse()?;
/// assert_eq!(image.registry(), Some("localhost:5000"));
/// assert_eq!(image.repository(), "team/tool");
/// assert_eq!((image.tag(), image.digest()), (Some("1.2"), None));
/// assert_eq!(image.to_string(), "localhost:5000/team/tool:1.2");
/// # Ok::<(), pocket_dock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageRef {
    registry: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageRef {
    /// The registry, with its port if one is given. `None`: that of the engine's own choice.
    #[must_use]
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// What the registry, or the engine, knows it by.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is given. Engines take `latest` where there is none, and no digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, such as `sha256:` and 64 hex digits, if one is given.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The registry and the repository.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// The name and the tag of an image that is to be made: `latest` where none is given, and no digest, which nobody
    /// can choose.
    pub(crate) fn new_tag(text: &str) -> Result<(String, String), ImageError> {
        let parsed: Self = text.parse()?;
        if parsed.digest.is_some() {
            return Err(bad(text, "it has a digest, which cannot be chosen: leave that out"));
        }
        let name = parsed.name();
        Ok((name, parsed.tag.unwrap_or_else(|| "latest".to_owned())))
    }
}

fn bad(name: &str, why: &'static str) -> ImageError {
    ImageError::BadName {
        name: name.to_owned(),
        why,
    }
}

impl FromStr for ImageRef {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let (rest, digest) = match text.split_once('@') {
            Some((_, digest)) if !is_digest(digest) => {
                return Err(bad(
                    text,
                    "what is behind the `@` is no digest, such as `sha256:` and 64 hex digits, lower case",
                ));
            }
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        // A colon in front of a slash is that of a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(bad(
                text,
                "its tag has letters, digits, `_`, `.` and `-` only, begins with none of the last two, and has 128 \
                 characters at most",
            ));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (Some(first), rest),
            _ => (None, name),
        };
        if registry.is_some_and(|registry| !is_host(registry)) {
            return Err(bad(
                text,
                "its registry is no host, or no host and port, such as `localhost:5000`",
            ));
        }
        if name.len() > LONGEST_NAME {
            return Err(bad(text, "it is longer than 255 characters"));
        }
        if !repository.split('/').all(is_component) {
            return Err(bad(
                text,
                "its repository has parts between slashes, each of lower case letters and digits, with `.`, `_`, `__` or \
                 any number of `-` between them",
            ));
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// As it was written.
impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether the first part of a name is a registry, and not a part of the repository.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.chars().any(|c| c.is_ascii_uppercase())
}

fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !port.is_none_or(is_port) {
        return false;
    }
    match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(address)) => !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        Some(None) => false,
        None => host.split('.').all(|part| {
            let ends = part.starts_with('-') || part.ends_with('-');
            !part.is_empty() && !ends && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }),
    }
}

fn is_component(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = part.starts_with(is_plain) && part.ends_with(is_plain);
    let mut separators = part.split(is_plain).filter(|one| !one.is_empty());
    ends && separators.all(|one| matches!(one, "." | "_" | "__") || one.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= LONGEST_TAG && tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let mut parts = algorithm.split(['+', '.', '-', '_']);
    let is_named = parts.all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let long_enough = if algorithm == "sha256" {
        hex.len() == 64
    } else {
        hex.len() >= 32
    };
    is_named && long_enough && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parts<'a> = (Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);

    fn parts(image: &ImageRef) -> Parts<'_> {
        (image.registry(), image.repository(), image.tag(), image.digest())
    }

    #[test]
    fn ports_tags_and_digests_are_told_apart() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let digested = format!("a@{digest}");
        let all = format!("localhost:5000/a/b:tag@{digest}");
        for (text, wanted) in [
            ("a", (None, "a", None, None)),
            ("a:1.2", (None, "a", Some("1.2"), None)),
            ("a/b:1", (None, "a/b", Some("1"), None)),
            ("localhost/a", (Some("localhost"), "a", None, None)),
            ("localhost:5000/a", (Some("localhost:5000"), "a", None, None)),
            (
                "localhost:5000/a/b:tag",
                (Some("localhost:5000"), "a/b", Some("tag"), None),
            ),
            ("docker.io/library/a", (Some("docker.io"), "library/a", None, None)),
            ("Host/a", (Some("Host"), "a", None, None)),
            (
                "[2001:db8::1]:5000/a:x",
                (Some("[2001:db8::1]:5000"), "a", Some("x"), None),
            ),
            ("[::1]/a", (Some("[::1]"), "a", None, None)),
            ("localhost:5000", (None, "localhost", Some("5000"), None)),
            ("a__b/c--d.e_f", (None, "a__b/c--d.e_f", None, None)),
            (&digested, (None, "a", None, Some(digest.as_str()))),
            (
                &all,
                (Some("localhost:5000"), "a/b", Some("tag"), Some(digest.as_str())),
            ),
        ] {
            let image: ImageRef = text.parse().unwrap();
            assert_eq!(parts(&image), wanted, "{text}");
            assert_eq!(image.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a/".repeat(128) + "a";
        let tag = format!("a:{}", "x".repeat(129));
        for wrong in [
            "",
            ":x",
            "a:",
            "A",
            "a/B",
            "A/B",
            "a b",
            "a//b",
            "/a",
            "a/",
            "../images",
            "a/../b",
            "a.",
            "-a",
            "a..b",
            "a___b",
            "a._b",
            "a:-x",
            "a:.x",
            "a:x y",
            "a\n",
            "a:x\n",
            "a\"b",
            "localhost:port/a",
            "localhost:99999/a",
            "localhost:+1/a",
            "host..x/a",
            "-h.x/a",
            "[::1/a",
            "[]/a",
            "a@",
            "a@sha256",
            "a@sha256:12",
            "@sha256:12",
            "a@sha256:ABCDEF",
            "a@x@y",
            "a?x=1",
            "a%2fb",
            "a#b",
            &long,
            &tag,
        ] {
            let parsed = wrong.parse::<ImageRef>();
            assert!(
                matches!(&parsed, Err(ImageError::BadName { name, .. }) if name == wrong),
                "{wrong:?}: {parsed:?}"
            );
        }
    }

    #[test]
    fn an_image_that_is_made_has_a_tag_and_no_digest() {
        let new = |text| ImageRef::new_tag(text).ok();
        let pair = |name: &str, tag: &str| Some((name.to_owned(), tag.to_owned()));
        assert_eq!(new("a/b"), pair("a/b", "latest"));
        assert_eq!(new("localhost:5000/a"), pair("localhost:5000/a", "latest"));
        assert_eq!(new("localhost:5000/a:x"), pair("localhost:5000/a", "x"));
        assert_eq!(new(&format!("a@sha256:{}", "0".repeat(64))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(text in "[a-zA-Z0-9:/@._\\[\\]-]{0,40}|\\PC{0,20}") {
            if let Ok(image) = text.parse::<ImageRef>() {
                prop_assert_eq!(image.to_string(), text.clone());
                prop_assert!(!text.contains([' ', '?', '#', '%', '\n', '"']));
                prop_assert!(!image.name().split('/').any(|part| matches!(part, "" | "." | "..")));
            }
        }

        #[test]
        fn parts_that_are_put_together_come_apart(
            registry in prop::option::of("localhost(:[1-9][0-9]{0,3})?|[a-z0-9]{1,8}\\.[a-z]{2,3}(:[1-9][0-9]{0,3})?"),
            repository in "[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?(/[a-z0-9]{1,6}(__[a-z0-9]{1,4})?){0,2}",
            tag in prop::option::of("[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}"),
            digest in prop::option::of("sha256:[0-9a-f]{64}"),
        ) {
            // Without a registry, a first part that looks like one would be one.
            prop_assume!(registry.is_some() || !repository.split_once('/').is_some_and(|(first, _)| is_registry(first)));
            let image = ImageRef { registry, repository, tag, digest };
            prop_assert_eq!(image.to_string().parse::<ImageRef>(), Ok(image));
        }
    }
}
