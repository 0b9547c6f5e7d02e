//! Lists the program's source files, without test files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::paths::blank_comments_and_literals;

/// Source: one file of the program, without test files.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// The path of its module: `audit::sink` for `src/audit/sink.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.name.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        inner.split('/').map(str::to_owned).collect()
    }

    /// Its text without comments, literals and a test module at its end.
    pub(crate) fn code(&self) -> String {
        let code = blank_comments_and_literals(&self.text);
        let inline = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
        code[..inline].to_owned()
    }
}

/// The files of the program, without test files.
pub(crate) fn sources() -> Vec<Source> {
    let all = files();
    let mut tests = BTreeSet::new();
    for name in &all {
        let text = read(name);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let module = pair[1].strip_suffix(';').and_then(|line| line.rsplit_once("mod ")).map(|(_, module)| module);
            let Some(module) = module else { continue };
            let folder = name.trim_end_matches(".rs").trim_end_matches("/mod");
            tests.insert(format!("{folder}/{module}.rs"));
            tests.insert(format!("{folder}/{module}/"));
        }
    }
    let is_test = |name: &str| tests.iter().any(|test| name == test || (test.ends_with('/') && name.starts_with(test)));
    let found: Vec<Source> =
        all.into_iter().filter(|name| !is_test(name)).map(|name| Source { text: read(&name), name }).collect();
    assert!(found.len() > 50 && tests.len() > 50, "{} sources, {} tests", found.len(), tests.len());
    found
}

/// All files below `src`, named from the package's root.
pub(crate) fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
