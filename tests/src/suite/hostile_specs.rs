//! Names, labels and images that mean to be more than they are.

use std::collections::BTreeMap;

use pocket_dock_blocking::BuildContext;
use pocket_dock_core::{ContainerSpec, Error, ImageError, Network, Runtime as _, Volume};
use serde_json::json;

use super::files::said;
use super::options::made;
use super::{Adapter, Bench, Verdict, check, same};
use crate::lab::images;

/// Text that some reader of it could take for something else.
const HOSTILE: [&str; 9] = [
    "../../../etc/passwd",
    "a\nb",
    "\"quoted\" 'twice'",
    "a=b=c",
    "--privileged",
    "$(id) `id` ${HOME}",
    "{\"HostConfig\":{\"Privileged\":true}}",
    "a,b:c;d&e?f#g%2e%2e",
    "\u{1b}[31m\u{202e}é日本",
];

/// What is only text is kept as it is, byte by byte; what is more is refused before the engine hears of it.
pub(super) fn hostile_text_is_text<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let number = |at: usize| format!("HOSTILE_{at}");
    let mut spec = ContainerSpec::new(images::BUSYBOX);
    for (at, text) in HOSTILE.into_iter().enumerate() {
        spec = spec.env(number(at), text).label(number(at), text);
        // A name of a label may be anything without `=`.
        if !text.contains('=') {
            spec = spec.label(text, "named so");
        }
    }
    let sandbox = made(bench, spec)?;
    let applied = bench.wait(sandbox.applied())?;
    let seen = bench.peer.inspect(sandbox.id())?.ok_or("the engine does not know it")?;
    let labels = &seen["Config"]["Labels"];
    for (at, text) in HOSTILE.into_iter().enumerate() {
        same("a label", labels[number(at)].as_str(), Some(text))?;
        same(
            "as told",
            applied.labels.get(&number(at)).map(String::as_str),
            Some(text),
        )?;
        let inside = bench.wait(sandbox.run(format!("printf %s \"${}\"", number(at))))?;
        same("inside", inside.stdout_text().into_owned(), text.to_owned())?;
    }
    same("privileged", seen["HostConfig"]["Privileged"].as_bool(), Some(false))?;
    bench.wait(sandbox.shutdown())?;

    let spec = || ContainerSpec::new(images::BUSYBOX).network(Network::Default);
    let before = bench.peer.request("GET", "/containers/json?all=1", b"")?.1;
    for text in HOSTILE {
        for wrong in [
            spec().name(text),
            spec().hostname(text),
            spec().network(Network::Named(text.to_owned())),
            spec().volume(Volume::named(text, "/data")),
            spec().volume(Volume::bind(text, "/data")),
            spec().volume(Volume::bind(format!("/srv/{text}/../../etc"), "/data")),
            spec().volume(Volume::bind("/srv", text)),
            spec().tmpfs(text),
            spec().device(text),
            spec().label(format!("pocket-dock.{text}"), ""),
            ContainerSpec::new(text),
        ] {
            let made = bench.wait(bench.engine.create(wrong));
            check(matches!(made, Err(Error::Misuse(_))), || format!("{text:?}: {made:?}"))?;
        }
    }
    let names = |list: &[u8]| -> Result<BTreeMap<String, ()>, super::Failure> {
        let list: Vec<serde_json::Value> = serde_json::from_slice(list)?;
        Ok(list.iter().map(|one| (one["Id"].to_string(), ())).collect())
    };
    // Others may come and go meanwhile; none of them is called like that.
    let after = bench.peer.request("GET", "/containers/json?all=1", b"")?.1;
    let (before, after) = (names(&before)?, names(&after)?);
    let ours = after.keys().filter(|id| !before.contains_key(*id)).count();
    check(ours < HOSTILE.len(), || format!("{ours} containers more than before"))?;
    let none = bench.wait(bench.engine.create(ContainerSpec::new("no/such-image:1")));
    check(matches!(none, Err(Error::Image(ImageError::NotFound { .. }))), || {
        format!("{none:?}")
    })
}

