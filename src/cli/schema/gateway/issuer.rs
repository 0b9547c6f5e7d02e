//! Issuers: whose tokens are believed, their keys and their claims.

use std::time::Duration;

use serde_json::json;

use super::spelling::{bytes, file_name, header_name, lasting, secret, size};
use crate::cli::schema::shape::{SchemaBuilder, any, flag, list, matching, number, record, text, texts, word};
use crate::vocabulary::SubjectKind;

pub(super) fn issuer() -> SchemaBuilder {
    record([
        ("issuer", text().says("The exact value of `iss` in its tokens").such_as("https://login.example.com")),
        (
            "audiences",
            texts().filled().distinct().says("A token must name one of these in `aud`").such_as(json!(["noah-es"])),
        ),
        ("keys", keys()),
        ("claims", claims()),
        ("service-apps", service_apps()),
        ("may-claim", may_claim()),
        ("leeway", lasting("By how much clocks may differ, up to 30s", Duration::from_secs(10))),
        ("max-lifetime", lasting("A token that lives longer from now on is refused", Duration::from_secs(86_400))),
        ("max-length", size().says("A longer token is refused unread, 256B to 8KiB").otherwise(bytes(8 << 10))),
    ])
    .needs(["issuer", "audiences", "keys"])
}

fn keys() -> SchemaBuilder {
    const FETCHED: &[&str] = &["jwks", "discovery"];
    record([
        (
            "discovery",
            flag().with("const", true).says("Asks the issuer's /.well-known/openid-configuration where its keys are"),
        ),
        (
            "jwks",
            matching(URL)
                .or_else("A URL begins with `http://` or `https://`")
                .says("The address of a key set")
                .such_as("https://login.example.com/jwks"),
        ),
        (
            "file",
            file_name().says("PEM public keys, or a key set; read again when it changes").such_as("keys/hospital.pem"),
        ),
        ("secret", secret().says("The key of HS256, at least 32 bytes")),
        ("introspection", introspection()),
        ("refresh", lasting("How often `discovery` and `jwks` are asked, 1s to 1d", Duration::from_secs(600))),
        (
            "insecure-http",
            flag().says("Allows http:// beyond this machine for `discovery` and `jwks`").otherwise(false),
        ),
        (
            "ca",
            file_name().says(
                "The authority (PEM) to trust for `discovery` and `jwks`; the public ones where the key is absent",
            ),
        ),
    ])
    .needs_one_of([&["discovery"], &["jwks"], &["file"], &["secret"], &["introspection"]])
    .beside([("refresh", FETCHED), ("insecure-http", FETCHED), ("ca", FETCHED)])
    .says("Where the keys come from: exactly one of `discovery`, `jwks`, `file`, `secret`, `introspection`")
}

fn introspection() -> SchemaBuilder {
    let second = Duration::from_secs(1);
    record([
        (
            "url",
            matching(URL)
                .or_else("A URL begins with `http://` or `https://`")
                .says("The introspection endpoint")
                .such_as("https://login.example.com/introspect"),
        ),
        ("client-id", text().says("The client as which the gateway asks").such_as("portcullis")),
        ("client-secret", secret().says("That client's secret")),
        (
            "auth",
            word(["basic", "post"]).says("How the two are sent: with HTTP Basic, or in the form").otherwise("basic"),
        ),
        ("timeout", lasting("How long one answer may take, 100ms to 30s", second * 2)),
        (
            "cache",
            lasting("How long a good answer is believed, and a token without `exp` lives, 1s to 1h", second * 60),
        ),
        ("negative", lasting("How long a bad answer is believed, 1s to 10m", second * 10)),
        ("at-once", number(1, 1024).says("Calls that may be under way at once").otherwise(16)),
        ("per-second", number(1, 100_000).says("Calls that may be made in a second").otherwise(100)),
        (
            "dangerously-accept-missing-audience",
            flag()
                .says("Believes a token without `aud`, which its issuer may have made for any other server")
                .otherwise(false),
        ),
        ("insecure-http", flag().says("Allows http:// beyond this machine").otherwise(false)),
        ("ca", file_name().says("The authority (PEM) to trust; the public ones where the key is absent")),
    ])
    .needs(["url", "client-id", "client-secret"])
    .says("Asks the issuer about each token that it has not asked about lately (RFC 7662)")
}

