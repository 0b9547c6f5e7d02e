//! HttpUrl: an `http` or `https` address as settings may spell it; nothing in it is guessed at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// HttpUrl: where to connect, whether with TLS, and what to ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Whether it begins with `https`.
    pub tls: bool,
    /// The machine.
    pub host: UrlHost,
    /// The port, that of the scheme where none is written.
    pub port: u16,
    /// Path and query, as written; `/` where there is none.
    pub target: Box<str>,
}

/// UrlHost: a machine by name or by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlHost {
    /// A name, in small letters.
    Name(Box<str>),
    /// An address.
    Address(IpAddr),
}

impl HttpUrl {
    /// The URL that `written` spells, or what is wrong with it.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match (written.strip_prefix("http://"), written.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("it begins with `http://` or `https://`"),
        };
        if !written.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
            return Err("it holds a character that no URL may hold");
        }
        if rest.contains('#') {
            return Err("a fragment (`#`) is never sent");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("a user or password does not belong into a URL");
        }
        let (host, port) = split_authority(authority)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let target = if target.starts_with('/') { target.into() } else { format!("/{target}").into() };
        Ok(Self { tls, host, port, target })
    }

    /// Whether the machine is this one.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            UrlHost::Name(name) => &**name == "localhost",
            UrlHost::Address(address) => address.to_canonical().is_loopback(),
        }
    }

    /// Host and port as a `Host` header spells them: without the port of the scheme.
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
    /// The host that `written` spells, an IPv6 address in brackets, or what is wrong with it.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        if let Some(inner) = written.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            return address.map(|address| Self::Address(address.into())).ok_or("brackets hold an IPv6 address");
        }
        if let Ok(address) = written.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let last = written.rsplit('.').next().unwrap_or_default();
        // Resolvers read `127.1` and `0x7f000001` as addresses: a name never ends in a number.
        let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
        let number = |text: &str, digit: fn(&u8) -> bool| text.bytes().all(|byte| digit(&byte));
        if !last.is_empty() && number(last, u8::is_ascii_digit)
            || hexadecimal.is_some_and(|rest| number(rest, u8::is_ascii_hexdigit))
        {
            return Err("the host is no complete IPv4 address, and no name ends in a number");
        }
        if is_host_name(written) {
            Ok(Self::Name(written.to_ascii_lowercase().into()))
        } else {
            Err("the host is no name and no address")
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

/// Host and port of `host:port`, `host`, `[v6]:port` or `[v6]`.
pub fn split_authority(authority: &str) -> Result<(UrlHost, Option<u16>), &'static str> {
    if authority.starts_with('[') && !authority.contains(']') {
        return Err("brackets hold an IPv6 address and are closed behind it");
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

/// Whether `name` can stand in a certificate: letters, digits and `-` between dots (RFC 1123, section 2.1).
pub fn is_dns_name(name: &str) -> bool {
    is_host_name(name) && !name.contains('_')
}

/// As [`is_dns_name`], with the `_` that container networks use.
fn is_host_name(name: &str) -> bool {
    let letters = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && letters(label) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests;
