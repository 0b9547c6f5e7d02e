//! The schemas of `config/schema` in other tools: a validator, and the language server behind many editors.

mod texts;

use std::path::{Path, PathBuf};

use portcullis::document::Sources;
use portcullis::policy;
use portcullis::settings::{self, ProcessSecrets};
use serde_json::{Value, json};

use super::process::{JsonProcess, node};
use texts::{BROKEN_CASES, BROKEN_POLICIES, BROKEN_SETTINGS, CASES, GATEWAY, POLICY};

/// The comment above the first key by which an editor finds the schema.
const COMMENT: &str = "# yaml-language-server: $schema=";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema_of(word: &str) -> PathBuf {
    root().join(format!("config/schema/{word}.schema.json"))
}

/// Validator: `ajv`, which reads YAML as the language server does.
struct Validator(JsonProcess);

impl Validator {
    fn start() -> Self {
        Self(JsonProcess::start(&mut node("schema.js")))
    }

    fn faults(&mut self, schema: &Path, text: &str) -> Vec<Value> {
        let answer = self.0.exchange(&json!({ "schema": schema, "text": text }));
        answer["faults"].as_array().unwrap().clone()
    }
}

/// The committed files that users edit, each with the schema that its comment names.
fn files() -> Vec<(PathBuf, PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("policies"), root().join("config")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let comment = text.lines().find_map(|line| line.strip_prefix(COMMENT));
                let comment = comment.unwrap_or_else(|| panic!("{} has no comment `{COMMENT}…`", path.display()));
                found.push((path.clone(), folder.join(comment), text));
            }
        }
    }
    assert!(found.len() >= 5, "{found:?}");
    found
}

/// Whether the program itself rejects a policy or settings in the folder of the committed ones.
fn is_refused(word: &str, text: &str) -> bool {
    let mut sources = Sources::default();
    if word == "policy" {
        sources.add("p.yaml", text);
        return policy::load(&sources, None).findings.has_errors();
    }
    settings::read_with_findings(&mut sources, "g.yaml", text, &root().join("config"), &ProcessSecrets).1.has_errors()
}

#[test]
fn every_committed_file_fits_the_schema_that_it_names() {
    let mut validator = Validator::start();
    for (path, schema, text) in files() {
        assert_eq!(validator.faults(&schema, &text), [json!(null); 0], "{}", path.display());
    }
}

