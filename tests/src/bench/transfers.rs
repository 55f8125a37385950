//! Large files and many files, into a container and out of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pocket_dock_blocking::Container;

use super::{Beside, Failure, Make, Pair, Row, Scale, Site, check};
use crate::tree::{self, Scratch};

/// Where everything is in the container.
const PLACE: &str = "/bench";
const NAME: &str = "sent";
const CP: &str = "`docker cp` of the same, the start of that program included";

pub(super) const PUSH: Row = Row {
    name: "push-2g",
    ours: "push of a file of 2 GiB (256 MiB with --quick)",
    floor: Some("PUT of an archive with the same in it, made before and read in pieces of 64 KiB"),
    beside: Some(CP),
    promise: None,
    samples: [3, 3],
    make: Make::OnEngine(|site| {
        let ground = Ground::new(site)?;
        tree::make_noise(&ground.source, file_bytes(site.scale()))?;
        Ok(Box::new(Push::new(ground)?))
    }),
};

pub(super) const PULL: Row = Row {
    name: "pull-2g",
    ours: "pull of a file of 2 GiB (256 MiB with --quick)",
    floor: Some("GET of its archive, written to a file as it comes in pieces of 64 KiB"),
    make: Make::OnEngine(|site| {
        let ground = Ground::new(site)?;
        let bytes = file_bytes(site.scale());
        tree::make_noise(&ground.source, bytes)?;
        ground.sandbox.push(&ground.source, format!("{PLACE}/{NAME}"))?;
        fs::remove_file(&ground.source)?;
        Ok(Box::new(Pull { ground, bytes }))
    }),
    ..PUSH
};

pub(super) const PUSH_TREE: Row = Row {
    name: "push-5000",
    ours: "push of 5,000 files of 1 KiB in 50 directories",
    samples: [5, 3],
    make: Make::OnEngine(|site| {
        let ground = Ground::new(site)?;
        let files = if site.scale() == Scale::Smoke { 50 } else { 5000 };
        make_tree(&ground.source, files)?;
        Ok(Box::new(Push::new(ground)?))
    }),
    ..PUSH
};

fn file_bytes(scale: Scale) -> u64 {
    match scale {
        Scale::Full => 2 << 30,
        Scale::Quick => 256 << 20,
        Scale::Smoke => 4 << 20,
    }
}

fn make_tree(root: &Path, files: usize) -> Result<(), Failure> {
    let data = tree::noise(1024);
    for number in 0..files {
        let dir = root.join(format!("d{}", number % 50));
        if number < 50 {
            fs::create_dir_all(&dir)?;
        }
        fs::write(dir.join(format!("f{number}")), &data)?;
    }
    Ok(())
}

/// What all of them need.
struct Ground<'a> {
    site: &'a Site,
    sandbox: Container,
    scratch: Scratch,
    source: PathBuf,
    /// Why there is no `docker`, if there is none.
    no_docker: Option<String>,
}

impl<'a> Ground<'a> {
    fn new(site: &'a Site) -> Result<Self, Failure> {
        let sandbox = site.sandbox()?;
        sandbox.make_dir(PLACE)?;
        let scratch = Scratch::new(sandbox.id())?;
        Ok(Self {
            site,
            source: scratch.path(NAME),
            scratch,
            no_docker: docker(site, &["version", "--format", "{{.Server.Version}}"]).err(),
            sandbox,
        })
    }

    /// The engine's path of archives.
    fn archive(&self, path: &str) -> String {
        format!("/containers/{}/archive?path={path}", self.sandbox.id())
    }

    /// `docker cp`, with `{}` for the container.
    fn copy(&self, from: &str, to: &str) -> Result<Beside, Failure> {
        if let Some(why) = &self.no_docker {
            return Ok(Beside::LeftOut(why.clone()));
        }
        let id = self.sandbox.id();
        let began = Instant::now();
        docker(self.site, &["cp", "-q", &from.replace("{}", id), &to.replace("{}", id)])?;
        Ok(Beside::Took(began.elapsed()))
    }
}

