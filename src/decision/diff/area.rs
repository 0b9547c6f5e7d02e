//! ScopeArea: the scope values for which something is given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// ScopeValue: the value of one scope in a request; `None` if the request names none, on a route `across` the scope.
type ScopeValue<'p> = Option<&'p str>;

/// ScopeValues: some values of one scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ScopeValues<'p> {
    /// Only these values.
    Only(BTreeSet<ScopeValue<'p>>),
    /// All values except these; requests that do not name the scope are included.
    Except(BTreeSet<ScopeValue<'p>>),
}

/// ScopeArea: the values of each bound scope; any other scope may have every value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct ScopeArea<'p>(pub(super) BTreeMap<&'p str, ScopeValues<'p>>);

impl<'p> ScopeValues<'p> {
    /// The values that a grant bound to `named` covers: these, and no value on a route `across` the scope.
    pub(super) fn bound_to(named: impl Iterator<Item = &'p str>) -> Self {
        Self::Only(named.map(Some).chain([None]).collect())
    }

    fn subtract(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(own), Self::Only(other)) => Self::Only(own - other),
            (Self::Only(own), Self::Except(other)) => Self::Only(own & other),
            (Self::Except(own), Self::Only(other)) => Self::Except(own | other),
            (Self::Except(own), Self::Except(other)) => Self::Only(other - own),
        }
    }

    fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(own), Self::Only(other)) => Self::Only(own & other),
            (Self::Only(these), Self::Except(others)) | (Self::Except(others), Self::Only(these)) => {
                Self::Only(these - others)
            }
            (Self::Except(own), Self::Except(other)) => Self::Except(own | other),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Only(values) if values.is_empty())
    }
}

impl<'p> ScopeArea<'p> {
    /// The intersection; `None` if it is empty.
    pub(super) fn intersect(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (name, theirs) in &other.0 {
            let common = both.0.get(name).map_or_else(|| theirs.clone(), |own| own.intersect(theirs));
            if common.is_empty() {
                return None;
            }
            both.0.insert(name, common);
        }
        Some(both)
    }

    /// This area without the other one, in parts that do not overlap.
    fn subtract(self, other: &Self) -> Vec<Self> {
        if self.intersect(other).is_none() {
            return vec![self];
        }
        let mut parts = Vec::new();
        let mut inside = self;
        for (name, theirs) in &other.0 {
            let (outside, common) = match inside.0.get(name) {
                Some(own) => (own.subtract(theirs), own.intersect(theirs)),
                None => (ScopeValues::Except(BTreeSet::new()).subtract(theirs), theirs.clone()),
            };
            if !outside.is_empty() {
                let mut part = inside.clone();
                part.0.insert(name, outside);
                parts.push(part);
            }
            inside.0.insert(name, common);
        }
        parts
    }

    /// This area without all of `others`, in parts that do not overlap.
    pub(super) fn subtract_all<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Vec<Self>
    where
        'p: 'a,
    {
        let mut parts = vec![self.clone()];
        for other in others {
            parts = parts.into_iter().flat_map(|part| part.subtract(other)).collect();
            if parts.is_empty() {
                break;
            }
        }
        parts
    }
}

impl fmt::Display for ScopeArea<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, values)) in self.0.iter().enumerate() {
            let (prefix, set) = match values {
                ScopeValues::Only(set) => ("", set),
                ScopeValues::Except(set) => ("not ", set),
            };
            let named: Vec<&str> = set.iter().filter_map(|value| *value).collect();
            let comma = if at == 0 { "" } else { ", " };
            if named.is_empty() {
                write!(out, "{comma}across every {name}")?;
            } else {
                write!(out, "{comma}{name} {prefix}{}", named.join(" or "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
