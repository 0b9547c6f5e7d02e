//! Tests with documents of other programs, and with hostile documents.

use super::*;

fn read(text: &str) -> (Option<Node>, Findings) {
    let mut sources = Sources::default();
    let file = sources.add("it.yaml", text);
    let mut findings = Findings::default();
    (parse_lenient(&sources, file, &mut findings), findings)
}

/// A tree in one line: `{a:1,b:[2]}`.
fn line(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, .. } => text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(line).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}:{}", line(key), line(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}

fn refused(text: &str) -> String {
    let (node, findings) = read(text);
    assert!(node.is_none(), "{text}");
    findings.sorted()[0].message.clone()
}

#[test]
fn foreign_documents_are_read_as_most_programs_read_them() {
    for (text, expected) in [
        ("a: &x {b: 1}\nc: *x", "{a:{b:1},c:{b:1}}"),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", "{a:{b:1,c:2},d:{c:3,b:1}}"),
        ("a: &x {b: 1}\nd: &y {b: 2, e: 3}\nf: {<<: [*x, *y]}", "{a:{b:1},d:{b:2,e:3},f:{b:1,e:3}}"),
        ("a: !!str 1\nb: !mine {c: 2}", "{a:1,b:{c:2}}"),
        ("200: yes\non: ~\nempty:", "{200:yes,on:~,empty:}"),
        ("%YAML 1.2\n---\na: 1\n---\nb: 2", "{a:1}"),
        ("\u{feff}a: 1\r\nb: 2\r\n", "{a:1,b:2}"),
        ("? [a, b]\n: 1\nc: 2", "{c:2}"),
        (
            "{\n\t\"a\": \"x\\/y\",\n\t\"b\": [1,2, null],\r\n\t\"c\":{\"d\":\"\\u00e9\"}\n}\n",
            "{a:x/y,b:[1,2,null],c:{d:é}}",
        ),
        ("{\"a\":\"\\ud83d\\ude00\"}", "{a:😀}"),
        ("{\"a\":{\"b\":1},\"c\":[]}", "{a:{b:1},c:[]}"),
    ] {
        let (node, findings) = read(text);
        assert_eq!(node.as_ref().map(line).as_deref(), Some(expected), "{text}: {findings:?}");
        assert!(findings.is_empty(), "{text}: {findings:?}");
    }
}

#[test]
fn the_last_of_duplicate_keys_counts_with_a_note() {
    let (node, findings) = read("a: 1\nb: 2\na: 3\n");
    assert_eq!(line(&node.unwrap()), "{a:3,b:2}");
    assert!(!findings.has_errors() && findings.sorted().len() == 1, "{findings:?}");
}

#[test]
fn unbounded_documents_are_refused() {
    assert_eq!(refused(""), "the file is empty");
    assert_eq!(refused("a: &x [*x]"), "this alias is inside its own anchor");
    assert_eq!(refused("a: *nothing"), "this alias has no anchor");
    assert_eq!(refused(&("[".repeat(200) + &"]".repeat(200))), "values are nested too deeply");
    assert!(refused(&"[".repeat(100_000)).ends_with("recursion limit exceeded"));
    assert!(refused("a: [").starts_with("this is neither YAML nor JSON: "));
    let laughs = (1..30).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, at| {
        let before = at - 1;
        format!("{text}a{at}: &a{at} [*a{before},*a{before},*a{before},*a{before},*a{before},*a{before},*a{before}]\n")
    });
    assert_eq!(refused(&laughs), "the document holds too many values");
    let tower = (1..50_000).fold("a0: &a0 []\n".to_owned(), |mut text, at| {
        text.push_str(&format!("a{at}: &a{at} [*a{}]\n", at - 1));
        text
    });
    assert_eq!(refused(&tower), "values are nested too deeply");
}
