//! Random path spellings as attackers write them, made of small changes; the same seed gives the same spellings.

use std::collections::BTreeSet;

/// SpellingGenerator: generates spellings from a seed and the paths of one application.
pub(in crate::real) struct SpellingGenerator {
    state: u64,
    secret: Vec<&'static str>,
    open: Vec<&'static str>,
}

type Change = fn(&mut SpellingGenerator, Vec<u8>) -> Vec<u8>;

/// Every change that can be made to a path, alone or after others.
const CHANGES: [Change; 13] = [
    SpellingGenerator::case,
    SpellingGenerator::encoded,
    SpellingGenerator::encoded,
    SpellingGenerator::encoded_twice,
    SpellingGenerator::overlong,
    SpellingGenerator::lookalike,
    SpellingGenerator::slash,
    SpellingGenerator::slash,
    SpellingGenerator::cut,
    SpellingGenerator::suffix,
    SpellingGenerator::prefix,
    SpellingGenerator::odd,
    SpellingGenerator::wrapped,
];

const SLASHES: [&str; 28] = [
    "//",
    "/./",
    "/%2e/",
    "///",
    "/x/../",
    "/x/%2e%2e/",
    "/x/%2E./",
    "/x/..;/",
    "/x/..;a=b/",
    "/;/",
    "/;x/",
    "/.;/",
    "\\",
    "%5c",
    "%2f",
    "%2F",
    "%252f",
    "/%2f",
    "/.//",
    "/x/..%2f",
    "/x%2f../",
    "/x/..\\",
    "/..\\",
    "%c0%af",
    "/%20/",
    "/%09/",
    "\u{2215}",
    "%ef%bc%8f",
];
const CUTS: [&str; 34] = [
    ";",
    ";x",
    ";a=b",
    ";jsessionid=1",
    "%3b",
    "%3Bx",
    ".",
    "..",
    "%2e",
    "...",
    "%20",
    " ",
    "\t",
    "%09",
    "%00",
    "%00x",
    "%0a",
    "%0d",
    "%0d%0a",
    "#",
    "%23",
    "#x",
    "?",
    "%3f",
    "?x",
    "~1",
    "::$DATA",
    ":$i30:$INDEX_ALLOCATION",
    "*",
    "+",
    "%ff",
    "%c2%a0",
    "%e2%80%8b",
    "%u0000",
];
const SUFFIXES: [&str; 38] = [
    "/",
    "//",
    "/.",
    "/./",
    "/..",
    "/x/..",
    "/%2e",
    ".json",
    ".php",
    ".html",
    ".txt",
    ".do",
    ".php/",
    ".php/secret",
    ".php/s1",
    "/index.php",
    "/.php",
    ";.json",
    ";.do",
    ";/x.do",
    "%00.json",
    "%00.php",
    "?",
    "?x=1",
    "?/",
    "#",
    "#/open",
    "~",
    "%2f",
    "%2f..",
    "/;",
    "/*",
    ".",
    "%20",
    "/..;/secret",
    "/%3b",
    "&x",
    "=1",
];
const PREFIXES: [&str; 42] = [
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "/../",
    "/%2e",
    "/%2e%2e",
    "/x/..",
    "/a/b/../..",
    "/a/b/c/d/e/../../../../..",
    "/open/..",
    "/open/o1/../..",
    "/open/%2e%2e",
    "/open/..;",
    "/open/o2/..;/..;",
    "/;",
    "/;x",
    "/.;",
    "/..;",
    "/index.php",
    "/index.php/x/..",
    "/index.php/open/..",
    "/INDEX.PHP",
    "/open.php/..",
    "/cgi-bin/app.pl",
    "/cgi-bin/app.pl/open/..",
    "/app.pl",
    "/site/app.pl",
    "/files..",
    "/files../",
    "/files/..",
    "/files%2f..",
    "/ROOT",
    "\\",
    "/%2f",
    "%2f",
    "/%5c",
    "/..%2f",
    "/%00",
    "/open;/..",
    "/files../..",
];
const UPS: [&str; 20] = [
    "..",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%2e.",
    "..;",
    "..;x",
    "..;a=b",
    ";/..",
    "%2e%2e;",
    "..%3b",
    "..%00",
    "..%20",
    ".. ",
    "%252e%252e",
    "..%09",
    "\u{2025}",
    "%c0%ae%c0%ae",
    "%u002e%u002e",
    "...",
];
const LOOKALIKES: [(char, &[&str]); 6] = [
    ('s', &["\u{17f}", "%c5%bf", "%ef%bd%93"]),
    ('k', &["\u{212a}", "%e2%84%aa"]),
    ('i', &["\u{131}", "\u{130}", "%c4%b1"]),
    ('.', &["\u{ff0e}", "%ef%bc%8e", "\u{3002}"]),
    ('/', &["\u{ff0f}", "\u{2044}", "%e2%88%95"]),
    ('e', &["%c3%a9", "%cc%81", "%ef%bd%85"]),
];
const ODD: &[u8] = b"\x00\x01\t\x0b\x0c\x1b \"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~\x7f\x80\xa0\xff/0aZ";

