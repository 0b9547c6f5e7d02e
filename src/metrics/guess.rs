//! The template that a path without a route seems to have: what looks like an id becomes `{id}`.

/// What stands for a segment that looks like an id.
pub(super) const ID: &str = "{id}";

/// What stands for everything behind the last segment that is looked at.
const REST: &str = "{rest}";

/// So many segments are looked at, so that a template has a bounded length.
const MOST_SEGMENTS: usize = 16;

/// The longest segment that is kept as it is.
const LONGEST: usize = 32;

/// The segments of the template of a canonical path; values of queries are no part of a path.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let segments = path.strip_prefix('/').unwrap_or(path).split('/').enumerate().take(MOST_SEGMENTS + 1);
    segments.map(|(at, segment)| match at {
        MOST_SEGMENTS => REST,
        _ if is_id(segment) => ID,
        _ => segment,
    })
}

/// The template as text.
pub(super) fn template(path: &str) -> String {
    segments(path).fold(String::new(), |text, segment| text + "/" + segment)
}

/// Whether a segment looks like something that tells one record from another: rather too much than a name of somebody.
fn is_id(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$".contains(&byte);
    if segment.len() > LONGEST || !segment.bytes().all(plain) {
        return true;
    }
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    // Of an API, not of a record: v1, v2.1.
    let is_version = segment
        .strip_prefix(['v', 'V'])
        .is_some_and(|rest| rest.len() <= 4 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let is_hex = segment.len() >= 8 && segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    digits > 0 && !is_version && (digits >= letters || digits >= 4 || is_hex)
}

#[cfg(test)]
mod tests;
