use std::os::unix::net::UnixListener;

use super::*;

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

#[test]
fn a_service_that_ends_at_once_is_quoted() {
    let fake = Fake::new("echo 'no space left on device' >&2; exit 125");
    let error = launch(&fake.program, Settings::default(), START_LIMIT).unwrap_err();
    assert!(
        error.contains("125") && error.contains("no space left on device"),
        "{error}"
    );
}

#[test]
fn a_service_that_never_listens_is_given_up_and_ended() {
    let fake = Fake::new("echo waiting; exec sleep 600");
    let error = launch(&fake.program, Settings::default(), Duration::from_millis(300)).unwrap_err();
    assert!(error.contains("300ms") && error.contains("waiting"), "{error}");
    assert!(gone(fake.pid()));
}

#[test]
fn a_service_ends_with_its_guard() {
    let fake = Fake::new("exec sleep 600");
    let dir = private_dir().unwrap();
    let socket = dir.join("podman.sock");
    let (keeper, held) = start(&fake.program, Settings::default(), &dir, &socket).unwrap();
    let service = Service {
        keeper,
        held: Some(held),
        dir: dir.clone(),
    };
    let listener = UnixListener::bind(&socket).unwrap();
    let pid = fake.pid();
    assert!(rustix::process::test_kill_process(pid).is_ok());
    drop(service);
    assert!(gone(pid) && !dir.exists());
    drop(listener);
}

#[test]
fn a_service_ends_when_the_pipe_ends_and_nobody_waits() {
    let fake = Fake::new("exec sleep 600");
    let dir = private_dir().unwrap();
    let (mut keeper, held) = start(&fake.program, Settings::default(), &dir, &dir.join("podman.sock")).unwrap();
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
    let (mut keeper, held) = start(&fake.program, Settings::default(), &dir, &dir.join("podman.sock")).unwrap();
    let pid = fake.pid();
    std::thread::sleep(Duration::from_millis(200));
    drop(held);
    keeper.wait().unwrap();
    assert!(gone(pid) && !dir.exists());
}
