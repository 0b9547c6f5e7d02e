//! Tests of dialects: every interpretation of a forwarded path by a server is the route that was decided.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::servers;
use crate::document::Sources;
use crate::policy::{Snapshot, load};
use crate::property::hold;
use crate::request::{CanonicalPath, Dialect};

/// Routes with names that a looser interpretation could match, and the wider templates that overlap with them.
const ROUTES: [&str; 9] = [
    "/",
    "/secret",
    "/secret/{id}",
    "/Admin/Panel",
    "/private-papers",
    "/note.v1",
    "/{thing}",
    "/{thing}/{part}",
    "/{thing}/{part}/deep",
];

/// Further routes for dialects that distinguish a trailing slash or run scripts.
const MORE: [(&[&str], &[&str]); 3] = [
    (&["strict", "php", "wsgi", "nginx", "tomcat"], &["/folder/", "/folder/{*rest}"]),
    (&["strict", "php"], &["/tool.php", "/run.php/{x}/{y}/{z}"]),
    (&["strict", "php", "nginx", "express"], &["/page.html"]),
];

const PATHS: [&str; 15] = [
    "/",
    "/secret",
    "/secret/1",
    "/Admin/Panel",
    "/private-papers",
    "/note.v1",
    "/open",
    "/open/part",
    "/open/part/deep",
    "/folder/",
    "/folder/x",
    "/tool.php",
    "/run.php/a/b/c",
    "/page",
    "/tool",
];

/// The texts that are inserted into a path or appended to it.
const PIECES: [&str; 46] = [
    ";",
    ";x=1",
    "%3B",
    "%3bx",
    ".",
    "..",
    "/.",
    "/..",
    "/../",
    "..;/",
    "%2e",
    "%2e%2e/",
    "/",
    "//",
    "%2f",
    "%2F",
    "\\",
    "%5c",
    "%20",
    " ",
    "%00",
    "%25",
    "%",
    "%u0073",
    "~1",
    "PRIVAT~1",
    ":x",
    "::$DATA",
    "%3A%3A$DATA",
    "(S(1))/",
    "/(A(b))",
    ".json",
    ".v2",
    ".json/",
    ".php",
    ".php/x",
    ".PHP/x",
    "index.php/",
    "index.php",
    "index.html",
    "/index.html",
    ".html",
    "/Default.aspx",
    "\u{17f}",
    "\u{ff53}",
    "\u{ff0f}",
];

fn routes(word: &str) -> Vec<&'static str> {
    let more = MORE.iter().filter(|(words, _)| words.contains(&word)).flat_map(|(_, routes)| routes.iter());
    ROUTES.iter().chain(more).copied().collect()
}

fn policy(dialect: Dialect, routes: &[&str]) -> Snapshot {
    let lines: Vec<String> = routes.iter().map(|route| format!("  {route}: {{ GET: read A }}")).collect();
    let (word, lines) = (dialect.as_str(), lines.join("\n"));
    let mut sources = Sources::default();
    let key = "  /key/{key}: { GET: { need: read A, encoded-slash: key } }";
    sources.add(
        "p.yaml",
        &format!("version: 1\nname: p\ndialect: {word}\nroutes:\n{lines}\n{key}\nresources: [A]\npermissions: {{}}\n"),
    );
    let loaded = load(&sources, None);
    let found = crate::document::report::human(&loaded.findings, &sources);
    loaded.snapshot.unwrap_or_else(|| panic!("{word}: {found}"))
}

/// A policy of each dialect with all routes that it can express, or with the same routes for all.
static EACH: LazyLock<Vec<(Dialect, Snapshot)>> = LazyLock::new(|| policies(false));
static SAME: LazyLock<Vec<(Dialect, Snapshot)>> = LazyLock::new(|| policies(true));

fn policies(all_the_same: bool) -> Vec<(Dialect, Snapshot)> {
    let routes = |word| if all_the_same { ROUTES.to_vec() } else { routes(word) };
    Dialect::KEYWORDS.iter().map(|(word, dialect)| (*dialect, policy(*dialect, &routes(word)))).collect()
}

/// The template that decides a path, and the forwarded path.
fn decided(policy: &Snapshot, raw: &str) -> Option<(String, String)> {
    let path = CanonicalPath::read(raw.as_bytes(), policy.model.dialect).ok()?;
    let matched = policy.routes.match_route("GET", &path, None).ok()?;
    Some((matched.route.template.text().to_owned(), matched.forwarded_path(&path)))
}

