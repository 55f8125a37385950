use std::fs;

use super::*;

#[test]
fn rules_of_files_hold_below_them_and_given_ones_above_all() {
    let scratch = Scratch::new();
    for dir in ["target/x", "sub/target", "sub/deep", ".git"] {
        fs::create_dir_all(scratch.join(dir)).unwrap();
    }
    for file in [
        "a.log",
        "keep.log",
        "sub/a.log",
        "sub/deep/b.tmp",
        "sub/deep/c",
        "target/x/y",
        "sub/target/z",
        ".git/config",
    ] {
        fs::write(scratch.join(file), "").unwrap();
    }
    fs::write(scratch.join(".gitignore"), "# rules\n*.log\n!keep.log\n/target/\n").unwrap();
    fs::write(scratch.join("sub/.gitignore"), "!a.log\ndeep/*.tmp\n").unwrap();
    let names = |packing: &Packing| entry_names(&packed(&scratch.0, "", packing).0);
    let mut packing = Packing::default();
    packing.ignore_files = true;
    let expected = [
        ".",
        ".git",
        ".git/config",
        ".gitignore",
        "keep.log",
        "sub",
        "sub/.gitignore",
        "sub/a.log",
        "sub/deep",
        "sub/deep/c",
        "sub/target",
        "sub/target/z",
    ];
    assert_eq!(names(&packing), expected);
    packing.ignore = vec![
        ".git/".to_owned(),
        "sub/*".to_owned(),
        "!sub/deep".to_owned(),
        "!a.log".to_owned(),
    ];
    assert_eq!(
        names(&packing),
        [
            ".",
            ".gitignore",
            "a.log",
            "keep.log",
            "sub",
            "sub/a.log",
            "sub/deep",
            "sub/deep/c"
        ]
    );
    packing.ignore_files = false;
    assert!(names(&packing).contains(&"target/x/y".to_owned()));
    packing.ignore = vec!["[z-a]".to_owned()];
    let result = packed(&scratch.0, "", &packing).1;
    assert!(matches!(result, Err(LocalError::BadRule { .. })), "{result:?}");
}

#[test]
fn a_file_of_rules_that_is_a_link_has_none() {
    let scratch = Scratch::new();
    fs::write(scratch.join("rules"), "*\n").unwrap();
    fs::create_dir(scratch.join("tree")).unwrap();
    std::os::unix::fs::symlink("../rules", scratch.join("tree/.gitignore")).unwrap();
    let mut packing = Packing::default();
    packing.ignore_files = true;
    let (tar, _) = packed(&scratch.join("tree"), "", &packing);
    assert_eq!(entry_names(&tar), [".", ".gitignore"]);
}
