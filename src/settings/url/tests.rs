//! Tests of `url`: valid URLs with their parts, and refused ones.

use super::{HttpUrl, is_dns_name};

#[test]
fn a_url_is_read_into_its_parts_or_refused() {
    let table = [
        ("http://127.0.0.1:5080", Ok("http 127.0.0.1 5080 /")),
        ("https://login.example.com", Ok("https login.example.com 443 /")),
        ("https://Login.Example.COM/Keys?v=1", Ok("https login.example.com 443 /Keys?v=1")),
        ("http://noah_es:80/", Ok("http noah_es 80 /")),
        ("https://host?x", Ok("https host 443 /?x")),
        ("http://[::1]:8080/jwks", Ok("http [::1] 8080 /jwks")),
        ("http://[::1]", Ok("http [::1] 80 /")),
        ("HTTP://host", Err("begins with")),
        ("ftp://host", Err("begins with")),
        ("host:80", Err("begins with")),
        ("http://", Err("host is missing")),
        ("http://:80", Err("host is missing")),
        ("http:///path", Err("host is missing")),
        ("http://user@host", Err("user or password")),
        ("http://user:password@host", Err("user or password")),
        ("http://host#part", Err("fragment")),
        ("http://host:0", Err("port")),
        ("http://host:65536", Err("port")),
        ("http://host:", Err("port")),
        ("http://host:080", Err("port")),
        ("http://host:+80", Err("port")),
        ("http://host::80", Err("port")),
        ("http://::1:80", Err("host is missing")),
        ("http://127.1", Err("IPv4")),
        ("http://0x7f.0x1", Err("IPv4")),
        ("http://256.0.0.1", Err("IPv4")),
        ("http://2130706433", Err("IPv4")),
        ("http://[127.0.0.1]", Err("brackets")),
        ("http://[::1", Err("brackets")),
        ("http://ho st", Err("character")),
        ("http://höst", Err("character")),
        ("http://host\\path", Err("character")),
        ("http://-host", Err("no name")),
        ("http://host..example", Err("no name")),
        ("http://host%2eexample", Err("no name")),
    ];
    for (written, expected) in table {
        match (HttpUrl::parse(written), expected) {
            (Ok(url), Ok(parts)) => {
                let scheme = if url.tls { "https" } else { "http" };
                assert_eq!(format!("{scheme} {} {} {}", url.host, url.port, url.target), parts, "{written}");
                assert_eq!(HttpUrl::parse(&url.to_string()).as_ref(), Ok(&url), "{written} prints back as itself");
            }
            (Err(fault), Err(part)) => assert!(fault.contains(part), "{written}: {fault}"),
            (found, _) => panic!("{written}: {found:?}"),
        }
    }
}

#[test]
fn the_port_of_the_scheme_is_not_part_of_the_authority() {
    let table = [
        ("http://host:80", "host"),
        ("http://host:443", "host:443"),
        ("https://host:443", "host"),
        ("https://[::1]:8443", "[::1]:8443"),
    ];
    for (written, authority) in table {
        assert_eq!(HttpUrl::parse(written).unwrap().authority(), authority);
    }
}

#[test]
fn only_this_machine_is_loopback() {
    let table = [
        ("http://127.0.0.1", true),
        ("http://127.9.9.9:81", true),
        ("http://[::1]", true),
        ("http://[::ffff:127.0.0.1]", true),
        ("http://localhost", true),
        ("http://LOCALHOST", true),
        ("http://localhost.example.com", false),
        ("http://10.0.0.1", false),
        ("http://127.0.0.1.example.com", false),
    ];
    for (written, expected) in table {
        assert_eq!(HttpUrl::parse(written).unwrap().is_loopback(), expected, "{written}");
    }
}

#[test]
fn a_certificate_carries_dns_names_only() {
    let table =
        [("noah.internal", true), ("noah", true), ("noah_es", false), ("", false), ("a.", false), ("*.a", false)];
    for (name, expected) in table {
        assert_eq!(is_dns_name(name), expected, "{name}");
    }
}
