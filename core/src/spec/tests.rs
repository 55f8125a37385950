use std::time::Duration;

use super::*;
use crate::error::Error;

#[test]
fn what_cannot_be_is_refused_before_anything_is_sent() {
    let spec = || ContainerSpec::new("busybox");
    assert_eq!(spec().check(), Ok(()));
    assert_eq!(spec().command(["true"]).pids(1).check(), Ok(()));
    let timed = || spec().lifetime(Duration::from_secs(9));
    assert_eq!(timed().pids(4).check(), Ok(()));
    assert_eq!(timed().persistent().pids(2).check(), Ok(()));
    for wrong in [
        timed().pids(3),
        timed().command(["true"]),
        spec().lifetime(Duration::ZERO),
        spec().lifetime(Duration::MAX),
        ContainerSpec::new(""),
        spec().name("../x"),
        spec().name("-x"),
        spec().name("x"),
        spec().command(Vec::<String>::new()),
        spec().env("A=B", ""),
        spec().env("", ""),
        spec().env("A", "a\0b"),
        spec().workdir("tmp"),
        spec().user(""),
        spec().label("pocket-dock.managed", "x"),
        spec().memory(0),
        spec().pids(0),
        spec().pids(1),
        spec().network(Network::Named(String::new())),
        spec().network(Network::Named("host".into())),
        spec().network(Network::Named("none".into())),
        spec().network(Network::Named("bridge".into())),
        spec().network(Network::Named("default".into())),
        spec().network(Network::Named("container:x".into())),
        spec().network(Network::Named("slirp4netns:port_handler=slirp4netns".into())),
        spec().command([""]),
        spec().command(["a", "b\0"]),
        spec().grace(Duration::MAX),
    ] {
        assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
    }
}

/// What an engine could take for something else than it is: another path, another container, or another option.
#[test]
fn hostile_text_reaches_no_engine() {
    let spec = || ContainerSpec::new("busybox");
    let names = [
        "../../etc",
        "a/../../b",
        "/etc",
        "a b",
        "a\"b",
        "a'b",
        "a\nb",
        "a\0b",
        "a;b",
        "a,b",
        "a:b",
        "-v",
        "$(id)",
        "é",
    ];
    for hostile in names {
        for wrong in [
            spec().name(hostile),
            spec().hostname(hostile),
            spec().network(Network::Named(hostile.to_owned())),
            spec().volume(Volume::named(hostile, "/data")),
            spec().add_capability(hostile),
            spec().drop_capability(hostile),
            spec().ulimit(hostile, 1, 1),
            spec().label(format!("pocket-dock.{hostile}"), ""),
            spec().label(format!("pocket-dock.managed={hostile}"), ""),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
        }
    }
    for hostile in [
        "../x",
        "/x",
        "-x",
        "a b",
        "a\nb",
        "a\"b",
        "containers-storage:[overlay@/etc]x",
        "[::1]/x",
        "a$b",
        "a?b",
        "a#b",
        "é",
    ] {
        let wrong = ContainerSpec::new(hostile);
        assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
    }
    for hostile in [
        "",
        "data",
        "./data",
        "../etc",
        "/srv/../etc",
        "/srv/..",
        "/srv,source=/etc",
        "/srv\"",
        "/srv\n/etc",
        "/srv\r",
        "/srv\0",
    ] {
        for wrong in [
            spec().volume(Volume::bind(hostile, "/data")),
            spec().volume(Volume::bind("/srv", hostile)),
            spec().volume(Volume::named("cache", hostile)),
            spec().tmpfs(hostile),
            spec().device(hostile),
            spec().device(Device::new("/dev/null").at(hostile)),
            spec().seccomp(Seccomp::File(hostile.into())),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
        }
    }
    for hostile in ["/", "//", "/tmp:exec", "/data:/etc", "/.."] {
        for wrong in [
            spec().volume(Volume::bind("/srv", hostile)),
            spec().tmpfs(hostile),
            spec().device(Device::new("/dev/null").at(hostile)),
        ] {
            assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
        }
    }
    for hostile in [
        "unconfined",
        "",
        "[]",
        "\"unconfined\"",
        "{}",
        "/etc/profile.json",
        "{\"defaultAction\":",
    ] {
        let wrong = spec().seccomp(Seccomp::Profile(hostile.to_owned()));
        assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
    }
}

