//! Suite: a cases file as written, read strictly.

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Sources, Span, text};
use crate::vocabulary::{Timestamp, media, name::nearest};

use super::caller::{CaseCaller, read_caller};
use super::variant::{Variant, read_variant};
use crate::decision::Reason;

/// Suite: the callers, variants and cases of one file.
#[derive(Debug)]
pub struct Suite {
    pub(super) callers: Vec<CaseCaller>,
    pub(super) variants: Vec<Variant>,
    /// The cases in their order.
    pub cases: Vec<Case>,
}

/// Case: a request, and what must become of it.
#[derive(Debug)]
pub struct Case {
    /// Where the request stands.
    pub span: Span,
    /// Who asks: the caller's name.
    pub caller: Box<str>,
    /// Under which variant of the policy.
    pub variant: Option<Box<str>>,
    /// The method.
    pub method: Box<str>,
    /// The path, with its query if it has one.
    pub target: Box<str>,
    /// What must be decided.
    pub expected: Expectation,
    /// The media type of the answer, where the decision is about the answer.
    pub answered_as: Option<Box<str>>,
    /// The moment of the request; `None` is whenever the cases are tried.
    pub at: Option<Timestamp>,
    /// The rules that it proves.
    pub proves: Vec<Box<str>>,
    /// The row of the language's table of decisions that it shows.
    pub decision: Option<u64>,
    /// What its author wanted to say.
    pub note: Option<Box<str>>,
}

/// Expectation: what must be decided.
#[derive(Debug)]
pub enum Expectation {
    /// A permit; what is `None` is not looked at.
    Permit {
        /// The row that grants the first needed cell.
        by: Option<SpannedName>,
        /// Exactly the field sets that are masked.
        masks: Option<Vec<SpannedName>>,
        /// Exactly the gates whose approval is asked for.
        asks: Option<Vec<SpannedName>>,
    },
    /// A refusal, and its reason.
    Refuse(SpannedName),
}

/// SpannedName: a text and its place.
#[derive(Debug, Clone)]
pub struct SpannedName {
    /// The text.
    pub text: Box<str>,
    /// Where it stands.
    pub span: Span,
}

/// The latest row of a table of decisions that a case may name.
const MOST_DECISIONS: u64 = 999;

/// Reads source number `file` as cases; `None` where there is none that could be tried.
pub fn read_suite(sources: &Sources, file: u32, findings: &mut Findings) -> Option<Suite> {
    let root = crate::document::parse(sources, file, findings)?;
    let mut fields = MapReader::open(&root, "a cases file", findings)?;
    let mut suite = Suite { callers: Vec::new(), variants: Vec::new(), cases: Vec::new() };
    let mut unread = Vec::new();
    if let Some(node) = fields.required("callers", findings) {
        for (key, value) in reader::entries(node, "`callers`", findings).unwrap_or_default() {
            match read_caller(key, value, findings) {
                Some(caller) => suite.callers.push(caller),
                None => unread.push(key),
            }
        }
    }
    if let Some(node) = fields.optional("variants") {
        for (key, value) in reader::entries(node, "`variants`", findings).unwrap_or_default() {
            match read_variant(key, value, findings) {
                Some(variant) => suite.variants.push(variant),
                None => unread.push(key),
            }
        }
    }
    let cases = fields.required("cases", findings);
    fields.finish(findings);
    let cases = cases.and_then(|node| {
        let items = reader::list(node, "`cases`", findings)?;
        if items.is_empty() {
            findings.push(Finding::error(FindingCode::EmptyValue, Some(node.span), "no case stands here"));
        }
        Some(items)
    })?;
    let mut used = Vec::new();
    let mut reader = CaseReader { suite: &suite, unread: &unread, used: &mut used };
    let cases = cases.iter().filter_map(|node| reader.case(node, findings)).collect();
    let named = suite.callers.iter().map(|caller| ("caller", &caller.name, caller.span));
    for (sort, name, span) in named.chain(suite.variants.iter().map(|one| ("variant", &one.name, one.span))) {
        if !used.contains(&(sort, name.clone())) {
            let message = format!("no case uses the {sort} `{name}`");
            findings.push(Finding::note(FindingCode::Unused, Some(span), message));
        }
    }
    suite.cases = cases;
    Some(suite)
}

struct CaseReader<'a> {
    suite: &'a Suite,
    /// Names of callers and variants that stand there, but could not be read.
    unread: &'a [&'a Node],
    used: &'a mut Vec<(&'static str, Box<str>)>,
}

