//! Loading: policy files become a snapshot, or findings.

use crate::document::{Finding, FindingCode, Findings, Node, Sources};

use super::compile::compile;
use super::snapshot::Snapshot;
use super::source::PolicySource;
use super::validate::validate;

/// LoadResult: the snapshot and the findings of loading a policy.
#[derive(Debug)]
pub struct LoadResult {
    /// The snapshot; `None` if a finding is an error.
    pub snapshot: Option<Snapshot>,
    /// All findings, notes included.
    pub findings: Findings,
}

/// Loads the policy in the texts of `sources`: parse, validate, compile.
///
/// `issuers` names the identity sources that the policy's API accepts. With `None` the policy is read on its own, and ids
/// are not checked against them.
pub fn load(sources: &Sources, issuers: Option<&[Box<str>]>) -> LoadResult {
    let mut findings = Findings::default();
    let source = parse(sources, &mut findings);
    finish(&source, sources, issuers, findings)
}

/// Loads the policy in `trees`, each the tree of a whole file; `sources` resolve their spans.
///
/// A policy that a case changes is loaded this way, because no file contains it.
pub fn load_trees(trees: &[Node], sources: &Sources, issuers: Option<&[Box<str>]>) -> LoadResult {
    let mut findings = Findings::default();
    let mut source = PolicySource::default();
    trees.iter().for_each(|root| source.read(root, &mut findings));
    finish(&source, sources, issuers, findings)
}

pub(super) fn parse(sources: &Sources, findings: &mut Findings) -> PolicySource {
    let mut source = PolicySource::default();
    for (file, _) in sources.iter() {
        if let Some(root) = crate::document::parse(sources, file, findings) {
            source.read(&root, findings);
        }
    }
    source
}

fn finish(
    source: &PolicySource,
    sources: &Sources,
    issuers: Option<&[Box<str>]>,
    mut findings: Findings,
) -> LoadResult {
    if !source.has_version() && !findings.has_errors() {
        let finding = Finding::error(FindingCode::MissingKey, None, "the policy has no `version`");
        findings.push(finding.help("write `version: 1` at the top"));
    }
    let model = validate(source, issuers, &mut findings);
    let snapshot = match model {
        Some(model) if !findings.has_errors() => compile(model, source, sources, &mut findings),
        _ => None,
    };
    LoadResult { snapshot: snapshot.filter(|_| !findings.has_errors()), findings }
}
