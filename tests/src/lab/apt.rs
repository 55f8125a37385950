//! The machine's own package sources: which mirror it uses and how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{Error, Result};
use super::place;

/// Names of Debian's suites. A source with one of these and the component `main` is a Debian mirror.
const SUITES: [&str; 12] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "rc-buggy",
];

/// A Debian mirror, as the machine's apt knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    uri: String,
    trusted: bool,
}

impl Mirror {
    /// Finds the mirror: `POCKET_DOCK_LAB_MIRROR`, or the first Debian one in the machine's apt sources.
    pub(super) fn find() -> Result<Self> {
        if let Ok(uri) = std::env::var("POCKET_DOCK_LAB_MIRROR") {
            return Ok(Self { uri, trusted: false });
        }
        for path in source_files(Path::new("/etc/apt")) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let deb822 = path.extension().is_some_and(|ending| ending == "sources");
            let found = if deb822 { in_stanzas(&text) } else { in_lines(&text) };
            if let Some(mirror) = found {
                return Ok(mirror);
            }
        }
        Err(Error::new(
            "no Debian mirror among this machine's apt sources (/etc/apt/sources.list, /etc/apt/sources.list.d)",
            "set POCKET_DOCK_LAB_MIRROR to the address of a Debian mirror you can reach",
        ))
    }

    /// The mirror as mmdebstrap's last argument.
    pub(super) fn argument(&self, suite: &str) -> String {
        if self.trusted {
            format!("deb [trusted=yes] {} {suite} main", self.uri)
        } else {
            self.uri.clone()
        }
    }
}

fn source_files(apt: &Path) -> Vec<PathBuf> {
    let mut files = vec![apt.join("sources.list")];
    let more = fs::read_dir(apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut more: Vec<PathBuf> = more
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "list" || ending == "sources")
        })
        .collect();
    more.sort();
    files.append(&mut more);
    files
}

fn mirror<'a>(
    uris: impl IntoIterator<Item = &'a str>,
    suites: &[&str],
    components: &[&str],
    trusted: bool,
) -> Option<Mirror> {
    if !components.contains(&"main") || !suites.iter().any(|suite| SUITES.contains(suite)) {
        return None;
    }
    let usable = |uri: &&str| {
        ["http://", "https://", "file:"]
            .iter()
            .any(|scheme| uri.starts_with(scheme))
    };
    uris.into_iter().find(usable).map(|uri| Mirror {
        uri: uri.to_owned(),
        trusted,
    })
}

/// `deb [options] uri suite component…`
fn in_lines(text: &str) -> Option<Mirror> {
    text.lines().find_map(|line| {
        let line = line.split('#').next()?.trim();
        let mut rest = line.strip_prefix("deb")?;
        if !rest.starts_with([' ', '\t', '[']) {
            return None;
        }
        let mut trusted = false;
        rest = rest.trim_start();
        if let Some(options) = rest.strip_prefix('[') {
            let (options, after) = options.split_once(']')?;
            trusted = options.split_whitespace().any(|option| option == "trusted=yes");
            rest = after;
        }
        let mut words = rest.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        mirror([uri], &[suite], &words.collect::<Vec<_>>(), trusted)
    })
}

/// Stanzas of `Key: value`, with values that go on in indented lines.
fn in_stanzas(text: &str) -> Option<Mirror> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.split(|line| line.trim().is_empty()).find_map(|stanza| {
        let field = |name: &str| -> Vec<&str> {
            let is_it = |line: &&str| {
                line.split_once(':')
                    .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
            };
            let Some(at) = stanza.iter().position(is_it) else {
                return Vec::new();
            };
            let first = stanza[at].split_once(':').map_or("", |(_, value)| value);
            let more = stanza[at + 1..]
                .iter()
                .take_while(|line| line.starts_with([' ', '\t']))
                .copied();
            std::iter::once(first)
                .chain(more)
                .flat_map(str::split_whitespace)
                .collect()
        };
        let off = field("Enabled")
            .iter()
            .any(|value| ["no", "false", "off", "0"].contains(value));
        if off || !field("Types").contains(&"deb") {
            return None;
        }
        mirror(
            field("URIs"),
            &field("Suites"),
            &field("Components"),
            field("Trusted").contains(&"yes"),
        )
    })
}

/// Settings of this machine's apt that a fresh tree needs to reach the same mirror (proxies, how strict to be with
/// dates), as options of mmdebstrap.
pub(super) fn settings() -> Vec<String> {
    let dump = Command::new("apt-config").arg("dump").stdin(Stdio::null()).output();
    dump.map(|output| kept_settings(&String::from_utf8_lossy(&output.stdout)))
        .unwrap_or_default()
}

fn kept_settings(dump: &str) -> Vec<String> {
    const KEPT: [&str; 6] = [
        "Acquire::http::",
        "Acquire::https::",
        "Acquire::Check-",
        "Acquire::Retries ",
        "Acquire::ForceIPv",
        "Acquire::AllowInsecureRepositories ",
    ];
    let wanted = |line: &&str| KEPT.iter().any(|key| line.starts_with(key)) && !line.ends_with(" \"\";");
    dump.lines()
        .filter(wanted)
        .map(|line| format!("--aptopt={}", line.trim_end_matches(';')))
        .collect()
}

