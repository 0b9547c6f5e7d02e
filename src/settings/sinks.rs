//! The small sections: audit, log, reload and token cache.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::{SettingsReader, is_word};
use crate::document::{MapReader, Node};

/// TokenCacheSettings: the cache of verified tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCacheSettings {
    /// The most entries; 0 disables the cache.
    pub entries: usize,
    /// The longest lifetime of an entry; never beyond the token's own expiry.
    pub max_age: Duration,
}

/// AuditSettings: the destination of audit records, and the behaviour under overload and failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The destination.
    pub to: AuditDestination,
    /// The most records that wait to be written.
    pub queue: usize,
    /// The behaviour while the queue is full.
    pub on_full: OnFull,
    /// The behaviour where the decision of a lossless request cannot be written.
    pub on_failure: OnFailure,
    /// The time that a lossless request waits for its decision to be on disk.
    pub patience: Duration,
    /// The rotation of audit files.
    pub rotate: RotationSettings,
}

/// AuditDestination: the destination of audit records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditDestination {
    /// Standard output.
    Stdout,
    /// A file that only its owner may read.
    File(PathBuf),
    /// No destination: audit is off.
    Nowhere,
}

/// OnFull: the treatment of a record while the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// The record is dropped and counted.
    Drop,
    /// The request waits until the queue has room.
    Wait,
}

/// OnFailure: the treatment of a lossless request whose decision cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The request is refused and not forwarded.
    Refuse,
    /// The request continues; the failure is counted and logged.
    Continue,
}

/// RotationSettings: when the next audit file begins, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationSettings {
    /// The largest size in bytes; `None` is no limit.
    pub size: Option<u64>,
    /// The longest age; `None` is no limit.
    pub age: Option<Duration>,
    /// The number of completed files that are kept; `None` keeps all of them.
    pub keep: Option<u64>,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self { size: Some(100 << 20), age: Some(Duration::from_secs(86_400)), keep: None }
    }
}

/// LogSettings: the format and level of the log on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The format.
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: LogLevel,
}

/// LogFormat: the format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Text,
}

/// LogLevel: the severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// A function does not work.
    Error,
    /// A function will soon fail, or is not safe.
    Warn,
    /// A state has changed.
    Info,
    /// Details for developers.
    Debug,
    /// All details.
    Trace,
}

impl LogLevel {
    /// The name in settings and tracing.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// ReloadSettings: how changed policies, keys and certificates are detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadSettings {
    /// The interval between checks of files whose changes the system does not report.
    pub poll: Duration,
}

/// Reads the map under `token-cache`.
pub(super) fn read_token_cache(node: Option<&Node>, reader: &mut SettingsReader<'_>) -> TokenCacheSettings {
    let (second, default) = (Duration::from_secs(1), Duration::from_secs(5 * 60));
    let mut cache = TokenCacheSettings { entries: 100_000, max_age: default };
    let fields = node.and_then(|node| MapReader::open(node, "`token-cache`", reader.findings));
    let Some(mut fields) = fields else { return cache };
    cache.entries = reader.count(fields.optional("entries"), "`entries`", 100_000, 0, 10_000_000);
    cache.max_age = reader.duration(fields.optional("max-age"), "`max-age`", default, second, second * 3600);
    fields.finish(reader.findings);
    cache
}

/// Reads the map under `audit`.
pub(super) fn read_audit(node: Option<&Node>, reader: &mut SettingsReader<'_>) -> AuditSettings {
    let mut audit = AuditSettings {
        to: AuditDestination::Stdout,
        queue: 65_536,
        on_full: OnFull::Drop,
        on_failure: OnFailure::Refuse,
        patience: Duration::from_secs(5),
        rotate: RotationSettings::default(),
    };
    let fields = node.and_then(|node| MapReader::open(node, "`audit`", reader.findings));
    let Some(mut fields) = fields else { return audit };
    if let Some(node) = fields.optional("to") {
        audit.to = read_audit_destination(node, reader).unwrap_or(AuditDestination::Stdout);
    }
    audit.queue = reader.count(fields.optional("queue"), "`queue`", 65_536, 16, 16_777_216);
    let words = [("drop", OnFull::Drop), ("wait", OnFull::Wait)];
    audit.on_full = reader.word(fields.optional("on-full"), "`on-full`", &words, OnFull::Drop);
    let words = [("refuse", OnFailure::Refuse), ("continue", OnFailure::Continue)];
    audit.on_failure = reader.word(fields.optional("on-failure"), "`on-failure`", &words, OnFailure::Refuse);
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(60));
    audit.patience = reader.duration(fields.optional("patience"), "`patience`", audit.patience, least, most);
    if let Some(node) = fields.optional("rotate") {
        audit.rotate = read_rotation(node, reader);
    }
    fields.finish(reader.findings);
    audit
}

/// Reads the map under `rotate`; each of its keys may be `unlimited`.
fn read_rotation(node: &Node, reader: &mut SettingsReader<'_>) -> RotationSettings {
    let mut rotate = RotationSettings::default();
    let Some(mut fields) = MapReader::open(node, "`rotate`", reader.findings) else { return rotate };
    rotate.size = reader.limit(fields.optional("size"), "`size`", 100 << 20, 64 << 10, 1 << 40);
    let age = fields.optional("age").filter(|node| {
        !is_word(node, "unlimited") || {
            rotate.age = None;
            false
        }
    });
    if rotate.age.is_some() {
        let (day, second) = (Duration::from_secs(86_400), Duration::from_secs(1));
        rotate.age = Some(reader.duration(age, "`age`", day, second, day * 366));
    }
    let keep = fields.optional("keep").filter(|node| !is_word(node, "unlimited"));
    rotate.keep = keep.map(|node| reader.number(Some(node), "`keep`", 1, 1, 1_000_000));
    fields.finish(reader.findings);
    rotate
}

/// Reads the map under `log`.
pub(super) fn read_log(node: Option<&Node>, reader: &mut SettingsReader<'_>) -> LogSettings {
    let mut log = LogSettings { format: LogFormat::Json, level: LogLevel::Info };
    let fields = node.and_then(|node| MapReader::open(node, "`log`", reader.findings));
    let Some(mut fields) = fields else { return log };
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    log.format = reader.word(fields.optional("format"), "`format`", &formats, log.format);
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
        .map(|level| (level.name(), level));
    log.level = reader.word(fields.optional("level"), "`level`", &levels, log.level);
    fields.finish(reader.findings);
    log
}

/// Reads the map under `reload`.
pub(super) fn read_reload(node: Option<&Node>, reader: &mut SettingsReader<'_>) -> ReloadSettings {
    let second = Duration::from_secs(1);
    let mut reload = ReloadSettings { poll: second };
    let fields = node.and_then(|node| MapReader::open(node, "`reload`", reader.findings));
    let Some(mut fields) = fields else { return reload };
    reload.poll = reader.duration(fields.optional("poll"), "`poll`", second, second / 10, second * 3600);
    fields.finish(reader.findings);
    reload
}

/// Reads a destination; a path must hold a `/`, so that a misspelt keyword never becomes a file of that name.
fn read_audit_destination(node: &Node, reader: &mut SettingsReader<'_>) -> Option<AuditDestination> {
    if !matches!(&node.value, crate::document::Value::Scalar { text, .. } if text.contains('/')) {
        let words = [("stdout", true), ("nowhere", false)];
        let stdout = crate::document::reader::keyword(node, "`to`", &words, reader.findings)?;
        return Some(if stdout { AuditDestination::Stdout } else { AuditDestination::Nowhere });
    }
    reader.path(node, "`to`").map(AuditDestination::File)
}