/// The template by which a server with these handlers would answer: literals precede parameters.
fn handler<'r>(routes: &[&'r str], path: &str, folds: bool) -> Option<&'r str> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let fits = |route: &str| {
        let parts: Vec<&str> = route.split('/').skip(1).collect();
        let rest = parts.last().is_some_and(|part| part.starts_with("{*"));
        let enough = if rest { segments.len() >= parts.len() } else { segments.len() == parts.len() };
        let each = parts.iter().zip(&segments).map(|(part, segment)| match part {
            _ if part.starts_with('{') => (!segment.is_empty()).then_some(1 + u8::from(part.starts_with("{*"))),
            _ if folds => part.eq_ignore_ascii_case(segment).then_some(0),
            _ => (part == segment).then_some(0),
        });
        let each: Option<Vec<u8>> = each.collect();
        each.filter(|_| enough)
    };
    let matching = routes.iter().filter_map(|route| Some((fits(route)?, *route)));
    matching.min().map(|(_, route)| route)
}

/// Paths of the policy with up to three changes.
fn spelled() -> impl Strategy<Value = String> {
    let change = (0..4_usize, any::<prop::sample::Index>(), prop::sample::select(&PIECES[..]));
    let key = prop::sample::select(vec!["/key/a%2Fb", "/key/a%2f..%2fb", "/key/secret%2F1", "/key%2Fa"]);
    let path = prop_oneof![9 => prop::sample::select(&PATHS[..]), 1 => key];
    (path, prop::collection::vec(change, 0..4)).prop_map(|(path, changes)| {
        let mut text = path.to_owned();
        for (sort, at, piece) in changes {
            let places: Vec<(usize, char)> = text.char_indices().skip(1).collect();
            match (sort, places.get(at.index(places.len().max(1)))) {
                (0, Some((at, letter))) if letter.is_ascii() => {
                    text.replace_range(*at..at + 1, &format!("%{:02x}", u32::from(*letter)));
                }
                (1, Some((at, letter))) if letter.is_ascii_alphabetic() => {
                    let other = (u8::try_from(*letter).unwrap() ^ 0x20) as char;
                    text.replace_range(*at..at + 1, &other.to_string());
                }
                (2, Some((at, _))) => text.insert_str(*at, piece),
                _ => text.push_str(piece),
            }
        }
        text
    })
}

#[test]
fn what_a_server_makes_of_the_forwarded_path_is_what_was_decided() {
    hold(8_000, spelled(), |raw| {
        for (dialect, policy) in &*EACH {
            let Some((template, forwarded)) = decided(policy, &raw) else { continue };
            let routes = [routes(dialect.as_str()), vec!["/key/{key}"]].concat();
            for (read, folds) in servers::readings(dialect.as_str(), &forwarded) {
                let served = handler(&routes, &read, folds);
                // A server prefers a handler of exactly that name, and the files that it looks up have names.
                let named = |route: &str| !route.ends_with('}');
                let ended = |ending: &&str| read.ends_with(*ending) && !forwarded.ends_with(*ending);
                let by_name = named(&template) || ["/", "/index.php", "/index.html", ".php", ".html"].iter().any(ended);
                // The script that the template itself spells.
                let own = template.starts_with(&format!("{read}/"));
                prop_assert!(
                    own || served.is_none_or(|served| served == template || by_name && !named(served)),
                    "{dialect:?}: {raw} was decided as {template}, went on as {forwarded}, and is served as {served:?} by way of {read}"
                );
            }
        }
        Ok(())
    });
}

#[test]
fn a_forwarded_path_is_decided_in_the_same_way_again() {
    hold(8_000, spelled(), |raw| {
        for (dialect, policy) in &*EACH {
            let Some((template, forwarded)) = decided(policy, &raw) else { continue };
            let again = decided(policy, &forwarded);
            prop_assert_eq!(again, Some((template, forwarded)), "{:?} {}", dialect, raw);
        }
        Ok(())
    });
}

#[test]
fn what_strict_accepts_every_dialect_accepts_and_decides_alike() {
    hold(8_000, spelled(), |raw| {
        if let Some(found) = decided(&SAME[0].1, &raw) {
            for (dialect, policy) in &*SAME {
                prop_assert_eq!(decided(policy, &raw), Some(found.clone()), "{:?} {}", dialect, raw);
            }
        }
        Ok(())
    });
}

