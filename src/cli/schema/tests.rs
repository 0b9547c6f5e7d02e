//! Tests of the schemas: the committed files equal the printed ones, and the readers agree with them.

mod walk;

use std::collections::BTreeSet;
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{SchemaFile, cases, gateway, policy, schema_text};
use crate::cli::Exit;
use crate::cli::tests::portcullis;
use crate::decision::Reason;
use crate::document::{Finding, FindingCode, Node, Sources, Value as YamlValue, parse};
use crate::settings::units::{parse_duration, parse_size};
use crate::settings::{self, ProcessSecrets};
use crate::vocabulary::Subject;
use walk::{example, places};

/// The command that renews the committed files.
const RENEW: &str =
    "for file in policy cases gateway; do portcullis schema $file > config/schema/$file.schema.json; done";

/// A key and a word that resemble no known one.
const STRANGE: &str = "qqqqqqqqqqqqqqqq";

fn word(file: SchemaFile) -> String {
    file.to_possible_value().unwrap().get_name().to_owned()
}

#[test]
fn what_is_committed_is_what_is_printed() {
    for file in SchemaFile::value_variants() {
        let word = word(*file);
        let (exit, printed, err) = portcullis(&["schema", &word]);
        assert_eq!((exit, err.as_str()), (Exit::Done, ""));
        assert_eq!(printed, schema_text(*file));
        let committed = std::fs::read_to_string(format!("config/schema/{word}.schema.json")).unwrap_or_default();
        assert!(committed == printed, "config/schema/{word}.schema.json is not what is printed; renew it:\n  {RENEW}");
    }
}

#[test]
fn every_key_is_explained_and_every_reference_leads_somewhere() {
    for schema in [policy::schema(), cases::schema(), gateway::schema()] {
        let mut keys = 0;
        for place in places(&schema) {
            for (key, shape) in place.shape["properties"].as_object().into_iter().flatten() {
                let sentence = place.resolved(shape)["description"].as_str().unwrap_or_default();
                assert!(sentence.split(' ').count() >= 2, "{}/{key} is not explained", place.at);
                assert!(!sentence.ends_with('.'), "{}/{key}: {sentence}", place.at);
                keys += 1;
            }
        }
        assert!(keys > 30, "{keys}");
    }
}

// ── Policies and settings: the keys, words and bounds of the reader are those of the schema ──

fn policy_findings(document: &Value) -> Vec<Finding> {
    let mut sources = Sources::default();
    sources.add("p.yaml", &document.to_string());
    crate::policy::load(&sources, None).findings.sorted().into_iter().cloned().collect()
}

fn gateway_findings(document: &Value) -> Vec<Finding> {
    let mut sources = Sources::default();
    let (_, findings) =
        settings::read_with_findings(&mut sources, "g.yaml", &document.to_string(), Path::new(""), &ProcessSecrets);
    findings.sorted().into_iter().cloned().collect()
}

type Reader = fn(&Value) -> Vec<Finding>;

fn read() -> [(Value, Reader); 2] {
    [(policy::schema(), policy_findings), (gateway::schema(), gateway_findings)]
}

