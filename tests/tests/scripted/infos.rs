//! What is told of containers and engines: figures, reasons, findings.

use std::time::Duration;

use pocket_dock_core::{
    Check, Checkup, ContainerError, ContainerSpec, EndReason, Engine, EngineKind, Error, Options, Severity, Signal,
};
use pocket_dock_tests::scripted::{Connection, FakeHost, Peer, Scripted, Split};
use pocket_dock_tests::sim::Reply;

use crate::world::{World, everywhere};

/// A whole answer with this body.
fn answer(status: u16, body: &str) -> Reply {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    Reply::Open((head + body).into_bytes())
}

/// A sample as this kind of engine writes it, so many seconds after the first.
fn sample(kind: EngineKind, second: u64, cpu_milliseconds: u64) -> String {
    let at = |second: u64| format!("2026-11-23T10:00:{second:02}.5Z");
    let cpu = cpu_milliseconds * 1_000_000;
    let (before, stats) = if kind == EngineKind::Docker {
        (
            format!(
                r#","preread":"{}","precpu_stats":{{"cpu_usage":{{"total_usage":{}}}}}"#,
                at(second - 1),
                cpu.saturating_sub(500_000_000)
            ),
            r#","stats":{"total_active_file":1048576,"total_inactive_file":2097152}"#,
        )
    } else {
        (
            r#","preread":"0001-01-01T00:00:00Z","precpu_stats":{"cpu_usage":{"total_usage":0}}"#.to_owned(),
            "",
        )
    };
    format!(
        r#"{{"read":"{}","cpu_stats":{{"cpu_usage":{{"total_usage":{cpu}}}}},"pids_stats":{{"current":3}},
        "memory_stats":{{"usage":8388608,"limit":16777216{stats}}}{before}}}"#,
        at(second)
    )
}

fn sampled(world: &World, second: u64, cpu_milliseconds: u64) {
    let body = sample(world.kind, second, cpu_milliseconds);
    world.sim.reply("GET", "/stats", answer(200, &body));
}

const TOP: [&str; 2] = [
    r#"{"Processes":[["root","6576","6555","6","10:32","?","00:00:00","sleep 100000"]],
    "Titles":["UID","PID","PPID","C","STIME","TTY","TIME","CMD"]}"#,
    r#"{"Processes":[["1 root     sleep 100000"]],"Titles":["PID   USER     COMMAND"]}"#,
];

#[test]
fn all_that_is_told_comes_together() {
    everywhere(|world| {
        let container = world
            .engine
            .create(ContainerSpec::new("busybox").memory(16 << 20).label("a", "b"))
            .unwrap();
        let is_docker = world.kind == EngineKind::Docker;
        sampled(world, 1, 1000);
        sampled(world, 2, 1500);
        world
            .sim
            .reply("GET", "/top", answer(200, TOP[usize::from(!is_docker)]));
        let refused = r#"{"message":"no room","cause":"no room","response":400}"#;
        world.sim.reply("POST", "/exec", answer(400, refused));
        let began = world.runtime.elapsed();
        let info = container.info().unwrap();
        let at = &world.at;
        assert_eq!(
            (info.id.as_str(), info.name.as_str()),
            (container.id(), container.name()),
            "{at}"
        );
        assert!(
            info.running && !info.paused && info.exit_code.is_none() && info.uptime.is_some(),
            "{at}"
        );
        assert_eq!(info.cpu_percent, Some(50.0), "{at}");
        assert_eq!((info.memory_limit, info.pids), (Some(16 << 20), Some(3)), "{at}");
        // Podman does not tell the page cache, and nothing could be looked at inside.
        let used = is_docker.then_some(5 << 20);
        assert_eq!(
            (info.memory_used, info.page_cache),
            (used, is_docker.then_some(3 << 20)),
            "{at}"
        );
        let pid = if is_docker { 6576 } else { 1 };
        assert_eq!(info.processes.len(), 1, "{at}");
        assert_eq!((info.processes[0].pid, info.host_pids), (pid, is_docker), "{at}");
        assert_eq!(info.labels.get("a").map(String::as_str), Some("b"), "{at}");
        assert!(
            info.unknown.iter().any(|why| why.contains("no room")),
            "{at}: {:?}",
            info.unknown
        );
        assert!(info.to_string().contains("CPU        50.0 %"), "{at}: {info}");
        // Docker measures over a second by itself.
        let took = world.runtime.elapsed() - began;
        assert_eq!(took >= Duration::from_secs(1), !is_docker, "{at}: {took:?}");
        assert_eq!(world.sim.count("GET", "/stats"), if is_docker { 1 } else { 2 }, "{at}");
        assert_eq!(world.runtime.attended(), 0, "{at}");
    });
}