const URL: &str = r"^https?://[^\s#]+$";

fn claims() -> SchemaBuilder {
    record([
        ("id", claim_path().says("The user").otherwise("sub")),
        (
            "client-only",
            claim_path()
                .says("Who it is where a token has no user: `client:…`, in a name space of its own")
                .otherwise("client_id"),
        ),
        (
            "client",
            list(claim_path())
                .says("The application; the first one that is there counts")
                .otherwise(json!(["client_id", "azp"])),
        ),
        ("tenants", claim_path().says("The caller's tenants; without this key a token names none")),
        (
            "roles",
            claim_path().says("The caller's roles; without this key a token names none").such_as("realm_access.roles"),
        ),
        ("groups", claim_path().says("The caller's groups; without this key a token names none")),
        (
            "permissions",
            claim_path().says("Names of permissions that are granted directly; without this key there are none"),
        ),
        (
            "split",
            flag().says("Reads a text as several names with blanks between them, as in `scope`").otherwise(false),
        ),
    ])
    .says("Where a token says what: a path with dots, or a list of names")
}

fn claim_path() -> SchemaBuilder {
    any([matching(r"^[^.\s]+(\.[^.\s]+)*$"), texts().filled()])
}

fn service_apps() -> SchemaBuilder {
    record([
        ("clients", texts().filled().distinct().says("OAuth clients whose tokens are service apps")),
        ("claim", claim_path().says("A claim that tells service apps, beside `values`").such_as("token_use")),
        ("values", texts().filled().distinct().says("What that claim holds, or lists").such_as(json!(["service"]))),
    ])
    .beside([("claim", &["values"]), ("values", &["claim"])])
    .filled()
    .says("Which tokens are service apps; one match is enough")
}

/// A file of API keys.
pub(super) fn key_source() -> SchemaBuilder {
    record([
        ("file", file_name().says("The file that `portcullis key` keeps").such_as("secrets/keys.yaml")),
        ("header", header_name().says("The header that carries `id:secret`").such_as("X-Api-Key")),
        ("basic", flag().says("Whether `Authorization: Basic` carries id and secret").otherwise(false)),
        ("may-claim", may_claim().says("What its keys may claim at most; what exceeds it is ignored")),
    ])
    .needs(["file"])
}

/// A source of client certificates.
pub(super) fn certificate_source() -> SchemaBuilder {
    record([
        ("ca", file_name().says("The authorities, as PEM; read again when they change").such_as("tls/machines-ca.pem")),
        ("crl", list(file_name()).says("Their revocation lists, PEM or DER; read again when they change")),
        (
            "stale-crl",
            word(["refuse", "accept"])
                .says("What becomes of certificates when a revocation list is out of date")
                .otherwise("refuse"),
        ),
        (
            "id",
            word(["subject-cn", "subject", "san-dns", "san-uri", "san-email"])
                .says("What in a certificate is its holder's id, the second half")
                .otherwise("subject-cn"),
        ),
        ("service-apps", texts().filled().distinct().says("The ids, without the name in front, that are service apps")),
    ])
    .beside([("stale-crl", &["crl"])])
    .needs(["ca"])
}

fn may_claim() -> SchemaBuilder {
    let kinds = list(word([SubjectKind::User, SubjectKind::Service].map(SubjectKind::as_str)));
    record([
        ("roles", texts().distinct().says("The roles that count; with this key claimed permissions are ignored too")),
        ("tenants", texts().distinct().says("The tenants that count")),
        ("kinds", kinds.filled().says("Whether its tokens may be users, service apps, or both")),
    ])
    .says("What its tokens may claim at most; what exceeds it is ignored")
}
