//! Naive servers: for each dialect, all interpretations of a path by such a server in any configuration.
//!
//! They are independent of the gateway's implementation and as simple as possible, so that the two can be compared.

use std::collections::BTreeSet;

/// Read: a path as a server looks it up among its handlers, and whether the lookup ignores case.
pub(super) type Read = (String, bool);

/// All interpretations of a path by a server of that kind.
pub(super) fn readings(dialect: &str, path: &str) -> BTreeSet<Read> {
    match dialect {
        "aspnet" => one(without_end_slash(&decoded(path, false)), true),
        "iis" => iis(path),
        "tomcat" => tomcat(path, false),
        "spring" => tomcat(path, true),
        "php" => php(path),
        "wsgi" => wsgi(path),
        "express" => express(path),
        "nginx" => nginx(path),
        // An unknown server may be any of them.
        _ => ["aspnet", "iis", "tomcat", "spring", "php", "wsgi", "express", "nginx"]
            .iter()
            .flat_map(|dialect| readings(dialect, path))
            .collect(),
    }
}

fn one(path: String, folds: bool) -> BTreeSet<Read> {
    BTreeSet::from([(path, folds)])
}

/// http.sys decodes and reads `\` as `/`, ASP.NET removes tickets, NTFS shortens names.
fn iis(path: &str) -> BTreeSet<Read> {
    let mut text: String = decoded(path, true).chars().map(narrow).collect::<String>().replace('\\', "/");
    // `(S(…))`, `(S(…)F(…))`: letters with parentheses between parentheses.
    while let Some(at) = ticket(&text) {
        text.replace_range(at, "");
    }
    let mut all = BTreeSet::new();
    for streams in [true, false] {
        let text = collapsed(&text);
        let names = text.split('/').map(|name| {
            let name = if streams { name.split(':').next().unwrap() } else { name };
            let name = name.trim_end_matches(['.', ' ']);
            // The long names of the tests that have short names.
            match name.to_ascii_uppercase().as_str() {
                "PRIVAT~1" => "private-papers".to_owned(),
                _ => name.to_owned(),
            }
        });
        // An empty rest of a name denotes the folder.
        let text = collapsed(&names.collect::<Vec<_>>().join("/"));
        for text in with_scripts(&text) {
            all.insert((without_end_slash(&text), true));
            all.insert((without_end_slash(&without_index(&text)), true));
        }
    }
    all
}

fn ticket(text: &str) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let starts = (0..bytes.len()).filter(|at| {
        bytes[*at] == b'(' && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic) && bytes.get(at + 2) == Some(&b'(')
    });
    starts.filter_map(|start| text[start..].find("))").map(|length| start..start + length + 2)).next()
}

/// Path parameters are removed before decoding; JAX-RS, Struts and Spring ignore suffixes and trailing slashes.
fn tomcat(path: &str, may_fold: bool) -> BTreeSet<Read> {
    let bare: Vec<&str> = path.split('/').map(|segment| segment.split(';').next().unwrap()).collect();
    let mut all = BTreeSet::new();
    for slashes in [true, false] {
        let text = collapsed(&decoded(&bare.join("/"), slashes));
        for text in [text.clone(), without_index(&text), cut_again(&text)] {
            for text in [text.clone(), without_end_slash(&text)] {
                let segment = text.rfind('/').unwrap() + 1;
                let dots = text.match_indices('.').map(|(at, _)| at).filter(|at| *at > segment);
                let stems = dots.map(|at| text[..at].to_owned());
                for text in stems.chain([text.clone()]) {
                    all.insert((text.clone(), false));
                    all.insert((text, may_fold));
                }
            }
        }
    }
    all
}

/// `%3B` also ends a segment if a framework reads the decoded path.
fn cut_again(text: &str) -> String {
    text.split('/').map(|segment| segment.split(';').next().unwrap()).collect::<Vec<_>>().join("/")
}

