//! Spellings that settings share: addresses, durations, sizes, names, secrets.

use std::time::Duration;

use crate::cli::schema::shape::{SchemaBuilder, any, matching, record, text, word};
use crate::settings::units::{format_duration, format_size};

/// An IP address and a port.
pub(super) const ADDRESS: &str = r"(\d{1,3}(\.\d{1,3}){3}|\[[^\]]+\]):\d{1,5}";

/// A duration with its default.
pub(super) fn lasting(sentence: &str, default: Duration) -> SchemaBuilder {
    duration().says(sentence).otherwise(format_duration(default))
}

pub(super) fn duration() -> SchemaBuilder {
    matching("^(0|[1-9][0-9]*)(ms|s|m|h|d)$").or_else("A duration is such as `500ms`, `10s`, `5m`, `12h`, `7d`")
}

pub(super) fn size() -> SchemaBuilder {
    matching("^(0|[1-9][0-9]*)(B|KiB|MiB|GiB)$").or_else("A size is such as `512B`, `64KiB`, `1MiB`, `4GiB`")
}

pub(super) fn size_or_unlimited() -> SchemaBuilder {
    any([size(), word(["unlimited"])]).such_as("100MiB")
}

/// A size as it is written.
pub(super) fn bytes(count: usize) -> String {
    format_size(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A name that ids and metrics are made of.
pub(super) fn label() -> SchemaBuilder {
    matching("^[a-z0-9-]{1,64}$").or_else("A name is at most 64 of a-z, 0-9 and `-`")
}

pub(super) fn header_name() -> SchemaBuilder {
    matching("^[A-Za-z0-9-]{1,64}$").or_else("A header's name is letters, digits and `-`")
}

/// A path, seen from the folder of the settings.
pub(super) fn file_name() -> SchemaBuilder {
    text()
}

/// Where a secret stands: never here.
pub(super) fn secret() -> SchemaBuilder {
    record([
        ("file", file_name().says("A file of one line that only its owner may read").such_as("secrets/admin-token")),
        ("env", matching("^[A-Za-z_][A-Za-z0-9_]*$").says("An environment variable").such_as("PORTCULLIS_TOKEN")),
    ])
    .needs_one_of([&["file"], &["env"]])
}
