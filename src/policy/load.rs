//! Load: policy files become a snapshot, or findings.

use crate::document::{Finding, FindingCode, Findings, Node, Sources};

use super::compile::compile;
use super::snapshot::Snapshot;
use super::source::PolicySource;
use super::validate::validate;

/// LoadResult: what came of reading a policy.
#[derive(Debug)]
pub struct LoadResult {
    /// The snapshot; `None` where a finding is an error.
    pub snapshot: Option<Snapshot>,
    /// All findings, notes included.
    pub findings: Findings,
}

/// Loads the policy that the texts of `sources` make up together: parse, validate, compile.
///
/// `issuers` names the sources of identity that its API believes; `None` where the policy is read on its own, so that
/// ids cannot be held against them.
pub fn load(sources: &Sources, issuers: Option<&[Box<str>]>) -> LoadResult {
    let mut findings = Findings::default();
    let source = parse(sources, &mut findings);
    finish(&source, sources, issuers, findings)
}

/// Loads the policy that `trees` make up together, each the tree of a whole file; `sources` hold their places.
///
/// This is how a policy is read that stands in no file as it is: one that was changed for a case.
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