/// Apache and FPM find the script, Symfony and Laravel the route; Windows and macOS find the file case-insensitively.
fn php(path: &str) -> BTreeSet<Read> {
    let text = collapsed(&decoded(path, true));
    let windows = text.split('/').map(|name| name.trim_end_matches(['.', ' '])).collect::<Vec<_>>().join("/");
    let mut all = BTreeSet::new();
    for text in [text, windows] {
        for text in with_scripts(&text) {
            if text.ends_with(".php") {
                all.insert((text, false));
                continue;
            }
            let bare = without_end_slash(&text);
            let mut found = vec![text.clone(), bare.clone(), without_index(&text), format!("{bare}/")];
            found.extend(["/index.php", "/index.html", ".php", ".html"].map(|ending| format!("{bare}{ending}")));
            let last = bare.rfind('/').unwrap() + 1;
            // MultiViews and rewriting replace a suffix by another one.
            found.extend(bare[last..].find('.').filter(|at| *at > 0).map(|at| bare[..last + at].to_owned()));
            for text in found {
                all.insert((text.clone(), false));
                all.insert((text, true));
            }
        }
    }
    all
}

/// `PATH_INFO` is decoded, slashes included; frameworks differ about the trailing slash and about suffixes.
fn wsgi(path: &str) -> BTreeSet<Read> {
    let text = decoded(path, true);
    let bare = without_end_slash(&text);
    let mut all = BTreeSet::from([(text.clone(), false), (bare.clone(), false), (format!("{bare}/"), false)]);
    let last = bare.rfind('/').unwrap() + 1;
    let suffix = bare[last..].rfind('.').filter(|at| *at > 0);
    all.extend(suffix.map(|at| (bare[..last + at].to_owned(), false)));
    all
}

/// The router matches the undecoded path; files are looked up by the decoded path.
fn express(path: &str) -> BTreeSet<Read> {
    let file = decoded(path, true);
    let bare = without_end_slash(&file);
    [without_end_slash(path), without_index(&file), without_end_slash(&without_index(&file)), format!("{bare}.html")]
        .into_iter()
        .flat_map(|text| [(text.clone(), true), (text, false)])
        .collect()
}

/// The path is decoded, merged and resolved before a location is selected; then `index` and `try_files` apply.
fn nginx(path: &str) -> BTreeSet<Read> {
    let text = collapsed(&decoded(path, true));
    let windows = text.split('/').map(|name| name.trim_end_matches(['.', ' '])).collect::<Vec<_>>().join("/");
    let mut all = BTreeSet::new();
    for text in [text, windows] {
        let bare = without_end_slash(&text);
        let index = without_index(&text);
        for text in [text, format!("{bare}/"), format!("{bare}/index.html"), format!("{bare}.html"), index] {
            all.insert((text.clone(), false));
            all.insert((text, true));
        }
    }
    all
}

/// The path itself, each script in it, and the path that a front controller reads after the script.
fn with_scripts(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    for (at, _) in text.match_indices('/').skip(1) {
        let (before, remainder) = text.split_at(at);
        if [".php", ".phtml", ".aspx"].iter().any(|ending| before.to_ascii_lowercase().ends_with(ending)) {
            all.push(before.to_owned());
            let front = before[..before.rfind('/').unwrap()].to_owned();
            all.extend(with_scripts(&format!("{front}{remainder}")));
        }
    }
    all
}

fn without_end_slash(text: &str) -> String {
    text.strip_suffix('/').filter(|text| !text.is_empty()).unwrap_or(text).to_owned()
}

fn without_index(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let files = ["/index.html", "/index.php", "/default.aspx"];
    let found = files.iter().find(|file| lower.ends_with(*file));
    found.map_or(text, |file| &text[..text.len() - file.len() + 1]).to_owned()
}

/// The path with dot segments resolved and repeated slashes merged.
fn collapsed(text: &str) -> String {
    let mut stack: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(stack.pop()),
            other => stack.push(other),
        }
    }
    let slash = if text.ends_with('/') && !stack.is_empty() { "/" } else { "" };
    format!("/{}{slash}", stack.join("/"))
}

fn decoded(text: &str, slashes: bool) -> String {
    let (mut out, mut at) = (Vec::new(), 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) if slashes || code != b'/' => {
                out.push(code);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The ASCII form of a full-width letter, as Windows maps it.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap(),
        '\u{17f}' => 's',
        other => other,
    }
}
