//! Resolution of scope names: the bounds of a grant, and lists of scopes as bits.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::model::{ScopeBounds, ScopeName};
use crate::policy::source::Spanned;
use crate::vocabulary::name::nearest;

/// DeclaredScopes: the declared scopes, in order.
#[derive(Clone, Copy)]
pub(super) struct DeclaredScopes<'a>(pub(super) &'a [ScopeName]);

impl DeclaredScopes<'_> {
    /// The index of a scope; a finding if it is not declared.
    pub(super) fn resolve(self, name: &Spanned, findings: &mut Findings) -> Option<u8> {
        let found = self.0.iter().position(|known| *known.name == *name.text).and_then(|at| u8::try_from(at).ok());
        if found.is_none() {
            let finding = Finding::error(
                FindingCode::UnknownName,
                Some(name.span),
                format!("no scope is called `{}`", name.text),
            );
            findings.push(match nearest(&name.text, self.0.iter().map(|scope| &*scope.name)) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("scopes are declared under `scopes:`"),
            });
        }
        found
    }

    /// The scopes of a list as bits.
    pub(super) fn resolve_bits(self, names: &[Spanned], findings: &mut Findings) -> u8 {
        names.iter().fold(0, |bits, name| bits | self.resolve(name, findings).map_or(0, |at| 1 << at))
    }

    /// The bounds of a grant, in the order of the declared scopes.
    pub(super) fn resolve_bounds(self, input: &[(Spanned, Vec<Spanned>)], findings: &mut Findings) -> ScopeBounds {
        let mut bounds = Vec::with_capacity(input.len());
        for (name, values) in input {
            if let Some(at) = self.resolve(name, findings) {
                bounds.push((at, values.iter().map(|value| value.text.clone()).collect()));
            }
        }
        bounds.sort();
        bounds.into()
    }
}
