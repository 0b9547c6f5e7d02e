//! Forms: the bodies in which some frameworks look for a method override.

mod fields;
mod keys;
mod override_name;
mod parts;
mod reading;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use fields::FieldScanner;
use keys::JsonKeyScanner;
use parts::PartScanner;

/// The longest url-encoded form that is read before the decision, in bytes; Pingora keeps no more for the upstream.
pub(super) const LONGEST: usize = 64 << 10;

/// FormKind: the encoding of a form's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormKind {
    /// `application/x-www-form-urlencoded`: read whole.
    UrlEncoded,
    /// `multipart/…`: scanned as it streams.
    Multipart,
    /// No media type: Rack reads such a POST as url-encoded. Scanned as it streams, because it may be long.
    Untyped,
}

/// UnreadableForm: a form in which the upstream may read fields that the gateway cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnreadableForm;

/// The kind of form that a request's body is; `None` for other bodies.
///
/// # Errors
/// The form has a second media type, is compressed, or has a charset that does not encode ASCII as ASCII.
pub(super) fn kind(headers: &HeaderMap) -> Result<Option<FormKind>, UnreadableForm> {
    let types: Vec<&[u8]> = headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::as_bytes).collect();
    let untyped = types.iter().all(|media_type| media_type.trim_ascii().is_empty());
    let found = types.iter().find_map(|media_type| kind_of(media_type)).or(untyped.then_some(FormKind::Untyped));
    let Some(found) = found else { return Ok(None) };
    let coded =
        headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if types.len() > 1 || coded || !types.into_iter().flat_map(charset).all(encodes_ascii) {
        return Err(UnreadableForm);
    }
    Ok(Some(found))
}

/// The kind of form that some server reads from this media type.
///
/// PHP ends the media type at a space too, Java's servers read every `multipart/…` as a form, and Formidable every type
/// with the word in it. Servers that join two fields with a comma and read the last do so as well.
fn kind_of(media_type: &[u8]) -> Option<FormKind> {
    let media_type = media_type.trim_ascii();
    let essence = media_type.split(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).next().unwrap_or_default();
    match essence {
        _ if contains(essence, b"urlencoded") => Some(FormKind::UrlEncoded),
        _ if contains(essence, b"multipart") => Some(FormKind::Multipart),
        _ if contains(media_type, b"urlencoded") => Some(FormKind::UrlEncoded),
        _ if contains(media_type, b"multipart") => Some(FormKind::Multipart),
        _ => None,
    }
}

fn contains(essence: &[u8], word: &[u8]) -> bool {
    essence.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// The values of `charset` (RFC 9110, section 8.3.2), and of `charset*` (RFC 8187), which names no accepted one.
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

fn encodes_ascii(charset: &[u8]) -> bool {
    let plain = charset.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(charset);
    [&b"utf-8"[..], b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"]
        .iter()
        .any(|known| plain.eq_ignore_ascii_case(known))
}

/// Whether Laravel reads a body as JSON: the word may be anywhere in its media type.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(|media_type| contains(media_type.as_bytes(), b"json"))
}

/// OverrideScanner: looks for a field with the name of a method override, across chunks.
#[derive(Debug)]
pub(super) enum OverrideScanner {
    /// The parts of a multipart form, by their `name=` alone and not by the boundaries.
    ///
    /// A file that contains such a form is read as one, which is the safe side.
    Parts(PartScanner),
    /// The fields of a body that may be url-encoded.
    Fields(FieldScanner),
    /// The keys of a JSON text.
    Keys(JsonKeyScanner),
}

impl OverrideScanner {
    /// Scans the parts of a multipart form: `name="_method"`, `name=_method`, and any `name*=`.
    pub(super) fn of_parts() -> Self {
        Self::Parts(PartScanner::default())
    }

    /// Scans a body that may be url-encoded: `_method=…` at its beginning or after a separator.
    pub(super) fn of_fields() -> Self {
        Self::Fields(FieldScanner::default())
    }

    /// Scans JSON: `"_method":`, at any depth and with any letter escaped.
    pub(super) fn of_keys() -> Self {
        Self::Keys(JsonKeyScanner::default())
    }

    /// Takes a chunk of the body; returns whether such a field has appeared.
    pub(super) fn finds_override(&mut self, chunk: &[u8]) -> bool {
        match self {
            Self::Parts(parts) => parts.finds_override(chunk),
            Self::Fields(fields) => chunk.iter().any(|&byte| fields.ends_override(byte)),
            Self::Keys(keys) => chunk.iter().any(|&byte| keys.ends_override(byte)),
        }
    }
}

#[cfg(test)]
mod tests;
