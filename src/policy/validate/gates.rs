//! Resolution of gates and approvals.

use crate::document::{Finding, FindingCode, Findings, Span};
use crate::policy::ids::RowId;
use crate::policy::model::{Approval, ApprovalKey, Gate, GateOpener, ScopeName};
use crate::policy::source::{ApprovalSource, GateOpenerSource, GateSource, PolicySource, Spanned};

use super::cells::CellIndex;
use super::conditions::ConditionRegistry;
use super::names::DefinedNames;
use super::sources::IdentitySources;

/// The greatest number of gates: a decision stores the open gates as bits of one word.
const MAX_GATES: usize = 64;

pub(super) fn resolve_gates(
    policy: &PolicySource,
    rows: &DefinedNames<'_>,
    scopes: &[ScopeName],
    sources: IdentitySources<'_>,
    cells: &mut CellIndex<'_>,
    conditions: &mut ConditionRegistry,
    findings: &mut Findings,
) -> Vec<Gate> {
    DefinedNames::define("gate", policy.gates.iter().map(|gate| &gate.name), findings);
    if let Some(beyond) = policy.gates.get(MAX_GATES) {
        let message = format!("a policy has at most {MAX_GATES} gates");
        findings.push(Finding::error(FindingCode::BadValue, Some(beyond.name.span), message));
    }
    let mut gates = Vec::with_capacity(policy.gates.len());
    for source in &policy.gates {
        let by = match &source.by {
            GateOpenerSource::Approval(approval) => Some(GateOpener::Approval(self::resolve_approval(
                source, approval, rows, scopes, sources, cells, findings,
            ))),
            GateOpenerSource::Feature => Some(GateOpener::Feature),
            GateOpenerSource::Condition(when) => conditions.read(when, findings).map(GateOpener::Condition),
        };
        let closes = resolve_closed_rows(source, policy, rows, findings);
        // An invalid condition is an error, so that a gate without opener is never evaluated.
        gates.extend(by.map(|by| Gate { name: source.name.text.clone(), closes, by }));
    }
    gates
}

fn resolve_closed_rows(
    source: &GateSource,
    policy: &PolicySource,
    rows: &DefinedNames<'_>,
    findings: &mut Findings,
) -> Vec<RowId> {
    if source.name.text.contains(char::is_whitespace) {
        let message = format!("the gate `{}` contains a space, but is part of a reason code", source.name.text);
        findings.push(Finding::error(FindingCode::BadValue, Some(source.name.span), message).help("write it with `-`"));
    }
    let every = (0..).zip(&policy.rows).map(|(at, _)| at);
    let closes: Vec<u32> = match (&source.except, &source.permissions) {
        (Some(except), _) => {
            let open = rows.resolve_all(except, findings);
            every.filter(|row| !open.contains(row)).collect()
        }
        (None, Some(listed)) => rows.resolve_all(listed, findings),
        (None, None) => every.collect(),
    };
    closes.into_iter().map(RowId).collect()
}

fn resolve_approval(
    gate: &GateSource,
    source: &ApprovalSource,
    rows: &DefinedNames<'_>,
    scopes: &[ScopeName],
    sources: IdentitySources<'_>,
    cells: &mut CellIndex<'_>,
    findings: &mut Findings,
) -> Approval {
    let keys: Vec<Option<ApprovalKey>> = source.keys.iter().map(|name| resolve_key(name, scopes, findings)).collect();
    if keys.is_empty() {
        let finding =
            Finding::error(FindingCode::EmptyValue, Some(gate.name.span), "an approval needs at least one of `keys`");
        findings.push(finding.help("`client`, `caller` or a scope's name, or several of them"));
    }
    let granted = source
        .granted
        .iter()
        .filter_map(|(span, pairs)| resolve_granted(*span, pairs, source, sources, findings))
        .collect();
    let asked_by = source.asked_by.iter();
    Approval {
        keys: keys.into_iter().flatten().collect(),
        asked_by: asked_by.filter_map(|(operation, name)| cells.cell(operation, name, findings)).collect(),
        approvers: rows.resolve_all(&source.approvers, findings).into_iter().map(RowId).collect(),
        granted,
    }
}

fn resolve_key(name: &Spanned, scopes: &[ScopeName], findings: &mut Findings) -> Option<ApprovalKey> {
    match &*name.text {
        "client" => return Some(ApprovalKey::Client),
        "caller" => return Some(ApprovalKey::Caller),
        _ => {}
    }
    let found = scopes.iter().position(|scope| *scope.name == *name.text).and_then(|at| u8::try_from(at).ok());
    if found.is_none() {
        let message = format!("`{}` is not a key: neither `client`, nor `caller`, nor a scope", name.text);
        let known = scopes.iter().map(|scope| &*scope.name).chain(["client", "caller"]);
        findings.push(Finding::error(FindingCode::UnknownName, Some(name.span), message).suggest(&name.text, known));
    }
    found.map(ApprovalKey::Scope)
}

/// The values of one granted approval, in the order of the gate's keys.
fn resolve_granted(
    span: Span,
    pairs: &[(Spanned, Spanned)],
    gate: &ApprovalSource,
    sources: IdentitySources<'_>,
    findings: &mut Findings,
) -> Option<Vec<Box<str>>> {
    for (name, _) in pairs {
        if !gate.keys.iter().any(|key| key.text == name.text) {
            let finding = Finding::error(
                FindingCode::UnknownName,
                Some(name.span),
                format!("the gate has no key `{}`", name.text),
            );
            findings.push(finding.suggest(&name.text, gate.keys.iter().map(|key| &*key.text)));
        }
    }
    let mut values = Vec::with_capacity(gate.keys.len());
    for key in &gate.keys {
        match pairs.iter().find(|(name, _)| name.text == key.text) {
            // Clients, like users, belong to one issuer.
            Some((_, value)) if matches!(&*key.text, "client" | "caller") => {
                values.push(sources.qualify_id(value, findings))
            }
            Some((_, value)) => values.push(value.text.clone()),
            None => {
                findings.push(Finding::error(
                    FindingCode::MissingKey,
                    Some(span),
                    format!("the approval needs `{}`", key.text),
                ));
                return None;
            }
        }
    }
    Some(values)
}
