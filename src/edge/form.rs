//! Forms: bodies in which some frameworks look for a method override.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

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
///
/// It looks at the text alone, not at the boundaries: a file that holds such a form is taken for one, which is the
/// safe side.
#[derive(Debug)]
pub(super) struct Scan {
    /// What may stand right before the name.
    before: &'static [u8],
    tail: Vec<u8>,
}

/// The longest spelling with what stands before it, and room for blanks.
const WINDOW: usize = 64;

impl Scan {
    /// A scan of the parts of a multipart form: `name="_method"`, `name=_method`, `name*=utf-8''_method`.
    pub(super) fn of_parts() -> Self {
        Self { before: b"\"'=\\", tail: Vec::new() }
    }

    /// A scan of a body that may be url-encoded: `_method=…` at its beginning or behind a separator.
    pub(super) fn of_fields() -> Self {
        // What stands before the first field is a separator too.
        Self { before: b"&;", tail: b"&".to_vec() }
    }

    /// Whether the body, up to and with this chunk, has shown such a field.
    pub(super) fn finds_override(&mut self, chunk: &[u8]) -> bool {
        self.tail.extend_from_slice(chunk);
        let found = self.tail.windows(METHOD.len()).enumerate().any(|(at, window)| {
            window.eq_ignore_ascii_case(METHOD) && self.names_a_field(self.tail.get(..at).unwrap_or_default())
        });
        let keep = self.tail.len().saturating_sub(WINDOW);
        self.tail.drain(..keep);
        found
    }

    /// Whether what stands before `method` makes it `_method`, as some framework reads it, at the beginning of a name.
    fn names_a_field(&self, before: &[u8]) -> bool {
        let encoded = [&b"%5f"[..], b"%2e"].into_iter().find_map(|letter| {
            let (rest, last) = before.split_at_checked(before.len().checked_sub(letter.len())?)?;
            last.eq_ignore_ascii_case(letter).then_some(rest)
        });
        let plain = before.strip_suffix(b"_").or_else(|| before.strip_suffix(b"."));
        encoded.or(plain).is_some_and(|rest| {
            // PHP overlooks blanks before a name, also where there are more of them than are kept here.
            rest.trim_ascii_end().last().is_none_or(|byte| self.before.contains(byte))
        })
    }
}

/// What the name ends with; `_` and whatever PHP turns into it stand before.
const METHOD: &[u8] = b"method";

#[cfg(test)]
mod tests;
