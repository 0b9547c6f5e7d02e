//! Tests of `settings`: the committed files load, and their comments are true.

mod broken;
mod meaning;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{Secret, SecretFile, Secrets, Settings, read};
use crate::document::{Findings, Node, Sources, Value, parse, report};

const GATEWAY: &str = include_str!("../../config/gateway.yaml");
const DEMO: &str = include_str!("../../config/demo.yaml");
const ORTHANC: &str = include_str!("../../config/orthanc.yaml");

/// Fake: a fake environment and fake files; a file whose path holds `missing` does not exist.
pub(super) struct Fake(BTreeMap<&'static str, &'static [u8]>);

impl Default for Fake {
    fn default() -> Self {
        let variables: [(&str, &[u8]); 11] = [
            ("TOKEN", b"sesame"),
            ("LINE", b"sesame\n"),
            ("DOS", b"sesame\r\n"),
            ("LINES", b"sesame\n\n"),
            ("EMPTY", b""),
            ("NEWLINE", b"\n"),
            ("BELL", b"a bell \x07 and sixteen letters"),
            ("LONG", b"0123456789abcdef0123456789abcdef"),
            ("SHORT", b"0123456789abcdef0123456789abcde"),
            ("PORTCULLIS_ORTHANC_SECRET", b"0123456789abcdef0123456789abcdef"),
            ("PORTCULLIS_ORTHANC_PASSWORD", b"orthanc"),
        ];
        Self(variables.into_iter().collect())
    }
}

impl Secrets for Fake {
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).map(|value| value.to_vec())
    }

    fn read(&self, path: &Path) -> io::Result<SecretFile> {
        self.open(path)?;
        Ok(SecretFile { bytes: b"from a file\n".to_vec(), exposed: path.ends_with("exposed") })
    }

    fn open(&self, path: &Path) -> io::Result<()> {
        if path.to_string_lossy().contains("missing") { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }
}

/// Loads the settings, or returns one line per finding: `line:column code message`.
pub(super) fn load(text: &str) -> Result<Settings, Vec<String>> {
    let mut sources = Sources::default();
    read(&mut sources, "g", text, Path::new("/settings"), &Fake::default()).map_err(|findings| {
        let line = |finding| report::line(finding, &sources).replacen("g:", "", 1).replacen(": error[", " ", 1);
        findings.sorted().into_iter().map(|finding| line(finding).replacen("]:", "", 1)).collect()
    })
}

#[test]
fn the_committed_files_load_without_a_note() {
    for (name, text) in [("gateway.yaml", GATEWAY), ("demo.yaml", DEMO), ("orthanc.yaml", ORTHANC)] {
        let settings = load(text).unwrap_or_else(|lines| panic!("{name}: {}", lines.join("\n")));
        assert_eq!(settings.notes, [""; 0], "{name}");
    }
}

/// Removing any one key does not change the settings, unless the key's comment says `required` or `here`.
#[test]
fn what_gateway_yaml_shows_is_the_default_where_it_does_not_say_otherwise() {
    let whole = load(GATEWAY).unwrap();
    let (tree, sources) = tree(GATEWAY);
    assert_eq!(load(&print(&tree, None)).unwrap(), whole, "the printed tree is the file");
    let mut keys = Vec::new();
    collect(&tree, &mut keys);
    assert!(keys.len() > 70, "{}", keys.len());
    for key in keys {
        let without = load(&print(&tree, Some(key)));
        let expected = match &without {
            Ok(settings) if *settings == whole => "",
            Err(lines) if lines.iter().all(|line| line.contains(" missing-key ")) => "required",
            _ => "here",
        };
        let at = sources.locate(key.span).unwrap();
        let line = GATEWAY.lines().nth(at.line - 1).unwrap();
        let comment = line.split_once(" # ").map_or("", |(_, comment)| comment);
        let actual = ["required", "here"].into_iter().find(|word| comment.starts_with(word)).unwrap_or("");
        assert_eq!(actual, expected, "gateway.yaml:{}: {line}\n{:?}", at.line, without.err());
    }
}

