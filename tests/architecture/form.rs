//! Tests the form of each file: its first line, its length, and forbidden macros and markers.

use crate::sources::{files, read, sources};

/// The maximum length of a source file in lines: a longer one holds a second noun.
const MAX_LINES: usize = 400;

/// Files that may be longer, each with the reason.
const LONG_FILES: [(&str, &str); 0] = [];

#[test]
fn every_file_begins_by_saying_what_it_holds() {
    let all = files();
    assert!(all.len() > 100, "only {} files were found", all.len());
    let silent: Vec<String> = all.into_iter().filter(|name| !read(name).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn no_file_is_too_long_to_hold_one_noun() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|source| (source.text.lines().count(), source.name))
        .filter(|(lines, name)| *lines > MAX_LINES && !LONG_FILES.iter().any(|(known, _)| known == name))
        .map(|(lines, name)| format!("{name}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
    for (name, _) in LONG_FILES {
        assert!(read(name).lines().count() > MAX_LINES, "{name} is short enough now: take it off the list");
    }
}

#[test]
fn no_source_contains_todo_markers_or_unwrap() {
    let mut found = Vec::new();
    for source in sources() {
        for (at, line) in source.code().lines().enumerate() {
            for word in ["todo!", "unimplemented!", "dbg!", ".unwrap()"] {
                if line.contains(word) {
                    found.push(format!("{}:{}: {word}", source.name, at + 1));
                }
            }
        }
        for (at, line) in source.text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX"].iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", source.name, at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
