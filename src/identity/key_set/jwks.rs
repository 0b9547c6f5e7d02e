//! Reads the keys of a JSON Web Key Set (RFC 7517) that can verify tokens, and the reasons against the others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::error::KeyError;
use super::key::VerificationKey;
use crate::identity::{Algorithm, json};

/// Reads the usable keys of the set in `text`, and one reason for each key that is skipped.
pub(super) fn read_keys(text: &str) -> Result<(Vec<VerificationKey>, Vec<Box<str>>), KeyError> {
    let set = json::parse_object(text.as_bytes()).map_err(|_| KeyError::MalformedKeySet)?;
    let Some(Value::Array(items)) = set.get("keys") else { return Err(KeyError::MalformedKeySet) };
    let mut keys = Vec::new();
    let mut skipped = Vec::new();
    for item in items {
        match read_key(item) {
            Ok(key) => keys.push(key),
            Err(why) => {
                let kid = item.get("kid").and_then(Value::as_str);
                skipped.push(kid.map_or_else(|| why.clone(), |kid| format!("`{kid}`: {why}")).into());
            }
        }
    }
    Ok((keys, skipped))
}

fn read_key(item: &Value) -> Result<VerificationKey, String> {
    let Value::Object(members) = item else { return Err("not an object".into()) };
    let kid = match members.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str().into()),
        Some(_) => return Err("`kid` is not a text".into()),
    };
    if members.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err("its `use` is not `sig`".into());
    }
    let verifies = |list: &Vec<Value>| list.iter().any(|one| one == "verify");
    if members.get("key_ops").is_some_and(|operations| !operations.as_array().is_some_and(verifies)) {
        return Err("its `key_ops` do not list `verify`".into());
    }
    if members.contains_key("d") {
        return Err("a private key is in a public set: every reader of the set can sign tokens".into());
    }
    let mut key = match (read_text(members, "kty"), read_text(members, "crv")) {
        (Some("RSA"), _) => VerificationKey::rsa(&read_bytes(members, "n")?, &read_bytes(members, "e")?),
        (Some("EC"), Some("P-256")) => VerificationKey::p256(&read_point(members, 32)?),
        (Some("EC"), Some("P-384")) => VerificationKey::p384(&read_point(members, 48)?),
        (Some("OKP"), Some("Ed25519")) => VerificationKey::ed25519(&read_sized_bytes(members, "x", 32)?),
        (Some("oct"), _) => return Err("a symmetric key is never taken from a key set".into()),
        _ => return Err("its `kty` or `crv` is not supported".into()),
    }
    .map_err(|error| error.to_string())?;
    if let Some(alg) = members.get("alg") {
        let algorithm = alg.as_str().and_then(Algorithm::from_name).filter(|&one| key.algorithms.contains(one));
        key.algorithms = algorithm.ok_or("its `alg` is not one that it can verify")?.into();
    }
    key.kid = kid;
    Ok(key)
}

/// Reads an uncompressed point (SEC 1, section 2.3.3); RFC 7518, section 6.2.1.2, fixes the length of both halves.
fn read_point(members: &Map<String, Value>, length: usize) -> Result<Vec<u8>, String> {
    Ok([&[4], read_sized_bytes(members, "x", length)?.as_slice(), read_sized_bytes(members, "y", length)?.as_slice()]
        .concat())
}

fn read_sized_bytes(members: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, String> {
    read_bytes(members, name).and_then(|bytes| {
        if bytes.len() == length { Ok(bytes) } else { Err(format!("its `{name}` is not {length} bytes long")) }
    })
}

fn read_bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    read_text(members, name)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or_else(|| format!("its `{name}` is missing or not base64url"))
}

fn read_text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}