#[test]
fn every_key_that_is_read_stands_in_gateway_yaml() {
    let readers = [
        include_str!("../settings.rs"),
        include_str!("api.rs"),
        include_str!("api_keys.rs"),
        include_str!("claims.rs"),
        include_str!("client_certs.rs"),
        include_str!("headers.rs"),
        include_str!("issuer.rs"),
        include_str!("limits.rs"),
        include_str!("listener.rs"),
        include_str!("secret_reader.rs"),
        include_str!("sinks.rs"),
        include_str!("upstream.rs"),
    ];
    let mut count = 0;
    for reader in readers {
        for begin in [".optional(\"", ".required(\"", "= time(\"", "= path(\"", "read_name(\""] {
            for rest in reader.split(begin).skip(1) {
                let key = rest.split('"').next().unwrap();
                let spelled = [format!("{key}: "), format!("{key}:\n")];
                assert!(spelled.iter().any(|key| GATEWAY.contains(key)), "`{key}` is missing");
                count += 1;
            }
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn every_key_that_is_switched_off_exists() {
    let off = |line: &&str| line.trim_start().starts_with('#') && !line.trim_start().starts_with("# ");
    let mut count = 0;
    for line in GATEWAY.lines().filter(off).filter(|line| line.trim() != "#") {
        count += 1;
        let on = line.replacen('#', "", 1);
        let text = GATEWAY.replacen(line, &on, 1);
        let lines = load(&text).err().unwrap_or_default();
        // Some contradict a neighbour (`jwks` beside `discovery`) or need one, but each is a known key in its position.
        for line in lines {
            let refused = [" bad-value ", " missing-key ", " unknown-name "].iter().any(|code| line.contains(code));
            assert!(refused, "{on}: {line}");
        }
    }
    assert!(count > 12, "{count}");
}

#[test]
fn load_reads_a_file_and_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let path = folder.path().join("config/demo.yaml");
    std::fs::write(&path, DEMO).unwrap();
    let (findings, sources) = Settings::load(&path).unwrap_err();
    let text = report::human(&findings, &sources);
    assert!(text.contains("error[unreadable]: `policy`") && text.contains("demo.yaml:"), "{text}");
    std::fs::write(folder.path().join("policies/noah-es.yaml"), "").unwrap();
    let settings = Settings::load(&path).unwrap();
    assert!(std::fs::metadata(&settings.apis[0].policy).unwrap().is_file());
    let (findings, sources) = Settings::load(&folder.path().join("nothing.yaml")).unwrap_err();
    assert!(report::human(&findings, &sources).contains("nothing.yaml` cannot be read"));
}

#[test]
fn a_secret_that_others_can_read_is_a_note_of_settings_that_load() {
    let text = GATEWAY.replace("#token: { file: secrets/admin-token }", "token: { env: LONG }");
    let text = text.replace("credential: forward-bearer", "credential: { header: X-Key, value: { file: exposed } }");
    let settings = load(&text).unwrap();
    assert_eq!(settings.notes.len(), 1, "{:?}", settings.notes);
    assert!(
        settings.notes[0].starts_with("g:") && settings.notes[0].contains("note[bad-value]"),
        "{:?}",
        settings.notes
    );
    assert_eq!(settings.admin.token, Some(Secret::new(*b"0123456789abcdef0123456789abcdef")));
    assert!(!format!("{settings:?}").contains("0123456789abcdef"));
}

fn tree(text: &str) -> (Node, Sources) {
    let mut sources = Sources::default();
    let file = sources.add("g", text);
    let tree = parse(&sources, file, &mut Findings::default()).unwrap();
    (tree, sources)
}

fn collect<'n>(node: &'n Node, keys: &mut Vec<&'n Node>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| collect(item, keys)),
        Value::Map(entries) => entries.iter().for_each(|(key, value)| {
            keys.push(key);
            collect(value, keys);
        }),
    }
}

/// Prints the tree as one line of YAML, without the entry of one key.
fn print(node: &Node, without: Option<&Node>) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match &node.value {
        Value::Scalar { text, plain: true } if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            text.to_string()
        }
        Value::Scalar { text, .. } => serde_json::Value::from(&**text).to_string(),
        Value::List(items) => format!("[{}]", join(items.iter().map(|item| print(item, without)).collect())),
        Value::Map(entries) => {
            let shown = entries.iter().filter(|(key, _)| without.is_none_or(|gone| gone.span != key.span));
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", print(key, without), print(value, without));
            format!("{{ {} }}", join(shown.map(entry).collect()))
        }
    }
}
