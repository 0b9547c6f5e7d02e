//! The schemas of `config/schema` in foreign hands: a validator, and the language server behind many editors.

use std::path::{Path, PathBuf};

use portcullis::document::Sources;
use portcullis::policy;
use portcullis::settings::{self, ProcessSecrets};
use serde_json::{Value, json};

use super::process::{Conversation, node};

/// What an editor needs above the first key to find the schema.
const COMMENT: &str = "# yaml-language-server: $schema=";

const POLICY: &str = r#"
version: 1
name: p
dialect: strict
scopes: { tenant: caller, workspace: grant }
routes:
  /{tenant}/a/{id}: { GET: read A, POST: [create A, read B], DELETE: nobody }
  /c?workspace={workspace}: { GET: read A }
  /hub: { GET: { need: update A, websocket: true, token-from: t, across: [workspace], when: "now > timestamp('2026-01-01T00:00:00Z')" } }
  /e/{entry}: { GET: { by-type: { image/*: read A, otherwise: [read B, check-in B] } } }
resources: { First: [A], Second: [B] }
fields: { PHI: { A: [$..name] } }
permissions:
  All: { A: CRU, B: [R, check-in] }
  View PHI: { PHI: R }
  Nothing: {}
everyone: [Nothing]
service-apps: all
gates:
  connection: { by: approval, except: [Nothing], keys: [client, tenant], asked-by: [create A], granted: [{ client: c, tenant: t1 }] }
  images: { by: feature, permissions: [All] }
  step-up: { by: condition, permissions: [View PHI], when: "caller.claims.acr == 'mfa'" }
roles:
  One: { permissions: [All], within: [{ workspace: w1, permissions: [View PHI] }], locked: true }
  Two: { includes: [One], assign-within: [tenant] }
  Three: { permissions: [All], assign: policy-only }
one-role: false
profiles: { Full: { features: [images], within: [{ tenant: [t1, t2] }], locked: true } }
groups: { Staff: { profile: Full, permissions: [All] } }
users:
  a: { group: Staff, roles: [One, { Two: { tenant: t1, when: "now < timestamp('2030-01-01T00:00:00Z')" } }], tenants: [t1] }
  b: { permissions: [All], without: [Nothing] }
cors: { origins: ["https://app.example.com"], headers: [X-A], expose: [X-B], credentials: true, max-age: 60 }
shadow: [A]
"#;

/// What is replaced in the policy, and by what, so that nobody takes it.
const BROKEN_POLICIES: &[(&str, &str)] = &[
    ("version: 1", "version: 2"),
    ("version: 1", "version: one"),
    ("name: p", "name: [p]"),
    ("name: p", "nmae: p"),
    ("dialect: strict", "dialect: strikt"),
    ("tenant: caller", "tenant: callers"),
    ("scopes: { tenant: caller, workspace: grant }", "scopes: [tenant, workspace]"),
    ("/{tenant}/a/{id}", "tenant/a/{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/a{id}"),
    ("/{tenant}/a/{id}", "/{tenant}//{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/:a/{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/*/{id}"),
    ("/{tenant}/a/{id}", "/{tenant}/{*a}/{id}"),
    ("/c?workspace={workspace}", "/c?workspace=w1"),
    ("{ GET: read A, POST", "{ get: read A, POST"),
    ("{ GET: read A, POST", "{ HEAD: read A, POST"),
    ("GET: read A, POST", "GET: readA, POST"),
    ("GET: read A, POST", "GET: Read A, POST"),
    ("[create A, read B]", "[]"),
    ("need: update A", "needs: update A"),
    ("websocket: true", "websocket: yes"),
    ("websocket: true", "webscoket: true"),
    ("across: [workspace]", "across: workspace"),
    ("need: update A", "need: update A, by-type: { otherwise: read A }"),
    ("image/*: read A", "image: read A"),
    ("image/*: read A", "image/*: public"),
    ("{ First: [A], Second: [B] }", "{ First: A, Second: [B] }"),
    ("PHI: { A: [$..name] }", "PHI: { A: $..name }"),
    ("A: CRU", "A: CRX"),
    ("A: CRU", "A: Cru"),
    ("A: CRU", "A: 7"),
    ("Nothing: {}", "Nothing:"),
    ("everyone: [Nothing]", "everyone: Nothing"),
    ("service-apps: all", "service-apps: some"),
    ("by: approval", "by: approvals"),
    ("keys: [client, tenant]", "kyes: [client, tenant]"),
    ("keys: [client, tenant]", "keys: []"),
    ("asked-by: [create A]", "asked-by: create A"),
    ("by: feature, permissions: [All]", "by: feature"),
    ("by: feature, permissions: [All]", "by: feature, permissions: [All], except: [All]"),
    ("by: feature, permissions: [All]", "by: feature, permissions: [All], keys: [client]"),
    ("by: condition, permissions: [View PHI], when", "by: condition, permissions: [View PHI], if"),
    ("images: { by: feature", "the images: { by: feature"),
    ("workspace: w1, permissions: [View PHI]", "workspace: w1"),
    ("within: [{ workspace: w1, permissions: [View PHI] }]", "within: { workspace: w1, permissions: [View PHI] }"),
    ("assign: policy-only", "assign: never"),
    ("assign-within: [tenant]", "assign-within: tenant"),
    ("within: [{ tenant: [t1, t2] }], locked: true", "within: [{ tenant: [t1, t2] }], locked: on"),
    ("one-role: false", "one-role: no"),
    ("features: [images]", "feature: [images]"),
    ("profile: Full", "profile: [Full]"),
    ("Two: { tenant: t1,", "Two: { tenant: 0123,"),
    ("without: [Nothing]", "witout: [Nothing]"),
    ("tenants: [t1]", "tenant: t1"),
    ("origins: ", "origin: "),
    ("max-age: 60", "max-age: 86401"),
    ("max-age: 60", "max-age: 1m"),
    ("shadow: [A]", "shadow: some"),
    ("shadow: [A]", "cases: may-pass"),
];

const GATEWAY: &str = r#"
version: 1
threads: 2
listeners:
  - { address: 127.0.0.1:8080, name: plain, h2c: true }
admin: { address: 127.0.0.1:9901 }
trusted-proxies: [10.0.0.0/8]
limits: { connections: 100, requests-per-connection: unlimited, header-bytes: 64KiB, keep-alive: 60s, body: unlimited }
issuers:
  hospital:
    issuer: https://login.example.com
    audiences: [noah-es]
    keys: { discovery: true, refresh: 10m }
    claims: { roles: realm_access.roles, tenants: ["https://example.com/tenants"], client: [azp] }
    service-apps: { claim: token_use, values: [service] }
    may-claim: { kinds: [user] }
    leeway: 10s
apis:
  noah:
    match: { path: /noah, hosts: [noah.example.com], listeners: [plain] }
    policy: ../policies/noah-es.yaml
    issuers: [hospital]
    upstream: { url: "http://127.0.0.1:5080", total-timeout: 10m }
    host: upstream
    credential: none
    identity-headers: { subject: X-Who }
    method-overrides: strip
    pass-headers: [X_Old]
    body: 1MiB
    audit: fast
token-cache: { entries: 10, max-age: 1m }
audit: { to: ./audit.jsonl, queue: 16, on-full: wait }
log: { format: text, level: warn }
reload: { poll: 1s }
"#;

const BROKEN_SETTINGS: &[(&str, &str)] = &[
    ("version: 1", "version: 2"),
    ("version: 1\n", ""),
    ("threads: 2", "threads: 0"),
    ("threads: 2", "thread: 2"),
    ("127.0.0.1:8080", "localhost:8080"),
    ("127.0.0.1:8080", "127.0.0.1"),
    ("name: plain", "name: Plain Text"),
    ("h2c: true", "h2c: yes"),
    ("h2c: true", "tls: { certificates: [] }"),
    ("h2c: true", "tls: { certificates: [{ chain: missing.pem }] }"),
    ("127.0.0.1:9901", "unix:admin.sock"),
    ("{ address: 127.0.0.1:9901 }", "{ token: sesame }"),
    ("{ address: 127.0.0.1:9901 }", "{ token: { file: a, env: B } }"),
    ("[10.0.0.0/8]", "10.0.0.0/8"),
    ("connections: 100", "connections: 0"),
    ("requests-per-connection: unlimited", "requests-per-connection: endless"),
    ("header-bytes: 64KiB", "header-bytes: 64KB"),
    ("keep-alive: 60s", "keep-alive: 60"),
    ("keep-alive: 60s", "keep-alive: 060s"),
    ("audiences: [noah-es]", "audiences: []"),
    ("audiences: [noah-es]", "audience: [noah-es]"),
    ("discovery: true, ", ""),
    ("discovery: true", "discovery: false"),
    ("discovery: true", "discovery: true, jwks: https://login.example.com/jwks"),
    ("discovery: true", "secret: { env: SECRET }"),
    ("hospital:\n", "Hospital:\n"),
    ("realm_access.roles", "realm_access..roles"),
    ("client: [azp]", "client: azp"),
    ("claim: token_use, ", ""),
    ("{ claim: token_use, values: [service] }", "{}"),
    ("kinds: [user]", "kinds: [people]"),
    ("path: /noah", "path: noah"),
    ("path: /noah", "path: /noah/{id}"),
    ("hosts: [noah.example.com]", "hosts: []"),
    ("    policy: ../policies/noah-es.yaml\n", ""),
    ("http://127.0.0.1:5080", "127.0.0.1:5080"),
    ("http://127.0.0.1:5080", "http://127.0.0.1:5080/api"),
    ("credential: none", "credential: some"),
    ("credential: none", "credential: { header: X-Key }"),
    ("subject: X-Who", "subject: X_Who"),
    ("subject: X-Who", "user: X-Who"),
    ("method-overrides: strip", "method-overrides: drop"),
    ("audit: fast", "audit: slow"),
    ("to: ./audit.jsonl", "to: audit.jsonl"),
    ("queue: 16", "queue: 1"),
    ("on-full: wait", "on-full: block"),
    ("format: text", "format: xml"),
    ("level: warn", "level: warning"),
    ("poll: 1s", "poll: 1sec"),
];

const CASES: &str = r#"
callers:
  nurse: { id: hospital/n, roles: [Level 2, { Two: { tenant: [t1] } }], client: app-1, tenant: t1, approved: [app-connection] }
  nobody: { kind: anonymous }
variants:
  closed: { drop: [service-apps, [routes, "/x/{y}"]], add: { routes: { "/x/{y}": { GET: nobody } } } }
  without: { users: { nurse: { without: [Delete] } } }
cases:
  - { as: nurse, permit: GET /t1/a, by: Use, masks: [PHI], asks: [], proves: [N1], decision: 25, note: as told }
  - { in: closed, as: nurse, refuse: GET /x/1, reason: nobody, answered-as: image/png, at: "2026-11-22T10:00:00Z" }
  - { as: nobody, refuse: GET /t1/a, reason: "gate:app-connection" }
"#;

const BROKEN_CASES: &[(&str, &str)] = &[
    ("callers:", "caller:"),
    ("kind: anonymous", "kind: ghost"),
    ("roles: [Level 2", "role: [Level 2"),
    ("tenant: t1, approved", "tenant: t1, tenants: [t2], approved"),
    ("drop: [service-apps", "drop: [7"),
    ("{ users: { nurse", "{ user: { nurse"),
    ("as: nurse, permit", "permit"),
    ("permit: GET /t1/a", "permit: /t1/a"),
    ("permit: GET /t1/a", "permit: GET /t1/a, refuse: GET /t1/a"),
    ("by: Use", "reason: nobody"),
    ("masks: [PHI]", "masks: PHI"),
    ("decision: 25", "decision: 0"),
    ("reason: nobody, ", ""),
    ("reason: nobody", "reason: nobdy"),
    ("reason: nobody", "reason: nobody, by: Use"),
    ("answered-as: image/png", "answered-as: image"),
    ("\"2026-11-22T10:00:00Z\"", "\"tomorrow\""),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema_of(word: &str) -> PathBuf {
    root().join(format!("config/schema/{word}.schema.json"))
}

/// Validator: `ajv`, which reads YAML as the language server does.
struct Validator(Conversation);

impl Validator {
    fn start() -> Self {
        Self(Conversation::start(&mut node("schema.js")))
    }

    fn faults(&mut self, schema: &Path, text: &str) -> Vec<Value> {
        let answer = self.0.tell(&json!({ "schema": schema, "text": text }));
        answer["faults"].as_array().unwrap().clone()
    }
}

/// The committed files in which people write, each with the schema that its comment names.
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

/// Whether the program itself refuses a policy or settings that stand in the folder of the committed ones.
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
struct Editor(Conversation);

impl Editor {
    fn start() -> Self {
        Self(Conversation::start(&mut node("editor.js")))
    }

    /// The diagnostics, each as its line, from one, and what it says.
    fn open(&mut self, path: &Path, text: &str) -> Vec<(u64, String)> {
        let answer = self.0.tell(&json!({ "do": "open", "path": path, "text": text }));
        let diagnostics = answer["diagnostics"].as_array().unwrap().iter();
        diagnostics.map(|one| (one["line"].as_u64().unwrap() + 1, one["message"].as_str().unwrap().into())).collect()
    }

    /// What is proposed where `|` stands in the text.
    fn complete(&mut self, path: &Path, text: &str) -> Vec<String> {
        let (before, behind) = text.split_once('|').unwrap();
        self.open(path, &format!("{before}{behind}"));
        let character = before.lines().last().filter(|_| !before.ends_with('\n')).unwrap_or_default().len();
        let line = before.matches('\n').count();
        let answer = self.0.tell(&json!({ "do": "complete", "line": line, "character": character }));
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
fn an_editor_shows_a_misspelt_key_where_it_stands() {
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
        let [(at, said)] = &found[..] else { panic!("{to}: {found:?}") };
        assert!(*at == line as u64 && said.starts_with(message), "{to} in line {line}: {found:?}");
    }
    assert_eq!(editor.open(&path, &sound), []);
}

#[test]
fn an_editor_proposes_what_may_stand_at_the_cursor() {
    let mut editor = Editor::start();
    // It has never been saved: only the comment leads to the schema.
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
    let said = editor.0.tell(&json!({ "do": "hover", "line": line, "character": 3 }))["text"].to_string();
    assert!(said.contains("lets them pass wherever a route is"), "{said}");
}
