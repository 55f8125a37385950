//! What is mounted in a container, as its `/proc/self/mountinfo` says it: whether the engine's archive call sees a place
//! as the container does.
//!
//! That call sees the container's own root and, of what is mounted over it, not everything: Docker no tmpfs. Docker
//! refuses to write wherever the root is read-only, and Podman then writes all the same.

/// What is mounted where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mounts(Vec<Mount>);

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    at: Vec<u8>,
    read_only: bool,
}

impl Mounts {
    /// Lines that make no sense are left out.
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(parse_line).collect())
    }

    /// What this absolute path is on.
    fn of(&self, path: &[u8]) -> Option<&Mount> {
        let over = self.0.iter().filter(|mount| is_at_or_below(path, &mount.at));
        // Of several in one place, the last one is seen.
        over.fold(None, |best: Option<&Mount>, mount| match best {
            Some(best) if best.at.len() > mount.at.len() => Some(best),
            _ => Some(mount),
        })
    }

    pub(crate) fn is_read_only(&self, path: &[u8]) -> bool {
        self.of(path).is_some_and(|mount| mount.read_only)
    }

    /// Whether this path and everything below it is the container's own root, to be read and written.
    pub(crate) fn is_plain(&self, path: &[u8]) -> bool {
        let root = self.of(path).is_some_and(|mount| mount.at == b"/" && !mount.read_only);
        root && !self
            .0
            .iter()
            .any(|mount| mount.at != b"/" && is_at_or_below(&mount.at, path))
    }
}

fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    let above = above.strip_suffix(b"/").unwrap_or(above);
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let at = unescaped(words.nth(4)?);
    let is_ro = |options: &[u8]| options.split(|byte| *byte == b',').any(|option| option == b"ro");
    let mut read_only = is_ro(words.next()?);
    let mut behind = words.skip_while(|word| *word != b"-");
    if let Some(options) = behind.nth(3) {
        read_only |= is_ro(options);
    }
    at.starts_with(b"/").then_some(Mount { at, read_only })
}

/// A backslash and three octal digits stand for a byte.
fn unescaped(mut word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    while let Some((first, rest)) = word.split_first() {
        let octal = rest.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        bytes.push(octal.unwrap_or(*first));
        word = octal.map_or(rest, |_| rest.get(3..).unwrap_or_default());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"1 0 0:1 / / rw,relatime - overlay overlay rw,lowerdir=/x\n\
        2 1 0:2 / /tmp rw - tmpfs tmpfs rw\n\
        3 1 0:3 / /data\\040x ro,nosuid shared:1 - ext4 /dev/x rw\n\
        nonsense\n\
        4 1 0:4 / /etc/hosts rw - ext4 /dev/x rw\n\
        5 1 0:5 / /snap rw - squashfs /dev/y ro\n";

    #[test]
    fn a_place_is_plain_if_nothing_is_mounted_at_or_below_it() {
        let mounts = Mounts::parse(TEXT);
        for plain in ["/work", "/tmpx", "/etc/ssl", "/data"] {
            assert!(mounts.is_plain(plain.as_bytes()), "{plain}");
        }
        for other in ["/", "/tmp", "/tmp/a/b", "/etc", "/data x/y", "/snap"] {
            assert!(!mounts.is_plain(other.as_bytes()), "{other}");
        }
        assert!(!Mounts::parse(b"").is_plain(b"/work"));
    }

    #[test]
    fn a_mount_or_its_file_system_may_be_read_only() {
        let mounts = Mounts::parse(TEXT);
        assert!(mounts.is_read_only(b"/data x/y") && mounts.is_read_only(b"/snap/a"));
        assert!(!mounts.is_read_only(b"/tmp") && !mounts.is_read_only(b"/data"));
        let root = Mounts::parse(b"1 0 0:1 / / ro - overlay overlay rw\n");
        assert!(root.is_read_only(b"/usr") && !root.is_plain(b"/usr"));
    }

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(unescaped(br"/a\040\134b\0"), b"/a \\b\\0");
    }
}
