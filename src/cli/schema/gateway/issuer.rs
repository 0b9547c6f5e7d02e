//! Issuers of `gateway.yaml`: their keys, introspection and claims, and the sources of API keys and certificates.

use std::time::Duration;

use serde_json::json;

use super::values::{bytes, duration_default, file_name, header_name, secret, size};
use crate::cli::schema::builder::{
    SchemaBuilder, any_of, boolean, integer, list, object, one_of, pattern, text, texts,
};
use crate::vocabulary::SubjectKind;

pub(super) fn issuer() -> SchemaBuilder {
    object([
        ("issuer", text().description("The exact value of `iss` in its tokens").example("https://login.example.com")),
        (
            "audiences",
            texts()
                .non_empty()
                .unique()
                .description("A token must name one of these in `aud`")
                .example(json!(["noah-es"])),
        ),
        ("keys", keys()),
        ("claims", claims()),
        ("service-apps", service_apps()),
        ("may-claim", may_claim()),
        ("leeway", duration_default("The accepted difference between clocks, up to 30s", Duration::from_secs(10))),
        (
            "max-lifetime",
            duration_default("A token whose remaining lifetime is longer is refused", Duration::from_secs(86_400)),
        ),
        (
            "max-length",
            size()
                .description("A longer token is refused without being parsed, 256B to 8KiB")
                .default_value(bytes(8 << 10)),
        ),
    ])
    .required(["issuer", "audiences", "keys"])
}

fn keys() -> SchemaBuilder {
    const FETCHED: &[&str] = &["jwks", "discovery"];
    object([
        (
            "discovery",
            boolean()
                .with("const", true)
                .description("Fetches the URL of the keys from the issuer's /.well-known/openid-configuration"),
        ),
        (
            "jwks",
            pattern(URL)
                .pattern_error("A URL begins with `http://` or `https://`")
                .description("The address of a key set")
                .example("https://login.example.com/jwks"),
        ),
        (
            "file",
            file_name()
                .description("PEM public keys, or a key set; read again when it changes")
                .example("keys/hospital.pem"),
        ),
        ("secret", secret().description("The key of HS256, at least 32 bytes")),
        ("introspection", introspection()),
        (
            "refresh",
            duration_default("How often `discovery` and `jwks` are fetched, 1s to 1d", Duration::from_secs(600)),
        ),
        (
            "insecure-http",
            boolean().description("Allows http:// beyond this machine for `discovery` and `jwks`").default_value(false),
        ),
        (
            "ca",
            file_name().description(
                "The authority (PEM) to trust for `discovery` and `jwks`; the public ones where the key is absent",
            ),
        ),
    ])
    .required_one_of([&["discovery"], &["jwks"], &["file"], &["secret"], &["introspection"]])
    .dependencies([("refresh", FETCHED), ("insecure-http", FETCHED), ("ca", FETCHED)])
    .description("The source of the keys: exactly one of `discovery`, `jwks`, `file`, `secret`, `introspection`")
}

fn introspection() -> SchemaBuilder {
    let second = Duration::from_secs(1);
    object([
        (
            "url",
            pattern(URL)
                .pattern_error("A URL begins with `http://` or `https://`")
                .description("The introspection endpoint")
                .example("https://login.example.com/introspect"),
        ),
        ("client-id", text().description("The client id of the gateway").example("portcullis")),
        ("client-secret", secret().description("That client's secret")),
        (
            "auth",
            one_of(["basic", "post"])
                .description("How id and secret are sent: with HTTP Basic, or in the form")
                .default_value("basic"),
        ),
        ("timeout", duration_default("The longest time for one response, 100ms to 30s", second * 2)),
        (
            "cache",
            duration_default(
                "How long a positive response is cached, also for a token without `exp`, 1s to 1h",
                second * 60,
            ),
        ),
        ("negative", duration_default("How long a negative response is cached, 1s to 10m", second * 10)),
        ("at-once", integer(1, 1024).description("The most concurrent calls").default_value(16)),
        ("per-second", integer(1, 100_000).description("The most calls per second").default_value(100)),
        (
            "dangerously-accept-missing-audience",
            boolean()
                .description("Accepts a token without `aud`, which may have been issued for any other server")
                .default_value(false),
        ),
        ("insecure-http", boolean().description("Allows http:// beyond this machine").default_value(false)),
        ("ca", file_name().description("The authority (PEM) to trust; the public ones where the key is absent")),
    ])
    .required(["url", "client-id", "client-secret"])
    .description("Introspects each token that is not in the cache (RFC 7662)")
}

