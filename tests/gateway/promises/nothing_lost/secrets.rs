//! Secrets: searches all output for every kind of credential that a request or a setting can carry.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::identity::SecretDigest;
use serde_json::json;

use crate::support::{Client, Gateway, PATIENCE, RawConnection, Settings, TestEnvironment, now, within};

const POLICY: &str = "version: 1
name: notes
dialect: aspnet
scopes: { tenant: caller }
routes:
  /{tenant}/notes: { GET: read Notes, POST: { need: read Notes, audit: lossless } }
  /{tenant}/hub: { GET: { need: read Notes, token-from: access_token } }
resources: [Notes]
permissions:
  Notes: { Notes: R }
";

const KEY: &str = "good-key-f1ddle5ticks-and-then-some-more-of-it";
const BAD_KEY: &str = "bad-key-n0b0dy-has-ever-made-this-one-up-here";
const REVOKED: &str = "gone-key-wh0-had-it-once-may-not-come-again-x";
const PASSWORD: &str = "correct horse battery staple";
const COOKIE: &str = "session-0f-somebody-e1se-in-a-cookie";
const FORM: &str = "what-a-user-typed-int0-a-form";
const QUERY: &str = "hunter2-in-the-query";
const FIXED: &str = "the-upstreams-0wn-fixed-credential";
const ADMIN: &str = "the-admin-listeners-t0ken-of-some-length";
const WRONG_ADMIN: &str = "a-guess-at-the-admin-t0ken-that-is-wrong";

fn keys() -> String {
    let entry = |id: &str, secret: &str, more: &str| {
        let digest = SecretDigest::of(secret.as_bytes());
        format!("  {id}:\n    digest: {digest}\n    permissions: [Notes]\n    tenants: [t1]\n{more}")
    };
    format!("version: 1\nkeys:\n{}{}", entry("lab", KEY, ""), entry("old", REVOKED, "    revoked: true\n"))
}

