//! Tests of `json`: objects as in tokens, with and without repeated members.

use super::*;

#[test]
fn an_object_is_read_as_serde_json_reads_it() {
    let text = r#"{"a":1,"b":-2,"c":1.5,"d":[null,true,"x\u0041"],"e":{"f":{}}}"#;
    assert_eq!(Value::Object(parse_object(text.as_bytes()).unwrap()), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn a_member_that_stands_twice_is_refused_at_every_level() {
    for text in
        [r#"{"a":1,"a":1}"#, r#"{"b":{"a":1,"a":2}}"#, r#"{"b":[0,{"a":1,"a":2}]}"#, r#"{"sub":1,"s\u0075b":2}"#]
    {
        assert_eq!(parse_object(text.as_bytes()), Err(JsonError::RepeatedMember), "{text}");
    }
}

#[test]
fn what_is_not_one_object_is_refused() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    for text in
        ["", "[]", "1", "null", "{}{}", "{} x", "{\"a\":1,}", "{\"a\":1e999}", "{\"a\":NaN}", "\u{feff}{}", &deep]
    {
        assert_eq!(parse_object(text.as_bytes()), Err(JsonError::Malformed), "{text}");
    }
    assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::Malformed));
}
