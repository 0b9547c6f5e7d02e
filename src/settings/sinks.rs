//! Audit, log, reload and token cache: the small sections.

use std::path::PathBuf;
use std::time::Duration;

use super::value::{SettingsReader, is_word};
use crate::document::{MapReader, Node};

/// TokenCacheSettings: how verified tokens are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCacheSettings {
    /// How many at most; 0 remembers none.
    pub entries: usize,
    /// For how long at most; never beyond the token's own end.
    pub max_age: Duration,
}

/// AuditSettings: where audit records go, and what happens where they come too fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Where.
    pub to: AuditDestination,
    /// How many records may wait to be written.
    pub queue: usize,
    /// What happens while the queue is full.
    pub on_full: OnFull,
    /// What happens to a lossless request whose decision cannot be kept.
    pub on_failure: OnFailure,
    /// How long a lossless request waits for its decision to be on disk.
    pub patience: Duration,
    /// When a file is finished and the next one begun.
    pub rotate: RotationSettings,
}

/// AuditDestination: where audit records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditDestination {
    /// To standard output.
    Stdout,
    /// To a file, readable by its owner only.
    File(PathBuf),
    /// Nowhere: there are none.
    Nowhere,
}

/// OnFull: what happens to a record while the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// It is dropped and counted.
    Drop,
    /// The request waits for room.
    Wait,
}

/// OnFailure: what happens to a lossless request whose decision cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused, and nothing is forwarded.
    Refuse,
    /// It goes on, counted and logged.
    Continue,
}

/// RotationSettings: when an audit file is finished and the next one begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationSettings {
    /// At so many bytes; `None` is at no size.
    pub size: Option<u64>,
    /// At this age; `None` is at no age.
    pub age: Option<Duration>,
    /// How many finished files are kept; `None` is all of them.
    pub keep: Option<u64>,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self { size: Some(100 << 20), age: Some(Duration::from_secs(86_400)), keep: None }
    }
}

/// LogSettings: how the log is written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// In which form.
    pub format: LogFormat,
    /// From which severity on.
    pub level: LogLevel,
}

/// LogFormat: the form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line for people.
    Text,
}

/// LogLevel: how severe a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something will not work for long, or is not safe.
    Warn,
    /// Something has changed.
    Info,
    /// What a developer asks.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word that settings and tracing use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// ReloadSettings: how changed policies, keys and certificates are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadSettings {
    /// How often files are looked at where the system does not tell of their change.
    pub poll: Duration,
}

/// The map under `token-cache`.
pub(super) fn token_cache(node: Option<&Node>, reading: &mut SettingsReader<'_>) -> TokenCacheSettings {
    let (second, default) = (Duration::from_secs(1), Duration::from_secs(5 * 60));
    let mut cache = TokenCacheSettings { entries: 100_000, max_age: default };
    let fields = node.and_then(|node| MapReader::open(node, "`token-cache`", reading.findings));
    let Some(mut fields) = fields else { return cache };
    cache.entries = reading.count(fields.optional("entries"), "`entries`", 100_000, 0, 10_000_000);
    cache.max_age = reading.duration(fields.optional("max-age"), "`max-age`", default, second, second * 3600);
    fields.finish(reading.findings);
    cache
}

/// The map under `audit`.
pub(super) fn audit(node: Option<&Node>, reading: &mut SettingsReader<'_>) -> AuditSettings {
    let mut audit = AuditSettings {
        to: AuditDestination::Stdout,
        queue: 65_536,
        on_full: OnFull::Drop,
        on_failure: OnFailure::Refuse,
        patience: Duration::from_secs(5),
        rotate: RotationSettings::default(),
    };
    let fields = node.and_then(|node| MapReader::open(node, "`audit`", reading.findings));
    let Some(mut fields) = fields else { return audit };
    if let Some(node) = fields.optional("to") {
        audit.to = audit_to(node, reading).unwrap_or(AuditDestination::Stdout);
    }
    audit.queue = reading.count(fields.optional("queue"), "`queue`", 65_536, 16, 16_777_216);
    let words = [("drop", OnFull::Drop), ("wait", OnFull::Wait)];
    audit.on_full = reading.word(fields.optional("on-full"), "`on-full`", &words, OnFull::Drop);
    let words = [("refuse", OnFailure::Refuse), ("continue", OnFailure::Continue)];
    audit.on_failure = reading.word(fields.optional("on-failure"), "`on-failure`", &words, OnFailure::Refuse);
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(60));
    audit.patience = reading.duration(fields.optional("patience"), "`patience`", audit.patience, least, most);
    if let Some(node) = fields.optional("rotate") {
        audit.rotate = rotate(node, reading);
    }
    fields.finish(reading.findings);
    audit
}

/// The map under `rotate`; each of its keys may say `unlimited`.
fn rotate(node: &Node, reading: &mut SettingsReader<'_>) -> RotationSettings {
    let mut rotate = RotationSettings::default();
    let Some(mut fields) = MapReader::open(node, "`rotate`", reading.findings) else { return rotate };
    rotate.size = reading.limit(fields.optional("size"), "`size`", 100 << 20, 64 << 10, 1 << 40);
    let age = fields.optional("age").filter(|node| {
        !is_word(node, "unlimited") || {
            rotate.age = None;
            false
        }
    });
    if rotate.age.is_some() {
        let (day, second) = (Duration::from_secs(86_400), Duration::from_secs(1));
        rotate.age = Some(reading.duration(age, "`age`", day, second, day * 366));
    }
    let keep = fields.optional("keep").filter(|node| !is_word(node, "unlimited"));
    rotate.keep = keep.map(|node| reading.number(Some(node), "`keep`", 1, 1, 1_000_000));
    fields.finish(reading.findings);
    rotate
}

/// The map under `log`.
pub(super) fn log(node: Option<&Node>, reading: &mut SettingsReader<'_>) -> LogSettings {
    let mut log = LogSettings { format: LogFormat::Json, level: LogLevel::Info };
    let fields = node.and_then(|node| MapReader::open(node, "`log`", reading.findings));
    let Some(mut fields) = fields else { return log };
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    log.format = reading.word(fields.optional("format"), "`format`", &formats, log.format);
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
        .map(|level| (level.word(), level));
    log.level = reading.word(fields.optional("level"), "`level`", &levels, log.level);
    fields.finish(reading.findings);
    log
}

/// The map under `reload`.
pub(super) fn reload(node: Option<&Node>, reading: &mut SettingsReader<'_>) -> ReloadSettings {
    let second = Duration::from_secs(1);
    let mut reload = ReloadSettings { poll: second };
    let fields = node.and_then(|node| MapReader::open(node, "`reload`", reading.findings));
    let Some(mut fields) = fields else { return reload };
    reload.poll = reading.duration(fields.optional("poll"), "`poll`", second, second / 10, second * 3600);
    fields.finish(reading.findings);
    reload
}

/// A path holds a `/`, so that a misspelt word never becomes a file of that name.
fn audit_to(node: &Node, reading: &mut SettingsReader<'_>) -> Option<AuditDestination> {
    if !matches!(&node.value, crate::document::Value::Scalar { text, .. } if text.contains('/')) {
        let words = [("stdout", true), ("nowhere", false)];
        let stdout = crate::document::reader::keyword(node, "`to`", &words, reading.findings)?;
        return Some(if stdout { AuditDestination::Stdout } else { AuditDestination::Nowhere });
    }
    reading.path(node, "`to`").map(AuditDestination::File)
}
