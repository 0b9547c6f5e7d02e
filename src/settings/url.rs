//! HttpUrl: an `http` or `https` URL of the settings, parsed without guesses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// HttpUrl: scheme, host, port and target of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Whether the scheme is `https`.
    pub tls: bool,
    /// The host.
    pub host: UrlHost,
    /// The port; the default port of the scheme where none is written.
    pub port: u16,
    /// Path and query as written; `/` where there is none.
    pub target: Box<str>,
}

/// UrlHost: a host by name or by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlHost {
    /// A name in lower case.
    Name(Box<str>),
    /// An IP address.
    Address(IpAddr),
}

impl HttpUrl {
    /// Parses a URL.
    ///
    /// # Errors
    ///
    /// A message about what is wrong.
    pub fn parse(raw: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match (raw.strip_prefix("http://"), raw.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("it begins with `http://` or `https://`"),
        };
        if !raw.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
            return Err("it holds a character that no URL may hold");
        }
        if rest.contains('#') {
            return Err("a fragment (`#`) is never sent");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("a user or password does not belong in a URL");
        }
        let (host, port) = split_authority(authority)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let target = if target.starts_with('/') { target.into() } else { format!("/{target}").into() };
        Ok(Self { tls, host, port, target })
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            UrlHost::Name(name) => &**name == "localhost",
            UrlHost::Address(address) => address.to_canonical().is_loopback(),
        }
    }

    /// Host and port as in a `Host` header: without the default port of the scheme.
    pub fn authority(&self) -> String {
        let ordinary = if self.tls { 443 } else { 80 };
        if self.port == ordinary { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "http{}://{}{}", if self.tls { "s" } else { "" }, self.authority(), self.target)
    }
}

impl UrlHost {
    /// Parses a host; an IPv6 address needs brackets.
    ///
    /// # Errors
    ///
    /// A message about what is wrong.
    pub fn parse(raw: &str) -> Result<Self, &'static str> {
        if let Some(inner) = raw.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            return address.map(|address| Self::Address(address.into())).ok_or("brackets hold an IPv6 address");
        }
        if let Ok(address) = raw.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let last = raw.rsplit('.').next().unwrap_or_default();
        // Resolvers read `127.1` and `0x7f000001` as addresses, so a name must not end in a number.
        let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
        let number = |text: &str, digit: fn(&u8) -> bool| text.bytes().all(|byte| digit(&byte));
        if !last.is_empty() && number(last, u8::is_ascii_digit)
            || hexadecimal.is_some_and(|rest| number(rest, u8::is_ascii_hexdigit))
        {
            return Err("the host is not a complete IPv4 address, and a name must not end in a number");
        }
        if is_host_name(raw) {
            Ok(Self::Name(raw.to_ascii_lowercase().into()))
        } else {
            Err("the host is no name or address")
        }
    }
}

impl std::fmt::Display for UrlHost {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(out, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(out, "[{address}]"),
        }
    }
}

/// Splits `host:port`, `host`, `[v6]:port` or `[v6]` into host and port.
///
/// # Errors
///
/// A message about what is wrong.
pub fn split_authority(authority: &str) -> Result<(UrlHost, Option<u16>), &'static str> {
    if authority.starts_with('[') && !authority.contains(']') {
        return Err("brackets enclose an IPv6 address, and the closing bracket is missing");
    }
    let behind_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(behind_brackets..).and_then(|rest| rest.find(':')) {
        Some(colon) => {
            let (host, port) = authority.split_at_checked(behind_brackets + colon).unwrap_or((authority, ""));
            (host, Some(port.strip_prefix(':').unwrap_or(port)))
        }
        None => (authority, None),
    };
    if host.is_empty() {
        return Err("the host is missing");
    }
    let port = match port {
        None => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port != 0 && port.to_string() == digits => Some(port),
            _ => return Err("the port is a number between 1 and 65535"),
        },
    };
    Ok((UrlHost::parse(host)?, port))
}

/// Whether a certificate can carry `name`: letters, digits and `-` between dots (RFC 1123, section 2.1).
pub fn is_dns_name(name: &str) -> bool {
    is_host_name(name) && !name.contains('_')
}

/// As [`is_dns_name`], and also with `_`, which container networks use.
fn is_host_name(name: &str) -> bool {
    let letters = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && letters(label) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests;
