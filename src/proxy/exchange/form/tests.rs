//! Which bodies are forms, and which parts show.

use http::{HeaderMap, HeaderValue};

use super::{FormKind, OverrideScanner, UnreadableForm, kind};

#[test]
fn a_form_is_known_by_its_media_type() {
    let table = [
        ("application/x-www-form-urlencoded", Some(FormKind::UrlEncoded)),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", Some(FormKind::UrlEncoded)),
        ("multipart/form-data; boundary=x", Some(FormKind::Multipart)),
        ("application/x-www-form-urlencoded x", Some(FormKind::UrlEncoded)),
        (" application/x-www-form-urlencoded\t", Some(FormKind::UrlEncoded)),
        ("text/urlencoded", Some(FormKind::UrlEncoded)),
        ("multipart/related; boundary=x", Some(FormKind::Multipart)),
        ("Multipart/Mixed", Some(FormKind::Multipart)),
        // Formidable looks at the whole field.
        ("text/plain; was=multipart/form-data", Some(FormKind::Multipart)),
        ("text/plain, application/x-www-form-urlencoded", Some(FormKind::UrlEncoded)),
        ("multipart/related; type=\"application/x-www-form-urlencoded\"", Some(FormKind::Multipart)),
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
        (vec![("content-type", "application/x-www-form-urlencoded; charset*=utf-8''utf-16")]),
    ];
    for fields in table {
        let mut headers = HeaderMap::new();
        for (name, value) in &fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(kind(&headers), Err(UnreadableForm), "{fields:?}");
    }
}

#[test]
fn a_part_named_like_an_override_shows_wherever_the_chunks_end() {
    let body = b"--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--";
    for size in 1..body.len() {
        let mut scan = OverrideScanner::of_parts();
        assert!(body.chunks(size).any(|chunk| scan.finds_override(chunk)), "{size}");
    }
    let mut scan = OverrideScanner::of_parts();
    assert!(!scan.finds_override(b"--x\r\nContent-Disposition: form-data; name=\"payment_method\"\r\n\r\ncash"));
}

#[test]
fn a_body_without_a_type_is_scanned_like_a_form() {
    let table: [(&[u8], bool); 14] = [
        (b"_method=DELETE", true),
        (b"a=b&_method=DELETE", true),
        (b"a=b;_METHOD=DELETE", true),
        (b"a=b&%5Fmethod=DELETE", true),
        (b"a=b&.method=DELETE", true),
        (b"_%6dethod=DELETE", true),
        (b"a=1&%5f%6Dethod=DELETE", true),
        (b"+_method=DELETE", true),
        (b"[_method]=DELETE", true),
        (b"X-HTTP-Method-Override=DELETE", true),
        (b"x_method=DELETE", false),
        (b"payment_method=cash", false),
        (b"{\"a\": \"_method\"}", false),
        (b"a=_method", false),
    ];
    for (body, expected) in table {
        for size in 1..=body.len() {
            let mut scan = OverrideScanner::of_fields();
            let found = body.chunks(size).any(|chunk| scan.finds_override(chunk));
            assert_eq!(found, expected, "{} by {size}", String::from_utf8_lossy(body));
        }
    }
}

#[test]
fn a_part_named_by_another_spelling_shows_too() {
    for part in [
        "; name*=utf-8''%5Fmethod;",
        "; NAME*=utf-16le'en'_%00m%00",
        // Werkzeug 3.1 joins these.
        "; name*0=\"_me\"; name*1=\"thod\"",
        ";name*0*=utf-8''%5Fme;",
        "name=\"\\_method\"",
        "name=_method\r\n",
        "name=\"  _method\"",
        "NAME = \"[_method]\"",
        "name='_method'",
        "name=\"X-HTTP-Method-Override\"",
        // PHP 8.2 ends the first at its line, and joins the second from two.
        "name=\"_method\r\n\r\nDELETE\r\n--x--\r\n",
        "name=\"\r\n _method\"",
        "name=\"\r\n _method\r\n\r\n",
        "name=\"_method\r\n\r\nDELETE",
        "name='_method\n",
        "name*0=\"_me\"; name*1=\"thod\"",
        "name*0*=utf-8''_me; name*1=thod",
        "name=\"=?utf-8?q?_method?=\"",
        "name=\"_method\0x\"",
        "xname='; name=\"_method\"",
        "filename=\"a\\\"; name=\"_method\"",
    ] {
        assert!(OverrideScanner::of_parts().finds_override(part.as_bytes()), "{part}");
    }
    for part in [
        "name=\"some_method\"",
        "name=\"method\"",
        "filename=\"a_method\"",
        "call some_method and more",
        "; filename*=utf-8''a",
        "name*=2",
    ] {
        assert!(!OverrideScanner::of_parts().finds_override(part.as_bytes()), "{part}");
    }
}

