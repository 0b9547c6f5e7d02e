//! ScopeArea: the requests, by the values of their scopes, in which something is given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// ScopeValue: what a request says of one scope; `None` where it says nothing on a route that asks `across` the scope.
type ScopeValue<'p> = Option<&'p str>;

/// ScopeValues: some values of one scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ScopeValues<'p> {
    /// These.
    Of(BTreeSet<ScopeValue<'p>>),
    /// All but these; requests that do not name the scope are among them.
    But(BTreeSet<ScopeValue<'p>>),
}

/// ScopeArea: for each scope that is bound, the values; a scope that is not there may have any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct ScopeArea<'p>(pub(super) BTreeMap<&'p str, ScopeValues<'p>>);

impl<'p> ScopeValues<'p> {
    /// The values that a grant bound to `named` fits: those, and none where the route says `across`.
    pub(super) fn bound(named: impl Iterator<Item = &'p str>) -> Self {
        Self::Of(named.map(Some).chain([None]).collect())
    }

    fn without(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Of(own), Self::Of(other)) => Self::Of(own - other),
            (Self::Of(own), Self::But(other)) => Self::Of(own & other),
            (Self::But(own), Self::Of(other)) => Self::But(own | other),
            (Self::But(own), Self::But(other)) => Self::Of(other - own),
        }
    }

    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Of(own), Self::Of(other)) => Self::Of(own & other),
            (Self::Of(these), Self::But(others)) | (Self::But(others), Self::Of(these)) => Self::Of(these - others),
            (Self::But(own), Self::But(other)) => Self::But(own | other),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Of(values) if values.is_empty())
    }
}

impl<'p> ScopeArea<'p> {
    /// What lies in both; `None` where nothing does.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (name, theirs) in &other.0 {
            let common = both.0.get(name).map_or_else(|| theirs.clone(), |own| own.and(theirs));
            if common.is_empty() {
                return None;
            }
            both.0.insert(name, common);
        }
        Some(both)
    }

    /// What lies in this one and not in the other, in parts that do not overlap.
    fn without(self, other: &Self) -> Vec<Self> {
        if self.and(other).is_none() {
            return vec![self];
        }
        let mut left = Vec::new();
        let mut inside = self;
        for (name, theirs) in &other.0 {
            let (outside, common) = match inside.0.get(name) {
                Some(own) => (own.without(theirs), own.and(theirs)),
                None => (ScopeValues::But(BTreeSet::new()).without(theirs), theirs.clone()),
            };
            if !outside.is_empty() {
                let mut part = inside.clone();
                part.0.insert(name, outside);
                left.push(part);
            }
            inside.0.insert(name, common);
        }
        left
    }

    /// What lies in none of `others`.
    pub(super) fn outside<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Vec<Self>
    where
        'p: 'a,
    {
        let mut left = vec![self.clone()];
        for other in others {
            left = left.into_iter().flat_map(|part| part.without(other)).collect();
            if left.is_empty() {
                break;
            }
        }
        left
    }
}

impl fmt::Display for ScopeArea<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, values)) in self.0.iter().enumerate() {
            let (word, set) = match values {
                ScopeValues::Of(set) => ("", set),
                ScopeValues::But(set) => ("not ", set),
            };
            let named: Vec<&str> = set.iter().filter_map(|value| *value).collect();
            let comma = if at == 0 { "" } else { ", " };
            if named.is_empty() {
                write!(out, "{comma}across every {name}")?;
            } else {
                write!(out, "{comma}{name} {word}{}", named.join(" or "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