impl SpellingGenerator {
    /// The generator of `seed`, with the refused and the open paths.
    pub(in crate::real) fn of(seed: u64, secret: &[&'static str], open: &[&'static str]) -> Self {
        Self { state: seed, secret: secret.to_vec(), open: open.to_vec() }
    }

    /// `count` request targets in their order, without any that contains a line break: it would end the request line,
    /// which another promise covers.
    pub(in crate::real) fn targets(mut self, count: usize) -> Vec<Vec<u8>> {
        let mut targets = BTreeSet::new();
        while targets.len() < count {
            let target = self.target();
            if !target.contains(&b'\n') && !target.contains(&b'\r') {
                targets.insert(target);
            }
        }
        targets.into_iter().collect()
    }

    fn target(&mut self) -> Vec<u8> {
        let base = match self.below(8) {
            0 => self.open().as_bytes().to_vec(),
            1..=2 => self.mixed(),
            _ => self.secret().as_bytes().to_vec(),
        };
        let changes = [1, 1, 1, 2, 2, 3][self.below(6)];
        (0..changes).fold(base, |path, _| self.one(&CHANGES)(self, path))
    }

    /// From an open path up, and down to a refused one.
    fn mixed(&mut self) -> Vec<u8> {
        let (open, secret) = (self.open(), self.secret());
        let deep = open.matches('/').count();
        let levels = match self.below(4) {
            0 => deep + self.below(4),
            _ => deep,
        };
        let (slash, up) = (self.one(&["/", "/", "/", "%2f", "\\", "%5c", "//"]), self.one(&UPS));
        format!("{open}{}{slash}{}", format!("{slash}{up}").repeat(levels), &secret[1..]).into_bytes()
    }

    fn case(&mut self, path: Vec<u8>) -> Vec<u8> {
        match self.below(3) {
            0 => path.to_ascii_uppercase(),
            _ => self.with_byte(path, |_, byte| vec![byte ^ if byte.is_ascii_alphabetic() { 0x20 } else { 0 }]),
        }
    }

    fn encoded(&mut self, path: Vec<u8>) -> Vec<u8> {
        match self.below(4) {
            0 => path.iter().flat_map(|byte| if *byte == b'/' { vec![b'/'] } else { percent(*byte) }).collect(),
            1 => self.with_byte(path, |_, byte| percent(byte).to_ascii_lowercase()),
            _ => self.with_byte(path, |_, byte| percent(byte)),
        }
    }

    fn encoded_twice(&mut self, path: Vec<u8>) -> Vec<u8> {
        self.with_byte(path, |this, byte| {
            match this.below(3) {
                0 => format!("%2525{byte:02x}"),
                1 => format!("%u{byte:04x}"),
                _ => format!("%25{byte:02x}"),
            }
            .into_bytes()
        })
    }

