//! Policies that must not load, each in a file named as a sentence, with all of its findings.
//!
//! `PORTCULLIS_RENEW=1 cargo test --no-default-features --test language golden` writes the current findings beside
//! them.

use std::path::{Path, PathBuf};

use portcullis::document::{Sources, report};
use portcullis::policy;

/// The invalid policies in the order of their names.
fn refused() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/refused");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut policies: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    policies.sort();
    policies
}

#[test]
fn every_invalid_policy_gets_findings_with_position_and_help() {
    let renew = std::env::var_os("PORTCULLIS_RENEW").is_some();
    let mut differing = Vec::new();
    let policies = refused();
    assert!(policies.len() >= 60, "{} refused policies", policies.len());
    for path in policies {
        let mut sources = Sources::default();
        let name = path.file_name().unwrap().to_str().unwrap();
        sources.add(name, &std::fs::read_to_string(&path).unwrap());
        let loaded = policy::load(&sources, None);
        assert!(loaded.snapshot.is_none() && loaded.findings.has_errors(), "{name} loads");
        let found = report::human(&loaded.findings, &sources);
        let golden = path.with_extension("txt");
        if renew {
            std::fs::write(&golden, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if found != expected {
            differing.push(format!("{name}\n--- expected\n{expected}\n--- found\n{found}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}
