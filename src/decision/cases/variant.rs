//! Variants: small changes to the policy, applied on its trees and then read like any policy.

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value, text};
use crate::policy::{self, Snapshot};

use super::suite::SpannedName;
use super::trial::TrialContext;

/// Variant: what is dropped from the policy, and what is joined to it.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: Box<str>,
    pub(super) span: Span,
    /// Each the way to an entry, from the top.
    drops: Vec<Vec<SpannedName>>,
    add: Option<Node>,
}

/// `{ drop: […], add: {…} }`; a map without either is what is added.
pub(super) fn read_variant(key: &Node, value: &Node, findings: &mut Findings) -> Option<Variant> {
    let name = text(key, "a variant's name", findings)?.into();
    let entries = reader::entries(value, "a variant", findings)?;
    let span = key.span;
    if entries.is_empty() {
        findings.push(Finding::error(FindingCode::EmptyValue, Some(span), "a variant that changes nothing is none"));
        return None;
    }
    let is_long = entries.iter().any(|(key, _)| ["drop", "add"].contains(&scalar(key)));
    if !is_long {
        return Some(Variant { name, span, drops: Vec::new(), add: Some(value.clone()) });
    }
    let mut fields = MapReader::open(value, "a variant with `drop` or `add`", findings)?;
    let mut drops = Vec::new();
    if let Some(node) = fields.optional("drop") {
        for item in reader::list(node, "`drop`", findings)? {
            let way = match &item.value {
                Value::List(_) => SpannedName::list(item, "a way to what is dropped", findings),
                _ => SpannedName::read(item, "what is dropped", findings).into_iter().collect(),
            };
            if way.is_empty() {
                findings.push(Finding::error(FindingCode::EmptyValue, Some(item.span), "what is dropped is not named"));
            }
            drops.push(way);
        }
    }
    let add = fields.optional("add").cloned();
    fields.finish(findings);
    Some(Variant { name, span, drops, add })
}

impl Variant {
    /// The policy with this change; findings where the change is none, or leaves no policy behind.
    pub(super) fn snapshot(
        &self,
        bench: &TrialContext<'_>,
        policy: &[Node],
        findings: &mut Findings,
    ) -> Option<Snapshot> {
        let mut own = Findings::default();
        let mut trees = policy.to_vec();
        for way in &self.drops {
            let taken = trees.iter_mut().map(|tree| take(tree, way)).filter(|taken| *taken).count();
            if taken == 0 {
                own.extend(self.nothing_to_drop(way, policy));
            }
        }
        trees.extend(self.add.clone());
        let snapshot = if own.has_errors() {
            None
        } else {
            let loaded = policy::load_trees(&trees, bench.sources, bench.issuers);
            let errors = loaded.findings.iter().filter(|found| found.severity == crate::document::Severity::Error);
            errors.for_each(|error| own.push(error.clone()));
            loaded.snapshot
        };
        for mut finding in own.iter().cloned() {
            finding.message = format!("in the variant `{}`: {}", self.name, finding.message);
            match finding.span {
                Some(span) if span.file == self.span.file => {}
                Some(_) => finding = finding.also(self.span, "the variant"),
                None => finding.span = Some(self.span),
            }
            findings.push(finding);
        }
        snapshot
    }

    fn nothing_to_drop(&self, way: &[SpannedName], policy: &[Node]) -> Findings {
        let mut findings = Findings::default();
        // How far the way goes in some tree, and what stands where it ends.
        let mut here: Vec<&Node> = policy.iter().collect();
        let mut passed = Vec::new();
        for word in way {
            let next: Vec<&Node> = here.iter().filter_map(|node| entry(node, &word.text)).collect();
            if !next.is_empty() {
                passed.push(&*word.text);
                here = next;
                continue;
            }
            let under = if passed.is_empty() { String::new() } else { format!(" under `{}`", passed.join("`, `")) };
            let message = format!("the policy has no `{}`{under} to drop", word.text);
            let finding = Finding::error(FindingCode::UnknownName, Some(word.span), message);
            let inside = |section: &&str| {
                policy.iter().filter_map(|tree| entry(tree, section)).any(|node| entry(node, &word.text).is_some())
            };
            let section = policy.iter().flat_map(keys).find(inside).filter(|_| passed.is_empty());
            findings.push(match section {
                Some(section) => finding.help(format!(
                    "what stands under another key is a list of its own: `drop: [[{section}, \"{}\"]]`",
                    word.text
                )),
                None => finding.suggest(&word.text, here.iter().copied().flat_map(keys)),
            });
            break;
        }
        findings
    }
}

/// Takes the entry to which `way` leads out of `node`, if it stands there.
fn take(node: &mut Node, way: &[SpannedName]) -> bool {
    let (Value::Map(entries), Some((first, rest))) = (&mut node.value, way.split_first()) else { return false };
    let Some(at) = entries.iter().position(|(key, _)| scalar(key) == &*first.text) else { return false };
    if rest.is_empty() {
        entries.remove(at);
        return true;
    }
    entries.get_mut(at).is_some_and(|(_, value)| take(value, rest))
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| scalar(key) == name).map(|(_, value)| value)
}

fn keys(node: &Node) -> impl Iterator<Item = &str> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(key, _)| scalar(key))
}

fn scalar(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}
