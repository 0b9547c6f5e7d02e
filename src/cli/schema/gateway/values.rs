//! Kinds of value that several settings share: addresses, durations, sizes, names, secrets.

use std::time::Duration;

use crate::cli::schema::builder::{SchemaBuilder, any_of, object, one_of, pattern, text};
use crate::settings::units::{format_duration, format_size};

/// An IP address and a port.
pub(super) const ADDRESS: &str = r"(\d{1,3}(\.\d{1,3}){3}|\[[^\]]+\]):\d{1,5}";

/// A duration with its default.
pub(super) fn duration_default(sentence: &str, default: Duration) -> SchemaBuilder {
    duration().description(sentence).default_value(format_duration(default))
}

pub(super) fn duration() -> SchemaBuilder {
    pattern("^(0|[1-9][0-9]*)(ms|s|m|h|d)$").pattern_error("A duration is such as `500ms`, `10s`, `5m`, `12h`, `7d`")
}

pub(super) fn size() -> SchemaBuilder {
    pattern("^(0|[1-9][0-9]*)(B|KiB|MiB|GiB)$").pattern_error("A size is such as `512B`, `64KiB`, `1MiB`, `4GiB`")
}

pub(super) fn size_or_unlimited() -> SchemaBuilder {
    any_of([size(), one_of(["unlimited"])]).example("100MiB")
}

/// A size in the notation of the settings.
pub(super) fn bytes(count: usize) -> String {
    format_size(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A name that occurs in ids and metrics.
pub(super) fn label() -> SchemaBuilder {
    pattern("^[a-z0-9-]{1,64}$").pattern_error("A name is at most 64 of a-z, 0-9 and `-`")
}

pub(super) fn header_name() -> SchemaBuilder {
    pattern("^[A-Za-z0-9-]{1,64}$").pattern_error("A header's name is letters, digits and `-`")
}

/// A path relative to the folder of the settings.
pub(super) fn file_name() -> SchemaBuilder {
    text()
}

/// The source of a secret, which is never in the settings themselves.
pub(super) fn secret() -> SchemaBuilder {
    object([
        (
            "file",
            file_name().description("A file of one line that only its owner may read").example("secrets/admin-token"),
        ),
        ("env", pattern("^[A-Za-z_][A-Za-z0-9_]*$").description("An environment variable").example("PORTCULLIS_TOKEN")),
    ])
    .required_one_of([&["file"], &["env"]])
}
