//! Suite: one cases file, read strictly.

use crate::document::reader::{self, MapReader};
use crate::document::{self, Finding, FindingCode, Findings, Node, Sources, Span, Value, text};
use crate::vocabulary::{Timestamp, media, name::nearest};

use crate::decision::Reason;

use super::caller::{CaseCaller, read_caller};
use super::case::{Case, Expectation};
use super::name::SpannedName;
use super::variant::{Variant, read_variant};

/// Suite: the callers, variants and cases of one file.
#[derive(Debug)]
pub struct Suite {
    pub(super) callers: Vec<CaseCaller>,
    pub(super) variants: Vec<Variant>,
    /// The cases in their order.
    pub cases: Vec<Case>,
}

/// The largest decision number that a case may name.
const MAX_DECISION: u64 = 999;

/// Reads source number `file` as a cases file; returns `None` if it has no cases to try.
pub fn read_suite(sources: &Sources, file: u32, findings: &mut Findings) -> Option<Suite> {
    let root = document::parse(sources, file, findings)?;
    let mut fields = MapReader::open(&root, "a cases file", findings)?;
    let mut suite = Suite { callers: Vec::new(), variants: Vec::new(), cases: Vec::new() };
    let mut unreadable = Vec::new();
    if let Some(node) = fields.required("callers", findings) {
        for (key, value) in reader::entries(node, "`callers`", findings).unwrap_or_default() {
            match read_caller(key, value, findings) {
                Some(caller) => suite.callers.push(caller),
                None => unreadable.push(key),
            }
        }
    }
    if let Some(node) = fields.optional("variants") {
        for (key, value) in reader::entries(node, "`variants`", findings).unwrap_or_default() {
            match read_variant(key, value, findings) {
                Some(variant) => suite.variants.push(variant),
                None => unreadable.push(key),
            }
        }
    }
    let cases = fields.required("cases", findings);
    fields.finish(findings);
    let cases = cases.and_then(|node| {
        let items = reader::list(node, "`cases`", findings)?;
        if items.is_empty() {
            findings.push(Finding::error(FindingCode::EmptyValue, Some(node.span), "the list of cases is empty"));
        }
        Some(items)
    })?;
    let mut used = Vec::new();
    let mut reader = CaseReader { suite: &suite, unreadable: &unreadable, used: &mut used };
    let cases = cases.iter().filter_map(|node| reader.read_valid_case(node, findings)).collect();
    let named = suite.callers.iter().map(|caller| ("caller", &caller.name, caller.span));
    for (kind, name, span) in named.chain(suite.variants.iter().map(|one| ("variant", &one.name, one.span))) {
        if !used.contains(&(kind, name.clone())) {
            let message = format!("no case uses the {kind} `{name}`");
            findings.push(Finding::note(FindingCode::Unused, Some(span), message));
        }
    }
    suite.cases = cases;
    Some(suite)
}

/// CaseReader: reads the cases of a suite and records the callers and variants that they use.
struct CaseReader<'a> {
    suite: &'a Suite,
    /// The names of callers and variants that could not be read.
    unreadable: &'a [&'a Node],
    used: &'a mut Vec<(&'static str, Box<str>)>,
}

impl CaseReader<'_> {
    /// Reads a case; a case with errors is dropped, because its result would mean nothing.
    fn read_valid_case(&mut self, node: &Node, findings: &mut Findings) -> Option<Case> {
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
        let caller = caller.and_then(|node| self.known_name(node, "caller", callers, findings));
        let variants = suite.variants.iter().map(|variant| &*variant.name);
        let variant = variant.map(|node| self.known_name(node, "variant", variants, findings));
        let requests = (fields.optional("permit"), fields.optional("refuse"));
        let mut own = Findings::default();
        let expected = read_expectation(&mut fields, requests.0.is_some(), &mut own);
        if requests.0.is_some() != requests.1.is_some() {
            // Otherwise the expectation is unknown, and its findings would mislead.
            findings.extend(own);
        }
        let answered_as = fields.optional("answered-as").and_then(|node| read_media_type(node, findings));
        let at = fields.optional("at").map(|node| read_time(node, findings));
        let proves = fields.optional("proves").map(|node| reader::texts(node, "`proves`", findings));
        let decision = fields.optional("decision");
        let decision = decision.and_then(|node| reader::integer(node, "`decision`", 1, MAX_DECISION, findings));
        let note = fields.optional("note").and_then(|node| text(node, "`note`", findings));
        let span = fields.span();
        fields.finish(findings);
        let node = match requests {
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
                findings.push(finding.help("write the request: `permit: GET /patients`"));
                return None;
            }
        };
        let (method, target) = read_request(node, findings)?;
        Some(Case {
            span: node.span,
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

    /// The name at `node` if it is defined; a finding otherwise, unless its definition could not be read.
    fn known_name<'n>(
        &mut self,
        node: &Node,
        kind: &'static str,
        mut known: impl Iterator<Item = &'n str> + Clone,
        findings: &mut Findings,
    ) -> Option<Box<str>> {
        let name = text(node, &format!("a {kind}"), findings)?;
        if known.clone().any(|known| known == name) {
            self.used.push((kind, name.into()));
            return Some(name.into());
        }
        let is_name = |node: &&Node| matches!(&node.value, Value::Scalar { text, .. } if **text == *name);
        if !self.unreadable.iter().any(is_name) {
            let message = format!("no {kind} is called `{name}`");
            let finding = Finding::error(FindingCode::UnknownName, Some(node.span), message);
            findings.push(finding.suggest(name, known.by_ref()));
        }
        None
    }
}

