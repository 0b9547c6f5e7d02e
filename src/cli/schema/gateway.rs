//! The settings file, `gateway.yaml`: what each key is for, its default and its bounds.

mod issuer;
mod spelling;

use std::time::Duration;

use serde_json::{Value, json};

use issuer::issuer;
use spelling::{ADDRESS, bytes, duration, file_name, header_name, label, lasting, secret, size, size_or_unlimited};

use super::shape::{SchemaBuilder, any, flag, list, matching, names, number, only, record, text, texts, word};
use crate::settings::units::format_size;
use crate::settings::{IdentityHeaders, Limits, LogLevel};

/// The schema of `gateway.yaml`.
pub(super) fn schema() -> Value {
    file().document("gateway", "The settings of a Portcullis gateway", [])
}

fn file() -> SchemaBuilder {
    record([
        ("version", only(1).says("The version of this file's language")),
        ("threads", number(1, 1024).says("Threads that serve requests; one for each core where the key is absent")),
        ("listeners", list(listener()).filled().says("Where requests are received")),
        ("admin", admin()),
        (
            "upgrade-socket",
            file_name()
                .such_as("/run/portcullis/upgrade.sock")
                .says("The Unix socket at which `serve --upgrade` takes the listeners over on SIGQUIT"),
        ),
        (
            "trusted-proxies",
            list(matching(r"^[0-9A-Fa-f:.]+(/\d{1,3})?$").such_as("10.1.2.0/24"))
                .says("The load balancers whose X-Forwarded-* headers are believed")
                .otherwise(json!([])),
        ),
        ("limits", limits()),
        ("issuers", names(label(), issuer()).says("Whose tokens are believed; the name is the first half of every id")),
        (
            "api-keys",
            names(label(), issuer::key_source())
                .says("Whose API keys are believed; the name is the first half of every id"),
        ),
        (
            "client-certificates",
            names(label(), issuer::certificate_source())
                .says("Whose client certificates are believed; the name is the first half of every id"),
        ),
        ("apis", names(label(), api()).filled().says("What is guarded; the name stands in metrics and audit records")),
        ("token-cache", token_cache()),
        ("audit", audit()),
        ("log", log()),
        ("reload", reload()),
    ])
    .needs(["version", "listeners", "apis"])
}

// ── Where requests come from ──

fn listener() -> SchemaBuilder {
    let certificate = record([
        ("chain", file_name().says("The certificate and those above it, as PEM; the server's own comes first")),
        ("key", file_name().says("The private key, as PEM")),
    ])
    .needs(["chain", "key"]);
    let tls = record([
        (
            "certificates",
            list(certificate).filled().says(
                "Certificates with their keys; the client's server name chooses, the first is for all other names",
            ),
        ),
        ("http2", flag().says("Whether HTTP/2 is offered beside HTTP/1.1").otherwise(true)),
        (
            "client-certificates",
            record([
                ("from", texts().filled().distinct().says("The sources whose certificates count, by name")),
                ("required", flag().says("Whether a client without one is turned away").otherwise(false)),
            ])
            .needs(["from"])
            .says("Asks clients for certificates; without this key none is asked for"),
        ),
    ])
    .needs(["certificates"]);
    record([
        (
            "address",
            matching(&format!("^{ADDRESS}$"))
                .or_else("An address is an IP address and a port such as `127.0.0.1:8080` or `[::1]:8080`")
                .says("IP address and port; `0.0.0.0` or `[::]` is every interface")
                .such_as("127.0.0.1:8080"),
        ),
        ("name", label().says("The name by which an API may choose the listener; its address where the key is absent")),
        ("h2c", flag().says("Whether connections without TLS may begin with HTTP/2").otherwise(false)),
        ("tls", tls.says("Serves TLS with these certificates")),
    ])
    .needs(["address"])
}

fn admin() -> SchemaBuilder {
    record([
        (
            "address",
            matching(&format!("^(unix:/.+|{ADDRESS})$"))
                .or_else("An address is an IP address and a port, or `unix:` and a whole path")
                .says("IP address and port, or `unix:` and a path; beyond this machine it needs `token`")
                .otherwise("127.0.0.1:9901"),
        ),
        ("token", secret().says("What every request must carry as its bearer token, at least 16 characters")),
    ])
    .says("Where you look: /live, /ready, /metrics, /policy")
}

