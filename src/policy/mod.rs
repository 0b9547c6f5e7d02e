//! What is permitted: policy files become a snapshot, or findings.

mod compile;
mod template_tree;
mod source;
mod validate;

pub mod amend;
pub mod condition;
pub mod grants;
pub mod import;
pub mod locked;
pub mod matrix;
pub mod model;
pub mod outline;
pub mod routes;
pub mod snapshot;
pub mod entitlements;
pub mod template;
pub mod users;

pub use entitlements::RowId;
pub use model::Model;
pub use routes::{NoMatch, RouteMatch, RouteTable, access_of};
pub use snapshot::{PolicyVersion, Snapshot};
pub use source::ServiceApps;
pub use template::Template;

use crate::document::{Finding, FindingCode, Findings, Node, Sources};

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
    let written = parse(sources, &mut findings);
    finish(&written, sources, issuers, findings)
}

/// Loads the policy that `trees` make up together, each the tree of a whole file; `sources` hold their places.
///
/// This is how a policy is read that stands in no file as it is: one that was changed for a case.
pub fn load_trees(trees: &[Node], sources: &Sources, issuers: Option<&[Box<str>]>) -> LoadResult {
    let mut findings = Findings::default();
    let mut written = source::PolicySource::default();
    trees.iter().for_each(|root| written.read(root, &mut findings));
    finish(&written, sources, issuers, findings)
}

fn parse(sources: &Sources, findings: &mut Findings) -> source::PolicySource {
    let mut written = source::PolicySource::default();
    for (file, _) in sources.iter() {
        if let Some(root) = crate::document::parse(sources, file, findings) {
            written.read(&root, findings);
        }
    }
    written
}

fn finish(
    written: &source::PolicySource,
    sources: &Sources,
    issuers: Option<&[Box<str>]>,
    mut findings: Findings,
) -> LoadResult {
    if !written.has_version() && !findings.has_errors() {
        let finding = Finding::error(FindingCode::MissingKey, None, "the policy has no `version`");
        findings.push(finding.help("write `version: 1` at the top"));
    }
    let model = validate::validate(written, issuers, &mut findings);
    let snapshot = match model {
        Some(model) if !findings.has_errors() => compile::compile(model, written, sources, &mut findings),
        _ => None,
    };
    LoadResult { snapshot: snapshot.filter(|_| !findings.has_errors()), findings }
}

#[cfg(test)]
mod tests;
