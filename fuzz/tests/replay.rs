//! Runs every check over its corpus, without libFuzzer.

use std::fs;
use std::path::Path;

use pocket_dock_fuzz::TARGETS;

#[test]
fn every_input_of_every_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, check) in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus.join(target)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            check(&fs::read(path).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 8, "{target} has {inputs} inputs only");
    }
}

/// Inputs that differ from the corpus in one byte or end early: a little of what a fuzzer does.
#[test]
fn every_input_passes_with_a_byte_changed_and_cut_short() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, check) in TARGETS {
        for entry in fs::read_dir(corpus.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            println!("{}", path.display());
            for at in 0..input.len().min(400) {
                check(&input[..at]);
                for byte in [0, 1, b'\n', b'\r', b'0', b'f', 0xff] {
                    let mut changed = input.clone();
                    changed[at] = byte;
                    check(&changed);
                }
            }
        }
    }
}
