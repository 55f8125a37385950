use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use bytes::Bytes;
use pocket_dock_blocking::Limits;
use pocket_dock_blocking::files::unpack;
use pocket_dock_core::files::{LocalError, Progress, Target, Unpacking};
use pocket_dock_tests::hostile_archives::{Hostile, Outcome, Site, all, decoys, plant, seen};
use pocket_dock_tests::tree::Scratch;

/// A directory with the decoys in it, `outside`, and the place of the destination.
fn scratch(name: &str) -> Scratch {
    let scratch = Scratch::new(&format!("unpacker-{name}")).unwrap();
    decoys(&scratch.path("outside")).unwrap();
    scratch
}

/// How an archive is unpacked.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// Under a name in the destination, or its content straight into it.
    named: bool,
    atomic: bool,
    /// Into a tree that is there, with links in it.
    planted: bool,
    /// The bytes of one piece.
    piece: usize,
}

const fn way(named: bool, atomic: bool, planted: bool, piece: usize) -> Way {
    Way {
        named,
        atomic,
        planted,
        piece,
    }
}

const WAYS: [Way; 6] = [
    way(false, false, true, 4096),
    way(true, false, true, 333),
    way(false, false, false, 10_000),
    way(true, false, false, 512),
    way(false, true, false, 1000),
    way(true, true, false, 100_000),
];

fn attack(hostile: &Hostile, way: Way, number: usize) -> Result<(), String> {
    let scratch = scratch(&format!("{number}-{}{}{}", way.named, way.atomic, way.planted));
    let dest = scratch.path("place/dest");
    let root = if way.named { dest.join("tree") } else { dest.clone() };
    let outside = scratch.path("outside");
    fs::create_dir(scratch.path("place")).unwrap();
    fs::write(scratch.path("place/neighbour"), "mine").unwrap();
    if way.planted {
        plant(&root, &outside).unwrap();
    }
    let site = Site {
        top: "top",
        outside: outside.to_str().unwrap(),
        relative: if way.named { "../../../outside" } else { "../../outside" },
    };
    let tar = hostile.bytes(&site);
    let before = seen(scratch.root(), &dest).unwrap();
    let target = Target {
        dir: dest.clone(),
        top: Bytes::from_static(b"top"),
        name: way.named.then(|| "tree".into()),
    };
    let mut options = Unpacking::default();
    options.atomic = way.atomic;
    let mut pieces = tar.chunks(way.piece).map(Bytes::copy_from_slice);
    let result = unpack(&target, &options, &Limits::default(), &mut |_| Ok(pieces.next()));
    let after = seen(scratch.root(), &dest).unwrap();
    let fault = |what: &str| Err(format!("{}, {way:?}: {what}: {result:?}", hostile.name));
    if let Some((was, is)) = before.iter().zip(&after).find(|(was, is)| was != is) {
        return fault(&format!("something outside was changed, from {was} to {is}"));
    }
    if before.len() != after.len() {
        return fault("something outside was made or removed");
    }
    match (hostile.outcome, way.planted) {
        (Outcome::Either, _) => {}
        (Outcome::Refused, _) | (Outcome::RefusedIfPlanted, true) if result.is_ok() => return fault("not refused"),
        (Outcome::Confined, _) | (Outcome::RefusedIfPlanted, false) if result.is_err() => return fault("refused"),
        _ => {}
    }
    if way.atomic && result.is_err() && dest.symlink_metadata().is_ok() {
        return fault("though it had to appear at once, something is there");
    }
    inside(&dest).or_else(|what| fault(&what))?;
    if way.planted && fs::read_to_string(root.join("full/file")).ok().as_deref() != Some("mine") {
        return fault("what was in the destination is lost");
    }
    Ok(())
}

/// What may not be in a destination. Afterwards, its directories can be entered.
fn inside(path: &Path) -> Result<(), String> {
    let Ok(meta) = path.symlink_metadata() else {
        return Ok(());
    };
    let is_guess = path.to_string_lossy().contains("-00000000000000000000000000000000-");
    if path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b".pocket-dock-"))
        && !is_guess
    {
        return Err(format!("{path:?} is left"));
    }
    if !meta.is_symlink() && meta.mode() & 0o6000 != 0 {
        return Err(format!("{path:?} has the mode {:o}", meta.mode()));
    }
    if meta.is_dir() {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
            inside(&entry.map_err(|error| error.to_string())?.path())?;
        }
    }
    Ok(())
}

#[test]
fn hostile_archives_change_nothing_outside_the_destination() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (number, hostile) in all().enumerate() {
        count += 1;
        faults.extend(WAYS.iter().filter_map(|way| attack(hostile, *way, number).err()));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count >= 45, "{count}");
}

#[test]
fn no_two_of_them_have_one_name() {
    let mut names: Vec<_> = all().map(|hostile| hostile.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// The decoys are worth something: a reader that follows links and names changes them.
#[test]
fn a_reader_that_trusts_them_is_caught() {
    let scratch = scratch("trusting");
    let dest = scratch.path("place/dest");
    fs::create_dir_all(&dest).unwrap();
    let outside = scratch.path("outside");
    let before = seen(scratch.root(), &dest).unwrap();
    assert_eq!(seen(scratch.root(), &dest).unwrap(), before);
    std::os::unix::fs::symlink(&outside, dest.join("l")).unwrap();
    assert_eq!(seen(scratch.root(), &dest).unwrap(), before, "inside, anything may be");
    fs::write(dest.join("l/secret"), "this is evil").unwrap();
    assert_ne!(seen(scratch.root(), &dest).unwrap(), before);
}

fn unpacked(hostile: &str, options: &Unpacking) -> Result<Progress, LocalError> {
    let scratch = scratch(&hostile.replace(' ', "-"));
    let hostile = all().find(|each| each.name == hostile).unwrap();
    let site = Site {
        top: "top",
        outside: "/outside",
        relative: "../outside",
    };
    let mut tar = Some(Bytes::from(hostile.bytes(&site)));
    let target = Target {
        dir: scratch.path("dest"),
        top: Bytes::from_static(b"top"),
        name: None,
    };
    unpack(&target, options, &Limits::default(), &mut |_| Ok(tar.take()))
}

#[test]
fn what_is_no_file_can_be_left_out() {
    let mut options = Unpacking::default();
    options.skip_special = true;
    for name in [
        "a character device",
        "a block device",
        "a named pipe",
        "a kind that nobody knows",
    ] {
        let result = unpacked(name, &options);
        // Nothing else is in these.
        assert!(
            result.as_ref().is_ok_and(|progress| progress.skipped == 1) || result == Err(LocalError::Empty),
            "{result:?}"
        );
    }
}

#[test]
fn the_error_names_the_entry_and_says_why() {
    for (name, text) in [
        (
            "a name that goes up from the top",
            r#"the entry "top/../evil" of the archive is refused: its name leaves"#,
        ),
        (
            "an absolute name",
            r#"the entry "/outside/evil" of the archive is refused: its name is absolute"#,
        ),
        (
            "a file through an absolute link",
            r#"the entry "top/l/evil" of the archive is refused: "l", which it is below"#,
        ),
        (
            "a hard link to an absolute name",
            "it is a hard link to \"/outside/secret\", which is no file",
        ),
        ("a character device", "it is a device"),
        ("another top", "whose entries begin with \"top\""),
        ("a file below a file", "\"f\", which it is below, is not a directory"),
        ("a file that is shorter than it says", "top/f"),
    ] {
        let error = unpacked(name, &Unpacking::default()).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!matches!(error.cause(), LocalError::Other { .. }), "{error:?}");
    }
}