    fn overlong(&mut self, path: Vec<u8>) -> Vec<u8> {
        self.with_byte(path, |this, byte| {
            let (first, last) = (0xc0 | byte >> 6, 0x80 | byte & 0x3f);
            match this.below(3) {
                0 => vec![first, last],
                1 => format!("%e0%{:02x}%{last:02x}", 0x80 | byte >> 6).into_bytes(),
                _ => format!("%{first:02x}%{last:02x}").into_bytes(),
            }
        })
    }

    fn lookalike(&mut self, path: Vec<u8>) -> Vec<u8> {
        self.with_byte(path, |this, byte| {
            let known = LOOKALIKES.iter().find(|(letter, _)| *letter == char::from(byte.to_ascii_lowercase()));
            match (known, this.below(2)) {
                (Some((_, looks)), 0) => this.one(looks).as_bytes().to_vec(),
                // The full-width forms of ASCII have the same order.
                _ => char::from_u32(0xfee0 + u32::from(byte)).unwrap_or('x').to_string().into_bytes(),
            }
        })
    }

    fn slash(&mut self, path: Vec<u8>) -> Vec<u8> {
        let places: Vec<usize> = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).collect();
        let Some(at) = (!places.is_empty()).then(|| self.one(&places)) else { return path };
        let slash = self.one(&SLASHES).as_bytes();
        [&path[..at], slash, &path[at + 1..]].concat()
    }

    fn cut(&mut self, path: Vec<u8>) -> Vec<u8> {
        let ends = (1..=path.len()).filter(|at| path.get(*at).is_none_or(|byte| *byte == b'/'));
        let at = self.one(&ends.collect::<Vec<_>>());
        let cut = self.one(&CUTS).as_bytes();
        [&path[..at], cut, &path[at..]].concat()
    }

    fn suffix(&mut self, path: Vec<u8>) -> Vec<u8> {
        [&path, self.one(&SUFFIXES).as_bytes()].concat()
    }

    fn prefix(&mut self, path: Vec<u8>) -> Vec<u8> {
        [self.one(&PREFIXES).as_bytes(), &path].concat()
    }

    fn odd(&mut self, path: Vec<u8>) -> Vec<u8> {
        let (at, byte) = (1 + self.below(path.len()), self.one(ODD));
        let written = if self.below(2) == 0 { percent(byte) } else { vec![byte] };
        [&path[..at.min(path.len())], &written, &path[at.min(path.len())..]].concat()
    }

    /// In absolute form, after an authority, or inside another target.
    fn wrapped(&mut self, path: Vec<u8>) -> Vec<u8> {
        let gateway = self.one(&[
            "http://site.test",
            "HTTP://site.test",
            "https://site.test",
            "http://site.test:80",
            "http://x@site.test",
            "http://site.test/open/..",
            "//site.test",
            "http:",
            "http:/",
            "http://other.test",
            "/open?",
            "/open#",
            "/open%3f/..",
            "/open/o2?/../..",
            "/open/o2%23/../..",
            "ftp://site.test",
            "*",
            "http://site.test/open/o2/..;/..",
        ]);
        [gateway.as_bytes(), &path].concat()
    }

    /// With one byte after the first slash written in another way.
    fn with_byte(&mut self, path: Vec<u8>, write: impl Fn(&mut Self, u8) -> Vec<u8>) -> Vec<u8> {
        if path.len() < 2 {
            return path;
        }
        let at = 1 + self.below(path.len() - 1);
        let written = write(self, path[at]);
        [&path[..at], &written, &path[at + 1..]].concat()
    }

    fn open(&mut self) -> &'static str {
        let at = self.below(self.open.len());
        self.open[at]
    }

    fn secret(&mut self) -> &'static str {
        let at = self.below(self.secret.len());
        self.secret[at]
    }

    /// A random element.
    pub(super) fn one<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    /// A random number below `end` (SplitMix64).
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % end as u64) as usize
    }
}

fn percent(byte: u8) -> Vec<u8> {
    format!("%{byte:02X}").into_bytes()
}
