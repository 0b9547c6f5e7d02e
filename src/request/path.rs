//! CanonicalPath: the only path canonicalisation of the program.

use std::borrow::Cow;

use super::dialect::{Dialect, DialectTraits, Treatment};
use super::rejected::RejectedRequest;

/// CanonicalPath: a path in its canonical spelling.
///
/// Every character is decoded once. Characters that a path may contain literally (RFC 3986, `pchar`) are literal; all
/// others are percent-encoded with upper-case digits. Only `;` keeps its received spelling, under dialects that accept
/// it. Reading the result again gives the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    text: Cow<'a, str>,
    encoded_slash: bool,
    plain: bool,
}

impl<'a> CanonicalPath<'a> {
    /// Reads a path as received, without the query, as servers of `dialect` do.
    ///
    /// # Errors
    /// Servers disagree about the spelling, or the dialect gives it a meaning that no policy can express.
    pub fn read(raw: &'a [u8], dialect: Dialect) -> Result<Self, RejectedRequest> {
        let traits = dialect.traits();
        let decoded = DecodedPath::decode(raw)?;
        if !decoded.is_plain() {
            check_dialect(&decoded, traits)?;
        }
        let mut path = Self::from(decoded);
        if traits.trailing_slash == Treatment::Folded && path.text.len() > 1 && path.text.ends_with('/') {
            path.text = match path.text {
                Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('/').unwrap_or(text)),
                Cow::Owned(mut text) => {
                    text.pop();
                    Cow::Owned(text)
                }
            };
            path.plain = is_plain(path.text.as_bytes());
        }
        Ok(path)
    }

    /// Reads a path whose upstream is not selected yet.
    ///
    /// # Errors
    /// Every dialect refuses the path.
    pub fn read_any_dialect(raw: &'a [u8]) -> Result<Self, RejectedRequest> {
        DecodedPath::decode(raw).map(Self::from)
    }

    /// The path, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it contains an encoded `/`: only a route that allows one may match.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    /// Whether, except for case, every server reads the same path: no dot, no `:`, no encoding, no trailing slash.
    pub fn is_plain(&self) -> bool {
        self.plain
    }
}

impl<'a> From<DecodedPath<'a>> for CanonicalPath<'a> {
    fn from(decoded: DecodedPath<'a>) -> Self {
        let encoded_slash = decoded.has_encoded_slash();
        match decoded {
            DecodedPath::AsReceived { text, plain } => {
                Self { text: Cow::Borrowed(text), encoded_slash, plain: plain && !text.ends_with('/') }
            }
            DecodedPath::Changed { characters, .. } => {
                let text = encode(&characters);
                Self { encoded_slash, plain: is_plain(text.as_bytes()), text: Cow::Owned(text) }
            }
        }
    }
}