/// An image with our labels, of an owner that is dead, makes no container of somebody else ours: not even one that is called
/// as the image says.
pub(super) fn labels_of_an_image_are_not_ours<A: Adapter>(bench: &Bench<A>) -> Verdict {
    let me = bench.adapter.runtime().host().owner().ok_or("no owner here")?;
    let random = bench.random();
    let (tag, name) = (format!("pd-test/hostile-{random}:1"), format!("victim-{random}"));
    let labels = [
        ("pocket-dock.managed", "true".to_owned()),
        ("pocket-dock.owner", format!("1:1:{}:{}", me.boot, me.namespace)),
        ("pocket-dock.instance", "0123456789abcdef0123456789abcdef".to_owned()),
        ("pocket-dock.name", name.clone()),
        ("pocket-dock.created-at", "2001-01-01T00:00:00Z".to_owned()),
        ("pocket-dock.data-path", "/etc".to_owned()),
        ("mine", "of the image".to_owned()),
        ("pocket-dock.persistent", "true".to_owned()),
    ];
    let lines: String = labels
        .iter()
        .map(|(name, value)| format!("LABEL {name}={value:?}\n"))
        .collect();
    let dockerfile = format!(
        "FROM {}\n{lines}ENTRYPOINT [\"/bin/false\"]\nCMD [\"../../x\"]\nUSER nobody\n",
        images::BUSYBOX
    );
    let context = BuildContext::new().file("Dockerfile", dockerfile)?.finish()?;
    bench.wait(bench.engine.build_image(&tag, context))?;
    let outcome = (|| -> Verdict {
        let body = json!({ "Image": tag, "Entrypoint": ["/bin/sleep"], "Cmd": ["1000"] });
        let path = format!("/containers/create?name={name}");
        let (status, answer) = bench.peer.request("POST", &path, body.to_string().as_bytes())?;
        check(status == 201, || String::from_utf8_lossy(&answer).into_owned())?;
        bench.peer.request("POST", &format!("/containers/{name}/start"), b"")?;
        let seen = bench.peer.inspect(&name)?.ok_or("it is not there")?;
        same(
            "its labels are those of the image",
            seen["Config"]["Labels"]["pocket-dock.name"].as_str(),
            Some(name.as_str()),
        )?;

        // The first creation of a client sweeps.
        let fresh = bench.another()?;
        let sandbox = bench.wait(fresh.engine.create(ContainerSpec::new(&tag)))?;
        let seen = bench
            .peer
            .inspect(&name)?
            .ok_or("a container of somebody else was swept")?;
        same("runs", seen["State"]["Running"].as_bool(), Some(true))?;
        // One of ours of this image has our labels and not those, and is what it is always.
        let applied = bench.wait(sandbox.applied())?;
        same("differences", applied.differences.len(), 0)?;
        let label = |name: &str| applied.labels.get(name).cloned().unwrap_or_default();
        same("name", label("pocket-dock.name"), sandbox.name().to_owned())?;
        same("owner", label("pocket-dock.owner"), me.to_string())?;
        same("persistent", sandbox.is_persistent(), false)?;
        let attached = bench.wait(fresh.engine.attach(sandbox.name()))?;
        same("persistent where it is found", attached.is_persistent(), false)?;
        drop(attached);
        check(label("pocket-dock.instance") != labels[2].1, || {
            "the image's instance".to_owned()
        })?;
        same("the image's own", label("mine"), "of the image".to_owned())?;
        same(
            "commands",
            said(bench, &sandbox, "id -un; echo $0 $#")?,
            "nobody\n/bin/sh 0".to_owned(),
        )?;
        bench.until_listed(&sandbox, &[])?;
        bench.wait(sandbox.shutdown())?;
        check(bench.knows(&name)?, || {
            "a container of somebody else was removed".to_owned()
        })
    })();
    bench.peer.remove(&name)?;
    let encoded = crate::lab::encode(&tag);
    let (status, _) = bench
        .peer
        .request("DELETE", &format!("/images/{encoded}?force=1"), b"")?;
    outcome?;
    check(status == 200, || format!("the image's removal: {status}"))
}