const URL: &str = r"^https?://[^\s#]+$";

fn claims() -> SchemaBuilder {
    object([
        ("id", claim_path().description("The user").default_value("sub")),
        (
            "client-only",
            claim_path()
                .description("The identity where a token has no user: `client:…`, in a separate name space")
                .default_value("client_id"),
        ),
        (
            "client",
            list(claim_path())
                .description("The application; the first claim that is present counts")
                .default_value(json!(["client_id", "azp"])),
        ),
        ("tenants", claim_path().description("The caller's tenants; without this key a token names none")),
        (
            "roles",
            claim_path()
                .description("The caller's roles; without this key a token names none")
                .example("realm_access.roles"),
        ),
        ("groups", claim_path().description("The caller's groups; without this key a token names none")),
        (
            "permissions",
            claim_path().description("Names of permissions that are granted directly; without this key there are none"),
        ),
        ("split", boolean().description("Splits a string into names at spaces, as in `scope`").default_value(false)),
    ])
    .description("The claims to read: each a path with dots, or a list of names")
}

fn claim_path() -> SchemaBuilder {
    any_of([pattern(r"^[^.\s]+(\.[^.\s]+)*$"), texts().non_empty()])
}

fn service_apps() -> SchemaBuilder {
    object([
        ("clients", texts().non_empty().unique().description("OAuth clients whose tokens are service apps")),
        (
            "claim",
            claim_path()
                .description("A claim that identifies service apps, together with `values`")
                .example("token_use"),
        ),
        (
            "values",
            texts()
                .non_empty()
                .unique()
                .description("The values of that claim, one of which it must equal or contain")
                .example(json!(["service"])),
        ),
    ])
    .dependencies([("claim", &["values"]), ("values", &["claim"])])
    .non_empty()
    .description("The tokens that are service apps; one match is enough")
}

/// A file of API keys.
pub(super) fn key_source() -> SchemaBuilder {
    object([
        ("file", file_name().description("The file that `portcullis key` edits").example("secrets/keys.yaml")),
        ("header", header_name().description("The header that carries `id:secret`").example("X-Api-Key")),
        ("basic", boolean().description("Whether `Authorization: Basic` carries id and secret").default_value(false)),
        ("may-claim", may_claim().description("The most that its keys may claim; other claims are ignored")),
    ])
    .required(["file"])
}

/// A source of client certificates.
pub(super) fn certificate_source() -> SchemaBuilder {
    object([
        (
            "ca",
            file_name()
                .description("The authorities, as PEM; read again when they change")
                .example("tls/machines-ca.pem"),
        ),
        ("crl", list(file_name()).description("Their revocation lists, PEM or DER; read again when they change")),
        (
            "stale-crl",
            one_of(["refuse", "accept"])
                .description("The handling of certificates when a revocation list is out of date")
                .default_value("refuse"),
        ),
        (
            "id",
            one_of(["subject-cn", "subject", "san-dns", "san-uri", "san-email"])
                .description("The part of a certificate that is its holder's id, the second half")
                .default_value("subject-cn"),
        ),
        (
            "service-apps",
            texts().non_empty().unique().description("The ids that are service apps, without the name of the source"),
        ),
    ])
    .dependencies([("stale-crl", &["crl"])])
    .required(["ca"])
}

fn may_claim() -> SchemaBuilder {
    let kinds = list(one_of([SubjectKind::User, SubjectKind::Service].map(SubjectKind::as_str)));
    object([
        (
            "roles",
            texts().unique().description("The roles that count; with this key claimed permissions are ignored too"),
        ),
        ("tenants", texts().unique().description("The tenants that count")),
        ("kinds", kinds.non_empty().description("Whether its tokens may be users, service apps, or both")),
    ])
    .description("The most that its tokens may claim; other claims are ignored")
}
