use std::time::SystemTime;

use super::*;
use crate::runtime::{Owner, Service};

/// A user with an environment.
#[derive(Debug)]
struct User(u32, Vec<(&'static str, &'static str)>);

impl Host for User {
    fn entropy(&self) -> [u8; 16] {
        [7; 16]
    }
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn variable(&self, name: &str) -> Option<String> {
        let mut variables = self.1.iter();
        variables.find_map(|(set, value)| (*set == name).then(|| (*value).to_owned()))
    }
    fn launch(&self) -> Result<Option<Box<dyn Service>>, String> {
        Ok(None)
    }
    fn user_id(&self) -> u32 {
        self.0
    }
    fn owner(&self) -> Option<Owner> {
        None
    }
    fn lives(&self, _: &Owner) -> Option<bool> {
        None
    }
}

fn found(uid: u32, variables: &[(&'static str, &'static str)]) -> Result<Vec<Candidate>, Error> {
    candidates(&User(uid, variables.to_vec()))
}

/// The places, none of which a setting names.
fn places(uid: u32, variables: &[(&'static str, &'static str)]) -> Vec<String> {
    let found = found(uid, variables).unwrap();
    assert!(found.iter().all(|place| place.setting.is_none()));
    found.iter().map(|place| place.endpoint.to_string()).collect()
}

#[test]
fn only_sockets_are_accepted() {
    assert_eq!(socket_path("/run/x.sock"), Ok("/run/x.sock"));
    assert_eq!(socket_path("unix:///run/x.sock"), Ok("/run/x.sock"));
    for (wrong, why) in [
        ("tcp://1.2.3.4:2375", "not over tcp; forward"),
        ("ssh://host", "not over ssh; forward"),
        ("npipe:////./pipe/x", "not over npipe; forward"),
        ("run/x.sock", "neither an absolute path"),
        ("unix://x", "neither an absolute path"),
        ("unix://", "neither an absolute path"),
        (" ", "neither an absolute path"),
    ] {
        let said = socket_path(wrong).unwrap_err();
        assert!(said.contains(why), "{wrong}: {said}");
    }
}

#[test]
fn the_first_setting_that_is_set_is_the_only_candidate() {
    let values = ["/run/a.sock", "unix:///run/b.sock", "/run/c.sock"];
    // Each of the three is not set, empty, or set.
    for how in 0..27 {
        let kinds = [how / 9, how / 3 % 3, how % 3];
        let mut variables = vec![("HOME", "/home/me")];
        for ((setting, kind), value) in SETTINGS.into_iter().zip(kinds).zip(values) {
            variables.extend((kind > 0).then_some((setting, if kind == 1 { "" } else { value })));
        }
        match kinds.iter().position(|kind| *kind == 2) {
            Some(first) => {
                let path = values[first].trim_start_matches("unix://");
                let only = Candidate {
                    endpoint: Endpoint::unix(path),
                    setting: Some((SETTINGS[first], values[first].to_owned())),
                };
                assert_eq!(found(7, &variables).unwrap(), [only], "{variables:?}");
            }
            None => assert_eq!(places(7, &variables), places(7, &[("HOME", "/home/me")])),
        }
    }
}

#[test]
fn a_setting_that_names_no_socket_is_an_error() {
    for (at, setting) in SETTINGS.into_iter().enumerate() {
        let mut variables: Vec<_> = SETTINGS.iter().map(|later| (*later, "/run/x.sock")).collect();
        variables.drain(..at);
        variables[0].1 = "tcp://1.2.3.4:2375";
        let error = found(0, &variables).unwrap_err();
        let named = matches!(
            &error,
            Error::Socket(SocketError::Setting { setting: named, value, why })
                if *named == setting && value == "tcp://1.2.3.4:2375" && why.contains("over tcp")
        );
        assert!(named, "{error}");
    }
}

#[test]
fn the_usual_places_in_their_order() {
    let user = [("XDG_RUNTIME_DIR", "/run/mine"), ("HOME", "/home/me")];
    let all = [
        "/run/mine/podman/podman.sock",
        "/run/podman/podman.sock",
        "/var/run/docker.sock",
        "/run/mine/docker.sock",
        "/home/me/.docker/run/docker.sock",
        "/home/me/.local/share/containers/podman/machine/podman.sock",
        "/home/me/.local/share/containers/podman/machine/qemu/podman.sock",
        "/home/me/.colima/default/docker.sock",
        "/home/me/.orbstack/run/docker.sock",
        "/home/me/.rd/docker.sock",
    ];
    assert_eq!(places(1000, &user), all);
    assert_eq!(places(0, &user), all[1..], "root has no rootless Podman");
}

#[test]
fn a_directory_that_is_not_named_is_guessed_or_left_out() {
    let few = [
        "/run/user/1000/podman/podman.sock",
        "/run/podman/podman.sock",
        "/var/run/docker.sock",
        "/run/user/1000/docker.sock",
    ];
    assert_eq!(places(1000, &[]), few);
    for value in ["", "here", "./here"] {
        assert_eq!(
            places(1000, &[("XDG_RUNTIME_DIR", value), ("HOME", value)]),
            few,
            "{value:?}"
        );
    }
}
