//! Finding: one error or note about a document.

use super::sources::Span;

/// FindingCode: the kind of a finding; its text is stable and documented in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingCode {
    /// The text is not YAML, or uses YAML that this program does not support.
    YamlSyntax,
    /// An anchor, an alias or a merge key.
    YamlAnchor,
    /// A tag.
    YamlTag,
    /// A value that YAML may read as another type than text.
    NeedsQuotes,
    /// A key that occurs twice in one map.
    DuplicateKey,
    /// A key that is not defined here.
    UnknownKey,
    /// A required key that is missing.
    MissingKey,
    /// A value of the wrong type.
    WrongSort,
    /// A value of the right type that is not allowed.
    BadValue,
    /// An empty value where one is required.
    EmptyValue,
    /// A name that the policy does not define.
    UnknownName,
    /// A name that is defined twice, or that differs from another only in case and white space.
    DuplicateName,
    /// A route template that cannot be parsed, or that would match other paths than it appears to.
    BadRoute,
    /// Two routes that would match the same request.
    RouteConflict,
    /// Roles that include each other in a circle.
    Cycle,
    /// Two contradictory settings: a row granted and withdrawn in one entry, two roles under `one-role`.
    Contradiction,
    /// A setting that this version does not implement yet, and therefore refuses instead of ignoring it.
    NotYet,
    /// A condition that cannot be parsed, or that uses an unknown name.
    BadCondition,
    /// A route that no request reaches, because another route matches all of its paths.
    Unreachable,
    /// A locked role or profile that a reload would change.
    Locked,
    /// A case whose expected decision differs from the policy's decision.
    CaseFailed,
    /// A file that cannot be read.
    Unreadable,
    /// A row without a cell.
    EmptyRow,
    /// A column in which no row has a cell.
    EmptyColumn,
    /// A cell that no route requires.
    UnusedCell,
    /// A withdrawn row of which another row still grants some cells.
    StillGiven,
    /// A template that matches paths which a wider template with other cells would match too.
    Overlap,
    /// A granted row whose feature no profile of its holders enables.
    FeatureMissing,
    /// A policy in shadow mode, whose refused requests are forwarded.
    ShadowMode,
    /// A caller or a variant that no case uses.
    Unused,
}

impl FindingCode {
    /// All codes, in the order of the README.
    pub const ALL: &'static [Self] = &[
        Self::YamlSyntax,
        Self::YamlAnchor,
        Self::YamlTag,
        Self::NeedsQuotes,
        Self::DuplicateKey,
        Self::UnknownKey,
        Self::MissingKey,
        Self::WrongSort,
        Self::BadValue,
        Self::EmptyValue,
        Self::UnknownName,
        Self::DuplicateName,
        Self::BadRoute,
        Self::RouteConflict,
        Self::Cycle,
        Self::Contradiction,
        Self::BadCondition,
        Self::Unreachable,
        Self::Locked,
        Self::CaseFailed,
        Self::NotYet,
        Self::Unreadable,
        Self::EmptyRow,
        Self::EmptyColumn,
        Self::UnusedCell,
        Self::StillGiven,
        Self::Overlap,
        Self::FeatureMissing,
        Self::ShadowMode,
        Self::Unused,
    ];

    /// The stable text of this code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::YamlSyntax => "yaml-syntax",
            Self::YamlAnchor => "yaml-anchor",
            Self::YamlTag => "yaml-tag",
            Self::NeedsQuotes => "needs-quotes",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongSort => "wrong-sort",
            Self::BadValue => "bad-value",
            Self::EmptyValue => "empty-value",
            Self::UnknownName => "unknown-name",
            Self::DuplicateName => "duplicate-name",
            Self::BadRoute => "bad-route",
            Self::RouteConflict => "route-conflict",
            Self::Cycle => "cycle",
            Self::Contradiction => "contradiction",
            Self::NotYet => "not-yet",
            Self::BadCondition => "bad-condition",
            Self::Unreachable => "unreachable",
            Self::Locked => "locked",
            Self::CaseFailed => "case-failed",
            Self::Unreadable => "unreadable",
            Self::EmptyRow => "empty-row",
            Self::EmptyColumn => "empty-column",
            Self::UnusedCell => "unused-cell",
            Self::StillGiven => "still-given",
            Self::Overlap => "overlap",
            Self::FeatureMissing => "feature-missing",
            Self::ShadowMode => "shadow-mode",
            Self::Unused => "unused",
        }
    }
}

/// Severity: whether a finding prevents loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The finding prevents loading.
    Error,
    /// The finding never prevents loading.
    Note,
}

impl Severity {
    /// The text that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Note => "note",
        }
    }
}

/// Finding: one problem, its span and a suggested fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of finding.
    pub code: FindingCode,
    /// Whether it prevents loading.
    pub severity: Severity,
    /// The span; `None` if it concerns a file as a whole.
    pub span: Option<Span>,
    /// The problem, in one sentence without a full stop.
    pub message: String,
    /// Related spans, each with its label.
    pub also: Vec<(Span, String)>,
    /// The suggested fix.
    pub help: Option<String>,
}

impl Finding {
    /// An error, which prevents loading.
    pub fn error(code: FindingCode, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, span, message: message.into(), also: Vec::new(), help: None }
    }

    /// A note, which does not prevent loading.
    pub fn note(code: FindingCode, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, span, message) }
    }

    /// Adds a suggested fix.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds «did you mean» if a name among `known` is similar to `input`.
    pub fn suggest<'a>(self, input: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match crate::vocabulary::name::nearest(input, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Adds a related span and its label.
    pub fn also(mut self, span: Span, role: impl Into<String>) -> Self {
        self.also.push((span, role.into()));
        self
    }
}

/// Findings: all findings of one run, sorted by file and position when they are reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds all findings of another run.
    pub fn extend(&mut self, other: Findings) {
        self.0.extend(other.0);
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// Whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All findings in file order; findings without a span come first.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.0.iter().collect();
        all.sort_by_key(|finding| (finding.span, finding.severity == Severity::Note));
        all
    }
}
