//! The query: what may stand in it, and the parameters that mean something to the gateway.

use std::borrow::Cow;

use super::RejectedRequest;

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

/// The query without every parameter that `unwanted` names (decoded); untouched where there is none.
pub fn without<'q>(query: &'q str, unwanted: impl Fn(&str) -> bool) -> Cow<'q, str> {
    let is_unwanted = |part: &&str| {
        let name = part.split_once('=').map_or(*part, |(name, _)| name);
        !part.is_empty() && unwanted(&decode(name))
    };
    if !query.split(['&', ';']).any(|part| is_unwanted(&part)) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<&str> = query.split(['&', ';']).filter(|part| !is_unwanted(part)).collect();
    Cow::Owned(kept.join("&"))
}

/// Whether a parameter's name asks a framework to take its value for the method (Rails, Laravel, Symfony, Orthanc).
pub fn is_method_override(name: &str) -> bool {
    let base = name.split('[').next().unwrap_or(name);
    same_name(base, "_method") || super::headers::is_method_override(name)
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

/// Whether some framework takes the two names for one: PHP turns `.` and blanks into `_`, several ignore case.
pub fn same_name(written: &str, name: &str) -> bool {
    let plain = |c: char| if matches!(c, '.' | ' ' | '+') { '_' } else { c.to_ascii_lowercase() };
    written.trim().chars().map(plain).eq(name.chars().map(plain))
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(super::path::decode_segment(&spaced).into_owned())
}

#[cfg(test)]
mod tests;