fn limits() -> SchemaBuilder {
    let default = Limits::default();
    record([
        (
            "connections",
            number(1, 1_000_000).says("Connections open at once on each listener").otherwise(default.connections),
        ),
        (
            "connections-per-address",
            any([number(1, 1_000_000), word(["unlimited"])])
                .says(
                    "Connections of one address open at once on each listener, or `unlimited`; not of trusted proxies",
                )
                .otherwise(default.connections_per_address),
        ),
        (
            "requests-per-connection",
            any([number(1, 1_000_000_000), word(["unlimited"])])
                .says("Requests on one HTTP/1.1 connection before it is closed, or `unlimited`")
                .otherwise(default.requests_per_connection),
        ),
        (
            "header-bytes",
            size()
                .says("Bytes of the request line and all headers, 1KiB to 1MiB; more is 431")
                .otherwise(bytes(default.header_bytes)),
        ),
        ("header-count", number(10, 256).says("Headers of one request; more is 431").otherwise(default.header_count)),
        (
            "target-length",
            size().says("Bytes of path and query, 256B to 64KiB; more is 414").otherwise(bytes(default.target_length)),
        ),
        (
            "header-timeout",
            lasting("From a connection's first byte to the end of its first headers", default.header_timeout),
        ),
        ("tls-handshake", lasting("The longest TLS handshake", default.tls_handshake)),
        ("keep-alive", lasting("Idle time between two requests on a connection", default.keep_alive)),
        (
            "body",
            size_or_unlimited()
                .says("Bytes of one request's body, or `unlimited`; more is 413")
                .otherwise(default.body.map_or("unlimited".to_owned(), format_size)),
        ),
        (
            "client-timeout",
            lasting(
                "How long a client may send nothing of a body, or take nothing of an answer",
                default.client_timeout,
            ),
        ),
        (
            "least-rate",
            size()
                .says("Bytes a second of a body or an answer, over each `client-timeout`; 0B switches this off")
                .otherwise(format_size(default.least_rate)),
        ),
        ("stream-age", lasting("The age at which WebSockets and endless responses end", default.stream_age)),
        (
            "http2-streams",
            number(1, 10_000).says("Streams open at once on one HTTP/2 connection").otherwise(default.http2_streams),
        ),
        (
            "http2-resets",
            number(1, 1_000_000)
                .says("Streams that a client may reset on one HTTP/2 connection in ten seconds")
                .otherwise(default.http2_resets),
        ),
        (
            "http2-control-frames",
            number(10, 1_000_000)
                .says("Frames on one HTTP/2 connection in ten seconds that carry nothing")
                .otherwise(default.http2_control_frames),
        ),
        (
            "failed-credentials",
            number(0, 1_000_000)
                .says("Refused credentials per address and minute before it gets 429; 0 switches this off")
                .otherwise(default.failed_credentials),
        ),
        ("drain", lasting("How long requests in flight may go on after SIGTERM", default.drain)),
    ])
    .says("What one client may use up")
}

// ── What is guarded ──

fn api() -> SchemaBuilder {
    let headers = IdentityHeaders::default();
    let header = |sentence: &str, default: &str| header_name().says(sentence).otherwise(default);
    record([
        ("match", matches()),
        ("policy", file_name().says("The policy: a file, or a folder of files").such_as("../policies/noah-es.yaml")),
        (
            "candidate",
            file_name()
                .says("A policy that is compared with the one that decides, and changes nothing: a file or a folder")
                .such_as("../policies/next.yaml"),
        ),
        (
            "issuers",
            texts().filled().distinct().says("Whose tokens it believes, by name; all issuers where the key is absent"),
        ),
        (
            "api-keys",
            texts()
                .filled()
                .distinct()
                .says("Whose API keys it believes, by name; all of them where the key is absent"),
        ),
        (
            "client-certificates",
            texts()
                .distinct()
                .says("Whose client certificates it believes, by name; all of them where the key is absent"),
        ),
        (
            "caller",
            word(["certificate", "token"])
                .says("What names the caller where both come; without this key such a request is refused"),
        ),
        ("upstream", upstream()),
        (
            "host",
            matching(r"^\S+$")
                .says("The Host that the upstream sees: `as-received`, `upstream`, or a name")
                .otherwise("as-received")
                .with("examples", json!(["as-received", "upstream"])),
        ),
        ("credential", credential()),
        (
            "identity-headers",
            record([
                ("subject", header("The caller's id", &headers.subject)),
                ("roles", header("The caller's roles", &headers.roles)),
                ("tenant", header("The tenant that was decided on", &headers.tenant)),
                ("decision", header("The decision's id, as in the audit", &headers.decision)),
            ])
            .says("The headers that tell the upstream who asks; what a client sends under these names is dropped"),
        ),
        (
            "method-overrides",
            word(["reject", "strip", "evaluate"])
                .says("What happens to X-HTTP-Method-Override and the like: refuse, take out, or judge both methods")
                .otherwise("reject"),
        ),
        (
            "pass-headers",
            list(matching(r"^[^\s:]{1,64}$"))
                .says("Header names with other characters than A-Z a-z 0-9 - that pass all the same")
                .otherwise(json!([])),
        ),
        (
            "body",
            size_or_unlimited()
                .says("Bytes of one request's body, or `unlimited`; that of `limits` where the key is absent"),
        ),
        (
            "audit",
            word(["fast", "lossless"])
                .says("Whether a request goes on at once, or when its decision is on disk; a route may say otherwise")
                .otherwise("fast"),
        ),
    ])
    .needs(["policy", "upstream"])
}

