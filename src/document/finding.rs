//! Finding: one thing that is wrong, or worth knowing, about what somebody wrote.

use super::sources::Span;

/// FindingCode: every sort of finding; its text is stable and documented in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingCode {
    /// The text is not YAML, or YAML that this program does not read.
    YamlSyntax,
    /// An anchor, an alias or a merge key.
    YamlAnchor,
    /// A tag.
    YamlTag,
    /// A value that YAML may read as something other than text.
    NeedsQuotes,
    /// A key twice in one map.
    DuplicateKey,
    /// A key that does not exist here.
    UnknownKey,
    /// A key that has to be here and is not.
    MissingKey,
    /// A value of another sort than belongs here.
    WrongSort,
    /// A value of the right sort that is not allowed.
    BadValue,
    /// Nothing where something belongs.
    EmptyValue,
    /// A name that nothing else in the policy defines.
    UnknownName,
    /// A name that is defined twice, or twice but for case and white space.
    DuplicateName,
    /// A route template that cannot be read, or that would match something else than it seems to.
    BadRoute,
    /// Two routes that would match the same request.
    RouteConflict,
    /// Roles that include each other in a circle.
    Cycle,
    /// Two things that cannot both be meant: a row given and taken away in one entry, two roles under `one-role`.
    Contradiction,
    /// A setting that this version does not carry out yet; it refuses rather than ignores it.
    NotYet,
    /// A condition that cannot be read, or that names what there is not.
    BadCondition,
    /// A route that no request reaches, because another one takes them all.
    Unreachable,
    /// A locked role or profile that a reload would change.
    Locked,
    /// A case that the policy decides in another way.
    CaseFailed,
    /// A file that cannot be read.
    Unreadable,
    /// A row without a cell.
    EmptyRow,
    /// A column that no row fills.
    EmptyColumn,
    /// A cell that no route needs.
    UnusedCell,
    /// A row that is taken away, though another one still gives some of its cells.
    StillGiven,
    /// A template that takes paths which another one, with other cells, would match too.
    Overlap,
    /// A row that is given, but that no profile of those to whom it is given opens.
    FeatureMissing,
    /// A policy whose refusals forward.
    ShadowMode,
    /// A caller or a variant that no case uses.
    Unused,
}

impl FindingCode {
    /// All codes, in the order in which the README lists them.
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

    /// The stable word for this code.
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

/// Severity: whether a finding stops the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It never does.
    Note,
}

impl Severity {
    /// The word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Note => "note",
        }
    }
}

/// Finding: what is wrong, where, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The sort of finding.
    pub code: FindingCode,
    /// Whether it stops the load.
    pub severity: Severity,
    /// Where; `None` if it is about a file as a whole.
    pub span: Option<Span>,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// Other places that belong to it, each with its role.
    pub also: Vec<(Span, String)>,
    /// What would cure it.
    pub help: Option<String>,
}

impl Finding {
    /// A finding that stops the load.
    pub fn error(code: FindingCode, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, span, message: message.into(), also: Vec::new(), help: None }
    }

    /// A finding that is only worth knowing.
    pub fn note(code: FindingCode, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, span, message) }
    }

    /// The same with a cure.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with «did you mean» where a name among `known` is near to `written`.
    pub fn suggest<'a>(self, written: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match crate::vocabulary::name::nearest(written, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// The same with another place.
    pub fn also(mut self, span: Span, role: impl Into<String>) -> Self {
        self.also.push((span, role.into()));
        self
    }
}

/// Findings: all that one run found; sorted by file and place when they are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Keeps a finding.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Keeps all of another run's.
    pub fn extend(&mut self, other: Findings) {
        self.0.extend(other.0);
    }

    /// Whether any of them stops the load.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All findings in file order; those without a place come first.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.0.iter().collect();
        all.sort_by_key(|finding| (finding.span, finding.severity == Severity::Note));
        all
    }
}