#[test]
fn what_cannot_be_together_is_refused() {
    let spec = || ContainerSpec::new("busybox").network(Network::Default);
    for wrong in [
        spec().memory("256 monkeys"),
        spec().memory("0"),
        spec().disk("much"),
        spec().disk(0),
        spec().tmpfs(Tmpfs::new("/tmp").size("0")),
        spec().tmpfs(Tmpfs::new("/tmp").size("x")),
        spec().tmpfs(Tmpfs::new("/tmp").mode(0o17_777)),
        spec().cpu_percent(0),
        spec().cpu_percent(100_001),
        spec().port(0),
        spec().port(80).port(80),
        spec()
            .port(Port::tcp(80).host_port(8080))
            .port(Port::tcp(81).host_port(8080)),
        spec()
            .port(Port::tcp(80).host_port(8080))
            .port(Port::tcp(81).host_port(8080).address(std::net::Ipv4Addr::UNSPECIFIED)),
        spec().port(80).network(Network::None),
        spec().ulimit("nofile", 2, 1),
        spec().ulimit("nofile", 1, u64::MAX),
        spec()
            .volume(Volume::named("aa", "/x"))
            .volume(Volume::named("bb", "/x/")),
        spec().volume(Volume::named("aa", "/x")).tmpfs("/x"),
        spec().hostname("a".repeat(64)),
        spec().hostname("a..b"),
        spec().label("a=b", ""),
        spec().label("", ""),
        spec().label("a", "\0"),
    ] {
        assert!(matches!(wrong.check(), Err(Error::Misuse(_))), "{wrong:?}");
    }
    for right in [
        spec().memory("256m").disk("1.5g").cpu_percent(1),
        spec().port(80).port(Port::udp(80)).port(Port::tcp(80).host_port(8080)),
        spec()
            .port(Port::tcp(80).host_port(8080))
            .port(Port::udp(80).host_port(8080)),
        spec().tmpfs("/x").volume(Volume::named("aa", "/x")),
        spec().tmpfs("/x").tmpfs(Tmpfs::new("/x/").size("1m")),
        spec().hostname("a-1.example"),
        spec().label("a", "\"quotes\"\nand lines = ../"),
        spec().add_capability("cap_sys_ptrace").drop_capability("ALL"),
        spec().ulimit("nofile", 1, 2).ulimit("nofile", 3, 4),
        ContainerSpec::untrusted("localhost:5000/a/b:c@sha256:0123"),
        ContainerSpec::untrusted("busybox").tmpfs(Tmpfs::new("/tmp").size("1g")),
        ContainerSpec::trusted("busybox").port(80),
    ] {
        assert_eq!(right.check(), Ok(()), "{right:?}");
    }
}

#[test]
fn a_command_keeps_what_it_says_itself() {
    let defaults = ContainerSpec::new("busybox")
        .default_timeout(Duration::from_secs(5))
        .default_output_limit(7)
        .defaults();
    let filled = defaults.fill(Command::from("x"));
    assert_eq!(filled.timeout, Some(Duration::from_secs(5)));
    assert_eq!(filled.output_limit.gathered(), Some(7));
    let own = defaults.fill(Command::from("x").timeout(Duration::MAX).unlimited_output());
    assert_eq!(own.timeout, Some(Duration::MAX));
    assert_eq!(own.output_limit.gathered(), None);
    let plain = ContainerSpec::new("busybox").defaults().fill(Command::from("x"));
    assert_eq!((plain.timeout, plain.output_limit.passed()), (None, None));
}

#[test]
fn of_variables_the_last_of_a_name_holds() {
    let spec = ContainerSpec::new("x")
        .env("A", "0")
        .envs([("A", "1"), ("B", "2")])
        .env("B", "3");
    let pairs: Vec<_> = spec.env.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(pairs, [("A", "1"), ("B", "3")]);
    assert!(spec.envs([("A=B", "1")]).check().is_err());
}
