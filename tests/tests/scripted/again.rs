//! Containers that begin anew, stay, are found again, and become images.

use std::time::Duration;

use pocket_dock_core::{
    CloseReason, ContainerError, ContainerSpec, Engine, EngineKind, Error, ImageError, ListFilter, Options, Owner,
    Prune, SessionOptions, Turn,
};
use pocket_dock_tests::scripted::{FakeHost, Scripted, Split};
use pocket_dock_tests::sim::{Behaviour, Reply, Said, Sim, Talk, Told};

use crate::world::{World, everywhere};

/// A shell that never says anything.
#[derive(Debug)]
struct Silent;

impl Talk for Silent {
    fn told(&mut self, _: Told<'_>) -> Vec<Said> {
        Vec::new()
    }
}

fn refusal(status: u16, body: &str) -> Reply {
    let length = body.len();
    Reply::Open(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

fn gone<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Container(ContainerError::Gone { .. })))
}

fn rebooted(error: &Error, name: &str) -> bool {
    matches!(error, Error::Container(ContainerError::Rebooted { name: said }) if said == name)
}

/// A command that does not end by itself.
fn runs_on(world: &World) {
    let runs_on = Behaviour {
        duration: Duration::from_secs(3600),
        ..Behaviour::default()
    };
    world.sim.command("serve", runs_on);
}

#[test]
fn a_reboot_in_place_keeps_the_container() {
    everywhere(|world| {
        runs_on(world);
        let container = world
            .engine
            .create(ContainerSpec::new("busybox").auto_remove(false))
            .unwrap();
        let id = container.id().to_owned();
        let process = container.spawn("serve").unwrap();
        container.reboot().unwrap();
        assert_eq!(container.id(), id, "{}", world.at);
        let told = process.wait().unwrap_err();
        assert!(rebooted(&told, container.name()), "{}: {told}", world.at);
        assert!(container.run("true").unwrap().success(), "{}", world.at);
        assert!(container.inspect().unwrap().running, "{}", world.at);
    });
}

#[test]
fn a_fresh_reboot_makes_all_of_the_spec_anew() {
    everywhere(|world| {
        runs_on(world);
        let spec = ContainerSpec::new("busybox")
            .name("mine")
            .env("A", "b \"c\"\n")
            .label("k", "v")
            .user("nobody")
            .workdir("/tmp")
            .memory(64 << 20)
            .pids(32)
            .lifetime(Duration::from_secs(5000));
        let container = world.engine.create(spec).unwrap();
        let first = container.id();
        let (process, stream) = (container.spawn("serve").unwrap(), container.stream("serve").unwrap());
        let before = world.sim.spec_of("mine").unwrap();
        container.reboot_fresh().unwrap();
        let mut after = world.sim.spec_of("mine").unwrap();
        assert_ne!(first, container.id(), "{}", world.at);
        let instance = "pocket-dock.instance";
        assert_ne!(before["Labels"][instance], after["Labels"][instance], "{}", world.at);
        after["Labels"][instance] = before["Labels"][instance].clone();
        assert_eq!(before, after, "{}", world.at);
        let told = process.wait().unwrap_err();
        assert!(rebooted(&told, "mine"), "{}: {told}", world.at);
        let mut stream = stream;
        let told = stream.result().unwrap_err();
        assert!(rebooted(&told, "mine"), "{}: {told}", world.at);
        assert!(container.run("true").unwrap().success(), "{}", world.at);
        // What begins now is not told of what was.
        let process = container.spawn("true").unwrap();
        assert!(process.wait().unwrap().success(), "{}", world.at);
        container.reboot_fresh().unwrap();
        assert_eq!(world.sim.containers(), ["mine"], "{}", world.at);
        drop(container);
        assert_eq!(world.sim.containers(), [""; 0], "{}", world.at);
    });
}

#[test]
fn a_session_is_told_of_a_reboot() {
    everywhere(|world| {
        let container = world.container();
        world.sim.talk(Silent);
        let session = container.session(SessionOptions::new().shell("/bin/sh")).unwrap();
        container.reboot_fresh().unwrap();
        let Err(Error::SessionClosed { reason }) = session.send_and_wait("true") else {
            panic!("{}: not closed", world.at);
        };
        let CloseReason::Failed(why) = reason else {
            panic!("{}: {reason}", world.at);
        };
        assert!(rebooted(&why, container.name()), "{}: {why}", world.at);
    });
}

