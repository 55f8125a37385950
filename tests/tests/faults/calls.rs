//! The calls that faults happen in.

use std::path::PathBuf;
use std::time::Duration;

use pocket_dock_blocking::Blocking;
use pocket_dock_core::{
    Command, Container, ContainerSpec, Engine, Error, ListFilter, Pool, SessionOptions, Signal, Turn,
};
use pocket_dock_tests::lab::images;

/// How long a command may run: what a fault hides is told then.
const TIME: Duration = Duration::from_secs(4);
const INPUT_BYTES: usize = 200_000;

/// What a call has.
pub(crate) struct Site {
    pub(crate) engine: Engine<Blocking>,
    /// On all that is made here.
    pub(crate) mark: String,
    pub(crate) dir: PathBuf,
}

impl Site {
    pub(crate) fn spec(&self) -> ContainerSpec {
        ContainerSpec::new(images::BUSYBOX).label("faults", &self.mark)
    }
}

/// A call, and the request that the fault is in.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) line: &'static [&'static str],
    /// Whether its container is of no use to the next.
    pub(crate) spends: bool,
    /// Whether what it gave is right.
    pub(crate) run: fn(&Site, &Container<Blocking>) -> Result<bool, Error>,
}

const EXEC_CREATE: &[&str] = &["POST ", "/containers/", "/exec"];
const EXEC_START: &[&str] = &["POST ", "/exec/", "/start"];
const ANY: &[&str] = &[""];

fn call(
    name: &'static str,
    line: &'static [&'static str],
    spends: bool,
    run: fn(&Site, &Container<Blocking>) -> Result<bool, Error>,
) -> Call {
    Call {
        name,
        line,
        spends,
        run,
    }
}

fn greet() -> Command {
    Command::shell("echo hi; echo there >&2; exit 3").timeout(TIME)
}

pub(crate) fn all() -> Vec<Call> {
    vec![
        call("create", &["POST ", "/containers/create"], false, create),
        call("create: attach", &["POST ", "/attach"], false, create),
        call("create: start", &["POST ", "/containers/", "/start"], false, create),
        call("run: create", EXEC_CREATE, false, run),
        call("run: start", EXEC_START, false, run),
        call("run with stdin", EXEC_START, false, run_with_stdin),
        call("run, killed", EXEC_START, false, run_killed),
        call("stream", EXEC_START, false, stream),
        call("process", EXEC_START, false, process),
        call("session turn", EXEC_START, false, turn),
        call("turn with stdin", ANY, false, turn_with_stdin),
        call("push", ANY, false, push),
        call("pull", ANY, false, pull),
        call("info", ANY, false, |_, container| container.info().map(|_| true)),
        call("inspect", ANY, false, |_, container| {
            container.inspect().map(|state| state.running)
        }),
        call("list", ANY, false, list),
        call("kill", &["POST ", "/kill"], true, |_, container| {
            container.kill(Signal::Term).map(|()| true)
        }),
        call("restart", ANY, true, |_, container| container.restart().map(|()| true)),
        call("stop, start", ANY, true, |_, container| {
            container.stop()?;
            container.start().map(|()| true)
        }),
        call("reboot", ANY, true, |_, container| container.reboot().map(|()| true)),
        call("fresh reboot", ANY, true, |_, container| {
            container.reboot_fresh().map(|()| true)
        }),
        call("shutdown", ANY, true, |_, container| {
            container.shutdown().map(|()| true)
        }),
        call("pool", &["POST ", "/containers/create"], false, pool),
    ]
}

fn create(site: &Site, _: &Container<Blocking>) -> Result<bool, Error> {
    let made = site.engine.create(site.spec())?;
    made.shutdown().map(|()| true)
}

fn run(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let result = container.run(greet())?;
    let got = (result.exit_code, &*result.stdout_text(), &*result.stderr_text());
    Ok(result.timed_out || got == (3, "hi\n", "there\n"))
}

fn run_with_stdin(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let input: Vec<u8> = (0..INPUT_BYTES).map(|at| (at % 251) as u8).collect();
    let result = container.run(Command::shell("cat").stdin(input.clone()).timeout(TIME))?;
    Ok(result.timed_out || result.stdout.head == input)
}

fn run_killed(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let command = Command::shell("sleep 7777 & sleep 7777").timeout(Duration::from_secs(1));
    container.run(command).map(|result| result.timed_out)
}

fn stream(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let mut stream = container.stream(Command::shell("echo hi; exit 3").timeout(TIME))?;
    let chunks = stream.by_ref().collect::<Result<Vec<_>, _>>()?;
    let ended = stream.result()?;
    let out: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.data.to_vec()).collect();
    Ok(ended.timed_out || (ended.exit_code, &*out) == (3, b"hi\n"))
}

fn process(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let process = container.spawn(greet())?;
    let ended = process.wait()?;
    Ok(ended.timed_out || ended.exit_code == 3)
}

fn turn(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let session = container.session(SessionOptions::new())?;
    let result = session.send_and_wait(Turn::new("echo hi; (exit 3)").timeout(TIME))?;
    Ok(result.timed_out || (result.exit_code, &*result.stdout_text()) == (3, "hi\n"))
}

fn turn_with_stdin(_: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let session = container.session(SessionOptions::new())?;
    let result = session.send_and_wait(Turn::new("wc -c").stdin(vec![b'x'; INPUT_BYTES]).timeout(TIME))?;
    Ok(result.timed_out || result.stdout_text().trim() == "200000")
}

fn push(site: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    container.push(site.dir.join("from"), "/tmp/pushed").map(|_| true)
}

fn pull(site: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let to = site.dir.join("pulled");
    container.pull("/etc/passwd", &to)?;
    Ok(std::fs::read(&to).is_ok_and(|data| !data.is_empty()))
}

fn list(site: &Site, container: &Container<Blocking>) -> Result<bool, Error> {
    let listed = site.engine.list(ListFilter::new())?;
    Ok(listed.iter().any(|one| one.id == container.id()))
}

fn pool(site: &Site, _: &Container<Blocking>) -> Result<bool, Error> {
    let pool = Pool::new(&site.engine, site.spec(), 1)?;
    let taken = pool.take_within(Duration::from_secs(20))?;
    taken.shutdown().map(|()| true)
}