#[test]
fn one_that_does_not_run_is_told_at_once() {
    everywhere(|world| {
        let container = world
            .engine
            .create(ContainerSpec::new("busybox").auto_remove(false))
            .unwrap();
        container.stop().unwrap();
        for what in ["/stats", "/top"] {
            world.sim.reply("GET", what, Reply::Silence);
        }
        let began = world.runtime.elapsed();
        let info = container.info().unwrap();
        let at = &world.at;
        assert!(world.runtime.elapsed() - began < Duration::from_secs(1), "{at}");
        assert_eq!((info.running, info.status.as_str()), (false, "exited"), "{at}");
        assert!(
            info.exit_code.is_some() && info.cpu_percent.is_none() && info.processes.is_empty(),
            "{at}"
        );
        world.runtime.pause(Duration::from_millis(10));
        assert_eq!(world.runtime.attended(), 0, "{at}: what nobody waits for goes on");
        container.shutdown().unwrap();
        let gone = container.info();
        assert!(
            matches!(gone, Err(Error::Container(ContainerError::Gone { .. }))),
            "{at}: {gone:?}"
        );
    });
}

#[test]
fn statistics_come_until_it_ends() {
    everywhere(|world| {
        let container = world.container();
        let at = &world.at;
        if world.kind == EngineKind::Docker {
            let mut body = String::new();
            for second in 1..4 {
                body += &sample(world.kind, second, second * 250);
                body.push('\n');
            }
            body += r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}"#;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            let text = format!("{head}{:x}\r\n{body}\r\n", body.len());
            world.sim.reply("GET", "/stats", Reply::Open(text.into_bytes()));
        } else {
            for second in 1..4 {
                sampled(world, second, second * 250);
            }
            let stopped = r#"{"cause":"container is stopped","message":"container is stopped","response":500}"#;
            world.sim.reply("GET", "/stats", answer(200, stopped));
        }
        let mut stats = container.stats();
        let mut percents = Vec::new();
        while let Some(one) = stats.next().unwrap() {
            assert_eq!((one.memory_usage, one.pids), (8 << 20, Some(3)), "{at}");
            percents.push(one.cpu_percent);
        }
        assert_eq!(percents[1..], [Some(25.0), Some(25.0)], "{at}");
        assert_eq!(percents[0].is_some(), world.kind == EngineKind::Docker, "{at}");
        assert_eq!(stats.next().unwrap(), None, "{at}");
        assert_eq!(world.runtime.attended(), 0, "{at}");
    });
}

#[test]
fn statistics_that_are_dropped_are_not_gathered() {
    everywhere(|world| {
        let container = world.container();
        world.sim.reply("GET", "/stats", Reply::Silence);
        let stats = container.stats();
        world.runtime.pause(Duration::from_millis(10));
        assert_eq!(world.runtime.attended(), 1, "{}", world.at);
        drop(stats);
        world.runtime.pause(Duration::from_millis(10));
        assert_eq!(world.runtime.attended(), 0, "{}", world.at);
        container.shutdown().unwrap();
        let mut stats = container.stats();
        let gone = stats.next();
        assert!(
            matches!(gone, Err(Error::Container(ContainerError::Gone { .. }))),
            "{}: {gone:?}",
            world.at
        );
        assert_eq!(stats.next().unwrap(), None, "{}", world.at);
    });
}

/// Events of one container.
fn events(id: &str, each: &[(&str, &str)]) -> Reply {
    let event = |(action, attributes): &(&str, &str)| {
        format!(r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{{attributes}}}}}}}"#)
    };
    let all: Vec<String> = each.iter().map(event).collect();
    answer(200, &all.join("\n"))
}

