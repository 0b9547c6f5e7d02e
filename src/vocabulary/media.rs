//! Media types and the ranges by which `by-type` selects cells.

use std::fmt;

/// MediaRange: a set of media types (RFC 9110, section 12.5.1, without parameters).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaRange {
    /// One media type in lower case: `image/png`.
    Exact(Box<str>),
    /// All subtypes of a type: `image/*` is stored as `image`.
    Wildcard(Box<str>),
    /// All media types that no other range of the list matches.
    Otherwise,
}

impl MediaRange {
    /// Parses a range; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "otherwise" {
            return Some(Self::Otherwise);
        }
        let (type_name, subtype) = text.split_once('/')?;
        match (is_token(type_name), subtype) {
            (true, "*") if type_name != "*" => Some(Self::Wildcard(type_name.to_ascii_lowercase().into())),
            (true, subtype) if is_token(subtype) => Some(Self::Exact(text.to_ascii_lowercase().into())),
            _ => None,
        }
    }

    /// How specifically the range matches the `essence` of a media type; 0 is no match.
    pub fn specificity(&self, essence: &str) -> u8 {
        match self {
            Self::Exact(exact) if **exact == *essence => 3,
            Self::Wildcard(type_name) if essence.split_once('/').is_some_and(|(found, _)| found == &**type_name) => 2,
            Self::Otherwise => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for MediaRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => out.write_str(exact),
            Self::Wildcard(type_name) => write!(out, "{type_name}/*"),
            Self::Otherwise => out.write_str("otherwise"),
        }
    }
}

/// Type and subtype of a `Content-Type` in lower case; `None` unless it is one valid media type (RFC 9110, section
/// 8.3.1).
pub fn essence(content_type: &str) -> Option<String> {
    let essence = content_type.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
    let (type_name, subtype) = essence.split_once('/')?;
    // A comma in the parameters may come from two field lines that a proxy joined.
    let single = !content_type.contains(',');
    (single && is_token(type_name) && is_token(subtype)).then(|| essence.to_ascii_lowercase())
}

/// Whether a text is a name of a type or subtype (RFC 6838, section 4.2).
fn is_token(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
}

#[cfg(test)]
mod tests;
