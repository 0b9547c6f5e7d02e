//! Suffixes: a path without the suffixes that a server may cut off its last segment.

/// The path without a slash at its end and up to the first dot of its last segment, for comparing templates.
pub(crate) fn strip_all_suffixes(text: &str) -> &str {
    let text = text.strip_suffix('/').filter(|text| !text.is_empty()).unwrap_or(text);
    strip_suffixes(text).next().unwrap_or(text)
}

/// The path up to each dot of its last segment.
pub(super) fn strip_suffixes(text: &str) -> impl Iterator<Item = &str> {
    let last = text.rfind('/').map_or(0, |at| at + 1);
    let dots = text.match_indices('.').map(|(at, _)| at);
    dots.filter(move |at| *at > last).filter_map(|at| text.get(..at))
}