#[test]
fn input_that_is_never_stored_is_given_up() {
    everywhere(|world| {
        let container = world.container();
        world.sim.talk(Silent);
        let session = container.session(SessionOptions::new().shell("/bin/sh")).unwrap();
        // A `cat` of the container's own that never ends.
        let upgraded = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
        world.sim.reply("POST", "/start", Reply::Open(upgraded.into()));
        let began = world.runtime.elapsed();
        let error = session
            .send_and_wait(Turn::from("cat").stdin("never read"))
            .unwrap_err();
        let took = world.runtime.elapsed() - began;
        let told = matches!(&error, Error::Misuse(why) if why.contains("was not stored"));
        assert!(told, "{}: {error}", world.at);
        let bounds = Duration::from_secs(30)..Duration::from_secs(60);
        assert!(bounds.contains(&took), "{}: {took:?}", world.at);
        container.shutdown().unwrap();
    });
}

#[test]
fn a_reboot_that_fails_says_what_is_left() {
    everywhere(|world| {
        // What is sure to fail changes nothing.
        let container = world.container();
        let id = container.id().to_owned();
        world.sim.remove_image("busybox");
        let error = container.reboot_fresh().unwrap_err();
        let named = matches!(&error, Error::Image(ImageError::NotFound { image, .. }) if image == "busybox");
        assert!(named, "{}: {error}", world.at);
        assert_eq!(container.id(), id);
        assert!(container.inspect().unwrap().running, "{}", world.at);

        // The image is seen, and gone when it is wanted.
        let seen = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        world.sim.reply("GET", "/images/busybox/json", Reply::Open(seen.into()));
        let error = container.reboot_fresh().unwrap_err();
        let Error::Container(ContainerError::RebootFailed { name, removed, why }) = &error else {
            panic!("{}: {error}", world.at);
        };
        assert_eq!((name.as_str(), *removed), (container.name(), true), "{}", world.at);
        assert!(
            matches!(**why, Error::Image(ImageError::NotFound { .. })),
            "{}: {error}",
            world.at
        );
        assert!(error.to_string().contains("nothing is left"), "{error}");
        assert_eq!(world.sim.containers(), [""; 0], "{}", world.at);
        assert!(gone(&container.run("true")), "{}", world.at);
        let error = container.reboot_fresh().unwrap_err();
        assert!(matches!(error, Error::Image(_)), "{}: {error}", world.at);
        container.shutdown().unwrap();
        let error = container.reboot_fresh().unwrap_err();
        assert!(
            matches!(&error, Error::Misuse(text) if text.contains("shut down")),
            "{}: {error}",
            world.at
        );
    });
}

#[test]
fn a_fresh_reboot_that_was_dropped_goes_on() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        for polls in 0..60 {
            let sim = Sim::new(kind);
            let runtime = Scripted::new(sim.clone(), Split::Whole);
            let engine = Engine::connect_with(runtime.clone(), Options::new().socket("/run/engine.sock")).unwrap();
            let container = engine.create(ContainerSpec::new("busybox").name("mine")).unwrap();
            let id = container.id().to_owned();
            runtime.abandon_after(polls);
            let _ = container.reboot_fresh();
            assert_eq!(sim.containers(), ["mine"], "{kind}, {polls}");
            let removed = sim.count("DELETE", &id) > 0;
            assert_eq!(container.id() != id, removed, "{kind}, {polls}");
            assert!(container.run("true").unwrap().success(), "{kind}, {polls}");
            drop(container);
            sim.settle();
            assert_eq!(sim.containers(), [""; 0], "{kind}, {polls}");
            assert!(
                runtime.finished().iter().all(Option::is_none),
                "{kind}: {:?}",
                runtime.finished()
            );
        }
    }
}

