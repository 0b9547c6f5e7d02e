//! Which JSON asks for another method.

use super::JsonKeyScanner;

fn finds(text: &str, size: usize) -> bool {
    let mut keys = JsonKeyScanner::default();
    text.as_bytes().chunks(size).any(|chunk| chunk.iter().any(|&byte| keys.ends_override(byte)))
}

#[test]
fn a_key_named_like_an_override_shows_in_every_spelling() {
    for text in [
        r#"{"_method":"DELETE"}"#,
        r#"{"a": "b", "_method" : "DELETE"}"#,
        r#"{"a": "\\", "_METHOD": "DELETE"}"#,
        r#"{"a": "\"", "\u005fmethod": "DELETE"}"#,
        r#"{"a": [1, "x"], "\u005F\u006d\u0065\u0074\u0068\u006f\u0064"\t:"DELETE"}"#.replace("\\t", "\t").as_str(),
        r#"{"a": {"b": 1}, "_method": null}"#,
        r#"{"X-HTTP-Method-Override": "DELETE"}"#,
        "\u{feff}{\"_method\"\r\n:1}",
    ] {
        for size in [1, 5, text.len()] {
            assert!(finds(text, size), "{text} by {size}");
        }
    }
}

#[test]
fn a_text_that_only_speaks_of_overrides_passes() {
    let long = format!(r#"{{"{}_method": 1}}"#, "x".repeat(100));
    for text in [
        r#"{"a": "_method"}"#,
        r#"["_method", "x"]"#,
        r#"{"method": "DELETE", "payment_method": "cash"}"#,
        r#"{"a": "\"_method\": 1"}"#,
        r#"{"a": "say \\\"_method\\\": 1"}"#,
        &long,
    ] {
        assert!(!finds(text, text.len()), "{text}");
    }
}
