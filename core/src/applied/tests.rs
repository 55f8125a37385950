use serde_json::{Value, json};

use super::*;
use crate::spec::{Device, Port, Size};

fn applied(said: &Value, spec: &ContainerSpec) -> Applied {
    spec.check().unwrap();
    Applied::new(serde_json::from_value(said.clone()).unwrap(), Some(spec))
}

fn whats(applied: &Applied) -> Vec<&'static str> {
    applied.differences.iter().map(|one| one.what).collect()
}

/// As Docker says it.
fn docker() -> Value {
    json!({
        "Image": "sha256:12",
        "State": { "Running": true },
        "Config": {
            "Hostname": "box", "User": "worker", "WorkingDir": "/work", "Env": ["PATH=/bin", "A=b=c"],
            "Labels": { "mine": "yes", "pocket-dock.managed": "true" },
        },
        "HostConfig": {
            "NetworkMode": "default", "Memory": 268_435_456, "MemorySwap": 268_435_456, "NanoCpus": 0,
            "CpuPeriod": 100_000, "CpuQuota": 50_000, "PidsLimit": 64, "StorageOpt": { "size": "1073741824" },
            "Tmpfs": { "/tmp": "rw,nosuid,nodev,exec,mode=1777,size=1048576" },
            "Devices": [{ "PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm" }],
            "ReadonlyRootfs": true, "CapAdd": ["CAP_KILL"], "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
            "Ulimits": [{ "Name": "nofile", "Hard": 128, "Soft": 64 }],
        },
        "Mounts": [
            { "Type": "bind", "Source": "/srv", "Destination": "/data", "Mode": "", "RW": false },
            { "Type": "volume", "Name": "cache", "Source": "/var/lib/docker/volumes/cache/_data", "Destination": "/cache",
              "Driver": "local", "Mode": "z", "RW": true },
        ],
        "NetworkSettings": {
            "Ports": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "32768" }], "53/udp": null },
            "Networks": { "bridge": { "IPAddress": "172.17.0.2" } },
        },
    })
}

fn spec() -> ContainerSpec {
    ContainerSpec::new("busybox")
        .hostname("box")
        .user("worker")
        .workdir("/work")
        .env("A", "b=c")
        .label("mine", "yes")
        .memory("256m")
        .cpu_percent(50)
        .pids(64)
        .disk("1g")
        .network(Network::Default)
        .port(80)
        .volume(Volume::bind("/srv/", "/data").read_only())
        .volume(Volume::named("cache", "/cache"))
        .tmpfs(Tmpfs::new("/tmp").size(Size::from("1m")))
        .device("/dev/fuse")
        .read_only_root(true)
        .add_capability("kill")
        .drop_capability("all")
        .no_new_privileges(true)
        .seccomp(Seccomp::Unconfined)
        .ulimit("nofile", 64, 128)
}

#[test]
fn what_is_as_asked_makes_no_difference() {
    let applied = applied(&docker(), &spec());
    assert_eq!(applied.differences, []);
    assert_eq!(applied.memory, Some(256 << 20));
    assert_eq!(applied.cpu_percent, Some(50.0));
    assert_eq!(applied.capabilities, ["CAP_KILL"]);
    assert_eq!(applied.env["A"], "b=c");
    let mounts: Vec<String> = applied.mounts.iter().map(ToString::to_string).collect();
    assert_eq!(
        mounts,
        ["cache at /cache", "/srv at /data, read-only", "memory at /tmp"]
    );
    let ports: Vec<String> = applied.ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["127.0.0.1:32768 -> 80/tcp"]);
}

#[test]
fn an_engine_that_did_nothing_is_found_out() {
    let host = json!({ "NetworkMode": "none", "Memory": null, "MemorySwap": -1, "CapDrop": null });
    let said = json!({ "State": { "Running": true }, "HostConfig": host });
    let applied = applied(&said, &spec());
    assert_eq!(
        whats(&applied),
        [
            "hostname",
            "user",
            "workdir",
            "env",
            "label",
            "memory",
            "memory, and no swap",
            "cpu_percent",
            "pids",
            "disk",
            "network",
            "port",
            "read_only_root",
            "drop_capability",
            "no_new_privileges",
            "seccomp",
            "volume",
            "volume",
            "tmpfs",
            "device",
            "ulimit"
        ]
    );
    let words = applied.differences[5].to_string();
    assert_eq!(words, "memory: 268435456 was asked for, and the engine has none");
    assert_eq!(Applied::new(serde_json::from_str("{}").unwrap(), None).differences, []);
}