impl CaseReader<'_> {
    /// A case in which something is wrong is not tried: what would come of it says nothing.
    fn case(&mut self, node: &Node, findings: &mut Findings) -> Option<Case> {
        let mut own = Findings::default();
        let case = self.read_case(node, &mut own);
        let case = case.filter(|_| !own.has_errors());
        findings.extend(own);
        case
    }

    fn read_case(&mut self, node: &Node, findings: &mut Findings) -> Option<Case> {
        let mut fields = MapReader::open(node, "a case", findings)?;
        let caller = fields.required("as", findings);
        let variant = fields.optional("in");
        let suite = self.suite;
        let callers = suite.callers.iter().map(|caller| &*caller.name);
        let caller = caller.and_then(|node| self.known(node, "caller", callers, findings));
        let variants = suite.variants.iter().map(|variant| &*variant.name);
        let variant = variant.map(|node| self.known(node, "variant", variants, findings));
        let asked = (fields.optional("permit"), fields.optional("refuse"));
        let mut about_expected = Findings::default();
        let expected = expected(&mut fields, asked.0.is_some(), &mut about_expected);
        if asked.0.is_some() != asked.1.is_some() {
            // Else it is not known what is expected.
            findings.extend(about_expected);
        }
        let answered_as = fields.optional("answered-as").and_then(|node| media_type(node, findings));
        let at = fields.optional("at").map(|node| moment(node, findings));
        let proves = fields.optional("proves").map(|node| reader::texts(node, "`proves`", findings));
        let decision = fields.optional("decision");
        let decision = decision.and_then(|node| reader::integer(node, "`decision`", 1, MOST_DECISIONS, findings));
        let note = fields.optional("note").and_then(|node| text(node, "`note`", findings));
        let span = fields.span();
        fields.finish(findings);
        let asked = match asked {
            (Some(node), None) | (None, Some(node)) => node,
            (Some(permit), Some(refuse)) => {
                let message = "a case has either `permit` or `refuse`";
                let finding = Finding::error(FindingCode::Contradiction, Some(refuse.span), message);
                findings.push(finding.also(permit.span, "the other"));
                return None;
            }
            (None, None) => {
                let span = Span { end: span.start.saturating_add(1), ..span };
                let finding = Finding::error(FindingCode::MissingKey, Some(span), "a case needs `permit` or `refuse`");
                findings.push(finding.help("write what is asked, `permit: GET /patients`"));
                return None;
            }
        };
        let (method, target) = request(asked, findings)?;
        Some(Case {
            span: asked.span,
            caller: caller?,
            variant: match variant {
                Some(known) => Some(known?),
                None => None,
            },
            method,
            target,
            expected: expected?,
            answered_as,
            at: at.flatten(),
            proves: proves.unwrap_or_default().into_iter().map(|(text, _)| text.into()).collect(),
            decision,
            note: note.map(Into::into),
        })
    }

    /// The name that stands here, if there is such a thing; where it could not be read nothing more is said.
    fn known<'n>(
        &mut self,
        node: &Node,
        sort: &'static str,
        mut known: impl Iterator<Item = &'n str> + Clone,
        findings: &mut Findings,
    ) -> Option<Box<str>> {
        let name = text(node, &format!("a {sort}"), findings)?;
        if known.clone().any(|known| known == name) {
            self.used.push((sort, name.into()));
            return Some(name.into());
        }
        let is_unread =
            |node: &&Node| matches!(&node.value, crate::document::Value::Scalar { text, .. } if **text == *name);
        if !self.unread.iter().any(is_unread) {
            let message = format!("no {sort} is called `{name}`");
            let finding = Finding::error(FindingCode::UnknownName, Some(node.span), message);
            findings.push(finding.suggest(name, known.by_ref()));
        }
        None
    }
}

/// What a case expects; the keys of a permit are none of a refusal, and the other way round.
fn expected(fields: &mut MapReader<'_>, permit: bool, findings: &mut Findings) -> Option<Expectation> {
    let permits = ["by", "masks", "asks"].map(|key| (key, fields.optional(key)));
    let reason = fields.optional("reason");
    if permit {
        if let Some(node) = reason {
            let finding = Finding::error(FindingCode::Contradiction, Some(node.span), "a permit has no `reason`");
            findings.push(finding.help("`by: …` names the permission that grants"));
        }
        let [(_, by), (_, masks), (_, asks)] = permits;
        return Some(Expectation::Permit {
            by: by.and_then(|node| SpannedName::read(node, "`by`", findings)),
            masks: masks.map(|node| SpannedName::list(node, "`masks`", findings)),
            asks: asks.map(|node| SpannedName::list(node, "`asks`", findings)),
        });
    }
    for (key, node) in permits {
        if let Some(node) = node {
            let message = format!("a refusal has no `{key}`");
            findings.push(Finding::error(FindingCode::Contradiction, Some(node.span), message));
        }
    }
    match reason {
        Some(node) => reason_of(node, findings).map(Expectation::Refuse),
        None => {
            let span = fields.span();
            let span = Span { end: span.start.saturating_add(1), ..span };
            let finding = Finding::error(FindingCode::MissingKey, Some(span), "a refusal needs its `reason`");
            findings.push(finding.help("`reason: not-granted`, or another of the codes that `explain` prints"));
            None
        }
    }
}