fn matches() -> SchemaBuilder {
    record([
        (
            "path",
            matching(r"^(/|(/[A-Za-z0-9._~-]+)+)$")
                .says("What the path begins with, whole segments; the longest path goes first")
                .otherwise("/"),
        ),
        (
            "hosts",
            list(matching(r"^\S+$").such_as("noah.example.com"))
                .filled()
                .says("Hosts without port; every host where the key is absent"),
        ),
        ("listeners", texts().filled().distinct().says("Listeners by name; every listener where the key is absent")),
    ])
    .says("Which requests belong to the API; every request where the key is absent")
}

fn upstream() -> SchemaBuilder {
    let seconds = Duration::from_secs;
    record([
        (
            "url",
            matching(r"^https?://[^/?#\s]+/?$")
                .or_else("An upstream is http or https, host and port, and nothing behind")
                .says("http or https, host and port, nothing behind")
                .such_as("http://127.0.0.1:5080"),
        ),
        ("server-name", text().says("The name in its certificate; needed where an https address is a number")),
        ("ca", file_name().says("The authority (PEM) to trust for https; the public ones where the key is absent")),
        ("connect-timeout", lasting("Until the connection stands; then 504", seconds(2))),
        ("read-timeout", lasting("Without a byte of the response; then 504", seconds(60))),
        ("write-timeout", lasting("Without room for a byte of the request", seconds(60))),
        ("idle-timeout", lasting("How long an unused connection is kept", seconds(60))),
        ("total-timeout", duration().says("For a whole exchange; no limit where the key is absent").such_as("10m")),
    ])
    .needs(["url"])
    .says("Where permitted requests go")
}

fn credential() -> SchemaBuilder {
    let basic =
        record([("user", matching("^[^:]+$").says("The user's name")), ("password", secret().says("The password"))])
            .needs(["user", "password"]);
    let fixed = record([
        ("header", header_name().says("The name of one header that every request gets").such_as("X-Api-Key")),
        ("value", secret().says("The value of that header")),
        ("basic", basic.says("A user and a password, sent as `Authorization: Basic …`")),
    ])
    .called("one credential for all callers")
    .needs_one_of([&["header", "value"], &["basic"]])
    .beside([("header", &["value"]), ("value", &["header"])]);
    any([word(["forward-bearer", "none"]), fixed])
        .says("What the upstream sees of credentials: the caller's bearer token, none, or one for all callers")
        .otherwise("forward-bearer")
}

// ── What is remembered and written ──

fn token_cache() -> SchemaBuilder {
    record([
        (
            "entries",
            number(0, 10_000_000).says("How many verified tokens are remembered; 0 switches it off").otherwise(100_000),
        ),
        ("max-age", lasting("For how long at most; never beyond the token's own end", Duration::from_secs(300))),
    ])
    .says("How verified tokens are remembered")
}

fn audit() -> SchemaBuilder {
    record([
        (
            "to",
            any([word(["stdout", "nowhere"]), matching("/").such_as("/var/log/portcullis/audit.jsonl")])
                .says("`stdout`, `nowhere`, or a path, which has a slash")
                .otherwise("stdout"),
        ),
        ("queue", number(16, 16_777_216).says("Records that may wait for the disk").otherwise(65_536)),
        (
            "on-full",
            word(["drop", "wait"])
                .says("While the queue is full: drop records and count them, or hold requests up")
                .otherwise("drop"),
        ),
        (
            "on-failure",
            word(["refuse", "continue"])
                .says("A lossless request whose decision cannot be kept: refuse it with 503, or let it go on")
                .otherwise("refuse"),
        ),
        (
            "patience",
            lasting("How long a lossless request waits for its decision to be on disk", Duration::from_secs(5)),
        ),
        ("rotate", rotate()),
    ])
    .says("Where what was decided goes")
}

fn rotate() -> SchemaBuilder {
    record([
        ("size", size_or_unlimited().says("A file of so many bytes is finished, or `unlimited`").otherwise("100MiB")),
        (
            "age",
            any([duration(), word(["unlimited"])])
                .says("A file of this age is finished, or `unlimited`")
                .otherwise("1d"),
        ),
        (
            "keep",
            any([number(1, 1_000_000), word(["unlimited"])])
                .says("How many finished files are kept, or `unlimited`; the oldest is deleted beyond them")
                .otherwise("unlimited"),
        ),
    ])
    .says("When an audit file is finished under the name audit-NUMBER.jsonl and the next one begun")
}

fn log() -> SchemaBuilder {
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    record([
        ("format", word(["json", "text"]).says("One JSON object a line, or text for people").otherwise("json")),
        ("level", word(levels.map(LogLevel::name)).says("From which severity on").otherwise(LogLevel::Info.name())),
    ])
    .says("How the log is written to standard error")
}

fn reload() -> SchemaBuilder {
    let poll =
        lasting("How often files are looked at where the system does not tell of a change", Duration::from_secs(1));
    record([("poll", poll)]).says("How changed files are noticed")
}
