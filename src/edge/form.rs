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
    /// `multipart/form-data`: scanned as it streams.
    Multipart,
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
    let Some(found) = types.iter().find_map(|media_type| kind_of(media_type)) else { return Ok(None) };
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

/// Scan: looks for a part that is named like a method override, across chunks.
///
/// It looks at the text alone, not at the boundaries: a file that holds such a form is taken for one, which is the
/// safe side.
#[derive(Debug, Default)]
pub(super) struct Scan {
    tail: Vec<u8>,
}

/// `name="_method"` is 14 letters; a charset (RFC 5987) makes it longer.
const WINDOW: usize = 64;

impl Scan {
    /// Whether the body, up to and with this chunk, has shown such a part.
    pub(super) fn finds_override(&mut self, chunk: &[u8]) -> bool {
        self.tail.extend_from_slice(chunk);
        let found = self.tail.windows(b"_method".len()).enumerate().any(|(at, window)| {
            let word = matches!(window.first(), Some(b'_' | b'.' | b' ' | b'+'))
                && window.get(1..).is_some_and(|rest| rest.eq_ignore_ascii_case(b"method"));
            let before = self.tail.get(..at).unwrap_or_default().trim_ascii_end();
            // PHP overlooks blanks before a name, also where there are more of them than are kept here.
            word && before.last().is_none_or(|byte| b"\"'=".contains(byte))
        });
        let keep = self.tail.len().saturating_sub(WINDOW);
        self.tail.drain(..keep);
        found
    }
}

#[cfg(test)]
mod tests;