#[test]
fn the_readers_know_the_keys_of_the_schemas_and_no_other() {
    let mut wrong = Vec::new();
    for (schema, findings) in read() {
        for place in places(&schema).into_iter().filter(|place| place.shape["additionalProperties"] == false) {
            let mut map = example(&schema, place.shape);
            map[STRANGE] = json!("x");
            let found = findings(&place.document(map));
            let unknown = found
                .iter()
                .find(|finding| finding.code == FindingCode::UnknownKey && finding.message.contains(STRANGE));
            let Some(help) = unknown.and_then(|finding| finding.help.as_deref()) else {
                wrong.push(format!("{}: the reader does not come to it: {found:#?}", place.at));
                continue;
            };
            let known: BTreeSet<&str> = help.trim_start_matches("known keys: ").split(", ").collect();
            let ours: BTreeSet<&str> =
                place.shape["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            for key in known.symmetric_difference(&ours) {
                let whose = if known.contains(key) { "the reader's" } else { "the schema's" };
                wrong.push(format!("{}: `{key}` is {whose} alone", place.at));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readers_take_the_words_of_the_schemas_and_no_other() {
    let mut wrong = Vec::new();
    let mut lists = 0;
    for (schema, findings) in read() {
        let places: Vec<_> = places(&schema).into_iter().filter(|place| place.shape["enum"].is_array()).collect();
        for place in &places {
            // Each kind of gate has its own word.
            let there = places.iter().filter(|other| other.at == place.at);
            let words = there.flat_map(|other| other.shape["enum"].as_array().unwrap());
            let words: BTreeSet<&str> = words.filter_map(Value::as_str).collect();
            for word in &words {
                let refused = format!("`{word}`");
                let of_it =
                    |finding: &&Finding| finding.code == FindingCode::BadValue && finding.message.contains(&refused);
                if let Some(finding) = findings(&place.document(json!(word))).iter().find(of_it) {
                    wrong.push(format!("{}: `{word}` is refused: {}", place.at, finding.message));
                }
            }
            let found = findings(&place.document(json!(STRANGE)));
            let refused = found.iter().find(|finding| finding.message.contains(STRANGE));
            let known = refused.map(|finding| finding.help.as_deref().and_then(|help| help.strip_prefix("one of: ")));
            match known.map(|known| known.map(|known| known.split(", ").collect::<BTreeSet<_>>())) {
                Some(Some(known)) if known != words => {
                    // The schema does not propose a word that the reader knows but refuses.
                    let not_yet = |word: &&&str| {
                        findings(&place.document(json!(word))).iter().any(|finding| finding.code.as_str() == "not-yet")
                    };
                    let open: Vec<_> = known.symmetric_difference(&words).filter(|word| !not_yet(word)).collect();
                    if !open.is_empty() {
                        wrong.push(format!("{}: {open:?}", place.at));
                    }
                }
                Some(known) => lists += usize::from(known.is_some()),
                // A list of names for which one word means all of them, or a text with any content.
                None if place.at.ends_with("/host") => {}
                None => wrong.push(format!("{}: any word passes: {found:#?}", place.at)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lists > 10, "{lists}");
}

#[test]
fn the_readers_keep_to_the_bounds_of_the_schemas() {
    let mut count = 0;
    for (schema, findings) in read() {
        for place in places(&schema).into_iter().filter(|place| place.shape["minimum"].is_u64()) {
            let [least, most] = ["minimum", "maximum"].map(|bound| place.shape[bound].as_u64().unwrap());
            let outside = least.checked_sub(1).into_iter().chain([most + 1]);
            for (number, fine) in [(least, true), (most, true)].into_iter().chain(outside.map(|number| (number, false)))
            {
                let refused = format!("not `{number}`");
                let found = findings(&place.document(json!(number)));
                let passes = !found.iter().any(|finding| finding.message.contains(&refused));
                assert_eq!(passes, fine, "{}: {number}: {found:#?}", place.at);
                count += 1;
            }
        }
    }
    assert!(count > 25, "{count}");
}

/// `gateway.yaml` shows the defaults, except for keys commented as required or chosen here; its own tests verify that.
#[test]
fn the_defaults_of_the_schema_are_those_that_gateway_yaml_shows() {
    let text = std::fs::read_to_string("config/gateway.yaml").unwrap();
    let mut sources = Sources::default();
    let file = sources.add("g", &text);
    let tree = parse(&sources, file, &mut Default::default()).unwrap();
    let schema = gateway::schema();
    let mut count = 0;
    compare(&schema, &tree, &mut |key: &Node, value: &Node, shape: &Value| {
        let at = sources.locate(key.span).unwrap();
        let line = text.lines().nth(at.line - 1).unwrap();
        let comment = line.split_once(" # ").map_or("", |(_, comment)| comment);
        if comment.starts_with("required") || comment.starts_with("here") || matches!(value.value, YamlValue::Map(_)) {
            return;
        }
        // The default of an API's `body` is the value under `limits`.
        if line.contains("# default: that of") || line.contains("# whose tokens; default: all") {
            return;
        }
        assert_eq!(meaning(&shape["default"]), meaning(&json_of(value)), "gateway.yaml:{}: {line}", at.line);
        count += 1;
    });
    assert!(count > 35, "{count}");
}

/// Visits each key of a file together with its schema.
fn compare(shape: &Value, node: &Node, each: &mut impl FnMut(&Node, &Node, &Value)) {
    match &node.value {
        YamlValue::Map(entries) => {
            for (key, value) in entries {
                let YamlValue::Scalar { text, .. } = &key.value else { panic!("a key is a scalar") };
                let own = &shape["properties"][&**text];
                let inner = if own.is_null() { &shape["additionalProperties"] } else { own };
                if !own.is_null() {
                    each(key, value, inner);
                }
                compare(inner, value, each);
            }
        }
        YamlValue::List(items) => items.iter().for_each(|item| compare(&shape["items"], item, each)),
        YamlValue::Scalar { .. } => {}
    }
}

/// A value with its unit converted: a minute is sixty seconds.
fn meaning(value: &Value) -> String {
    let time = value.as_str().and_then(parse_duration).map(|time| format!("{time:?}"));
    let size = value.as_str().and_then(parse_size).map(|size| format!("{size} bytes"));
    time.or(size).unwrap_or_else(|| value.to_string())
}

fn json_of(node: &Node) -> Value {
    match &node.value {
        YamlValue::Scalar { text, plain: true } => serde_json::from_str(text).unwrap_or_else(|_| Value::from(&**text)),
        YamlValue::Scalar { text, .. } => Value::from(&**text),
        YamlValue::List(items) => items.iter().map(json_of).collect(),
        YamlValue::Map(_) => panic!("no map has a default"),
    }
}

// ── Cases ──

#[test]
fn callers_have_the_keys_of_a_subject_and_no_other() {
    let schema = cases::schema();
    let caller = &schema["properties"]["callers"]["additionalProperties"];
    let keys: BTreeSet<&str> = caller["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let error = serde_json::from_value::<Subject>(json!({ STRANGE: 1 })).unwrap_err().to_string();
    let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
    assert_eq!(keys, known, "{error}");
    for (key, shape) in caller["properties"].as_object().unwrap() {
        let value = example(&schema, shape);
        serde_json::from_value::<Subject>(json!({ key: value })).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

#[test]
fn reasons_of_cases_are_those_with_which_a_policy_refuses() {
    // Reasons for requests that never reach a policy, and those after its decision.
    let elsewhere = [
        "keys-unavailable",
        "no-policy",
        "no-api",
        "no-upgrade",
        "too-many-failures",
        "audit-unavailable",
        "cannot-mask",
        "gate",
    ];
    let refusals = Reason::TABLE.iter().filter(|(_, status, _)| *status >= 400).map(|(code, ..)| *code);
    for code in refusals.filter(|code| !elsewhere.contains(code)) {
        assert!(cases::REFUSALS.contains(&code), "`{code}` is missing");
    }
}
