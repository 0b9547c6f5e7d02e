//! Tests of canonical paths.

use proptest::prelude::*;

use super::{CanonicalPath, decode_segment, encode_segment};
use crate::property::{CASES, hold};
use crate::request::{Dialect, RejectedRequest as R, Treatment};

fn read(raw: &str, dialect: Dialect) -> Result<String, R> {
    CanonicalPath::read(raw.as_bytes(), dialect).map(|path| path.as_str().to_owned())
}

#[test]
fn a_path_has_one_spelling_or_none() {
    let table: [(&str, Result<&str, R>); 46] = [
        ("/", Ok("/")),
        ("/a/b", Ok("/a/b")),
        ("/%61/b", Ok("/a/b")),
        ("/a%7Eb", Ok("/a~b")),
        ("/a%20b", Ok("/a%20b")),
        ("/a%c3%a4", Ok("/a%C3%A4")),
        ("/aä", Ok("/a%C3%A4")),
        ("/a%24b", Ok("/a$b")),
        ("/a:b@c,d=e", Ok("/a:b@c,d=e")),
        ("/a%3Ab", Ok("/a:b")),
        ("/a|b", Ok("/a%7Cb")),
        ("/a%2b", Ok("/a+")),
        ("/a/", Ok("/a/")),
        ("/a.b", Ok("/a.b")),
        ("/.a/...b", Ok("/.a/...b")),
        ("/a%25zz", Ok("/a%25zz")),
        ("/a%2Fb", Ok("/a%2Fb")),
        ("/.", Err(R::DotSegment)),
        ("/a/../b", Err(R::DotSegment)),
        ("/a/..", Err(R::DotSegment)),
        ("/a/./b", Err(R::DotSegment)),
        ("/a/%2e%2e/b", Err(R::DotSegment)),
        ("/a/.%2E/b", Err(R::DotSegment)),
        ("/a%2Eb", Err(R::DotSegment)),
        ("/a%2F..", Err(R::DotSegment)),
        ("/a//b", Err(R::EmptySegment)),
        ("//a", Err(R::EmptySegment)),
        ("/a%2F/b", Err(R::EmptySegment)),
        ("/a\\b", Err(R::Backslash)),
        ("/a%5cb", Err(R::Backslash)),
        ("/a%00", Err(R::Control)),
        ("/a%0d%0ab", Err(R::Control)),
        ("/a%7f", Err(R::Control)),
        ("/a%C2%85", Err(R::Control)),
        ("/a%23b", Err(R::Control)),
        ("/a%3Fb", Err(R::Control)),
        ("/a%2541", Err(R::DoubleEncoding)),
        ("/a%25%34%31", Err(R::DoubleEncoding)),
        ("/a%25u0041", Err(R::DoubleEncoding)),
        ("/a%25u004", Ok("/a%25u004")),
        ("/a%", Err(R::PercentEncoding)),
        ("/a%4", Err(R::PercentEncoding)),
        ("/a%zz", Err(R::PercentEncoding)),
        ("/a%ff", Err(R::NotUtf8)),
        ("/a%c0%af", Err(R::NotUtf8)),
        ("a", Err(R::TargetForm)),
    ];
    for (_, dialect) in Dialect::KEYWORDS {
        let folds = dialect.traits().trailing_slash == Treatment::Folded;
        for (input, expected) in table {
            let expected = match (folds, expected) {
                (true, Ok(path)) if path.len() > 1 => Ok(path.strip_suffix('/').unwrap_or(path).to_owned()),
                (_, expected) => expected.map(str::to_owned),
            };
            assert_eq!(read(input, dialect), expected, "{input} {dialect:?}");
        }
    }
}

#[test]
fn strict_refuses_parts_that_some_server_strips() {
    let table = [
        ("/a;x=1", R::PathParameter),
        ("/a%3Bx", R::PathParameter),
        ("/a./b", R::TrailingDot),
        ("/a%20/b", R::TrailingDot),
        ("/a.", R::TrailingDot),
    ];
    for (input, expected) in table {
        assert_eq!(read(input, Dialect::Strict), Err(expected), "{input}");
        assert!(read(input, Dialect::Aspnet).is_ok(), "{input}");
    }
    for (word, dialect) in Dialect::KEYWORDS {
        assert!(read("/a/..;/b", dialect).is_err(), "{word}");
    }
}

#[test]
fn windows_aliases_are_refused_where_the_upstream_may_run_on_windows() {
    let names = [
        "/a::$DATA",
        "/a:x:$DATA",
        "/a:$I30:$INDEX_ALLOCATION",
        "/SECRET~1",
        "/s~12.txt",
        "/a/SECRET~1/b",
        "/S~1:x",
        "/S~1%20:x",
        "/S~1%20.txt",
        "/S~1.%20:x",
        "/.:x",
        "/a/..:x/b",
        "/.%20.:x",
        "/(S(x))/a",
        "/a(F(x))",
        "/a/(S(x)A(y))",
        "/a%EF%BD%93",
        "/a%EF%BC%8Fb",
        "/a%E2%88%95b",
        "/a%C2%A5b",
    ];
    for (word, dialect) in Dialect::KEYWORDS {
        let refuses = dialect.traits().windows_names == Treatment::Refused;
        for name in names {
            assert_eq!(read(name, dialect) == Err(R::WindowsName), refuses, "{name} {word}");
        }
        for plain in ["/a~b", "/~a", "/a~", "/~1", "/long-name~1", "/a:b", "/(a)", "/f(x)", "/((x))", "/a%E4%B8%AD"] {
            assert!(read(plain, dialect).is_ok(), "{plain} {word}");
        }
    }
}

#[test]
fn a_path_is_plain_if_no_server_reads_it_differently() {
    for (path, plain) in [
        ("/a/b-c_d", true),
        ("/a,b=c@d", true),
        ("/", false),
        ("/a/", false),
        ("/a.b", false),
        ("/a:b", false),
        ("/a%20b", false),
        ("/%61", true),
    ] {
        assert_eq!(CanonicalPath::read(path.as_bytes(), Dialect::Strict).unwrap().is_plain(), plain, "{path}");
    }
}

#[test]
fn letters_that_fold_into_ascii_are_refused_for_a_case_insensitive_server() {
    for letter in ["\u{17f}", "\u{212a}", "\u{131}", "\u{130}"] {
        assert_eq!(read(&format!("/Patient{letter}"), Dialect::Aspnet), Err(R::FoldsIntoAscii), "{letter}");
        // The server behind `strict` is unknown and may be case-insensitive.
        assert_eq!(read(&format!("/Patient{letter}"), Dialect::Strict), Err(R::FoldsIntoAscii), "{letter}");
    }
    for letter in ["ä", "ß", "Å", "ñ", "я"] {
        assert!(read(&format!("/Patient{letter}"), Dialect::Aspnet).is_ok(), "{letter}");
    }
}

#[test]
fn reading_a_canonical_path_again_changes_nothing() {
    hold(CASES, "/(([a-z.%;:~(1ä/ ]|%[0-9a-fA-F]{2}){0,12})", |raw| {
        for (_, dialect) in Dialect::KEYWORDS {
            if let Ok(once) = read(&raw, dialect) {
                prop_assert_eq!(read(&once, dialect), Ok(once.clone()));
            }
        }
        Ok(())
    });
}

#[test]
fn a_value_survives_its_encoding() {
    hold(CASES, "\\PC{0,12}", |value| {
        let encoded = encode_segment(&value);
        prop_assert_eq!(decode_segment(&encoded), value.as_str());
        Ok(())
    });
}