#[test]
fn a_persistent_one_stays_and_is_found_again() {
    everywhere(|world| {
        let spec = ContainerSpec::new("busybox").name("stays").persistent().label("k", "v");
        let container = world.engine.create(spec).unwrap();
        container.persist().unwrap();
        assert!(container.is_persistent(), "{}", world.at);
        assert_eq!(world.sim.count("POST", "/attach"), 0, "{}", world.at);
        let id = container.id().to_owned();
        drop(container);
        world.sim.settle();
        assert_eq!(world.sim.containers(), ["stays"], "{}", world.at);

        // Another program.
        let options = Options::new().socket("/run/engine.sock");
        let engine = Engine::connect_with(world.runtime.clone(), options).unwrap();
        for reference in ["stays", &id, &id[..12]] {
            let found = engine.attach(reference).unwrap();
            assert_eq!((found.id(), found.name()), (id.as_str(), "stays"), "{}", world.at);
            assert!(found.is_persistent(), "{}", world.at);
            assert!(found.run("true").unwrap().success(), "{}", world.at);
        }
        let found = engine.attach("stays").unwrap();
        found.stop().unwrap();
        drop(found);
        // To attach to it does not start it.
        let found = engine.attach("stays").unwrap();
        assert!(!found.inspect().unwrap().running, "{}", world.at);
        let resumed = engine.resume("stays").unwrap();
        assert!(resumed.inspect().unwrap().running, "{}", world.at);
        resumed.reboot().unwrap();
        assert!(resumed.run("true").unwrap().success(), "{}", world.at);
        assert_eq!(world.sim.count("POST", "/attach"), 0, "{}", world.at);
        let error = resumed.reboot_fresh().unwrap_err();
        assert!(
            matches!(&error, Error::Misuse(text) if text.contains("spec")),
            "{}: {error}",
            world.at
        );
        drop(resumed);
        engine.destroy("stays").unwrap();
        assert!(
            gone(&engine.destroy("stays")) && gone(&engine.attach("stays")),
            "{}",
            world.at
        );
    });
}

#[test]
fn a_persistent_one_is_made_anew_and_shut_down() {
    everywhere(|world| {
        let spec = ContainerSpec::new("busybox").name("stays").persistent();
        let container = world.engine.create(spec).unwrap();
        container.reboot_fresh().unwrap();
        assert_eq!(world.sim.spec_of("stays").unwrap()["OpenStdin"], false, "{}", world.at);
        container.restart().unwrap();
        container.stop().unwrap();
        container.start().unwrap();
        assert!(container.run("true").unwrap().success(), "{}", world.at);
        container.shutdown().unwrap();
        assert_eq!(world.sim.containers(), [""; 0], "{}", world.at);
    });
}

#[test]
fn one_on_a_leash_cannot_be_left_and_others_cannot_start_it() {
    everywhere(|world| {
        let container = world
            .engine
            .create(ContainerSpec::new("busybox").name("mine").auto_remove(false))
            .unwrap();
        let error = container.persist().unwrap_err();
        let typed = matches!(&error, Error::Container(ContainerError::NotPersistent { name }) if name == "mine");
        assert!(typed, "{error}");
        let found = world.engine.attach("mine").unwrap();
        assert!(found.run("true").unwrap().success(), "{}", world.at);
        runs_on(world);
        let process = found.spawn("serve").unwrap();
        for refused in [found.start(), found.restart(), found.reboot()] {
            assert!(
                matches!(&refused, Err(Error::Misuse(text)) if text.contains("tied")),
                "{}: {refused:?}",
                world.at
            );
        }
        assert!(process.is_running(), "{}: what was refused ended something", world.at);
        drop((process, found));
        assert!(container.inspect().unwrap().running, "{}", world.at);
        world.engine.attach("mine").unwrap().shutdown().unwrap();
        assert!(gone(&container.inspect()), "{}", world.at);
    });
}

