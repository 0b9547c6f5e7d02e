//! Template guess: the likely template of a path without a route, with `{id}` for segments that look like an id.

/// Replaces a segment that looks like an id.
pub(super) const ID: &str = "{id}";

/// Replaces everything after the last segment that is read.
const REST: &str = "{rest}";

/// The most segments that are read, so that a template has a bounded length.
const MAX_SEGMENTS: usize = 16;

/// The length of the longest segment that is not replaced.
const MAX_SEGMENT_LENGTH: usize = 32;

/// The segments of the guessed template of a canonical path, which contains no query values.
pub(super) fn template_segments(path: &str) -> impl Iterator<Item = &str> {
    let segments = path.strip_prefix('/').unwrap_or(path).split('/').enumerate().take(MAX_SEGMENTS + 1);
    segments.map(|(at, segment)| match at {
        MAX_SEGMENTS => REST,
        _ if is_id(segment) => ID,
        _ => segment,
    })
}

/// The guessed template as text.
pub(super) fn guess_template(path: &str) -> String {
    template_segments(path).fold(String::new(), |text, segment| text + "/" + segment)
}

/// Whether a segment looks like an id of a record; when in doubt it does, so that no person's name is recorded.
fn is_id(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$".contains(&byte);
    if segment.len() > MAX_SEGMENT_LENGTH || !segment.bytes().all(plain) {
        return true;
    }
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    // A version of an API is not an id of a record: v1, v2.1.
    let is_version = segment
        .strip_prefix(['v', 'V'])
        .is_some_and(|rest| rest.len() <= 4 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let is_hex = segment.len() >= 8 && segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    digits > 0 && !is_version && (digits >= letters || digits >= 4 || is_hex)
}

#[cfg(test)]
mod tests;
