//! Tests of which header blocks have only one framing.

use super::{check_header_block, is_authority};
use crate::request::RejectedRequest as R;

#[test]
fn a_block_that_two_servers_would_frame_differently_is_refused() {
    let host = "GET / HTTP/1.1\r\nHost: a\r\n";
    let table = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Ok(())),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Ok(())),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), Err(R::Host)),
        (format!("{host}Content-Length: 5\r\n\r\n"), Ok(())),
        (format!("{host}Transfer-Encoding: Chunked\r\n\r\n"), Ok(())),
        (format!("{host}Connection: keep-alive, Upgrade\r\n\r\n"), Ok(())),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Err(R::Host)),
        (format!("{host}Host: b\r\n\r\n"), Err(R::Host)),
        (format!("{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Content-Length: 5, 5\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Content-Length: +5\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Content-Length:\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Transfer-Encoding: chunked, gzip\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Transfer-Encoding: xchunked\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(R::Framing)),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), Err(R::Framing)),
        (format!("{host}X: a\n\r\n"), Err(R::Framing)),
        (format!("{host}X: a\rb\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Transfer-Encoding: \x0cchunked\r\n\r\n"), Err(R::Framing)),
        (format!("{host}X: a\x7fb\r\n\r\n"), Err(R::Framing)),
        (format!("{host}X : a\r\n\r\n"), Err(R::Framing)),
        (format!("{host} X: a\r\n\r\n"), Err(R::Framing)),
        (format!("{host}X: a\r\n b\r\n\r\n"), Err(R::Framing)),
        (format!("{host}X\r\n\r\n"), Err(R::Framing)),
        (format!("{host}Connection: Authorization\r\n\r\n"), Err(R::Nomination)),
        (format!("{host}Connection: close, X-Api-Version\r\n\r\n"), Err(R::Nomination)),
    ];
    for (block, expected) in table {
        assert_eq!(check_header_block(block.as_bytes()), expected, "{block:?}");
    }
}

#[test]
fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
    for host in ["noah.test", "NOAH.test:8080", "127.0.0.1", "[::1]", "[fe80::1]:443", "a_b-c~d"] {
        assert!(is_authority(host.as_bytes()), "{host}");
    }
    for host in [
        "", ":80", "a:", "a:b", "a:1:2", "a:123456", "[::1", "[::1]x", "[x]", "::1", "a@b", "a b", "a,b", "a/b", "a.",
        "a.:80", ".a", "a..b", ".",
    ] {
        assert!(!is_authority(host.as_bytes()), "{host:?}");
    }
}