#[test]
fn only_ours_are_listed_attached_to_and_destroyed() {
    everywhere(|world| {
        world.sim.add("foreign", &[]);
        let labels = [
            ("pocket-dock.managed", "true"),
            ("pocket-dock.name", "other"),
            ("pocket-dock.instance", "4567"),
            ("k", "v"),
        ];
        world.sim.add("inherits", &labels);
        // It is called as its image says, and has all of its image's labels.
        let handed = [
            ("pocket-dock.managed", "true"),
            ("pocket-dock.name", "handed"),
            ("pocket-dock.instance", "0123"),
        ];
        world.sim.add_of_labelled("busybox", "handed", &handed);
        // The same without an instance.
        let bare = [handed[0], ("pocket-dock.name", "bare")];
        world.sim.add_of_labelled("careless", "bare", &bare);
        let container = world
            .engine
            .create(ContainerSpec::new("busybox").name("mine").label("k", "v"))
            .unwrap();
        let listed = world.engine.list(ListFilter::new()).unwrap();
        let names: Vec<&str> = listed.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["mine"], "{}", world.at);
        assert_eq!(
            listed[0].labels.iter().collect::<Vec<_>>(),
            [(&"k".to_owned(), &"v".to_owned())]
        );
        assert!(listed[0].is_running() && !listed[0].persistent, "{}", world.at);
        let filter = ListFilter::new().label("k", "\"]}\n");
        assert!(world.engine.list(filter).unwrap().is_empty(), "{}", world.at);
        container.pause().unwrap();
        assert_eq!(
            world
                .engine
                .list(ListFilter::new().running().name("mine"))
                .unwrap()
                .len(),
            1,
            "{}",
            world.at
        );
        container.unpause().unwrap();

        for name in ["foreign", "inherits", "handed"] {
            for outcome in [
                world.engine.attach(name).map(drop),
                world.engine.resume(name).map(drop),
                world.engine.destroy(name),
            ] {
                let typed =
                    matches!(&outcome, Err(Error::Container(ContainerError::Foreign { name: said })) if said == name);
                assert!(typed, "{}: {outcome:?}", world.at);
            }
        }
        let asked = world.sim.requests().len();
        for hostile in [
            "../images",
            "..",
            "",
            "a",
            "a/b",
            "mine?force=1",
            "mine%2f..",
            "mi\nne",
            "-x",
            "{}",
        ] {
            for outcome in [
                world.engine.attach(hostile).map(drop),
                world.engine.resume(hostile).map(drop),
                world.engine.destroy(hostile),
            ] {
                assert!(
                    matches!(outcome, Err(Error::Misuse(_))),
                    "{}: {hostile:?}: {outcome:?}",
                    world.at
                );
            }
        }
        assert_eq!(world.sim.requests().len(), asked, "{}: something was sent", world.at);
        container.shutdown().unwrap();
        world.sim.remove_all();
    });
}

/// Whether it has its labels from it cannot be known then: who names it means it, and nothing is removed unasked.
#[test]
fn one_whose_image_is_gone_is_found_and_not_pruned() {
    everywhere(|world| {
        let dead = owner(2).to_string();
        let labels = [
            ("pocket-dock.managed", "true"),
            ("pocket-dock.name", "stays"),
            ("pocket-dock.instance", "0123"),
            ("pocket-dock.persistent", "0123"),
            ("pocket-dock.owner", dead.as_str()),
        ];
        world.sim.add("stays", &labels);
        world.sim.end("stays");
        let all = || Prune::new().persistent().unknown_owners();
        let gone = || refusal(404, "{\"message\":\"No such image: busybox\"}");
        let names = |listed: Vec<pocket_dock_core::ContainerSummary>| -> Vec<String> {
            listed.into_iter().map(|one| one.name).collect()
        };
        world.sim.reply("GET", "/images/busybox/json", gone());
        let candidates = world.engine.prune_candidates(all()).unwrap();
        assert_eq!(names(candidates), [""; 0], "{}", world.at);
        world.sim.reply("GET", "/images/busybox/json", gone());
        let listed = world.engine.list(ListFilter::new()).unwrap();
        assert_eq!(names(listed), ["stays"], "{}", world.at);
        world.sim.reply("GET", "/images/busybox/json", gone());
        world.engine.attach("stays").unwrap();
        world.sim.reply("GET", "/images/busybox/json", gone());
        assert!(world.engine.prune(all()).unwrap().removed.is_empty(), "{}", world.at);
        world.sim.reply("GET", "/images/busybox/json", gone());
        world.engine.destroy("stays").unwrap();
        assert_eq!(world.sim.containers(), [""; 0], "{}", world.at);
    });
}

