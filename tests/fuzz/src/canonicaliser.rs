//! Asserts that a path has one canonical spelling for any input, and that a more lenient reader finds no other route in
//! it.

use std::sync::LazyLock;

use portcullis::document::Sources;
use portcullis::policy::{self, Snapshot};
use portcullis::request::{CanonicalPath, Dialect, HeaderView, OverrideMode, RawRequest, read};

const ROUTES: &str = "
routes:
  /open: { GET: public }
  /open/{thing}: { GET: public }
  /open/{thing}/files/{file}: { GET: { need: public, encoded-slash: file } }
  /secret: { GET: nobody }
  /secret/{thing}: { GET: nobody }
  /secret/{thing}/Keys: { GET: nobody }
  /rest/{*rest}: { GET: public }
  /{tenant}/list: { GET: public }
";

static POLICIES: LazyLock<Vec<(Dialect, Snapshot)>> = LazyLock::new(|| {
    let load = |(word, dialect): (&str, Dialect)| {
        let mut sources = Sources::default();
        sources.add("fuzz.yaml", &format!("version: 1\nname: fuzz\ndialect: {word}{ROUTES}"));
        let loaded = policy::load(&sources, None);
        (dialect, loaded.snapshot.expect("the policy of the target loads"))
    };
    Dialect::KEYWORDS.into_iter().map(load).collect()
});

/// Reads `data` as choices (dialect, overrides), followed by a target, a host, and header names and values, separated
/// by 0xff.
pub fn run(data: &[u8]) {
    let [chosen, overrides, rest @ ..] = data else { return };
    let mut parts = rest.split(|&byte| byte == 0xff);
    let target = parts.next().unwrap_or_default();
    let host = parts.next();
    let texts: Vec<&str> = parts.filter_map(|part| std::str::from_utf8(part).ok()).collect();
    let headers: Vec<(&str, &str)> =
        texts.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect();
    let overrides = match overrides % 3 {
        0 => OverrideMode::Reject,
        1 => OverrideMode::Strip,
        _ => OverrideMode::Evaluate,
    };
    let Some((dialect, policy)) = POLICIES.get(usize::from(*chosen) % POLICIES.len()) else { return };
    let raw = RawRequest { method: "GET", target, host, headers: &Fields(headers) };
    let Ok(request) = read(&raw, *dialect, overrides) else { return };
    assert!(overrides == OverrideMode::Evaluate || request.overrides.is_empty(), "an override is left");

    let text = request.path.as_str();
    has_one_spelling(text, request.path.has_encoded_slash());
    let again = CanonicalPath::read(text.as_bytes(), *dialect).expect("a canonical path can be read");
    assert_eq!(again.as_str(), text, "reading is idempotent");
    if *dialect == Dialect::Strict {
        for (_, other) in Dialect::KEYWORDS {
            let theirs = CanonicalPath::read(text.as_bytes(), other).expect("what strict reads, every dialect reads");
            assert!(theirs.as_str() == text || text.strip_suffix('/') == Some(theirs.as_str()), "{text:?}");
        }
    }

    let Ok(placed) = policy.routes.match_route("GET", &request.path, request.query) else { return };
    let printed = placed.forwarded_path(&request.path);
    has_one_spelling(&printed, request.path.has_encoded_slash());
    let path = CanonicalPath::read(printed.as_bytes(), *dialect).expect("what is forwarded can be read");
    let forwarded = policy.routes.match_route("GET", &path, None).expect("what is forwarded has a place");
    assert_eq!(forwarded.access.route, placed.access.route, "{printed:?}");
    assert_eq!(forwarded.forwarded_path(&path), printed, "what is forwarded is forwarded as it is");

    let decided = placed.route.template.text().to_owned();
    if !decided.starts_with("/secret") {
        for reading in readings(&printed) {
            assert!(!is_secret(&reading), "{decided} was decided, and {reading:?} may be served for {printed:?}");
        }
    }
}

/// Fields: header fields cut from the fuzzer's bytes.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl HeaderView for Fields<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.0.iter().for_each(|(name, value)| visit(name, value.as_bytes()));
    }
}

/// Asserts the invariants of every path that the reader accepts.
fn has_one_spelling(path: &str, encoded_slash: bool) {
    assert!(path.starts_with('/'), "{path:?}");
    assert!(path.bytes().all(|byte| (0x21..0x7f).contains(&byte) && !b"\\#?<>\"^`{|}".contains(&byte)), "{path:?}");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        assert!(!segment.is_empty() || at + 1 == segments.len(), "{path:?}");
        assert!(!matches!(*segment, "." | ".."), "{path:?}");
    }
    let bytes = path.as_bytes();
    for (at, _) in path.match_indices('%') {
        let digits = bytes.get(at + 1..at + 3).expect("two digits");
        assert!(digits.iter().all(|digit| b"0123456789ABCDEF".contains(digit)), "{path:?}");
        let byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap_or_default(), 16).unwrap_or_default();
        assert!(
            !byte.is_ascii_alphanumeric() && !b"-._~\\".contains(&byte) && byte >= b' ' && byte != 0x7f,
            "{path:?}"
        );
        assert!(byte != b'/' || encoded_slash, "{path:?}");
    }
}

/// The interpretations of a path by lenient servers: decoded once and twice, case-folded, cut, collapsed and resolved.
fn readings(path: &str) -> Vec<String> {
    let once = decoded(path);
    let twice = decoded(&once);
    let mut all = Vec::new();
    for text in [path, &once, &twice] {
        for text in [text.to_owned(), text.replace('\\', "/")] {
            let plain: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
            let cut: Vec<&str> = plain.iter().map(|segment| segment.split(';').next().unwrap_or_default()).collect();
            let trimmed: Vec<&str> = cut.iter().map(|segment| segment.trim_end_matches(['.', ' ', '\0'])).collect();
            for segments in [plain, cut, trimmed] {
                all.push(resolved(&segments));
            }
        }
    }
    all
}

fn resolved(segments: &[&str]) -> String {
    let mut out: Vec<&str> = Vec::new();
    for segment in segments {
        match *segment {
            "" | "." => {}
            ".." => drop(out.pop()),
            other => out.push(other),
        }
    }
    out.join("/").to_lowercase()
}

/// Whether a case-insensitive server would serve the closed part of the API for this path.
fn is_secret(reading: &str) -> bool {
    let segments: Vec<&str> = reading.split('/').collect();
    segments.first() == Some(&"secret") && (segments.len() <= 2 || segments.get(2) == Some(&"keys"))
}

fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