/// Decodes a canonical segment; borrowed if nothing is encoded.
pub fn decode_segment(canonical: &str) -> Cow<'_, str> {
    if !canonical.contains('%') {
        return Cow::Borrowed(canonical);
    }
    let mut bytes = Vec::with_capacity(canonical.len());
    let mut rest = canonical.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'%').then(|| (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit)));
        bytes.push(match digits {
            Some((Some(high), Some(low))) => high << 4 | low,
            _ => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Encodes a literal segment or value canonically.
pub fn encode_segment(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        encode_character(character, &mut out);
    }
    out
}

/// DecodedPath: a path that no common rule refuses: unchanged, or as characters with a flag for those that were
/// encoded.
enum DecodedPath<'a> {
    AsReceived { text: &'a str, plain: bool },
    Changed { characters: Vec<(char, bool)>, text: String },
}

impl<'a> DecodedPath<'a> {
    fn decode(raw: &'a [u8]) -> Result<Self, RejectedRequest> {
        if raw.first() != Some(&b'/') {
            return Err(RejectedRequest::TargetForm);
        }
        let classes = raw.iter().fold(0, |classes, &byte| classes | byte_class(byte));
        if classes & ENCODED != 0 {
            let decoded = decode(raw)?;
            check_all_dialects(&decoded)?;
            return Ok(decoded);
        }
        let text = std::str::from_utf8(raw).map_err(|_| RejectedRequest::NotUtf8)?;
        let decoded = Self::AsReceived { text, plain: classes & AMBIGUOUS == 0 };
        if classes & AMBIGUOUS != 0 {
            check_all_dialects(&decoded)?;
        } else if raw.windows(2).any(|two| two == b"//") {
            return Err(RejectedRequest::EmptySegment);
        }
        Ok(decoded)
    }

    fn text(&self) -> &str {
        match self {
            Self::AsReceived { text, .. } => text,
            Self::Changed { text, .. } => text,
        }
    }

    /// Whether no dialect gives any character a meaning, except for a trailing slash.
    fn is_plain(&self) -> bool {
        matches!(self, Self::AsReceived { plain: true, .. })
    }

    fn has_encoded_slash(&self) -> bool {
        matches!(self, Self::Changed { characters, .. } if characters.contains(&('/', true)))
    }
}

/// The class of literal bytes that have a meaning to some server.
const AMBIGUOUS: u8 = 1;
/// The class of bytes that are encoded, or must be (RFC 3986, section 3.3).
const ENCODED: u8 = 2;

fn byte_class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' => 0,
        b'!' | b'$' | b'&' | b'\'' | b')' | b'*' | b'+' | b',' | b'=' | b'@' => 0,
        b'.' | b';' | b':' | b'~' | b'(' => AMBIGUOUS,
        _ => ENCODED,
    }
}

fn is_plain(canonical: &[u8]) -> bool {
    !canonical.ends_with(b"/") && canonical.iter().fold(0, |classes, &byte| classes | byte_class(byte)) == 0
}

fn decode(raw: &[u8]) -> Result<DecodedPath<'_>, RejectedRequest> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut encoded = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            encoded.push(false);
            continue;
        }
        let (Some(high), Some(low)) = (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit)) else {
            return Err(RejectedRequest::PercentEncoding);
        };
        let byte = high << 4 | low;
        match byte {
            b'.' => return Err(RejectedRequest::DotSegment),
            b'\\' => return Err(RejectedRequest::Backslash),
            _ => {}
        }
        bytes.push(byte);
        encoded.push(true);
    }
    let text = String::from_utf8(bytes).map_err(|_| RejectedRequest::NotUtf8)?;
    let again = text.split('%').skip(1).any(|rest| {
        let begins_with = |rest: &str, digits: usize| {
            rest.as_bytes().get(..digits).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        // IIS and System.Web also decode `%u0041`.
        begins_with(rest, 2) || rest.strip_prefix(['u', 'U']).is_some_and(|rest| begins_with(rest, 4))
    });
    if again {
        return Err(RejectedRequest::DoubleEncoding);
    }
    let characters: Vec<(char, bool)> =
        text.char_indices().map(|(at, c)| (c, encoded.get(at).copied().unwrap_or(true))).collect();
    Ok(DecodedPath::Changed { characters, text })
}

