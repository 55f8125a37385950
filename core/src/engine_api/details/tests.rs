//! What engines said, and what each has of its own.

use super::*;
use crate::engine_api::json;
use crate::http::testing::recorded;

fn details(bytes: &[u8]) -> Details {
    json("inspect", &recorded(bytes).body).unwrap()
}

#[test]
fn one_that_was_stopped() {
    let said = details(include_bytes!(
        "../../../../tests/fixtures/recordings/podman-5.8/inspect_stopped.resp"
    ));
    assert_eq!(said.name.as_deref(), Some("/wr-b"));
    assert_eq!((said.memory_limit(), said.pids_limit()), (None, Some(2048)));
    assert_eq!(said.command(), ["sleep", "100000"]);
    let state = said.state();
    assert_eq!((state.is_running(), state.exit_code), (false, Some(137)));
    let ran = state.finished().unwrap().duration_since(state.started().unwrap());
    assert_eq!(ran.unwrap().as_millis(), 1055);
    let [network] = &said.networks()[..] else { panic!() };
    assert_eq!(
        (network.name.as_str(), network.ipv4, &network.mac),
        ("podman", None, &None)
    );
}

#[test]
fn one_that_runs_and_one_whose_memory_was_used_up() {
    let said = details(include_bytes!(
        "../../../../tests/fixtures/recordings/podman-5.8/inspect_running.resp"
    ));
    assert!(said.state().is_running() && said.state().finished().is_none());
    assert!(said.created().is_some());
    let said = details(include_bytes!(
        "../../../../tests/fixtures/recordings/podman-5.8/inspect_oom.resp"
    ));
    assert_eq!(said.state().oom_killed, Some(true));
}

#[test]
fn ports_are_those_that_are_bound() {
    let said: Details = serde_json::from_str(
        r#"{"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"},{"HostIp":"","HostPort":"81"}],
        "9/tcp":null},
        "Networks":{"bridge":{"IPAddress":"172.17.0.2","Gateway":"172.17.0.1","GlobalIPv6Address":"","MacAddress":"02:42"},
        "none":null}},"HostConfig":{"Memory":268435456,"PidsLimit":-1},"Config":{"Entrypoint":"/bin/sh -c","Cmd":null}}"#,
    )
    .unwrap();
    let ports: Vec<String> = said.ports().iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["*:81 -> 80/tcp", "127.0.0.1:32768 -> 80/tcp"]);
    let networks: Vec<String> = said.networks().iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["bridge 172.17.0.2", "none"]);
    assert_eq!((said.memory_limit(), said.pids_limit()), (Some(256 << 20), None));
    assert_eq!(said.command(), ["/bin/sh", "-c"]);
    let nothing: Details = serde_json::from_str("{}").unwrap();
    assert!(nothing.ports().is_empty() && nothing.networks().is_empty() && !nothing.state().is_running());
}