#[test]
fn spellings_are_folded_refused_or_a_value_as_the_dialect_treats_them() {
    // The template that decides, or `-` for a path without a route.
    type Row = (&'static str, [&'static str; 9]);
    let (s, t, w) = ("/secret", "/{thing}", "-");
    let table: [Row; 25] = [
        //                 strict aspnet iis tomcat spring php wsgi express nginx
        ("/secret", [s; 9]),
        ("/open", [t; 9]),
        ("/%73ecret", [s; 9]),
        ("/Secret", [w, s, s, t, w, w, t, s, w]),
        ("/secret/", [w, s, s, w, s, w, w, s, w]),
        ("/secret;x", [w, t, w, w, w, t, t, t, t]),
        ("/secret%3Bx", [w, t, w, w, w, t, t, t, t]),
        ("/secret.", [w, t, w, w, w, w, w, t, w]),
        ("/secret%20", [w, t, w, t, t, w, t, t, w]),
        ("/secret.json", [w, t, t, w, w, w, w, t, t]),
        ("/secret.x.json", [w, t, t, w, w, w, w, t, t]),
        ("/secret:x", [w, t, w, t, t, t, t, t, t]),
        ("/secret::$DATA", [w, t, w, t, t, t, t, t, t]),
        // Spaces and dots before the stream, in any order.
        ("/secret%20.:x", [w, t, w, t, t, t, t, t, t]),
        ("/secret.%20:x", [w, t, w, w, w, w, w, t, t]),
        ("/secret.%20.%20.:x", [w, t, w, w, w, w, w, t, t]),
        ("/PRIVAT~1%20:x", [w, t, w, t, t, t, t, t, t]),
        ("/PRIVAT~1%20.:x", [w, t, w, t, t, t, t, t, t]),
        ("/.%20.:x", [w, t, w, t, t, t, t, t, t]),
        ("/PRIVAT~1", [w, t, w, t, t, t, t, t, t]),
        ("/PRIVAT~1:x", [w, t, w, t, t, t, t, t, t]),
        ("/:x", [w, t, w, t, t, t, t, t, t]),
        ("/(S(1))", [w, t, w, t, t, t, t, t, t]),
        ("/open.json", [t; 9]),
        ("/secret\u{17f}", [w, w, w, t, w, w, t, w, w]),
    ];
    for (raw, expected) in table {
        for ((dialect, policy), expected) in SAME.iter().zip(expected) {
            let found = decided(policy, raw).map_or("-".to_owned(), |(template, _)| template);
            assert_eq!(found, expected, "{raw} {dialect:?}");
        }
    }
}

#[test]
fn a_script_runs_with_the_rest_of_its_path_only_if_the_policy_spells_it() {
    let table = [
        ("/tool.php", Some("/tool.php")),
        ("/tool.php/a", None),
        ("/run.php/a/b/c", Some("/run.php/{x}/{y}/{z}")),
        ("/run.php/a/b/deep", None),
        ("/other.php", Some("/{thing}")),
        ("/other.php/a", None),
        ("/other.PHP/a/deep", None),
        ("/index.php/secret", None),
        ("/tool", None),
        ("/page", None),
        ("/folder", None),
        ("/secret/index.php", None),
        ("/open.png/a", Some("/{thing}/{part}")),
    ];
    for dialect in [Dialect::Strict, Dialect::Php] {
        let policy = policy(dialect, &routes(dialect.as_str()));
        for (raw, expected) in table {
            let found = decided(&policy, raw).map(|(template, _)| template);
            assert_eq!(found.as_deref(), expected, "{raw} {dialect:?}");
        }
    }
    // Windows would run the script despite the stream.
    let strict = policy(Dialect::Strict, &routes("strict"));
    assert_eq!(decided(&strict, "/tool.php.:x/a"), None);
    assert_eq!(decided(&strict, "/tool.php%20.:x/a"), None);
}

#[test]
fn a_scope_at_the_end_of_a_path_has_no_suffix_that_a_server_could_strip() {
    for (word, dialect) in Dialect::KEYWORDS {
        let mut sources = Sources::default();
        let routes = "routes:\n  /tenants/{tenant}: { GET: read A }\nresources: [A]\npermissions: {}\n";
        let text = format!("version: 1\nname: p\ndialect: {word}\nscopes: {{ tenant: caller }}\n{routes}");
        sources.add("p.yaml", &text);
        let policy = load(&sources, None).snapshot.unwrap();
        assert!(decided(&policy, "/tenants/t2").is_some(), "{word}");
        let cut = ["strict", "tomcat", "spring", "php", "wsgi"].contains(&word);
        assert_eq!(decided(&policy, "/tenants/t2.json").is_none(), cut, "{word}");
        assert_eq!(policy.model.dialect, dialect);
    }
    // The trailing slash is ignored before the suffix is stripped.
    for word in ["strict", "tomcat", "php", "wsgi"] {
        let mut sources = Sources::default();
        let routes = "routes:\n  /tenants/{tenant}/: { GET: read A }\nresources: [A]\npermissions: {}\n";
        let text = format!("version: 1\nname: p\ndialect: {word}\nscopes: {{ tenant: caller }}\n{routes}");
        sources.add("p.yaml", &text);
        let policy = load(&sources, None).snapshot.unwrap();
        assert!(decided(&policy, "/tenants/t2/").is_some(), "{word}");
        assert_eq!(decided(&policy, "/tenants/t2.json/"), None, "{word}");
    }
}

#[test]
fn any_of_several_scripts_may_run() {
    let policy = policy(Dialect::Php, &["/a.php/b.php/{x}", "/a.php/first", "/b.php/second", "/third"]);
    for (path, matched) in [("first", false), ("second", false), ("third", false), ("fourth", true)] {
        assert_eq!(decided(&policy, &format!("/a.php/b.php/{path}")).is_some(), matched, "{path}");
    }
}
