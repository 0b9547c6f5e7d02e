//! The query: its permitted characters, and the parameters that the gateway reads.

use std::borrow::Cow;

use super::dialect::Treatment;
use super::rejected::RejectedRequest;

/// The query parameter of a bearer token (RFC 6750, section 2.3).
pub const TOKEN_PARAMETER: &str = "access_token";

/// The greatest number of parts in a query or form from which the gateway reads a parameter: PHP, qs and Node.js ignore
/// everything after the thousandth.
const MAX_PARAMETERS: usize = 256;

/// The query as text.
///
/// # Errors
/// The query contains control characters, spaces, `#` or raw non-ASCII bytes, which no client may send (RFC 3986,
/// section 3.4). Or a name has a `%` without two digits, which some servers decode as another escape (`%u0041`).
pub fn read(raw: &[u8]) -> Result<&str, RejectedRequest> {
    let fine = raw.iter().all(|byte| (0x21..=0x7e).contains(byte) && *byte != b'#');
    let query = std::str::from_utf8(raw).ok().filter(|query| fine && !has_broken_name(query));
    query.ok_or(RejectedRequest::Query)
}

/// Whether a name of a query or a form has a `%` without two hexadecimal digits.
fn has_broken_name(query: &str) -> bool {
    let broken = |name: &str| {
        name.split('%').skip(1).any(|rest| {
            let digits = rest.as_bytes().get(..2);
            !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
    };
    query.contains('%') && query.split(['&', ';']).any(|part| broken(part.split('=').next().unwrap_or_default()))
}

/// Whether there are more parts, empty ones included, than every server reads.
fn has_too_many(query: &str) -> bool {
    query.split(['&', ';']).count() > MAX_PARAMETERS
}

/// The parameters in their order; names and values are decoded once as in forms (`+` is a space).
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split(['&', ';']).filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

/// The value of the parameter `name`.
///
/// # Errors
/// The parameter is repeated, possibly under another spelling, or some servers ignore it among so many.
pub fn single_value<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, RejectedRequest> {
    if has_too_many(query) {
        return Err(RejectedRequest::RepeatedParameter);
    }
    let mut found = parameters(query).filter(|(input, _)| is_alias_of(input, name));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(RejectedRequest::RepeatedParameter),
        (first, _) => Ok(first.map(|(_, value)| value)),
    }
}

/// The value of the parameter `name` that carries a scope; every server must read the same single value.
///
/// # Errors
/// The parameter is repeated, or its name or separator is recognised by some servers only, or some servers ignore it
/// among so many.
pub fn scope_value<'q>(query: &'q str, name: &str, case: Treatment) -> Result<Option<Cow<'q, str>>, RejectedRequest> {
    let ambiguous = Err(RejectedRequest::AmbiguousScope);
    if has_too_many(query) {
        return ambiguous;
    }
    let folds = case == Treatment::Folded;
    let named = |input: &str| if folds { input.eq_ignore_ascii_case(name) } else { input == name };
    let mut found = None;
    for (input, value) in parameters(query) {
        if named(&input) && found.is_none() {
            found = Some(value);
        } else if is_alias_of(&input, name) {
            return ambiguous;
        }
    }
    // Only some servers end a value at `;`, and only some accept invalid text.
    let is_ambiguous =
        |value: &str| value.contains([char::REPLACEMENT_CHARACTER, '%']) || value.chars().any(char::is_control);
    match found {
        Some(value) if query.contains(';') || is_ambiguous(&value) => ambiguous,
        found => Ok(found),
    }
}

/// The query without the parameters whose decoded names satisfy `unwanted`; borrowed if there are none.
pub fn remove_parameters<'q>(query: &'q str, unwanted: impl Fn(&str) -> bool) -> Cow<'q, str> {
    let is_unwanted = |part: &&str| {
        let name = part.split_once('=').map_or(*part, |(name, _)| name);
        !part.is_empty() && unwanted(&decode(name))
    };
    if !query.split(['&', ';']).any(|part| is_unwanted(&part)) {
        return Cow::Borrowed(query);
    }
    // Some servers split at `&` only, some at `;` too: parameters that either separates stay separate.
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

/// Parameters that override the method under exactly these names: Rails, Laravel, Symfony, WordPress, Orthanc;
/// Salesforce.
const METHOD_OVERRIDES: [&str; 2] = ["_method", "_httpmethod"];

/// Whether a framework uses the parameter of that name as method override. ASP.NET MVC also reads the header's name
/// from query and forms.
pub fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES.iter().any(|known| is_alias_of(name, known))
        || super::headers::is_method_override(name.trim())
        || super::headers::is_method_override(base_name(name))
}

/// Adds the overriding methods of a query.
pub fn method_overrides(query: &str, methods: &mut Vec<String>) {
    let found = parameters(query).filter(|(name, _)| is_method_override(name));
    methods.extend(found.map(|(_, value)| value.trim().to_ascii_uppercase()));
}

/// Adds the overriding methods of a URL-encoded form.
///
/// # Errors
/// Some servers decode a name differently from the gateway.
pub fn form_method_overrides(body: &[u8], methods: &mut Vec<String>) -> Result<(), RejectedRequest> {
    let body = String::from_utf8_lossy(body);
    if has_broken_name(&body) {
        return Err(RejectedRequest::MethodOverride);
    }
    method_overrides(&body, methods);
    Ok(())
}

/// Whether a URL-encoded form may have a field that some framework reads as the parameter `name`.
pub fn form_has_parameter(body: &[u8], name: &str) -> bool {
    let body = String::from_utf8_lossy(body);
    has_too_many(&body) || has_broken_name(&body) || parameters(&body).any(|(input, _)| is_alias_of(&input, name))
}

/// Whether a `Cookie` field has a cookie that PHP, which may merge cookies and parameters, reads as the parameter `name`.
pub fn cookie_has_parameter(cookies: &[u8], name: &str) -> bool {
    let cookies = String::from_utf8_lossy(cookies);
    let mut names = cookies.split([';', ',']).map(|cookie| cookie.split('=').next().unwrap_or_default());
    names.any(|input| is_alias_of(&decode(input), name))
}

/// Whether some framework reads `input` as `name`, with brackets before or after it.
pub fn is_alias_of(input: &str, name: &str) -> bool {
    is_same_name(base_name(input), name) || is_same_name(input, name)
}

/// The name without brackets, as frameworks with nested parameters read it.
///
/// Rack ignores brackets before the name; PHP and qs read brackets after it as an index. PHP ends a name at NUL.
fn base_name(input: &str) -> &str {
    let open = input.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '[' | ']'));
    open.split(['[', ']', '\0']).next().unwrap_or_default().trim()
}

/// Whether some framework treats the two names as equal; `name` has no unusual characters.
///
/// PHP replaces `.`, spaces and an unclosed `[` by `_`; several frameworks ignore case.
pub fn is_same_name(input: &str, name: &str) -> bool {
    let plain = |c: char| if matches!(c, '.' | ' ' | '+' | '[') { '_' } else { c.to_ascii_lowercase() };
    input.trim().chars().map(plain).eq(name.chars().map(plain))
}

/// Decodes a name or value of a form.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, remainder)) = rest.split_first() {
        rest = remainder;
        let digit = |at: usize| remainder.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let coded = digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        bytes.push(match (byte, coded) {
            (b'%', Some(coded)) => {
                rest = remainder.get(2..).unwrap_or_default();
                coded
            }
            (b'+', _) => b' ',
            // A `%` without two digits is literal, and so are the characters after it.
            _ => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
