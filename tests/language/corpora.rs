//! Replays the corpora of the fuzz targets: inputs that once caused a failure, and inputs that reach unusual code.

use std::path::{Path, PathBuf};

use crate::fuzz::{canonicaliser, credentials, policy_loader};

fn replay(target: fn(&[u8]), folders: &[&str], at_least: usize) {
    let mut files = Vec::new();
    for folder in folders {
        gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    assert!(files.len() >= at_least, "{} files in {folders:?}", files.len());
    for file in files {
        // A failing target reports its assertion, not the file.
        println!("{}", file.display());
        target(&std::fs::read(file).unwrap());
    }
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { gather(&path, files) } else { files.push(path) }
    }
}

#[test]
fn no_bytes_are_read_in_two_ways() {
    replay(canonicaliser::run, &["tests/fuzz/corpus/canonicaliser"], 15);
}

#[test]
fn every_text_is_a_policy_or_has_a_finding() {
    replay(policy_loader::run, &["tests/fuzz/corpus/policy_loader", "tests/data/refused", "policies"], 190);
}

#[test]
fn only_signed_bytes_prove_a_caller() {
    replay(credentials::run, &["tests/fuzz/corpus/credentials"], 7);
}