/// Runs the program `docker` with this engine.
fn docker(site: &Site, words: &[&str]) -> Result<(), String> {
    let output = Command::new("docker")
        .args(words)
        .env("DOCKER_HOST", format!("unix://{}", site.socket().display()))
        .env_remove("DOCKER_CONTEXT")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`docker` cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().last().unwrap_or("nothing");
    Err(format!("`docker {}` fails with this engine: {said}", words.join(" ")))
}

struct Push<'a> {
    ground: Ground<'a>,
    /// An archive of the source.
    ready: PathBuf,
    /// Of content.
    bytes: u64,
    is_file: bool,
}

impl<'a> Push<'a> {
    fn new(ground: Ground<'a>) -> Result<Self, Failure> {
        let ready = ground.scratch.path("ready.tar");
        let mut archive = tar::Builder::new(File::create(&ready)?);
        let is_file = ground.source.is_file();
        if is_file {
            archive.append_path_with_name(&ground.source, NAME)?;
        } else {
            archive.append_dir_all(NAME, &ground.source)?;
        }
        archive.finish()?;
        Ok(Self {
            bytes: fs::metadata(&ground.source)?.len(),
            ground,
            ready,
            is_file,
        })
    }

    /// Whether it is there; then it is removed, so that each is sent to an empty place.
    fn sent(&self) -> Result<(), Failure> {
        let what = if self.is_file {
            format!("stat -c %s {PLACE}/{NAME}")
        } else {
            format!("find {PLACE}/{NAME} -type f | wc -l")
        };
        let result = self.ground.sandbox.run(format!("{what}; rm -r {PLACE}/*"))?;
        let wanted = match self.is_file {
            true => self.bytes,
            false => fs::read_dir(&self.ground.source)?.try_fold(0, |count, dir| {
                Ok::<_, std::io::Error>(count + fs::read_dir(dir?.path())?.count() as u64)
            })?,
        };
        let said = result.stdout_text();
        check(result.success() && said.trim() == wanted.to_string(), || {
            format!("{wanted} was to be there: {result:?}")
        })
    }
}

impl Pair for Push<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        self.ground.sandbox.push(&self.ground.source, format!("{PLACE}/"))?;
        let took = began.elapsed();
        self.sent()?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let wire = self.ground.site.wire()?;
        wire.put(&self.ground.archive(PLACE), &self.ready)?;
        let took = began.elapsed();
        self.sent()?;
        Ok(took)
    }

    fn beside(&mut self) -> Result<Beside, Failure> {
        let source = self.ground.source.to_string_lossy();
        let beside = self.ground.copy(&source, &format!("{{}}:{PLACE}/"))?;
        if let Beside::Took(_) = beside {
            self.sent()?;
        }
        Ok(beside)
    }

    fn bytes(&self) -> Option<u64> {
        self.is_file.then_some(self.bytes)
    }
}

struct Pull<'a> {
    ground: Ground<'a>,
    bytes: u64,
}

impl Pull<'_> {
    /// Whether it came, whole or with an archive around it; then it is removed.
    fn came(&self, around: u64) -> Result<(), Failure> {
        let path = &self.ground.source;
        let size = fs::metadata(path)?.len();
        fs::remove_file(path)?;
        check((self.bytes..=self.bytes + around).contains(&size), || {
            format!("{size} bytes came")
        })
    }
}

impl Pair for Pull<'_> {
    fn ours(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        self.ground
            .sandbox
            .pull(format!("{PLACE}/{NAME}"), &self.ground.source)?;
        let took = began.elapsed();
        self.came(0)?;
        Ok(took)
    }

    fn floor(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let wire = self.ground.site.wire()?;
        let path = self.ground.archive(&format!("{PLACE}/{NAME}"));
        wire.get(&path, &self.ground.source)?;
        let took = began.elapsed();
        // The sizes of chunks too.
        self.came(self.bytes / 8 + 65536)?;
        Ok(took)
    }

    fn beside(&mut self) -> Result<Beside, Failure> {
        let to = self.ground.source.to_string_lossy();
        let beside = self.ground.copy(&format!("{{}}:{PLACE}/{NAME}"), &to)?;
        if let Beside::Took(_) = beside {
            self.came(0)?;
        }
        Ok(beside)
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.bytes)
    }
}
