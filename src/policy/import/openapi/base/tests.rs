//! Tests of `base`: base paths from server URLs.

use super::*;
use crate::document::{Findings, Sources, parse_lenient};

#[test]
fn the_base_path_is_what_stands_behind_the_authority() {
    for (server, expected) in [
        ("url: https://api.example/v1/", "/v1"),
        ("url: https://api.example", ""),
        ("url: /", ""),
        ("url: /v1?x=/y", "/v1"),
        ("url: api/v2", "/api/v2"),
        ("url: //api.example:8080/v3", "/v3"),
        (
            "{ url: 'https://{host}/{stage}/api', variables: { host: { default: a.b }, stage: { default: prod } } }",
            "/prod/api",
        ),
        ("url: 'https://api.example/{stage}'", "/{stage}"),
    ] {
        let mut sources = Sources::default();
        let file = sources.add("it", &format!("servers:\n  - {server}\n"));
        let root = parse_lenient(&sources, file, &mut Findings::default()).unwrap();
        assert_eq!(read_servers(&root).as_deref(), Some(expected), "{server}");
    }
}