/// The reason of a refusal: a code that a decision can have, for a gate with its name.
fn reason_of(node: &Node, findings: &mut Findings) -> Option<SpannedName> {
    /// What only a running gateway refuses for.
    const RUNNING: [&str; 8] = [
        "keys-unavailable",
        "no-policy",
        "no-api",
        "cannot-mask",
        "no-upgrade",
        "too-many-failures",
        "audit-unavailable",
        "gate",
    ];
    let word = SpannedName::read(node, "`reason`", findings)?;
    if word.text.strip_prefix("gate:").is_some_and(|gate| !gate.is_empty()) {
        return Some(word);
    }
    let codes = Reason::TABLE.iter().filter(|(code, status, _)| *status != 200 && !RUNNING.contains(code));
    let codes: Vec<&str> = codes.map(|(code, ..)| *code).collect();
    if codes.contains(&&*word.text) {
        return Some(word);
    }
    let message = format!("`{}` is no reason for which a request is refused", word.text);
    let finding = Finding::error(FindingCode::BadValue, Some(word.span), message);
    findings.push(match nearest(&word.text, codes.iter().copied()) {
        _ if word.text.starts_with("gate") => finding.help("a closed gate is named: `gate:NAME`"),
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("one of: {}, gate:NAME", codes.join(", "))),
    });
    None
}

/// `GET /patients?page=2`.
fn request(node: &Node, findings: &mut Findings) -> Option<(Box<str>, Box<str>)> {
    let written = text(node, "a request", findings)?;
    match written.split_once(' ') {
        Some((method, target)) if !method.contains('/') && (target.starts_with('/') || target.contains("://")) => {
            Some((method.into(), target.into()))
        }
        _ => {
            let finding = Finding::error(FindingCode::BadValue, Some(node.span), format!("`{written}` is no request"));
            findings.push(finding.help("write a method, a blank and a path: `GET /patients`"));
            None
        }
    }
}

fn media_type(node: &Node, findings: &mut Findings) -> Option<Box<str>> {
    let written = text(node, "`answered-as`", findings)?;
    if media::essence(written).is_none() {
        let message = format!("`{written}` is no media type");
        let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
        findings.push(finding.help("write what the answer's `Content-Type` says: `image/png`"));
        return None;
    }
    Some(written.into())
}

fn moment(node: &Node, findings: &mut Findings) -> Option<Timestamp> {
    let written = text(node, "`at`", findings)?;
    let moment = Timestamp::parse(written);
    if moment.is_none() {
        let message = format!("`{written}` is no moment since 1970");
        let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
        findings.push(finding.help("write it as \"2026-11-22T10:00:00Z\""));
    }
    moment
}

impl SpannedName {
    pub(super) fn read(node: &Node, what: &str, findings: &mut Findings) -> Option<Self> {
        text(node, what, findings).map(|text| Self { text: text.into(), span: node.span })
    }

    pub(super) fn list(node: &Node, what: &str, findings: &mut Findings) -> Vec<Self> {
        let found = reader::texts(node, what, findings);
        found.into_iter().map(|(text, span)| Self { text: text.into(), span }).collect()
    }
}

impl Case {
    /// The case in a line: who, in which variant, asks for what, answered as what.
    pub fn title(&self) -> String {
        let Self { caller, method, target, .. } = self;
        let verdict = if self.is_permit() { "permit" } else { "refuse" };
        let variant = self.variant.as_ref().map(|variant| format!(" in {variant}")).unwrap_or_default();
        let answered = self.answered_as.as_ref().map(|kind| format!(" answered as {kind}")).unwrap_or_default();
        format!("{verdict} {caller}{variant}: {method} {target}{answered}")
    }

    /// Whether it must be permitted.
    pub fn is_permit(&self) -> bool {
        matches!(self.expected, Expectation::Permit { .. })
    }

    /// Whether `wanted` stands in its title, its reason or row, its rules, its decision's number or its note.
    pub fn mentions(&self, wanted: &str) -> bool {
        let why = match &self.expected {
            Expectation::Permit { by, .. } => by.as_ref(),
            Expectation::Refuse(reason) => Some(reason),
        };
        self.title().contains(wanted)
            || why.is_some_and(|word| word.text.contains(wanted))
            || self.proves.iter().any(|rule| **rule == *wanted)
            || self.decision.is_some_and(|number| number.to_string() == wanted)
            || self.note.as_ref().is_some_and(|note| note.contains(wanted))
    }
}
