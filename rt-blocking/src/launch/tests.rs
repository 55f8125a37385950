use std::os::unix::net::UnixListener;

use super::*;

/// As long as a test is patient between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// A program that stands in for Podman.
struct Fake {
    dir: PathBuf,
    program: PathBuf,
}

impl Fake {
    fn new(script: &str) -> Self {
        let dir = private_dir().unwrap();
        let program = dir.join("podman");
        let pid = dir.join("pid");
        let text = format!("#!/bin/sh\necho $$ >'{}'\n{script}\n", pid.display());
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir, program }
    }

    fn service(&self, limit: Duration) -> Podman {
        Podman::new(self.program.clone(), Finding::default(), limit)
    }

    fn start(&self, dir: &Path) -> (Child, ChildStdin) {
        start(&self.program, Settings::default(), dir).unwrap()
    }

    fn pid(&self) -> rustix::process::Pid {
        let path = self.dir.join("pid");
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match std::fs::read_to_string(&path).unwrap_or_default().trim().parse() {
                Ok(pid) => return rustix::process::Pid::from_raw(pid).unwrap(),
                Err(_) => assert!(Instant::now() < until, "it was never started"),
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

fn gone(pid: rustix::process::Pid) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    while rustix::process::test_kill_process(pid).is_ok() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

/// Waits for a file.
fn comes(path: &Path) {
    let until = Instant::now() + Duration::from_secs(10);
    while !path.exists() {
        assert!(Instant::now() < until, "{} does not come", path.display());
        std::thread::sleep(PAUSE);
    }
}

/// Asks until it has started, and sees that no question blocks.
fn started(service: &mut Podman) -> std::result::Result<Endpoint, String> {
    loop {
        let asked = Instant::now();
        let answer = service.poll_start();
        assert!(asked.elapsed() < Duration::from_secs(1), "it blocked");
        match answer {
            Ok(Some(endpoint)) => return Ok(endpoint),
            Ok(None) => std::thread::sleep(PAUSE),
            Err(why) => return Err(why),
        }
    }
}

/// Asks until it has ended.
fn end(service: &mut Podman) {
    while !service.poll_end() {
        std::thread::sleep(PAUSE);
    }
}

fn dir(service: &Podman) -> PathBuf {
    match &service.state {
        State::Starting(process, _) | State::Listening(process) | State::Ending(process) => process.dir.clone(),
        State::Settings(_) | State::Ended => panic!("it is not there"),
    }
}

#[test]
fn a_service_that_ends_at_once_is_quoted() {
    let fake = Fake::new("echo 'no space left on device' >&2; exit 125");
    let mut service = fake.service(START_LIMIT);
    let error = started(&mut service).unwrap_err();
    assert!(
        error.contains("125") && error.contains("no space left on device"),
        "{error}"
    );
    let dir = dir(&service);
    end(&mut service);
    assert!(!dir.exists());
}

#[test]
fn a_service_that_never_listens_is_given_up_and_ended() {
    let fake = Fake::new("echo waiting; exec sleep 600");
    let mut service = fake.service(Duration::from_millis(300));
    let error = started(&mut service).unwrap_err();
    assert!(error.contains("300ms") && error.contains("waiting"), "{error}");
    let dir = dir(&service);
    end(&mut service);
    assert!(gone(fake.pid()) && !dir.exists());
}

#[test]
fn a_service_ends_when_it_is_asked_to() {
    // It listens to TERM, and ends when it may.
    let place = private_dir().unwrap();
    let (ready, asked, may) = (place.join("ready"), place.join("asked"), place.join("may"));
    let fake = Fake::new(&format!(
        "end() {{ : >'{}'; until [ -e '{}' ]; do sleep 0.02; done; kill $!; exit 0; }}\n\
         trap end TERM; sleep 600 & : >'{}'; wait",
        asked.display(),
        may.display(),
        ready.display()
    ));
    let mut service = fake.service(START_LIMIT);
    while !matches!(service.state, State::Starting(..)) {
        assert_eq!(service.poll_start(), Ok(None));
    }
    let listener = UnixListener::bind(dir(&service).join(SOCKET)).unwrap();
    let endpoint = started(&mut service).unwrap();
    let (pid, dir) = (fake.pid(), dir(&service));
    assert_eq!(endpoint, Endpoint::unix(dir.join(SOCKET)));
    comes(&ready);
    assert!(!asked.exists(), "it was told to end before anybody wanted that");
    // It is told at once, and waited for, and no question blocks.
    assert!(!service.poll_end());
    comes(&asked);
    assert!(!service.poll_end() && dir.exists());
    assert!(rustix::process::test_kill_process(pid).is_ok());
    std::fs::write(&may, "").unwrap();
    end(&mut service);
    assert!(gone(pid) && !dir.exists());
    assert!(service.poll_end());
    drop(listener);
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_service_that_is_dropped_ends_by_itself() {
    let fake = Fake::new("exec sleep 600");
    let mut service = fake.service(START_LIMIT);
    let pid = {
        while !matches!(service.state, State::Starting(..)) {
            assert_eq!(service.poll_start(), Ok(None));
        }
        fake.pid()
    };
    let dir = dir(&service);
    drop(service);
    assert!(gone(pid));
    let until = Instant::now() + Duration::from_secs(5);
    while dir.exists() {
        assert!(Instant::now() < until, "its directory is left");
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn a_service_ends_when_the_pipe_ends_and_nobody_waits() {
    let fake = Fake::new("exec sleep 600");
    let dir = private_dir().unwrap();
    let (mut keeper, held) = fake.start(&dir);
    let pid = fake.pid();
    drop(held);
    keeper.wait().unwrap();
    assert!(gone(pid));
    let until = Instant::now() + Duration::from_secs(5);
    while dir.exists() {
        assert!(Instant::now() < until, "its directory is left");
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn a_service_that_will_not_end_is_killed() {
    let fake = Fake::new("trap '' TERM; sleep 600 & while :; do wait; sleep 1; done");
    let dir = private_dir().unwrap();
    let (mut keeper, held) = fake.start(&dir);
    let pid = fake.pid();
    std::thread::sleep(Duration::from_millis(200));
    drop(held);
    keeper.wait().unwrap();
    assert!(gone(pid) && !dir.exists());
}
