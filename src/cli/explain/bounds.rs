//! Prints roles and the scope values that they are bound to.

use crate::policy::Snapshot;
use crate::vocabulary::Assignment;

/// A claimed role and its bounds: `Level 2 (tenant: t1, t2)`.
pub(super) fn print_assignment(role: &Assignment) -> String {
    let bounds = role.scope.iter().map(|(name, values)| format!("{name}: {}", values.join(", ")));
    let bounds = bounds.collect::<Vec<_>>().join("; ");
    if bounds.is_empty() { role.role.to_string() } else { format!("{} ({bounds})", role.role) }
}

/// `(tenant: t1; pacs: p7, p8)`; empty where there are no bounds.
pub(super) fn print_bounds(policy: &Snapshot, bounds: &[(u8, Box<[Box<str>]>)]) -> String {
    let scopes = bounds.iter().map(|(index, values)| {
        let name = policy.model.scopes.get(usize::from(*index)).map_or("", |scope| &scope.name);
        format!("{name}: {}", values.join(", "))
    });
    let scopes = scopes.collect::<Vec<_>>().join("; ");
    if scopes.is_empty() { scopes } else { format!("({scopes})") }
}
