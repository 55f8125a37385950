//! Trees of local files: made, described and compared.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

/// A directory of its own that is removed with this value, whatever the permissions of what is in it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// `name`: what no other has.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("pocket-dock-{}-{name}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path.canonicalize()?))
    }

    /// Its own path, without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes a tree, if there is one, whatever the permissions of what is in it.
pub fn remove(path: &Path) {
    open_up(path);
    drop(fs::remove_dir_all(path));
}

/// Lets us into every directory.
fn open_up(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        drop(fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            open_up(&entry.path());
        }
    }
}

/// What is told of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    mode: u32,
    seconds: i64,
    nanoseconds: i64,
    size: u64,
    /// A hash of the content, or where a link leads.
    content: Vec<u8>,
}

/// A directory, whose path is empty, and every file below it, by their paths.
///
/// # Errors
/// Those of the system.
pub fn describe(root: &Path) -> io::Result<BTreeMap<PathBuf, Told>> {
    let mut all = BTreeMap::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(path) = todo.pop() {
        // Without a slash behind the root, which would lead through a link in its place.
        let real = if path.as_os_str().is_empty() {
            root.to_owned()
        } else {
            root.join(&path)
        };
        let stat = fs::symlink_metadata(&real)?;
        let mut told = Told {
            mode: stat.mode(),
            seconds: stat.mtime(),
            nanoseconds: stat.mtime_nsec(),
            size: 0,
            content: Vec::new(),
        };
        if stat.is_dir() {
            for entry in fs::read_dir(&real)? {
                todo.push(path.join(entry?.file_name()));
            }
        } else if stat.is_symlink() {
            told.content = fs::read_link(&real)?.as_os_str().as_bytes().to_vec();
        } else if stat.is_file() {
            told.size = stat.len();
            told.content = hash(&real)?.to_be_bytes().to_vec();
        }
        all.insert(path, told);
    }
    Ok(all)
}

/// A hash of what is in a file.
///
/// # Errors
/// Those of the system.
pub fn hash(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (DefaultHasher::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.write(&buffer[..count]),
        }
    }
}

/// The first difference between two trees or their own directories, if there is any. `exact`: fractions of seconds count, and times of links.
///
/// # Errors
/// Those of the system.
pub fn difference(one: &Path, other: &Path, exact: bool) -> io::Result<Option<String>> {
    let (mut here, mut there) = (describe(one)?, describe(other)?);
    if !exact {
        for told in here.values_mut().chain(there.values_mut()) {
            told.nanoseconds = 0;
            if told.mode & 0o170_000 == 0o120_000 {
                told.seconds = 0;
            }
        }
    }
    for (path, told) in &here {
        let got = there.remove(path);
        if got.as_ref() != Some(told) {
            return Ok(Some(format!("{path:?} was {told:?} and is {got:?}")));
        }
    }
    Ok(there
        .into_iter()
        .next()
        .map(|(path, told)| format!("{path:?} is new: {told:?}")))
}

/// Sets when it was changed last; of a link, of the link itself.
///
/// # Errors
/// Those of the system.
pub fn touch(path: &Path, seconds: i64, nanoseconds: i64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Names in a tree that [`make`] made that are of one file.
pub const HARD_LINKS: [&str; 3] = ["a block", "d11/another name", "z/one more name"];

/// Makes a tree with so many files, and everything that files can be: modes, links, files with several names, empty ones,
/// hidden ones, names of 255 bytes with odd bytes in them, deep directories, and times, with `fractions` of seconds or
/// without. Its own directory has a mode and a time that no other has.
///
/// # Errors
/// Those of the system.
pub fn make(root: &Path, files: usize, fractions: bool) -> io::Result<()> {
    fs::create_dir_all(root.join("empty directory"))?;
    let deep: PathBuf = std::iter::repeat_n("deep", 40).collect();
    fs::create_dir_all(root.join(&deep))?;
    let mut odd: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
    odd.push(b'x');
    let mut paths = vec![
        root.join(OsStr::from_bytes(&odd)),
        root.join(&deep).join("bottom"),
        root.join(".hidden"),
        root.join("-rf"),
        root.join(" spaces; and 'quotes' \"$(x)`y`"),
        root.join("n".repeat(255)),
    ];
    for number in paths.len()..files {
        let dir = root.join(format!("d{}", number % 50));
        if number < 100 {
            fs::create_dir_all(&dir)?;
        }
        paths.push(dir.join(format!("file {number}")));
    }
    let modes = [0o644, 0o755, 0o600, 0o400, 0o777, 0o640];
    for (number, path) in paths.iter().enumerate() {
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        let content: Vec<u8> = (0..number * 7 % 3000).map(|byte| (byte * number) as u8).collect();
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(modes[number % modes.len()]))?;
    }
    fs::write(root.join("a block"), [7; 512])?;
    fs::write(
        root.join("mebibytes"),
        (0..5_000_000u32)
            .flat_map(|n| (n.wrapping_mul(n)).to_le_bytes())
            .take(3 << 20)
            .collect::<Vec<_>>(),
    )?;
    let long = format!("{}/x", "y".repeat(180));
    for (link, to) in [
        ("link", "file that is not there"),
        ("absolute", "/usr/bin/env"),
        ("up", "../../.."),
        ("long link", long.as_str()),
        ("to a directory", "empty directory"),
        ("odd link", "a b\nc"),
    ] {
        symlink(to, root.join(link))?;
    }
    let [first, others @ ..] = HARD_LINKS;
    for other in others {
        let other = root.join(other);
        if let Some(above) = other.parent() {
            fs::create_dir_all(above)?;
        }
        fs::hard_link(root.join(first), other)?;
    }
    let mut all: Vec<PathBuf> = describe(root)?.into_keys().collect();
    // What is below comes first: to change something there changes the time of the directory above.
    all.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    for (number, path) in all.iter().enumerate() {
        let number = i64::try_from(number).unwrap_or_default();
        let nanoseconds = if fractions {
            number * 1_234_567 % 1_000_000_000
        } else {
            0
        };
        touch(&root.join(path), 1_000_000_000 + number * 86_400, nanoseconds)?;
    }
    fs::set_permissions(root.join("empty directory"), fs::Permissions::from_mode(0o1750))?;
    fs::set_permissions(root, fs::Permissions::from_mode(0o1711))?;
    Ok(())
}

/// A file of this size that is nothing but holes between a few words.
///
/// # Errors
/// Those of the system.
pub fn make_sparse(path: &Path, size: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    for at in [0, size / 3, size - 4] {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(b"word")?;
    }
    Ok(())
}

/// A file of this size without a pattern and without holes: no two pieces of it are equal, and none is of zeros.
///
/// # Errors
/// Those of the system.
pub fn make_noise(path: &Path, size: u64) -> io::Result<()> {
    let mut piece = noise(1 << 20);
    let (mut file, mut left, mut number) = (File::create(path)?, size, 0_u64);
    while left > 0 {
        number += 1;
        piece[..8].copy_from_slice(&number.to_le_bytes());
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        file.write_all(&piece[..now])?;
        left -= now as u64;
    }
    Ok(())
}

/// Bytes without a pattern.
#[must_use]
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut seed = 88_172_645_463_325_252_u64;
    let mut data = Vec::with_capacity(bytes.next_multiple_of(8));
    while data.len() < bytes {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        data.extend_from_slice(&seed.to_le_bytes());
    }
    data.truncate(bytes);
    data
}