#[test]
fn what_is_broken_is_refused_by_the_program_and_by_its_schema() {
    let mut validator = Validator::start();
    let mut wrong = Vec::new();
    for (word, sound, table) in
        [("policy", POLICY, BROKEN_POLICIES), ("gateway", GATEWAY, BROKEN_SETTINGS), ("cases", CASES, BROKEN_CASES)]
    {
        let schema = schema_of(word);
        assert_eq!(validator.faults(&schema, sound), [json!(null); 0], "{word}");
        let is_read = word != "cases";
        if is_read && is_refused(word, sound) {
            wrong.push(format!("the reader of {word} refuses what is sound"));
        }
        for (from, to) in table {
            assert_eq!(sound.matches(from).count(), 1, "`{from}` stands once in the {word}");
            let broken = sound.replace(from, to);
            if validator.faults(&schema, &broken).is_empty() {
                wrong.push(format!("the schema of {word} lets `{to}` pass"));
            }
            if is_read && !is_refused(word, &broken) {
                wrong.push(format!("the reader of {word} lets `{to}` pass"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Editor: a text with a cursor, and `yaml-language-server` behind it.
struct Editor(JsonProcess);

impl Editor {
    fn start() -> Self {
        Self(JsonProcess::start(&mut node("editor.js")))
    }

    /// The diagnostics: the line, counted from one, and the message of each.
    fn open(&mut self, path: &Path, text: &str) -> Vec<(u64, String)> {
        let answer = self.0.exchange(&json!({ "do": "open", "path": path, "text": text }));
        let diagnostics = answer["diagnostics"].as_array().unwrap().iter();
        diagnostics.map(|one| (one["line"].as_u64().unwrap() + 1, one["message"].as_str().unwrap().into())).collect()
    }

    /// The proposals at the position of `|` in the text.
    fn complete(&mut self, path: &Path, text: &str) -> Vec<String> {
        let (before, behind) = text.split_once('|').unwrap();
        self.open(path, &format!("{before}{behind}"));
        let character = before.lines().last().filter(|_| !before.ends_with('\n')).unwrap_or_default().len();
        let line = before.matches('\n').count();
        let answer = self.0.exchange(&json!({ "do": "complete", "line": line, "character": character }));
        let proposals = answer["proposals"].as_array().unwrap().iter();
        proposals.map(|one| one.as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn an_editor_finds_nothing_in_the_committed_files() {
    let mut editor = Editor::start();
    for (path, _, text) in files() {
        assert_eq!(editor.open(&path, &text), [], "{}", path.display());
    }
}

#[test]
fn an_editor_shows_a_misspelt_key_at_its_position() {
    let mut editor = Editor::start();
    let path = root().join("policies/noah-es.yaml");
    let sound = std::fs::read_to_string(&path).unwrap();
    for (from, to, message) in [
        ("\npermissions:\n", "\npermisions:\n", "Property permisions is not allowed."),
        ("    asked-by:", "    askd-by:", "Property askd-by is not allowed."),
        ("    includes: [Level 2]", "    include: [Level 2]", "Property include is not allowed."),
        (
            "dialect: aspnet",
            "dialect: aspnt",
            "Value is not accepted. Valid values: \"strict\", \"aspnet\", \"iis\", \"tomcat\", \"spring\", \"php\", \"wsgi\", \"express\", \"nginx\".",
        ),
        ("  /rtm:\n", "  rtm:\n", "A route is `/` and segments"),
    ] {
        assert_eq!(sound.matches(from).count(), 1, "{from}");
        let line = sound.split(from).next().unwrap().matches('\n').count() + 1 + usize::from(from.starts_with('\n'));
        let found = editor.open(&path, &sound.replace(from, to));
        let [(at, text)] = &found[..] else { panic!("{to}: {found:?}") };
        assert!(*at == line as u64 && text.starts_with(message), "{to} in line {line}: {found:?}");
    }
    assert_eq!(editor.open(&path, &sound), []);
}

#[test]
fn an_editor_proposes_what_may_stand_at_the_cursor() {
    let mut editor = Editor::start();
    // The file has never been saved: only the comment leads to the schema.
    let path = root().join("policies/new.yaml");
    for (text, expected) in [
        ("name: p\n|\n", &["permissions", "routes", "gates", "roles"][..]),
        ("gates:\n  g:\n    |\n", &["by", "permissions", "except"]),
        ("gates:\n  g:\n    by: |\n", &["approval", "feature", "condition"]),
        ("routes:\n  /x:\n    |\n", &["GET", "POST", "DELETE"]),
        ("roles:\n  r:\n    |\n", &["permissions", "includes"]),
        ("service-apps: |\n", &["all", "every-permission"]),
    ] {
        let found =
            editor.complete(&path, &format!("{COMMENT}../config/schema/policy.schema.json\nversion: 1\n{text}"));
        let missing: Vec<&&str> = expected.iter().filter(|one| !found.iter().any(|found| found == **one)).collect();
        assert!(missing.is_empty(), "{text}: {missing:?} of {found:?}");
    }
    let path = root().join("config/new.yaml");
    let text = format!("{COMMENT}schema/gateway.schema.json\nversion: 1\nlimits:\n  |\n");
    let found = editor.complete(&path, &text);
    assert!(found.iter().any(|one| one == "header-timeout") && !found.iter().any(|one| one == "apis"), "{found:?}");
}

#[test]
fn an_editor_explains_the_key_under_the_cursor() {
    let mut editor = Editor::start();
    let path = root().join("policies/noah-es.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    editor.open(&path, &text);
    let line = text.lines().position(|line| line.starts_with("service-apps:")).unwrap();
    let message = editor.0.exchange(&json!({ "do": "hover", "line": line, "character": 3 }))["text"].to_string();
    assert!(message.contains("permits them on every route"), "{message}");
}
