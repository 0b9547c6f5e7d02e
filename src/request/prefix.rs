//! Prefix: whether a path may begin with a prefix, as the most lenient server interprets it.

use std::borrow::Cow;

use super::path::{is_script_name, is_session_ticket};

/// Whether a canonical path begins with `prefix` in the interpretation of some server.
///
/// `prefix` is whole segments without a trailing slash. The comparison ignores case, session tickets, scripts and the
/// parts of segments that servers strip; an encoded slash counts as a slash.
pub fn may_start_with(path: &str, prefix: &str) -> bool {
    let normalized = normalize_loosely(path);
    let Some(start) = normalized.get(..prefix.len()) else { return false };
    let rest = normalized.get(prefix.len()..).unwrap_or_default();
    let ends = rest.is_empty() || rest.starts_with('/') || (rest.starts_with('.') && !rest.contains('/'));
    ends && start.eq_ignore_ascii_case(prefix)
}

fn normalize_loosely(path: &str) -> Cow<'_, str> {
    if !path.contains(['.', ':', ';', '(', '%']) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let path = path.replace("%2F", "/").replace("%3B", ";").replace("%20", " ");
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split([';', ':']).next().unwrap_or_default().trim_end_matches(['.', ' ']);
        let is_skipped =
            name.is_empty() || is_session_ticket(segment) || (is_script_name(name) && segments.peek().is_some());
        if !is_skipped {
            out.push('/');
            out.push_str(name);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
