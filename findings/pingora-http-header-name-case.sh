#!/usr/bin/env bash
# pingora-http 0.9.1, preserve_case on (the default of `RequestHeader::build`): the spelling of a header field on an
# HTTP/1.1 connection depends on how its name was given, and for constants of the `http` crate on a list of twelve.
# `insert_header(HOST, …)` writes `Host`; `insert_header(COOKIE, …)` and `insert_header(AUTHORIZATION, …)` write the name
# in lower case, in place of the spelling that the client sent. A string keeps its spelling. Field names are
# case-insensitive (RFC 9110, section 5.1), but a proxy in front of an old server that compares them by case changes its
# requests in this way. Needs cargo; installs nothing outside a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
bytes = "=1.10.1"
http = "=1.3.1"
pingora-http = "=0.9.1"
END
cat >"$folder/src/main.rs" <<'END'
use http::header::{AUTHORIZATION, COOKIE, HOST};
use pingora_http::RequestHeader;

fn main() {
    let mut request = RequestHeader::build("GET", b"/", None).unwrap();
    // As a client sent them.
    for name in ["Host", "Cookie", "Authorization"] {
        request.append_header(name, "from-the-client").unwrap();
    }
    request.insert_header(HOST, "replaced").unwrap();
    request.insert_header(COOKIE, "replaced").unwrap();
    request.insert_header(AUTHORIZATION, "replaced").unwrap();
    request.insert_header("X-Text".to_owned(), "kept").unwrap();
    let mut wire = Vec::new();
    request.header_to_h1_wire(&mut wire);
    print!("{}", String::from_utf8(wire).unwrap().replace("\r\n", "\n"));
}
END

expected='Host: replaced
cookie: replaced
authorization: replaced
X-Text: kept'
seen=$(cd "$folder" && cargo run --quiet)
printf '%s\n' "$seen"
if [[ $seen != "$expected" ]]; then
    printf '\nchanged: expected\n%s\n' "$expected" >&2
    exit 1
fi
