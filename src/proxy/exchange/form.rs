//! Forms: bodies in which some frameworks look for a method override.

mod keys;
mod reading;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::request::query;

use keys::JsonKeyScanner;

/// The most bytes of a url-encoded form that are read before the decision; Pingora keeps no more for the upstream.
pub(super) const LONGEST: usize = 64 << 10;

/// FormKind: how a body spells its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormKind {
    /// `application/x-www-form-urlencoded`: read whole.
    UrlEncoded,
    /// `multipart/…`: scanned as it streams.
    Multipart,
    /// No media type: Rack takes such a POST for url-encoded. Scanned as it streams, because it may be long.
    Untyped,
}

/// UnreadableForm: a form in which the upstream may see what the gateway cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnreadableForm;

/// The kind of form that a request's body is; `None` for other bodies.
///
/// # Errors
/// A form that is also something else by a second media type, that is compressed, or whose charset does not spell
/// ASCII as ASCII.
pub(super) fn kind(headers: &HeaderMap) -> Result<Option<FormKind>, UnreadableForm> {
    let types: Vec<&[u8]> = headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::as_bytes).collect();
    let untyped = types.iter().all(|media_type| media_type.trim_ascii().is_empty());
    let found = types.iter().find_map(|media_type| kind_of(media_type)).or(untyped.then_some(FormKind::Untyped));
    let Some(found) = found else { return Ok(None) };
    let coded =
        headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if types.len() > 1 || coded || !types.into_iter().flat_map(charset).all(spells_ascii) {
        return Err(UnreadableForm);
    }
    Ok(Some(found))
}

/// PHP ends the media type at a blank too, Java's servers take every `multipart/…` for a form, and Formidable whatever has
/// the word anywhere in the field; so do servers that join two fields with a comma and read the last.
fn kind_of(media_type: &[u8]) -> Option<FormKind> {
    let media_type = media_type.trim_ascii();
    let essence = media_type.split(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).next().unwrap_or_default();
    match essence {
        _ if says(essence, b"urlencoded") => Some(FormKind::UrlEncoded),
        _ if says(essence, b"multipart") => Some(FormKind::Multipart),
        _ if says(media_type, b"urlencoded") => Some(FormKind::UrlEncoded),
        _ if says(media_type, b"multipart") => Some(FormKind::Multipart),
        _ => None,
    }
}