/// Reads the expected decision; a permit and a refusal have different keys.
fn read_expectation(fields: &mut MapReader<'_>, permit: bool, findings: &mut Findings) -> Option<Expectation> {
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
            masks: masks.map(|node| SpannedName::read_list(node, "`masks`", findings)),
            asks: asks.map(|node| SpannedName::read_list(node, "`asks`", findings)),
        });
    }
    for (key, node) in permits {
        if let Some(node) = node {
            let message = format!("a refusal has no `{key}`");
            findings.push(Finding::error(FindingCode::Contradiction, Some(node.span), message));
        }
    }
    match reason {
        Some(node) => read_reason(node, findings).map(Expectation::Refuse),
        None => {
            let span = fields.span();
            let span = Span { end: span.start.saturating_add(1), ..span };
            let finding = Finding::error(FindingCode::MissingKey, Some(span), "a refusal needs its `reason`");
            findings.push(finding.help("`reason: not-granted`, or another of the codes that `explain` prints"));
            None
        }
    }
}

/// Reads the reason of a refusal: a code that a decision can have; the code of a gate includes its name.
fn read_reason(node: &Node, findings: &mut Findings) -> Option<SpannedName> {
    /// The reasons that only a running gateway has.
    const GATEWAY_ONLY: [&str; 8] = [
        "keys-unavailable",
        "no-policy",
        "no-api",
        "cannot-mask",
        "no-upgrade",
        "too-many-failures",
        "audit-unavailable",
        "gate",
    ];
    let name = SpannedName::read(node, "`reason`", findings)?;
    if name.text.strip_prefix("gate:").is_some_and(|gate| !gate.is_empty()) {
        return Some(name);
    }
    let codes = Reason::TABLE.iter().filter(|(code, status, _)| *status != 200 && !GATEWAY_ONLY.contains(code));
    let codes: Vec<&str> = codes.map(|(code, ..)| *code).collect();
    if codes.contains(&&*name.text) {
        return Some(name);
    }
    let message = format!("`{}` is not a reason for a refusal", name.text);
    let finding = Finding::error(FindingCode::BadValue, Some(name.span), message);
    findings.push(match nearest(&name.text, codes.iter().copied()) {
        _ if name.text.starts_with("gate") => finding.help("a closed gate is named: `gate:NAME`"),
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("one of: {}, gate:NAME", codes.join(", "))),
    });
    None
}

/// Reads a method and a target, as in `GET /patients?page=2`.
fn read_request(node: &Node, findings: &mut Findings) -> Option<(Box<str>, Box<str>)> {
    let written = text(node, "a request", findings)?;
    match written.split_once(' ') {
        Some((method, target)) if !method.contains('/') && (target.starts_with('/') || target.contains("://")) => {
            Some((method.into(), target.into()))
        }
        _ => {
            let finding =
                Finding::error(FindingCode::BadValue, Some(node.span), format!("`{written}` is not a request"));
            findings.push(finding.help("write a method, a space and a path: `GET /patients`"));
            None
        }
    }
}

fn read_media_type(node: &Node, findings: &mut Findings) -> Option<Box<str>> {
    let written = text(node, "`answered-as`", findings)?;
    if media::essence(written).is_none() {
        let message = format!("`{written}` is not a media type");
        let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
        findings.push(finding.help("write the `Content-Type` of the response: `image/png`"));
        return None;
    }
    Some(written.into())
}

fn read_time(node: &Node, findings: &mut Findings) -> Option<Timestamp> {
    let written = text(node, "`at`", findings)?;
    let time = Timestamp::parse(written);
    if time.is_none() {
        let message = format!("`{written}` is not a time since 1970");
        let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
        findings.push(finding.help("write it as \"2026-11-22T10:00:00Z\""));
    }
    time
}
