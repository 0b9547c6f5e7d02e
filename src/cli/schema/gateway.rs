//! The schema of the settings file, `gateway.yaml`: the meaning, default and bounds of each key.

mod api;
mod issuer;
mod limits;
mod listener;
mod values;

use std::time::Duration;

use serde_json::{Value, json};

use api::api;
use issuer::issuer;
use limits::limits;
use listener::{admin, listener};
use values::{duration, duration_default, file_name, label, size_or_unlimited};

use super::builder::{SchemaBuilder, any_of, constant, integer, list, map_of, object, one_of, pattern};
use crate::settings::LogLevel;

/// The schema of `gateway.yaml`.
pub(super) fn schema() -> Value {
    file().document("gateway", "The settings of a Portcullis gateway", [])
}

fn file() -> SchemaBuilder {
    object([
        ("version", constant(1).description("The version of this file's language")),
        (
            "threads",
            integer(1, 1024).description("Threads that serve requests; one for each core where the key is absent"),
        ),
        ("listeners", list(listener()).non_empty().description("The listeners that receive requests")),
        ("admin", admin()),
        (
            "upgrade-socket",
            file_name()
                .example("/run/portcullis/upgrade.sock")
                .description("The Unix socket through which `serve --upgrade` takes over the listeners on SIGQUIT"),
        ),
        (
            "trusted-proxies",
            list(pattern(r"^[0-9A-Fa-f:.]+(/\d{1,3})?$").example("10.1.2.0/24"))
                .description("The load balancers whose X-Forwarded-* headers are trusted")
                .default_value(json!([])),
        ),
        ("limits", limits()),
        (
            "issuers",
            map_of(label(), issuer())
                .description("The issuers whose tokens are accepted; the name is the first half of every id"),
        ),
        (
            "api-keys",
            map_of(label(), issuer::key_source())
                .description("The sources of API keys; the name is the first half of every id"),
        ),
        (
            "client-certificates",
            map_of(label(), issuer::certificate_source())
                .description("The sources of client certificates; the name is the first half of every id"),
        ),
        (
            "apis",
            map_of(label(), api())
                .non_empty()
                .description("The protected APIs; the name appears in metrics and audit records"),
        ),
        ("token-cache", token_cache()),
        ("audit", audit()),
        ("log", log()),
        ("reload", reload()),
    ])
    .required(["version", "listeners", "apis"])
}

fn token_cache() -> SchemaBuilder {
    object([
        (
            "entries",
            integer(0, 10_000_000)
                .description("How many verified tokens are cached; 0 switches the cache off")
                .default_value(100_000),
        ),
        (
            "max-age",
            duration_default(
                "The longest time in the cache; never beyond the token's own expiry",
                Duration::from_secs(300),
            ),
        ),
    ])
    .description("The cache of verified tokens")
}

fn audit() -> SchemaBuilder {
    object([
        (
            "to",
            any_of([one_of(["stdout", "nowhere"]), pattern("/").example("/var/log/portcullis/audit.jsonl")])
                .description("`stdout`, `nowhere`, or a path, which has a slash")
                .default_value("stdout"),
        ),
        ("queue", integer(16, 16_777_216).description("The records that may wait to be written").default_value(65_536)),
        (
            "on-full",
            one_of(["drop", "wait"])
                .description("While the queue is full: drop records and count them, or delay requests")
                .default_value("drop"),
        ),
        (
            "on-failure",
            one_of(["refuse", "continue"])
                .description(
                    "For a lossless request whose decision cannot be written: refuse it with 503, or forward it",
                )
                .default_value("refuse"),
        ),
        (
            "patience",
            duration_default(
                "How long a lossless request waits for its decision to be on disk",
                Duration::from_secs(5),
            ),
        ),
        ("rotate", rotate()),
    ])
    .description("The destination of audit records")
}

fn rotate() -> SchemaBuilder {
    object([
        (
            "size",
            size_or_unlimited()
                .description("The size at which a file is finished, or `unlimited`")
                .default_value("100MiB"),
        ),
        (
            "age",
            any_of([duration(), one_of(["unlimited"])])
                .description("The age at which a file is finished, or `unlimited`")
                .default_value("1d"),
        ),
        (
            "keep",
            any_of([integer(1, 1_000_000), one_of(["unlimited"])])
                .description("How many finished files are kept, or `unlimited`; the oldest is deleted beyond them")
                .default_value("unlimited"),
        ),
    ])
    .description("When an audit file is finished as audit-NUMBER.jsonl and the next one is started")
}

fn log() -> SchemaBuilder {
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    object([
        (
            "format",
            one_of(["json", "text"]).description("One JSON object per line, or text for people").default_value("json"),
        ),
        (
            "level",
            one_of(levels.map(LogLevel::name))
                .description("The lowest severity that is written")
                .default_value(LogLevel::Info.name()),
        ),
    ])
    .description("How the log is written to standard error")
}

fn reload() -> SchemaBuilder {
    let poll = duration_default(
        "How often files are checked where the system does not report changes",
        Duration::from_secs(1),
    );
    object([("poll", poll)]).description("How changed files are detected")
}
