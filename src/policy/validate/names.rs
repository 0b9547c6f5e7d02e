//! DefinedNames: the entries of one kind that a policy defines, by name.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings, Span};
use crate::vocabulary::name::folded;

use crate::policy::source::Spanned;

/// DefinedNames: the defined entries of one kind, by name.
pub(super) struct DefinedNames<'s> {
    kind: &'static str,
    known: HashMap<&'s str, (u32, Span)>,
}

impl<'s> DefinedNames<'s> {
    /// Indexes the names of `defined`; findings if two are equal, or differ only in case and white space.
    pub(super) fn define(
        kind: &'static str,
        defined: impl Iterator<Item = &'s Spanned>,
        findings: &mut Findings,
    ) -> Self {
        let mut known: HashMap<&str, (u32, Span)> = HashMap::new();
        let mut by_folded_name: HashMap<String, &Spanned> = HashMap::new();
        for (at, name) in (0..).zip(defined) {
            if let Some((_, first)) = known.get(&*name.text) {
                let message = format!("the {kind} `{}` is defined twice", name.text);
                findings.push(
                    Finding::error(FindingCode::DuplicateName, Some(name.span), message).also(*first, "first here"),
                );
                continue;
            }
            known.insert(&name.text, (at, name.span));
            if let Some(other) = by_folded_name.insert(folded(&name.text), name) {
                let message =
                    format!("the {kind}s `{}` and `{}` differ only in case or white space", other.text, name.text);
                findings.push(
                    Finding::error(FindingCode::DuplicateName, Some(name.span), message).also(other.span, "the other"),
                );
            }
        }
        Self { kind, known }
    }

    /// The number of a name; a finding if it is not defined.
    pub(super) fn resolve(&self, name: &Spanned, findings: &mut Findings) -> Option<u32> {
        let found = self.known.get(&*name.text).map(|(at, _)| *at);
        if found.is_none() {
            findings.push(self.unknown(name));
        }
        found
    }

    /// The numbers of all names of a list; findings for undefined and repeated names.
    pub(super) fn resolve_all(&self, names: &[Spanned], findings: &mut Findings) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::with_capacity(names.len());
        for name in names {
            match self.resolve(name, findings) {
                Some(id) if found.contains(&id) => {
                    let message = format!("the {} `{}` occurs twice in this list", self.kind, name.text);
                    findings.push(Finding::error(FindingCode::DuplicateName, Some(name.span), message));
                }
                Some(id) => found.push(id),
                None => {}
            }
        }
        found
    }

    fn unknown(&self, name: &Spanned) -> Finding {
        let finding = Finding::error(
            FindingCode::UnknownName,
            Some(name.span),
            format!("no {} is called `{}`", self.kind, name.text),
        );
        // `[Manage Users, Roles, and Workspaces]` is three names: look for a name that has this part and a comma.
        // Names are compared in file order, so that the finding is deterministic.
        let mut known: Vec<(u32, &str)> = self.known.iter().map(|(name, (at, _))| (*at, *name)).collect();
        known.sort_unstable();
        let known = known.into_iter().map(|(_, name)| name);
        let whole =
            known.clone().find(|known| known.contains(',') && known.split(',').any(|part| part.trim() == &*name.text));
        match whole {
            Some(whole) => finding.help(format!("a name with a comma needs quotes: \"{whole}\"")),
            None if self.known.is_empty() => finding.help(format!("the policy defines no {} at all", self.kind)),
            None => finding.suggest(&name.text, known),
        }
    }
}
