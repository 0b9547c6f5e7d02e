//! Forms: bodies in which some frameworks look for a method override.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::request::query;

/// The most bytes of a url-encoded form that are read before the decision; Pingora keeps no more for the upstream.
pub(super) const LONGEST: usize = 64 << 10;

/// FormKind: how a body spells its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormKind {
    /// `application/x-www-form-urlencoded`: read whole.
    UrlEncoded,
    /// `multipart/form-data` or `multipart/mixed`: scanned as it streams.
    Multipart,
    /// No media type: Rack takes such a POST for url-encoded. Scanned as it streams, because it may be long.
    Untyped,
}

/// Unreadable: a form in which the upstream may see what the gateway cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The kind of form that a request's body is; `None` for other bodies.
///
/// # Errors
/// A form that is also something else by a second media type, that is compressed, or whose charset does not spell
/// ASCII as ASCII.
pub(super) fn kind(headers: &HeaderMap) -> Result<Option<FormKind>, Unreadable> {
    let types: Vec<&[u8]> = headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::as_bytes).collect();
    let untyped = types.iter().all(|media_type| media_type.trim_ascii().is_empty());
    let found = types.iter().find_map(|media_type| kind_of(media_type)).or(untyped.then_some(FormKind::Untyped));
    let Some(found) = found else { return Ok(None) };
    let coded =
        headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if types.len() > 1 || coded || !types.into_iter().flat_map(charset).all(spells_ascii) {
        return Err(Unreadable);
    }
    Ok(Some(found))
}

fn kind_of(media_type: &[u8]) -> Option<FormKind> {
    let essence = media_type.split(|&byte| byte == b';' || byte == b',').next().unwrap_or_default().trim_ascii();
    match essence {
        _ if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") => Some(FormKind::UrlEncoded),
        _ if essence.eq_ignore_ascii_case(b"multipart/form-data") => Some(FormKind::Multipart),
        _ if essence.eq_ignore_ascii_case(b"multipart/mixed") => Some(FormKind::Multipart),
        _ => None,
    }
}

/// The values of `charset` (RFC 9110, section 8.3.2).
fn charset(media_type: &[u8]) -> impl Iterator<Item = &[u8]> {
    media_type.split(|&byte| byte == b';' || byte == b',').filter_map(|parameter| {
        let parameter = parameter.trim_ascii();
        let (name, value) = parameter.split_at_checked(parameter.iter().position(|&byte| byte == b'=')?)?;
        name.trim_ascii()
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

/// Scan: looks for a field that is named like a method override, across chunks.
#[derive(Debug)]
pub(super) enum Scan {
    /// The parts of a multipart form. It looks for their `name=` alone, not at the boundaries: a file that holds such
    /// a form is taken for one, which is the safe side.
    Parts(Parts),
    /// The fields of a body that may be url-encoded.
    Fields(Fields),
}

impl Scan {
    /// A scan of the parts of a multipart form: `name="_method"`, `name=_method`, and any `name*=`.
    pub(super) fn of_parts() -> Self {
        Self::Parts(Parts::default())
    }

    /// A scan of a body that may be url-encoded: `_method=…` at its beginning or behind a separator.
    pub(super) fn of_fields() -> Self {
        Self::Fields(Fields::default())
    }

    /// Whether the body, up to and with this chunk, has shown such a field.
    pub(super) fn finds_override(&mut self, chunk: &[u8]) -> bool {
        match self {
            Self::Parts(parts) => parts.finds_override(chunk),
            Self::Fields(fields) => chunk.iter().any(|&byte| fields.ends_override(byte)),
        }
    }
}

/// The longest name that is looked at, encoded: the longest override takes a third of it.
const NAME: usize = 256;

/// Fields: the name of the field that is being read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    name: Vec<u8>,
    in_value: bool,
}

impl Fields {
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
                is_override(&self.name)
            }
            // What frameworks overlook before a name must not push it out of sight.
            b'[' | b']' | b' ' | b'+' if self.name.is_empty() => false,
            _ => {
                if self.name.len() < NAME {
                    self.name.push(byte);
                }
                false
            }
        }
    }
}

/// Parts: the end of what has passed, where a name may have begun.
#[derive(Debug, Default)]
pub(super) struct Parts {
    tail: Vec<u8>,
}

impl Parts {
    fn finds_override(&mut self, chunk: &[u8]) -> bool {
        self.tail.extend_from_slice(chunk);
        let found = self.tail.windows(KEY.len()).enumerate().any(|(at, window)| {
            let rest = self.tail.get(at + KEY.len()..).unwrap_or_default();
            let before = at.checked_sub(1).and_then(|at| self.tail.get(at));
            window.eq_ignore_ascii_case(KEY)
                && (values(rest).any(is_override)
                    || (before.is_some_and(|byte| !byte.is_ascii_alphanumeric()) && is_extended(rest)))
        });
        let keep = self.tail.len().saturating_sub(KEY.len() + 2 * NAME);
        self.tail.drain(..keep);
        found
    }
}

/// The parameter of a part that names its field.
const KEY: &[u8] = b"name";

/// What servers may take for the value behind `name`, once it has ended; a longer one than any name is cut.
///
/// A quote that nothing closes ends with its line to PHP, so that a quoted value may have two ends.
fn values(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = rest.trim_ascii_start().strip_prefix(b"=").unwrap_or_default().trim_ascii_start();
    let (quote, rest) = match rest.split_first() {
        Some((&quote @ (b'"' | b'\''), rest)) => (Some(quote), rest),
        _ => (None, rest),
    };
    let mut escaped = false;
    let closed = upto(rest, |byte| {
        let ends = match quote {
            Some(quote) => byte == quote && !escaped,
            None => matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n'),
        };
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let line = quote.and_then(|_| upto(rest.trim_ascii_start(), |byte| matches!(byte, b'\r' | b'\n')));
    closed.into_iter().chain(line)
}

/// Whether `name*=charset'language'value` or `name*0=` stands there, which no form may hold (RFC 7578, section 4.2): some
/// servers read a name in any charset so, and in pieces (RFC 2231).
fn is_extended(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b"*") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(digits..).unwrap_or_default();
    let rest = rest.strip_prefix(b"*").unwrap_or(rest).trim_ascii_start();
    let Some(value) = rest.strip_prefix(b"=") else { return false };
    let line = value.iter().take(NAME).take_while(|byte| !matches!(byte, b'\r' | b'\n'));
    digits > 0 || line.filter(|byte| **byte == b'\'').count() > 1
}

fn upto(text: &[u8], ends: impl FnMut(u8) -> bool) -> Option<&[u8]> {
    match text.iter().take(NAME).copied().position(ends) {
        Some(end) => text.get(..end),
        None => text.get(..NAME),
    }
}

/// Whether a field's name, as it is written, asks some framework to take its value for the method.
fn is_override(written: &[u8]) -> bool {
    let plain: Vec<u8> = written.iter().copied().filter(|byte| *byte != b'\\').collect();
    query::is_method_override(&query::decode(&String::from_utf8_lossy(&plain)))
}

#[cfg(test)]
mod tests;
