//! Credentials: what a request brings along to prove its caller, and the one token or key among it.

use std::fmt;

use super::IdentityError;

/// Credentials: everything in a request that may prove its caller, borrowed and not yet judged.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    authorization: Option<&'a [u8]>,
    more_authorization: bool,
    query_token: Option<&'a str>,
    takes_basic: bool,
    key: Option<(&'a str, &'a [u8])>,
    more_keys: bool,
}

impl<'a> Credentials<'a> {
    /// The credentials of a request with these raw values of `Authorization`, one for each time it occurs.
    pub fn new(authorization: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values = authorization.into_iter();
        let (authorization, more_authorization) = (values.next(), values.next().is_some());
        Self { authorization, more_authorization, ..Self::default() }
    }

    /// The same where HTTP Basic is a scheme that may be used: it carries an API key.
    pub fn with_basic(self) -> Self {
        Self { takes_basic: true, ..self }
    }

    /// The same with these raw values of the header `name`, one for each time it occurs; it carries an API key.
    pub fn with_keys(self, name: &'a str, values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut keys = self.key.into_iter().chain(values.into_iter().map(|value| (name, value)));
        let (key, more) = (keys.next(), keys.next().is_some());
        Self { key, more_keys: self.more_keys || more, ..self }
    }

    /// The same with a token from the query of a route that allows one there.
    pub fn with_query_token(self, token: Option<&'a str>) -> Self {
        Self { query_token: token, ..self }
    }

    /// The one credential among them; two are an error, whatever they say.
    pub fn presented(&self) -> Result<PresentedCredential<'a>, IdentityError> {
        if self.more_authorization || self.more_keys {
            return Err(IdentityError::SeveralCredentials);
        }
        match (self.authorization, self.query_token, self.key) {
            (None, None, None) => Ok(PresentedCredential::Anonymous),
            (Some(value), None, None) => authorization(value, self.takes_basic),
            (None, Some(token), None) if is_token68(token.as_bytes()) => Ok(PresentedCredential::Token(token)),
            (None, Some(_), None) => Err(IdentityError::MalformedToken),
            (None, None, Some((header, value))) => Ok(PresentedCredential::Key { header, value }),
            _ => Err(IdentityError::SeveralCredentials),
        }
    }
}

// Credentials never reach a log, not even by a slip: neither type prints what it holds.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// PresentedCredential: the one credential of a request, not yet verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PresentedCredential<'a> {
    /// None at all.
    Anonymous,
    /// A bearer token; it holds token68 characters only.
    Token(&'a str),
    /// User and password of HTTP Basic, still encoded; token68 characters only.
    Basic(&'a str),
    /// An API key in a header of its own.
    Key {
        /// The header's name, as the settings spell it.
        header: &'a str,
        /// The header's value.
        value: &'a [u8],
    },
}

impl fmt::Debug for PresentedCredential<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Token(_) => "Token(…)",
            Self::Basic(_) => "Basic(…)",
            Self::Key { .. } => "Key(…)",
        })
    }
}

/// What `Bearer <token>` or `Basic <pair>` holds: the scheme in any case (RFC 9110, section 11.1), one space, a token68.
fn authorization(value: &[u8], takes_basic: bool) -> Result<PresentedCredential<'_>, IdentityError> {
    let end = value.iter().position(|&byte| !is_scheme(byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.is_empty() || !(rest.is_empty() || rest.starts_with(b" ")) {
        return Err(IdentityError::MalformedAuthorization);
    }
    let presented = if scheme.eq_ignore_ascii_case(b"bearer") {
        PresentedCredential::Token
    } else if takes_basic && scheme.eq_ignore_ascii_case(b"basic") {
        PresentedCredential::Basic
    } else {
        return Err(IdentityError::UnknownScheme);
    };
    rest.strip_prefix(b" ")
        .filter(|token| is_token68(token))
        .and_then(|token| std::str::from_utf8(token).ok())
        .map(presented)
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
