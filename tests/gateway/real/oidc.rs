//! A third-party OpenID Connect issuer: discovery, its key set, key rotation, and its outage.

use std::time::Duration;

use serde_json::{Value, json};

use super::process::{JsonProcess, node};
use crate::support::{Answer, Client, Gateway, PATIENCE, Settings, TestEnvironment, now, within};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/noah-es.yaml");
const PATIENTS: &str = "/t1/api/Patients";

/// OpenIdIssuer: `oauth2-mock-server` with one RSA key, `first`.
struct OpenIdIssuer {
    server: JsonProcess,
    url: String,
}

impl OpenIdIssuer {
    fn start() -> Self {
        let server = JsonProcess::start(&mut node("issuer.js"));
        let url = server.read_line()["url"].as_str().unwrap().to_owned();
        Self { server, url }
    }

    /// A clinician's token, signed with the key `kid`; the members of `claims` replace the defaults.
    fn token(&mut self, kid: &str, claims: Value) -> String {
        let mut all = json!({
            "aud": "noah-es", "sub": "clinician", "client_id": "app-1", "tenants": ["t1"], "roles": ["Level 2"],
            "exp": now() + 600,
        });
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        all.as_object_mut().unwrap().extend(claims);
        let answer = self.server.exchange(&json!({ "do": "issue", "kid": kid, "claims": all }));
        answer["token"].as_str().unwrap().to_owned()
    }

    fn change(&mut self, what: &str, kid: &str) {
        self.server.exchange(&json!({ "do": what, "kid": kid }));
    }

    /// Settings that find the keys by discovery, with this refresh interval.
    fn settings(&self, env: &TestEnvironment, refresh: &str) -> Settings {
        Settings::new(&self.url)
            .api("noah", POLICY, env.upstream.address())
            .with("/issuers/test/keys/refresh", json!(refresh))
    }
}

async fn ask(gateway: &Gateway, token: &str) -> Answer {
    Client::connect(gateway.address()).await.get(PATIENTS, token).await
}

async fn until(gateway: &Gateway, token: &str, status: u16) {
    let what = format!("{status} for this token");
    within(PATIENCE, &what, async || (ask(gateway, token).await.status == status).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_issuer_is_trusted_by_discovery_and_its_claims_are_mapped() {
    let mut issuer = OpenIdIssuer::start();
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&issuer.settings(&env, "10m")).await;

    let token = issuer.token("first", json!({}));
    let answer = ask(&gateway, &token).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = env.upstream.journal().last().unwrap();
    assert_eq!(received.header("X-Portcullis-Subject"), Some("test/clinician"));
    assert_eq!(received.header("X-Portcullis-Roles"), Some("Level 2"));
    assert_eq!(received.header("X-Portcullis-Tenant"), Some("t1"));

    let served = env.upstream.journal().total();
    for (claims, status) in [
        (json!({ "aud": "another-api" }), 401),
        (json!({ "iss": "https://login.example" }), 401),
        (json!({ "sub": "" }), 401),
        (json!({ "exp": now() - 60 }), 401),
        (json!({ "nbf": now() + 60 }), 401),
        (json!({ "roles": [] }), 403),
        (json!({ "tenants": ["t2"] }), 403),
    ] {
        let answer = ask(&gateway, &issuer.token("first", claims.clone())).await;
        assert_eq!(answer.status, status, "{claims}: {}", answer.text());
    }
    assert_eq!(env.upstream.journal().total(), served);

    // The issuer's own token endpoint signs with the same key, but its token names neither audience nor caller.
    let address = issuer.url.replace("http://localhost:", "127.0.0.1:").parse().unwrap();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let granted =
        Client::connect(address).await.send("POST", "/token", "", &form, "grant_type=client_credentials").await;
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(ask(&gateway, &token).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_fetched_when_a_token_names_it_and_a_withdrawn_one_is_forgotten_at_the_next_refresh() {
    let mut issuer = OpenIdIssuer::start();
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&issuer.settings(&env, "1d")).await;
    let old = issuer.token("first", json!({}));
    assert_eq!(ask(&gateway, &old).await.status, 200);

    issuer.change("add", "second");
    let new = issuer.token("second", json!({}));
    // The first request with it makes the gateway fetch the keys; no client waits a day.
    until(&gateway, &new, 200).await;
    assert_eq!(ask(&gateway, &old).await.status, 200, "both keys are published");

    issuer.change("withdraw", "first");
    gateway.signal("HUP");
    // It has been verified and cached before: that must not outlive its key.
    until(&gateway, &old, 401).await;
    assert_eq!(ask(&gateway, &new).await.status, 200);
    let answer = ask(&gateway, &old).await;
    assert_eq!(answer.header("www-authenticate").map(|value| value.contains("Bearer")), Some(true));
    assert!(answer.reason().is_some(), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_key_is_refused_within_the_refresh_time() {
    let mut issuer = OpenIdIssuer::start();
    let env = TestEnvironment::set().await;
    issuer.change("add", "second");
    let gateway = env.serve(&issuer.settings(&env, "1s")).await;
    let [old, new] = ["first", "second"].map(|kid| issuer.token(kid, json!({})));
    assert_eq!(ask(&gateway, &old).await.status, 200);

    issuer.change("withdraw", "first");
    until(&gateway, &old, 401).await;
    assert_eq!(ask(&gateway, &new).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_keys_outlive_their_issuer() {
    let mut issuer = OpenIdIssuer::start();
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&issuer.settings(&env, "1s")).await;
    let [before, after] = ["clinician", "colleague"].map(|sub| issuer.token("first", json!({ "sub": sub })));
    assert_eq!(ask(&gateway, &before).await.status, 200);

    issuer.change("stop", "");
    // Several refreshes fail meanwhile.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(&gateway, &before).await.status, 200);
    assert_eq!(ask(&gateway, &after).await.status, 200, "a token that was never seen before needs the key itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_issuer_is_asked_about_opaque_tokens() {
    let mut issuer = OpenIdIssuer::start();
    let env = TestEnvironment::set().await;
    let secret = env.write("secret", "s3cret");
    std::fs::set_permissions(secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let introspection = json!({ "introspection": {
        "url": format!("{}/introspect", issuer.url), "client-id": "portcullis", "client-secret": { "file": "secret" },
        "cache": "1s",
    } });
    let settings = issuer.settings(&env, "10m").with("/issuers/test/keys", introspection);
    let gateway = env.serve(&settings).await;
    let claims = json!({
        "active": true, "iss": issuer.url, "aud": "noah-es", "sub": "clinician", "client_id": "app-1",
        "tenants": ["t1"], "roles": ["Level 2"], "exp": now() + 600,
    });
    assert_eq!(ask(&gateway, "unknown").await.status, 401, "it is not active yet");
    issuer.server.exchange(&json!({ "do": "tell", "claims": claims }));
    let answer = ask(&gateway, "opaque").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = env.upstream.journal().last().unwrap();
    assert_eq!(received.header("X-Portcullis-Subject"), Some("test/clinician"));

    // It is revoked: only the issuer's introspection response can make it valid, and a signed token is no exception.
    issuer.server.exchange(&json!({ "do": "tell", "claims": { "active": false } }));
    let signed = issuer.token("first", json!({}));
    assert_eq!(ask(&gateway, &signed).await.status, 401);
    until(&gateway, "opaque", 401).await;
}