fn settings(env: &TestEnvironment, mode: &str) -> Settings {
    env.write("policy.yaml", POLICY);
    for (name, text) in [("keys.yaml", keys()), ("admin", ADMIN.to_owned()), ("fixed", FIXED.to_owned())] {
        let path = env.write(name, &text);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    env.settings("policy.yaml")
        .with("/log/level", json!("trace"))
        .with("/admin/token", json!({ "file": "admin" }))
        .with("/api-keys", json!({ "machines": { "file": "keys.yaml", "header": "X-Api-Key", "basic": true } }))
        .with("/apis/noah/credential", json!({ "header": "X-Upstream-Key", "value": { "file": "fixed" } }))
        .with("/apis/noah/audit", json!(mode))
        .with("/limits/failed-credentials", json!(0))
}

/// The admin listener's response, with a valid or an invalid token.
async fn admin(gateway: &Gateway, path: &str, token: &str) -> (u16, String) {
    let answer = Client::connect(gateway.admin_address()).await.get(path, token).await;
    (answer.status, answer.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_holds_a_token_a_password_or_a_query() {
    for mode in ["fast", "lossless"] {
        assert_no_secret_written(mode).await;
    }
}

async fn assert_no_secret_written(mode: &str) {
    let env = TestEnvironment::set().await;
    let mut gateway = env.launch(&settings(&env, mode)).await;
    within(PATIENCE, "it is ready", async || (admin(&gateway, "/ready", ADMIN).await.0 == 200).then_some(())).await;
    let address = gateway.address();
    let good = env.token(json!({ "permissions": ["Notes"] }));
    let expired = env.token(json!({ "exp": now() - 3600, "iat": now() - 7200 }));
    let foreign = env.token(json!({ "iss": "https://elsewhere.example" }));
    let forged = format!("{}AAAA", &env.token(json!({ "sub": "forger" })));
    let basic = STANDARD.encode(format!("gateway:{PASSWORD}"));
    let good_basic = STANDARD.encode(format!("lab:{KEY}"));
    let get = |target: &str, fields: &[String]| {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
    };
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let key = |secret: &str| format!("X-Api-Key: lab:{secret}");
    let form = |more: &str| {
        let body = format!("password={FORM}{more}");
        format!(
            "POST /t1/notes HTTP/1.1\r\nHost: x\r\n{}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            bearer(&good),
            body.len()
        )
    };
    let requests = [
        get("/t1/notes", &[bearer(&good)]),
        get(&format!("/t1/notes?search={QUERY}"), &[bearer(&good)]),
        get(&format!("/t1/notes/%2e%2e?search={QUERY}"), &[bearer(&good)]),
        get("/t1/notes", &[bearer(&good), format!("Cookie: id={COOKIE}")]),
        get("/t1/nothing", &[bearer(&good), format!("Cookie: id={COOKIE}")]),
        get("/t1/notes", &[bearer(&expired)]),
        get("/t1/notes", &[bearer(&foreign)]),
        get("/t1/notes", &[bearer(&forged)]),
        get("/t1/notes", &[bearer(&good), bearer(&expired)]),
        get("/t1/notes", &[format!("Authorization: bEaReR  {good} ")]),
        get("/t1/notes", &[format!("Authorization: {good}")]),
        get(&format!("/t1/hub?access_token={good}"), &[]),
        get(&format!("/t1/hub?access_token={expired}"), &[]),
        get(&format!("/t1/notes?access_token={good}"), &[]),
        get("/t1/notes", &[format!("Authorization: Basic {basic}")]),
        get("/t1/notes", &[format!("Authorization: Basic {good_basic}")]),
        get("/t1/notes", &[format!("Authorization: Basic {}!", good_basic)]),
        get("/t1/notes", &[key(KEY)]),
        get("/t1/notes", &[key(BAD_KEY)]),
        get("/t1/notes", &[format!("X-Api-Key: old:{REVOKED}")]),
        get("/t1/notes", &[key(KEY), bearer(&good)]),
        form(""),
        form("&_method=DELETE"),
        form(&format!("&access_token={good}")),
        // The parser rejects this one before any decision.
        get("/t1/notes", &[bearer(&good), "Broken header".to_owned()]),
        get("/t1/notes", &[bearer(&good), format!("Content-Length: x{good}")]),
        get("/t1/notes", &[bearer(&good), "Transfer-Encoding: chunked, chunked".to_owned()]),
        format!("GET /t1/notes?access_token={good} HTTP/9.9\r\nHost: x\r\n\r\n"),
        format!("GET /t1/%zz?{good} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("{good} /t1/notes HTTP/1.1\r\nHost: x\r\n\r\n"),
    ];
    let mut outputs: Vec<(String, String)> = Vec::new();
    for request in &requests {
        let mut connection = RawConnection::connect(address).await;
        connection.send(request).await;
        if let Some(answer) = connection.answer().await
            && answer.header("x-seen-decision").is_none()
        {
            outputs.push(("an answer".to_owned(), format!("{:?} {}", answer.headers, answer.text())));
        }
    }
    assert!(outputs.len() >= 15, "only {} were answered by the gateway", outputs.len());
    within(PATIENCE, "the audit records", async || (env.audit_records().len() >= 20).then_some(())).await;
    for path in ["/metrics", "/ready", "/policy", "/apis/noah/coverage", "/apis/noah/diff", "/nowhere"] {
        outputs.push((path.to_owned(), admin(&gateway, path, ADMIN).await.1));
        let (status, text) = admin(&gateway, path, WRONG_ADMIN).await;
        assert!(status != 200 || path == "/ready", "{path}: {status}");
        outputs.push((format!("{path} with a wrong token"), text));
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    outputs.push(("the log".to_owned(), gateway.lines().join("\n")));
    outputs.push(("the audit".to_owned(), std::fs::read_to_string(env.path("audit.jsonl")).unwrap()));

    let mut secrets: Vec<String> =
        [KEY, BAD_KEY, REVOKED, PASSWORD, COOKIE, FORM, QUERY, FIXED, ADMIN, WRONG_ADMIN].map(str::to_owned).to_vec();
    secrets.extend([basic, good_basic, STANDARD.encode(PASSWORD), STANDARD.encode(KEY), STANDARD.encode(ADMIN)]);
    for token in [&good, &expired, &foreign, &forged] {
        // The first part is the same in all tokens and names an algorithm and a key; the other two belong to the
        // caller.
        let parts: Vec<&str> = token.split('.').skip(1).collect();
        let claims = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
        secrets.push(String::from_utf8(claims).unwrap());
        secrets.extend(parts.into_iter().map(str::to_owned));
    }
    for (name, text) in &outputs {
        for secret in &secrets {
            // A fragment of the secret would already be too much.
            let piece = &secret[..secret.len().min(20)];
            let line = text.lines().find(|line| line.contains(piece));
            assert_eq!(line, None, "{mode}: {name} holds {secret}");
        }
    }
}
