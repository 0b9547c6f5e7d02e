//! The architecture, held by reading the sources: layers name only what stands below them, pure layers do no input
//! or output, and each dependency that may be replaced one day is named in one place.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with a panic, wherever the line stands that notices"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers; each may name itself and what stands before it.
const LAYERS: [&str; 16] = [
    "vocabulary",
    "document",
    "request",
    "policy",
    "identity",
    "decision", // pure
    "settings",
    "reload",
    "audit",
    "metrics",
    "guard",
    "proxy",
    "admin",
    "gateway",
    "demo",
    "cli", // effects
];

/// So many of them are pure: no clock, no files, no network, no async.
const PURE: usize = 6;

/// What a pure layer does not name, and where else the same is to be had.
const IMPURE: [(&[&str], &str); 8] = [
    (&["SystemTime"], "take `now` as an argument"),
    (&["Instant"], "take `now` as an argument"),
    (&["std", "time"], "`vocabulary::Timestamp` is the time"),
    (&["std", "fs"], "`reload` and `settings` read files"),
    (&["std", "net"], "`proxy` knows sockets and addresses"),
    (&["std", "env"], "`settings` reads variables"),
    (&["tokio"], "nothing here waits"),
    (&["std", "thread"], "nothing here waits"),
];

/// What is named in one place only: the path's beginning, and the files or folders that may name it.
const PLACES: [(&[&str], &[&str]); 12] = [
    (&["arc_swap"], &["src/reload/live.rs"]),
    (&["serde_yaml"], &["src/document/tree.rs", "src/document/tree/"]),
    (&["cel"], &["src/policy/condition.rs"]),
    (&["chrono"], &["src/vocabulary/time.rs", "src/policy/condition.rs"]),
    (&["hashbrown"], &["src/policy/users.rs"]),
    (&["csv_core"], &["src/policy/import/matrix/sheet.rs"]),
    (&["matchit"], &["src/policy/routes.rs", "src/policy/routes/"]),
    (&["jsonwebtoken"], &["src/identity/"]),
    (&["x509_parser"], &["src/identity/client_cert.rs"]),
    (&["rustix"], &["src/gateway/descriptors.rs", "src/gateway/handover.rs", "src/gateway/handover/"]),
    (&["prometheus"], &["src/metrics.rs", "src/metrics/"]),
    (&["pingora"], &["src/proxy/", "src/gateway/"]),
];

/// What the guard does not name: it serves every front door, so it depends on none.
const DOORS: [&str; 4] = ["pingora", "tonic", "prost", "hyper"];

/// The most lines of a source file: past 400, look for the second noun.
const LINES: usize = 400;

/// Files that may be longer, and why.
const LONGER: [(&str, &str); 0] = [];

#[test]
fn the_crate_declares_its_layers_in_their_order() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, LAYERS);
}