#[test]
fn reasons_are_found_where_the_engine_has_them() {
    everywhere(|world| {
        let at = &world.at;
        let container = world.container();
        assert_eq!(container.end_reason().unwrap(), None, "{at}");
        world.sim.remove_all();
        let started = ("start", "");
        for (each, wanted) in [
            (vec![started, ("die", r#""exitCode":"3""#)], EndReason::Exited(3)),
            (
                vec![
                    started,
                    ("kill", r#""signal":"9""#),
                    ("die", r#""exitCode":"137""#),
                    ("destroy", ""),
                ],
                EndReason::RemovedByOther,
            ),
            (
                vec![started, ("oom", ""), ("die", r#""exitCode":"137""#)],
                EndReason::OutOfMemory,
            ),
        ] {
            world.sim.reply("GET", "/events", events(container.id(), &each));
            assert_eq!(container.end_reason().unwrap(), Some(wanted), "{at}");
        }
        // What has no start there happened before the engine was started, unless there was too much since.
        let few = || events("another", &[started; 3]);
        let many = || events("another", &[started; 256]);
        for (all, wanted) in [(few(), EndReason::EngineRestarted), (many(), EndReason::Unknown)] {
            world.sim.reply("GET", "/events", events(container.id(), &[]));
            if world.kind == EngineKind::Docker {
                world.sim.reply("GET", "/events", all);
                assert_eq!(container.end_reason().unwrap(), Some(wanted), "{at}");
            } else {
                assert_eq!(container.end_reason().unwrap(), Some(EndReason::Unknown), "{at}");
            }
        }
        // One that does not tell is no error.
        assert_eq!(container.end_reason().unwrap(), Some(EndReason::Unknown), "{at}");
    });
}

#[test]
fn what_this_program_did_is_known_here() {
    everywhere(|world| {
        let at = &world.at;
        let spec = ContainerSpec::new("busybox").command(["sleep"]).auto_remove(false);
        let container = world.engine.create(spec).unwrap();
        container.stop().unwrap();
        assert_eq!(container.end_reason().unwrap(), Some(EndReason::EndedHere), "{at}");
        container.start().unwrap();
        assert_eq!(container.end_reason().unwrap(), None, "{at}");
        container.kill(Signal::Kill).unwrap();
        assert_eq!(container.end_reason().unwrap(), Some(EndReason::EndedHere), "{at}");
        // What was done to the one before is not why the next one ended.
        for fresh in [false, true] {
            container.start().unwrap();
            container.stop().unwrap();
            if fresh {
                container.reboot_fresh().unwrap();
            } else {
                container.reboot().unwrap();
            }
            assert_eq!(container.end_reason().unwrap(), None, "{at}");
            world.sim.end(container.name());
            assert_ne!(container.end_reason().unwrap(), Some(EndReason::EndedHere), "{at}");
        }
        container.shutdown().unwrap();
        assert_eq!(container.end_reason().unwrap(), Some(EndReason::EndedHere), "{at}");
    });
}

const ABOUT: &str = r#"{"Driver":"overlay2","CgroupVersion":"1","CgroupDriver":"cgroupfs","MemoryLimit":true,"SwapLimit":true,
    "CpuCfsQuota":true,"PidsLimit":true,"SecurityOptions":["name=seccomp"]}"#;

#[test]
fn the_doctor_looks_at_everything() {
    everywhere(|world| {
        let at = &world.at;
        world.sim.reply("GET", "/info", answer(200, ABOUT));
        world.sim.reply("GET", "/images/busybox/json", answer(200, "{}"));
        world.sim.reply(
            "GET",
            "/images/nosuch/json",
            answer(404, r#"{"message":"No such image: nosuch"}"#),
        );
        let checkup = Checkup::new().image("busybox").image("nosuch").image("../x");
        let report = world.engine.doctor(checkup).unwrap();
        let worst = |check: Check| report.of(check).map(|finding| finding.severity).max();
        for (check, wanted) in [
            (Check::Engine, Severity::Good),
            (Check::Version, Severity::Good),
            (Check::Rootless, Severity::Note),
            (Check::Limits, Severity::Good),
            (Check::Storage, Severity::Good),
            (Check::Image, Severity::Problem),
            (Check::Orphans, Severity::Good),
        ] {
            assert_eq!(worst(check), Some(wanted), "{at}: {report}");
        }
        let images: Vec<Severity> = report.of(Check::Image).map(|finding| finding.severity).collect();
        assert_eq!(
            images,
            [Severity::Good, Severity::Problem, Severity::Warning],
            "{at}: {report}"
        );
        // Whatever does not answer is a finding too.
        world.sim.reply("GET", "/info", Reply::Close(Vec::new()));
        world
            .sim
            .reply("GET", "/containers/json", answer(500, r#"{"message":"out of order"}"#));
        let report = world.engine.doctor(Checkup::new()).unwrap();
        assert_eq!(report.severity(), Severity::Warning, "{at}: {report}");
        assert!(report.to_string().contains("out of order"), "{at}: {report}");
    });
}

/// Where nothing listens.
#[derive(Debug)]
struct Nobody;

impl Peer for Nobody {
    fn connect(
        &mut self,
        _: &pocket_dock_core::Endpoint,
        _: Duration,
    ) -> Result<Box<dyn Connection>, std::io::ErrorKind> {
        Err(std::io::ErrorKind::NotFound)
    }

    fn next_event(&mut self, _: Duration) -> Option<Duration> {
        None
    }
}

#[test]
fn the_doctor_needs_no_engine() {
    for options in [Options::new(), Options::new().socket("/run/nobody.sock")] {
        let runtime = Scripted::with_host(Nobody, Split::Whole, FakeHost::default());
        let report = Engine::diagnose(runtime, options, Checkup::new().image("x")).unwrap();
        assert!(!report.is_usable(), "{report}");
        let finding = &report.findings[0];
        assert!(report.findings.len() == 1 && finding.check == Check::Engine && finding.remedy.is_some());
    }
}
