//! CanonicalPath: the only path canonicalisation in the program.

use std::borrow::Cow;

use super::{Dialect, RejectedRequest};

/// CanonicalPath: a path in its one spelling.
///
/// Every character is decoded once; what may stand in a path as it is (RFC 3986, `pchar`) does, all else is
/// percent-encoded with capital digits. The one exception is `;`, which keeps the spelling it came in with under
/// dialects that let it pass. Reading it again gives the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    text: Cow<'a, str>,
    encoded_slash: bool,
}

impl<'a> CanonicalPath<'a> {
    /// Reads a path as received, up to and without `?`.
    ///
    /// # Errors
    /// Every spelling that servers disagree about.
    pub fn read(raw: &'a [u8], dialect: Dialect) -> Result<Self, RejectedRequest> {
        if raw.first() != Some(&b'/') {
            return Err(RejectedRequest::TargetForm);
        }
        let (decoded, encoded_slash) = decode(raw)?;
        check_text(&decoded, dialect)?;
        let mut path = match decoded {
            Decoded::AsReceived(text) => Self { text: Cow::Borrowed(text), encoded_slash },
            Decoded::Changed { characters, .. } => Self { text: Cow::Owned(encode(&characters)), encoded_slash },
        };
        if dialect.drops_trailing_slash() && path.text.len() > 1 && path.text.ends_with('/') {
            path.text = match path.text {
                Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('/').unwrap_or(text)),
                Cow::Owned(mut text) => {
                    text.pop();
                    Cow::Owned(text)
                }
            };
        }
        Ok(path)
    }

    /// The path, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an encoded `/` stands somewhere in it: only a route that allows one may match.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }
}

/// The value that a canonical segment spells; borrowed where nothing is encoded.
pub fn decode_segment(canonical: &str) -> Cow<'_, str> {
    if !canonical.contains('%') {
        return Cow::Borrowed(canonical);
    }
    let mut bytes = Vec::with_capacity(canonical.len());
    let mut rest = canonical.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'%').then(|| (rest.next().and_then(hex), rest.next().and_then(hex)));
        bytes.push(match digits {
            Some((Some(high), Some(low))) => high << 4 | low,
            _ => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The canonical spelling of a literal segment or value.
pub fn encode_segment(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        encode_character(character, &mut out);
    }
    out
}

/// A decoded path: untouched, or its characters with a mark on slashes that were encoded.
enum Decoded<'a> {
    AsReceived(&'a str),
    Changed { characters: Vec<(char, bool)>, text: String },
}

impl Decoded<'_> {
    fn text(&self) -> &str {
        match self {
            Self::AsReceived(text) => text,
            Self::Changed { text, .. } => text,
        }
    }
}

fn decode(raw: &[u8]) -> Result<(Decoded<'_>, bool), RejectedRequest> {
    if raw.iter().all(|&byte| byte != b'%' && stands_as_it_is(byte)) {
        let text = std::str::from_utf8(raw).map_err(|_| RejectedRequest::NotUtf8)?;
        return Ok((Decoded::AsReceived(text), false));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut encoded = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            encoded.push(false);
            continue;
        }
        let (Some(high), Some(low)) = (rest.next().and_then(hex), rest.next().and_then(hex)) else {
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
    let again = text.match_indices('%').any(|(at, _)| {
        let mut digits = text.bytes().skip(at + 1);
        digits.next().and_then(hex).is_some() && digits.next().and_then(hex).is_some()
    });
    if again {
        return Err(RejectedRequest::DoubleEncoding);
    }
    let characters: Vec<(char, bool)> =
        text.char_indices().map(|(at, c)| (c, encoded.get(at).copied().unwrap_or(true))).collect();
    let encoded_slash = characters.contains(&('/', true));
    Ok((Decoded::Changed { characters, text }, encoded_slash))
}

/// Refuses what servers disagree about in a decoded path. An encoded slash counts as one here, so that nothing
/// hides behind it.
fn check_text(decoded: &Decoded<'_>, dialect: Dialect) -> Result<(), RejectedRequest> {
    let text = decoded.text();
    if text.chars().any(|c| c.is_control() || matches!(c, '#' | '?' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return Err(RejectedRequest::Control);
    }
    if text.contains('\\') {
        return Err(RejectedRequest::Backslash);
    }
    if let Decoded::Changed { characters, .. } = decoded
        && characters.contains(&(' ', false))
    {
        return Err(RejectedRequest::Control);
    }
    if dialect.refuses_cuts() && text.contains(';') {
        return Err(RejectedRequest::PathParameter);
    }
    if (dialect.folds_case() || dialect.refuses_cuts()) && text.chars().any(folds_into_ascii) {
        return Err(RejectedRequest::FoldsIntoAscii);
    }
    let inner = text.strip_prefix('/').unwrap_or(text);
    let last = inner.split('/').count() - 1;
    for (at, segment) in inner.split('/').enumerate() {
        match segment {
            "" if at != last => return Err(RejectedRequest::EmptySegment),
            "." | ".." => return Err(RejectedRequest::DotSegment),
            // `..;x` is `..` to servers that cut path parameters first.
            _ if matches!(segment.split(';').next(), Some("." | "..")) => return Err(RejectedRequest::DotSegment),
            _ if dialect.refuses_cuts() && segment.ends_with(['.', ' ']) => return Err(RejectedRequest::TrailingDot),
            _ => {}
        }
    }
    Ok(())
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
        if stands_as_it_is(byte) && byte != b'/' {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
}

/// RFC 3986, section 3.3: `pchar` and the slash.
fn stands_as_it_is(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

/// Whether a comparison without case takes a character beyond ASCII for an ASCII letter: `ſ`, `K`, `ı`, `İ`.
fn folds_into_ascii(character: char) -> bool {
    let single = |mut folded: std::char::ToUppercase| match (folded.next(), folded.next()) {
        (Some(one), None) => one.is_ascii(),
        _ => false,
    };
    !character.is_ascii()
        && (single(character.to_uppercase()) || character.to_lowercase().next().is_some_and(|c| c.is_ascii()))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
