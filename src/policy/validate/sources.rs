//! IdentitySources: checks that an id names an existing identity source.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::source::Spanned;

/// IdentitySources: the issuers that the policy's API accepts; `None` if a policy is read on its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdentitySources<'a>(pub(super) Option<&'a [Box<str>]>);

impl IdentitySources<'_> {
    /// The id with its source, if that is known; a finding if the source is missing or unknown.
    pub(super) fn qualify_id(&self, id: &Spanned, findings: &mut Findings) -> Box<str> {
        let known = self.0.unwrap_or_default();
        let is_known =
            known.iter().any(|source| id.text.strip_prefix(&**source).is_some_and(|rest| rest.starts_with('/')));
        match (known, id.text.split_once('/')) {
            _ if is_known => {}
            ([], _) => {}
            ([only], None) => return format!("{only}/{}", id.text).into(),
            (_, None) => {
                let message = format!("the id `{}` does not name its identity source", id.text);
                let finding = Finding::error(FindingCode::BadValue, Some(id.span), message);
                findings.push(finding.help(
                    "this API accepts several issuers: write `issuer/id` with the issuer's name from gateway.yaml",
                ));
            }
            ([first, ..], Some((source, _))) => {
                let message = format!("this API accepts no identity source called `{source}`");
                let finding = Finding::error(FindingCode::UnknownName, Some(id.span), message);
                let near = crate::vocabulary::name::nearest(source, known.iter().map(|name| &**name));
                findings.push(match near {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => {
                        finding.help(format!("an id that contains a slash follows its issuer: `{first}/{}`", id.text))
                    }
                });
            }
        }
        id.text.clone()
    }
}
