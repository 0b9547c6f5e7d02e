//! Forms: bodies in which some frameworks look for a method override.

use http::HeaderMap;

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

/// The kind of form that a request's body is, by any of its media types; `None` for other bodies.
pub(super) fn kind(headers: &HeaderMap) -> Option<FormKind> {
    let types = headers.get_all(http::header::CONTENT_TYPE).iter();
    let mut found = None;
    for value in types {
        let essence =
            value.as_bytes().split(|&byte| byte == b';' || byte == b',').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Some(FormKind::UrlEncoded);
        }
        if essence.eq_ignore_ascii_case(b"multipart/form-data") {
            found = Some(FormKind::Multipart);
        }
    }
    found
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
            word && at
                .checked_sub(1)
                .and_then(|before| self.tail.get(before))
                .is_some_and(|byte| b"\"'=".contains(byte))
        });
        let keep = self.tail.len().saturating_sub(WINDOW);
        self.tail.drain(..keep);
        found
    }
}

#[cfg(test)]
mod tests;
