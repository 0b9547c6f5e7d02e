//! External token attacks: `tests/real/jwt_attacks.py` forges tokens with openssl, and the real binary refuses them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::process::{finish, installed, script};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

const ISS: &str = "https://honest.test";

/// The attack tool, which signs as the honest issuer does.
fn tool(alg: &str, key: &Path) -> Command {
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg("-B").arg(script("jwt_attacks.py")).args(["--alg", alg, "--key"]).arg(key);
    command
}

/// Runs every attack on a gateway whose issuer has this key; returns the report's lines.
fn attack(alg: &str, key: &Path, keys: Value, files: Option<String>) -> String {
    let mut builder = Testbed::strict(Origin::start())
        .with("/issuers/test/issuer", json!(ISS))
        .with("/issuers/test/keys", keys)
        .with("/limits", json!({ "failed-credentials": 0 }));
    if let Some(set) = files {
        builder = builder.file("keys", set);
    }
    let testbed = builder.start();
    let mut tool = tool(alg, key);
    tool.args(["--url", &format!("http://{}/t1/things", testbed.at()), "--iss", ISS, "--aud", "noah-es", "--claims"]);
    let run = finish(tool.arg(json!({ "sub": "alice", "tenants": ["t1"], "roles": ["user"] }).to_string()));
    let lines = String::from_utf8(run.stdout).unwrap();
    assert!(run.success, "{}\n{lines}", run.stderr);
    let honest = lines.lines().filter(|line| line.starts_with("200 honest: ")).count();
    assert_eq!((honest, testbed.origin.count()), (2, 2), "the upstream saw the honest requests and no other");
    for received in testbed.origin.requests() {
        assert_eq!(received.header("x-portcullis-subject").as_deref(), Some("test/alice"));
    }
    let refused = lines.lines().filter(|line| ["400 ", "401 ", "431 "].iter().any(|s| line.starts_with(s))).count();
    assert!(refused > 500, "{refused} attacks\n{lines}");
    lines
}

fn attack_with_key(alg: &str, how: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let made = finish(Command::new("openssl").arg("genpkey").args(how).arg("-out").arg(&key));
    assert!(made.success, "{}", made.stderr);
    let set = finish(tool(alg, &key).arg("--jwks"));
    assert!(set.success, "{}", set.stderr);
    attack(alg, &key, json!({ "file": "keys" }), Some(String::from_utf8(set.stdout).unwrap()))
}

#[test]
fn every_known_attack_on_an_rs256_token_is_refused() {
    let lines = attack_with_key("RS256", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    assert!(lines.contains("401 swapped: HS256 with the public key in PEM\n"), "{lines}");
}

#[test]
fn every_known_attack_on_an_es256_token_is_refused() {
    let lines = attack_with_key("ES256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    assert!(lines.contains("401 signatures: of zeros\n"), "{lines}");
}

#[test]
fn every_known_attack_on_an_eddsa_token_is_refused() {
    let lines = attack_with_key("EdDSA", &["-algorithm", "ED25519"]);
    assert!(lines.contains("401 signatures: s + L\n"), "{lines}");
}

#[test]
fn every_known_attack_on_an_hs256_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("secret");
    let secret = "correct horse battery staple, long enough";
    std::fs::write(&key, secret).unwrap();
    attack("HS256", &key, json!({ "secret": { "file": "keys" } }), Some(secret.to_owned()));
}