#[test]
fn blanks_do_not_push_a_name_out_of_sight() {
    for blanks in [1, 255, 256, 600, 1900, 2100, 6000] {
        for part in ["name{}=\"_method\"", "name={}\"_method\"", "name=\"{}_method\"", "name=\"{}[_method]\""] {
            let part = part.replace("{}", &" ".repeat(blanks));
            for size in [1, 7, 300, part.len()] {
                let mut scan = OverrideScanner::of_parts();
                let found = part.as_bytes().chunks(size).any(|chunk| scan.finds_override(chunk));
                assert!(found, "{blanks} blanks by {size}");
            }
        }
        for piece in ["%5B", "%5b+%20[", "%09", "\t%5D", "\\[", "%C2%A0"] {
            let mut scan = OverrideScanner::of_fields();
            let name = piece.repeat(blanks);
            assert!(scan.finds_override(format!("{name}_method=DELETE").as_bytes()), "{blanks} times {piece}");
            let part = format!("name=\"{name}_method\"");
            assert!(
                OverrideScanner::of_parts().finds_override(part.as_bytes()),
                "{blanks} times {piece} before a part's name"
            );
        }
    }
    let mut scan = OverrideScanner::of_parts();
    let table = format!("name{}value\r\nname of a thing\r\n", " ".repeat(200)).repeat(1000);
    assert!(!table.as_bytes().chunks(333).any(|chunk| scan.finds_override(chunk)));
}

#[test]
fn where_a_chunk_ends_changes_nothing() {
    for padding in 0..600 {
        let mut scan = OverrideScanner::of_parts();
        let first = format!("call some_method{}", "x".repeat(padding));
        assert!(!scan.finds_override(first.as_bytes()) && !scan.finds_override(b"the rest"), "{padding}");
    }
}

#[test]
fn a_part_header_of_broken_lines_shows_wherever_the_chunks_end() {
    let long = format!("X: {}Content-Disposition: form-data; name=\"_me\r\nthod\"\r\n\r\nDELETE", "x".repeat(5117));
    let late = format!("Content-Disposition: form-data; name=\"_me\r\nthod\"{}:\r\n\r\nDELETE", "x".repeat(5117));
    for part in [
        "--x\r\nContent-Disposition: form-data; name=\"_me\r\nthod\"\r\n\r\nDELETE",
        "--x\ncontent-disposition: form-data; name=\"_me\nthod\"\n\nDELETE",
        "--x\r\nContent-Disposition: form-data; na\r\nme=\"_method\"\r\n\r\nDELETE",
        "--x\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=_me\r\nthod\r\n\r\nDELETE",
        "--x\r\nContent-Disposition: form-data; name=\"_me\r\nthod\"\0:\r\n\r\nDELETE",
        "--x\r\nContent-Disposition: form-data;\r\r\n\r\r\nna\nme=_method\r\n\r\nDELETE",
        &long,
        &late,
    ] {
        for size in [1, 2, 7, 64, part.len()] {
            let mut scan = OverrideScanner::of_parts();
            assert!(part.as_bytes().chunks(size).any(|chunk| scan.finds_override(chunk)), "{part} by {size}");
        }
    }
    for part in [
        "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nsome text\r\nof two lines\r\n--x--",
        "--x\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\nContent-Type: text/plain\r\n\r\n\0\0\r\n--x--",
        "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nThe content-disposition: of this\nis text\r\n--x--",
    ] {
        let mut scan = OverrideScanner::of_parts();
        assert!(!scan.finds_override(part.as_bytes()), "{part}");
    }
}

#[test]
fn a_name_in_utf_16_escapes_shows() {
    assert!(OverrideScanner::of_fields().finds_override(b"a=1&%u0058-HTTP-Method-Override=DELETE"));
    assert!(!OverrideScanner::of_fields().finds_override(b"{\"a\": \"50% up\", \"b\": \"=\"}"));
}
