//! Finds modules that import each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::paths;
use crate::sources::{Source, sources};

/// Modules that import each other are one module in several files. If that is intended, a line `Circle:` in the head of
/// the first module states the reason.
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

/// Module: the path of a module below the crate's root.
type Module = Vec<String>;

/// Modules: the program's modules by their paths, without test modules.
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
        let imports: BTreeMap<&Module, Imports> =
            self.0.iter().map(|(module, source)| (module, Imports::of(source))).collect();
        let edges: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.iter().map(|(module, source)| (module, self.imported_modules(module, source, &imports))).collect();
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

    /// The modules that define the items named in a module.
    fn imported_modules(
        &self,
        module: &Module,
        source: &Source,
        imports: &BTreeMap<&Module, Imports>,
    ) -> BTreeSet<Module> {
        let code = without_visibility(&source.code());
        let exported = exports(&source.code());
        let mut found = BTreeSet::new();
        // A single name is a declaration, or comes from an import that counts by itself: `use super::*` for example.
        let named = paths(&code).into_iter().filter(|(_, path)| path.len() > 1);
        let imported = statements(&code, "use ").into_iter().flat_map(|statement| paths(&statement));
        for (_, path) in named.chain(imported) {
            // A re-export is not an import.
            if !exported.contains(&path)
                && let Some(target) = self.defining_module(module, &path, imports, 0)
            {
                found.insert(target);
            }
        }
        found.remove(module);
        found
    }

    /// The module that defines the item at `path`, resolved in `module`; `None` for items of other crates.
    fn defining_module(
        &self,
        module: &Module,
        path: &[String],
        imports: &BTreeMap<&Module, Imports>,
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
                    let (_, target) = imports.get(module)?.0.iter().find(|(local, _)| local == name)?;
                    let full = [&target[..], rest].concat();
                    return (target.first().map(String::as_str) != Some(name))
                        .then(|| self.defining_module(module, &full, imports, depth + 1))?;
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
                imports.get(&at).and_then(|imports| imports.0.iter().find(|(name, _)| name == part))
            {
                let full = [&target[..], &rest[index + 1..]].concat();
                return self.defining_module(&at, &full, imports, depth + 1).or(Some(at));
            } else {
                break;
            }
        }
        self.0.contains_key(&at).then_some(at)
    }
}

/// Imports: the names that a file imports, each with its full path.
struct Imports(Vec<(String, Vec<String>)>);

impl Imports {
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

/// The statements with `keyword` at the start of a line, up to the semicolon, without visibility and keyword.
fn statements(code: &str, keyword: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(keyword) {
        let after = &rest[at + keyword.len()..];
        let end = after.find(';').unwrap_or(after.len());
        let before = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        if before.is_empty() || before.starts_with("pub") {
            found.push(after[..end].to_owned());
        }
        rest = &after[end..];
    }
    found
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

/// The code without the paths of `pub(in …)`, which import nothing.
fn without_visibility(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, behind)) = rest.split_once("pub(in ") {
        out.push_str(before);
        out.push_str("pub");
        rest = behind.split_once(')').map_or("", |(_, behind)| behind);
    }
    out + rest
}
