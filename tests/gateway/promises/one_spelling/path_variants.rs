//! Spellings of a path: the variants that an attacker sends, and the interpretations of lenient servers.

use std::collections::BTreeSet;

/// Encodings that some server reads as `..`.
const DOTS: [&str; 12] = [
    "..",
    "%2e%2e",
    ".%2E",
    "%2e.",
    "%252e%252e",
    "..;",
    "..;a=b",
    "%2e%2e;",
    "..%00",
    "%c0%ae%c0%ae",
    "..%20",
    "%u002e%u002e",
];

/// Encodings that some server reads as a slash.
const SLASHES: [&str; 12] = ["/", "//", "%2f", "%2F", "\\", "%5c", "%252f", "%c0%af", "/./", "/%2e/", "/;/", "%u2215"];

/// Suffixes that some server cuts off a path.
const SUFFIXES: [&str; 29] = [
    "", "/", "//", "/.", "/./", ";", ";x", ";x=1/", "%3b", ".", "..", "%2e", ".json", ".aspx", "%20", "%09", "%00",
    "%00.json", "%0a", "%0d%0a", "%23", "%3f", "#x", "%3Fa=b", "::$DATA", "~", "*", "%ff", "/%",
];

/// Letters with the characters that some server folds, confuses with, or truncates to them.
const LOOKALIKES: [(char, &[&str]); 6] = [
    ('s', &["\u{17f}", "%C5%BF", "\u{ff53}", "%EF%BD%93"]),
    ('S', &["\u{17f}", "%C5%BF"]),
    ('i', &["\u{131}", "%C4%B1", "\u{130}", "%C4%B0"]),
    ('k', &["\u{212a}", "%E2%84%AA"]),
    ('e', &["\u{115}", "%C4%A5", "e\u{301}", "\u{e9}"]),
    ('/', &["\u{2215}", "\u{ff0f}", "%E2%88%95", "%EF%BC%8F"]),
];
/// Spellings of one path.
pub(super) fn spellings_of(path: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (at, letter) in path.char_indices().skip(1) {
        let (before, after) = (&path[..at], &path[at + 1..]);
        let code = u32::from(letter);
        for spelled in [
            format!("%{code:02x}"),
            format!("%{code:02X}"),
            format!("%25{code:02x}"),
            format!("%2525{code:02x}"),
            format!("%c0%{:02x}", 0x80 | code),
            format!("%u{code:04x}"),
            letter.to_ascii_uppercase().to_string(),
            letter.to_ascii_lowercase().to_string(),
        ] {
            all.insert(format!("{before}{spelled}{after}"));
        }
        for (_, looks) in LOOKALIKES.iter().filter(|(known, _)| *known == letter) {
            all.extend(looks.iter().map(|look| format!("{before}{look}{after}")));
        }
        if letter == '/' {
            all.extend(SLASHES.iter().map(|slash| format!("{before}{slash}{after}")));
            all.extend(DOTS.iter().map(|dots| format!("{before}/x/{dots}/{after}")));
            all.extend(SLASHES.iter().map(|slash| format!("{before}{slash}x{slash}..{slash}{after}")));
            all.extend([";", ";x", "%3b", ".", "%20"].iter().map(|cut| format!("{before}{cut}/{after}")));
        }
    }
    let cases = [path.to_owned(), path.to_uppercase(), path.to_lowercase(), flip_case(path)];
    for case in &cases {
        all.extend(SUFFIXES.iter().map(|suffix| format!("{case}{suffix}")));
        all.extend(
            ["/", "/./", "//x/../", "\\", "/%2e/", "/;/", "/%2f"].iter().map(|front| format!("{front}{}", &case[1..])),
        );
        let every: String =
            case.bytes().map(|b| if b == b'/' { "/".to_owned() } else { format!("%{b:02x}") }).collect();
        all.insert(every);
    }
    all.insert(format!("http://noah.test{path}"));
    all.insert(format!("http://evil.test{path}"));
    all.insert(format!("//noah.test{path}"));
    all
}

/// Relative ways from one path up `levels` and down to another.
pub(super) fn detours(from: &str, to: &str, levels: usize) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for dots in DOTS {
        for slash in SLASHES {
            let up = format!("{slash}{dots}").repeat(levels);
            all.insert(format!("{from}{up}{slash}{to}"));
            all.insert(format!("{from}/x{up}{slash}{dots}{slash}{to}"));
            all.insert(format!("{from}{up}/{to}"));
        }
    }
    all
}

/// All lenient interpretations of a path: decoded up to three times, case-folded, with `\` as a slash, without empty
/// segments and dots, with or without the part after `;`, a dot or a NUL.
pub(super) fn lenient_interpretations(path: &str) -> BTreeSet<String> {
    let mut texts = vec![path.as_bytes().to_vec()];
    for _ in 0..3 {
        let decoded = decode(texts.last().unwrap());
        texts.push(decoded);
    }
    let mut all = BTreeSet::new();
    for text in &texts {
        let text = String::from_utf8_lossy(text);
        let text = text.split(['\0', '#', '?']).next().unwrap_or_default();
        for cut_parameters in [false, true] {
            for cut_suffix in [false, true] {
                let mut stack: Vec<String> = Vec::new();
                for segment in text.split(['/', '\\', '\u{2215}', '\u{ff0f}']) {
                    let mut segment = segment.to_owned();
                    if cut_parameters {
                        segment.truncate(segment.find(';').unwrap_or(segment.len()));
                    }
                    match segment.trim() {
                        "" | "." => continue,
                        ".." => {
                            stack.pop();
                            continue;
                        }
                        _ => {}
                    }
                    if cut_suffix {
                        segment = segment.trim_end_matches(['.', ' ', '\t', '~', '*']).to_owned();
                        segment.truncate(segment.find(['.', ':']).unwrap_or(segment.len()));
                    }
                    stack.push(fold(&segment));
                }
                all.insert(stack.join("/"));
            }
        }
    }
    all
}

fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8);
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn flip_case(text: &str) -> String {
    let flip = |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
    text.chars().map(flip).collect()
}

/// Whether a path is the collection at `at`, or below it.
pub(super) fn is_below(path: &str, at: &str) -> bool {
    path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && rest.len() > 1))
}

/// Whether every character has the one form that RFC 3986 prefers.
pub(super) fn is_canonical(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let encoded_twice = |byte: u8| plain(byte) && byte != b'/' && byte != b';';
    let bytes = path.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let Some(digits) = bytes.get(at + 1..at + 3) else { return false };
            let capital = digits.iter().all(|digit| digit.is_ascii_digit() || (b'A'..=b'F').contains(digit));
            let spelled = u8::from_str_radix(std::str::from_utf8(digits).unwrap_or("zz"), 16);
            if !capital || spelled.is_ok_and(encoded_twice) {
                return false;
            }
            at += 3;
        } else if plain(byte) {
            at += 1;
        } else {
            return false;
        }
    }
    !path.contains("//") && !path.split('/').any(|segment| segment == "." || segment == "..")
}