#[test]
fn a_lifetime_holds_whatever_becomes_of_us() {
    everywhere(|world| {
        let lifetime = Duration::from_secs(100);
        let spec = || ContainerSpec::new("busybox").lifetime(lifetime);
        let leashed = world.engine.create(spec()).unwrap();
        let stays = world.engine.create(spec().persistent().name("stays")).unwrap();
        let removes = world.engine.create(spec().persistent().auto_remove(true)).unwrap();
        world.runtime.pause(lifetime / 2);
        stays.restart().unwrap();
        for container in [&leashed, &stays, &removes] {
            assert!(container.inspect().unwrap().running, "{}", world.at);
        }
        world.runtime.pause(lifetime / 2 + Duration::from_secs(1));
        assert!(gone(&leashed.inspect()) && gone(&removes.inspect()), "{}", world.at);
        assert!(stays.inspect().unwrap().running, "{}: it began anew", world.at);
        world.runtime.pause(lifetime / 2);
        assert_eq!(stays.inspect().unwrap().exit_code, Some(0), "{}", world.at);
        stays.start().unwrap();
        assert!(stays.inspect().unwrap().running, "{}", world.at);
        stays.shutdown().unwrap();
    });
}

#[test]
fn a_snapshot_is_an_image_that_makes_nobody_ours() {
    everywhere(|world| {
        let container = world.container();
        let id = container.snapshot("localhost:5000/team/tool:1.2").unwrap();
        assert!(id.starts_with("sha256:") && id.len() == 71, "{}: {id}", world.at);
        let commits = world.sim.requests();
        let commit = commits.iter().find(|one| one.path == "/commit").unwrap();
        assert_eq!(commit.query("repo"), Some("localhost:5000/team/tool"), "{}", world.at);
        assert_eq!(commit.query("tag"), Some("1.2"), "{}", world.at);
        let changes: Vec<&str> = commit
            .query
            .iter()
            .filter(|(key, _)| key == "changes")
            .map(|(_, value)| value.as_str())
            .collect();
        // Docker takes no entry point in its changes for nothing said, and Podman 4 reads nothing but those.
        let (wanted, body): (&[&str], &str) = match world.engine.kind() {
            EngineKind::Docker => (
                &["LABEL pocket-dock.managed=no", "CMD [\"/bin/sh\"]"],
                "{\"Entrypoint\":[]}",
            ),
            _ => (
                &["LABEL pocket-dock.managed=no", "ENTRYPOINT []", "CMD [\"/bin/sh\"]"],
                "{}",
            ),
        };
        assert_eq!(changes, wanted, "{}", world.at);
        assert_eq!(String::from_utf8_lossy(&commit.body), body, "{}", world.at);
        let copy = world
            .engine
            .create(ContainerSpec::new("localhost:5000/team/tool:1.2"))
            .unwrap();
        assert!(copy.run("true").unwrap().success(), "{}", world.at);
        // A main process of the user's is the image's too.
        let own = world
            .engine
            .create(ContainerSpec::new("busybox").command(["sleep", "inf"]))
            .unwrap();
        own.snapshot("own").unwrap();
        let requests = world.sim.requests();
        let last = requests.iter().rfind(|one| one.path == "/commit").unwrap();
        assert_eq!(
            (last.query("repo"), last.query("tag")),
            (Some("own"), Some("latest")),
            "{}",
            world.at
        );
        let changes = last.query.iter().filter(|(key, _)| key == "changes").count();
        assert_eq!(changes, 1, "{}", world.at);
        let asked = world.sim.requests().len();
        let digested = format!("a@sha256:{}", "0".repeat(64));
        for wrong in ["", "A", "../images", "a b", "a:", digested.as_str()] {
            let error = container.snapshot(wrong).unwrap_err();
            assert!(
                matches!(error, Error::Image(ImageError::BadName { .. })),
                "{wrong}: {error}"
            );
        }
        assert_eq!(world.sim.requests().len(), asked, "{}", world.at);
        own.shutdown_force().unwrap();
    });
}

#[test]
fn a_snapshot_that_cannot_freeze_at_once_is_made_later() {
    const BUSY: &str = "{\"message\":\"cannot pause: OCI runtime pause failed: unable to freeze: unknown\"}";
    everywhere(|world| {
        let container = world.container();
        for _ in 0..3 {
            world.sim.reply("POST", "/commit", refusal(500, BUSY));
        }
        container.snapshot("kept").unwrap();
        assert_eq!(world.sim.count("POST", "/commit"), 4, "{}", world.at);
    });
}

fn owner(pid: u32) -> Owner {
    Owner {
        pid,
        started: 1,
        boot: "b".into(),
        namespace: 2,
    }
}