#[test]
fn each_thing_that_is_other_than_asked_is_told() {
    for (change, pointer, what) in [
        (json!("localhost"), "/Config/Hostname", "hostname"),
        (json!(["A=b"]), "/Config/Env", "env"),
        (json!({ "mine": "no" }), "/Config/Labels", "label"),
        (json!(536_870_912), "/HostConfig/MemorySwap", "memory, and no swap"),
        (json!(60_000), "/HostConfig/CpuQuota", "cpu_percent"),
        (json!(0), "/HostConfig/PidsLimit", "pids"),
        (json!("host"), "/HostConfig/NetworkMode", "network"),
        (json!(["CAP_NET_RAW"]), "/HostConfig/CapDrop", "drop_capability"),
        (json!([]), "/HostConfig/CapAdd", "add_capability"),
        (
            json!(["seccomp=unconfined"]),
            "/HostConfig/SecurityOpt",
            "no_new_privileges",
        ),
        (json!("0.0.0.0"), "/NetworkSettings/Ports/80~1tcp/0/HostIp", "port"),
        (json!(true), "/Mounts/0/RW", "volume"),
        (json!("/etc"), "/Mounts/0/Source", "volume"),
        (json!("other"), "/Mounts/1/Name", "volume"),
        (json!("rw,size=2m"), "/HostConfig/Tmpfs/~1tmp", "tmpfs"),
        (json!(256), "/HostConfig/Ulimits/0/Hard", "ulimit"),
    ] {
        let mut said = docker();
        *said.pointer_mut(pointer).unwrap() = change;
        assert_eq!(whats(&applied(&said, &spec())), [what], "{pointer}");
    }
}

#[test]
fn ports_of_one_that_does_not_run_are_not_compared() {
    let mut said = docker();
    said["NetworkSettings"]["Ports"] = json!({});
    assert_eq!(whats(&applied(&said, &spec())), ["port"]);
    said["State"]["Running"] = json!(false);
    assert_eq!(whats(&applied(&said, &spec())), [""; 0]);
}

/// Podman tells the capabilities themselves, and names networks in another place.
#[test]
fn podman_says_it_in_other_words() {
    let said = |capabilities: Value| {
        json!({
            "Image": "1".repeat(64), "State": { "Running": true }, "BoundingCaps": capabilities,
            "HostConfig": {
                "NetworkMode": "bridge", "CapAdd": [], "CapDrop": ["CAP_CHOWN"], "PidsLimit": 2048,
                "Tmpfs": { "/tmp": "rw,nosuid,nodev,exec,mode=1777,size=1048576,rprivate,tmpcopyup" },
                "Ulimits": [{ "Name": "RLIMIT_NOFILE", "Hard": 128, "Soft": 64 }],
            },
            "NetworkSettings": {
                "Networks": { "mine": {} }, "Ports": { "80/tcp": [{ "HostIp": "", "HostPort": "8080" }] },
            },
        })
    };
    let spec = ContainerSpec::new("busybox")
        .network(Network::Named("mine".to_owned()))
        .drop_capability("ALL")
        .tmpfs(Tmpfs::new("/tmp/").size("1m"))
        .ulimit("nofile", 64, 128)
        .port(Port::tcp(80).host_port(8080).address(std::net::Ipv4Addr::UNSPECIFIED));
    let none = applied(&said(Value::Null), &spec);
    assert_eq!(none.differences, []);
    assert!(none.capabilities.is_empty());
    assert_eq!(none.image, format!("sha256:{}", "1".repeat(64)));
    let some = said(json!(["CAP_KILL"]));
    assert_eq!(whats(&applied(&some, &spec)), ["drop_capability"]);
    let spec = spec.add_capability("KILL");
    assert_eq!(applied(&some, &spec).differences, []);
    assert_eq!(
        whats(&applied(&some, &spec.device(Device::new("/dev/null")))),
        ["device"]
    );
}