fn says(essence: &[u8], word: &[u8]) -> bool {
    essence.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// The values of `charset` (RFC 9110, section 8.3.2), and of `charset*` (RFC 8187), which spells no known one.
fn charset(media_type: &[u8]) -> impl Iterator<Item = &[u8]> {
    media_type.split(|&byte| byte == b';' || byte == b',').filter_map(|parameter| {
        let parameter = parameter.trim_ascii();
        let (name, value) = parameter.split_at_checked(parameter.iter().position(|&byte| byte == b'=')?)?;
        let name = name.trim_ascii();
        let plain = name.iter().position(|&byte| byte == b'*').and_then(|star| name.get(..star)).unwrap_or(name);
        plain
            .trim_ascii()
            .eq_ignore_ascii_case(b"charset")
            .then(|| value.strip_prefix(b"=").unwrap_or(value).trim_ascii())
    })
}

fn spells_ascii(charset: &[u8]) -> bool {
    let plain = charset.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(charset);
    [&b"utf-8"[..], b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"]
        .iter()
        .any(|known| plain.eq_ignore_ascii_case(known))
}

/// Whether a body says that it is JSON, as Laravel sees it: anywhere in its media type.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(|media_type| says(media_type.as_bytes(), b"json"))
}

/// OverrideScanner: looks for a field that is named like a method override, across chunks.
#[derive(Debug)]
pub(super) enum OverrideScanner {
    /// The parts of a multipart form. It looks for their `name=` alone, not at the boundaries: a file that holds such
    /// a form is taken for one, which is the safe side.
    Parts(PartScanner),
    /// The fields of a body that may be url-encoded.
    Fields(FieldScanner),
    /// The keys of a JSON text.
    Keys(JsonKeyScanner),
}

impl OverrideScanner {
    /// A scan of the parts of a multipart form: `name="_method"`, `name=_method`, and any `name*=`.
    pub(super) fn of_parts() -> Self {
        Self::Parts(PartScanner::default())
    }

    /// A scan of a body that may be url-encoded: `_method=…` at its beginning or behind a separator.
    pub(super) fn of_fields() -> Self {
        Self::Fields(FieldScanner::default())
    }

    /// A scan of JSON: `"_method":`, at any depth and with any letter escaped.
    pub(super) fn of_keys() -> Self {
        Self::Keys(JsonKeyScanner::default())
    }

    /// Whether the body, up to and with this chunk, has shown such a field.
    pub(super) fn finds_override(&mut self, chunk: &[u8]) -> bool {
        match self {
            Self::Parts(parts) => parts.finds_override(chunk),
            Self::Fields(fields) => chunk.iter().any(|&byte| fields.ends_override(byte)),
            Self::Keys(keys) => chunk.iter().any(|&byte| keys.ends_override(byte)),
        }
    }
}

/// The longest name that is looked at, encoded: the longest override takes a third of it.
const NAME: usize = 256;

/// What frameworks overlook before a name, encoded.
const OVERLOOKED: [&[u8]; 3] = [b"%20", b"%5b", b"%5d"];

/// FieldScanner: the name of the field that is being read.
#[derive(Debug, Default)]
pub(super) struct FieldScanner {
    name: Vec<u8>,
    in_value: bool,
}

impl FieldScanner {
    /// Takes a byte; whether a name has ended with it that is an override.
    fn ends_override(&mut self, byte: u8) -> bool {
        match byte {
            b'&' | b';' => {
                self.in_value = false;
                self.name.clear();
                false
            }
            _ if self.in_value => false,
            b'=' => {
                self.in_value = true;
                spells_utf16(&self.name) || is_override(&self.name)
            }
            // What frameworks overlook before a name must not push it out of sight.
            b'[' | b']' | b' ' | b'+' if self.name.is_empty() => false,
            _ => {
                if self.name.len() < NAME {
                    self.name.push(byte);
                }
                if OVERLOOKED.iter().any(|overlooked| self.name.eq_ignore_ascii_case(overlooked)) {
                    self.name.clear();
                }
                false
            }
        }
    }
}

/// Whether a name holds `%u0041` or its like, which System.Web decodes.
fn spells_utf16(name: &[u8]) -> bool {
    name.windows(6).any(|window| match window {
        [b'%', b'u' | b'U', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    })
}

/// PartScanner: the end of what has passed, from where a name may have begun that has not ended.
#[derive(Debug, Default)]
pub(super) struct PartScanner {
    tail: Vec<u8>,
    block: PartHeaderBlock,
}

impl PartScanner {
    fn finds_override(&mut self, chunk: &[u8]) -> bool {
        if chunk.iter().any(|&byte| self.block.is_broken_by(byte)) {
            return true;
        }
        self.tail.extend_from_slice(chunk);
        let mut keep = self.tail.len().saturating_sub(KEY.len() - 1);
        for (at, window) in self.tail.windows(KEY.len()).enumerate() {
            if !window.eq_ignore_ascii_case(KEY) {
                continue;
            }
            match NameParameter::behind(self.tail.get(at + KEY.len()..).unwrap_or_default()) {
                NameParameter::Name(name) if is_override(name) => return true,
                // `filename*` is another parameter, and allowed.
                NameParameter::Extended if !is_end_of_a_word(&self.tail, at) => return true,
                NameParameter::Open => keep = keep.min(at),
                NameParameter::Name(_) | NameParameter::Extended | NameParameter::Other => {}
            }
        }
        self.tail.drain(..keep);
        // Nobody writes that many blanks: they would push a name out of sight.
        self.tail.len() > LINE
    }
}

/// PartHeaderBlock: the header lines of a part, from its `Content-Disposition` to the empty line.
///
/// PHP glues a line that is no field onto the line before it, so that a name from two lines is one to it alone.
#[derive(Debug, Default)]
struct PartHeaderBlock {
    open: bool,
    /// How many bytes of the line have passed.
    length: usize,
    first: u8,
    has_colon: bool,
    /// How many letters of [`DISPOSITION`] the line's end shows.
    shown: usize,
}

/// The field that names a part.
const DISPOSITION: &[u8] = b"content-disposition:";

/// From this length on a reader may take the rest of a line for one of its own: PHP does at 5 KiB.
const LONG: usize = 1 << 10;

impl PartHeaderBlock {
    /// Takes a byte; whether a line has shown that is no field, no end, and does not continue the line before it.
    fn is_broken_by(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            let empty = self.length == 0 || (self.length == 1 && self.first == b'\r');
            let fine = empty || self.has_colon || matches!(self.first, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
            let broken = self.open && !fine;
            *self = Self { open: self.open && !empty, ..Self::default() };
            return broken;
        }
        if self.length == 0 {
            self.first = byte;
        }
        self.length = self.length.saturating_add(1);
        self.has_colon |= byte == b':' && self.length < LONG;
        self.shown = match DISPOSITION.get(self.shown) {
            Some(next) if byte.eq_ignore_ascii_case(next) => self.shown + 1,
            // No other letter of it is a `c`.
            _ => usize::from(byte.eq_ignore_ascii_case(&b'c')),
        };
        if self.shown == DISPOSITION.len() && (self.length == self.shown || self.length > LONG) {
            self.open = true;
            self.has_colon = true;
        }
        // A line ends at NUL for whoever reads it in C.
        self.open && byte == 0
    }
}

/// The parameter of a part that names its field.
const KEY: &[u8] = b"name";

/// The longest that such a parameter may take to end.
const LINE: usize = 2 << 10;

/// NameParameter: what stands behind the word `name`.
enum NameParameter<'a> {
    /// The name of a field, cut where it is longer than any override.
    Name(&'a [u8]),
    /// The first piece of a name that is continued in another parameter (RFC 2231, section 3), or a name in a charset of
    /// its own (RFC 8187), which no form may hold (RFC 7578, section 4.2) and some readers take.
    Extended,
    /// What has passed does not tell yet.
    Open,
    /// Something else.
    Other,
}

impl<'a> NameParameter<'a> {
    fn behind(rest: &'a [u8]) -> Self {
        let rest_length = rest.len();
        let starred = rest.strip_prefix(b"*").unwrap_or(rest);
        let digits = starred.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let continued = starred.len() < rest_length && digits > 0;
        let rest = if continued { starred.get(digits..).unwrap_or_default() } else { starred };
        let rest = rest.strip_prefix(b"*").filter(|_| continued).unwrap_or(rest).trim_ascii_start();
        let rest = match rest.split_first() {
            Some((b'=', rest)) => rest.trim_ascii_start(),
            Some(_) => return Self::Other,
            None => return Self::Open,
        };
        if continued {
            return Self::Extended;
        }
        if starred.len() < rest_length {
            let line = rest.iter().take(NAME).take_while(|byte| !matches!(byte, b'\r' | b'\n'));
            if line.filter(|byte| **byte == b'\'').count() > 1 {
                return Self::Extended;
            }
        }
        let (rest, quote) = match rest.split_first() {
            Some((&quote @ (b'"' | b'\''), rest)) => (rest, Some(quote)),
            Some(_) => (rest, None),
            None => return Self::Open,
        };
        // PHP joins a quoted name from two lines.
        let begin = rest.iter().position(|byte| match byte {
            b'\r' | b'\n' => quote.is_none(),
            other => !matches!(other, b' ' | b'\t' | b'+' | b'[' | b']'),
        });
        let Some(rest) = begin.and_then(|begin| rest.get(begin..)) else { return Self::Open };
        let mut escaped = false;
        let end = rest.iter().take(NAME).position(|&byte| {
            let ends = match (byte, quote) {
                // Where the quote is missing, PHP takes the rest of the line.
                (b'\r' | b'\n', _) => true,
                (_, Some(quote)) => byte == quote && !escaped,
                (_, None) => matches!(byte, b';' | b' ' | b'\t'),
            };
            escaped = byte == b'\\' && !escaped;
            ends
        });
        match end {
            Some(end) => Self::Name(rest.get(..end).unwrap_or_default()),
            None if rest.len() < NAME => Self::Open,
            None => Self::Name(rest.get(..NAME).unwrap_or_default()),
        }
    }
}

/// Whether what begins at `at` ends a longer word: `filename`.
fn is_end_of_a_word(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether a field's name, as it is written, asks some framework to take its value for the method.
fn is_override(written: &[u8]) -> bool {
    let plain: Vec<u8> = written.iter().copied().filter(|byte| *byte != b'\\').collect();
    let plain = String::from_utf8_lossy(&plain);
    // Java's readers decode encoded words (RFC 2047), which no client writes here.
    if plain.contains("=?") {
        return true;
    }
    // RFC 5987: what stands before two quotes is charset and language.
    let plain = plain.rsplit_once("''").map_or(&*plain, |(_, name)| name);
    let name = query::decode(plain);
    // What frameworks overlook before a name must not push it out of sight, however it is written.
    let hides = written.len() >= NAME && name.starts_with(|c: char| c.is_whitespace() || matches!(c, '[' | ']'));
    hides || query::is_method_override(&name)
}

#[cfg(test)]
mod tests;