#[test]
fn what_is_left_over_is_removed_and_nothing_else() {
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        for split in Split::EACH {
            let at = format!("{kind}, {split:?}");
            let sim = Sim::new(kind);
            let host = FakeHost::default().owner(owner(1)).dead(owner(2));
            let runtime = Scripted::with_host(sim.clone(), split, host);
            let engine = Engine::connect_with(runtime, Options::new().socket("/run/engine.sock")).unwrap();
            let add = |name: &str, owner: Owner, extra: &[(&str, &str)]| {
                let owner = owner.to_string();
                let mut labels = vec![
                    ("pocket-dock.managed", "true"),
                    ("pocket-dock.name", name),
                    ("pocket-dock.owner", owner.as_str()),
                    ("pocket-dock.instance", name),
                ];
                labels.extend(extra);
                sim.add(name, &labels);
            };
            let stays: &[(&str, &str)] = &[("pocket-dock.persistent", "stays")];
            add("runs", owner(2), &[]);
            add("late", owner(2), &[]);
            add("dead", owner(2), &[]);
            add("mine", owner(1), &[]);
            add("elsewhere", owner(3), &[]);
            add("stays", owner(2), stays);
            sim.add("foreign", &[]);
            let dead = owner(2).to_string();
            let handed = [
                ("pocket-dock.managed", "true"),
                ("pocket-dock.name", "handed"),
                ("pocket-dock.owner", dead.as_str()),
                ("pocket-dock.instance", "0123"),
            ];
            sim.add_of_labelled("busybox", "handed", &handed);
            for name in ["late", "dead", "mine", "elsewhere", "stays", "foreign", "handed"] {
                sim.end(name);
            }
            let names = |prune| {
                let candidates = engine.prune_candidates(prune).unwrap();
                candidates.into_iter().map(|one| one.name).collect::<Vec<_>>()
            };
            assert_eq!(names(Prune::new()), ["dead", "late"], "{at}");
            assert_eq!(names(Prune::new().persistent()), ["dead", "late", "stays"], "{at}");
            assert_eq!(
                names(Prune::new().unknown_owners()),
                ["dead", "elsewhere", "late"],
                "{at}"
            );
            assert_eq!(sim.containers().len(), 8, "{at}: the dry run removed something");

            // Somebody starts one in the middle.
            let busy = refusal(409, "{\"message\":\"You cannot remove a running container 12\"}");
            let dead = engine.list(ListFilter::new().name("late")).unwrap().remove(0);
            sim.reply("DELETE", &dead.id, busy);
            let pruned = engine.prune(Prune::new()).unwrap();
            let removed: Vec<&str> = pruned.removed.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(removed, ["dead"], "{at}");
            assert_eq!(pruned.kept.len(), 1, "{at}: {pruned:?}");
            assert_eq!(pruned.kept[0].0.name, "late", "{at}");
            let forced = sim
                .requests()
                .iter()
                .any(|one| one.method == "DELETE" && one.query("force").is_some());
            assert!(!forced, "{at}: something was removed by force");

            let all = Prune::new().persistent().unknown_owners();
            let pruned = engine.prune(all).unwrap();
            assert_eq!((pruned.removed.len(), pruned.kept.len()), (3, 0), "{at}: {pruned:?}");
            assert_eq!(sim.containers(), ["runs", "mine", "foreign", "handed"], "{at}");
            assert_eq!(engine.prune(Prune::new()).unwrap().removed.len(), 0, "{at}");
        }
    }
}

#[test]
fn a_prune_of_an_engine_that_falls_silent_says_what_it_did() {
    everywhere(|world| {
        let dead = owner(2).to_string();
        for name in ["first", "second", "third"] {
            let labels = [
                ("pocket-dock.managed", "true"),
                ("pocket-dock.name", name),
                ("pocket-dock.owner", dead.as_str()),
                ("pocket-dock.instance", name),
            ];
            world.sim.add(name, &labels);
            world.sim.end(name);
        }
        let second = world.engine.list(ListFilter::new().name("second")).unwrap().remove(0);
        world.sim.reply("DELETE", &second.id, Reply::Silence);
        let pruned = world.engine.prune(Prune::new().unknown_owners()).unwrap();
        assert_eq!(
            (pruned.removed.len(), pruned.kept.len()),
            (1, 2),
            "{}: {pruned:?}",
            world.at
        );
        let silent = pruned.kept.iter().all(|(_, why)| matches!(why, Error::Deadline { .. }));
        assert!(silent, "{}: {pruned:?}", world.at);
        world.sim.remove_all();
    });
}
