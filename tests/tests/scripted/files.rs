//! Files of a container, as far as no file is needed: what is refused, and what was never begun.

use pocket_dock_core::Error;

use crate::world::everywhere;

#[test]
fn a_writer_that_was_never_begun_has_no_end_to_wait_for() {
    everywhere(|world| {
        let sandbox = world.container();
        let asked = world.sim.requests().len();
        world.runtime.abandon_after(0);
        sandbox.write_file_stream("/tmp/f").unwrap_err();
        assert_eq!(world.runtime.finished(), [], "{}", world.at);
        assert_eq!(world.sim.requests().len(), asked, "{}", world.at);
    });
}

#[test]
fn a_path_that_cannot_be_is_told_as_what_it_is() {
    let long = "x".repeat(5000);
    everywhere(|world| {
        let sandbox = world.container();
        let asked = world.sim.requests().len();
        for (path, words) in [("", "is empty"), ("a\0b", "NUL"), (long.as_str(), "5000 bytes")] {
            let errors = [
                sandbox.read_file_stream(path).unwrap_err(),
                sandbox.write_file_stream(path).unwrap_err(),
            ];
            for error in errors {
                let told = matches!(&error, Error::Misuse(text) if text.contains("the path") && text.contains(words));
                assert!(told, "{}: {error}", world.at);
            }
        }
        assert_eq!(world.runtime.finished(), [], "{}", world.at);
        assert_eq!(world.sim.requests().len(), asked, "{}", world.at);
    });
}
