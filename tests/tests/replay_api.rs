//! The public API against what the four recorded engines said, whatever way it is cut.

#[cfg(test)]
mod calls {
    use pocket_dock_core::{ContainerError, ContainerSpec, Engine, EngineKind, Error, ImageError, Options};
    use pocket_dock_tests::replay::{ENGINES, Recording, Replay};
    use pocket_dock_tests::scripted::{Scripted, Split};

    /// An engine that says what this one said, from the ping to the last of `answers`.
    fn replay(name: &str, split: Split, answers: &[&str]) -> (Replay, Engine<Scripted>) {
        let hello: &[&str] = if name.starts_with("docker") {
            &["ping", "version"]
        } else {
            &["ping"]
        };
        let recordings = hello
            .iter()
            .chain(answers)
            .map(|answer| Recording::load(name, answer).unwrap());
        let replay = Replay::new(recordings);
        let options = Options::new().socket("/run/engine.sock");
        let engine = Engine::connect_with(Scripted::new(replay.clone(), split), options).unwrap();
        (replay, engine)
    }

    fn everywhere(check: impl Fn(&str, Split)) {
        for name in ENGINES {
            Split::EACH.into_iter().for_each(|split| check(name, split));
        }
    }

    #[test]
    fn every_engine_is_recognised() {
        everywhere(|name, split| {
            let (_, engine) = replay(name, split, &[]);
            let kind = if name.starts_with("docker") {
                EngineKind::Docker
            } else {
                EngineKind::Podman
            };
            assert_eq!(engine.kind(), kind, "{name}, {split:?}");
            let (_, version) = name.split_once('-').unwrap();
            assert!(
                engine.version().starts_with(version),
                "{name}, {split:?}: {}",
                engine.version()
            );
        });
    }

    #[test]
    fn images_are_listed() {
        everywhere(|name, split| {
            let (replay, engine) = replay(name, split, &["images_json"]);
            let images = engine.images().unwrap();
            assert!(
                images
                    .iter()
                    .any(|one| one.names.iter().any(|name| name.contains("wr-build:1"))),
                "{images:?}"
            );
            assert!(
                images.iter().all(|one| one.id.starts_with("sha256:") && one.size > 0),
                "{name}: {images:?}"
            );
            assert_eq!(replay.left(), 0, "{name}, {split:?}");
        });
    }

    #[test]
    fn refusals_mean_the_same_on_every_engine() {
        everywhere(|name, split| {
            let refused = |answer: &str, spec: ContainerSpec| {
                let (replay, engine) = replay(name, split, &["list_empty", answer]);
                let error = engine.create(spec).unwrap_err();
                let lines: Vec<String> = replay.requests().iter().map(|request| request.line()).collect();
                assert_eq!(
                    lines[lines.len() - 2..],
                    ["GET /containers/json", "POST /containers/create"],
                    "{name}"
                );
                error
            };
            let error = refused("create_missing_image", ContainerSpec::new("nosuch"));
            assert!(
                matches!(error, Error::Image(ImageError::NotFound { .. })),
                "{name}, {split:?}: {error}"
            );
            let error = refused("create_name_conflict", ContainerSpec::new("busy").name("wr-a"));
            assert!(
                matches!(error, Error::Container(ContainerError::NameInUse { .. })),
                "{name}, {split:?}: {error}"
            );
            if name.starts_with("docker") {
                let error = refused("create_bad_memory", ContainerSpec::new("busy").memory(1000));
                assert!(
                    matches!(error, Error::Container(ContainerError::BadMemory { bytes: 1000, .. })),
                    "{name}, {split:?}: {error}"
                );
            }
        });
    }
}
