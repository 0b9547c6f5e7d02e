//! What is permitted: policy files become a snapshot, or findings.

mod compile;
mod reach;
mod source;
mod validate;

pub mod condition;
pub mod grants;
pub mod import;
pub mod matrix;
pub mod model;
pub mod routes;
pub mod snapshot;
pub mod standing;
pub mod template;
pub mod users;

pub use model::Model;
pub use routes::{Placed, RouteTable, Unplaced, access_of};
pub use snapshot::{PolicyVersion, Snapshot};
pub use source::ServiceApps;
pub use standing::RowId;
pub use template::Template;

use crate::document::{Code, Finding, Findings, Sources};

/// Loaded: what came of reading a policy.
#[derive(Debug)]
pub struct Loaded {
    /// The snapshot; `None` where a finding is an error.
    pub snapshot: Option<Snapshot>,
    /// All findings, notes included.
    pub findings: Findings,
}

/// Loads the policy that the texts of `sources` make up together: parse, validate, compile.
///
/// `issuers` names the sources of identity that its API believes; `None` where the policy is read on its own, so that
/// ids cannot be held against them.
pub fn load(sources: &Sources, issuers: Option<&[Box<str>]>) -> Loaded {
    let mut findings = Findings::default();
    let written = parse(sources, &mut findings);
    let model = validate::validate(&written, issuers, &mut findings);
    let snapshot = match model {
        Some(model) if !findings.has_errors() => compile::compile(model, &written, sources, &mut findings),
        _ => None,
    };
    Loaded { snapshot: snapshot.filter(|_| !findings.has_errors()), findings }
}

fn parse(sources: &Sources, findings: &mut Findings) -> source::Source {
    let mut written = source::Source::default();
    for (file, _) in sources.iter() {
        if let Some(root) = crate::document::parse(sources, file, findings) {
            written.read(&root, findings);
        }
    }
    if !written.has_version() && !findings.has_errors() {
        let finding = Finding::error(Code::MissingKey, None, "the policy has no `version`");
        findings.push(finding.help("write `version: 1` at the top"));
    }
    written
}

#[cfg(test)]
mod tests;
