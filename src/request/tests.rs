//! Tests of which requests have a canonical spelling.

use super::{Dialect, OverrideMode, RawRequest, RejectedRequest, read};

fn target(target: &str, dialect: Dialect) -> Result<(String, Option<String>), RejectedRequest> {
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest { method: "GET", target: target.as_bytes(), host: Some(b"api.example"), headers: &headers };
    read(&raw, dialect, OverrideMode::Reject).map(|read| (read.path.as_str().to_owned(), read.query.map(str::to_owned)))
}

#[test]
fn a_target_is_a_path_or_names_the_host() {
    let ok = |path: &str| Ok((path.to_owned(), None));
    let table = [
        ("/a/b", ok("/a/b")),
        ("http://api.example/a", ok("/a")),
        ("HTTPS://API.EXAMPLE/a", ok("/a")),
        ("http://other.example/a", Err(RejectedRequest::AuthorityMismatch)),
        ("http://api.example@other/a", Err(RejectedRequest::AuthorityMismatch)),
        ("http://api.example", Err(RejectedRequest::TargetForm)),
        ("*", Err(RejectedRequest::TargetForm)),
        ("a/b", Err(RejectedRequest::TargetForm)),
        ("", Err(RejectedRequest::TargetForm)),
        ("ftp://api.example/a", Err(RejectedRequest::TargetForm)),
        ("/a?x=1?y", Ok(("/a".to_owned(), Some("x=1?y".to_owned())))),
        ("/a?x=1#f", Err(RejectedRequest::Query)),
        ("/a?x= 1", Err(RejectedRequest::Query)),
    ];
    for (input, expected) in table {
        assert_eq!(target(input, Dialect::Strict), expected, "{input}");
    }
}

#[test]
fn a_method_override_is_refused_stripped_or_evaluated() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);
    let none: &[(&str, &str)] = &[];
    let table: [Case<'_>; 18] = [
        ("/a?[_method]=delete", none, true),
        ("/a", &[("X-HTTP-Method-Override", "DELETE")], true),
        ("/a", &[("x_http_method_override", "DELETE")], true),
        ("/a", &[("X.HTTP.Method", "delete")], true),
        ("/a", &[("X-Method-Override", "PUT")], true),
        ("/a?_method=delete", none, true),
        ("/a?%5Fmethod=delete", none, true),
        ("/a?x=1&_METHOD=delete", none, true),
        ("/a?x=1;_method=delete", none, true),
        ("/a?_method[]=delete", none, true),
        ("/a?.method=delete", none, true),
        ("/a?_HttpMethod=delete", none, true),
        ("/a?x-tunneled-method=delete", none, true),
        ("/a?X-HTTP-Method-Override=delete", none, true),
        ("/a?_method%00x=delete", none, true),
        ("/a?+[_method][]=delete", none, true),
        ("/a?method=delete", none, false),
        ("/a", &[("X-Method", "DELETE")], false),
    ];
    for (target, headers, found) in table {
        let raw = RawRequest { method: "POST", target: target.as_bytes(), host: None, headers: &FromSlice(headers) };
        let refused = read(&raw, Dialect::Strict, OverrideMode::Reject);
        assert_eq!(refused.is_err(), found, "{target} {headers:?}");
        assert!(read(&raw, Dialect::Strict, OverrideMode::Strip).unwrap().overrides.is_empty());
        let judged = read(&raw, Dialect::Strict, OverrideMode::Evaluate).unwrap().overrides;
        assert_eq!(judged.len(), usize::from(found), "{target} {headers:?}");
        assert!(judged.iter().all(|method| ["DELETE", "PUT"].contains(&method.as_str())));
    }
}

#[test]
fn a_method_is_a_short_token() {
    let headers: [(&str, &str); 0] = [];
    for (method, fine) in [("GET", true), ("PROPFIND", true), ("", false), ("G T", false), (&*"X".repeat(33), false)] {
        let raw = RawRequest { method, target: b"/a", host: None, headers: &headers };
        assert_eq!(read(&raw, Dialect::Strict, OverrideMode::Reject).is_ok(), fine, "{method}");
    }
}

struct FromSlice<'a>(&'a [(&'a str, &'a str)]);

impl super::HeaderView for FromSlice<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.0.for_each(visit);
    }
}
