//! Which bodies are forms, and which parts show.

use http::{HeaderMap, HeaderValue};

use super::{FormKind, Scan, Unreadable, kind};

#[test]
fn a_form_is_known_by_its_media_type() {
    let table = [
        ("application/x-www-form-urlencoded", Some(FormKind::UrlEncoded)),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", Some(FormKind::UrlEncoded)),
        ("multipart/form-data; boundary=x", Some(FormKind::Multipart)),
        ("multipart/related; boundary=x", None),
        ("application/json", None),
    ];
    for (written, expected) in table {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(written));
        assert_eq!(kind(&headers), Ok(expected), "{written}");
    }
}

#[test]
fn a_form_that_may_be_read_otherwise_is_unreadable() {
    let form = "application/x-www-form-urlencoded";
    let table = [
        (vec![("content-type", form), ("content-type", "multipart/form-data; boundary=x")]),
        (vec![("content-type", "text/plain"), ("content-type", form)]),
        (vec![("content-type", form), ("content-encoding", "gzip")]),
        (vec![("content-type", "application/x-www-form-urlencoded; Charset = utf-16")]),
    ];
    for fields in table {
        let mut headers = HeaderMap::new();
        for (name, value) in &fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(kind(&headers), Err(Unreadable), "{fields:?}");
    }
}

#[test]
fn a_part_named_like_an_override_shows_wherever_the_chunks_end() {
    let body = b"--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--";
    for size in 1..body.len() {
        let mut scan = Scan::default();
        assert!(body.chunks(size).any(|chunk| scan.finds_override(chunk)), "{size}");
    }
    let mut scan = Scan::default();
    assert!(!scan.finds_override(b"--x\r\nContent-Disposition: form-data; name=\"payment_method\"\r\n\r\ncash"));
}
