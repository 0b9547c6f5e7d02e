//! Credentials: the credentials of a request, and the selection of the one token or key among them.

use std::fmt;

use super::IdentityError;

/// Credentials: every part of a request that may authenticate its caller, borrowed and not yet verified.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    authorization: Option<&'a [u8]>,
    more_authorization: bool,
    query_token: Option<&'a str>,
    accepts_basic: bool,
    key: Option<(&'a str, &'a [u8])>,
    more_keys: bool,
}

impl<'a> Credentials<'a> {
    /// The credentials of a request with these raw values of `Authorization`, one for each field line.
    pub fn new(authorization: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values = authorization.into_iter();
        let (authorization, more_authorization) = (values.next(), values.next().is_some());
        Self { authorization, more_authorization, ..Self::default() }
    }

    /// Accepts the scheme HTTP Basic, which carries an API key.
    pub fn with_basic(self) -> Self {
        Self { accepts_basic: true, ..self }
    }

    /// Adds these raw values of the header `name`, which carries an API key; one for each field line.
    pub fn with_keys(self, name: &'a str, values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut keys = self.key.into_iter().chain(values.into_iter().map(|value| (name, value)));
        let (key, more) = (keys.next(), keys.next().is_some());
        Self { key, more_keys: self.more_keys || more, ..self }
    }

    /// Adds a token from the query, where the route allows one there.
    pub fn with_query_token(self, token: Option<&'a str>) -> Self {
        Self { query_token: token, ..self }
    }

    /// Selects the one credential.
    ///
    /// # Errors
    ///
    /// [`IdentityError::SeveralCredentials`] where there are two, even if they agree; otherwise the fault of the one.
    pub fn select(&self) -> Result<PresentedCredential<'a>, IdentityError> {
        if self.more_authorization || self.more_keys {
            return Err(IdentityError::SeveralCredentials);
        }
        match (self.authorization, self.query_token, self.key) {
            (None, None, None) => Ok(PresentedCredential::Anonymous),
            (Some(value), None, None) => parse_authorization(value, self.accepts_basic),
            (None, Some(token), None) if is_token68(token.as_bytes()) => Ok(PresentedCredential::Token(token)),
            (None, Some(_), None) => Err(IdentityError::MalformedToken),
            (None, None, Some((header, value))) => Ok(PresentedCredential::Key { header, value }),
            _ => Err(IdentityError::SeveralCredentials),
        }
    }
}

// `Debug` prints no credential, so that none reaches a log by mistake.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// PresentedCredential: the one credential of a request, not yet verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PresentedCredential<'a> {
    /// No credential.
    Anonymous,
    /// A bearer token of token68 characters.
    Token(&'a str),
    /// User and password of HTTP Basic, still encoded, of token68 characters.
    Basic(&'a str),
    /// An API key in a header of its own.
    Key {
        /// The header's name, as in the settings.
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

/// Parses `Bearer <token>` or `Basic <pair>`: the scheme in any case (RFC 9110, section 11.1), one space, a token68.
fn parse_authorization(value: &[u8], accepts_basic: bool) -> Result<PresentedCredential<'_>, IdentityError> {
    let end = value.iter().position(|&byte| !is_scheme_byte(byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.is_empty() || !(rest.is_empty() || rest.starts_with(b" ")) {
        return Err(IdentityError::MalformedAuthorization);
    }
    let make = if scheme.eq_ignore_ascii_case(b"bearer") {
        PresentedCredential::Token
    } else if accepts_basic && scheme.eq_ignore_ascii_case(b"basic") {
        PresentedCredential::Basic
    } else {
        return Err(IdentityError::UnknownScheme);
    };
    rest.strip_prefix(b" ")
        .filter(|token| is_token68(token))
        .and_then(|token| std::str::from_utf8(token).ok())
        .map(make)
        .ok_or(IdentityError::MalformedAuthorization)
}

/// Whether `byte` may be part of a scheme: a `tchar` of RFC 9110, section 5.6.2.
fn is_scheme_byte(byte: u8) -> bool {
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