/// Refuses a decoded path about which servers disagree. An encoded slash counts as a slash, so that it cannot hide a dot
/// segment.
fn check_all_dialects(decoded: &DecodedPath<'_>) -> Result<(), RejectedRequest> {
    let text = decoded.text();
    if text.chars().any(|c| c.is_control() || matches!(c, '#' | '?' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return Err(RejectedRequest::Control);
    }
    if text.contains('\\') {
        return Err(RejectedRequest::Backslash);
    }
    if let DecodedPath::Changed { characters, .. } = decoded
        && characters.contains(&(' ', false))
    {
        return Err(RejectedRequest::Control);
    }
    let inner = text.strip_prefix('/').unwrap_or(text);
    let last = inner.split('/').count() - 1;
    for (at, segment) in inner.split('/').enumerate() {
        match segment {
            "" if at != last => return Err(RejectedRequest::EmptySegment),
            // `..;x` is `..` to servers that strip path parameters first.
            _ if matches!(segment.split(';').next(), Some("." | "..")) => return Err(RejectedRequest::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a path to which servers of a dialect give a meaning that no policy can express.
fn check_dialect(decoded: &DecodedPath<'_>, traits: &DialectTraits) -> Result<(), RejectedRequest> {
    let text = decoded.text();
    if traits.path_parameters == Treatment::Refused && text.contains(';') {
        return Err(RejectedRequest::PathParameter);
    }
    if traits.case != Treatment::Exact && text.chars().any(folds_into_ascii) {
        return Err(RejectedRequest::FoldsIntoAscii);
    }
    for segment in text.split('/') {
        if traits.trailing_dots == Treatment::Refused && segment.ends_with(['.', ' ']) {
            return Err(RejectedRequest::TrailingDot);
        }
        if traits.windows_names == Treatment::Refused && is_windows_name(segment) {
            return Err(RejectedRequest::WindowsName);
        }
    }
    Ok(())
}

/// Whether Windows, or IIS before it calls Windows, resolves a name to another one.
fn is_windows_name(segment: &str) -> bool {
    // The part before a stream is a name of its own, whose trailing spaces and dots Windows ignores.
    let name = segment.split(':').next().unwrap_or(segment).trim_end_matches(['.', ' ']);
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    let dots = name.is_empty() && !segment.is_empty() && !segment.starts_with(':');
    // `SECRET~1.TXT`: six letters and a number, or fewer letters if the number is long.
    let short = stem.len() <= 8
        && stem.rsplit_once('~').is_some_and(|(name, number)| {
            !name.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
    short || dots || is_session_ticket(segment) || segment.contains(":$") || segment.chars().any(best_fits_ascii)
}

/// Whether ASP.NET reads a segment, or a part of it, as a cookieless session ticket: `(S(…))`.
pub fn is_session_ticket(segment: &str) -> bool {
    let mut threes = segment.as_bytes().windows(3);
    threes.any(|three| matches!(three, [b'(', letter, b'('] if letter.is_ascii_alphabetic()))
}

/// Whether a server may run a file of that name, with the rest of the path as its argument.
pub fn is_script_name(segment: &str) -> bool {
    let ending = segment.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| SCRIPT_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// The extensions of scripts, compared case-insensitively.
const SCRIPT_EXTENSIONS: [&str; 16] = [
    "php", "php3", "php4", "php5", "php7", "php8", "phtml", "phar", "cgi", "fcgi", "pl", "asp", "aspx", "ashx", "asmx",
    "svc",
];

/// Whether a Windows code page maps a character to a similar ASCII character: `／` to `/`, `ｓ` to `s`, `¥` to `\`.
fn best_fits_ascii(character: char) -> bool {
    matches!(
        character,
        '\u{ff01}'
            ..='\u{ff5e}'
                | '\u{2024}'
                | '\u{2044}'
                | '\u{2215}'
                | '\u{2216}'
                | '\u{2236}'
                | '\u{29f5}'
                | '\u{20e5}'
                | '\u{2329}'
                | '\u{232a}'
                | '\u{3008}'
                | '\u{3009}'
                | '\u{a5}'
                | '\u{20a9}'
    )
}

fn encode(characters: &[(char, bool)]) -> String {
    let mut out = String::with_capacity(characters.len());
    for &(character, encoded) in characters {
        match character {
            '/' if encoded => out.push_str("%2F"),
            '/' => out.push('/'),
            ';' if encoded => out.push_str("%3B"),
            _ => encode_character(character, &mut out),
        }
    }
    out
}

fn encode_character(character: char, out: &mut String) {
    let mut buffer = [0; 4];
    for &byte in character.encode_utf8(&mut buffer).as_bytes() {
        if byte_class(byte) & ENCODED == 0 && byte != b'/' {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
}

/// Whether case folding maps a non-ASCII character to an ASCII letter: `ſ`, `K`, `ı`, `İ`.
fn folds_into_ascii(character: char) -> bool {
    let single = |mut folded: std::char::ToUppercase| match (folded.next(), folded.next()) {
        (Some(one), None) => one.is_ascii(),
        _ => false,
    };
    !character.is_ascii()
        && (single(character.to_uppercase()) || character.to_lowercase().next().is_some_and(|c| c.is_ascii()))
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
