//! Prefix: what a path may begin with, as the loosest of all servers reads it.

use std::borrow::Cow;

use super::path::{is_script, is_ticket};

/// Whether some server takes a canonical path for one that begins with `prefix`, whole segments without a slash at the
/// end: without case, tickets, scripts and what is cut off segments, and with encoded slashes for slashes.
pub fn may_begin(path: &str, prefix: &str) -> bool {
    let read = loosest(path);
    let Some(start) = read.get(..prefix.len()) else { return false };
    let behind = read.get(prefix.len()..).unwrap_or_default();
    let ends = behind.is_empty() || behind.starts_with('/') || (behind.starts_with('.') && !behind.contains('/'));
    ends && start.eq_ignore_ascii_case(prefix)
}

fn loosest(path: &str) -> Cow<'_, str> {
    if !path.contains(['.', ':', ';', '(', '%']) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let path = path.replace("%2F", "/").replace("%3B", ";").replace("%20", " ");
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let cut = segment.split([';', ':']).next().unwrap_or_default().trim_end_matches(['.', ' ']);
        let passed_over = cut.is_empty() || is_ticket(segment) || (is_script(cut) && segments.peek().is_some());
        if !passed_over {
            out.push('/');
            out.push_str(cut);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
