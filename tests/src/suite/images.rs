//! Images of one's own: built, imported, saved and loaded, and containers of each.

use pocket_dock_blocking::BuildContext;
use pocket_dock_core::ContainerSpec;

use super::{Adapter, Bench, Failure, Verdict, check, same};
use crate::lab::encode;
use crate::lab::images::BUSYBOX;

/// Sends the engine a question of the lab's own, and gives what it answered.
fn asked<A: Adapter>(bench: &Bench<A>, method: &str, path: &str) -> Result<Vec<u8>, Failure> {
    let (status, answer) = bench.peer.request(method, &format!("/v1.40{path}"), b"")?;
    check(status < 300, || {
        format!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer))
    })?;
    Ok(answer)
}

/// What a command says in a container of this image.
fn says<A: Adapter>(bench: &Bench<A>, image: &str, command: &str) -> Result<String, Failure> {
    let sandbox = bench.wait(bench.engine.create(ContainerSpec::new(image)))?;
    let said = bench.wait(sandbox.run(command))?.stdout_text().into_owned();
    bench.wait(sandbox.shutdown())?;
    Ok(said)
}

fn is_listed<A: Adapter>(bench: &Bench<A>, name: &str) -> Result<bool, Failure> {
    let images = bench.wait(bench.engine.images())?;
    Ok(images
        .iter()
        .any(|image| image.names.iter().any(|one| one.ends_with(name))))
}

pub(super) fn images_are_built_imported_and_loaded<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let random = bench.random();
    let [built, imported] = ["built", "imported"].map(|what| format!("pocket-dock-case-{random}/{what}:1"));
    let tried = build_import_load(bench, &built, &imported);
    for name in [&built, &imported] {
        drop(asked(bench, "DELETE", &format!("/images/{}?force=true", encode(name))));
    }
    tried?;
    for name in [&built, &imported] {
        check(!is_listed(bench, name)?, || format!("{name} is left"))?;
    }
    Ok(())
}

fn build_import_load<A: Adapter>(bench: &Bench<A>, built: &str, imported: &str) -> Verdict {
    let dockerfile = format!("FROM {BUSYBOX}\nCOPY sub/file /copied\nENV FROM_BUILD=yes\nWORKDIR /tmp\n");
    let context = BuildContext::new()
        .file("Dockerfile", dockerfile)?
        .file("sub/file", "from the context\n")?;
    let image = bench.wait(bench.engine.build_image(built, context.finish()?))?;
    check(image.log.contains("FROM_BUILD"), || format!("log {:?}", image.log))?;
    check(is_listed(bench, built)?, || format!("{built} is not listed"))?;
    let look = "cat /copied; echo $FROM_BUILD; pwd";
    let seen = "from the context\nyes\n/tmp\n";
    same("built", says(bench, built, look)?.as_str(), seen)?;
    same("by its id", says(bench, &image.id, look)?.as_str(), seen)?;

    // A root of its own: that of a container.
    let sandbox = bench.sandbox()?;
    bench.wait(sandbox.run("echo exported >/exported"))?;
    let root = asked(bench, "GET", &format!("/containers/{}/export", sandbox.id()))?;
    bench.wait(sandbox.shutdown())?;
    let id = bench.wait(bench.engine.import_image(imported, root, ["ENV FROM_IMPORT=yes"]))?;
    let look = "cat /exported; echo $FROM_IMPORT";
    let seen = "exported\nyes\n";
    same("imported", says(bench, imported, look)?.as_str(), seen)?;
    same("by its id", says(bench, &id, look)?.as_str(), seen)?;

    // Saved by the engine, taken away, and loaded.
    let archive = asked(bench, "GET", &format!("/images/{}/get", encode(built)))?;
    asked(bench, "DELETE", &format!("/images/{}?force=true", encode(built)))?;
    check(!is_listed(bench, built)?, || "it is still there".to_owned())?;
    let said = bench.wait(bench.engine.load_image(archive))?;
    check(!said.is_empty(), || "nothing is said".to_owned())?;
    same(
        "loaded",
        says(bench, built, "cat /copied")?.as_str(),
        "from the context\n",
    )
}
