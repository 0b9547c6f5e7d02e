//! Credentials: what a request brings along to prove its caller, and the one token among it.

use std::fmt;

use super::IdentityError;

/// Credentials: everything in a request that may prove its caller, borrowed and not yet judged.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    authorization: Option<&'a [u8]>,
    more_authorization: bool,
    query_token: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// The credentials of a request with these raw values of `Authorization`, one for each time it occurs.
    pub fn new(authorization: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values = authorization.into_iter();
        Self { authorization: values.next(), more_authorization: values.next().is_some(), query_token: None }
    }

    /// The same with a token from the query of a route that allows one there.
    pub fn with_query_token(self, token: Option<&'a str>) -> Self {
        Self { query_token: token, ..self }
    }

    /// The one credential among them; two are an error, whatever they say.
    pub fn presented(&self) -> Result<Presented<'a>, IdentityError> {
        if self.more_authorization {
            return Err(IdentityError::SeveralCredentials);
        }
        match (self.authorization, self.query_token) {
            (None, None) => Ok(Presented::Anonymous),
            (Some(_), Some(_)) => Err(IdentityError::SeveralCredentials),
            (Some(value), None) => bearer(value).map(Presented::Token),
            (None, Some(token)) if is_token68(token.as_bytes()) => Ok(Presented::Token(token)),
            (None, Some(_)) => Err(IdentityError::MalformedToken),
        }
    }
}

// Credentials never reach a log, not even by a slip: neither type prints what it holds.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Presented: the one credential of a request, not yet verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// None at all.
    Anonymous,
    /// A bearer token; it holds token68 characters only.
    Token(&'a str),
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// The token of `Bearer <token>`: the scheme in any case (RFC 9110, section 11.1), one space, a token68.
fn bearer(value: &[u8]) -> Result<&str, IdentityError> {
    let end = value.iter().position(|&byte| !is_scheme(byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.is_empty() || !(rest.is_empty() || rest.starts_with(b" ")) {
        return Err(IdentityError::MalformedAuthorization);
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(IdentityError::UnknownScheme);
    }
    rest.strip_prefix(b" ")
        .filter(|token| is_token68(token))
        .and_then(|token| std::str::from_utf8(token).ok())
        .ok_or(IdentityError::MalformedAuthorization)
}

/// Whether `byte` may stand in a scheme: a `tchar` of RFC 9110, section 5.6.2.
fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `text` is a token68 of RFC 9110, section 11.2.
fn is_token68(text: &[u8]) -> bool {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let (body, _) = text.split_at(end);
    !body.is_empty() && body.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests;
