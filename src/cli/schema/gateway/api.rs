//! APIs of `gateway.yaml`: matching, policies, credentials, upstreams and identity headers.

use std::time::Duration;

use serde_json::json;

use super::values::{duration, duration_default, file_name, header_name, secret, size_or_unlimited};
use crate::cli::schema::builder::{SchemaBuilder, any_of, list, object, one_of, pattern, text, texts};
use crate::settings::IdentityHeaders;

pub(super) fn api() -> SchemaBuilder {
    let headers = IdentityHeaders::default();
    let header = |sentence: &str, default: &str| header_name().description(sentence).default_value(default);
    object([
        ("match", matches()),
        (
            "policy",
            file_name().description("The policy: a file, or a folder of files").example("../policies/noah-es.yaml"),
        ),
        (
            "candidate",
            file_name()
                .description("A candidate, compared with the live policy and not enforced: a file or a folder")
                .example("../policies/next.yaml"),
        ),
        (
            "issuers",
            texts()
                .non_empty()
                .unique()
                .description("The issuers of its tokens, by name; all issuers where the key is absent"),
        ),
        (
            "api-keys",
            texts()
                .non_empty()
                .unique()
                .description("The sources of its API keys, by name; all sources where the key is absent"),
        ),
        (
            "client-certificates",
            texts()
                .unique()
                .description("The sources of its client certificates, by name; all sources where the key is absent"),
        ),
        (
            "caller",
            one_of(["certificate", "token"])
                .description("The credential that counts where a request has both; without this key it is refused"),
        ),
        ("upstream", upstream()),
        (
            "host",
            pattern(r"^\S+$")
                .description("The Host that the upstream sees: `as-received`, `upstream`, or a name")
                .default_value("as-received")
                .with("examples", json!(["as-received", "upstream"])),
        ),
        ("credential", credential()),
        (
            "identity-headers",
            object([
                ("subject", header("The caller's id", &headers.subject)),
                ("roles", header("The caller's roles", &headers.roles)),
                ("tenant", header("The tenant of the decision", &headers.tenant)),
                ("decision", header("The decision's id, as in the audit", &headers.decision)),
            ])
            .description("The identity headers for the upstream; a client's headers of these names are removed"),
        ),
        (
            "method-overrides",
            one_of(["reject", "strip", "evaluate"])
                .description("X-HTTP-Method-Override and similar headers: reject, strip, or evaluate both methods")
                .default_value("reject"),
        ),
        (
            "pass-headers",
            list(pattern(r"^[^\s:]{1,64}$"))
                .description("Header names with characters other than A-Z a-z 0-9 - that are forwarded")
                .default_value(json!([])),
        ),
        (
            "body",
            size_or_unlimited()
                .description("Bytes of one request's body, or `unlimited`; that of `limits` where the key is absent"),
        ),
        (
            "audit",
            one_of(["fast", "lossless"])
                .description("Whether a request waits until its decision is on disk; a route may set another value")
                .default_value("fast"),
        ),
    ])
    .required(["policy", "upstream"])
}

fn matches() -> SchemaBuilder {
    object([
        (
            "path",
            pattern(r"^(/|(/[A-Za-z0-9._~-]+)+)$")
                .description("The prefix of the path, in whole segments; the longest prefix is matched first")
                .default_value("/"),
        ),
        (
            "hosts",
            list(pattern(r"^\S+$").example("noah.example.com"))
                .non_empty()
                .description("Hosts without port; every host where the key is absent"),
        ),
        (
            "listeners",
            texts().non_empty().unique().description("Listeners by name; every listener where the key is absent"),
        ),
    ])
    .description("Which requests belong to the API; every request where the key is absent")
}

fn upstream() -> SchemaBuilder {
    let seconds = Duration::from_secs;
    object([
        (
            "url",
            pattern(r"^https?://[^/?#\s]+/?$")
                .pattern_error("An upstream is http or https, host and port, without a path")
                .description("http or https, host and port, without a path")
                .example("http://127.0.0.1:5080"),
        ),
        (
            "server-name",
            text().description("The name in its certificate; required where an https URL has an IP address"),
        ),
        (
            "ca",
            file_name().description("The authority (PEM) to trust for https; the public ones where the key is absent"),
        ),
        (
            "connect-timeout",
            duration_default("The longest time until the connection is established; then 504", seconds(2)),
        ),
        ("read-timeout", duration_default("The longest time without a byte of the response; then 504", seconds(60))),
        (
            "write-timeout",
            duration_default("The longest time in which no byte of the request can be sent", seconds(60)),
        ),
        ("idle-timeout", duration_default("How long an idle connection stays open", seconds(60))),
        (
            "total-timeout",
            duration()
                .description("The longest time for a whole exchange; no limit where the key is absent")
                .example("10m"),
        ),
    ])
    .required(["url"])
    .description("The origin server that permitted requests are forwarded to")
}

fn credential() -> SchemaBuilder {
    let basic = object([
        ("user", pattern("^[^:]+$").description("The user's name")),
        ("password", secret().description("The password")),
    ])
    .required(["user", "password"]);
    let fixed = object([
        (
            "header",
            header_name().description("The name of a header that is added to every request").example("X-Api-Key"),
        ),
        ("value", secret().description("The value of that header")),
        ("basic", basic.description("A user and a password, sent as `Authorization: Basic …`")),
    ])
    .title("one credential for all callers")
    .required_one_of([&["header", "value"], &["basic"]])
    .dependencies([("header", &["value"]), ("value", &["header"])]);
    any_of([one_of(["forward-bearer", "none"]), fixed])
        .description(
            "The credential that the upstream receives: the caller's bearer token, none, or one for all callers",
        )
        .default_value("forward-bearer")
}