/// Makes sure that mmdebstrap is there; installs it if not.
pub(super) fn ensure_tools() -> Result<()> {
    if on_path("mmdebstrap") {
        return Ok(());
    }
    if !on_path("apt-get") {
        return Err(Error::new(
            "the lab builds its engines from Debian packages, and this machine has no apt-get",
            "run the lab on Debian (or in a privileged Debian container); or install mmdebstrap yourself",
        ));
    }
    place::say("installing mmdebstrap");
    update()?;
    let keys = "debian-archive-keyring";
    apt_get(
        &["install", "--yes", "--no-install-recommends", "mmdebstrap", keys],
        Path::new("/"),
    )
}

/// Makes sure that a tool of one of Debian's packages is there; installs the package if not.
///
/// # Errors
///
/// If it cannot be installed.
pub fn ensure_tool(tool: &str, package: &str) -> Result<()> {
    if on_path(tool) {
        return Ok(());
    }
    let _lock = place::lock()?;
    if on_path(tool) {
        return Ok(());
    }
    place::say(&format!("installing {package}"));
    let install = || {
        apt_get(
            &["install", "--yes", "--no-install-recommends", package],
            Path::new("/"),
        )
    };
    install().or_else(|_| update().and_then(|()| install()))
}

/// Fetches a package's file into a directory, without installing it.
pub(super) fn download(package: &str, into: &Path) -> Result<()> {
    apt_get(&["download", package], into).or_else(|_| update().and_then(|()| apt_get(&["download", package], into)))
}

fn update() -> Result<()> {
    apt_get(&["update"], Path::new("/"))
}

fn apt_get(arguments: &[&str], directory: &Path) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["-o", "DPkg::Lock::Timeout=300", "-o", "APT::Sandbox::User=root"])
        .args(arguments);
    command.current_dir(directory).env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut command, "apt")
}

/// Runs a tool to its end, with everything it prints in a log; the log's tail is in the error if it fails.
pub(super) fn run(command: &mut Command, log: &str) -> Result<()> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let path = place::log_of(log);
    place::make_dir(&place::home().join("logs"))?;
    let open = || fs::File::create(&path).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = open().map_err(|cause| Error::file("write", &path, &cause))?;
    let ended = command.stdin(Stdio::null()).stdout(out).stderr(err).status();
    match ended.map_err(|cause| Error::new(format!("cannot run {tool}: {cause}"), format!("install {tool}")))? {
        status if status.success() => Ok(()),
        status => Err(Error::new(
            format!("{tool} failed ({status}):\n{}", place::tail(&path, 15)),
            format!(
                "the whole log is {}; when the network was the cause, run the lab again",
                path.display()
            ),
        )),
    }
}

fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}

#[cfg(test)]
mod tests {
    use super::{Mirror, in_lines, in_stanzas, kept_settings};

    fn found(uri: &str, trusted: bool) -> Option<Mirror> {
        Some(Mirror {
            uri: uri.to_owned(),
            trusted,
        })
    }

    #[test]
    fn finds_the_mirror_in_one_line_sources() {
        let text = "# a comment\n\
            deb-src http://mirror.example/debian bookworm main\n\
            #deb http://old.example/debian bookworm main\n\
            deb [arch=amd64] https://vendor.example/linux bookworm stable\n\
            deb http://mirror.example/security bookworm-security main\n\
            deb [ arch=amd64 trusted=yes ]  http://mirror.example/debian bookworm main contrib # here\n";
        let mirror = in_lines(text);
        assert_eq!(mirror, found("http://mirror.example/debian", true));
        assert_eq!(
            mirror.unwrap().argument("sid"),
            "deb [trusted=yes] http://mirror.example/debian sid main"
        );
        assert_eq!(
            in_lines("deb cdrom:[x]/ bookworm main\ndeb\ndebug http://x bookworm main\n"),
            None
        );
    }

    #[test]
    fn finds_the_mirror_in_stanzas() {
        let text = "Types: deb\nURIs: http://other.example/x\nSuites: nodistro\nComponents: main\n\n\
            Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: sid\nComponents: main\n\n\
            types: deb deb-src\n# note\nURIs: mirror+file:/etc/m\n http://mirror.example/debian\n\
            Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n";
        let mirror = in_stanzas(text);
        assert_eq!(mirror, found("http://mirror.example/debian", false));
        assert_eq!(mirror.unwrap().argument("sid"), "http://mirror.example/debian");
        assert_eq!(in_stanzas(""), None);
    }

    #[test]
    fn keeps_what_is_needed_to_reach_the_mirror() {
        let dump = "APT \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\n\
            Acquire::https::Proxy \"\";\nAcquire::Check-Valid-Until \"false\";\nDir \"/\";\n";
        let kept = [
            "--aptopt=Acquire::http::Proxy \"http://proxy.example:3128\"",
            "--aptopt=Acquire::Check-Valid-Until \"false\"",
        ];
        assert_eq!(kept_settings(dump), kept);
    }
}