#[test]
fn no_layer_names_one_that_stands_above_it() {
    let mut found = Vec::new();
    for source in sources() {
        let Some(layer) = source.layer() else { continue };
        let own = LAYERS.iter().position(|known| *known == layer).unwrap_or_else(|| panic!("`{layer}` is no layer"));
        for (line, path) in paths(&source.code()) {
            if let Some(named) = named_layer(&path, &source.module()) {
                let above = LAYERS.iter().position(|known| *known == named).is_some_and(|named| named > own);
                if above {
                    found.push(format!("{}:{line}: `{layer}` names `{}`", source.name, path.join("::")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_pure_layer_knows_no_clock_file_socket_variable_or_future() {
    let mut found = Vec::new();
    for source in sources() {
        if !source.layer().is_some_and(|layer| LAYERS[..PURE].contains(&layer)) {
            continue;
        }
        for (line, path) in paths(&source.code()) {
            if path == ["async"] {
                found.push(format!("{}:{line}: `async`: nothing here waits", source.name));
            }
            for (banned, instead) in IMPURE {
                let named =
                    if banned.len() == 1 { path.iter().any(|part| part == banned[0]) } else { begins(&path, banned) };
                // The length of time is no clock.
                if named && path != ["std", "time", "Duration"] {
                    found.push(format!("{}:{line}: `{}`: {instead}", source.name, path.join("::")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_dependency_is_named_in_its_one_place() {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        for (line, path) in paths(&source.code()) {
            for (dependency, places) in PLACES.iter().filter(|(dependency, _)| begins(&path, dependency)) {
                if places.iter().any(|place| source.name.starts_with(place)) {
                    used.insert(dependency);
                } else {
                    found.push(format!("{}:{line}: `{}` belongs in {places:?}", source.name, path.join("::")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    // A place where nothing is left would make its line above a promise about nothing.
    for (dependency, places) in PLACES {
        assert!(used.contains(&dependency), "nothing names {dependency:?} any more: take it off {places:?}");
    }
}

#[test]
fn the_guard_depends_on_no_front_door() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.layer() == Some("guard")) {
        for (line, path) in paths(&source.code()) {
            if DOORS.iter().any(|door| path[0] == *door || path[0].starts_with(&format!("{door}_"))) {
                found.push(format!("{}:{line}: {}", source.name, path.join("::")));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Modules that import each other are one module in several files. Where that is right, the head of the first one says
/// why, in a line that begins with `Circle:`.
#[test]
fn modules_import_each_other_only_where_the_head_says_why() {
    let modules = Modules::read();
    let mut found = Vec::new();
    for circle in modules.circles() {
        let first = circle.iter().min_by_key(|module| (module.len(), *module)).unwrap();
        let explained = modules.text(first).lines().any(|line| line.starts_with("//! Circle: "));
        if !explained {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            found.push(format!("{}: no `//! Circle: …` in its head explains {}", first.join("::"), names.join(", ")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    for source in &modules.0 {
        let explains = source.1.text.lines().any(|line| line.starts_with("//! Circle: "));
        let is_first =
            |circle: &BTreeSet<Module>| circle.iter().min_by_key(|module| (module.len(), *module)) == Some(source.0);
        assert!(
            !explains || modules.circles().iter().any(is_first),
            "{} explains a circle that is gone",
            source.1.name
        );
    }
}

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
        .filter(|(lines, name)| *lines > LINES && !LONGER.iter().any(|(known, _)| known == name))
        .map(|(lines, name)| format!("{name}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
    for (name, _) in LONGER {
        assert!(read(name).lines().count() > LINES, "{name} is short enough now: take it off the list");
    }
}

#[test]
fn nothing_is_left_to_do_and_nothing_is_unwrapped() {
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

// ── The reader of sources is held too: a rule that sees nothing is kept by everybody ──

#[test]
fn paths_are_found_in_every_spelling() {
    let code = bare(
        r##"
use crate::{audit::{Sink, log}, guard::*};
use super::super::cli;
// use crate::comment;
/* use crate::block; */
fn f<'a>(text: &'a str) -> char { let _ = "crate::text \" crate::quoted"; let _ = r#"crate::raw " x"#; '"' }
fn g() { let _ = ::tokio::spawn(async move {}); crate :: demo :: run(); }
"##,
    );
    let found: Vec<String> = paths(&code).into_iter().map(|(_, path)| path.join("::")).collect();
    for expected in [
        "crate::audit::Sink",
        "crate::audit::log",
        "crate::guard",
        "super::super::cli",
        "tokio::spawn",
        "async",
        "crate::demo::run",
    ] {
        assert!(found.iter().any(|path| path == expected), "{expected} not in {found:?}");
    }
    for absent in ["comment", "block", "text \\", "quoted", "raw"] {
        assert!(!found.iter().any(|path| path.contains(absent) && path.starts_with("crate")), "{absent} in {found:?}");
    }
    assert_eq!(paths(&code).iter().find(|(_, path)| path[0] == "async").unwrap().0, 7);
}

#[test]
fn circles_are_found_through_every_spelling() {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let circles = |sources: Vec<Source>| {
        let named = sources.into_iter().map(|source| (source.module(), source)).collect();
        Modules(named)
            .circles()
            .into_iter()
            .map(|circle| circle.into_iter().map(|module| module.join("::")).collect())
            .collect::<Vec<Vec<String>>>()
    };
    let facade = "mod one;\nmod two;\npub use one::One;\npub use two::{Two as Second, other};\n";
    let (one, two) = ("use super::Second;\npub struct One;", "pub struct Two;\npub fn other() { super::one::One; }");
    let found = circles(vec![source("src/a/mod.rs", facade), source("src/a/one.rs", one), source("src/a/two.rs", two)]);
    assert_eq!(found, [["a::one", "a::two"]], "a re-export leads to the module that defines");
    let parent = "mod child;\nuse child::f;\npub struct Parent;";
    let found =
        circles(vec![source("src/b.rs", parent), source("src/b/child.rs", "use super::*;\nfn f(_: Parent) {}")]);
    assert_eq!(found, [["b", "b::child"]]);
    let lone =
        circles(vec![source("src/c.rs", "mod child;\nuse child::f;"), source("src/c/child.rs", "pub fn f() {}")]);
    assert!(lone.is_empty(), "{lone:?}");
}

#[test]
fn the_layer_that_a_path_names_is_found_from_every_depth() {
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    let module = |text: &str| path(text);
    assert_eq!(named_layer(&path("crate::guard::tls"), &module("audit::sink")).as_deref(), Some("guard"));
    assert_eq!(named_layer(&path("super::super::guard"), &module("audit::sink")).as_deref(), Some("guard"));
    assert_eq!(named_layer(&path("super::guard"), &module("audit")).as_deref(), Some("guard"));
    assert_eq!(named_layer(&path("super::guard"), &module("audit::sink")), None);
    assert_eq!(named_layer(&path("std::fs"), &module("audit::sink")), None);
}

/// Source: one file of the program, tests apart.
struct Source {
    name: String,
    text: String,
}

impl Source {
    /// The modules that lead to it: `audit::sink` for `src/audit/sink.rs`.
    fn module(&self) -> Vec<String> {
        let inner = self.name.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        inner.split('/').map(str::to_owned).collect()
    }

    /// The layer it belongs to; `None` for the root of the library and for the program's `main`.
    fn layer(&self) -> Option<&'static str> {
        let first = self.module().swap_remove(0);
        if first == "lib" || first == "main" {
            return None;
        }
        Some(LAYERS.iter().find(|layer| **layer == first).unwrap_or_else(|| panic!("{} is in no layer", self.name)))
    }

    /// Its text without comments, literals, and a test module at its end.
    fn code(&self) -> String {
        let code = bare(&self.text);
        let inline = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
        code[..inline].to_owned()
    }
}

/// Module: the path of a module below the crate's root.
type Module = Vec<String>;

/// Modules: the program's modules by their paths, tests apart.
struct Modules(BTreeMap<Module, Source>);

impl Modules {
    fn read() -> Self {
        Self(sources().into_iter().map(|source| (source.module(), source)).collect())
    }

    fn text(&self, module: &Module) -> &str {
        &self.0[module].text
    }

    /// The sets of modules that import each other, directly or through others.
    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let uses: BTreeMap<&Module, Uses> = self.0.iter().map(|(module, source)| (module, Uses::of(source))).collect();
        let edges: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.iter().map(|(module, source)| (module, self.imports(module, source, &uses))).collect();
        let reach = |from: &Module| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = open.pop() {
                let next = edges.get(&module).into_iter().flatten().filter(|next| seen.insert((*next).clone()));
                open.extend(next.cloned().collect::<Vec<_>>());
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.keys().map(|module| (module, reach(module))).collect();
        let mut found = BTreeSet::new();
        for (module, reaches) in reached.iter().filter(|(module, reaches)| reaches.contains(**module)) {
            found.insert(reaches.iter().filter(|other| reached[*other].contains(*module)).cloned().collect());
        }
        found.into_iter().collect()
    }

    /// The modules that define what a module names.
    fn imports(&self, module: &Module, source: &Source, uses: &BTreeMap<&Module, Uses>) -> BTreeSet<Module> {
        let exported = exports(&source.code());
        let mut found = BTreeSet::new();
        for (_, path) in paths(&source.code()) {
            // A facade depends on nothing that it only passes on.
            if !exported.contains(&path)
                && let Some(target) = self.definer(module, &path, uses, 0)
            {
                found.insert(target);
            }
        }
        found.remove(module);
        found
    }

    /// The module that defines what `path` names, seen from `module`; `None` for what is not the crate's.
    fn definer(
        &self,
        module: &Module,
        path: &[String],
        uses: &BTreeMap<&Module, Uses>,
        depth: usize,
    ) -> Option<Module> {
        if depth > 8 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Module::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            name => {
                let child = [&module[..], &[name.to_owned()]].concat();
                if self.0.contains_key(&child) {
                    child
                } else {
                    let (_, target) = uses.get(module)?.0.iter().find(|(local, _)| local == name)?;
                    let full = [&target[..], rest].concat();
                    return (target.first().map(String::as_str) != Some(name))
                        .then(|| self.definer(module, &full, uses, depth + 1))?;
                }
            }
        };
        for (index, part) in rest.iter().enumerate() {
            if part == "super" {
                at.pop()?;
                continue;
            }
            let child = [&at[..], &[part.to_owned()]].concat();
            if self.0.contains_key(&child) {
                at = child;
            } else if let Some((_, target)) =
                uses.get(&at).and_then(|uses| uses.0.iter().find(|(name, _)| name == part))
            {
                let full = [&target[..], &rest[index + 1..]].concat();
                return self.definer(&at, &full, uses, depth + 1).or(Some(at));
            } else {
                break;
            }
        }
        self.0.contains_key(&at).then_some(at)
    }
}

/// Uses: the names that a file imports, each with the path that it stands for.
struct Uses(Vec<(String, Vec<String>)>);

impl Uses {
    fn of(source: &Source) -> Self {
        let code = source.code();
        let named = statements(&code, "use ").into_iter().flat_map(|statement| {
            let aliases: BTreeMap<String, String> = statement
                .split([',', '{', '}'])
                .filter_map(|part| part.trim().rsplit_once(" as "))
                .map(|(path, alias)| (path.rsplit("::").next().unwrap().trim().to_owned(), alias.trim().to_owned()))
                .collect();
            let all = paths(&statement);
            all.into_iter().filter(|(_, path)| path.len() > 1).map(move |(_, path)| {
                let last = path.last().unwrap().clone();
                (aliases.get(&last).cloned().unwrap_or(last), path)
            })
        });
        Self(named.collect())
    }
}

/// The paths that a file re-exports.
fn exports(code: &str) -> BTreeSet<Vec<String>> {
    let found = statements(code, "pub use ").into_iter().chain(statements(code, "pub(crate) use "));
    found.flat_map(|statement| paths(&statement)).map(|(_, path)| path).collect()
}

/// The statements that begin a line with `keyword`, up to their semicolons, without visibility and keyword.
fn statements(code: &str, keyword: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(keyword) {
        let behind = &rest[at + keyword.len()..];
        let end = behind.find(';').unwrap_or(behind.len());
        let before = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        if before.is_empty() || before.starts_with("pub") {
            found.push(behind[..end].to_owned());
        }
        rest = &behind[end..];
    }
    found
}

/// The files of the program that are no tests.
fn sources() -> Vec<Source> {
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

/// All files below `src`, by their names from the root of the package.
fn files() -> Vec<String> {
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

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn begins(path: &[String], with: &[&str]) -> bool {
    path.len() >= with.len() && path.iter().zip(with).all(|(part, with)| part == with)
}

/// The layer that `path` names, seen from `module`; `None` where it stays inside or names something else.
fn named_layer(path: &[String], module: &[String]) -> Option<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => path.get(1).cloned(),
        "super" if supers == module.len() => path.get(supers).cloned(),
        _ => None,
    }
}

/// All paths of a text without comments, groups in braces spread out, each with its line.
fn paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = spread(&tokens, at, &[], &mut found).max(at + 1);
    }
    found
}

/// Reads one path from `at` on, with `before` in front of it, and says where it ends.
fn spread(
    tokens: &[(usize, String)],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = before.to_vec();
    let line = tokens.get(at).map_or(0, |(line, _)| *line);
    let text = |at: usize| tokens.get(at).map(|(_, text)| text.as_str());
    if text(at) == Some("::") {
        at += 1;
    }
    while let Some(part) = text(at).filter(|text| text.starts_with(|c: char| c.is_alphabetic() || c == '_')) {
        path.push(part.to_owned());
        at += 1;
        if text(at) != Some("::") {
            break;
        }
        at += 1;
        if text(at) == Some("{") {
            at += 1;
            while text(at).is_some_and(|text| text != "}") {
                at = spread(tokens, at, &path, found).max(at + 1);
            }
            return at + 1;
        }
    }
    if path.len() > before.len() {
        found.push((line, path));
    }
    at
}

/// Words, `::` and single characters, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((number, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A source text whose comments and literals are blanks; lines stay where they are.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, out.chars().last());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// How much of `rest` is a comment or a literal that begins here.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    let in_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !in_a_word || before == Some('b')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    if let Some(text) = rest.strip_prefix('"') {
        return 1 + closing(text, '"');
    }
    if let Some(text) = rest.strip_prefix('\'') {
        // A lifetime has no closing quote right behind its first character.
        let escaped = text.starts_with('\\');
        let closes = text.chars().nth(1) == Some('\'');
        return if escaped || closes { 1 + closing(text, '\'') } else { 0 };
    }
    0
}

/// How long the rest of a literal is, its closing quote included.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
