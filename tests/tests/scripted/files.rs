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
