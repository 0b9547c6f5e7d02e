//! The query: what may stand in it, and the parameters that mean something to the gateway.

use std::borrow::Cow;

use super::{Reading, RejectedRequest};

/// The parameter in which servers look for a token (RFC 6750, section 2.3).
pub const TOKEN: &str = "access_token";

/// The query as text.
///
/// # Errors
/// Control characters, blanks, `#` and raw bytes beyond ASCII, which no client may send (RFC 3986, section 3.4).
pub fn read(raw: &[u8]) -> Result<&str, RejectedRequest> {
    let fine = raw.iter().all(|byte| (0x21..=0x7e).contains(byte) && *byte != b'#');
    if fine { std::str::from_utf8(raw).map_err(|_| RejectedRequest::Query) } else { Err(RejectedRequest::Query) }
}

/// The parameters in their order, names and values decoded once as forms are (`+` is a blank).
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split(['&', ';']).filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

/// The value of the one parameter `name`.
///
/// # Errors
/// It stands there twice, also under another spelling.
pub fn single<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, RejectedRequest> {
    let mut found = parameters(query).filter(|(written, _)| same_name(written, name));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(RejectedRequest::RepeatedParameter),
        (first, _) => Ok(first.map(|(_, value)| value)),
    }
}

/// The value of the parameter `name` that a scope reads: every server must see it once, and the same.
///
/// # Errors
/// It stands there twice, or under a name or behind a separator that some servers take for it and others do not.
pub fn scope<'q>(query: &'q str, name: &str, case: Reading) -> Result<Option<Cow<'q, str>>, RejectedRequest> {
    let ambiguous = Err(RejectedRequest::AmbiguousScope);
    let folds = case == Reading::Folded;
    let named = |written: &str| if folds { written.eq_ignore_ascii_case(name) } else { written == name };
    let mut found = None;
    for (written, value) in parameters(query) {
        if named(&written) && found.is_none() {
            found = Some(value);
        } else if is_taken_for(&written, name) {
            return ambiguous;
        }
    }
    // Only some servers end a value at `;`, and only some read what is not valid as text at all.
    let odd = |value: &str| value.contains([char::REPLACEMENT_CHARACTER, '%']) || value.chars().any(char::is_control);
    match found {
        Some(value) if query.contains(';') || odd(&value) => ambiguous,
        found => Ok(found),
    }
}

/// The query without every parameter that `unwanted` names (decoded); untouched where there is none.
pub fn without<'q>(query: &'q str, unwanted: impl Fn(&str) -> bool) -> Cow<'q, str> {
    let is_unwanted = |part: &&str| {
        let name = part.split_once('=').map_or(*part, |(name, _)| name);
        !part.is_empty() && unwanted(&decode(name))
    };
    if !query.split(['&', ';']).any(|part| is_unwanted(&part)) {
        return Cow::Borrowed(query);
    }
    // Some servers split at `&` only, some at `;` too: whatever was two parameters to either stays two.
    let mut out = String::with_capacity(query.len());
    let mut between = None;
    for part in query.split_inclusive(['&', ';']) {
        let bare = part.strip_suffix(['&', ';']).unwrap_or(part);
        if !is_unwanted(&bare) {
            out.extend(between.take());
            out.push_str(bare);
        }
        let separator = part.get(bare.len()..).and_then(|rest| rest.chars().next());
        if !out.is_empty() {
            between = if between == Some('&') { between } else { separator };
        }
    }
    Cow::Owned(out)
}

/// Parameters that ask for another method under these names only: Rails, Laravel, Symfony, WordPress, Orthanc; Salesforce;
/// Plack and Catalyst.
const METHOD_OVERRIDES: [&str; 3] = ["_method", "_httpmethod", "x-tunneled-method"];

/// Whether a parameter's name asks a framework to take its value for the method. ASP.NET MVC looks for the header's name
/// in the query and in forms too.
pub fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES.iter().any(|known| is_taken_for(name, known))
        || super::headers::is_method_override(name.trim())
        || super::headers::is_method_override(base(name))
}

/// Adds the methods that the query asks for.
pub fn method_overrides(query: &str, asked: &mut Vec<String>) {
    let found = parameters(query).filter(|(name, _)| is_method_override(name));
    asked.extend(found.map(|(_, value)| value.trim().to_ascii_uppercase()));
}

/// Adds the methods that a url-encoded form asks for.
pub fn form_method_overrides(body: &[u8], asked: &mut Vec<String>) {
    method_overrides(&String::from_utf8_lossy(body), asked);
}

/// Whether a url-encoded form has a field that some framework takes for the parameter `name`.
pub fn form_names(body: &[u8], name: &str) -> bool {
    let body = String::from_utf8_lossy(body);
    parameters(&body).any(|(written, _)| is_taken_for(&written, name))
}

/// Whether some framework takes `written` for `name`, brackets behind or before it included.
fn is_taken_for(written: &str, name: &str) -> bool {
    same_name(base(written), name) || same_name(written, name)
}

/// The name that nesting frameworks make of one with brackets: Rack overlooks those before it, PHP and qs take those
/// behind it for an index. PHP ends a name at NUL.
fn base(written: &str) -> &str {
    let open = written.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '[' | ']'));
    open.split(['[', ']', '\0']).next().unwrap_or_default().trim()
}

/// Whether some framework takes the two names for one, the second without odd letters: PHP turns `.` and blanks into `_`, several ignore case.
pub fn same_name(written: &str, name: &str) -> bool {
    let plain = |c: char| if matches!(c, '.' | ' ' | '+') { '_' } else { c.to_ascii_lowercase() };
    written.trim().chars().map(plain).eq(name.chars().map(plain))
}

/// The text that a form's name or value spells.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(super::path::decode_segment(&spaced).into_owned())
}

#[cfg(test)]
mod tests;
