//! Tests the layers: their order, the purity of the lower ones, and the one place of each replaceable dependency.

use std::collections::BTreeSet;

use crate::paths::paths;
use crate::sources::{Source, root, sources};

/// The layers in order; each may name itself and the layers before it.
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

/// The number of pure layers at the start of the list: no clock, no files, no network, no async.
const PURE_LAYERS: usize = 6;

/// Paths that a pure layer must not name, each with the alternative.
const FORBIDDEN_IN_PURE: [(&[&str], &str); 8] = [
    (&["SystemTime"], "take `now` as an argument"),
    (&["Instant"], "take `now` as an argument"),
    (&["std", "time"], "`vocabulary::Timestamp` is the time"),
    (&["std", "fs"], "`reload` and `settings` read files"),
    (&["std", "net"], "`proxy` knows sockets and addresses"),
    (&["std", "env"], "`settings` reads variables"),
    (&["tokio"], "nothing here waits"),
    (&["std", "thread"], "nothing here waits"),
];

/// Dependencies that are named in one place only: the start of the path, and the files or folders that may name it.
const DEPENDENCIES: [(&[&str], &[&str]); 12] = [
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

/// Protocol crates that the guard must not name: every front door uses it, so it depends on none of them.
const PROTOCOL_CRATES: [&str; 4] = ["pingora", "tonic", "prost", "hyper"];

#[test]
fn the_crate_declares_its_layers_in_their_order() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, LAYERS);
}

#[test]
fn no_layer_names_a_later_layer() {
    let mut found = Vec::new();
    for source in sources() {
        let Some(layer) = layer(&source) else { continue };
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
        if !layer(&source).is_some_and(|layer| LAYERS[..PURE_LAYERS].contains(&layer)) {
            continue;
        }
        for (line, path) in paths(&source.code()) {
            if path == ["async"] {
                found.push(format!("{}:{line}: `async`: nothing here waits", source.name));
            }
            for (banned, instead) in FORBIDDEN_IN_PURE {
                let named = if banned.len() == 1 {
                    path.iter().any(|part| part == banned[0])
                } else {
                    starts_with_path(&path, banned)
                };
                // A `Duration` reads no clock.
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
            for (dependency, places) in
                DEPENDENCIES.iter().filter(|(dependency, _)| starts_with_path(&path, dependency))
            {
                if places.iter().any(|place| source.name.starts_with(place)) {
                    used.insert(dependency);
                } else {
                    found.push(format!("{}:{line}: `{}` belongs in {places:?}", source.name, path.join("::")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    // An entry without a use would test nothing.
    for (dependency, places) in DEPENDENCIES {
        assert!(used.contains(&dependency), "nothing names {dependency:?} any more: take it off {places:?}");
    }
}

#[test]
fn the_guard_depends_on_no_front_door() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| layer(source) == Some("guard")) {
        for (line, path) in paths(&source.code()) {
            if PROTOCOL_CRATES.iter().any(|door| path[0] == *door || path[0].starts_with(&format!("{door}_"))) {
                found.push(format!("{}:{line}: {}", source.name, path.join("::")));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
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

/// The layer of a source file; `None` for the library's root and for `main`.
fn layer(source: &Source) -> Option<&'static str> {
    let first = source.module().swap_remove(0);
    if first == "lib" || first == "main" {
        return None;
    }
    Some(LAYERS.iter().find(|layer| **layer == first).unwrap_or_else(|| panic!("{} is in no layer", source.name)))
}

/// The layer that `path` names, resolved in `module`; `None` if it stays inside the layer or names something else.
fn named_layer(path: &[String], module: &[String]) -> Option<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => path.get(1).cloned(),
        "super" if supers == module.len() => path.get(supers).cloned(),
        _ => None,
    }
}

fn starts_with_path(path: &[String], with: &[&str]) -> bool {
    path.len() >= with.len() && path.iter().zip(with).all(|(part, with)| part == with)
}
