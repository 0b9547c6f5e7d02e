//! Variant: a small change to the policy, applied to its trees before the policy is loaded again.

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Severity, Span, Value, text};
use crate::policy::{self, Snapshot};

use super::context::TrialContext;
use super::name::SpannedName;

/// Variant: the entries to drop from the policy and the tree to add to it.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: Box<str>,
    pub(super) span: Span,
    /// The path of each entry to drop, from the root.
    drops: Vec<Vec<SpannedName>>,
    add: Option<Node>,
}

/// Reads `{ drop: […], add: {…} }`; a map without these keys is added as a whole.
pub(super) fn read_variant(key: &Node, value: &Node, findings: &mut Findings) -> Option<Variant> {
    let name = text(key, "a variant's name", findings)?.into();
    let entries = reader::entries(value, "a variant", findings)?;
    let span = key.span;
    if entries.is_empty() {
        findings.push(Finding::error(FindingCode::EmptyValue, Some(span), "a variant must change something"));
        return None;
    }
    let has_keys = entries.iter().any(|(key, _)| ["drop", "add"].contains(&scalar_text(key)));
    if !has_keys {
        return Some(Variant { name, span, drops: Vec::new(), add: Some(value.clone()) });
    }
    let mut fields = MapReader::open(value, "a variant with `drop` or `add`", findings)?;
    let mut drops = Vec::new();
    if let Some(node) = fields.optional("drop") {
        for item in reader::list(node, "`drop`", findings)? {
            let path = match &item.value {
                Value::List(_) => SpannedName::read_list(item, "a path to an entry to drop", findings),
                _ => SpannedName::read(item, "an entry to drop", findings).into_iter().collect(),
            };
            if path.is_empty() {
                findings.push(Finding::error(
                    FindingCode::EmptyValue,
                    Some(item.span),
                    "the entry to drop is not named",
                ));
            }
            drops.push(path);
        }
    }
    let add = fields.optional("add").cloned();
    fields.finish(findings);
    Some(Variant { name, span, drops, add })
}

impl Variant {
    /// Loads the policy with this change; reports a change without effect and a result that does not load.
    pub(super) fn load_snapshot(
        &self,
        context: &TrialContext<'_>,
        policy: &[Node],
        findings: &mut Findings,
    ) -> Option<Snapshot> {
        let mut own = Findings::default();
        let mut trees = policy.to_vec();
        for path in &self.drops {
            let removed = trees.iter_mut().map(|tree| remove_entry(tree, path)).filter(|removed| *removed).count();
            if removed == 0 {
                own.extend(missing_entry(path, policy));
            }
        }
        trees.extend(self.add.clone());
        let snapshot = if own.has_errors() {
            None
        } else {
            let loaded = policy::load_trees(&trees, context.sources, context.issuers);
            let errors = loaded.findings.iter().filter(|found| found.severity == Severity::Error);
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
}

/// The finding for a path that leads to no entry of the policy.
fn missing_entry(path: &[SpannedName], policy: &[Node]) -> Findings {
    let mut findings = Findings::default();
    // The longest prefix of the path that exists in some tree, and the nodes at its end.
    let mut here: Vec<&Node> = policy.iter().collect();
    let mut prefix = Vec::new();
    for name in path {
        let next: Vec<&Node> = here.iter().filter_map(|node| find_entry(node, &name.text)).collect();
        if !next.is_empty() {
            prefix.push(&*name.text);
            here = next;
            continue;
        }
        let under = if prefix.is_empty() { String::new() } else { format!(" under `{}`", prefix.join("`, `")) };
        let message = format!("the policy has no `{}`{under} to drop", name.text);
        let finding = Finding::error(FindingCode::UnknownName, Some(name.span), message);
        let inside = |section: &&str| {
            policy
                .iter()
                .filter_map(|tree| find_entry(tree, section))
                .any(|node| find_entry(node, &name.text).is_some())
        };
        let section = policy.iter().flat_map(keys).find(inside).filter(|_| prefix.is_empty());
        findings.push(match section {
            Some(section) => finding.help(format!(
                "an entry under another key is written as a list of its own: `drop: [[{section}, \"{}\"]]`",
                name.text
            )),
            None => finding.suggest(&name.text, here.iter().copied().flat_map(keys)),
        });
        break;
    }
    findings
}

/// Removes the entry at `path` from `node`; returns whether there was one.
fn remove_entry(node: &mut Node, path: &[SpannedName]) -> bool {
    let (Value::Map(entries), Some((first, rest))) = (&mut node.value, path.split_first()) else { return false };
    let Some(at) = entries.iter().position(|(key, _)| scalar_text(key) == &*first.text) else { return false };
    if rest.is_empty() {
        entries.remove(at);
        return true;
    }
    entries.get_mut(at).is_some_and(|(_, value)| remove_entry(value, rest))
}

fn find_entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| scalar_text(key) == name).map(|(_, value)| value)
}

fn keys(node: &Node) -> impl Iterator<Item = &str> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(key, _)| scalar_text(key))
}

fn scalar_text(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}
